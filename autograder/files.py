"""Writing files so that a reader never finds half of one, and so that whoever asked learns why not."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from autograder.library import UserError
from autograder.wording import printable

#: Begins the names of files that are being written; nbgrader's patterns do not see names with a dot.
WRITING = ".writing"
#: What to do about what the system says.
REMEDIES = {
    errno.ENOSPC: "make room on that disk",
    errno.EDQUOT: "make room: your quota on that disk is used up",
    errno.EROFS: "that disk is mounted read-only: mount it for writing, or work in another folder",
    errno.EACCES: "make it and its folder writable for you",
    errno.EPERM: "make it and its folder writable for you",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f)",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
    errno.ENFILE: "close other programs",
    errno.ENOTDIR: "a file is in the way: move it away",
    errno.EEXIST: "something else is in the way: move it away",
    errno.EISDIR: "a folder is in the way: move it away",
    errno.ENOTEMPTY: "something else is in the way: move it away",
    errno.EXDEV: "it is on another disk than the class's folder: put both on one",
    errno.EIO: "the disk fails: look after it",
    errno.ESTALE: "the disk is on another machine that went away: mount it again",
}


class CantWrite(UserError):
    """A file or folder that could not be written or read: which, why, and what to do."""

    def __init__(self, path: Path | str, error: OSError, what: str = "written"):
        remedy = REMEDIES.get(error.errno or 0)
        told = f"{printable(str(path))} can't be {what}: {error.strerror or type(error).__name__}"
        super().__init__(f"{told}; {remedy}, then run the same command again" if remedy else told)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """What fails in here fails for `path`, as CantWrite."""
    try:
        yield
    except OSError as error:
        raise CantWrite(path, error) from error


def write_whole(path: Path, text: str) -> None:
    """Write `text` to `path`, making its folder where it is missing: a reader finds the old file or the
    new one, and when anything goes wrong the old one stays.

    Raises CantWrite where the system refuses.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=WRITING)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
