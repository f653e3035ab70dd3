"""The process beside a student's code: isolates itself, then serves requests until its socket ends.

Trusted with nothing. Whatever it says is judged on the other side as if the student had said it,
since the student's code can do all that this module can.

A request is (number, word, content), a reply (number, word, content): "run" source → "ran" (outputs,
error), "ask" steps → "events", "ask all" several of these → "events" for each of them, or "ask alone"
when these take too many bytes together, "look" name → "events"; "interrupted" in place of an answer.

"ask on rank" (rank, size, steps) → "events" too; before it come as many "comm" messages as the student's
code has for the other ranks, (kind, payloads, dest, source, sendtag, recvtag, root), each answered by
"given" payloads: encoded values, which only the ranks look into; or by None, which ends the call.
"""

from __future__ import annotations

import functools
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from attention_lib.comm import Comm
from attention_lib.routing import Operation
from autograder.sandbox import wire
from autograder.sandbox.capture import RECORDER, Shell, Stream, drop_figures
from autograder.sandbox.isolation import Layer, Walls, isolate
from autograder.sandbox.script import Let, Returned, Undefined, perform, standing_in

SOCKET = 3
#: What one rank may hand to another at once.
MESSAGE_BYTES = 8 << 20


@dataclass(frozen=True)
class Caps:
    """What a child keeps to, politely: bytes of a reply to a question, characters of a cell's output."""

    answer_bytes: int
    output_bytes: int


Reply = tuple[str, Any]


class Closed(Exception):
    """The other side is gone."""


class CallOver(BaseException):
    """What this rank waits for never comes: its call is over."""


def live(end: int, walls: Walls, caps: Caps, shell: Shell, above: list[Layer]) -> None:
    """Be a child on the socket with descriptor `end`; never returns. `above` are the layers that
    are in force already."""
    try:
        _move_in(walls.private)
        layers = [*isolate(walls), *above]
        channel = _only_descriptor(end)
        _own_streams()
        channel.sendall(wire.frame(wire.encode((0, "ready", [asdict(layer) for layer in layers]))))
        _serve(channel, shell, caps)
    except (Closed, OSError):
        pass
    finally:
        os._exit(0)


def _only_descriptor(end: int) -> socket.socket:
    """The socket as descriptor 3, /dev/null as 0 to 2, every other one closed."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.dup2(end, SOCKET)
    os.closerange(SOCKET + 1, os.sysconf("SC_OPEN_MAX"))
    return socket.socket(fileno=SOCKET)


def _move_in(private: str) -> None:
    """Make `private` the current, home and temporary folder."""
    os.setsid()
    os.chdir(private)
    os.environ.update(HOME=private, TMPDIR=private, PWD=private)
    tempfile.tempdir = None
    sys.path.insert(0, "")


def _own_streams() -> None:
    """Record what is printed; nobody types."""
    sys.stdin, sys.stdout, sys.stderr = open(os.devnull), Stream("stdout"), Stream("stderr")  # noqa: SIM115
    for name in ("stdin", "stdout", "stderr"):
        setattr(sys, f"__{name}__", getattr(sys, name))


def _serve(channel: socket.socket, shell: Shell, caps: Caps) -> None:
    answer: dict[str, Callable[[Shell, Any, Caps], Reply]]
    line = Line(channel, caps)
    answer = {
        "run": _run,
        "ask": _ask,
        "ask all": _ask_all,
        "look": _look,
        "ask on rank": functools.partial(_ask_on_rank, line),
    }
    while True:
        number, word, content = wire.decode(_receive(channel), sys.maxsize)
        line.number = number
        try:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            reply = answer[word](shell, content, caps)
        except KeyboardInterrupt:
            reply = "interrupted", None
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        channel.sendall(wire.frame(_encoded(number, reply, caps)))


@dataclass
class Line:
    """The way to the other ranks, through the judge, while request `number` is answered."""

    channel: socket.socket
    caps: Caps
    number: int = 0

    def post(self, operation: Operation) -> tuple[Any, ...]:
        """Hand an operation over; what comes back when it is complete."""
        if operation.kind == "work":
            return ()  # a simulated clock has nothing to say here
        payloads = [wire.encode(payload, MESSAGE_BYTES) for payload in operation.payloads]
        ends = operation.dest, operation.source, operation.sendtag, operation.recvtag, operation.root
        said = "comm", (operation.kind, payloads, *ends)
        self.channel.sendall(wire.frame(_encoded(self.number, said, self.caps)))
        _, _, given = wire.decode(_receive(self.channel), sys.maxsize)
        if given is None:
            raise CallOver
        return tuple(wire.decode(payload, sys.maxsize) for payload in given)


def _encoded(number: int, reply: Reply, caps: Caps) -> bytes:
    return wire.encode((number, *reply), max(caps.answer_bytes, 4 * caps.output_bytes) + (1 << 20))


def _receive(channel: socket.socket) -> bytes:
    (size,) = wire.FRAME_HEADER.unpack(_exactly(channel, wire.FRAME_HEADER.size))
    return _exactly(channel, size)


def _exactly(channel: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = channel.recv(min(size - len(parts), 1 << 20))
        if not part:
            raise Closed
        parts += part
    return bytes(parts)


def _run(shell: Shell, source: str, caps: Caps) -> Reply:
    RECORDER.start(caps.output_bytes)
    try:
        result = shell.run_cell(source, store_history=True)
        failed = result.error_before_exec or result.error_in_exec
    except KeyboardInterrupt as interrupt:  # outside of what IPython guards
        failed = interrupt
        RECORDER.error("KeyboardInterrupt", "", ["KeyboardInterrupt"])
    return "ran", (RECORDER.finish(), type(failed).__name__ if failed is not None else None)


def _ask(shell: Shell, steps: list[Any], caps: Caps) -> Reply:
    RECORDER.start(0)  # what a student's function prints while it is asked is nobody's output
    try:
        with standing_in(steps, shell.user_ns):
            events = perform(steps, shell.user_ns, lambda value: wire.freeze(value, caps.answer_bytes))
        return "events", events
    finally:
        drop_figures()


def _ask_on_rank(line: Line, shell: Shell, content: Any, caps: Caps) -> Reply:
    rank, size, steps = content
    comm = Comm(rank, size, line.post)
    return _ask(shell, [Let("comm", comm), *steps], caps)


def _ask_all(shell: Shell, scripts: list[list[Any]], caps: Caps) -> Reply:
    taken = 0

    def keep(value: Any) -> wire.Frozen:
        nonlocal taken
        frozen = wire.freeze(value, caps.answer_bytes)
        taken += len(frozen.data)
        return frozen

    RECORDER.start(0)
    try:
        answers = [perform(steps, shell.user_ns, keep) for steps in scripts]
    finally:
        drop_figures()
    return ("events", answers) if taken <= caps.answer_bytes else ("ask alone", None)


def _look(shell: Shell, name: str, caps: Caps) -> Reply:
    if name not in shell.user_ns:
        return "events", [Undefined(name)]
    return "events", [Returned(wire.freeze(shell.user_ns[name], caps.answer_bytes))]
