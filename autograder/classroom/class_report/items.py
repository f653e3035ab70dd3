"""The items of a lesson: how hard each one was, and whether those who know more did better on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from autograder.classroom.class_report.gathering import Handed, Verdict
from autograder.classroom.class_report.statistics import discrimination
from autograder.exercise import Outcome

#: Of fewer submissions, no share is worth a look.
FEWEST_LOOKED_AT = 5
LOW_SHARE = 0.4
#: Where nearly all points were won, one slip decides what the item tells.
HIGH_SHARE = 0.95
TELLS_LITTLE = 0.1


@dataclass(frozen=True)
class Segment:
    """A part of a stacked bar: `start` and `share` are fractions of its length."""

    outcome: Outcome
    count: int
    start: float
    share: float


@dataclass(frozen=True)
class Item:
    """An exercise, question or free text: what became of it in the class. `won` is the share of its points
    over the `scored` submissions, None as long as most have an open score, of which there are `open`."""

    name: str
    kind: str
    points: float
    scored: int
    open: int
    won: float | None
    discrimination: float | None
    segments: tuple[Segment, ...] = ()

    @property
    def worth_a_look(self) -> tuple[str, ...]:
        """Why a person should look at this item, if so."""
        if self.won is None or self.scored < FEWEST_LOOKED_AT:
            return ()
        found = []
        tells = self.discrimination
        if tells is not None and self.won <= HIGH_SHARE and tells < TELLS_LITTLE:
            found.append(
                "those with fewer points on the rest did better on it"
                if tells < 0
                else "it hardly tells those with many points on the rest from those with few"
            )
        if self.won < LOW_SHARE:
            found.append(f"{100 * self.won:.0f} % of its points were won")
        return tuple(found)


def items(handed: Handed) -> tuple[Item, ...]:
    """All items of the lesson, in its order, the free texts last."""
    graded, hidden = handed.graded, handed.hidden
    automatic = {name: f"test_{name}" for name in (*hidden.exercises, *hidden.questions)}
    won = {name: [handed.won(each, name, cell) for each in graded] for name, cell in automatic.items()}
    totals = [sum(points or 0.0 for points in row) for row in zip(*won.values(), strict=True)]
    totals = totals or [0.0] * len(graded)
    found = [
        _item(name, kind, item.points, won[name], totals, graded)
        for kind, asked in (("exercise", hidden.exercises), ("question", hidden.questions))
        for name, item in asked.items()
    ]
    for name, text in hidden.free_texts.items():
        given = [handed.won(each, name, name) for each in graded]
        # the rest is what the machine graded: of the texts, some may wait
        with_text = [total + (points or 0.0) for total, points in zip(totals, given, strict=True)]
        found.append(_item(name, "free text", text.points, given, with_text, ()))
    return tuple(found)


def _item(
    name: str,
    kind: str,
    points: float,
    won: Sequence[float | None],
    totals: Sequence[float],
    graded: Sequence[Verdict],
) -> Item:
    known = [score for score in won if score is not None]
    waiting = len(won) - len(known)
    share = sum(known) / (points * len(known)) if points and len(known) > waiting else None
    tells = discrimination(won, totals) if share is not None else None
    return Item(name, kind, points, len(known), waiting, share, tells, segments(outcomes(graded, name)))


def outcomes(graded: Sequence[Verdict], name: str) -> list[Outcome]:
    """What became of the item `name` in each submission that has it."""
    judged = [verdict["exercises"].get(name) or verdict["questions"].get(name) for verdict in graded]
    return [Outcome(found["outcome"]) for found in judged if found]


def segments(found: Sequence[Outcome]) -> tuple[Segment, ...]:
    """The bar of these outcomes, in the order of `Outcome`."""
    counts, before = Counter(found), 0
    made: list[Segment] = []
    for outcome in Outcome:
        if count := counts[outcome]:
            made.append(Segment(outcome, count, before / len(found), count / len(found)))
            before += count
    return tuple(made)
