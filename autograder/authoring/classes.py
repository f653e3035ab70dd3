"""A lesson before the judges of a few made-up classes, and words for what they say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

import numpy as np

from autograder.exercise import Exercise, Function
from autograder.judging.cases import Ask, HiddenCase
from autograder.judging.judge import Judge
from autograder.judging.on_ranks import perform
from autograder.judging.verdict import ExerciseVerdict
from autograder.library import Library
from autograder.sandbox.script import Event, Step
from autograder.wording import counted

#: The secrets of made-up classes.
CLASSES = (b"one class", b"another", b"a third")
MANY_CLASSES = tuple(f"class {number}".encode() for number in range(40))
#: On ranks structure shows in the first few: who sends what does not hang on the numbers.
CLASSES_ON_RANKS = 5
_SHOWN = 4


def asking(name: str, function: Function) -> Ask:
    """An `ask` that answers for the exercise `name` with `function`, without warnings."""

    def ask(steps: Sequence[Step]) -> list[Event]:
        with np.errstate(all="ignore"):
            return perform(steps, {name: function})

    return ask


class Classes:
    """One lesson before the judges of several classes: what they work out is worked out once."""

    def __init__(self, library: Library):
        self.library = library
        self.judge = cache(lambda secret: Judge(library, secret))

    def verdict(self, exercise: Exercise, function: Function, secret: bytes = CLASSES[0]) -> ExerciseVerdict:
        """The verdict on `function` as `exercise`, in the class of `secret`."""
        judge: Judge = self.judge(secret)
        return judge.exercise(exercise.name, asking(exercise.name, function))

    def cases(self, exercise: Exercise, secret: bytes = CLASSES[0]) -> tuple[HiddenCase, ...]:
        """The hidden cases of that class. Raises GraderFault where one can't be drawn or answered."""
        judge: Judge = self.judge(secret)
        return judge.cases.of(exercise.name)


def points_of(verdict: ExerciseVerdict) -> str:
    return f"{verdict.score or 0:g} of {counted(int(verdict.max_score), 'point')}"


def named(cases: Sequence[HiddenCase]) -> str:
    return f"{counted(len(cases), 'case')} ({listed(case.name for case in cases)})"


def listed(names: Iterable[str]) -> str:
    every = list(dict.fromkeys(names))
    rest = f" and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
    return ", ".join(every[:_SHOWN]) + rest
