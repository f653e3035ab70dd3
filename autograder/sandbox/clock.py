"""How long a student's process has run, and how it ended. Trusted side."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

_LONGEST_WAIT = 0.25


def cpu_seconds(pid: int) -> float:
    """CPU time that process `pid`, all its threads together, has used; 0 when it is gone."""
    try:
        return time.clock_gettime((~pid << 3) | 2)  # the kernel's clock of another process
    except OSError:
        return 0.0


class OutOfTime(Exception):
    """A limit was reached; the message says which."""


class Clock:
    """CPU time of a child since a request began, and wall time behind it; `watch` is called a few
    times a second meanwhile.

    Most requests are answered at once: the clocks are first read when one is not, a moment that counts
    for nothing.
    """

    def __init__(
        self,
        pid: int,
        seconds: float,
        wall: float | None = None,
        watch: Callable[[], None] = lambda: None,
    ) -> None:
        self.watch = watch
        self.pid = pid
        self.seconds = seconds
        self.wall = 2 * seconds + 5 if wall is None else wall
        self._start: tuple[float, float] | None = None

    def wait_for(self, channel: socket.socket, writing: bool = False) -> None:
        """Until `channel` is ready. Raises OutOfTime when a limit comes first."""
        poll = select.poll()
        poll.register(channel, select.POLLOUT if writing else select.POLLIN)
        while not poll.poll(max(self._patience() * 1000, 1)):
            self.watch()

    def require_time(self) -> None:
        """Raise OutOfTime when a limit has been reached: for a request of many messages."""
        self._patience()

    def _patience(self) -> float:
        """Seconds to wait before the clocks are read again."""
        if self._start is None:
            self._start = cpu_seconds(self.pid), time.monotonic()
            return min(_LONGEST_WAIT, self.seconds, self.wall)
        cpu, wall = self._start
        cpu_left = self.seconds - (cpu_seconds(self.pid) - cpu)
        if cpu_left <= 0:
            raise OutOfTime(f"ran longer than {self.seconds:g} s")
        wall_left = self.wall - (time.monotonic() - wall)
        if wall_left <= 0:
            raise OutOfTime(f"waited longer than {self.wall:g} s for something that did not come")
        return min(cpu_left, wall_left, _LONGEST_WAIT)


def pid_of(process: int) -> int:
    """The id, as seen from here, of the process that a descriptor stands for."""
    about = Path(f"/proc/self/fdinfo/{process}").read_text()
    return int(next(line.split()[1] for line in about.splitlines() if line.startswith("Pid:")))


def threads_of(pid: int) -> int:
    """How many threads process `pid` has; 0 when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[17])
    except OSError:
        return 0


def is_fuller(folder: Path, limit: int, most_files: int = 4096) -> bool:
    """Whether what is beneath `folder` takes more than `limit` bytes, or is more than `most_files` files
    and folders, or can't be told: in a folder that is closed, or deeper than a path can say."""
    size = files = 0
    waiting = [str(folder)]
    while waiting:
        try:
            inside = list(os.scandir(waiting.pop()))
        except OSError as error:
            if error.errno in (errno.ENAMETOOLONG, errno.EACCES):
                return True
            continue
        files += len(inside)
        for entry in inside:
            with contextlib.suppress(OSError):
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                size += entry.stat(follow_symlinks=False).st_blocks * 512
        if size > limit or files > most_files:
            return True
    return False


def is_over(process: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(process, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def how_it_ended(status: int) -> str:
    """In words that a student can act on."""
    if os.WIFEXITED(status):
        return (
            f"the process ended with exit code {os.WEXITSTATUS(status)} (os._exit, or code that ends Python)"
        )
    match os.WTERMSIG(status):
        case signal.SIGKILL:
            return "the process was killed (by itself, or by the system for want of memory)"
        case signal.SIGSEGV | signal.SIGBUS:
            return "the process crashed (endless recursion, or memory used up)"
        case signal.SIGABRT:
            return "the process aborted (a library gave up, most often for want of memory)"
        case signal.SIGXCPU:
            return "the process used up the CPU time of a whole submission"
        case number:
            return f"the process was ended by signal {number}"
