"""One student's process as seen from outside. Trusted side: believes nothing that comes back."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Protocol, Self

from autograder.sandbox import outputs, wire
from autograder.sandbox.clock import (
    Clock,
    OutOfTime,
    cpu_seconds,
    how_it_ended,
    is_fuller,
    is_over,
    pid_of,
    threads_of,
)
from autograder.sandbox.isolation import PROCESSES, THREADS, Layer
from autograder.sandbox.namespaces import FOLDER_BYTES
from autograder.sandbox.outcomes import CellRun, ChildDied, ChildTimedOut, Limits, SandboxLost
from autograder.sandbox.scratch import remove
from autograder.sandbox.script import Call, Event, Look, Raised, Returned, Script, Step, Undefined

READY_SECONDS = 30.0
_GRACE_SECONDS = 1.0
#: CPU time for several questions at once. What takes longer is asked one by one, with all its time.
_TOGETHER_SECONDS = 1.0
#: How often what the child takes is looked at, however fast its answers come.
_WATCH_SECONDS = 0.1
_PART_BYTES = 1 << 16


class Home(Protocol):
    """What a child needs of the sandbox that started it."""

    @property
    def limits(self) -> Limits: ...

    @property
    def layers(self) -> tuple[str, ...]: ...

    def reaped(self, child: Child) -> int | None:
        """How `child`, which has ended, ended; None when the zygote is gone."""


class Child:
    """A student's process, as seen from outside: a socket, the process, and limits. `process` is a
    descriptor of it (a pidfd), `name` the id that its zygote knows it by."""

    def __init__(self, home: Home, channel: socket.socket, process: int, name: int, private: Path) -> None:
        self.pid = pid_of(process)
        self.name = name
        self._home = home
        self._limits = home.limits
        self._channel = channel
        self._private = private
        self._number = 0
        self._received = bytearray()
        self._watched = time.monotonic()
        self._process = process
        self._over: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        self.kill()

    def ready(self) -> list[Layer]:
        """Wait until the walls are up; which ones. Raises ChildDied when that does not come."""
        try:
            _, layers = self._reply(Clock(self.pid, READY_SECONDS), 1 << 16)
            return [Layer(**layer) for layer in layers]
        except (OutOfTime, TypeError) as error:
            self._end(str(error))
            raise ChildDied(str(error)) from None

    def run_cell(self, source: str) -> CellRun:
        """Run a cell as a notebook does. Raises ChildTimedOut, ChildDied."""
        most = 4 * self._limits.output_bytes + (1 << 20)
        content = self._request("run", source, "ran", self._limits.cell_seconds, most)
        return self._cell_run(content)

    def ask(self, steps: Sequence[Step]) -> list[Event]:
        """Put a script to the student's functions. Raises ChildTimedOut, ChildDied."""
        answer = self._request("ask", _content(steps), "events", self._limits.question_seconds, self._most())
        return self._events(answer, steps)

    def ask_all(self, scripts: Sequence[Script]) -> list[list[Event]] | None:
        """Put several scripts in one question, for answers that come fast; None when these are too large
        together, so that they have to be asked alone. Raises ChildTimedOut, ChildDied."""
        content = [_content(script) for script in scripts]
        seconds = min(_TOGETHER_SECONDS, self._limits.question_seconds)
        said, answers = self._exchange("ask all", content, seconds, self._most(), wall=2 * seconds)
        if said == "ask alone":
            return None
        if said != "events" or not isinstance(answers, list) or len(answers) != len(scripts):
            self._broken(f"a {said!r} in place of answers to {len(scripts)} questions")
        return [self._events(answer, script) for answer, script in zip(answers, scripts, strict=True)]

    def ask_on_rank(self, rank: int, size: int, steps: Sequence[Step]) -> Clock:
        """Put a script to the student's functions as rank `rank` of `size`, with a `comm` that speaks to the
        others through the judge: `heard` gives what it says. Raises ChildTimedOut, ChildDied."""
        self._number += 1
        clock = Clock(self.pid, self._limits.question_seconds, watch=self._watch)
        self._say(self._encoded("ask on rank", (rank, size, list(steps))), clock)
        return clock

    def heard(self, steps: Sequence[Step], clock: Clock) -> Any | list[Event]:
        """What a rank says next: the content of a "comm" message, a tuple, or at its end the list of events.
        Raises ChildTimedOut, ChildDied."""
        try:
            clock.require_time()
            word, content = self._reply(clock, self._most())
        except OutOfTime as limit:
            raise self._killed(str(limit)) from None
        if word == "events":
            return self._events(content, steps)
        if word != "comm" or not isinstance(content, tuple):
            self._broken(f"a {word!r} in place of 'comm' or 'events'")
        return content

    def a_moment(self) -> Clock:
        """A clock for a rank that is to end now."""
        return Clock(self.pid, math.inf, wall=_GRACE_SECONDS)

    def tell(self, content: Any, clock: Clock) -> None:
        """Answer a "comm" message; None ends the rank's call. Raises ChildTimedOut, ChildDied."""
        self._say(self._encoded("given", content), clock)

    def refuse(self, how: str) -> NoReturn:
        """End a child that said what is no operation of a rank's. Raises ChildDied."""
        self._broken(how)

    def _say(self, message: bytes, clock: Clock) -> None:
        try:
            self._send(message, clock)
        except OutOfTime as limit:
            raise self._killed(str(limit)) from None

    def _killed(self, reason: str) -> ChildTimedOut:
        self._end(reason)
        return ChildTimedOut(reason, alive=False)

    def look(self, name: str) -> Any:
        """The value of a variable, or Undefined. Raises ChildTimedOut, ChildDied."""
        answer = self._request("look", name, "events", self._limits.question_seconds, self._most())
        match self._events(answer, [Look(name)]):
            case [Returned(value)]:
                return value
            case [Undefined()]:
                return Undefined(name)
        self._broken("no value")

    def kill(self) -> None:
        """End the process and everything that it could have started. Nothing of it is left."""
        if self._over is None:
            self._end("it was ended")

    @property
    def cpu_seconds(self) -> float:
        """CPU time that the process has used."""
        return cpu_seconds(self.pid)

    def _most(self) -> int:
        return max(self._limits.answer_bytes, 4 * self._limits.output_bytes) + (2 << 20)

    def _request(self, word: str, content: Any, expected: str, seconds: float, most: int) -> Any:
        said, answer = self._exchange(word, content, seconds, most)
        if said != expected:
            self._broken(f"a {said!r} in place of {expected!r}")
        return answer

    def _exchange(
        self, word: str, content: Any, seconds: float, most: int, wall: float | None = None
    ) -> tuple[str, Any]:
        """Send a request and wait for its reply within `seconds` of CPU time."""
        self._number += 1
        request = self._encoded(word, content)
        clock = Clock(self.pid, seconds, wall, watch=self._watch)
        try:
            self._send(request, clock)
            reply = self._reply(clock, most)
            if time.monotonic() > self._watched + _WATCH_SECONDS:
                self._watch()
            return reply
        except OutOfTime as limit:
            raise self._interrupted(str(limit), most) from None

    def _encoded(self, word: str, content: Any) -> bytes:
        """A message that belongs to the current request. Raises ChildDied where nobody is left to read it."""
        if self._over is not None:
            raise ChildDied(self._over)
        try:
            return wire.frame(wire.encode((self._number, word, content)))
        except wire.WireError as error:
            raise ChildDied(f"a cell or question that {error}") from None

    def _watch(self) -> None:
        """End a child that takes what no limit of the kernel's covers here."""
        self._watched = time.monotonic()
        if threads_of(self.pid) > 2 * THREADS:
            self._end("the process started more threads than a notebook can need, and was ended")
        elif PROCESSES not in self._home.layers and is_fuller(self._private, FOLDER_BYTES):
            self._end("the process filled its folder, and was ended")
        else:
            return
        raise ChildDied(self._over or "the process was ended", caught=True)

    def _interrupted(self, reason: str, most: int) -> ChildTimedOut:
        """Interrupt the child; kill it when that does not help within the grace."""
        self._signal(signal.SIGINT)
        try:
            word, content = self._reply(Clock(self.pid, math.inf, wall=_GRACE_SECONDS), most)
            shown = self._cell_run(content).outputs if word == "ran" else []
        except (OutOfTime, ChildDied):
            if self._over is None:
                self._end(reason)
            return ChildTimedOut(reason, alive=False)
        return ChildTimedOut(reason, alive=True, outputs=shown)

    def _send(self, data: bytes, clock: Clock) -> None:
        left = memoryview(data)
        while left:
            try:
                left = left[self._channel.send(left[:_PART_BYTES], socket.MSG_DONTWAIT) :]
            except BlockingIOError:
                clock.wait_for(self._channel, writing=True)
            except OSError:
                raise self._died() from None

    def _reply(self, clock: Clock, most: int) -> tuple[str, Any]:
        """The reply to the current request: its word and content."""
        (size,) = wire.FRAME_HEADER.unpack(self._receive(wire.FRAME_HEADER.size, clock))
        if size > most:
            self._broken(f"{size} bytes in one message, more than the {most} allowed")
        body = self._receive(size, clock)
        try:
            message = wire.decode(body, most)
        except wire.WireError as error:
            self._broken(str(error))
        if self._received:
            self._broken("more than one reply")
        match message:
            case (int(number), str(word), content) if number == self._number:
                return word, content
        self._broken("no reply to the question that was put")

    def _receive(self, size: int, clock: Clock) -> bytes:
        """The next `size` bytes. What is there already costs no look at the clock."""
        while len(self._received) < size:
            try:
                part = self._channel.recv(_PART_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                clock.wait_for(self._channel)
                continue
            except OSError:
                part = b""
            if not part:
                raise self._died()
            self._received += part
        taken = bytes(memoryview(self._received)[:size])
        del self._received[:size]
        return taken

    def _cell_run(self, content: Any) -> CellRun:
        match content:
            case (shown, None | str() as error):
                try:
                    return CellRun(outputs.clean(shown), outputs.clean_text(error) if error else None)
                except outputs.BadOutput as bad:
                    self._broken(str(bad))
        self._broken("no outputs")

    def _events(self, answer: Any, steps: Sequence[Step]) -> list[Event]:
        asked = sum(isinstance(step, Call | Look) for step in steps)
        if not isinstance(answer, list) or not 0 < len(answer) <= max(asked, 1):
            self._broken("not as many events as were asked for")
        events = [_clean_event(event) for event in answer]
        complete = len(events) == asked or isinstance(events[-1], Raised | Undefined)
        if None in events or not complete:
            self._broken("events that do not follow from the script")
        return [event for event in events if event is not None]

    def _broken(self, how: str) -> NoReturn:
        """Kill a child that does not keep to the protocol."""
        self._end(f"the process sent what is no reply ({outputs.clean_text(how)[:200]}) and was ended")
        raise ChildDied(self._over or how, caught=True)

    def _died(self) -> ChildDied:
        """The child closed its end: find out why. Raises SandboxLost when it went with the zygote."""
        by_itself = is_over(self._process, 0.2)  # one that is ending is let end
        status = self._end("it closed its line to the grader, and was ended")
        if status is None:
            raise SandboxLost("the process that starts the sandboxes ended")
        if not by_itself:
            return ChildDied(self._over or "it was ended")
        self._over = how_it_ended(status)
        return ChildDied(self._over, killed=os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):  # it ended, and was reaped, by itself
            signal.pidfd_send_signal(self._process, number)

    def _end(self, reason: str) -> int | None:
        """Kill, wait until it is gone, clear up. How it ended, as `Home.reaped` tells."""
        self._channel.close()
        self._signal(signal.SIGKILL)
        is_over(self._process, READY_SECONDS)
        os.close(self._process)
        self._over = reason
        status = self._home.reaped(self)
        remove(self._private)
        return status


def _content(steps: Sequence[Step]) -> Any:
    """The steps as they are sent; those of a `Script` are encoded once."""
    if not isinstance(steps, Script):
        return list(steps)
    if steps.encoded is None:
        steps.encoded = wire.Frozen(wire.encode(list(steps)))
    return steps.encoded


def _clean_event(event: Any) -> Event | None:
    """An event with its texts made fit to show; None for what is no event."""
    match event:
        case Returned():
            return event
        case Raised(name, message, arguments):
            return Raised(outputs.short_text(name, 200), outputs.short_text(message, 5000), arguments)
        case Undefined(function, found):
            return Undefined(
                outputs.short_text(function, 200), None if found is None else outputs.short_text(found, 200)
            )
    return None
