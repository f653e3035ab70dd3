"""Which columns of a learning management system's file are ours."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from autograder.classroom.exports_csv import Table
from autograder.classroom.exports_fill import Column, KeysOf, few
from autograder.classroom.exports_scores import Scores
from autograder.library import UserError, topic


@dataclass(frozen=True)
class Layout:
    """first: the first row that is a student's. keys: the columns that tell who it is. columns: the
    lessons'. kept: the columns to write, in their order."""

    first: int
    keys: Mapping[int, KeysOf]
    columns: tuple[Column, ...]
    kept: tuple[int, ...]


def find_columns(
    table: Table,
    scores: Scores,
    candidates: Mapping[int, tuple[str, ...]],
    chosen: Mapping[str, str],
    points: Callable[[int], float | None],
) -> tuple[Column, ...]:
    """The column of each lesson among `candidates`, which have one or more names each: the one that is
    `chosen` for it, or else named after it.

    Raises UserError for a lesson that does not exist or has two columns, and when there is none for any.
    """
    found = []
    for lesson in scores.lessons:
        fits = _fits(lesson, candidates, chosen)
        if len(fits) > 1:
            shown = few([repr(table.header[index]) for index in fits])
            raise UserError(f"{lesson} has {len(fits)} columns in {table.name}: {shown}; say which is meant")
        if lesson in chosen and not fits:
            raise UserError(
                f"{table.name} has no column {chosen[lesson]!r}: expected {_shown(table, candidates)}"
            )
        found += [Column(index, lesson, points(index)) for index in fits]
    if not found:
        raise UserError(
            f"no column of {table.name} is named after a lesson ({few(list(scores.lessons)) or 'none yet'}): "
            f"it has {_shown(table, candidates)}. Say which is whose, in nbgrader_config.py: "
            "c.CanvasExporter.columns = {'LESSON': 'COLUMN'}, or c.MoodleExporter.columns"
        )
    return tuple(found)


def _fits(lesson: str, candidates: Mapping[int, tuple[str, ...]], chosen: Mapping[str, str]) -> list[int]:
    if lesson in chosen:
        return [index for index, names in candidates.items() if str(chosen[lesson]).strip() in names]
    wanted = {_letters(lesson), _letters(topic(lesson))}
    return [
        index
        for index, names in candidates.items()
        if names[0] not in map(str, chosen.values()) and any(_letters(name) in wanted for name in names)
    ]


def _letters(name: str) -> str:
    """`01 Dot-product similarity` and `01_dot_product_similarity` are the same."""
    return re.sub(r"[\W_]+", "", name.casefold())


def _shown(table: Table, candidates: Mapping[int, object]) -> str:
    return few([repr(table.header[index]) for index in candidates]) or "no column for grades"
