"""A job on its way to a worker that shares no disk with the class, and what becomes of it there.

The worker has the same packages installed. Everything else travels: the lesson's exercises, its released
notebook, the class's secret. There they are in files only while a grader is being opened.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import pickle
import socket
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from autograder.classroom import worker
from autograder.classroom.engine import installed
from autograder.classroom.results import Result
from autograder.classroom.worker import Job
from autograder.course import Course
from autograder.library import UserError, exercise_files
from autograder.sandbox.scratch import Scratch

#: Where a course lies that is in no folder.
NOWHERE = Path("/not/on/this/machine")
#: Digits of a digest: enough to tell two installations apart, few enough to read.
DIGITS = 12


@dataclass(frozen=True)
class PackedCourse(Course):
    """As much of a course as the grading of one lesson needs, in memory: `files` pairs a path below the
    course's folder with compressed bytes."""

    files: tuple[tuple[str, bytes], ...] = ()

    @contextmanager
    def on_disk(self) -> Iterator[Course]:
        """The course in a private folder, which is gone afterwards, even where this process is killed; with
        the student library that is installed here."""
        scratch = Scratch()
        home = scratch.path
        try:
            for name, content in self.files:
                _write_private(home / name, zlib.decompress(content))
            (home / self.student_library).symlink_to(folder_of(self.student_library) or NOWHERE)
            yield Course(home, home, self.student_library)
        finally:
            scratch.remove()


def pack(course: Course, lesson: str) -> PackedCourse:
    """What grading `lesson` reads of `course`. Raises UserError when it is not there."""
    released = course.home / f"notebooks/{lesson}/{lesson}.ipynb"
    read = [*exercise_files(course.solutions, lesson), released]
    files = {
        f"solutions/lessons/{lesson}.md": b"",  # its name alone says that there is such a lesson
        **{path.relative_to(course.home).as_posix(): _read(path) for path in read},
        ".course_secret": course.secret().hex().encode(),
    }
    packed = tuple((name, zlib.compress(content)) for name, content in files.items())
    return PackedCourse(NOWHERE, NOWHERE, course.student_library, packed)


@dataclass(frozen=True)
class Parcel:
    """A job as it travels. What the worker reads first is plain data: one that has other code installed
    can still say what differs."""

    library: str
    expected: dict[str, str]
    job: bytes

    @classmethod
    def of(cls, job: Job) -> Parcel:
        """`job` with its course packed, and what must be installed where it is done. Raises UserError
        when something of the course is not there."""
        library = job.course.student_library
        packed = replace(job, course=pack(job.course, job.lesson))
        return cls(library, installed(library, job.course.library_dir), pickle.dumps(packed))

    @property
    def arguments(self) -> tuple[str, dict[str, str], bytes]:
        """What `open_here` and `grade_here` start with."""
        return self.library, self.expected, self.job


# --- on the worker ---------------------------------------------------------------------------------------


def open_here(library: str, expected: Mapping[str, str], job: bytes) -> None:
    """Open the grader of a job. Raises UserError, with this worker's name, where that can't be."""
    with _named():
        _require_fit(library, expected)
        worker.open_grader(pickle.loads(job))


def grade_here(library: str, expected: Mapping[str, str], job: bytes, tasks: bytes) -> list[Result]:
    """Grade a batch of tasks. Changes nothing, so it can be done again. Raises UserError, with this
    worker's name, where nothing at all can be graded."""
    with _named():
        _require_fit(library, expected)
        return worker.grade_batch(pickle.loads(job), pickle.loads(tasks))


@contextmanager
def _named() -> Iterator[None]:
    """Say on which worker it was that nothing could be graded. What is none of dask's own failures is a
    UserError, so that the other side can tell them apart."""
    try:
        yield
    except Exception as error:
        from distributed import get_worker

        what = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        raise UserError(f"worker {get_worker().address} on {socket.gethostname()}: {what}") from error


def _require_fit(library: str, expected: Mapping[str, str]) -> None:
    """Raises UserError where this process would grade otherwise than the one that sent the job, or might
    grade two submissions at once with one grader."""
    from distributed import get_worker

    differing = differences(expected, _installed_here(library))
    if differing:
        raise UserError(
            f"what is installed there is not what grading started with ({'; '.join(differing)}): "
            "install the same on both sides, and start the workers anew"
        )
    threads = get_worker().state.nthreads
    if threads != 1:
        raise UserError(
            f"it has {threads} threads, and a process grades one submission at a time: "
            f"start it with --nthreads 1, and with --nworkers {threads} to use as many cores"
        )


@functools.cache
def _installed_here(library: str) -> dict[str, str]:
    return installed(library, folder_of(library))


def folder_of(package: str) -> Path | None:
    """Where a package is installed, if it is."""
    spec = importlib.util.find_spec(package)
    return None if spec is None or spec.origin is None else Path(spec.origin).parent


def differences(here: Mapping[str, str], there: Mapping[str, str]) -> list[str]:
    """What is `installed` otherwise where grading started than on a worker, each with both sides."""
    return [
        f"{name} is {here.get(name, 'missing')[:DIGITS]} where grading started, {what[:DIGITS]} there"
        for name, what in there.items()
        if here.get(name) != what
    ]


# --- files -----------------------------------------------------------------------------------------------


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} can't be read ({error.strerror}): grading needs it") from error


def _write_private(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
