"""The walls around student code: what a process gives up, for good, before it runs any of it.

Base tier, needed everywhere: limits, privileges, Landlock, seccomp. On top, where the kernel lets
an unprivileged process have them: namespaces. Only the standard library and ctypes are used; nothing
is installed, and no step needs root.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import signal
import socket
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from autograder.sandbox import landlock, seccomp
from autograder.sandbox.kernel import LIBC, check, prctl

T = TypeVar("T")

LIMITS, PRIVILEGES, LANDLOCK, SECCOMP = "limits", "privileges", "landlock", "seccomp"
NAMESPACES, PROCESSES = "namespaces", "process-namespace"
BASE = (LIMITS, PRIVILEGES, LANDLOCK, SECCOMP)

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP = 1, 4, 24
_PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 38, 47, 4
_CAPABILITY_VERSION_3 = 0x20080522
_NEWNS, _NEWUTS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET = 1 << 17, 1 << 26, 1 << 27, 1 << 28, 1 << 29, 1 << 30
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REC, _MS_PRIVATE = 2, 4, 8, 1 << 14, 1 << 18

OPEN_FILES = 64
FILE_BYTES = 32 << 20
FOLDER_BYTES = 128 << 20
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


def isolate(walls: Walls) -> list[Layer]:
    """Give up everything that student code does not need; the base tier, in this process, for good.

    A layer that the kernel refuses is reported, and the others are still put up.
    """
    return [
        _attempt(LIMITS, lambda: _limit_resources(walls)),
        _attempt(PRIVILEGES, _drop_privileges),
        _attempt(LANDLOCK, lambda: _confine_files(walls), landlock.why_not),
        _attempt(SECCOMP, lambda: _filter_calls(walls)),
    ]


def _attempt(name: str, wall: Callable[[], str], why_not: Callable[[OSError], str] = str) -> Layer:
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


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends."""
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _confine_files(walls: Walls) -> str:
    version = _given(walls.files).restrict([walls.private])
    parts = ["files"] + ["TCP"] * (version >= 4) + ["signals and abstract sockets"] * (version >= 6)
    return f"ABI {version}: {', '.join(parts)}"


def _filter_calls(walls: Walls) -> str:
    seccomp.install(_given(walls.calls))
    return "an allowlist of system calls: no sockets, no processes beyond threads, no tracing"


def enter_namespaces() -> Layer:
    """Leave the system's users, network, IPC and host name for empty ones. For the zygote, once.

    May leave a process half way when the kernel refuses: try in a throwaway process first (`probe`).
    """
    user, group = os.geteuid(), os.getegid()

    def enter() -> str:
        check(LIBC.unshare(_NEWUSER | _NEWNET | _NEWIPC | _NEWUTS), "unshare")
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{user} {user} 1"),
            ("gid_map", f"{group} {group} 1"),
        ):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
        return "own users, network, IPC and host name"

    return _attempt(NAMESPACES, enter, _why_no_namespaces)


def enter_process_namespace(private: str) -> Layer:
    """Have this process's next child be the first of a process namespace of its own, and give `private`
    a file system of its own, of limited size. Needs `enter_namespaces` before."""

    def enter() -> str:
        check(LIBC.unshare(_NEWPID | _NEWNS), "unshare")
        _mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None)
        options = f"size={FOLDER_BYTES},nr_inodes=4096,mode=0700".encode()
        flags = _MS_NOSUID | _MS_NODEV | _MS_NOEXEC
        _mount(b"tmpfs", os.fsencode(private), b"tmpfs", flags, options)
        return "own processes and mounts, a private folder of limited size"

    return _attempt(PROCESSES, enter, _why_no_namespaces)


def _why_no_namespaces(error: OSError) -> str:
    return (
        f"{error.strerror}: the kernel or the container lets no unprivileged process have them "
        "(sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, "
        "kernel.apparmor_restrict_unprivileged_userns; the container's seccomp profile)"
    )


def _mount(source: bytes, target: bytes, kind: bytes | None, flags: int, options: bytes | None) -> None:
    check(LIBC.mount(source, target, kind, ctypes.c_ulong(flags), options), "mount")


def in_throwaway(work: Callable[[], Any]) -> Any:
    """What `work` returns (as JSON) when a child does it that ends right after."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, json.dumps(work()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as answer:
        said = answer.read()
    os.waitpid(child, 0)
    return json.loads(said) if said else None


def probe(namespaces: bool = True) -> list[Layer]:
    """Which layers hold here, tried out in a throwaway process."""
    with tempfile.TemporaryDirectory(prefix="sandbox-probe-") as private:
        found = in_throwaway(lambda: [asdict(layer) for layer in _all_layers(private, namespaces)])
    if found is None:
        return [Layer(name, False, "the process that tried it out died") for name in BASE]
    return [Layer(**layer) for layer in found]


def _all_layers(private: str, namespaces: bool) -> list[Layer]:
    above = [Layer(name, False, "switched off") for name in (NAMESPACES, PROCESSES)]
    if namespaces:
        above = [enter_namespaces(), Layer(PROCESSES, False, "needs the namespaces above")]
        if above[0].in_force:
            above[1] = enter_process_namespace(private)
    walls = prepare((), 1 << 30, 60)(private)
    base = in_throwaway(lambda: [asdict(layer) for layer in _verified(isolate(walls))])
    return [*(Layer(**layer) for layer in base or ()), *above]


def _verified(layers: Sequence[Layer]) -> list[Layer]:
    """`layers`, less those that let through what they should stop."""
    leaks = {LANDLOCK: _can_list_root(), SECCOMP: _can_open_socket()}
    return [
        Layer(layer.name, False, "the kernel accepted it, yet it does not hold")
        if layer.in_force and leaks.get(layer.name)
        else layer
        for layer in layers
    ]


def _can_list_root() -> bool:
    try:
        return bool(os.listdir("/"))
    except OSError:
        return False


def _can_open_socket() -> bool:
    try:
        socket.socket(socket.AF_UNIX).close()
    except OSError:
        return False
    return True


def missing(layers: Sequence[Layer]) -> list[Layer]:
    """The layers of the base tier that are not in force."""
    found = {layer.name: layer for layer in layers}
    gone = [found.get(name, Layer(name, False, "not tried")) for name in BASE]
    return [layer for layer in gone if not layer.in_force]


if __name__ == "__main__":
    print(json.dumps([asdict(layer) for layer in probe()]))
