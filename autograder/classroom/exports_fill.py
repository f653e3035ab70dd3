"""Scores filled into a file that a learning management system exported: the rows and columns are its own.

Whatever finds no place is said in a line of its own; a cell that we have nothing to say about stays as it
was, since an empty one would take away a grade that the system has.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from autograder.classroom.exports_csv import Table
from autograder.classroom.exports_scores import Person, Scores, Standing
from autograder.library import UserError
from autograder.wording import one_line

#: What a row's cell is compared with, in lower case.
KeysOf = Callable[[Person], Iterable[str]]
NAMES_SHOWN = 6


@dataclass(frozen=True)
class Column:
    """A lesson's column, and the points that the system has for it, None where it does not say."""

    index: int
    lesson: str
    points: float | None = None


@dataclass(frozen=True)
class Rules:
    """How a score becomes a cell.

    zero_missing: who handed in nothing gets 0. unfinished: a score that waits for a person counts as it is.
    scale: points are scaled to the system's. decimal: the decimal sign. fixed: cells of the system that no
    score replaces, excused ones for example.
    """

    zero_missing: bool = False
    unfinished: bool = False
    scale: bool = False
    decimal: str = "."
    fixed: frozenset[str] = frozenset()

    def number(self, points: float) -> str:
        """At most two decimals, as both systems show: `7.5`, `12`."""
        return f"{points:.2f}".rstrip("0").rstrip(".").replace(".", self.decimal)


@dataclass(frozen=True)
class Cell:
    """What a cell holds now, whether that is a score of ours, and what to say of it."""

    text: str
    ours: bool = False
    note: str | None = None


@dataclass(frozen=True)
class Filled:
    """The rows, how many cells hold a score of ours, and what the instructor should know, a line each."""

    rows: tuple[tuple[str, ...], ...]
    count: int
    notes: tuple[str, ...]


def fill(
    table: Table,
    first: int,
    keys: Mapping[int, KeysOf],
    columns: Iterable[Column],
    scores: Scores,
    rules: Rules,
) -> Filled:
    """`table` with scores in `columns`, in the rows from `first` on.

    Raises UserError when no row is a student of the gradebook.
    """
    chosen = list(columns)
    owners, notes = _owners(table, first, keys, scores)
    if not owners:
        raise UserError(_nobody(table, keys, scores))
    rows, count = [list(row) for row in table.rows], 0
    for number, person in owners.items():
        for column in chosen:
            found = _cell(rows[number][column.index], person, column, scores, rules)
            rows[number][column.index] = found.text
            count += found.ours
            notes += [found.note] if found.note else []
    left = [person for person in scores.people.values() if person not in owners.values()]
    notes += _without_row(table, left, scores)
    return Filled(tuple(map(tuple, rows)), count, tuple(map(one_line, notes)))


def key(text: str) -> str:
    """How keys are compared: no spaces around, no difference in case."""
    return text.strip().casefold()


def points(standing: Standing, column: Column, scores: Scores, rules: Rules) -> float:
    """The points of a submission, on the system's scale where that is asked."""
    most = scores.lessons[column.lesson]
    if rules.scale and column.points is not None and most:
        return standing.points * column.points / most
    return standing.points


def unplaced_lessons(table: str, columns: Iterable[Column], scores: Scores, option: str) -> list[str]:
    """A line for each lesson that has submissions and no column."""
    placed = {column.lesson for column in columns}
    counts = {lesson: sum(name == lesson for _, name in scores.standings) for lesson in scores.lessons}
    return [
        f"{lesson}: {count} submissions, and no column of {table} is its own: not exported. "
        f"Say which is with {option}[{lesson!r}] = 'COLUMN'"
        for lesson, count in counts.items()
        if count and lesson not in placed
    ]


def other_maximum(columns: Iterable[Column], scores: Scores) -> list[str]:
    """A line for each lesson that is worth other points in the system than here."""
    return [
        f"{column.lesson}: {column.points:g} points there, {scores.lessons[column.lesson]:g} in the "
        "gradebook; exported as they are (scale = True scales them)"
        for column in columns
        if column.points is not None and abs(column.points - scores.lessons[column.lesson]) > 1e-9
    ]


def few(names: Iterable[str]) -> str:
    """The first names of a list, and how many more there are."""
    found = list(names)
    more = f" and {len(found) - NAMES_SHOWN} more" if len(found) > NAMES_SHOWN else ""
    return ", ".join(found[:NAMES_SHOWN]) + more


def _owners(
    table: Table, first: int, keys: Mapping[int, KeysOf], scores: Scores
) -> tuple[dict[int, Person], list[str]]:
    """Whose row is whose, by the number of the row; a row that could be two people's is nobody's."""
    known: dict[tuple[int, str], set[str]] = defaultdict(set)
    for person in scores.people.values():
        for index, keys_of in keys.items():
            for found in {key(each) for each in keys_of(person)} - {""}:
                known[index, found].add(person.id)
    owners: dict[int, Person] = {}
    rows_of: dict[str, list[int]] = defaultdict(list)
    notes: list[str] = []
    for number in range(first, len(table.rows)):
        row = table.rows[number]
        ids = set().union(*(known.get((index, key(row[index])), set()) for index in keys))
        if len(ids) > 1:
            notes.append(f"row {number + 1} of {table.name} fits {few(sorted(ids))}: left as it was")
        for found in ids if len(ids) == 1 else ():
            owners[number] = scores.people[found]
            rows_of[found].append(number)
    for student, numbers in rows_of.items():
        if len(numbers) > 1:
            shown = " and ".join(str(number + 1) for number in numbers)
            notes.append(f"{student}: rows {shown} of {table.name} are both theirs: left as they were")
            for number in numbers:
                del owners[number]
    return owners, notes


def _cell(before: str, person: Person, column: Column, scores: Scores, rules: Rules) -> Cell:
    """The cell of one student and lesson, which was `before`."""
    standing = scores.standings.get((person.id, column.lesson))
    who = f"{person.id}, {column.lesson}"
    if (said := before.strip()).casefold() in rules.fixed:
        return Cell(before, note=f"{who}: the cell says {said!r}, and stays so" if standing else None)
    if standing is None:
        return Cell(rules.number(0.0), ours=True) if rules.zero_missing else Cell(before)
    waits = f"waits for a person: {few(standing.waiting)}" if standing.waiting else None
    if waits and not rules.unfinished:
        return Cell(before, note=f"{who}: not exported, {waits}")
    text = rules.number(points(standing, column, scores, rules))
    return Cell(text, ours=True, note=waits and f"{who}: exported as it is, {waits}")


def _without_row(table: Table, people: Iterable[Person], scores: Scores) -> list[str]:
    return [
        f"{person.id}: handed in {few(handed_in)}, and is in no row of {table.name}: not exported"
        for person in people
        if (handed_in := scores.handed_in(person.id))
    ]


def _nobody(table: Table, keys: Mapping[int, KeysOf], scores: Scores) -> str:
    compared = ", ".join(repr(table.header[index]) for index in keys)
    return (
        f"no row of {table.name} is a student of the gradebook (compared: {compared}; in the gradebook: "
        f"{few(list(scores.people)) or 'nobody'}). Give students their email and lms_user_id with "
        "`nbgrader db student import students.csv`"
    )
