"""The hidden cases of an exercise: drawn once a class, with every expected answer worked out once.

Trusted side only. Expected answers come from running the reference, the misconceptions and the
alternatives here, through the same interpreter that runs the student's function in the sandbox.
"""

from __future__ import annotations

import hashlib
import types
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any

import numpy as np

from attention_lib.compare import compare, same_data
from attention_lib.tolerance import Tolerance
from autograder.exercise import Case, Drawn, Exercise, Function
from autograder.judging.events import agrees_by_value, difference
from autograder.judging.on_ranks import one_call_on_ranks, perform
from autograder.judging.stand_ins import StandIn
from autograder.library import Library
from autograder.sandbox.script import (
    Event,
    Let,
    Raised,
    Returned,
    Script,
    Step,
    one_call,
)


class GraderFault(Exception):
    """The grader itself failed: no student may lose a point by it."""


@dataclass(frozen=True)
class HiddenCase:
    """One case as it is asked: its steps, the expected events and how closely answers must agree."""

    aspect: str
    name: str
    steps: Script
    expected: tuple[Event, ...]
    tolerance: Tolerance

    @property
    def inputs(self) -> dict[str, Any]:
        return {step.name: step.value for step in self.steps if isinstance(step, Let)}


@dataclass(frozen=True)
class StoodIn:
    """One case with stand-ins: the steps that put them in place, and each right answer, with whether it
    depends on the numbers that they make up."""

    case: HiddenCase
    stand_ins: tuple[Step, ...]
    answers: tuple[tuple[tuple[Event, ...], bool], ...]


#: What is built on mistakes upstream is kept for so many sets of mistakes: a class makes the same ones.
_KEPT = 256
_Answers = tuple[tuple[Event, ...], ...]


class HiddenCases:
    """The cases of every exercise of a lesson, drawn from the course's secret."""

    def __init__(self, library: Library, secret: bytes):
        self._library = library
        self._secret = secret
        self.of = cache(self._of)
        self.mistaken = cache(self._mistaken)
        # a cache needs keys that don't change: the items of a mapping of functions
        self._carried_kept = lru_cache(_KEPT)(lambda name, items: self._carried(name, dict(items)))
        self._stood_in_kept = lru_cache(_KEPT)(
            lambda name, absent, items: self._stood_in(name, absent, dict(items))
        )

    def _of(self, name: str) -> tuple[HiddenCase, ...]:
        """The cases of exercise `name`. Raises GraderFault when one can't be drawn or answered."""
        exercise = self._library.exercises[name]
        return tuple(
            self._prepare(exercise, aspect.name, case) for aspect in exercise.aspects for case in aspect.cases
        )

    def _prepare(self, exercise: Exercise, aspect: str, case: Case) -> HiddenCase:
        label = f"{exercise.name}, {aspect}, {case.__name__}"
        try:
            drawn = case(self._rng(exercise.name, aspect, case.__name__))
        except Exception as error:
            raise GraderFault(f"the inputs of {label} could not be drawn: {error!r}") from error
        steps = Script(_steps(exercise, drawn))
        expected = answer(exercise.name, exercise.reference, steps)
        _require_expected_ending(label, case, expected)
        tolerance = exercise.agreement.on([step.value for step in steps if isinstance(step, Let)])
        if getattr(case, "within_budget", False):
            tolerance = replace(tolerance, budget=exercise.may_send(drawn))
        return HiddenCase(aspect, case.__name__, steps, expected, tolerance)

    def _rng(self, *words: str) -> np.random.Generator:
        digest = hashlib.sha256(self._secret + "\0".join([self._library.lesson, *words]).encode()).digest()
        return np.random.default_rng(int.from_bytes(digest))

    def _mistaken(self, name: str, misconception: str) -> _Answers:
        """What the misconception answers, case by case."""
        exercise = self._library.exercises[name]
        function = next(known.function for known in exercise.misconceptions if known.name == misconception)
        return tuple(answer(name, function, case.steps) for case in self.of(name))

    def carried(
        self, name: str, standing_in: Mapping[str, Function]
    ) -> tuple[tuple[Function, _Answers], ...]:
        """For the reference and each alternative built on all of the exercises in `standing_in`: the
        function with those stand-ins in place, and what it answers, case by case."""
        return self._carried_kept(name, frozenset(standing_in.items()))

    def _carried(
        self, name: str, standing_in: Mapping[str, Function]
    ) -> tuple[tuple[Function, _Answers], ...]:
        exercise = self._library.exercises[name]
        rebuilt = [
            self._rebuilt(builder, standing_in)
            for builder in (exercise.reference, *exercise.alternatives)
            if set(standing_in) <= self.builds_on(builder)
        ]
        return tuple(
            (made, tuple(answer(name, made, case.steps) for case in self.of(name))) for made in rebuilt
        )

    def could_be_had_without(
        self,
        name: str,
        standing_in: Mapping[str, Function],
        answers: Sequence[tuple[Event, ...]],
        failing: Sequence[int],
    ) -> bool:
        """Whether `answers`, on the cases at the places `failing`, say nothing about the functions in
        `standing_in`: they hold no number, give back what came in, or stay as they are when one of the
        functions is given other arguments."""
        cases = [self.of(name)[place] for place in failing]
        given = [answers[place] for place in failing]
        if not any(map(_holds_a_number, given)):
            return True
        if all(_gives_back(case, events) for case, events in zip(cases, given, strict=True)):
            return True
        for upstream, function in standing_in.items():
            distracted = _Distracted(function)
            for _, others in self._carried(name, {**standing_in, upstream: distracted}):
                same = (
                    difference(answers[i], others[i], self.of(name)[i].tolerance) is None for i in failing
                )
                if distracted.given_others and all(same):
                    return True
        return False

    def stood_in(
        self, name: str, absent: frozenset[str], standing_in: Mapping[str, Function]
    ) -> tuple[StoodIn, ...]:
        """Case by case, what becomes of it with stand-ins for the exercises `absent`, in the reference and
        in each alternative that is built on one of these."""
        return self._stood_in_kept(name, absent, frozenset(standing_in.items()))

    def _stood_in(
        self, name: str, absent: frozenset[str], standing_in: Mapping[str, Function]
    ) -> tuple[StoodIn, ...]:
        exercise = self._library.exercises[name]
        builders = [b for b in (exercise.reference, *exercise.alternatives) if absent & self.builds_on(b)]
        found = []
        for case in self.of(name):
            stand_ins, others = (self._stand_ins(name, case, absent, draw) for draw in ("", "again"))
            answers = []
            for builder in builders:
                one, other = (
                    answer(name, self._rebuilt(builder, {**standing_in, **drawn}), case.steps)
                    for drawn in (stand_ins, others)
                )
                depends = agrees_by_value(one, other) and difference(one, other, case.tolerance) is not None
                answers.append((one, depends))
            found.append(StoodIn(case, tuple(made.step for made in stand_ins.values()), tuple(answers)))
        return tuple(found)

    def _stand_ins(
        self, name: str, case: HiddenCase, absent: frozenset[str], draw: str
    ) -> dict[str, StandIn]:
        """Fresh stand-ins for the exercises `absent`, for one case."""
        return {
            upstream: StandIn(
                upstream,
                self._library.exercises[upstream].reference,
                self._rng(name, case.aspect, case.name, upstream, draw),
            )
            for upstream in sorted(absent)
        }

    def builds_on(self, function: Function) -> set[str]:
        """The exercises whose names `function` uses, directly or through one another."""
        found: set[str] = set()
        waiting = [function]
        while waiting:
            for used in _names_used(waiting.pop().__code__) & set(self._library.exercises) - found:
                found.add(used)
                waiting.append(self._library.exercises[used].reference)
        return found

    def _rebuilt(self, function: Function, standing_in: Mapping[str, Function]) -> Function:
        """`function` in a world where the stand-ins are the exercises of their names."""
        worlds: dict[int, dict[str, Any]] = {}

        def world_of(other: Function) -> dict[str, Any]:
            """The names of the file that `other` stands in."""
            return worlds.setdefault(id(other.__globals__), dict(other.__globals__))

        rebuilt = _in_world(function, world_of(function))
        references = {
            name: _in_world(exercise.reference, world_of(exercise.reference))
            for name, exercise in self._library.exercises.items()
        }
        for world in worlds.values():
            world.update(references)
            world.update(standing_in)
        return rebuilt


def steps_of(exercise: Exercise, arguments: Sequence[Any]) -> list[Any]:
    """The script that calls the exercise's function with `arguments`: on ranks, with a tuple for each."""
    if exercise.on_ranks:
        return one_call_on_ranks(exercise.name, exercise.parameters, arguments)
    return one_call(exercise.name, arguments)


def _steps(exercise: Exercise, drawn: Drawn) -> list[Any]:
    is_script = isinstance(drawn, list) and not exercise.on_ranks
    return list(drawn) if is_script else steps_of(exercise, drawn)


def answer(name: str, function: Function, steps: Sequence[Step]) -> tuple[Event, ...]:
    """The events of `steps` with `function` under `name`, on inputs of its own, without warnings."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return tuple(perform(steps, {name: function}))


def _require_expected_ending(label: str, case: Case, expected: Sequence[Event]) -> None:
    """Only where the lesson says that an exception is the right answer may the reference raise."""
    last = expected[-1] if expected else None
    announced = getattr(case, "raises", None)
    if isinstance(last, Raised) and last.type_name != announced:
        raise GraderFault(f"the reference raises {last.type_name} on {label}: {last.message}")
    if announced and not isinstance(last, Raised):
        raise GraderFault(f"the reference does not raise {announced} on {label}")


def _holds_a_number(events: Sequence[Event]) -> bool:
    """Whether a call returned a finite number."""
    values = [event.value for event in events if isinstance(event, Returned)]
    return any(bool(np.any(np.isfinite(number))) for value in values for number in _arrays(value))


def _arrays(value: Any) -> Iterator[np.ndarray]:
    """The arrays of numbers in what a reference returned: several results, or rows of unequal lengths."""
    if isinstance(value, list | tuple):
        for item in value:
            yield from _arrays(item)
    elif isinstance(value, bool | int | float | np.ndarray | np.generic):
        yield np.asarray(value)


def _gives_back(case: HiddenCase, events: Sequence[Event]) -> bool:
    """Whether one of the inputs is what a call returned."""
    return any(
        isinstance(event, Returned) and compare(event.value, value, case.tolerance) is None
        for event in events
        for value in case.inputs.values()
    )


class _Distracted:
    """`function`, whose arguments are off by up to a tenth, the same arguments always by the same.
    `given_others` tells whether there were any numbers to change."""

    def __init__(self, function: Function):
        self._function = function
        self.given_others = False

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        others = tuple(map(_off_by_a_tenth, arguments))
        self.given_others |= not same_data(arguments, others)
        return self._function(*others, **named)


def _off_by_a_tenth(value: Any) -> Any:
    """`value` with each number off by a factor of its own; whole numbers may say a size, and stay."""
    if not isinstance(value, float | np.ndarray | np.floating) or np.asarray(value).dtype.kind != "f":
        return value
    numbers = np.asarray(value)
    factors = 1 + 0.1 * np.sin(1 + np.arange(numbers.size).reshape(numbers.shape))
    return (numbers * factors).astype(numbers.dtype)


def _names_used(code: types.CodeType) -> set[str]:
    inner = [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return set(code.co_names).union(*(_names_used(part) for part in inner))


def _in_world(function: Function, world: dict[str, Any]) -> Function:
    """`function` with `world` for its globals."""
    assert isinstance(function, types.FunctionType)
    bound = types.FunctionType(
        function.__code__, world, function.__name__, function.__defaults__, function.__closure__
    )
    bound.__kwdefaults__ = function.__kwdefaults__
    return bound


#: Puts a script to the student's functions and gives back what came of it.
Ask = Callable[[Sequence[Step]], list[Event]]
