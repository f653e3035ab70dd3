"""Judging an exercise whose upstream could not be run at all: it looped, crashed, or took all memory.

A table of random values stands in for the upstream function, in the student's process and in the
reference alike. The composition is judged by what it makes of them, and since the values are drawn at
random, the table holds no answer: of the upstream's right output it keeps the shape and the zeros.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from autograder.exercise import Function
from autograder.sandbox.script import Stand, same_arguments


class NoStandIn(Exception):
    """The upstream's output is nothing that random numbers could stand for."""


class StandIn:
    """Random values in the place of `function`: the same for the same arguments, and remembered."""

    def __init__(self, name: str, function: Function, rng: np.random.Generator):
        self.name = name
        self._function = function
        self._rng = rng
        self._answers: list[tuple[tuple[Any, ...], Any]] = []

    def __call__(self, *arguments: Any) -> Any:
        for known, value in self._answers:
            if same_arguments(known, arguments):
                return np.copy(value)
        right = np.asarray(self._function(*arguments))
        if right.dtype.kind != "f":
            raise NoStandIn(f"{self.name} gives {right.dtype}")
        value = np.where(right == 0, 0, self._rng.uniform(0.1, 1, right.shape)).astype(right.dtype)
        self._answers.append((tuple(np.copy(argument) for argument in arguments), value))
        return np.copy(value)

    @property
    def step(self) -> Stand:
        """The step that puts the table into a script."""
        return Stand(self.name, tuple(self._answers))
