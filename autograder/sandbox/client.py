"""The trusted side's way to a student's process: start one, put requests to it, believe nothing.

with Sandbox(readable=[attention_lib], preload=["attention_lib"]) as sandbox, sandbox.child() as child:
    child.run_cell("def double(x): return 2 * x")
    child.ask(one_call("double", [3.0]))          # → [Returned(6.0, (3.0,))]

ChildTimedOut     over the time limit; `alive` tells whether the child can go on
ChildDied         ended, sent too much or what is no reply; `reason` is for the student
NoSandbox         this machine can't hold student code
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

from autograder.library import UserError
from autograder.sandbox import outputs, wire
from autograder.sandbox.clock import Clock, OutOfTime, cpu_seconds, how_it_ended, is_over
from autograder.sandbox.isolation import Layer, missing
from autograder.sandbox.launch import PACKAGE_ROOT, command, copy_font_cache, environment, font_cache
from autograder.sandbox.script import Call, Event, Look, Raised, Returned, Step, Undefined

_START_SECONDS = 120.0
_READY_SECONDS = 30.0
_GRACE_SECONDS = 1.0


@dataclass(frozen=True)
class Limits:
    """What a submission may use. Seconds are CPU time of the student's process; wall time may be
    twice that and 5 s."""

    cell_seconds: float = 30
    question_seconds: float = 10
    submission_seconds: float = 300
    memory_bytes: int = 2 << 30
    answer_bytes: int = 64 << 20
    output_bytes: int = 1_000_000


class ChildDied(Exception):
    """The student's process is gone, or was killed since it broke the protocol."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ChildTimedOut(Exception):
    """The time limit. `alive`: the interrupt worked and the child can go on; `outputs`: what the cell
    had shown by then."""

    def __init__(self, reason: str, alive: bool, outputs: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.alive = alive
        self.outputs = list(outputs)


class NoSandbox(UserError):
    """Student code can't be held here: below the base tier."""


@dataclass(frozen=True)
class CellRun:
    """What a cell left: its outputs as nbformat v4 has them, and the name of the exception that ended it."""

    outputs: list[dict[str, Any]]
    error: str | None


class Sandbox:
    """A zygote and its children.

    `readable`: the folders of the course that student code may read; one that is a package can be
    imported. `preload`: modules that are imported once, for all children. `unsafe` goes on below the
    base tier; `namespaces=False` leaves the layers above it out.
    """

    def __init__(
        self,
        readable: Sequence[Path] = (),
        preload: Sequence[str] = (),
        limits: Limits | None = None,
        unsafe: bool = False,
        namespaces: bool = True,
    ) -> None:
        self.readable = [Path(path).resolve() for path in readable]
        self.preload = list(preload)
        self.limits = limits or Limits()
        self.unsafe = unsafe
        self.namespaces = namespaces
        self.layers: tuple[str, ...] = ()
        self._children: set[Child] = set()
        self._made = 0

    def __enter__(self) -> Self:
        if sys.platform != "linux":
            raise NoSandbox(
                "student code can be held on Linux only: see README.md for grading from elsewhere"
            )
        self._scratch = Path(tempfile.mkdtemp(prefix="autograder-"))
        try:
            self._start()
        except BaseException:
            shutil.rmtree(self._scratch, ignore_errors=True)
            raise
        return self

    def _start(self) -> None:
        for name in ("config", "children"):
            (self._scratch / name).mkdir()
        copy_font_cache(font_cache(), self._scratch / "config")
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, open(self._scratch / "log", "wb") as log:
            self._zygote = subprocess.Popen(
                command(self._order()),
                stdin=theirs.fileno(),
                stdout=log,
                stderr=log,
                env=environment(self._scratch / "config"),
                cwd=self._scratch / "config",
                start_new_session=True,
            )
        try:
            layers = [Layer(**layer) for layer in self._hear(_START_SECONDS)["layers"]]
            _require(layers, self.unsafe)
        except BaseException:
            self._stop()
            raise
        self.layers = tuple(layer.name for layer in layers if layer.in_force)
        copy_font_cache(self._scratch / "config", font_cache())

    def _order(self) -> dict[str, Any]:
        return {
            "readable": [str(path) for path in self.readable],
            "preload": self.preload,
            "scratch": str(self._scratch),
            "memory_bytes": self.limits.memory_bytes,
            "cpu_seconds": math.ceil(self.limits.submission_seconds) + 60,
            "answer_bytes": self.limits.answer_bytes,
            "output_bytes": self.limits.output_bytes,
            "namespaces": self.namespaces,
            "unsafe": self.unsafe,
        }

    def _hear(self, seconds: float) -> dict[str, Any]:
        """The zygote's next message. Raises NoSandbox when it is gone."""
        self._control.settimeout(seconds)
        try:
            said = self._control.recv(1 << 16)
        except OSError:
            said = b""
        if not said:
            raise NoSandbox(f"the process that starts the sandboxes ended: {self._last_words()}")
        heard: dict[str, Any] = json.loads(said)
        if "error" in heard:
            raise NoSandbox(f"no process for student code: {heard['error']}")
        return heard

    def _last_words(self) -> str:
        lines = (self._scratch / "log").read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def child(self) -> Child:
        """A new child that has run nothing yet. Raises NoSandbox when there can be none."""
        self._made += 1
        private = self._scratch / "children" / str(self._made)
        private.mkdir()
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                wanted = json.dumps({"fork": str(private)}).encode()
                socket.send_fds(self._control, [wanted], [theirs.fileno()])
            pid = int(self._hear(_READY_SECONDS)["pid"])
        except OSError as error:
            ours.close()
            raise NoSandbox(f"the process that starts the sandboxes is gone: {error}") from None
        except BaseException:
            ours.close()
            raise
        child = Child(self, ours, pid, private)
        self._children.add(child)
        child.wait_until_ready()
        return child

    def reaped(self, child: Child) -> int:
        """How `child`, which has ended, ended: a status as `os.waitpid` gives it."""
        self._children.discard(child)
        try:
            self._control.sendall(json.dumps({"reap": child.pid}).encode())
            return int(self._hear(_READY_SECONDS)["status"])
        except (OSError, NoSandbox):  # the zygote is gone, and its children with it
            return int(signal.SIGKILL)

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        for child in list(self._children):
            child.kill()
        self._stop()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _stop(self) -> None:
        self._control.close()
        try:
            self._zygote.wait(5)
        except subprocess.TimeoutExpired:
            self._zygote.kill()
            self._zygote.wait()


class Child:
    """A student's process, as seen from outside: a socket, a process id, and limits."""

    def __init__(self, sandbox: Sandbox, channel: socket.socket, pid: int, private: Path) -> None:
        self.pid = pid
        self._sandbox = sandbox
        self._limits = sandbox.limits
        self._channel = channel
        self._private = private
        self._number = 0
        self._process = os.pidfd_open(pid)
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

    def wait_until_ready(self) -> None:
        """Until the walls are up. Raises NoSandbox when they are not those that the probe found."""
        try:
            _, layers = self._reply(Clock(self.pid, _READY_SECONDS), 1 << 16)
            _require([Layer(**layer) for layer in layers], self._sandbox.unsafe)
        except (ChildDied, OutOfTime, TypeError) as error:
            self.kill()
            raise NoSandbox(f"a process for student code could not be made ready: {error}") from None
        except NoSandbox:
            self.kill()
            raise

    def run_cell(self, source: str) -> CellRun:
        """Run a cell as a notebook does. Raises ChildTimedOut, ChildDied."""
        most = 4 * self._limits.output_bytes + (1 << 20)
        content = self._request("run", source, "ran", self._limits.cell_seconds, most)
        return self._cell_run(content)

    def ask(self, steps: Sequence[Step]) -> list[Event]:
        """Put a script to the student's functions. Raises ChildTimedOut, ChildDied."""
        answer = self._request("ask", list(steps), "events", self._limits.question_seconds, self._most())
        return self._events(answer, steps)

    def look(self, name: str) -> Any:
        """The value of a variable, or Undefined. Raises ChildTimedOut, ChildDied."""
        word, answer = self._exchange("look", name, self._limits.question_seconds, self._most())
        match word, answer:
            case "value", _ if not isinstance(answer, Returned | Raised | Undefined):
                return answer
            case "events", [Undefined()]:
                return Undefined(name)
        self._broken(f"a {word!r} in place of a value")

    def kill(self) -> None:
        """End the process and everything that it could have started. Nothing of it is left."""
        if self._over is None:
            self._end("it was ended")

    @property
    def cpu_seconds(self) -> float:
        """CPU time that the process has used."""
        return cpu_seconds(self.pid)

    def _most(self) -> int:
        return self._limits.answer_bytes + (2 << 20)

    def _request(self, word: str, content: Any, expected: str, seconds: float, most: int) -> Any:
        said, answer = self._exchange(word, content, seconds, most)
        if said != expected:
            self._broken(f"a {said!r} in place of {expected!r}")
        return answer

    def _exchange(self, word: str, content: Any, seconds: float, most: int) -> tuple[str, Any]:
        """Send a request and wait for its reply within `seconds` of CPU time."""
        if self._over is not None:
            raise ChildDied(self._over)
        self._number += 1
        clock = Clock(self.pid, seconds)
        try:
            self._send(wire.frame(wire.encode((self._number, word, content))), clock)
            return self._reply(clock, most)
        except OutOfTime as limit:
            raise self._interrupted(str(limit), most) from None

    def _interrupted(self, reason: str, most: int) -> ChildTimedOut:
        """Interrupt the child; kill it when that does not help within the grace."""
        self._signal(signal.SIGINT)
        try:
            word, content = self._reply(Clock(self.pid, math.inf, time.monotonic() + _GRACE_SECONDS), most)
            shown = self._cell_run(content).outputs if word == "ran" else []
        except (OutOfTime, ChildDied):
            if self._over is None:
                self._end(reason)
            return ChildTimedOut(reason, alive=False)
        return ChildTimedOut(reason, alive=True, outputs=shown)

    def _send(self, data: bytes, clock: Clock) -> None:
        left = memoryview(data)
        while left:
            clock.wait_for(self._channel, writing=True)
            try:
                left = left[self._channel.send(left[: 1 << 16], socket.MSG_DONTWAIT) :]
            except BlockingIOError:
                continue
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
        match message:
            case (int(number), str(word), content) if number == self._number:
                return word, content
        self._broken("no reply to the question that was put")

    def _receive(self, size: int, clock: Clock) -> bytes:
        received = bytearray()
        while len(received) < size:
            clock.wait_for(self._channel)
            try:
                part = self._channel.recv(min(size - len(received), 1 << 20), socket.MSG_DONTWAIT)
            except BlockingIOError:
                continue
            except OSError:
                part = b""
            if not part:
                raise self._died()
            received += part
        return bytes(received)

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
        raise ChildDied(self._over or how)

    def _died(self) -> ChildDied:
        """The child closed its end: find out why."""
        self._end(None)
        return ChildDied(self._over or "the process ended")

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._process, number)

    def _end(self, reason: str | None) -> None:
        """Kill, wait until it is gone, clear up. Without a `reason`, the way it ended tells."""
        self._channel.close()
        is_over(self._process, 0.2 if reason is None else 0)  # let one that is ending end by itself
        with contextlib.suppress(ProcessLookupError):  # it ended, and was reaped, by itself
            self._signal(signal.SIGKILL)
        is_over(self._process, _READY_SECONDS)
        os.close(self._process)
        self._over = reason or "the process ended"
        status = self._sandbox.reaped(self)
        shutil.rmtree(self._private, ignore_errors=True)
        if reason is None:
            self._over = how_it_ended(status)


def _clean_event(event: Any) -> Event | None:
    """An event with its texts made fit to show; None for what is no event."""
    match event:
        case Returned():
            return event
        case Raised(name, message, arguments):
            return Raised(outputs.clean_text(name)[:200], outputs.clean_text(message)[:5000], arguments)
        case Undefined(function, found):
            return Undefined(function, None if found is None else outputs.clean_text(found)[:200])
    return None


def _require(layers: Sequence[Layer], unsafe: bool) -> None:
    gone = missing(layers)
    if gone and not unsafe:
        what = "; ".join(f"{layer.name}: {layer.why}" for layer in gone)
        raise NoSandbox(
            f"no sandbox for student code here ({what}). `autograder doctor` tells more; "
            "--unsafe grades without, and then a submission can do what you can."
        )


def doctor() -> list[Layer]:
    """Which layers hold on this machine, and why, or what would raise them. Tried out in a process of
    its own."""
    if sys.platform != "linux":
        return [Layer("linux", False, f"grading is for Linux, this is {sys.platform}: see README.md")]
    probe = [sys.executable, "-m", "autograder.sandbox.isolation"]
    tried = subprocess.run(probe, capture_output=True, text=True, cwd=PACKAGE_ROOT, check=False)
    if tried.returncode:
        return [Layer("probe", False, f"the probe ended: {tried.stderr.strip().splitlines()[-1:]}")]
    return [Layer(**layer) for layer in json.loads(tried.stdout)]
