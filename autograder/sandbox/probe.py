"""Which layers of the sandbox hold on this machine: each is tried out in a process that ends right after."""

from __future__ import annotations

import errno
import json
import os
import socket
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from autograder.sandbox import namespaces
from autograder.sandbox.isolation import (
    BASE,
    LANDLOCK,
    NAMESPACES,
    PROCESSES,
    SECCOMP,
    Layer,
    attempt,
    isolate,
    prepare,
)


def probe(wanted: bool = True) -> list[Layer]:
    """Every layer, in force or not; `wanted=False` leaves the namespaces out."""
    with tempfile.TemporaryDirectory(prefix="sandbox-probe-") as private:
        found = in_throwaway(lambda: [asdict(layer) for layer in _all_layers(private, wanted)])
    if found is None:
        return [Layer(name, False, "the process that tried it out died") for name in BASE]
    return [Layer(**layer) for layer in found]


def in_throwaway(work: Callable[[], Any]) -> Any:
    """What `work` returns (as JSON) when a child does it that ends right after; None when that dies."""
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


def _all_layers(private: str, wanted: bool) -> list[Layer]:
    above = _namespaces(private) if wanted else [_off(NAMESPACES), _off(PROCESSES)]
    walls = prepare((), 1 << 30, 60)(private)
    base = in_throwaway(lambda: [asdict(layer) for layer in _verified(isolate(walls))])
    return [*(Layer(**layer) for layer in base or ()), *above]


def _off(name: str) -> Layer:
    return Layer(name, False, "switched off")


def _namespaces(private: str) -> list[Layer]:
    """Enter the namespaces, and let a child try for processes of its own."""
    entered = attempt(NAMESPACES, _enter, _why_not)
    if not entered.in_force:
        return [entered, Layer(PROCESSES, False, "needs the namespaces above")]
    return [entered, attempt(PROCESSES, lambda: _try_processes(private), _why_not)]


def _enter() -> str:
    namespaces.enter()
    return "own users, network, IPC and host name"


def _try_processes(private: str) -> str:
    """Raises OSError where children can't have process namespaces and mounts of their own, one after
    another."""
    failed = in_throwaway(lambda: _errno_of(lambda: _first_process(private)))
    if failed != 0:
        raise OSError(failed or errno.EPERM, os.strerror(failed or errno.EPERM))
    return "own processes and mounts, a private folder of limited size"


def _first_process(private: str) -> None:
    namespaces.become_first_process()
    processes = namespaces.Processes()
    for _ in range(2):
        with processes.next_child_alone():
            failed = in_throwaway(lambda: _errno_of(lambda: namespaces.own_mounts(private)))
        if failed != 0:
            raise OSError(failed or errno.EPERM, "no mounts")


def _errno_of(work: Callable[[], None]) -> int:
    try:
        work()
    except OSError as error:
        return error.errno or errno.EPERM
    return 0


def _why_not(error: OSError) -> str:
    return (
        f"{error.strerror}: the kernel or the container lets no unprivileged process have them "
        "(sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, "
        "kernel.apparmor_restrict_unprivileged_userns; the container's seccomp profile)"
    )


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


if __name__ == "__main__":
    print(json.dumps([asdict(layer) for layer in probe()]))
