"""Judging an exercise that builds on one that could not be run at all, or whose mistake leaves nothing to
judge: it looped, crashed, took all memory, or gave nan for everything.

A function that makes up numbers stands in for the upstream one, in the student's process and in the
reference alike, and the composition is judged by what it makes of them. Whoever reads the stand-in
there finds no answer, and no list of calls either: its numbers follow from its arguments, so they are
had by computing the right arguments and in no other way. Of the upstream's right output it keeps the
shape and the zeros; of the right arguments it tells the shapes and the order of magnitude.
"""

from __future__ import annotations

import math
from bisect import bisect
from itertools import pairwise
from typing import Any

import numpy as np

from attention_lib.compare import same_data
from autograder.exercise import Function
from autograder.sandbox.script import Stand, made_up, mark, parts

#: Marks of the same arguments, computed in another order in single precision, differ by less.
_SAME_MARK = 1e-5


class NoStandIn(Exception):
    """The upstream's output is nothing that made-up numbers could stand for."""


class StandIn:
    """Made-up numbers in the place of `function`; it remembers which kinds of calls there were."""

    def __init__(self, name: str, function: Function, rng: np.random.Generator):
        self.name = name
        self._function = function
        self._rng = rng
        self._kinds: dict[tuple[tuple[int, ...], ...], _Kind] = {}

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        right = _as_arrays(self._function(*arguments, **named))
        results = parts(right)
        if any(result.dtype.kind != "f" for result in results):
            raise NoStandIn(f"{self.name} gives {', '.join(str(result.dtype) for result in results)}")
        given = parts((*arguments, *named.values()))
        shapes = tuple(map(np.shape, given))
        if shapes not in self._kinds:
            self._kinds[shapes] = _Kind(given, self._rng)
        return self._kinds[shapes].answer(given, right)

    @property
    def step(self) -> Stand:
        """The step that puts the stand-in into a script."""
        return Stand(self.name, tuple(kind.sent() for kind in self._kinds.values()))


class _Kind:
    """The calls whose arguments have the same shapes as `arguments`."""

    def __init__(self, arguments: tuple[Any, ...], rng: np.random.Generator):
        self._rng = rng
        self._weights = tuple(_weights(np.shape(value), rng) for value in arguments)
        self._scales = tuple(map(_scale, arguments))
        self._phases: dict[tuple[Any, ...], Any] = {}
        #: the marks of the calls, in order, and for each where the upstream's right output is not 0
        self._marks: list[float] = []
        self._visible: list[Any] = []

    def answer(self, arguments: tuple[Any, ...], right: Any) -> Any:
        place = mark(self._weights, self._scales, arguments)
        at = bisect(self._marks, place - _SAME_MARK)
        if at == len(self._marks) or self._marks[at] > place + _SAME_MARK:
            self._marks.insert(at, place)
            self._visible.insert(at, _where_not_zero(right))
        return made_up(place, self._visible[at], self._phases_of(right))

    def _phases_of(self, result: Any, *position: int) -> Any:
        """Fresh phases for each shape, and for each place in a tuple of results."""
        if isinstance(result, tuple):
            return tuple(self._phases_of(one, place) for place, one in enumerate(result))
        key = (position, result.shape)
        if key not in self._phases:
            self._phases[key] = self._rng.uniform(0, 2 * math.pi, result.shape)
        return self._phases[key]

    def sent(self) -> tuple[Any, ...]:
        """What the student's side needs in order to answer alike: of the calls, only between which marks
        the zeros change."""
        edges, visible = [], self._visible[:1]
        for (below, above), other in zip(pairwise(self._marks), self._visible[1:], strict=True):
            if not same_data(visible[-1], other):
                edges.append((below + above) / 2)
                visible.append(other)
        outcomes = tuple((one, self._phases_of(one)) for one in visible)
        return self._weights, self._scales, np.array(edges), outcomes


def _as_arrays(results: Any) -> Any:
    """What a function gave back, with an array for each result; tuples stay tuples."""
    return tuple(map(_as_arrays, results)) if isinstance(results, tuple) else np.asarray(results)


def _where_not_zero(right: Any) -> Any:
    """1 where a number of `right` is not 0, in its dtype; of a tuple, result by result."""
    if isinstance(right, tuple):
        return tuple(map(_where_not_zero, right))
    return (right != 0).astype(right.dtype)


def _weights(shape: tuple[int, ...], rng: np.random.Generator) -> Any:
    """Of either sign and none near 0, so that each number counts and its place too."""
    return np.asarray(rng.uniform(1, 2, shape) * rng.choice([-1, 1], shape))


def _scale(value: Any) -> float:
    """The power of two next above the numbers in `value`: their order of magnitude and no more."""
    finite = np.abs(np.nan_to_num(np.asarray(value, float), nan=0, posinf=0, neginf=0))
    return 2.0 ** math.ceil(math.log2(np.max(finite, initial=0) or 1))
