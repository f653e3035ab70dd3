"""What a run over a class came to: how many, who needs a person and why, in lines that fit a screen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from autograder.classroom.results import GRADER_ERROR, Result
from autograder.exercise import Outcome
from autograder.wording import counted, one_line

#: Of each kind of trouble; the report names all.
MOST_NAMED = 10
MOST_CHARACTERS = 200

Verdict = Mapping[str, Any]


class Kind(Enum):
    """What kind of trouble a submission is in, the gravest first, as the summary says it."""

    FAULT = "failed by the grader, not by the student: the score is open, for a person or the next run"
    DAMAGED = "without a grade: ask for the notebook again, or grade it by hand"
    STOPPED = "stopped for a time, the rest of the notebook is graded: worth a look"
    RELEASE = "made on another release of the lesson, graded as this one: see docs/instructors.md"


@dataclass(frozen=True)
class Trouble:
    """A submission that a person should know of, and why."""

    student: str
    kind: Kind
    why: str


@dataclass
class LessonRun:
    """What happened to one lesson's class: `troubles` of this run, and `still`, those of the unchanged
    that wait for a person from an earlier run; `repriced` are the unchanged whose late penalty changed."""

    lesson: str
    graded: int = 0
    ungraded: int = 0
    unchanged: int = 0
    still_ungraded: int = 0
    repriced: list[str] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    still: list[Trouble] = field(default_factory=list)

    @property
    def troubled(self) -> list[tuple[str, str]]:
        """The students in trouble in this run, each with the reason."""
        return [(trouble.student, trouble.why) for trouble in self.troubles]

    def add(self, student: str, result: Result) -> str | None:
        """Count a result that was recorded; gives back what a person should know about it at once, which
        another release is not: a whole class can be on it."""
        self.graded += result.notebook is not None
        self.ungraded += result.notebook is None
        trouble = trouble_of(student, result.verdict)
        if trouble is not None:
            self.troubles.append(trouble)
        return trouble.why if trouble and trouble.kind is not Kind.RELEASE else None

    def keep(self, student: str, verdict: Verdict) -> None:
        """Count a submission that has not changed since it got `verdict`."""
        self.unchanged += 1
        self.still_ungraded += "error" in verdict
        trouble = trouble_of(student, verdict)
        if trouble is not None and trouble.kind not in (Kind.STOPPED, Kind.RELEASE):
            self.still.append(trouble)

    def summary(self) -> str:
        """The run in one line."""
        still = f" ({self.still_ungraded} of them without a grade)" if self.still_ungraded else ""
        parts = [f"{self.graded} graded", f"{self.unchanged} unchanged{still}"]
        parts += [f"{self.ungraded} without a grade"] if self.ungraded else []
        if self.repriced:
            parts += [f"{counted(len(self.repriced), 'late penalty', 'late penalties')} changed"]
        return f"{self.lesson}: {', '.join(parts)}"

    def lines(self) -> list[str]:
        """The run in one line, and who needs a person, by kind."""
        return [self.summary(), *(line for kind in Kind for line in self._named(kind))]

    def _named(self, kind: Kind) -> list[str]:
        found = [trouble for trouble in (*self.troubles, *self.still) if trouble.kind is kind]
        rows = [f"{trouble.student}: {trouble.why}" for trouble in found]
        return [f"  {kind.value}", *shortened(rows, "`autograder report` names all")] if rows else []


def shortened(rows: list[str], where: str) -> list[str]:
    """The first of `rows`, indented, and how many more there are, with `where` to find them."""
    more = len(rows) - MOST_NAMED
    named = [f"    {one_line(row, MOST_CHARACTERS)}" for row in rows[:MOST_NAMED]]
    return [*named, f"    and {more:,} more: {where}"] if more > 0 else named


def overlooked_lines(overlooked: list[str]) -> list[str]:
    """What was handed in and is graded by no run, as the summary says it."""
    if not overlooked:
        return []
    title = (
        f"not graded: {counted(len(overlooked), 'file or folder', 'files and folders')} in the wrong place"
    )
    return [title, *shortened(overlooked, "look through submitted/")]


def trouble_of(student: str, verdict: Verdict) -> Trouble | None:
    """What a person should know about a submission: no grade, no time left, no answer from the grader,
    another release than the one that it was graded as."""
    if error := verdict.get("error"):
        kind = Kind.FAULT if verdict.get("kind") == GRADER_ERROR else Kind.DAMAGED
        return Trouble(student, kind, str(error))
    faults, late = _with_outcome(verdict, Outcome.GRADER_ERROR), _with_outcome(verdict, Outcome.TIMED_OUT)
    told = [f"{stop['cell']}: {stop['why']}" for stop in verdict.get("stopped", ())]
    told += [f"timed out: {', '.join(late)}"] if late else []
    told += [f"grader error: {', '.join(faults)}"] if faults else []
    kind = Kind.FAULT if faults else Kind.STOPPED if told else Kind.RELEASE
    told += [f"release {stamp}"] if (stamp := verdict.get("other_release")) else []
    return Trouble(student, kind, "; ".join(told)) if told else None


def _with_outcome(verdict: Verdict, outcome: Outcome) -> list[str]:
    judged = {**verdict.get("exercises", {}), **verdict.get("questions", {})}
    return [name for name, found in judged.items() if found["outcome"] == outcome.value]
