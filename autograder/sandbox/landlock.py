"""Landlock by raw system calls: which files, ports, signals and sockets a process can reach."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
from collections.abc import Iterable
from enum import IntFlag

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
_VERSION = 1
_PATH_BENEATH = 1


class Files(IntFlag):
    """The kernel's rights on files; each came with an ABI (see `HANDLED`)."""

    EXECUTE = 1 << 0
    WRITE_FILE = 1 << 1
    READ_FILE = 1 << 2
    READ_DIR = 1 << 3
    REMOVE_DIR = 1 << 4
    REMOVE_FILE = 1 << 5
    MAKE_CHAR = 1 << 6
    MAKE_DIR = 1 << 7
    MAKE_REG = 1 << 8
    MAKE_SOCK = 1 << 9
    MAKE_FIFO = 1 << 10
    MAKE_BLOCK = 1 << 11
    MAKE_SYM = 1 << 12
    REFER = 1 << 13
    TRUNCATE = 1 << 14
    IOCTL_DEV = 1 << 15


#: Number of rights on files by ABI; a later ABI than the last has at least as many.
HANDLED = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_TCP = 0b11  # bind, connect: from ABI 4
_SCOPES = 0b11  # abstract unix sockets, signals: from ABI 6

READ = Files.READ_FILE | Files.READ_DIR
WRITE = (
    READ
    | Files.WRITE_FILE
    | Files.REMOVE_DIR
    | Files.REMOVE_FILE
    | Files.MAKE_DIR
    | Files.MAKE_REG
    | Files.MAKE_SYM
    | Files.REFER
    | Files.TRUNCATE
)
_OF_A_FILE = Files.EXECUTE | Files.WRITE_FILE | Files.READ_FILE | Files.TRUNCATE | Files.IOCTL_DEV


def _call(number: int, *arguments: object) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    result = int(libc.syscall(number, *arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def abi() -> int:
    """The kernel's version of Landlock. Raises OSError where there is none (ENOSYS) or where it is
    switched off (EOPNOTSUPP)."""
    return _call(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint(_VERSION))


def why_not(error: OSError) -> str:
    """What an instructor can do about a kernel without Landlock."""
    if error.errno == errno.EOPNOTSUPP:
        return "the kernel has Landlock, switched off: add landlock to lsm= on its command line"
    if error.errno == errno.ENOSYS:
        return "no Landlock: needs Linux 5.13 or later, and a container that lets its calls through"
    return f"the kernel refused: {error.strerror}"


def restrict(readable: Iterable[str], writable: Iterable[str], devices: Iterable[str]) -> int:
    """Confine this process, for good, to reading beneath `readable`, writing beneath `writable` as
    well, and reading and writing `devices`; no TCP, no signals out. Paths that do not exist are passed over.

    Needs no_new_privs or CAP_SYS_ADMIN. Returns the ABI used; raises OSError when the kernel refuses.
    """
    version = abi()
    handled = (1 << HANDLED[min(version, max(HANDLED))]) - 1
    ruleset = _ruleset(version, handled)
    try:
        for paths, rights in ((readable, READ), (writable, WRITE), (devices, READ | Files.WRITE_FILE)):
            for path in paths:
                _allow(ruleset, path, int(rights) & handled)
        _call(RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint(0))
    finally:
        os.close(ruleset)
    return version


def _ruleset(version: int, handled: int) -> int:
    attributes = struct.pack("<Q", handled)
    if version >= 4:
        attributes += struct.pack("<Q", _TCP)
    if version >= 6:
        attributes += struct.pack("<Q", _SCOPES)
    return _call(CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint(0))


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(beneath).st_mode):
            rights &= int(_OF_A_FILE)
        rule = struct.pack("<Qi", rights, beneath)
        _call(ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(_PATH_BENEATH), rule, ctypes.c_uint(0))
    finally:
        os.close(beneath)
