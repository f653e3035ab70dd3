"""Whose work a file in an archive is: the names and numbers of Moodle and Canvas, and our student ids."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from nbgrader.api import Gradebook
from nbgrader.utils import parse_utc

from autograder.classroom.collecting_names import Named, letters, words
from autograder.classroom.database import is_missing
from autograder.classroom.exports_csv import Table, read_table
from autograder.classroom.exports_fill import few, key
from autograder.classroom.exports_scores import Person, read_scores
from autograder.classroom.submissions import Submission
from autograder.library import UserError
from autograder.wording import one_line

#: nbgrader's own columns, as `nbgrader db student import` takes them.
NBGRADER = {"id": "id", "first_name": "first_name", "last_name": "last_name", "email": "email"}
NBGRADER["lms_user_id"] = "lms_user_id"
#: Canvas's, in its exported gradebook: the login becomes the student id.
CANVAS = {"Student": "last_name", "ID": "lms_user_id", "SIS Login ID": "id"}
NO_STUDENTS = (
    "no student is known, so no file can be placed: list them with `nbgrader db student import "
    "students.csv`, or name a file with --{name}.roster=students.csv (columns: id, first_name, last_name, "
    "email, lms_user_id)"
)


@dataclass(frozen=True)
class Handed:
    """A row of Moodle's grading worksheet: who has a number in this assignment, and when they handed in."""

    name: str
    email: str
    number: str
    at: datetime | None


@dataclass(frozen=True)
class Nobody:
    """Why a file has no student."""

    reason: str


class People:
    """The students of a class, found by what a system knows of them."""

    def __init__(self, people: Iterable[Person]):
        self.all = tuple(people)

    def in_canvas(self, found: Named) -> Person | Nobody:
        """By Canvas's number of the user; by name only among those whose number we do not have."""
        if found.anonymous:
            return Nobody("handed in anonymously: show the names in Canvas, then download again")
        by_number = [each for each in self.all if each.lms_user_id == found.number]
        unnumbered = [each for each in self.all if not each.lms_user_id]
        by_name = [each for each in unnumbered if letters(each.last_name + each.first_name) == found.name]
        return _one(by_number or by_name, f"{found.name!r} with Canvas's ID {found.number}")

    def in_moodle(self, found: Named, worksheet: Mapping[str, Handed]) -> Person | Nobody:
        """By address or ID number where the worksheet has one for the number, else by name."""
        row = worksheet.get(found.number, Handed(found.name, "", "", None))
        by_key = [each for each in self.all if _has(each, row)]
        by_name = [
            each for each in self.all if words(f"{each.first_name} {each.last_name}") == words(row.name)
        ]
        return _one(
            by_key or (by_name if words(row.name) else []), f"{row.name!r}, participant {found.number}"
        )


def of_gradebook(url: str, course_id: str) -> People:
    """The students whom the gradebook knows; none where there is no gradebook yet."""
    if is_missing(url):
        return People(())
    with Gradebook(url, course_id) as gradebook:
        return People(read_scores(gradebook, lessons=("",)).people.values())


def of_csv(path: Path) -> People:
    """The students of a file in nbgrader's columns, or of Canvas's exported gradebook.

    Raises UserError for other files, and where two rows have one id.
    """
    table = read_table(path)
    columns = NBGRADER if "id" in table.header else CANVAS
    if "id" not in table.header and not set(CANVAS) <= set(table.header):
        raise UserError(
            f"{table.name} is no list of students: expected the column id (and first_name, last_name, email, "
            f"lms_user_id), or Canvas's {', '.join(CANVAS)}; found {', '.join(table.header[:6])}"
        )
    people = [Person(**row) for row in _rows(table, columns) if row.get("id")]
    for field in ("id", "lms_user_id"):
        _no_twice(table.name, field, [getattr(each, field) for each in people])
    return People(people)


def worksheet(path: Path, zone: tzinfo) -> dict[str, Handed]:
    """Moodle's grading worksheet, by the participant's number. Raises UserError where it is none."""
    table = read_table(path)
    if "Identifier" not in table.header:
        raise UserError(
            f"{table.name} is no grading worksheet: expected the columns Identifier, Full name, Email "
            f"address, …, found {', '.join(table.header[:6])}"
        )
    names = ("Identifier", "Full name", "Email address", "ID number", "Last modified (submission)")
    rows = _rows(table, {name: name for name in names})
    return {
        row["Identifier"].split()[-1]: Handed(
            row.get(names[1], ""),
            row.get(names[2], ""),
            row.get(names[3], ""),
            _moment(row.get(names[4], ""), zone),
        )
        for row in rows
        if row["Identifier"]
    }


def id_problem(student: str) -> str | None:
    """Why a student id can't be the name of a folder, if so."""
    if student.startswith(".") or "/" in student or "\0" in student or student != student.strip():
        return f"the student id {one_line(ascii(student), 60)} can't be the name of a folder: change it"
    problem = Submission(student, "", Path()).name_problem
    return problem and problem.replace("the folder's name", "the student id").replace(
        "rename the folder", "change it"
    )


def _one(fits: list[Person], who: str) -> Person | Nobody:
    if len(fits) == 1:
        return fits[0]
    if fits:
        return Nobody(f"{who}: may be {few(each.id for each in fits)}: nothing tells which")
    return Nobody(f"{who}: no student of that name or number is known: add them, or mend their row")


def _has(person: Person, row: Handed) -> bool:
    mine = {key(person.id), key(person.email)} - {""}
    return key(row.email) in mine or (row.number != "" and row.number in (person.id, person.lms_user_id))


def _rows(table: Table, columns: Mapping[str, str]) -> list[dict[str, str]]:
    places = {field: table.header.index(name) for name, field in columns.items() if name in table.header}
    return [{field: row[place].strip() for field, place in places.items()} for row in table.rows[1:]]


def _no_twice(name: str, field: str, values: list[str]) -> None:
    twice = sorted({value for value in values if value and values.count(value) > 1})
    if twice:
        raise UserError(f"{name} has {field} {few(twice)} more than once: each student has one row")


def _moment(text: str, zone: tzinfo) -> datetime | None:
    """`Wednesday, 10 June 2026, 2:14 PM` in UTC, as nbgrader keeps times; None where it is no time."""
    try:
        found: datetime = parse_utc(text)
    except (ValueError, OverflowError):
        return None
    return found.replace(tzinfo=zone).astimezone(UTC).replace(tzinfo=None)


Find = Callable[[Named], Person | Nobody]
