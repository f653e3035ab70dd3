"""What a gradebook says, in a form that can be compared."""

from __future__ import annotations

import json
from typing import Any

from nbgrader.api import (
    Assignment,
    BaseCell,
    Comment,
    Grade,
    GradeCell,
    Notebook,
    SolutionCell,
    SourceCell,
    Student,
    SubmittedAssignment,
    SubmittedNotebook,
    TaskCell,
)
from sqlalchemy import Select, Table, func, or_, select
from sqlalchemy.engine import Connection

from autograder.classroom.database import Database, is_missing
from autograder.classroom.schema import recorded_version

ASSIGNMENT, NOTEBOOK, SOURCE = Assignment.__table__, Notebook.__table__, SourceCell.__table__
CELL = BaseCell.__table__
GRADED, SOLUTION, TASK = GradeCell.__table__, SolutionCell.__table__, TaskCell.__table__
STUDENT, SUBMISSION, HANDED_IN = Student.__table__, SubmittedAssignment.__table__, SubmittedNotebook.__table__
GRADE, COMMENT = Grade.__table__, Comment.__table__


# Outer joins throughout: a row that leads nowhere is still a row.
IN_LESSON = (ASSIGNMENT.c.name, NOTEBOOK.c.name)
HANDED_IN_AS = (SUBMISSION.c.student_id, *IN_LESSON)


def _of_lesson(table: Table) -> Any:
    """`table`, whose rows belong to a lesson's notebook, with this and the assignment."""
    return table.outerjoin(NOTEBOOK, table.c.notebook_id == NOTEBOOK.c.id).outerjoin(
        ASSIGNMENT, NOTEBOOK.c.assignment_id == ASSIGNMENT.c.id
    )


def _of_student(table: Table) -> Any:
    """`table`, whose rows belong to a submitted notebook's cells, with these, the student and the lesson."""
    handed_in = table.outerjoin(HANDED_IN, table.c.notebook_id == HANDED_IN.c.id)
    return _with_submission(handed_in).outerjoin(CELL, table.c.cell_id == CELL.c.id)


def _with_submission(handed_in: Any) -> Any:
    return (
        handed_in.outerjoin(SUBMISSION, HANDED_IN.c.assignment_id == SUBMISSION.c.id)
        .outerjoin(ASSIGNMENT, SUBMISSION.c.assignment_id == ASSIGNMENT.c.id)
        .outerjoin(NOTEBOOK, HANDED_IN.c.notebook_id == NOTEBOOK.c.id)
    )


QUERIES: dict[str, Select[Any]] = {
    "assignment": select(ASSIGNMENT.c.name, ASSIGNMENT.c.course_id, ASSIGNMENT.c.duedate),
    "notebook": select(*IN_LESSON, NOTEBOOK.c.kernelspec).select_from(
        NOTEBOOK.outerjoin(ASSIGNMENT, NOTEBOOK.c.assignment_id == ASSIGNMENT.c.id)
    ),
    "cell": select(
        *IN_LESSON,
        CELL.c.type,
        CELL.c.name,
        func.coalesce(GRADED.c.max_score, TASK.c.max_score),
        func.coalesce(GRADED.c.cell_type, TASK.c.cell_type),
        or_(*(table.c.id.is_not(None) for table in (GRADED, SOLUTION, TASK))),
    ).select_from(
        _of_lesson(CELL)
        .outerjoin(GRADED, CELL.c.id == GRADED.c.id)
        .outerjoin(SOLUTION, CELL.c.id == SOLUTION.c.id)
        .outerjoin(TASK, CELL.c.id == TASK.c.id)
    ),
    "source": select(
        *IN_LESSON,
        SOURCE.c.name,
        SOURCE.c.cell_type,
        SOURCE.c.locked,
        SOURCE.c.checksum,
        SOURCE.c.source,
    ).select_from(_of_lesson(SOURCE)),
    "student": select(
        STUDENT.c.id, STUDENT.c.first_name, STUDENT.c.last_name, STUDENT.c.email, STUDENT.c.lms_user_id
    ),
    "submission": select(
        SUBMISSION.c.student_id, ASSIGNMENT.c.name, SUBMISSION.c.timestamp, SUBMISSION.c.extension
    ).select_from(SUBMISSION.outerjoin(ASSIGNMENT, SUBMISSION.c.assignment_id == ASSIGNMENT.c.id)),
    "submitted notebook": select(
        *HANDED_IN_AS, HANDED_IN.c.flagged, HANDED_IN.c.late_submission_penalty
    ).select_from(_with_submission(HANDED_IN)),
    "grade": select(
        *HANDED_IN_AS,
        CELL.c.name,
        GRADE.c.auto_score,
        GRADE.c.manual_score,
        GRADE.c.extra_credit,
        GRADE.c.needs_manual_grade,
    ).select_from(_of_student(GRADE)),
    "comment": select(
        *HANDED_IN_AS, CELL.c.name, COMMENT.c.auto_comment, COMMENT.c.manual_comment
    ).select_from(_of_student(COMMENT)),
}


def canonical_dump(db_url: str) -> str:
    """Everything a gradebook says, one JSON list a line, in order, without row ids: two gradebooks
    with the same dump hold the same grades, however and in whatever order they came about. One that was
    not begun says nothing.

    Left out is the table of courses: nbgrader's own commands add a "default_course" that nothing is in.
    """
    if is_missing(db_url):
        return ""
    database = Database(db_url)
    try:
        rows = database.read(_rows) if database.read(recorded_version) else []
    finally:
        database.close()
    return "".join(sorted(json.dumps(row, default=str) + "\n" for row in rows))


def _rows(connection: Connection) -> list[list[Any]]:
    return [[kind, *row] for kind, query in QUERIES.items() for row in connection.execute(query)]
