"""A run's processes, by their ids, and waiting for what becomes of them."""

from __future__ import annotations

from collections.abc import Callable

from soaking import processes


def wait_until(condition: Callable[[], object], seconds: float = 60) -> None:
    assert processes.wait_until(condition, seconds), "waited too long"


def descendants(pid: int) -> set[int]:
    """`pid` itself with its children, their children, and so on."""
    return {pid, *processes.offspring(pid, processes.table())}


def alive(pid: int) -> bool:
    found = processes.table().get(pid)
    return found is not None and found.is_alive
