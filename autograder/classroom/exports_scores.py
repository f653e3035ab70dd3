"""What the gradebook holds of a class, for exporting: who is in it, and where each submission stands."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from nbgrader.api import Assignment, Gradebook, SubmittedAssignment
from sqlalchemy.orm import undefer


@dataclass(frozen=True)
class Person:
    """A student of the gradebook, with what a learning management system may know them by."""

    id: str
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    lms_user_id: str = ""


@dataclass(frozen=True)
class Standing:
    """One submission: its points less the penalty for lateness, never below 0; and the cells whose score
    still waits for a person, without which the points are not the last word."""

    points: float
    waiting: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scores:
    """The lessons with their maximum, the people by id, and the submissions by student and lesson."""

    lessons: dict[str, float]
    people: dict[str, Person]
    standings: dict[tuple[str, str], Standing]

    def handed_in(self, student: str) -> list[str]:
        return [lesson for lesson in self.lessons if (student, lesson) in self.standings]


def read_scores(
    gradebook: Gradebook, lessons: Collection[str] = (), students: Collection[str] = ()
) -> Scores:
    """The scores of `lessons` and `students`; of all where none are named."""
    chosen = [each for each in gradebook.assignments if not lessons or each.name in lessons]
    people = {
        each.id: Person(
            each.id, each.first_name or "", each.last_name or "", each.email or "", each.lms_user_id or ""
        )
        for each in gradebook.students
        if not students or each.id in students
    }
    return Scores(
        {each.name: float(each.max_score) for each in chosen},
        people,
        {
            (submission.student_id, assignment.name): _standing(submission)
            for assignment in chosen
            for submission in _submissions(gradebook, assignment)
            if submission.student_id in people
        },
    )


def _submissions(gradebook: Gradebook, assignment: Assignment) -> list[SubmittedAssignment]:
    """In one query: nbgrader would ask the database four times for each submission."""
    summed = (
        SubmittedAssignment.score,
        SubmittedAssignment.late_submission_penalty,
        SubmittedAssignment.needs_manual_grade,
    )
    found: list[SubmittedAssignment] = (
        gradebook.db.query(SubmittedAssignment)
        .options(*map(undefer, summed))
        .filter(SubmittedAssignment.assignment_id == assignment.id)
        .order_by(SubmittedAssignment.student_id)
        .all()
    )
    return found


def _standing(submission: SubmittedAssignment) -> Standing:
    points = max(0.0, float(submission.score) - float(submission.late_submission_penalty))
    return Standing(points, _waiting(submission) if submission.needs_manual_grade else ())


def _waiting(submission: SubmittedAssignment) -> tuple[str, ...]:
    return tuple(
        sorted(
            grade.cell.name
            for notebook in submission.notebooks
            for grade in notebook.grades
            if grade.needs_manual_grade
        )
    )
