"""The processes of a grading run as the system sees them: who is whose child, which is what, who is left.

All of it is read from /proc. A run's processes are found by descent: while `adopting_orphans` holds, one
whose parent was killed becomes a child of this process, so none can get out of sight.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

SET_CHILD_SUBREAPER, GET_CHILD_SUBREAPER = 36, 37

MAIN, TRACKER, FORKSERVER, WORKER = "main", "tracker", "forkserver", "worker"
#: A zygote's parent stands for it outside of its process namespace; the workers' zygotes are forked from
#: a first one, or started by a worker for itself when that one is gone.
ZYGOTES_PARENT, FIRST_ZYGOTE, ZYGOTE, CHILD = "zygote's parent", "first zygote", "zygote", "child"
OTHER = "other"
KINDS = (MAIN, TRACKER, FORKSERVER, WORKER, ZYGOTES_PARENT, FIRST_ZYGOTE, ZYGOTE, CHILD)

#: What a process of the sandbox calls itself.
_NAMES = {"zygote-parent": ZYGOTES_PARENT, "zygote": ZYGOTE, "student": CHILD}
#: What is in the command line of multiprocessing's own.
_COMMANDS = {"multiprocessing.resource_tracker": TRACKER, "multiprocessing.forkserver": FORKSERVER}


@dataclass(frozen=True)
class Process:
    """One process. `started` is in clock ticks since the system started: with the id it names a process
    for good."""

    pid: int
    parent: int
    started: int
    state: str
    name: str

    @property
    def is_alive(self) -> bool:
        return self.state not in "ZX"

    @property
    def command(self) -> str:
        """Empty where it has ended."""
        try:
            return Path(f"/proc/{self.pid}/cmdline").read_text(errors="replace").replace("\0", " ")
        except OSError:
            return ""


Table = dict[int, Process]


@contextlib.contextmanager
def adopting_orphans() -> Iterator[None]:
    """Become the parent of every descendant whose own parent ends."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = ctypes.c_int()
    if libc.prctl(GET_CHILD_SUBREAPER, ctypes.byref(before), 0, 0, 0) or libc.prctl(
        SET_CHILD_SUBREAPER, 1, 0, 0, 0
    ):
        raise OSError(ctypes.get_errno(), "prctl refused to make this process adopt orphans")
    try:
        yield
    finally:
        libc.prctl(SET_CHILD_SUBREAPER, before.value, 0, 0, 0)


def table() -> Table:
    """Every process that can be seen now."""
    found = (_read(int(name)) for name in os.listdir("/proc") if name.isdigit())
    return {process.pid: process for process in found if process is not None}


def _read(pid: int) -> Process | None:
    """None for a process that is gone by now."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        name, _, rest = told.partition("(")[2].rpartition(")")
        fields = rest.split()
        return Process(pid, int(fields[1]), int(fields[19]), fields[0], name)
    except (OSError, IndexError):
        return None


def offspring(pid: int, processes: Table) -> Table:
    """`pid`'s children, their children, and so on."""
    children: dict[int, list[Process]] = {}
    for process in processes.values():
        children.setdefault(process.parent, []).append(process)
    found: Table = {}
    todo = list(children.get(pid, ()))
    while todo:
        process = todo.pop()
        found[process.pid] = process
        todo += children.get(process.pid, ())
    return found


def kind_of(process: Process, processes: Table, main: int) -> str:
    """What part `process` plays in the run whose first process is `main`. The workers are forked from the
    fork server and look like it, as the zygotes look like the one that they share: their parents tell."""
    if process.pid == main:
        return MAIN
    kind = _NAMES.get(process.name) or _kind_by_command(process.command)
    if kind == ZYGOTE:
        parent = processes.get(process.parent)
        return ZYGOTE if parent and parent.name == process.name else FIRST_ZYGOTE
    if kind == FORKSERVER:
        return FORKSERVER if process.parent == main else WORKER
    return kind


def _kind_by_command(command: str) -> str:
    return next((kind for mark, kind in _COMMANDS.items() if mark in command), OTHER)


@dataclass(frozen=True)
class Family:
    """All that descends from this process and was not there `before`: one run, of which `main` is the
    first process, and what it left behind."""

    main: int
    before: frozenset[int]

    @classmethod
    def beginning_with(cls, main: int) -> Family:
        there = set(offspring(os.getpid(), table()))
        return cls(main, frozenset(there - set(offspring(main, table())) - {main}))

    def alive(self) -> list[tuple[str, Process]]:
        """Each process of the run that is alive, with its kind, oldest first."""
        processes = table()
        found = offspring(os.getpid(), processes)
        ours = [one for one in found.values() if one.pid not in self.before and one.is_alive]
        return [
            (kind_of(one, processes, self.main), one) for one in sorted(ours, key=lambda one: one.started)
        ]

    def of_kind(self, kind: str) -> list[Process]:
        return [process for found, process in self.alive() if found == kind]

    def left(self, seconds: float) -> list[tuple[str, Process]]:
        """Who is still there after the run has ended and had `seconds` to clear up."""
        wait_until(lambda: not self._reaped_and_alive(), seconds)
        return self._reaped_and_alive()

    def end(self) -> None:
        """Kill whoever is left."""
        for _, process in self.alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        wait_until(lambda: not self._reaped_and_alive(), 30)

    def _reaped_and_alive(self) -> list[tuple[str, Process]]:
        """Orphans that have ended are this process's to bury; `main` belongs to who started it."""
        for process in table().values():
            adopted = process.parent == os.getpid() and process.pid not in self.before | {self.main}
            if adopted and not process.is_alive:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(process.pid, 0)
        return self.alive()


def wait_until(holds: Callable[[], object], seconds: float, interval: float = 0.02) -> bool:
    """Whether `holds` came true within `seconds`."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(interval)
    return True
