"""What a dask worker is asked to do, by name. The scheduler reads these names too, and must not stand
still meanwhile: this module imports nothing but what a worker needs when it is called."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autograder.classroom.results import Result


def open_grader(library: str, expected: Mapping[str, str], job: bytes) -> None:
    """See `parcel.open_here`."""
    from autograder.classroom import parcel

    parcel.open_here(library, expected, job)


def grade(library: str, expected: Mapping[str, str], job: bytes, tasks: bytes) -> list[Result]:
    """See `parcel.grade_here`."""
    from autograder.classroom import parcel

    return parcel.grade_here(library, expected, job, tasks)


def leave() -> None:
    """Close the grader: nothing of a class stays on a worker that goes on without it."""
    from autograder.classroom import worker

    worker.close_grader()


def dask_setup(_: Any) -> None:
    """Dask calls this when a worker of our own cluster starts: Ctrl-C is for the main process alone."""
    signal.signal(signal.SIGINT, lambda *_: None)
