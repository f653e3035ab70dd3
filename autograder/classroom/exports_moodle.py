"""The layouts of Moodle's grades as CSV files: the course's gradebook, and one assignment's worksheet.

Documented at https://docs.moodle.org/311/en/Grade_import. The code that writes and reads them:
https://github.com/moodle/moodle (`grade/export/lib.php`, `grade/import/csv/classes/load_data.php`,
`mod/assign/feedback/offline/importgradeslib.php`).

Gradebook ("Grades, Export, Plain text file", then "Import, CSV file"):
- `First name`, `Last name`, `ID number`, `Institution`, `Department`, `Email address`; a column for each
  grade item, `Assignment: Title (Real)`, perhaps also `(Percentage)`, `(Letter)`, `(Feedback)`; `Course total
  (Real)`; `Last downloaded from this course`, by which the import sees what was graded since.
- Whoever imports says which column tells the user: `useremail`, `useridnumber` or `username`. One row whose
  user is not found stops the whole import. `-` is "no grade".
- Grades are numbers with a point, or with the decimal sign of the language in use.
- Feedback that is imported without its grade takes the grade away: we export none.

Worksheet ("Download grading worksheet", then "Upload grading worksheet"):
- `Identifier` (`Participant 123`, the number that the archive of submissions has too), `Full name`, `Email
  address`, `Status`, `Grade`, `Maximum grade`, `Grade can be changed`, `Last modified (submission)`,
  `Last modified (grade)`, `Feedback comments`. With anonymous submissions names and addresses are missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from autograder.classroom.exports_csv import Table
from autograder.classroom.exports_fill import KeysOf
from autograder.classroom.exports_layout import Layout, find_columns
from autograder.classroom.exports_scores import Person, Scores
from autograder.library import UserError

#: Columns that tell who a row is, and what they hold; other languages: c.MoodleExporter.identity.
IDENTITY = {
    "Email address": "email",
    "ID number": "number",
    "Username": "username",
    "Identifier": "participant",
}
OWN = ("First name", "Last name", "ID number", "Email address", "Username")
#: How a student of an anonymous assignment is called here: `collecting.MoodleCollector.anonymous`.
PARTICIPANT = re.compile(r"participant-(\d+)")
#: What Moodle writes and reads for "no grade".
NO_GRADE = "-"
GRADE, MAXIMUM = "Grade", ("Maximum grade", "Maximum Grade")
#: `Assignment: Title (Real)`: the kind of activity and the kind of number are translated, the title is not.
ITEM = re.compile(r"(?:[^:]+:\s*)?(?P<title>.*\S)\s+\((?P<shown>[^()]+)\)")
NO_POINTS = ("feedback", "percentage", "letter")


def layout(table: Table, scores: Scores, chosen: Mapping[str, str], identity: Mapping[str, str]) -> Layout:
    """Raises UserError where `table` does not tell who its rows are, or has no column for any lesson."""
    kinds = {index: identity[name] for index, name in enumerate(table.header) if name in identity}
    unknown = sorted(set(identity.values()) - set(KEYS))
    if unknown:
        raise UserError(f"identity has {', '.join(unknown)}: expected {', '.join(KEYS)}")
    if not kinds:
        raise UserError(
            f"no column of {table.name} tells who a row is: expected one of {', '.join(identity)}, found "
            f"{', '.join(table.header[:8])}. In another language: "
            "c.MoodleExporter.identity = {'COLUMN': 'email'}"
        )
    keys = {index: KEYS[kind] for index, kind in kinds.items()}
    if "participant" in kinds.values():
        return _worksheet(table, scores, chosen, keys)
    grades = {index: _names(name) for index, name in enumerate(table.header) if index not in keys}
    columns = find_columns(table, scores, _with_points(grades, table, chosen), chosen, lambda _: None)
    places = {column.index for column in columns}
    kept = [index for index, name in enumerate(table.header) if index in places or not ITEM.fullmatch(name)]
    return Layout(1, keys, columns, tuple(kept))


def own_table(scores: Scores) -> Table:
    """A table from what the gradebook knows; the import can make a grade item of each lesson."""
    people = sorted(scores.people.values(), key=lambda each: (each.last_name, each.first_name, each.id))
    return Table(
        "the gradebook",
        (
            (*OWN, *scores.lessons),
            *(
                (
                    each.first_name,
                    each.last_name,
                    each.lms_user_id,
                    each.email,
                    each.id,
                    *[NO_GRADE] * len(scores.lessons),
                )
                for each in people
            ),
        ),
    )


def _worksheet(table: Table, scores: Scores, chosen: Mapping[str, str], keys: Mapping[int, KeysOf]) -> Layout:
    """A worksheet is of one assignment: its column for grades is that of the one lesson to export."""
    handed_in = sorted({lesson for _, lesson in scores.standings}) or list(scores.lessons)
    if len(handed_in) != 1:
        raise UserError(
            f"{table.name} is the worksheet of one assignment, and {', '.join(handed_in) or 'no lesson'} "
            "could be meant: add --assignment \"['LESSON']\""
        )
    (lesson,) = handed_in
    most = next((table.header.index(name) for name in MAXIMUM if name in table.header), None)
    points = None if most is None or len(table.rows) < 2 else _number(table.rows[1][most])
    grades = {index: (name,) for index, name in enumerate(table.header)}
    only = Scores({lesson: scores.lessons[lesson]}, scores.people, scores.standings)
    columns = find_columns(table, only, grades, {lesson: chosen.get(lesson, GRADE)}, lambda _: points)
    return Layout(1, keys, columns, tuple(range(len(table.header))))


def _names(header: str) -> tuple[str, ...]:
    """`Assignment: Homework 1 (Real)` is also `Assignment: Homework 1` and `Homework 1`."""
    found = ITEM.fullmatch(header)
    if found is None:
        return (header,)
    return (header, header[: header.rindex("(")].strip(), found["title"])


def _with_points(
    grades: Mapping[int, tuple[str, ...]], table: Table, chosen: Mapping[str, str]
) -> dict[int, tuple[str, ...]]:
    """Without the columns that show the same grade otherwise, unless one is named to the letter."""
    return {
        index: names
        for index, names in grades.items()
        if table.header[index] in chosen.values()
        or (found := ITEM.fullmatch(table.header[index])) is None
        or found["shown"].casefold() not in NO_POINTS
    }


def _emails(person: Person) -> Iterable[str]:
    return (person.email, person.id if "@" in person.id else "")


def _numbers(person: Person) -> Iterable[str]:
    return (person.id, person.lms_user_id)


def _usernames(person: Person) -> Iterable[str]:
    return (person.id,)


def _participants(person: Person) -> Iterable[str]:
    found = PARTICIPANT.fullmatch(person.id)
    return (f"participant {found[1]}",) if found else ()


KEYS: dict[str, KeysOf] = {
    "email": _emails,
    "number": _numbers,
    "username": _usernames,
    "participant": _participants,
}


def _number(cell: str) -> float | None:
    try:
        return float(cell.strip().replace(",", "."))
    except ValueError:
        return None
