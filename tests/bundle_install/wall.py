"""Goes into the new user's environment as sitecustomize: nothing in the private repository can be opened."""

import os
import sys

_PRIVATE = os.environ.get("PRIVATE_REPOSITORY")


def _look(event, arguments):
    if event in ("open", "os.listdir", "os.scandir") and isinstance(arguments[0], str | bytes | os.PathLike):
        path = os.path.realpath(os.fsdecode(arguments[0]))
        if path == _PRIVATE or path.startswith(f"{_PRIVATE}{os.sep}"):
            raise PermissionError(f"{path} is in the private repository")


if _PRIVATE:
    sys.addaudithook(_look)
