"""The C library, for what Python's own modules leave out of the kernel's interface."""

from __future__ import annotations

import ctypes
import os
import signal
from typing import Any

LIBC = ctypes.CDLL(None, use_errno=True)

_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15


def check(result: int, what: str) -> int:
    """`result`. Raises OSError, naming `what` was called, where it says that the call failed."""
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")
    return result


def syscall(number: int, *arguments: Any) -> int:
    """A system call that libc has no name for. Raises OSError with the kernel's own words."""
    result = int(LIBC.syscall(ctypes.c_long(number), *arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def prctl(option: int, value: int) -> None:
    """`prctl` with one argument. Raises OSError."""
    numbers = [ctypes.c_ulong(number) for number in (value, 0, 0, 0)]
    check(LIBC.prctl(ctypes.c_int(option), *numbers), f"prctl {option}")


def call_process(name: str) -> None:
    """Give this process a name for `ps` and `top`; at most 15 letters."""
    LIBC.prctl(ctypes.c_int(_PR_SET_NAME), name.encode(), 0, 0, 0)


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends."""
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
