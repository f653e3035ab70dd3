"""A conversation whose other end sends any bytes: the trusted end is real, its process has ended already."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from autograder.sandbox import conversation, wire
from autograder.sandbox.clock import Clock, OutOfTime
from autograder.sandbox.conversation import Child
from autograder.sandbox.outcomes import ChildDied, ChildTimedOut, Limits
from autograder.sandbox.script import Call, Let, Look, Script

LIMITS = Limits(answer_bytes=1 << 20, output_bytes=100_000)
Request = tuple[str, Callable[[Child], Any]]
#: Each kind of request, in this order: their replies have the numbers 1 to 5.
REQUESTS: tuple[Request, ...] = (
    ("run", lambda child: child.run_cell("1 + 1")),
    ("ask", lambda child: child.ask([Let("x", np.zeros(2)), Call("f", ("x",), "y"), Look("y")])),
    ("ask all", lambda child: child.ask_all([Script([Call("f", ())]), Script([Call("g", ()), Look("x")])])),
    ("look", lambda child: child.look("x")),
    ("run", lambda child: child.run_cell("2")),
)
#: What is sent at once has to fit into the socket: nobody reads meanwhile.
MOST_BYTES = 1 << 16


@dataclass(frozen=True)
class Home:
    """What a child needs of the sandbox that started it."""

    limits: Limits = LIMITS
    layers: tuple[str, ...] = ()
    status: int = 0

    def reaped(self, child: Child) -> int:
        return self.status


class Drip(socket.socket):
    """A socket that gives back at most `most` bytes at a time."""

    most = 1 << 20

    def recv(self, size: int, flags: int = 0) -> bytes:
        return super().recv(min(size, self.most), flags)


class Alarm(Clock):
    """A clock whose time is over when it is first waited for; `ring` is called before that is said."""

    def ring(self) -> None:
        """Nothing comes any more."""

    def wait_for(self, channel: socket.socket, writing: bool = False) -> None:
        self.ring()
        raise OutOfTime("ran longer than 1 s")


Check = Callable[[str, Any], None]


def converse(script: bytes, check: Check) -> None:
    """Put every request to a child that sends what `script` says; `check` gets the kind of each request and
    its answer, or the ChildDied or ChildTimedOut that it ended with.

    The script's first byte says how many bytes arrive at a time (0: all). Its second one, modulo 8, says to
    which request the reply comes when the time is over, and divided by 8, how many bytes of it came before.
    The rest is sent frame by frame, one for each request, and what is left over with the last one.
    """
    pace, late, frames = script[:1], int.from_bytes(script[1:2], "big"), split_frames(script[2:MOST_BYTES])
    theirs, ours = socket.socketpair()
    channel = Drip(fileno=ours.detach())
    channel.most = int.from_bytes(pace, "big") or Drip.most
    with theirs, channel, patch.object(conversation, "Clock", Alarm), child_at(channel, _ended()) as child:
        alive = True
        for at, request in enumerate(REQUESTS):
            last = at == len(REQUESTS) - 1 or at >= len(frames) - 1
            data = b"".join(frames[at:] if last else frames[at : at + 1])
            early = late // 8 if late % 8 == at + 1 else len(data)
            _send(theirs, data[:early], last and early >= len(data))
            with patch.object(
                Alarm, "ring", lambda clock, rest=data[early:], last=last: _send(theirs, rest, last)
            ):
                alive = _outcome(request, child, check, alive)


def _send(line: socket.socket, data: bytes, last: bool) -> None:
    """Send `data`, as far as anybody is there to take it; nothing after the last."""
    with suppress(OSError):
        line.sendall(data)
        if last:
            line.shutdown(socket.SHUT_WR)


def child_at(channel: socket.socket, pid: int) -> Child:
    """The trusted end of a conversation with process `pid`, over `channel`."""
    return Child(Home(), channel, os.pidfd_open(pid), pid, Path(os.devnull) / "private")


def _outcome(request: Request, child: Child, check: Check, alive: bool) -> bool:
    """Whether the child lives on; a dead one gives no answer."""
    kind, put = request
    try:
        answer = put(child)
    except (ChildDied, ChildTimedOut) as ended:
        answer = ended
    assert alive or isinstance(answer, ChildDied), "an answer from a child that was dead"
    check(kind, answer)
    return not isinstance(answer, ChildDied) and getattr(answer, "alive", True)


@cache
def _ended() -> int:
    """The id of a process that has ended and that nobody reaps: it can be waited for, and not be harmed."""
    process = os.posix_spawnp("true", ["true"], os.environ)
    os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)
    return process


def script_of(replies: list[tuple[Any, ...]], pace: int = 0, late: int = 0) -> bytes:
    """The script of a child that sends these replies."""
    frames = [wire.frame(wire.encode(reply)) for reply in replies]
    return bytes([pace, late]) + b"".join(frames)


def split_frames(stream: bytes) -> list[bytes]:
    """The frames of `stream`, their headers with them; what is left of it is the last one."""
    frames = []
    while stream:
        announced = wire.FRAME_HEADER.size + int.from_bytes(stream[: wire.FRAME_HEADER.size], "little")
        frames.append(stream[:announced])
        stream = stream[announced:]
    return frames
