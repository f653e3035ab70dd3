"""`autograder grade --preview`: a run that grades what `grade` would grade, and records in a copy.

The class's gradebook is copied into a scratch file. Results are entered there as a run enters them, late
penalties among them, and what the copy says then is compared with what it said before. The class's own
folder and gradebook are only read.
"""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nbgrader.coursedir import CourseDirectory

from autograder.classroom import records
from autograder.classroom.changes import Change, Judgement, LessonPreview, judgement
from autograder.classroom.database import Database, is_missing
from autograder.classroom.grade import enter, grade, lock_file
from autograder.classroom.gradebook import Book
from autograder.classroom.moving import move
from autograder.classroom.results import Result
from autograder.classroom.schema import recorded_version
from autograder.classroom.settings import nbgrader_config
from autograder.classroom.standings import Standing, standings
from autograder.classroom.submissions import Submission
from autograder.classroom.summary import LessonRun
from autograder.course import Course
from autograder.library import UserError


def preview(course: Course, lessons: Sequence[str] = (), **options: Any) -> list[LessonPreview]:
    """What `grade` with the same arguments would change, by lesson; nothing is written.

    Raises UserError as `grade` does, and where nothing was graded yet, so that there is no secret.
    """
    if not course.secret_file.is_file():
        raise UserError(
            f"{course.root} has no .course_secret, so nothing was graded there yet: a preview compares a "
            "run with an earlier one. Run `autograder grade`, or restore the secret from your backup"
        )
    with tempfile.TemporaryDirectory() as folder:
        rehearsal = Rehearsal(course, Path(folder))
        runs = grade(course, lessons, recorder=rehearsal, **options)
        return [rehearsal.preview(run) for run in runs]


class Rehearsal:
    """Takes the results of a run into a copy of the gradebook that lies in `folder`."""

    def __init__(self, course: Course, folder: Path):
        self._course = course
        self._before, self._after = folder / "before.db", folder / "after.db"
        self._was: dict[tuple[str, str], Judgement] = {}
        self._now: dict[tuple[str, str], Judgement] = {}

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Raises UserError while a run writes what would be compared."""
        path = lock_file(self._course)
        if not path.is_file():
            yield
            return
        with path.open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UserError(
                    f"a run is grading {self._course.root}: wait for it, then look at what is left"
                ) from error
            yield

    @contextmanager
    def book(self) -> Iterator[Book]:
        config = nbgrader_config(self._course)
        directory = CourseDirectory(config=config)
        if not self._after.exists():
            self._copy(directory)
        directory.db_url = f"sqlite:///{self._after}"
        with Book(directory, config) as book:
            yield book

    def record(self, book: Book, submission: Submission, result: Result, digest: str) -> None:
        key = (submission.lesson, submission.student)
        old = records.read_verdict(records.verdict_path(self._course, *key))
        self._was[key], self._now[key] = judgement(old), judgement(result.verdict)
        enter(book, submission, result)

    def preview(self, run: LessonRun) -> LessonPreview:
        """What `run` came to, once it is over."""
        before, after = (_standings(path, run.lesson) for path in (self._before, self._after))
        touched = {student for lesson, student in self._now if lesson == run.lesson} | set(run.repriced)
        changes = tuple(
            self._change(run.lesson, student, before.get(student), after[student])
            for student in sorted(touched & set(after))
        )
        return LessonPreview(run.lesson, run, changes)

    def _change(self, lesson: str, student: str, before: Standing | None, after: Standing) -> Change:
        key = (lesson, student)
        return Change(student, before, after, self._was.get(key, {}), self._now.get(key, {}))

    def _copy(self, directory: CourseDirectory) -> None:
        """Copy the class's gradebook, or make one with nothing in it where the class has none."""
        url, copy = directory.db_url, f"sqlite:///{self._before}"
        if _is_begun(url):
            move(url, copy)
        else:
            directory.db_url = copy
            with Book(directory, directory.config):
                pass
        shutil.copyfile(self._before, self._after)


def _is_begun(url: str) -> bool:
    if is_missing(url):
        return False
    database = Database(url)
    try:
        return database.read(recorded_version) is not None
    finally:
        database.close()


def _standings(path: Path, lesson: str) -> dict[str, Standing]:
    database = Database(f"sqlite:///{path}")
    try:
        return database.read(lambda connection: standings(connection, lesson))
    finally:
        database.close()
