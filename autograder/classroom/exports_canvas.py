"""The layout of Canvas's gradebook as a CSV file.

The code that writes and reads it: https://github.com/instructure/canvas-lms (`lib/gradebook_exporter.rb`,
`lib/gradebook_importer.rb`). For instructors, among others:
<https://ts.vcu.edu/askit/teaching-and-learning/canvas/faculty/grading-faculty/gradebook-action-menu-faculty/>
<https://teaching.resources.osu.edu/toolsets/carmencanvas/guides/calculating-final-grades/import-csv-file-carmen-grades>

- First row: `Student` (or `LastName`, `FirstName`), `ID`, perhaps `SIS User ID`, `SIS Login ID`, perhaps
  `Integration ID` and `Root Account`, `Section`; then columns of the instructor's own, `Title (id)` for each
  assignment, and totals.
- Perhaps a row that says `Manual Posting` (once `Muted`) below assignments; a row `    Points Possible`, in
  which columns that can't be changed say `(read only)`; a row for each student.
- A student is found by `ID`, else by `SIS User ID`, `SIS Login ID`, name. `EX` is excused, `N/A` not
  assigned.
- A column with no id makes a new assignment. An empty cell takes a grade away.
- Fields are separated by commas or semicolons; the decimal sign is a point or a comma.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from autograder.classroom.exports_csv import Table
from autograder.classroom.exports_fill import KeysOf
from autograder.classroom.exports_layout import Layout, find_columns
from autograder.classroom.exports_scores import Person, Scores
from autograder.library import UserError

IDENTITY = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
POINTS, READ_ONLY = "Points Possible", "read only"
HIDDEN = re.compile(r"\s*(Muted|Manual Posting.*)?\s*", re.IGNORECASE)
ASSIGNMENT = re.compile(r"(?P<title>.*\S)\s*\((?P<id>\d+)\)")


def layout(table: Table, scores: Scores, chosen: Mapping[str, str]) -> Layout:
    """Raises UserError where `table` is no gradebook of Canvas's, or has no column for any lesson."""
    section = _last_identity(table)
    limits, first = _above_students(table)
    grades = {
        index: _names(table.header[index])
        for index in range(section + 1, len(table.header))
        if table.header[index] and READ_ONLY not in limits[index].casefold()
    }
    columns = find_columns(table, scores, grades, chosen, lambda index: _number(limits[index]))
    places = sorted(column.index for column in columns)
    return Layout(first, _keys(table.header), columns, (*range(section + 1), *places))


def own_table(scores: Scores) -> Table:
    """Canvas's columns from what the gradebook knows; its import makes an assignment of each lesson."""
    names = list(scores.lessons)
    limits = [f"{points:g}" for points in scores.lessons.values()]
    people = sorted(scores.people.values(), key=lambda each: (each.last_name, each.first_name, each.id))
    return Table(
        "the gradebook",
        (
            (*IDENTITY, *names),
            (f"    {POINTS}", *[""] * (len(IDENTITY) - 1), *limits),
            *((_name(each), each.lms_user_id, "", each.id, "", *[""] * len(names)) for each in people),
        ),
    )


def _name(person: Person) -> str:
    return ", ".join(filter(None, (person.last_name, person.first_name))) or person.id


def _last_identity(table: Table) -> int:
    header = table.header
    if "ID" not in header or "Section" not in header or header[0] not in ("Student", "LastName"):
        raise UserError(
            f"{table.name} is no gradebook of Canvas's: expected the columns Student, ID, SIS Login ID, "
            f"Section, …, found {', '.join(header[:6])}. Export it in Canvas: Grades, Export"
        )
    return header.index("Section")


def _above_students(table: Table) -> tuple[tuple[str, ...], int]:
    """The points of each column, and the number of the first row that is a student's."""
    limits = tuple("" for _ in table.header)
    for number, row in enumerate(table.rows[1:], 1):
        if POINTS in row[0]:
            limits = row
        elif not all(HIDDEN.fullmatch(cell) for cell in row):
            return limits, number
    return limits, len(table.rows)


def _names(header: str) -> tuple[str, ...]:
    """`Homework 1 (4711)` is also `Homework 1` and `4711`."""
    found = ASSIGNMENT.fullmatch(header)
    return (header, found["title"], found["id"]) if found else (header,)


def _keys(header: tuple[str, ...]) -> dict[int, KeysOf]:
    """Whom a cell names. A student id here may look like somebody else's number there: each column is
    compared with what it holds, and with nothing else."""
    ways: dict[str, KeysOf] = {"ID": _lms_ids, "SIS User ID": _sis_ids, "SIS Login ID": _logins}
    return {header.index(name): way for name, way in ways.items() if name in header}


def _lms_ids(person: Person) -> Iterable[str]:
    return (person.lms_user_id,)


def _sis_ids(person: Person) -> Iterable[str]:
    return (person.id, person.lms_user_id)


def _logins(person: Person) -> Iterable[str]:
    return (person.id, person.email)


def _number(cell: str) -> float | None:
    try:
        return float(cell.strip().replace(",", "."))
    except ValueError:
        return None
