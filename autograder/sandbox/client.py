"""The trusted side's way to a student's process: start one, put requests to it, believe nothing.

with Sandbox(readable=[attention_lib], preload=["attention_lib"]) as sandbox, sandbox.child() as child:
    child.run_cell("def double(x): return 2 * x")
    child.ask(one_call("double", [3.0]))          # → [Returned(6.0, (3.0,))]

ChildTimedOut     over the time limit; `alive` tells whether the child can go on
ChildDied         ended, sent too much or what is no reply; `reason` is for the student
NoSandbox         this machine can't hold student code
"""

from __future__ import annotations

import json
import math
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from autograder.library import UserError
from autograder.sandbox.conversation import READY_SECONDS, CellRun, Child, ChildDied, ChildTimedOut, Limits
from autograder.sandbox.isolation import Layer, missing
from autograder.sandbox.launch import PACKAGE_ROOT, command, copy_font_cache, environment, font_cache

__all__ = [
    "CellRun",
    "Child",
    "ChildDied",
    "ChildTimedOut",
    "Layer",
    "Limits",
    "NoSandbox",
    "Sandbox",
    "doctor",
]

_START_SECONDS = 120.0


class NoSandbox(UserError):
    """Student code can't be held here: below the base tier."""


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
            pid = int(self._hear(READY_SECONDS)["pid"])
        except OSError as error:
            ours.close()
            raise NoSandbox(f"the process that starts the sandboxes is gone: {error}") from None
        except BaseException:
            ours.close()
            raise
        child = Child(self, ours, pid, private)
        self._children.add(child)
        try:
            _require(child.ready(), self.unsafe)
        except (ChildDied, NoSandbox) as error:
            child.kill()
            raise NoSandbox(f"a process for student code could not be made ready: {error}") from None
        return child

    def reaped(self, child: Child) -> int:
        """How `child`, which has ended, ended: a status as `os.waitpid` gives it."""
        self._children.discard(child)
        try:
            self._control.sendall(json.dumps({"reap": child.pid}).encode())
            return int(self._hear(READY_SECONDS)["status"])
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
