"""Grade a class folder once, in a process of its own, and print how long it took and how much memory.

python scripts/bench_ours.py FOLDER --workers 2 --executor local

Used by bench.py. The clock runs from the start of the workers to the last verdict; nbgrader is imported
before, as it is when bench.py measures stock nbgrader.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from autograder import lean  # noqa: F401 - before whatever imports nbformat
from autograder.classroom.grade import grade
from autograder.classroom.local_workers import LocalWorkers
from autograder.classroom.progress import Progress
from autograder.classroom.workers import Workers
from autograder.course import Course

REPOSITORY = Path(__file__).resolve().parents[1]
SECONDS_BETWEEN_LOOKS = 0.5


def main() -> None:
    import nbgrader.api  # noqa: F401

    from autograder.classroom import gradebook  # noqa: F401

    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--executor", choices=("local", "dask"), default="local")
    options = parser.parse_args()
    course = Course(options.folder.resolve(), REPOSITORY)
    with peak_memory() as peaks:
        started = time.perf_counter()
        (run,) = grade(
            course, workers=options.workers, make_workers=_workers(options.executor), make_progress=_Quiet
        )
        seconds = time.perf_counter() - started
    if run.troubled:
        raise SystemExit(f"honest submissions were in trouble: {run.troubled}")
    told = {
        "submissions": run.graded,
        "workers": options.workers,
        "executor": options.executor,
        "seconds": seconds / run.graded,
        **{f"{name}_mib": round(kib / 1024) for name, kib in peaks.items()},
    }
    print(json.dumps(told))


def _workers(executor: str) -> Callable[[int | None], Workers]:
    if executor == "local":
        return LocalWorkers
    from autograder.classroom.cluster import DaskWorkers

    return DaskWorkers


@contextmanager
def peak_memory() -> Iterator[dict[str, int]]:
    """The peak resident KiB of this process, and of the largest that it started, itself or through others."""
    peaks = {"main": 0, "largest_other": 0}
    over = threading.Event()

    def look() -> None:
        own = Path("/proc/self").resolve().name
        while not over.wait(SECONDS_BETWEEN_LOOKS):
            below = _descendants(int(own))
            peaks["main"] = _peak(int(own))
            peaks["largest_other"] = max([peaks["largest_other"], *map(_peak, below)])

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield peaks
    finally:
        over.set()
        watcher.join()


def _descendants(root: int) -> list[int]:
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, rest = entry.read_text().split(" ", 1)
        except OSError:
            continue
        parents[int(pid)] = int(rest.rpartition(")")[2].split()[1])
    found: list[int] = []
    waiting = [root]
    while waiting:
        above = waiting.pop()
        below = [pid for pid, parent in parents.items() if parent == above]
        found += below
        waiting += below
    return found


def _peak(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


class _Quiet(Progress):
    def _show(self, now: float) -> None:
        """The benchmark prints JSON and nothing else."""


if __name__ == "__main__":
    main()
