"""Namespaces: users, network, IPC, host name, processes and mounts of a process's own, where the kernel lets
an unprivileged process have them.

A zygote takes the first four once, and becomes the first process of a namespace of its own; each child is
then the first process of a further one below it, so that what a child leaves dies with it, and has users
of its own as well, so that its threads are counted alone.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from autograder.sandbox.kernel import LIBC, call_process, check, die_with_parent

_NEWNS, _NEWUTS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET = 1 << 17, 1 << 26, 1 << 27, 1 << 28, 1 << 29, 1 << 30
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REC, _MS_PRIVATE = 2, 4, 8, 1 << 14, 1 << 18

#: What a child's private folder can hold.
FOLDER_BYTES = 128 << 20
FOLDER_FILES = 4096


def enter() -> None:
    """Leave the system's users, network, IPC and host name for empty ones. Raises OSError.

    May leave a process half way when the kernel refuses: try in a throwaway process first.
    """
    _leave_users(_NEWNET | _NEWIPC | _NEWUTS)


def _leave_users(others: int) -> None:
    """Go into a user namespace of one's own, and into those of the kinds `others`, as the same user."""
    user, group = os.geteuid(), os.getegid()
    check(LIBC.unshare(_NEWUSER | others), "unshare")
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def become_first_process() -> None:
    """Go on as the first process of a process namespace of one's own, in a fork; what was this process
    waits for it, ends as it ends, and takes it along when it is killed. Needs `enter`. Raises OSError."""
    check(LIBC.unshare(_NEWPID), "unshare")
    first = os.fork()
    if first:
        _stand_for(first)
    die_with_parent()


def _stand_for(process: int) -> NoReturn:
    call_process("zygote-parent")
    os.closerange(0, os.sysconf("SC_OPEN_MAX"))
    status = os.waitpid(process, 0)[1]
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


class Processes:
    """The process namespace that this process, its first, is in; its children can have further ones."""

    def __init__(self) -> None:
        self._home = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)

    @contextmanager
    def next_child_alone(self) -> Iterator[None]:
        """The child that is forked in this block is the first of a process namespace of its own. Raises
        OSError."""
        check(LIBC.unshare(_NEWPID), "unshare")
        try:
            yield
        finally:
            check(LIBC.setns(self._home, _NEWPID), "setns")


def own_mounts(private: str) -> None:
    """Give `private` a file system of its own, of limited size, which nobody else sees; in a user namespace
    of its own, in which the kernel counts this process's threads alone. Raises OSError."""
    _leave_users(_NEWNS)
    _mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None)
    options = f"size={FOLDER_BYTES},nr_inodes={FOLDER_FILES},mode=0700".encode()
    _mount(b"tmpfs", os.fsencode(private), b"tmpfs", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC, options)


def _mount(source: bytes, target: bytes, kind: bytes | None, flags: int, options: bytes | None) -> None:
    check(LIBC.mount(source, target, kind, ctypes.c_ulong(flags), options), "mount")
