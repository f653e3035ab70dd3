"""Where a class stands in a lesson: the points of each student, cell by cell, as the gradebook has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from nbgrader.api import (
    Assignment,
    BaseCell,
    Grade,
    GradeCell,
    SubmittedAssignment,
    SubmittedNotebook,
    TaskCell,
)
from sqlalchemy import func, select
from sqlalchemy.engine import Connection

ASSIGNMENT, CELL, GRADE = Assignment.__table__, BaseCell.__table__, Grade.__table__
GRADED, TASK = GradeCell.__table__, TaskCell.__table__
SUBMISSION, HANDED_IN = SubmittedAssignment.__table__, SubmittedNotebook.__table__

SUBMISSIONS = (
    select(SUBMISSION.c.student_id, SUBMISSION.c.timestamp, HANDED_IN.c.late_submission_penalty)
    .join(HANDED_IN, HANDED_IN.c.assignment_id == SUBMISSION.c.id)
    .join(ASSIGNMENT, SUBMISSION.c.assignment_id == ASSIGNMENT.c.id)
)
CELLS = (
    select(
        SUBMISSION.c.student_id,
        CELL.c.name,
        GRADE.c.auto_score,
        GRADE.c.manual_score,
        GRADE.c.extra_credit,
        func.coalesce(GRADED.c.max_score, TASK.c.max_score),
    )
    .select_from(GRADE)
    .join(CELL, GRADE.c.cell_id == CELL.c.id)
    .outerjoin(GRADED, GRADED.c.id == CELL.c.id)
    .outerjoin(TASK, TASK.c.id == CELL.c.id)
    .join(HANDED_IN, GRADE.c.notebook_id == HANDED_IN.c.id)
    .join(SUBMISSION, HANDED_IN.c.assignment_id == SUBMISSION.c.id)
    .join(ASSIGNMENT, SUBMISSION.c.assignment_id == ASSIGNMENT.c.id)
    .order_by(CELL.c.name)
)


@dataclass(frozen=True)
class Points:
    """What one cell earned. `auto` is None where the grader leaves it to a person, `manual` where no person
    has decided."""

    auto: float | None
    manual: float | None
    extra: float | None
    out_of: float

    @property
    def score(self) -> float:
        """As nbgrader counts: a person's word before the grader's, extra credit on top of either."""
        given = self.manual if self.manual is not None else self.auto
        return 0.0 if given is None else given + (self.extra or 0.0)

    @property
    def is_open(self) -> bool:
        return self.auto is None and self.manual is None


@dataclass(frozen=True)
class Standing:
    """One student's points in one lesson. `penalty` is what being late costs, in points."""

    timestamp: datetime | None = None
    penalty: float = 0.0
    cells: Mapping[str, Points] = field(default_factory=dict)

    @property
    def score(self) -> float:
        """What nbgrader exports: the points less the penalty, never below 0."""
        return max(0.0, sum(points.score for points in self.cells.values()) - self.penalty)

    @property
    def out_of(self) -> float:
        return sum(points.out_of for points in self.cells.values())


def standings(connection: Connection, lesson: str) -> dict[str, Standing]:
    """The standing of each student who has a submission of `lesson`."""
    cells: dict[str, dict[str, Points]] = {}
    for student, name, *numbers in connection.execute(CELLS.where(ASSIGNMENT.c.name == lesson)):
        cells.setdefault(student, {})[name] = Points(*numbers)
    return {
        student: Standing(timestamp, penalty or 0.0, cells.get(student, {}))
        for student, timestamp, penalty in connection.execute(SUBMISSIONS.where(ASSIGNMENT.c.name == lesson))
    }
