"""Run a command on a kernel that refuses some system calls, as an old one or an unprivileged container does.

python tests/lesser_kernel.py container|no-landlock|no-seccomp COMMAND...
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import shlex
import struct
import sys
from pathlib import Path

LOAD, EQUAL, ANY_BIT, RETURN = 0x20, 0x15, 0x45, 0x06
ALLOW, FAIL = 0x7FFF0000, 0x00050000
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, FILTER = 38, 22, 2
NEW_NAMESPACE = 0x7E020000

#: Numbers of the calls, x86-64 and 64-bit ARM.
NUMBERS = {
    "x86_64": {
        "unshare": 272,
        "setns": 308,
        "mount": 165,
        "pivot_root": 155,
        "clone": 56,
        "seccomp": 317,
        "prctl": 157,
    },
    "aarch64": {
        "unshare": 97,
        "setns": 268,
        "mount": 40,
        "pivot_root": 41,
        "clone": 220,
        "seccomp": 277,
        "prctl": 167,
    },
}[platform.machine()]

Code = list[tuple[int, int, int, int]]


def refuse(number: int, error: int) -> Code:
    return [(EQUAL, 0, 1, number), (RETURN, 0, 0, FAIL | error)]


def refuse_where(number: int, argument: int, test: tuple[int, int], error: int) -> Code:
    """Refuse a call whose argument meets `test`: (EQUAL, value) or (ANY_BIT, bits)."""
    inner: Code = [(LOAD, 0, 0, 16 + 8 * argument), (test[0], 0, 1, test[1]), (RETURN, 0, 0, FAIL | error)]
    return [(EQUAL, 0, len(inner) + 1, number), *inner, (RETURN, 0, 0, ALLOW)]


def container() -> Code:
    """No namespaces: what the default profile of a container without privileges leaves."""
    names = ("unshare", "setns", "mount", "pivot_root")
    plain = [rule for name in names for rule in refuse(NUMBERS[name], errno.EPERM)]
    return [*plain, *refuse_where(NUMBERS["clone"], 0, (ANY_BIT, NEW_NAMESPACE), errno.EPERM)]


def no_landlock() -> Code:
    return [rule for number in (444, 445, 446) for rule in refuse(number, errno.ENOSYS)]


def no_seccomp() -> Code:
    """No further filters can be put up under this one."""
    filters = refuse_where(NUMBERS["prctl"], 0, (EQUAL, PR_SET_SECCOMP), errno.EINVAL)
    return [*refuse(NUMBERS["seccomp"], errno.ENOSYS), *filters]


KERNELS = {"container": container, "no-landlock": no_landlock, "no-seccomp": no_seccomp}


def install(rules: Code) -> None:
    code = [(LOAD, 0, 0, 0), *rules, (RETURN, 0, 0, ALLOW)]
    packed = b"".join(struct.pack("<HBBI", *instruction) for instruction in code)
    buffer = ctypes.create_string_buffer(packed, len(packed))
    program = struct.pack("HxxxxxxP", len(code), ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, FILTER, program, 0, 0):
        raise OSError(ctypes.get_errno(), "the filter was refused")


def interpreter(kernel: str, folder: Path) -> str:
    """A program in `folder` that is this Python on such a kernel: what is put in the place of
    `sys.executable` is started there, the rest of this process is not."""
    program = folder / f"python-on-{kernel}"
    start = shlex.join([sys.executable, __file__, kernel, sys.executable])
    program.write_text(f'#!/bin/sh\nexec {start} "$@"\n')
    program.chmod(0o755)
    return str(program)


if __name__ == "__main__":
    install(KERNELS[sys.argv[1]]())
    os.execvp(sys.argv[2], sys.argv[2:])
