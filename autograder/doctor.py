"""What `autograder doctor` says: which walls hold student code on this machine, why, and what an instructor
can do about those that are missing."""

from __future__ import annotations

import os
import platform
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from autograder.sandbox.isolation import (
    BASE,
    LANDLOCK,
    LIMITS,
    NAMESPACES,
    PRIVILEGES,
    PROCESSES,
    SECCOMP,
    Layer,
    missing,
)
from autograder.wording import one_line

WIDTH = 100
NEEDS_NAMESPACES = "needs the namespaces"
_COLUMN = 30
#: Settings that keep namespaces from unprivileged processes: the value that does, and what to do about it.
_SETTINGS = (
    ("user/max_user_namespaces", "0", "as root: sysctl user.max_user_namespaces=15000"),
    ("kernel/unprivileged_userns_clone", "0", "as root: sysctl kernel.unprivileged_userns_clone=1"),
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "as root: sysctl kernel.apparmor_restrict_unprivileged_userns=0, or give this Python an AppArmor "
        "profile that allows userns",
    ),
)
_FILTERED = (
    "this process is under a seccomp filter already, most likely a container's: start the container with a "
    "profile that allows unshare and mount, or grade outside of it"
)
_ADVICE = {
    LIMITS: "see `ulimit -Ha`: a limit may be fixed from outside; grade from an ordinary session",
    PRIVILEGES: "grade from an ordinary session, or in a container that leaves prctl and capset alone",
    LANDLOCK: (
        "`cat /sys/kernel/security/lsm` should name landlock; in a container the host's kernel counts, and "
        "the container's seccomp profile must allow the three landlock_* calls (those of Docker and Podman "
        "do, from 2022 on)"
    ),
    SECCOMP: (
        "needs a kernel with CONFIG_SECCOMP_FILTER on x86-64 or 64-bit ARM, and a container that lets a "
        "process put up filters of its own"
    ),
    PROCESSES: "a process namespace, or mounting in it, is refused: see the container's profile",
}


def lines(layers: Sequence[Layer], settings: Path = Path("/proc/sys")) -> list[str]:
    """The whole answer, line by line."""
    base = [layer for layer in layers if layer.name not in (NAMESPACES, PROCESSES)]
    above = [layer for layer in layers if layer not in base]
    told = [f"Linux {platform.release()} on {platform.machine()}, as {_account()}", ""]
    told += ["The base tier, which grading needs whole:", *_described(base, settings)]
    if above:
        told += ["", "On top of it, where the kernel gives them:", *_described(above, settings)]
    return [*told, "", *_filled(_outcome(layers))]


def _account() -> str:
    return "root" if os.geteuid() == 0 else f"an ordinary user (number {os.geteuid()})"


def _described(layers: Iterable[Layer], settings: Path) -> Iterator[str]:
    for layer in layers:
        state = "in force" if layer.in_force else "missing"
        head = f"  {state:<9} {layer.name:<18}"
        why = one_line(layer.why if layer.in_force else layer.why.split(" (")[0])
        yield from _filled(f"{head}{why}", hanging=_COLUMN)
        for advice in () if layer.in_force else _advice(layer, settings):
            yield from _filled(f"{'':<{_COLUMN}}-> {advice}", hanging=_COLUMN + 3)


def _advice(layer: Layer, settings: Path) -> list[str]:
    """What would raise a missing layer; for namespaces, as far as this machine's settings tell."""
    if layer.name == PROCESSES and NEEDS_NAMESPACES in layer.why:
        return []
    if layer.name != NAMESPACES:
        return [_ADVICE[layer.name]] if layer.name in _ADVICE else []
    found = [advice for setting, value, advice in _SETTINGS if _read(settings / setting) == value]
    if _is_filtered():
        found.append(_FILTERED)
    return found or ["the kernel may be built without user namespaces, or a security module refuses them"]


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _is_filtered() -> bool:
    return "Seccomp:\t2" in _read(Path("/proc/self/status"))


def _outcome(layers: Sequence[Layer]) -> str:
    gone = [layer.name for layer in missing(layers)]
    if gone:
        return (
            f"Grading is refused here: without {' and '.join(gone)} student code could do what you can. "
            "--unsafe grades all the same, for submissions that you trust as you trust your own code; the "
            "class report then names each of them."
        )
    works = "Grading works here, with every wall up."
    if not all(layer.in_force for layer in layers):
        works = (
            "Grading works here, on the base tier: it holds student code by itself. Namespaces would be a "
            "second wall: processes, network and IPC of its own for each submission, and a folder whose size "
            "the kernel limits."
        )
    if os.geteuid() == 0:
        works += (
            " You are root, and what got past all walls would be root too: grade under an account of its own "
            "that holds nothing but the course."
        )
    return works


def _filled(text: str, hanging: int = 0) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        subsequent_indent=" " * hanging,
        drop_whitespace=True,
        replace_whitespace=False,
        break_long_words=False,
        break_on_hyphens=False,
    )


assert set(_ADVICE) | {NAMESPACES} == {*BASE, NAMESPACES, PROCESSES}
