"""What an exercise promises to be graded by, and what is missing where it is not: one sentence each.

The judge of a few made-up classes says it; nothing here decides what is right a second time.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import is_dataclass
from typing import Any

import numpy as np

from attention_lib.compare import same_data
from autograder.authoring.classes import (
    CLASSES,
    CLASSES_ON_RANKS,
    MANY_CLASSES,
    Classes,
    asking,
    listed,
    points_of,
)
from autograder.authoring.examples import example_steps, example_tolerance
from autograder.exercise import COMM, LEAVES_INPUTS_ALONE, Aspect, Exercise, Function, Outcome
from autograder.judging.cases import Ask, GraderFault, answer
from autograder.judging.events import difference
from autograder.judging.judge import Judge
from autograder.judging.on_ranks import perform
from autograder.sandbox.script import Event, Step, standing_in
from autograder.wording import counted


def can_be_asked(classes: Classes, exercise: Exercise) -> Iterator[str]:
    """Every case can be drawn, from `rng` alone, and the reference answers it. Where not, nothing else can
    be asked of the exercise."""
    for aspect in exercise.aspects:
        for case in aspect.cases:
            yield from _drawn_badly(exercise, aspect, case)
    for secret in CLASSES:
        try:
            classes.cases(exercise, secret)
        except GraderFault as fault:
            yield f"{fault}"
            return


def _drawn_badly(exercise: Exercise, aspect: Aspect, case: Callable[..., Any]) -> Iterator[str]:
    try:
        one, other = (case(np.random.default_rng(5)) for _ in range(2))
    except Exception:
        return  # the judge says so
    name = f"the case {case.__name__} of the aspect {aspect.name!r}"
    if not isinstance(one, tuple | list):
        given = type(one).__name__
        yield f"{name} gives back a value of type {given}: give a tuple of arguments, such as `return (X,)`"
    elif not _same_drawn(one, other):
        yield f"{name} draws something else each time: take every random number from its argument `rng`"


def structure_is_fixed(classes: Classes, exercise: Exercise) -> Iterator[str]:
    """The secret draws values; sizes and types are the same for every class."""
    one, *others = (classes.cases(exercise, secret) for secret in CLASSES)
    for place, case in enumerate(one):
        found = [_structure(list(case.inputs.values()))]
        found += [_structure(list(cases[place].inputs.values())) for cases in others]
        if any(other != found[0] for other in found):
            yield (
                f"the case {case.name} draws a size or a type: one class would be asked something else than "
                "the next. Write sizes down, and draw the numbers"
            )


def _structure(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_structure(item) for item in value]
    return np.shape(value), getattr(value, "dtype", type(value))


def _same_drawn(one: Any, other: Any) -> bool:
    """Whether two sets of inputs, or two scripts, are the same."""
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_same_drawn, one, other))
    if is_dataclass(one):
        return type(one) is type(other) and all(map(_same_drawn, vars(one).values(), vars(other).values()))
    return same_data(one, other)


def reference_is_steady(classes: Classes, exercise: Exercise) -> Iterator[str]:
    """The reference gets full marks, and gives the same on the same inputs."""
    for secret in CLASSES:
        for case in classes.cases(exercise, secret):
            again = answer(exercise.name, exercise.reference, case.steps)
            if (off := difference(case.expected, again, case.tolerance)) is not None:
                yield (
                    f"the reference gives something else when it is asked {case.name} again ({off.message}): "
                    "let what it draws or remembers follow from its arguments"
                )
                return
    verdict = classes.verdict(exercise, exercise.reference)
    if verdict.score != exercise.points:
        yield f"the reference itself gets {points_of(verdict)}: {verdict.message}"


def alternatives_are_right(classes: Classes, exercise: Exercise) -> Iterator[str]:
    """Other right solutions get full marks, and pass the public examples."""
    for function in exercise.alternatives:
        name = f"the alternative {function.__name__}"
        verdict = classes.verdict(exercise, function)
        if (verdict.outcome, verdict.score) != (Outcome.PASSED, exercise.points):
            yield (
                f"{name} gets {points_of(verdict)} ({verdict.message}): if it is right, a case or the "
                "tolerance asks for more than the docstring does"
            )
        for public in exercise.examples:
            steps, tolerance = example_steps(exercise, public), example_tolerance(exercise, public)
            right, given = (answer(exercise.name, f, steps) for f in (exercise.reference, function))
            if (off := difference(right, given, tolerance)) is not None:
                yield f"{name} is wrong on the public example {public.name!r}: {off.message}"


def mistakes_cost_the_same(
    classes: Classes, exercise: Exercise, secrets: Sequence[bytes] = MANY_CLASSES
) -> Iterator[str]:
    """A misconception loses the same points whatever the class's secret draws."""
    # judges of their own, so that what forty classes hold is not kept
    judges = [Judge(classes.library, secret) for secret in secrets[: _enough_classes(exercise)]]
    for known in exercise.misconceptions:
        ask = asking(exercise.name, known.function)
        verdicts = [judge.exercise(exercise.name, ask) for judge in judges]
        scores = Counter(verdict.score for verdict in verdicts)
        if len(scores) > 1:
            costs = ", ".join(
                f"{score:g} of {exercise.points:g} in {counted(n, 'class', 'classes')}"
                for score, n in scores.items()
            )
            lost = Counter(one.name for verdict in verdicts for one in verdict.aspects if not one.score)
            by_luck = [name for name, count in lost.items() if count < len(verdicts)]
            yield (
                f"the misconception `{known.name}` gets {costs}: whether the aspect "
                f"{listed(map(repr, by_luck))} shows it is luck. Draw its cases so that it always does"
            )


def _enough_classes(exercise: Exercise) -> int:
    return CLASSES_ON_RANKS if exercise.on_ranks else len(MANY_CLASSES)


def aspects_can_be_lost(classes: Classes, exercise: Exercise) -> Iterator[str]:
    """Each aspect is lost by some misconception; unchanged arguments by a reference that spoils them."""
    spoiling = _spoiling(exercise)
    for aspect in exercise.aspects:
        wrong = [spoiling] if aspect.name == LEAVES_INPUTS_ALONE else []
        wrong = wrong or [known.function for known in exercise.misconceptions]
        if not any(_loses(classes, exercise, aspect.name, function) for function in wrong):
            yield (
                f"nothing loses the aspect {aspect.name!r} ({aspect.points:g}): add the misconception that "
                "it is there to find, or give its points to another aspect"
            )


def _loses(classes: Classes, exercise: Exercise, aspect: str, function: Function) -> bool:
    return any(one.name == aspect and not one.score for one in classes.verdict(exercise, function).aspects)


def _spoiling(exercise: Exercise) -> Function:
    """The reference, which then overwrites its arguments."""

    def spoiling(*arguments: Any) -> Any:
        value = _copied(exercise.reference(*arguments))
        _overwrite(arguments[1:] if exercise.parameters[:1] == (COMM,) else arguments)
        return value

    return spoiling


def _copied(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return type(value)(map(_copied, value))
    return value.copy() if isinstance(value, np.ndarray) else value


def _overwrite(values: Sequence[Any]) -> None:
    for value in values:
        if isinstance(value, list | tuple):
            _overwrite(value)
        elif isinstance(value, np.ndarray):
            value[...] = ~value if value.dtype == bool else value + 1


def mistakes_are_carried_forward(classes: Classes, exercise: Exercise) -> Iterator[str]:
    """A misconception costs what is built on `exercise` nothing: where a later answer is composed of earlier
    functions, at least one of its cases must show the mistake by value."""
    judge = classes.judge(CLASSES[0])
    for known in exercise.misconceptions:
        for later in classes.library.exercises.values():
            if later is exercise:
                continue
            for composed, _ in judge.cases.carried(later.name, {exercise.name: known.function}):
                sitting = judge.sitting()
                sitting.exercise(exercise.name, asking(exercise.name, known.function))
                verdict = sitting.exercise(later.name, _asking_in_its_world(later, composed))
                if verdict.score != later.points:
                    yield (
                        f"`{known.name}` costs {later.name} its points too, where that is written as "
                        f"{composed.__name__} is ({points_of(verdict)}: {verdict.message}): add a case to "
                        f"{later.name} on which the mistake shows by value"
                    )


def _asking_in_its_world(exercise: Exercise, composed: Function) -> Ask:
    """An `ask` that lets tables stand in for what `composed` calls, as a notebook's process does."""

    def ask(steps: Sequence[Step]) -> list[Event]:
        with standing_in(steps, composed.__globals__), warnings.catch_warnings(action="ignore"):
            return perform(steps, {exercise.name: composed})

    return ask
