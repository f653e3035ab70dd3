"""Writing files so that a reader never finds half of one."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

#: Begins the names of files that are being written; nbgrader's patterns do not see names with a dot.
WRITING = ".writing"


def write_whole(path: Path, text: str) -> None:
    """Write `text` to `path`, making its folder where it is missing: a reader finds the old file or the
    new one, and when anything goes wrong the old one stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=WRITING)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
