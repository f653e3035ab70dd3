"""nbgrader's gradebook, and the only code that writes grades into it.

`nbgrader autograde`, the formgrader's button and `autograder grade` all record through `Book.record`,
in one session and one transaction for each submission, with nbgrader's own tables.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import nbformat
import nbgrader.api
from alembic.script import ScriptDirectory
from nbformat import NotebookNode
from nbgrader.api import (
    Assignment,
    BaseCell,
    Comment,
    Grade,
    Gradebook,
    MissingEntry,
    Notebook,
    SourceCell,
    Student,
    SubmittedAssignment,
    SubmittedNotebook,
)
from nbgrader.coursedir import CourseDirectory
from nbgrader.dbutil import ALEMBIC_DIR
from nbgrader.preprocessors import AssignLatePenalties, SaveCells
from nbgrader.utils import parse_utc
from traitlets.config import Config

from autograder.classroom.results import Result
from autograder.classroom.settings import nbgrader_config
from autograder.course import Course
from autograder.judging.restore import grade_id
from autograder.library import UserError

NO_RESPONSE = "No response."
#: A longer timestamp.txt holds no time.
MAX_TIMESTAMP_CHARACTERS = 100

Scores = Mapping[str, float | None]


def _schema_version() -> str:
    return str(ScriptDirectory(ALEMBIC_DIR).get_current_head())


# For a new gradebook nbgrader starts `alembic` as a program: two seconds, and it must be on the PATH.
nbgrader.api.get_alembic_version = _schema_version


@dataclass(frozen=True)
class NotebookLayout:
    """The row ids of a notebook, of its graded cells, and of those that are commented on."""

    notebook: str
    graded: tuple[str, ...]
    commented: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """The row ids of a lesson, and the grade id of each cell row."""

    assignment: str
    notebooks: tuple[NotebookLayout, ...]
    names: dict[str, str]


class Book:
    """An open gradebook. Use it as a context manager: nbgrader holds a connection until it is closed."""

    def __init__(self, directory: CourseDirectory, config: Config):
        self._directory = directory
        self._gradebook = Gradebook(directory.db_url, directory.course_id)
        self._penalties = AssignLatePenalties(config=config)
        self._penalties.init_plugin()
        self._layouts: dict[str, Layout] = {}

    def __enter__(self) -> Book:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._gradebook.close()

    def has_lesson(self, lesson: str) -> bool:
        """Whether the gradebook knows the assignment and its notebook."""
        try:
            self._gradebook.find_notebook(lesson, lesson)
        except MissingEntry:
            return False
        return True

    def waiting(self, lesson: str) -> set[tuple[str, str]]:
        """The student and cell of every grade of `lesson` that a person has yet to give."""
        query = self._gradebook.db.query(Grade).filter(Grade.needs_manual_grade).all()
        return {
            (grade.notebook.student.id, grade.cell.name)
            for grade in query
            if grade.notebook.notebook.name == lesson
        }

    def recorded_students(self, lesson: str) -> set[str]:
        """The students who have a submission of `lesson` in the gradebook."""
        query = self._gradebook.db.query(SubmittedAssignment.student_id).join(Assignment)
        return {student for (student,) in query.filter(Assignment.name == lesson)}

    def register(self, released: Path) -> None:
        """Put a released lesson's assignment, notebook and cells into the gradebook, as
        `nbgrader generate_assignment` does; the same again changes nothing.

        Raises UserError when the cells changed and submissions were already recorded.
        """
        lesson = released.stem
        notebook = nbformat.read(released, as_version=4)
        if self._is_registered(lesson, notebook):
            return
        resources = {"nbgrader": {"notebook": lesson, "assignment": lesson, "db_url": self._directory.db_url}}
        self._gradebook.update_or_create_assignment(lesson)
        try:
            SaveCells().preprocess(notebook, resources)
        except RuntimeError as error:
            raise UserError(
                f"{lesson}: cells were added or removed since submissions were recorded. Build the notebook "
                "that the class was given, or grade this class in a folder of its own (--course DIR)"
            ) from error
        finally:
            self._gradebook.db.expire_all()
            self._layouts.clear()

    def _is_registered(self, lesson: str, released: NotebookNode) -> bool:
        """Whether the gradebook holds just these cells; a checksum covers source, points and kind."""
        if not self.has_lesson(lesson):
            return False
        known = {
            cell.name: cell.checksum for cell in self._gradebook.find_notebook(lesson, lesson).source_cells
        }
        return known == {
            cell.metadata.nbgrader["grade_id"]: cell.metadata.nbgrader["checksum"]
            for cell in released.cells
            if grade_id(cell)
        }

    def enter(self, result: Result, timestamp: datetime | None) -> None:
        """Record a result, whatever became of the submission."""
        if result.notebook is None:
            self.record_open(result.student, result.lesson, timestamp)
        else:
            self.record(result.student, result.lesson, result.scores, result.unanswered, timestamp)

    def record(
        self, student: str, lesson: str, scores: Scores, unanswered: Iterable[str], timestamp: datetime | None
    ) -> None:
        """Record one graded submission in one transaction; manual scores and comments stay.

        `scores` holds the auto score of every cell that the grader decides, None where a person must.
        `unanswered` names the solution cells that are as they were released: written answers among
        them score 0, and all get nbgrader's "No response.".
        """
        blank = set(unanswered)
        with self._transaction():
            submission = self._submission(student, lesson, timestamp)
            names = self._layout(lesson).names
            for notebook in submission.notebooks:
                for grade in notebook.grades:
                    name = names[grade.cell_id]
                    score = scores.get(name)
                    _set_score(grade, 0.0 if score is None and name in blank else score)
                for comment in notebook.comments:
                    comment.auto_comment = NO_RESPONSE if names[comment.cell_id] in blank else None
            self._assign_penalties(submission)

    def record_open(self, student: str, lesson: str, timestamp: datetime | None) -> None:
        """Record a submission that could not be graded: it is there, every score waits for a person."""
        with self._transaction():
            submission = self._submission(student, lesson, timestamp)
            for notebook in submission.notebooks:
                for grade in notebook.grades:
                    _set_score(grade, None)
                for comment in notebook.comments:
                    comment.auto_comment = None
                notebook.late_submission_penalty = None

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            yield
            self._gradebook.db.commit()
        except BaseException:
            self._gradebook.db.rollback()
            raise

    def _submission(self, student: str, lesson: str, timestamp: datetime | None) -> SubmittedAssignment:
        """The student's submission, made like `Gradebook.add_submission` does, which would commit at once."""
        session = self._gradebook.db
        layout = self._layout(lesson)
        if session.get(Student, student) is None:
            session.add(Student(id=student))
        made = (
            session.query(SubmittedAssignment)
            .filter_by(student_id=student, assignment_id=layout.assignment)
            .one_or_none()
        )
        if made is None:
            made = SubmittedAssignment(assignment_id=layout.assignment, student_id=student)
            for notebook in layout.notebooks:
                _add_notebook(made, notebook)
            session.add(made)
        if timestamp is not None:
            made.timestamp = timestamp
        session.flush()
        return made

    def _layout(self, lesson: str) -> Layout:
        """The lesson's rows by id, read once: asking for them again is most of what a record would cost."""
        if lesson not in self._layouts:
            assignment = self._gradebook.find_assignment(lesson)
            notebooks = tuple(
                NotebookLayout(
                    notebook.id,
                    tuple(cell.id for cell in [*notebook.grade_cells, *notebook.task_cells]),
                    tuple(cell.id for cell in [*notebook.solution_cells, *notebook.task_cells]),
                )
                for notebook in assignment.notebooks
            )
            names = {cell.id: cell.name for notebook in assignment.notebooks for cell in _cells(notebook)}
            self._layouts[lesson] = Layout(assignment.id, notebooks, names)
        return self._layouts[lesson]

    def _assign_penalties(self, submission: SubmittedAssignment) -> None:
        """The course's late policy: nbgrader's AssignLatePenalties with the plugin that is configured."""
        session = self._gradebook.db
        session.flush()
        for notebook in submission.notebooks:
            notebook.late_submission_penalty = None
            if submission.total_seconds_late > 0:
                session.refresh(notebook, ["score"])
                penalty = self._penalties.plugin_inst.late_submission_penalty(
                    submission.student.id, notebook.score, submission.total_seconds_late
                )
                if penalty is not None:
                    notebook.late_submission_penalty = self._penalties._check_late_penalty(notebook, penalty)


def open_book(course: Course) -> Book:
    """The gradebook of a class, where its nbgrader settings say it is."""
    config = nbgrader_config(course)
    return Book(CourseDirectory(config=config), config)


def submitted_at(folder: Path) -> datetime | None:
    """The time in a submission's timestamp.txt in UTC, as nbgrader reads it; None where there is none."""
    path = folder / "timestamp.txt"
    if path.is_symlink() or not path.is_file():
        return None
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(MAX_TIMESTAMP_CHARACTERS + 1).strip()
        found: datetime | None = parse_utc(text) if 0 < len(text) <= MAX_TIMESTAMP_CHARACTERS else None
    except (ValueError, OverflowError, OSError):
        return None
    return found


def canonical_dump(db_url: str) -> str:
    """Everything a gradebook says, one JSON list a line, in order, without row ids: two gradebooks
    with the same dump hold the same grades, however and in whatever order they came about."""
    with Gradebook(db_url) as gradebook:
        rows = [row for model, describe in _DESCRIPTIONS for row in map(describe, gradebook.db.query(model))]
    return "".join(sorted(json.dumps(row, default=str) + "\n" for row in rows))


def _cells(notebook: Notebook) -> list[BaseCell]:
    return [*notebook.grade_cells, *notebook.solution_cells, *notebook.task_cells]


def _add_notebook(submission: SubmittedAssignment, layout: NotebookLayout) -> None:
    handed_in = SubmittedNotebook(notebook_id=layout.notebook, assignment=submission)
    for cell in layout.graded:
        Grade(cell_id=cell, notebook=handed_in)
    for cell in layout.commented:
        Comment(cell_id=cell, notebook=handed_in)


def _set_score(grade: Grade, score: float | None) -> None:
    """nbgrader's rule: a person looks again where they scored before, or where there is no score."""
    grade.auto_score = score
    grade.needs_manual_grade = grade.manual_score is not None or score is None


def _where(notebook: SubmittedNotebook) -> list[str]:
    return [notebook.assignment.student.id, notebook.assignment.assignment.name, notebook.notebook.name]


_DESCRIPTIONS: tuple[tuple[type[Any], Callable[[Any], list[Any]]], ...] = (
    (Assignment, lambda row: ["assignment", row.name, row.course_id, row.duedate]),
    (Notebook, lambda row: ["notebook", row.assignment.name, row.name, row.kernelspec]),
    (
        BaseCell,
        lambda row: [
            "cell",
            row.notebook.name,
            row.type,
            row.name,
            getattr(row, "max_score", None),
            getattr(row, "cell_type", None),
        ],
    ),
    (
        SourceCell,
        lambda row: [
            "source",
            row.notebook.name,
            row.name,
            row.cell_type,
            row.locked,
            row.checksum,
            row.source,
        ],
    ),
    (Student, lambda row: ["student", row.id, row.first_name, row.last_name, row.email]),
    (
        SubmittedAssignment,
        lambda row: ["submission", row.student.id, row.assignment.name, row.timestamp, row.extension],
    ),
    (
        SubmittedNotebook,
        lambda row: ["submitted notebook", *_where(row), row.flagged, row.late_submission_penalty],
    ),
    (
        Grade,
        lambda row: [
            "grade",
            *_where(row.notebook),
            row.cell.name,
            row.auto_score,
            row.manual_score,
            row.extra_credit,
            row.needs_manual_grade,
        ],
    ),
    (
        Comment,
        lambda row: ["comment", *_where(row.notebook), row.cell.name, row.auto_comment, row.manual_comment],
    ),
)
