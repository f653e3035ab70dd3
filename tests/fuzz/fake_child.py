"""A conversation whose other end sends any bytes: the trusted end is real, its process has ended already."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from autograder.sandbox import conversation, wire
from autograder.sandbox.clock import Clock, OutOfTime
from autograder.sandbox.conversation import Child, ChildDied, ChildTimedOut, Limits
from autograder.sandbox.script import Call, Let, Look

LIMITS = Limits(answer_bytes=1 << 20, output_bytes=100_000)
Request = tuple[str, Callable[[Child], Any]]
#: Each kind of request, in this order: their replies have the numbers 1 to 5.
REQUESTS: tuple[Request, ...] = (
    ("run", lambda child: child.run_cell("1 + 1")),
    ("ask", lambda child: child.ask([Let("x", np.zeros(2)), Call("f", ("x",), "y"), Look("y")])),
    ("look", lambda child: child.look("x")),
    ("ask", lambda child: child.ask([Call("f", ())])),
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
    """A clock whose time is over once it has been looked at `looks` times."""

    looks = 1 << 30

    def wait_for(self, channel: socket.socket, writing: bool = False) -> None:
        self.looks -= 1
        if self.looks < 0:
            raise OutOfTime("ran longer than 1 s")
        super().wait_for(channel, writing)


Check = Callable[[str, Any], None]


def converse(script: bytes, check: Check) -> None:
    """Put every request to a child that sends what `script` says; `check` gets the kind of each request and
    its answer, or the ChildDied or ChildTimedOut that it ended with.

    The script's first byte says how many bytes arrive at a time, its second one how often the clock may be
    looked at (0 in either: no limit); the rest is sent, and then nothing more.
    """
    pace, patience, stream = script[:1], script[1:2], script[2 : MOST_BYTES + 2]
    theirs, ours = socket.socketpair()
    channel = Drip(fileno=ours.detach())
    channel.most = int.from_bytes(pace, "big") or Drip.most
    looks = int.from_bytes(patience, "big") or Alarm.looks
    with theirs, channel, patch.object(conversation, "Clock", _alarm(looks)):
        theirs.sendall(stream)
        theirs.shutdown(socket.SHUT_WR)
        with Child(Home(), channel, _ended_process(), Path(os.devnull) / "private") as child:
            alive = True
            for request in REQUESTS:
                alive = _outcome(request, child, check, alive)


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


def _alarm(looks: int) -> type[Alarm]:
    return type("Alarm", (Alarm,), {"looks": looks})


@cache
def _ended_process() -> int:
    """The id of a process that has ended and that nobody reaps: it can be waited for, and not be harmed."""
    process = os.posix_spawnp("true", ["true"], os.environ)
    os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)
    return process


def script_of(replies: list[tuple[Any, ...]], pace: int = 0, patience: int = 0) -> bytes:
    """The script of a child that sends these replies."""
    frames = [wire.frame(wire.encode(reply)) for reply in replies]
    return bytes([pace, patience]) + b"".join(frames)
