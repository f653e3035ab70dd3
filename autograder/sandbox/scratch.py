"""Temporary folders that are gone when nobody uses them any more, even where a run was killed.

A folder is in use as long as somebody holds a lock on it, which the kernel takes away with the process.
Whoever makes a new one clears away those that nobody holds. Trusted side.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import uuid
from pathlib import Path

PREFIX = "autograder-"
_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


class Scratch:
    """A private folder. `lock` is the descriptor that keeps it: a process that inherits it keeps it too."""

    def __init__(self) -> None:
        sweep()
        while True:
            self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
            try:
                self.lock = os.open(self.path, _OPEN)
            except FileNotFoundError:
                continue  # cleared away before it was locked, by another who began
            fcntl.flock(self.lock, fcntl.LOCK_EX)
            if self.path.exists():
                return
            os.close(self.lock)

    def remove(self) -> None:
        remove(self.path)
        os.close(self.lock)


def sweep() -> None:
    """Clear away the folders of this user that nobody holds."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            found = os.open(path, _OPEN)
        except OSError:
            continue
        try:
            if os.fstat(found).st_uid == os.geteuid():
                fcntl.flock(found, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove(path)
        except BlockingIOError:
            continue
        finally:
            os.close(found)


def remove(folder: Path) -> None:
    """Take a folder away with all that is in it: folders that student code has closed, and a nest of them
    that is deeper than a path is long. What can't be taken away stays."""
    waiting = [folder]
    while waiting:
        place = waiting.pop()
        with contextlib.suppress(OSError):
            os.chmod(place, 0o700)
            inside = list(os.scandir(place))
            for entry in inside:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(_lifted(entry.path, folder))
                else:
                    os.unlink(entry.path)
            if place != folder:
                os.rmdir(place)
    with contextlib.suppress(OSError):
        os.rmdir(folder)


def _lifted(path: str, folder: Path) -> Path:
    """The folder at `path`, moved to right below `folder`."""
    os.chmod(path, 0o700)
    lifted = folder / f".gone-{uuid.uuid4().hex}"
    os.rename(path, lifted)
    return lifted
