"""What a regrade would change for a student, and how a person is told: in lines, or in rows of a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from autograder.classroom.exports_csv import FORMULA
from autograder.classroom.standings import Points, Standing
from autograder.classroom.summary import LessonRun
from autograder.exercise import Outcome
from autograder.wording import columns, one_line

TITLES = (
    "lesson",
    "student",
    "before",
    "after",
    "change",
    "out_of",
    "penalty_before",
    "penalty_after",
    "cells",
    "manual",
)
NO_POINTS = Points(None, None, None, 0.0)


@dataclass(frozen=True)
class Judged:
    """What a cell was judged to be, a mistake or an outcome, and the points of each aspect."""

    label: str
    aspects: Mapping[str, float | None] = field(default_factory=dict)

    def to(self, now: Judged) -> str:
        """What is different now; empty where nothing is that can be told."""
        if self.label != now.label:
            return f"{self.label} → {now.label}"
        steps = [(name, self.aspects.get(name), points) for name, points in now.aspects.items()]
        return ", ".join(
            f"{name} {old:g} → {new:g}"
            for name, old, new in steps
            if old is not None and new is not None and _differ(old, new)
        )


#: By the cell's name.
Judgement = Mapping[str, Judged]


@dataclass(frozen=True)
class Change:
    """One submission before and after a regrade. `before` is None where it was in no gradebook."""

    student: str
    before: Standing | None
    after: Standing
    was: Judgement = field(default_factory=dict)
    now: Judgement = field(default_factory=dict)

    @property
    def difference(self) -> float:
        """Points won, or lost."""
        return self.after.score - (self.before.score if self.before else 0.0)

    @property
    def is_felt(self) -> bool:
        """Whether the student's points, or what they are out of, change."""
        old = self.before or Standing()
        return (
            _differ(old.score, self.after.score)
            or _differ(old.out_of, self.after.out_of)
            or bool(self.cells())
            or old.penalty != self.after.penalty
        )

    def cells(self) -> list[str]:
        """The cells whose points change, each with what it was and is."""
        return [
            self._cell(name, old, new)
            for name, old, new in self._pairs()
            if _differ(old.score, new.score) or _differ(old.out_of, new.out_of) or old.is_open != new.is_open
        ]

    def manual(self) -> list[str]:
        """The points that a person gave and that stay, with what the grader says of them."""
        return [_kept(name, old, new) for name, old, new in self._pairs() if new.manual is not None]

    def _pairs(self) -> Iterator[tuple[str, Points, Points]]:
        old = self.before.cells if self.before else {}
        for name, points in self.after.cells.items():
            yield name, old.get(name, NO_POINTS), points

    def _cell(self, name: str, old: Points, new: Points) -> str:
        was, now = self.was.get(name), self.now.get(name)
        why = was.to(now) if was and now else ""
        out_of = f" of {old.out_of:g} → {new.out_of:g}" if _differ(old.out_of, new.out_of) else ""
        return f"{_plain(name)} {_shown(old)} → {_shown(new)}{out_of}{f' ({why})' if why else ''}"


@dataclass(frozen=True)
class LessonPreview:
    """What a run would do to one lesson's class; `run` counts it as a run does."""

    lesson: str
    run: LessonRun
    changes: tuple[Change, ...]

    @property
    def regraded(self) -> list[Change]:
        """Those that had a grade before."""
        return [change for change in self.changes if change.before is not None]

    def lines(self) -> list[str]:
        """How many, who changes and why, the sums, and what a person gave that stays."""
        return [self._title(), *self._felt(), *self._sums(), *self._manual(), *self.run.lines()[1:]]

    def rows(self) -> Iterator[dict[str, Any]]:
        """A row by `TITLES` for each submission that would be graded, or has another penalty."""
        for change in self.changes:
            before, after = change.before, change.after
            yield {
                "lesson": self.lesson,
                "student": _no_formula(change.student),
                "before": f"{before.score:g}" if before else "",
                "after": f"{after.score:g}",
                "change": f"{change.difference:g}" if before else "",
                "out_of": f"{after.out_of:g}",
                "penalty_before": f"{before.penalty:g}" if before else "",
                "penalty_after": f"{after.penalty:g}",
                "cells": "; ".join(change.cells()),
                "manual": "; ".join(change.manual()),
            }

    def _title(self) -> str:
        again, new = len(self.regraded), len(self.changes) - len(self.regraded)
        parts = [f"{again} would be graded again"]
        parts += [f"{new} for the first time"] if new else []
        return f"{self.lesson}: {', '.join([*parts, f'{self.unchanged} unchanged'])}"

    @property
    def unchanged(self) -> int:
        """Submissions that would not be touched."""
        return self.run.unchanged - len(self.run.repriced)

    def _felt(self) -> list[str]:
        felt = [change for change in self.regraded if change.is_felt]
        names = [one_line(change.student, 40) for change in felt]
        width = max(map(columns, names), default=0)
        return [
            f"  {name}{' ' * (width - columns(name))}  {_told(change)}"
            for name, change in zip(names, felt, strict=True)
        ]

    def _sums(self) -> list[str]:
        steps = [change.difference for change in self.regraded]
        if not steps:
            return []
        up, down = sum(step > TINY for step in steps), sum(step < -TINY for step in steps)
        mean = sum(steps) / len(steps)
        return [f"  {up} up, {down} down, {len(steps) - up - down} the same; on average {mean:+.3g} points"]

    def _manual(self) -> list[str]:
        kept = [(change.student, told) for change in self.regraded if (told := change.manual())]
        title = "  points that a person gave, which stay; the formgrader asks for a look at each again"
        lines = [f"    {one_line(student, 40)}: {'; '.join(told)}" for student, told in kept]
        return [title, *lines] if lines else []


def judgement(verdict: Mapping[str, Any]) -> dict[str, Judged]:
    """What each cell of a verdict was judged to be."""
    judged = {**verdict.get("exercises", {}), **verdict.get("questions", {})}
    return {
        f"test_{name}": Judged(
            _label(found),
            {aspect: told["score"] for aspect, told in found.get("aspects", {}).items()},
        )
        for name, found in judged.items()
    }


def table(previews: Iterable[LessonPreview]) -> str:
    """All rows as CSV, titles first."""
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, TITLES, lineterminator="\n")
    writer.writeheader()
    writer.writerows(row for preview in previews for row in preview.rows())
    return file.getvalue()


#: A difference that is a float's rounding.
TINY = 1e-9


def _differ(one: float, other: float) -> bool:
    return abs(one - other) > TINY


def _label(found: Mapping[str, Any]) -> str:
    if known := found.get("misconception"):
        return str(known)
    lacking = [
        name for name, aspect in found.get("aspects", {}).items() if aspect["outcome"] != Outcome.PASSED.value
    ]
    outcome = str(found["outcome"])
    without = f" without {', '.join(lacking)}" if outcome == Outcome.PARTIAL.value and lacking else ""
    carried = f", right given {found['carried_from']}" if found.get("carried_from") else ""
    return f"{outcome}{without}{carried}"


def _told(change: Change) -> str:
    old = change.before or Standing()
    parts = change.cells()
    if _differ(old.penalty, change.after.penalty):
        parts.append(f"late penalty {old.penalty:g} → {change.after.penalty:g}")
    if old.timestamp != change.after.timestamp:
        parts.append("handed in again")
    score = f"{old.score:g} → {change.after.score:g} of {change.after.out_of:g}"
    return f"{score}  {'; '.join(parts)}"


def _kept(name: str, old: Points, new: Points) -> str:
    extra = f" + {new.extra:g} extra" if new.extra else ""
    grader = "" if old.auto is None and new.auto is None else f" (the grader {_auto(old)} → {_auto(new)})"
    return f"{_plain(name)} {new.manual:g}{extra}{grader}"


def _auto(points: Points) -> str:
    return "open" if points.auto is None else f"{points.auto:g}"


def _shown(points: Points) -> str:
    return "open" if points.is_open else f"{points.score:g}"


def _plain(name: str) -> str:
    return name.removeprefix("test_")


def _no_formula(text: str) -> str:
    return f"'{text}" if FORMULA.match(text) else text
