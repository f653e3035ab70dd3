"""The walls around student code: what a process gives up, for good, before it runs any of it.

This is the base tier, needed everywhere: limits, privileges, Landlock, seccomp. On top come namespaces
(`namespaces`), where the kernel lets an unprivileged process have them. Only the standard library and
ctypes are used; nothing is installed, and no step needs root.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import sys
import sysconfig
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from autograder.sandbox import landlock, seccomp
from autograder.sandbox.kernel import LIBC, check, die_with_parent, prctl

T = TypeVar("T")

LIMITS, PRIVILEGES, LANDLOCK, SECCOMP = "limits", "privileges", "landlock", "seccomp"
NAMESPACES, PROCESSES = "namespaces", "process-namespace"
BASE = (LIMITS, PRIVILEGES, LANDLOCK, SECCOMP)

_PR_SET_DUMPABLE, _PR_CAPBSET_DROP = 4, 24
_PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 38, 47, 4
_CAPABILITY_VERSION_3 = 0x20080522

OPEN_FILES = 64
FILE_BYTES = 32 << 20
THREADS = 256

#: What Python, NumPy and matplotlib read outside their own folders.
_SYSTEM_FILES = (
    "/lib",
    "/lib32",
    "/lib64",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/local/lib",
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "/usr/share/zoneinfo",
    "/usr/share/locale",
    "/usr/share/mime",
    "/usr/share/matplotlib",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/mime.types",
    "/dev/zero",
    "/dev/urandom",
    "/dev/random",
)


@dataclass(frozen=True)
class Layer:
    """One layer of the sandbox: whether it is in force here, and why or what would raise it."""

    name: str
    in_force: bool
    why: str


@dataclass(frozen=True)
class Walls:
    """What one child may use: one folder to write, bytes of memory, CPU seconds; and what is the same for
    all children and was made ahead: the files to read and the filter of calls, or why there is none."""

    private: str
    memory_bytes: int
    cpu_seconds: int
    files: landlock.Rules | OSError
    calls: bytes | OSError


def prepare(readable: Iterable[str], memory_bytes: int, cpu_seconds: int) -> Callable[[str], Walls]:
    """Make ahead what many processes need to isolate themselves: gives the walls of one that may write
    beneath a private folder."""
    import resource  # noqa: F401 - imported here, once, for all children; there is none outside of Unix

    paths = [*_SYSTEM_FILES, *system_folders(), *readable]
    files = _or_error(lambda: landlock.Rules.open(paths, ["/dev/null"]))
    calls = _or_error(seccomp.packed)
    return lambda private: Walls(private, memory_bytes, cpu_seconds, files, calls)


def _or_error(make: Callable[[], T]) -> T | OSError:
    try:
        return make()
    except OSError as error:
        return error


def _given(made: T | OSError) -> T:
    if isinstance(made, OSError):
        raise made
    return made


def system_folders() -> tuple[str, ...]:
    """Where this Python's own code and data lie: the library folders of its prefixes, never a whole prefix
    (an environment often sits in a folder of the person's, or of the course)."""
    prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
    inside = {os.path.join(prefix, part) for prefix in prefixes for part in ("lib", "lib64", "share/fonts")}
    listed = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    return tuple(sorted({os.path.realpath(path) for path in inside | listed if os.path.isdir(path)}))


def shown_with(path: str) -> str | None:
    """The folder of the system's or of this Python's that `path` lies in, which every child can read; None
    when it lies in none."""
    real = os.path.realpath(path)
    shown = map(os.path.realpath, (*_SYSTEM_FILES, *system_folders()))
    return next((folder for folder in shown if os.path.commonpath([folder, real]) == folder), None)


def isolate(walls: Walls) -> list[Layer]:
    """Give up everything that student code does not need; the base tier, in this process, for good.

    A layer that the kernel refuses is reported, and the others are still put up.
    """
    return [
        attempt(LIMITS, lambda: _limit_resources(walls)),
        attempt(PRIVILEGES, _drop_privileges),
        attempt(LANDLOCK, lambda: _confine_files(walls), landlock.why_not),
        attempt(SECCOMP, lambda: _filter_calls(walls)),
    ]


def attempt(name: str, wall: Callable[[], str], why_not: Callable[[OSError], str] = str) -> Layer:
    try:
        return Layer(name, True, wall())
    except OSError as error:
        return Layer(name, False, why_not(error))


def _limit_resources(walls: Walls) -> str:
    import resource

    in_use = _address_space()
    wanted = {
        resource.RLIMIT_AS: in_use + walls.memory_bytes,
        resource.RLIMIT_CPU: walls.cpu_seconds,
        resource.RLIMIT_NOFILE: OPEN_FILES,
        resource.RLIMIT_FSIZE: FILE_BYTES,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
    }
    if _in_own_user_namespace():
        wanted[resource.RLIMIT_NPROC] = THREADS  # elsewhere it counts every process of the person's
    for what, amount in wanted.items():
        hard = resource.getrlimit(what)[1]
        least = amount if hard == resource.RLIM_INFINITY else min(amount, hard)
        soft = max(least - 1, 0) if what == resource.RLIMIT_CPU else least  # SIGXCPU names the reason first
        resource.setrlimit(what, (soft, least))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    return "memory, CPU time, open files, file size, no core dumps"


def _address_space() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def _in_own_user_namespace() -> bool:
    try:
        with open("/proc/self/uid_map") as uid_map:
            return uid_map.read().split()[2] != "4294967295"
    except OSError:
        return False


def _drop_privileges() -> str:
    """No new privileges, no capabilities, no way for a process of the same user to look inside.

    In this order: a change of capabilities resets the two settings after it.
    """
    prctl(_PR_SET_NO_NEW_PRIVS, 1)
    for capability in range(64):
        try:
            prctl(_PR_CAPBSET_DROP, capability)
        except OSError:
            break  # EINVAL: beyond the last one; EPERM: no privileges to drop
    try:
        prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    check(LIBC.capset(header, nothing), "capset")
    prctl(_PR_SET_DUMPABLE, 0)
    die_with_parent()
    return "no capabilities, no new privileges, dies with the grader"


def _confine_files(walls: Walls) -> str:
    version = _given(walls.files).restrict([walls.private])
    parts = ["files"] + ["TCP"] * (version >= 4) + ["signals and abstract sockets"] * (version >= 6)
    return f"ABI {version}: {', '.join(parts)}"


def _filter_calls(walls: Walls) -> str:
    seccomp.install(_given(walls.calls))
    return "an allowlist of system calls: no sockets, no processes beyond threads, no tracing"


def missing(layers: Sequence[Layer]) -> list[Layer]:
    """The layers of the base tier that are not in force."""
    found = {layer.name: layer for layer in layers}
    gone = [found.get(name, Layer(name, False, "not tried")) for name in BASE]
    return [layer for layer in gone if not layer.in_force]
