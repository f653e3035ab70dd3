"""Inputs a little other than a case's: what an author who needs one more case might add.

They know nothing of what an exercise allows. A variation on which the reference raises is passed over, and
whoever reads a suggestion decides whether the docstring allows such inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from autograder.exercise import Exercise, Function
from autograder.judging.cases import HiddenCase, answer
from autograder.judging.events import difference
from autograder.sandbox.script import Let, Raised

Change = Callable[[np.ndarray], np.ndarray]


def telling_case(
    exercise: Exercise, one: Function, other: Function, cases: Sequence[HiddenCase]
) -> str | None:
    """In words, a variation of one of `cases` that the reference answers, and on which `one` and `other`
    answer differently; None where there is no such variation."""
    for case in cases:
        for words, steps in variations(case.steps):
            if isinstance(answer(exercise.name, exercise.reference, steps)[-1], Raised):
                continue
            given, found = (answer(exercise.name, function, steps) for function in (one, other))
            if difference(given, found, case.tolerance) is not None:
                return f"{case.name} {words}"
    return None


def variations(steps: Sequence[Any]) -> Iterator[tuple[str, list[Any]]]:
    """Variations of a case's steps, each with words that go on from the case's name."""
    for size in _sizes(steps):
        for left in {1, size - 1} - {0, size}:
            words = f"with {left} in place of {size} along every axis of that length"
            yield words, _each_array(steps, partial(_cut, size, left))
    for words, change in _CHANGES.items():
        yield words, _each_array(steps, partial(_of_numbers, change))
    for words, change in _CHANGES_OF_WHOLE_NUMBERS.items():
        yield words, _each_array(steps, partial(_of_whole_numbers, change))
    for step in steps:
        if isinstance(step, Let) and type(step.value) is int:
            more = replace(step, value=step.value + 1)
            yield f"with {step.value + 1} in place of {step.value}", [more if s is step else s for s in steps]


def _first_row(array: np.ndarray, value: float) -> np.ndarray:
    changed = array.copy()
    changed[:1] = value
    return changed


def _with_equals(array: np.ndarray) -> np.ndarray:
    changed = array.copy()
    changed[..., :2] = array[..., :1]
    return changed


_CHANGES: dict[str, Change] = {
    "with every number negated": lambda array: -array,
    "with every number positive": np.abs,
    "with every number a hundred times as large": lambda array: 100 * array,
    "with every number larger by 10": lambda array: array + 10,
    "with zeros in the first row": lambda array: _first_row(array, 0),
    "with two equal numbers in every row": _with_equals,
    "in single precision": lambda array: array.astype(np.float32),
}


_CHANGES_OF_WHOLE_NUMBERS: dict[str, Change] = {
    "with every array of whole numbers reversed": lambda array: array[::-1],
    "with every whole number larger by 1": lambda array: array + 1,
}


def _each_array(steps: Sequence[Any], change: Change) -> list[Any]:
    return [
        replace(step, value=_changed(step.value, change)) if isinstance(step, Let) else step for step in steps
    ]


def _changed(value: Any, change: Change) -> Any:
    if isinstance(value, list | tuple):
        return type(value)(_changed(item, change) for item in value)
    return change(value) if isinstance(value, np.ndarray) else value


def _of_numbers(change: Change, array: np.ndarray) -> np.ndarray:
    """`array` changed where it holds numbers with a fraction; masks say a structure."""
    return change(array) if array.dtype.kind == "f" and array.ndim else array


def _of_whole_numbers(change: Change, array: np.ndarray) -> np.ndarray:
    return change(array) if array.dtype.kind in "iu" and array.ndim else array


def _cut(size: int, left: int, array: np.ndarray) -> np.ndarray:
    return array[tuple(slice(left) if length == size else slice(None) for length in array.shape)]


def _sizes(steps: Sequence[Any]) -> list[int]:
    """Every length of an axis above 1 among the inputs."""
    found = {length for step in steps if isinstance(step, Let) for length in _lengths(step.value)}
    return sorted(length for length in found if length > 1)


def _lengths(value: Any) -> Iterator[int]:
    if isinstance(value, list | tuple):
        for item in value:
            yield from _lengths(item)
    elif isinstance(value, np.ndarray):
        yield from value.shape
