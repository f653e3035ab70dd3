"""nbgrader's gradebook: the one way in which grades get into it.

`nbgrader autograde`, the formgrader's button and `autograder grade` all record through `Book.enter`, in
one transaction for each submission, in nbgrader's own tables.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from pathlib import Path

import nbformat
from nbgrader.api import SubmittedNotebook
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import AssignLatePenalties
from nbgrader.utils import parse_utc
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session
from traitlets import TraitError
from traitlets.config import Config

from autograder.classroom import recording, registering, schema
from autograder.classroom.database import Database, is_missing
from autograder.classroom.dump import canonical_dump as canonical_dump
from autograder.classroom.recording import Entry, Layout
from autograder.classroom.results import Result
from autograder.classroom.settings import CONFIG_FILE, nbgrader_config
from autograder.course import Course
from autograder.library import UserError

#: A longer timestamp.txt holds no time.
MAX_TIMESTAMP_CHARACTERS = 100


class Book:
    """An open gradebook, made where there is none. Use it as a context manager: it holds a connection.

    Whatever its database refuses is raised as UserError, and nothing of that step is written then.
    """

    def __init__(self, directory: CourseDirectory, config: Config):
        self._course_id = directory.course_id
        self._late = _late_policy(config)
        self._layouts: dict[str, Layout] = {}
        self._database = Database(directory.db_url)
        try:
            schema.prepare(self._database)
        except BaseException:
            self._database.close()
            raise

    def __enter__(self) -> Book:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def waiting(self, lesson: str) -> set[tuple[str, str]]:
        """The student and cell of every grade of `lesson` that a person has yet to give."""
        return self._database.read(lambda connection: recording.waiting(connection, lesson))

    def recorded_students(self, lesson: str) -> set[str]:
        """The students who have a submission of `lesson` in the gradebook."""
        return self._database.read(lambda connection: recording.recorded_students(connection, lesson))

    def register(self, released: Path) -> None:
        """Put a released lesson's assignment, notebook and cells into the gradebook, as
        `nbgrader generate_assignment` does; the same again changes nothing.

        Raises UserError when cells came or went and submissions were already recorded.
        """
        lesson, notebook = released.stem, nbformat.read(released, as_version=4)
        if self._database.read(lambda connection: registering.is_registered(connection, lesson, notebook)):
            return
        self._layouts.pop(lesson, None)
        self._database.write_alone(
            lambda connection: registering.register(connection, self._course_id, lesson, notebook)
        )

    def enter(self, result: Result, timestamp: datetime | None) -> None:
        """Record one submission in one transaction, whatever became of it; what a person entered stays.

        One that has no grade is there, and every score waits for a person.
        """
        entry = Entry(result.student, result.scores, frozenset(result.unanswered), timestamp)
        layout = self._layout(result.lesson)
        penalty = None if result.notebook is None else self._penalty
        self._database.write(lambda connection: recording.record(connection, layout, entry, penalty))

    def reckon_penalties(self, lesson: str, students: Collection[str]) -> list[str]:
        """Reckon anew what being late costs `students`, whose work is not graded again; gives back those for
        whom that changed. (nbgrader reckons when it grades, and so forgets points that a person gives later.)
        """
        layout = self._layout(lesson)

        def reckon(student: str) -> bool:
            return self._database.write(
                lambda connection: recording.reckon_again(connection, layout, student, self._penalty)
            )

        late = self._database.read(lambda connection: recording.costly(connection, lesson))
        return [student for student in sorted(late & set(students)) if reckon(student)]

    def _layout(self, lesson: str) -> Layout:
        """The lesson's rows, read once: asking for them again is most of what a record would cost."""
        if lesson not in self._layouts:
            self._layouts[lesson] = self._database.read(
                lambda connection: recording.layout(connection, lesson)
            )
        return self._layouts[lesson]

    def _penalty(self, connection: Connection, notebook_row: str, seconds_late: float) -> float | None:
        """The course's late policy: nbgrader's AssignLatePenalties with the plugin that is configured."""
        with Session(connection) as session:
            notebook = session.get_one(SubmittedNotebook, notebook_row)
            penalty = self._late.plugin_inst.late_submission_penalty(
                notebook.student.id, notebook.score, seconds_late
            )
            return None if penalty is None else self._late._check_late_penalty(notebook, penalty)


def _late_policy(config: Config) -> AssignLatePenalties:
    """nbgrader's step with the course's plugin. Raises UserError where the settings are wrong."""
    try:
        late = AssignLatePenalties(config=config)
        late.init_plugin()
    except (TraitError, ImportError) as error:
        raise UserError(f"{CONFIG_FILE}: the late policy can't be used: {error}") from error
    return late


def open_book(course: Course) -> Book:
    """The gradebook of a class, where its nbgrader settings say it is."""
    config = nbgrader_config(course)
    return Book(CourseDirectory(config=config), config)


def is_begun(course: Course) -> bool:
    """Whether there is a gradebook to look at; a server may have one."""
    return not is_missing(CourseDirectory(config=nbgrader_config(course)).db_url)


def submitted_at(folder: Path) -> datetime | None:
    """The time in a submission's timestamp.txt in UTC, as nbgrader reads it; None where there is none."""
    path = folder / "timestamp.txt"
    try:
        if path.is_symlink() or not path.is_file():
            return None
        with path.open(encoding="utf-8") as file:
            text = file.read(MAX_TIMESTAMP_CHARACTERS + 1).strip()
        found: datetime | None = parse_utc(text) if 0 < len(text) <= MAX_TIMESTAMP_CHARACTERS else None
    except (ValueError, OverflowError, OSError):
        return None
    return found
