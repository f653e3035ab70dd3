"""The trusted side's way to a student's process: start one, put requests to it, believe nothing.

with Sandbox(readable=[attention_lib], preload=["attention_lib"]) as sandbox, sandbox.child() as child:
    child.run_cell("def double(x): return 2 * x")
    child.ask(one_call("double", [3.0]))          # → [Returned(6.0, (3.0,))]

ChildTimedOut     over the time limit; `alive` tells whether the child can go on
ChildDied         ended, sent too much or what is no reply; `reason` is for the student
SandboxLost       the zygote is gone and the child with it: nobody's fault, `sandbox.child()` starts anew
NoSandbox         this machine can't hold student code
"""

from __future__ import annotations

import json
import math
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from autograder.library import UserError
from autograder.sandbox.conversation import READY_SECONDS, Child
from autograder.sandbox.isolation import Layer, missing
from autograder.sandbox.launch import PACKAGE_ROOT, ZygoteProcess
from autograder.sandbox.outcomes import CellRun, ChildDied, ChildTimedOut, Limits, SandboxLost
from autograder.sandbox.scratch import Scratch

__all__ = [
    "CellRun",
    "Child",
    "ChildDied",
    "ChildTimedOut",
    "Layer",
    "Limits",
    "NoSandbox",
    "Sandbox",
    "SandboxLost",
    "SharedZygote",
    "doctor",
]

_START_SECONDS = 120.0
_ATTEMPTS = 3


class NoSandbox(UserError):
    """Student code can't be held here: below the base tier."""


class SharedZygote:
    """A zygote for several processes: each `Sandbox` that is given its `door` gets a fork of it.

    It does not wait until the zygote is ready: that is for whoever joins.
    """

    def __init__(
        self,
        readable: Sequence[Path] = (),
        preload: Sequence[str] = (),
        limits: Limits | None = None,
        unsafe: bool = False,
    ) -> None:
        _require_linux()
        told = order(readable, preload, limits or Limits(), unsafe, namespaces=True)
        self._zygote = ZygoteProcess({**told, "shared": True})

    @property
    def door(self) -> socket.socket:
        """Where to join; it can be handed to other processes."""
        return self._zygote.control

    def close(self) -> None:
        self._zygote.stop()


class Sandbox:
    """A zygote and its children.

    `readable`: the folders of the course that student code may read; one that is a package can be
    imported. `preload`: modules that are imported once, for all children. `unsafe` goes on below the
    base tier; `namespaces=False` leaves the layers above it out. `door`: that of a `SharedZygote` made
    with the same arguments; where nobody is behind it any more, the sandbox starts a zygote of its own.
    """

    def __init__(
        self,
        readable: Sequence[Path] = (),
        preload: Sequence[str] = (),
        limits: Limits | None = None,
        unsafe: bool = False,
        namespaces: bool = True,
        door: socket.socket | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.unsafe = unsafe
        self.layers: tuple[str, ...] = ()
        self._order = order(readable, preload, self.limits, unsafe, namespaces)
        self._door = door
        self._own: ZygoteProcess | None = None
        self._children: set[Child] = set()
        self._made = 0

    def __enter__(self) -> Self:
        _require_linux()
        self._folder = Scratch()
        try:
            self._start()
        except BaseException:
            self._folder.remove()
            raise
        return self

    @property
    def _scratch(self) -> Path:
        return self._folder.path

    def _start(self) -> None:
        """Get a zygote: one that is shared, or else one of our own."""
        try:
            layers = self._joined() or self._started()
            _require(layers, self.unsafe)
        except BaseException:
            self._stop()
            raise
        self.layers = tuple(layer.name for layer in layers if layer.in_force)

    def _joined(self) -> list[Layer] | None:
        if self._door is None:
            return None
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs:
                wanted = json.dumps({"join": str(self._scratch)}).encode()
                socket.send_fds(self._door, [wanted], [theirs.fileno()])
            return self._layers_told()
        except (OSError, SandboxLost):
            self._control.close()
            self._door = None
            return None

    def _started(self) -> list[Layer]:
        self._own = ZygoteProcess({**self._order, "clears": str(self._scratch)})
        self._control = self._own.control
        try:
            layers = self._layers_told()
        except SandboxLost:
            raise NoSandbox(
                f"the process that starts the sandboxes ended: {self._own.last_words()}"
            ) from None
        self._own.keep_font_cache()
        return layers

    def _layers_told(self) -> list[Layer]:
        return [Layer(**layer) for layer in self._hear(_START_SECONDS)["layers"]]

    def _hear(self, seconds: float) -> dict[str, Any]:
        """The zygote's next message. Raises SandboxLost when it is gone, NoSandbox when it can't go on."""
        return self._hear_with(seconds)[0]

    def _hear_with(self, seconds: float) -> tuple[dict[str, Any], list[int]]:
        """The zygote's next message, and the descriptors that came with it."""
        self._control.settimeout(seconds)
        try:
            said, descriptors, _, _ = socket.recv_fds(self._control, 1 << 16, 1)
        except OSError:
            said, descriptors = b"", []
        if not said:
            raise SandboxLost("the process that starts the sandboxes ended")
        heard: dict[str, Any] = json.loads(said)
        if "error" in heard:
            raise NoSandbox(f"no process for student code: {heard['error']}")
        return heard, descriptors

    def child(self) -> Child:
        """A new child that has run nothing yet; from a new zygote, where the old one is gone.

        Raises NoSandbox when there can be none, after a few attempts: one that is killed before it is
        ready says nothing about the next.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._new_child()
            except SandboxLost as lost:
                if attempt == _ATTEMPTS:
                    raise NoSandbox(f"{lost}, {_ATTEMPTS} times in a row") from None
                self._stop()
                self._start()
            except NoSandbox:
                if attempt == _ATTEMPTS:
                    raise
        raise AssertionError("unreachable")

    def _new_child(self) -> Child:
        self._made += 1
        private = self._scratch / "children" / str(self._made)
        private.mkdir(parents=True)
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                wanted = json.dumps({"fork": str(private)}).encode()
                socket.send_fds(self._control, [wanted], [theirs.fileno()])
            forked, processes = self._hear_with(READY_SECONDS)
            child = Child(self, ours, processes[0], int(forked["pid"]), private)
        except OSError as error:
            ours.close()
            raise SandboxLost(f"the process that starts the sandboxes is gone ({error})") from None
        except BaseException:
            ours.close()
            raise
        self._children.add(child)
        try:
            _require(child.ready(), self.unsafe)
        except (ChildDied, NoSandbox) as error:
            child.kill()
            raise NoSandbox(f"a process for student code could not be made ready: {error}") from None
        return child

    def reaped(self, child: Child) -> int | None:
        """How `child`, which has ended, ended: a status as `os.waitpid` gives it; None when the zygote is
        gone, and its children with it."""
        self._children.discard(child)
        try:
            self._control.sendall(json.dumps({"reap": child.name}).encode())
            return int(self._hear(READY_SECONDS)["status"])
        except (OSError, SandboxLost):
            return None

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        self._stop()
        self._folder.remove()

    def _stop(self) -> None:
        for child in list(self._children):
            child.kill()
        if self._own is not None:
            self._own.stop()
            self._own = None
        else:
            self._control.close()


def order(
    readable: Sequence[Path],
    preload: Sequence[str],
    limits: Limits,
    unsafe: bool,
    namespaces: bool,
) -> dict[str, Any]:
    """What a zygote is told when it is started."""
    return {
        "readable": [str(Path(path).resolve()) for path in readable],
        "preload": list(preload),
        "memory_bytes": limits.memory_bytes,
        "cpu_seconds": math.ceil(limits.submission_seconds) + 60,
        "answer_bytes": limits.answer_bytes,
        "output_bytes": limits.output_bytes,
        "namespaces": namespaces,
        "unsafe": unsafe,
    }


def _require_linux() -> None:
    if sys.platform != "linux":
        raise NoSandbox("student code can be held on Linux only: see README.md for grading from elsewhere")


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
    probe = [sys.executable, "-m", "autograder.sandbox.probe"]
    tried = subprocess.run(probe, capture_output=True, text=True, cwd=PACKAGE_ROOT, check=False)
    if tried.returncode:
        return [Layer("probe", False, f"the probe ended: {tried.stderr.strip().splitlines()[-1:]}")]
    return [Layer(**layer) for layer in json.loads(tried.stdout)]
