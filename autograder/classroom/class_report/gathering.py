"""What the class report is made of: the verdict files, and what the gradebook says about each submission."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from nbgrader.api import Student
from nbgrader.coursedir import CourseDirectory
from sqlalchemy import select
from sqlalchemy.engine import Connection

from autograder import library
from autograder.classroom import recording, records, submissions
from autograder.classroom.database import Database, is_missing
from autograder.classroom.schema import recorded_version
from autograder.classroom.settings import nbgrader_config
from autograder.classroom.standings import Standing, standings
from autograder.course import Course
from autograder.library import Library, UserError

STUDENT = Student.__table__

Verdict = Mapping[str, Any]


@dataclass(frozen=True)
class Handed:
    """One lesson's class. `standings` and `waiting`, the cells by student that a person has yet to score,
    are None where there is no gradebook. The `ungraded` handed in and were not graded yet, the `absent` did
    not hand in."""

    hidden: Library
    verdicts: tuple[Verdict, ...]
    standings: Mapping[str, Standing] | None = None
    waiting: Mapping[str, Set[str]] | None = None
    ungraded: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()

    @property
    def lesson(self) -> str:
        return self.hidden.lesson

    @property
    def graded(self) -> list[Verdict]:
        return [verdict for verdict in self.verdicts if "error" not in verdict]

    @property
    def max_score(self) -> float:
        """All points of the lesson, or, with no gradebook, those that are graded automatically."""
        if self.standings is None:
            return self.hidden.max_score
        found = max((standing.out_of for standing in self.standings.values()), default=0.0)
        return found or self.hidden.max_score + sum(text.points for text in self.hidden.free_texts.values())

    def score(self, verdict: Verdict) -> float | None:
        """The score of a submission as the gradebook has it; None as long as nobody has graded it."""
        standing = self._standing(verdict["student"])
        if "error" in verdict and (standing is None or self.is_waiting(verdict["student"])):
            return None
        return float(verdict["score"]) if standing is None else standing.score

    def won(self, verdict: Verdict, name: str, cell: str) -> float | None:
        """The points of a graded submission on `name`, whose score is in `cell`; None for an open score."""
        standing = self._standing(verdict["student"])
        points = standing.cells.get(cell) if standing else None
        if points is not None:
            return None if points.is_open else points.score
        if name in self.hidden.free_texts:  # one that was not answered scores 0
            return None if cell in verdict["needs_manual"] else 0.0
        judged = verdict["exercises"].get(name) or verdict["questions"].get(name) or {}
        return judged.get("score")

    def is_waiting(self, student: str, cell: str | None = None) -> bool:
        """Whether a score of `student` waits for a person, that of `cell` or any; so it does, as far as
        anyone knows, where no gradebook holds the submission."""
        if self.waiting is None or self._standing(student) is None:
            return True
        cells = self.waiting.get(student, frozenset())
        return bool(cells) if cell is None else cell in cells

    def _standing(self, student: str) -> Standing | None:
        return (self.standings or {}).get(student)


@dataclass(frozen=True)
class ClassData:
    """The lessons of which something was graded, in order, and everyone's name by id, "" where it is not
    known."""

    lessons: tuple[Handed, ...]
    names: Mapping[str, str]


@dataclass(frozen=True)
class _Book:
    """What the gradebook says: names by student, and by lesson the standings and what waits."""

    names: Mapping[str, str]
    standings: Mapping[str, Mapping[str, Standing]]
    waiting: Mapping[str, Mapping[str, Set[str]]]


def gather(course: Course, lessons: Sequence[str] = ()) -> ClassData:
    """What there is to report on `lessons`, or on every one.

    Raises UserError for a lesson that does not exist, and when nothing (of one of `lessons`) was graded.
    """
    known = library.lesson_names(course.solutions)
    verdicts = {lesson: tuple(records.verdicts(course, lesson)) for lesson in known}
    for lesson in lessons:
        library.load(course.solutions, lesson)
        if not verdicts[lesson]:
            raise UserError(
                f"nothing of {lesson} is graded in {course.root} yet: run `autograder grade {lesson}` first"
            )
    chosen = list(lessons) or [lesson for lesson in known if verdicts[lesson]]
    if not chosen:
        raise UserError(f"nothing is graded in {course.root} yet: run `autograder grade` first")
    book = _read_book(course, chosen)
    names = {**{verdict["student"]: "" for found in verdicts.values() for verdict in found}}
    names |= book.names if book else {}
    return ClassData(
        tuple(_handed(course, lesson, verdicts[lesson], book, names) for lesson in chosen), names
    )


def _handed(
    course: Course, lesson: str, verdicts: tuple[Verdict, ...], book: _Book | None, names: Mapping[str, str]
) -> Handed:
    hidden = library.load(course.solutions, lesson)
    graded = {verdict["student"] for verdict in verdicts}
    ungraded = [name for name in _handed_in(course, lesson) if name not in graded]
    absent = sorted(set(names) - graded - set(ungraded))
    if book is None:
        return Handed(hidden, verdicts, None, None, tuple(ungraded), tuple(absent))
    return Handed(
        hidden, verdicts, book.standings[lesson], book.waiting[lesson], tuple(ungraded), tuple(absent)
    )


def _handed_in(course: Course, lesson: str) -> list[str]:
    """Who has handed in; nobody where the submissions are kept elsewhere."""
    if not course.submitted.is_dir():
        return []
    return [found.student for found in submissions.find(course, lesson)]


def _read_book(course: Course, lessons: Sequence[str]) -> _Book | None:
    url = CourseDirectory(config=nbgrader_config(course)).db_url
    if is_missing(url):
        return None
    database = Database(url)
    try:
        if not database.read(recorded_version):
            return None
        return database.read(lambda connection: _read(connection, lessons))
    finally:
        database.close()


def _read(connection: Connection, lessons: Sequence[str]) -> _Book:
    people = connection.execute(select(STUDENT.c.id, STUDENT.c.first_name, STUDENT.c.last_name))
    return _Book(
        {student: " ".join(filter(None, (first, last))) for student, first, last in people},
        {lesson: standings(connection, lesson) for lesson in lessons},
        {lesson: _by_student(recording.waiting(connection, lesson)) for lesson in lessons},
    )


def _by_student(pairs: Set[tuple[str, str]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for student, cell in pairs:
        found.setdefault(student, set()).add(cell)
    return found
