"""The mistakes of a class by exercise: those that are known, those that are not, those carried on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from autograder.classroom.class_report.gathering import Handed, Verdict
from autograder.exercise import Exercise, Outcome

WRONG = (Outcome.PARTIAL, Outcome.FAILED, Outcome.ERRORED, Outcome.TIMED_OUT)
ANSWERED_WRONG = (Outcome.PARTIAL, Outcome.FAILED)


@dataclass(frozen=True)
class Mistake:
    """A known mistake: how many made it, as a share of the submissions and of the wrong answers to its
    exercise, and what their feedback asks them."""

    exercise: str
    name: str
    hint: str
    count: int
    of_submissions: float
    of_wrong: float


@dataclass(frozen=True)
class Carried:
    """How many answers were right, given an earlier mistake in `upstream`."""

    upstream: str
    count: int


@dataclass(frozen=True)
class ExerciseMistakes:
    """What went wrong in one exercise. Of the `wrong` answers, those of the students `unknown` fit no known
    mistake, and `broken` raised an error or ran out of time."""

    exercise: str
    wrong: int
    known: tuple[Mistake, ...]
    unknown: tuple[str, ...]
    broken: int
    carried: tuple[Carried, ...]

    @property
    def says_something(self) -> bool:
        return bool(self.wrong or self.carried)


def mistakes(handed: Handed) -> tuple[ExerciseMistakes, ...]:
    """The mistakes by exercise, in the lesson's order."""
    graded = handed.graded
    return tuple(_of_exercise(exercise, graded) for exercise in handed.hidden.exercises.values())


def most_frequent(found: Sequence[ExerciseMistakes]) -> list[Mistake]:
    """All known mistakes, the most frequent first."""
    known = [mistake for exercise in found for mistake in exercise.known]
    return sorted(known, key=lambda mistake: (-mistake.count, mistake.exercise, mistake.name))


def _of_exercise(exercise: Exercise, graded: Sequence[Verdict]) -> ExerciseMistakes:
    name = exercise.name
    judged = [(each["student"], each["exercises"][name]) for each in graded if name in each["exercises"]]
    own = [(student, found) for student, found in judged if not found["carried_from"]]
    wrong = [(student, found) for student, found in own if found["outcome"] in WRONG]
    counts = Counter(found["misconception"] for _, found in wrong if found["misconception"])
    strangers = [(student, found) for student, found in wrong if not found["misconception"]]
    return ExerciseMistakes(
        name,
        len(wrong),
        tuple(
            Mistake(name, known, _hint(exercise, known), count, count / len(graded), count / len(wrong))
            for known, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
        ),
        tuple(student for student, found in strangers if found["outcome"] in ANSWERED_WRONG),
        sum(found["outcome"] not in ANSWERED_WRONG for _, found in strangers),
        _carried([found for _, found in judged]),
    )


def _carried(judged: Sequence[Verdict]) -> tuple[Carried, ...]:
    counts = Counter(found["carried_from"] for found in judged if found["carried_from"])
    return tuple(Carried(upstream, count) for upstream, count in sorted(counts.items()))


def _hint(exercise: Exercise, mistake: str) -> str:
    return next((known.hint for known in exercise.misconceptions if known.name == mistake), "")
