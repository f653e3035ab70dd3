"""One submission's rows in the gradebook, as nbgrader would have written them.

What is written bears being written twice, and beside another grader: a row is added where it is missing
and changed where it is there and differs. No statement here sets what a person enters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from nbgrader.api import (
    Assignment,
    BaseCell,
    Comment,
    Grade,
    GradeCell,
    Notebook,
    SolutionCell,
    Student,
    SubmittedAssignment,
    SubmittedNotebook,
    TaskCell,
)
from sqlalchemy import Table, bindparam, or_, select, update
from sqlalchemy.engine import Connection, Row

from autograder.classroom.database import insert

NO_RESPONSE = "No response."
ASSIGNMENT, NOTEBOOK, CELL = Assignment.__table__, Notebook.__table__, BaseCell.__table__
STUDENT, SUBMISSION, HANDED_IN = Student.__table__, SubmittedAssignment.__table__, SubmittedNotebook.__table__
GRADE, COMMENT = Grade.__table__, Comment.__table__

FIND_SUBMISSION = (
    select(SUBMISSION.c.id, SUBMISSION.c.timestamp, SUBMISSION.c.extension, ASSIGNMENT.c.duedate)
    .join(ASSIGNMENT, SUBMISSION.c.assignment_id == ASSIGNMENT.c.id)
    .where(
        SUBMISSION.c.student_id == bindparam("student_id"),
        SUBMISSION.c.assignment_id == bindparam("assignment_id"),
    )
    .with_for_update(of=SUBMISSION)
)
FIND_NOTEBOOKS = select(HANDED_IN.c.id, HANDED_IN.c.notebook_id, HANDED_IN.c.late_submission_penalty).where(
    HANDED_IN.c.assignment_id == bindparam("submission")
)
WRITE_TIMESTAMP = (
    update(SUBMISSION).where(SUBMISSION.c.id == bindparam("row")).values(timestamp=bindparam("new"))
)
WRITE_PENALTY = (
    update(HANDED_IN)
    .where(HANDED_IN.c.id == bindparam("row"))
    .values(late_submission_penalty=bindparam("new"))
)

#: The row of a submitted notebook and the seconds it is late → the points that this costs, None for none.
Penalty = Callable[[Connection, str, float], float | None]
#: A cell's notebook, its own row and its grade id.
Place = tuple[str, str, str]


@dataclass(frozen=True)
class Layout:
    """A lesson's rows by id: the assignment, its notebooks, the cells that are graded or commented on."""

    assignment: str
    notebooks: tuple[str, ...]
    graded: tuple[Place, ...]
    commented: tuple[Place, ...]


@dataclass(frozen=True)
class Entry:
    """What the grader says of one submission. `scores` holds the auto score of each cell that it decides,
    None where a person must; `blank` names the solution cells that are as they were released: written
    answers among them score 0, and all get nbgrader's "No response."."""

    student: str
    scores: Mapping[str, float | None]
    blank: frozenset[str]
    timestamp: datetime | None

    def score(self, cell: str) -> float | None:
        found = self.scores.get(cell)
        return 0.0 if found is None and cell in self.blank else found

    def comment(self, cell: str) -> str | None:
        return NO_RESPONSE if cell in self.blank else None


def waiting(connection: Connection, lesson: str) -> set[tuple[str, str]]:
    """The student and cell of every grade of `lesson` that a person has yet to give."""
    query = (
        select(SUBMISSION.c.student_id, CELL.c.name)
        .select_from(GRADE)
        .join(CELL, GRADE.c.cell_id == CELL.c.id)
        .join(HANDED_IN, GRADE.c.notebook_id == HANDED_IN.c.id)
        .join(SUBMISSION, HANDED_IN.c.assignment_id == SUBMISSION.c.id)
        .join(ASSIGNMENT, SUBMISSION.c.assignment_id == ASSIGNMENT.c.id)
        .where(GRADE.c.needs_manual_grade, ASSIGNMENT.c.name == lesson)
    )
    return {(student, cell) for student, cell in connection.execute(query)}


def recorded_students(connection: Connection, lesson: str) -> set[str]:
    """The students who have a submission of `lesson`."""
    query = select(SUBMISSION.c.student_id).join(ASSIGNMENT, SUBMISSION.c.assignment_id == ASSIGNMENT.c.id)
    return set(connection.scalars(query.where(ASSIGNMENT.c.name == lesson)))


def layout(connection: Connection, lesson: str) -> Layout:
    """The rows of a lesson that was registered."""
    assignment = connection.scalars(select(ASSIGNMENT.c.id).where(ASSIGNMENT.c.name == lesson)).one()
    notebooks = connection.scalars(select(NOTEBOOK.c.id).where(NOTEBOOK.c.assignment_id == assignment)).all()
    cells = connection.execute(
        select(CELL.c.type, CELL.c.notebook_id, CELL.c.id, CELL.c.name)
        .where(CELL.c.notebook_id.in_(notebooks))
        .order_by(CELL.c.id)
    ).all()

    def places(*models: type) -> tuple[Place, ...]:
        kinds = {model.__name__ for model in models}
        return tuple((notebook, cell, name) for kind, notebook, cell, name in cells if kind in kinds)

    return Layout(assignment, tuple(notebooks), places(GradeCell, TaskCell), places(SolutionCell, TaskCell))


def record(connection: Connection, lesson: Layout, entry: Entry, penalty: Penalty | None) -> None:
    """Write one submission. With `penalty` None it costs nothing to be late."""
    submission = _submission(connection, lesson, entry)
    notebooks = _notebooks(connection, lesson, submission.id)
    _write_cells(connection, lesson, entry, {name: row.id for name, row in notebooks.items()})
    _write_penalties(connection, submission, list(notebooks.values()), penalty)


def costly(connection: Connection, lesson: str) -> set[str]:
    """The students whose submission of `lesson` is late, or has a late penalty."""
    query = (
        select(SUBMISSION.c.student_id)
        .join(ASSIGNMENT, SUBMISSION.c.assignment_id == ASSIGNMENT.c.id)
        .join(HANDED_IN, HANDED_IN.c.assignment_id == SUBMISSION.c.id)
        .where(
            ASSIGNMENT.c.name == lesson,
            or_(
                HANDED_IN.c.late_submission_penalty.is_not(None),
                SUBMISSION.c.timestamp > ASSIGNMENT.c.duedate,
            ),
        )
    )
    return set(connection.scalars(query))


def reckon_again(connection: Connection, lesson: Layout, student: str, penalty: Penalty) -> bool:
    """Write what being late costs `student` as things stand now: points that a person gave, an extension, the
    due date and the policy may have changed since. Whether that changed anything."""
    key = {"student_id": student, "assignment_id": lesson.assignment}
    submission = connection.execute(FIND_SUBMISSION, key).one_or_none()
    if submission is None:
        return False
    notebooks = connection.execute(FIND_NOTEBOOKS, {"submission": submission.id}).all()
    return _write_penalties(connection, submission, notebooks, penalty)


def _write_penalties(
    connection: Connection, submission: Row[Any], notebooks: Sequence[Row[Any]], penalty: Penalty | None
) -> bool:
    seconds = seconds_late(submission.timestamp, submission.duedate, submission.extension)
    changed = False
    for row in notebooks:
        points = penalty(connection, row.id, seconds) if penalty and seconds else None
        if points != row.late_submission_penalty:
            connection.execute(WRITE_PENALTY, {"row": row.id, "new": points})
            changed = True
    return changed


@cache
def _adding(dialect: str, table: Table) -> Any:
    return insert(dialect, table).on_conflict_do_nothing()


@cache
def _writing_grades(dialect: str) -> Any:
    """nbgrader's rule: a person looks again where a person scored before, or where there is no score. The
    database applies it, so that a score entered this moment counts."""
    adding = insert(dialect, GRADE)
    score = adding.excluded.auto_score
    waits = or_(GRADE.c.manual_score.is_not(None), score.is_(None))
    return adding.on_conflict_do_update(
        index_elements=("cell_id", "notebook_id"),
        set_={"auto_score": score, "needs_manual_grade": waits},
        where=or_(
            GRADE.c.auto_score.is_distinct_from(score), GRADE.c.needs_manual_grade.is_distinct_from(waits)
        ),
    )


@cache
def _writing_comments(dialect: str) -> Any:
    adding = insert(dialect, COMMENT)
    comment = adding.excluded.auto_comment
    return adding.on_conflict_do_update(
        index_elements=("cell_id", "notebook_id"),
        set_={"auto_comment": comment},
        where=COMMENT.c.auto_comment.is_distinct_from(comment),
    )


def seconds_late(timestamp: datetime | None, due: datetime | None, extension: timedelta | None) -> float:
    """Seconds between the due date, with the student's extension, and `timestamp`; 0 when in time."""
    if timestamp is None or due is None:
        return 0.0
    return max(0.0, (timestamp - due - (extension or timedelta())).total_seconds())


def _submission(connection: Connection, lesson: Layout, entry: Entry) -> Row[Any]:
    """The student's submission, locked until the transaction ends; made where there is none."""
    key = {"student_id": entry.student, "assignment_id": lesson.assignment}
    found = connection.execute(FIND_SUBMISSION, key).one_or_none()
    if found is None:
        connection.execute(_adding(connection.dialect.name, STUDENT), {"id": entry.student})
        connection.execute(
            _adding(connection.dialect.name, SUBMISSION), {**key, "timestamp": entry.timestamp}
        )
        found = connection.execute(FIND_SUBMISSION, key).one()
    if entry.timestamp in (None, found.timestamp):
        return found
    connection.execute(WRITE_TIMESTAMP, {"row": found.id, "new": entry.timestamp})
    return connection.execute(FIND_SUBMISSION, key).one()


def _notebooks(connection: Connection, lesson: Layout, submission: str) -> dict[str, Row[Any]]:
    """The submission's notebooks by the lesson's notebook; made where they are missing."""
    found = {row.notebook_id: row for row in connection.execute(FIND_NOTEBOOKS, {"submission": submission})}
    missing = [name for name in lesson.notebooks if name not in found]
    if not missing:
        return found
    rows = [{"assignment_id": submission, "notebook_id": name} for name in missing]
    connection.execute(_adding(connection.dialect.name, HANDED_IN), rows)
    return _notebooks(connection, lesson, submission)


def _write_cells(connection: Connection, lesson: Layout, entry: Entry, notebooks: dict[str, str]) -> None:
    scores = [(notebooks[place], cell, entry.score(name)) for place, cell, name in lesson.graded]
    grades = [
        {"notebook_id": row, "cell_id": cell, "auto_score": score, "needs_manual_grade": score is None}
        for row, cell, score in scores
    ]
    comments = [
        {"notebook_id": notebooks[place], "cell_id": cell, "auto_comment": entry.comment(name)}
        for place, cell, name in lesson.commented
    ]
    for write, rows in ((_writing_grades, grades), (_writing_comments, comments)):
        if rows:
            connection.execute(write(connection.dialect.name), rows)
