"""Landlock by raw system calls: which files, ports, signals and sockets a process can reach."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntFlag

from autograder.sandbox.kernel import syscall

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


def abi() -> int:
    """The kernel's version of Landlock. Raises OSError where there is none (ENOSYS) or where it is
    switched off (EOPNOTSUPP)."""
    return syscall(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint(_VERSION))


def why_not(error: OSError) -> str:
    """What an instructor can do about a kernel without Landlock."""
    if error.errno == errno.EOPNOTSUPP:
        return "the kernel has Landlock, switched off: add landlock to lsm= on its command line"
    if error.errno == errno.ENOSYS:
        return "no Landlock: needs Linux 5.13 or later, and a container that lets its calls through"
    return f"the kernel refused: {error.strerror}"


@dataclass(frozen=True)
class Rules:
    """Files and folders that were opened ahead, with the rights on what is beneath them: many processes
    confine themselves to the same ones. Paths that do not exist are passed over."""

    version: int
    opened: tuple[tuple[int, int], ...]

    @classmethod
    def open(cls, readable: Iterable[str], devices: Iterable[str]) -> Rules:
        """Reading beneath `readable`, reading and writing `devices`. Raises OSError without Landlock."""
        version = abi()
        wanted = [(path, READ) for path in readable] + [(path, READ | Files.WRITE_FILE) for path in devices]
        return cls(version, tuple(_open(wanted, version)))

    def restrict(self, writable: Iterable[str]) -> int:
        """Confine this process, for good, to these files, and to writing beneath `writable` as well; no
        TCP, no signals out. Closes the files.

        Needs no_new_privs or CAP_SYS_ADMIN. Returns the ABI used; raises OSError when the kernel refuses.
        """
        ruleset = _ruleset(self.version)
        try:
            for beneath, rights in [*self.opened, *_open([(path, WRITE) for path in writable], self.version)]:
                rule = struct.pack("<Qi", rights, beneath)
                syscall(ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(_PATH_BENEATH), rule, ctypes.c_uint(0))
                os.close(beneath)
            syscall(RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint(0))
        finally:
            os.close(ruleset)
        return self.version


def _handled(version: int) -> int:
    return (1 << HANDLED[min(version, max(HANDLED))]) - 1


def _ruleset(version: int) -> int:
    attributes = struct.pack("<Q", _handled(version))
    if version >= 4:
        attributes += struct.pack("<Q", _TCP)
    if version >= 6:
        attributes += struct.pack("<Q", _SCOPES)
    return syscall(CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint(0))


def _open(wanted: Iterable[tuple[str, Files]], version: int) -> Iterator[tuple[int, int]]:
    for path, rights in wanted:
        try:
            beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue
        kept = int(rights) & _handled(version)
        yield beneath, kept if stat.S_ISDIR(os.fstat(beneath).st_mode) else kept & int(_OF_A_FILE)
