"""What makes a misconception one: it is wrong, in a way of its own, and a student's check can tell. What is
missing where it is not, a sentence each."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache

from attention_lib.compare import same_data
from autograder.authoring.classes import CLASSES, Classes, named
from autograder.authoring.examples import example_steps, example_tolerance
from autograder.authoring.variations import telling_case
from autograder.exercise import LEAVES_INPUTS_ALONE, Exercise, Function, Misconception
from autograder.judging.cases import HiddenCase, answer
from autograder.judging.events import difference
from autograder.sandbox.script import Event

_Answers = tuple[tuple[Event, ...], ...]


def are_named(classes: Classes, exercise: Exercise) -> Iterator[str]:
    """Every misconception loses points, and is called by its own name, in every class."""
    twins = set(_twins(classes, exercise))
    for known in exercise.misconceptions:
        found = Counter(
            said
            for secret in CLASSES
            if (said := _misjudged(classes, exercise, known, secret, twins)) is not None
        )
        for said, count in found.items():
            yield said if count == len(CLASSES) else f"in {count} of {len(CLASSES)} classes {said}"


def _misjudged(
    classes: Classes, exercise: Exercise, known: Misconception, secret: bytes, twins: set[tuple[str, str]]
) -> str | None:
    """What is wrong with the verdict on a misconception; nothing of what is said of its twins."""
    verdict, cases = classes.verdict(exercise, known.function, secret), classes.cases(exercise, secret)
    if verdict.score == exercise.points:
        return (
            f"the misconception `{known.name}` is right on all {named(cases)}: add a case on which it is "
            f"wrong{_where_wrong(exercise, known, cases)}, or make it an alternative"
        )
    if verdict.misconception == known.name:
        return None
    if {one.name for one in verdict.aspects if not one.score} == {LEAVES_INPUTS_ALONE}:
        return (
            f"the misconception `{known.name}` gives right values and changes its inputs in place: leave it "
            f"out, the aspect {LEAVES_INPUTS_ALONE!r} tells students so without a name"
        )
    if verdict.misconception is None:
        return (
            f"the misconception `{known.name}` is never named, since it only ever raises "
            f"({verdict.message}): add a case on which it returns a wrong value"
        )
    other = next(one for one in exercise.misconceptions if one.name == verdict.misconception)
    if (known.name, other.name) in twins or (other.name, known.name) in twins:
        return None
    failed = _failed_by(exercise, known.function, cases)
    return (
        f"the misconception `{known.name}` is taken for `{other.name}`: both give the same answers on all "
        f"that it fails, {named(failed)}. {_advice(exercise, known, other, failed)}"
    )


def _where_wrong(exercise: Exercise, known: Misconception, cases: Sequence[HiddenCase]) -> str:
    telling = telling_case(exercise, exercise.reference, known.function, cases)
    return f" (it is, for example, on {telling})" if telling else ""


def _failed_by(exercise: Exercise, function: Function, cases: Sequence[HiddenCase]) -> list[HiddenCase]:
    return [
        case
        for case in cases
        if difference(case.expected, answer(exercise.name, function, case.steps), case.tolerance) is not None
    ]


def differ(classes: Classes, exercise: Exercise) -> Iterator[str]:
    """No two misconceptions give the same answers on all cases, by value or by the kind of exception."""
    by_name = {known.name: known for known in exercise.misconceptions}
    cases = classes.cases(exercise)
    for one, other in _twins(classes, exercise):
        if not _failed_by(exercise, by_name[one].function, cases):
            continue  # both are right: that is said of each
        advice = _advice(exercise, by_name[one], by_name[other], cases)
        yield f"`{one}` and `{other}` give the same answers on all {named(cases)}. {advice}"


@cache
def _twins(classes: Classes, exercise: Exercise) -> tuple[tuple[str, str], ...]:
    """The pairs of misconceptions that some class's cases don't tell apart."""
    found = []
    for one, other in itertools.combinations([known.name for known in exercise.misconceptions], 2):
        for secret in CLASSES:
            judge = classes.judge(secret)
            given: list[_Answers] = [judge.cases.mistaken(exercise.name, name) for name in (one, other)]
            cases = classes.cases(exercise, secret)
            if all(
                difference(a, b, case.tolerance) is None for case, a, b in zip(cases, *given, strict=True)
            ):
                found.append((one, other))
                break
    return tuple(found)


def _advice(exercise: Exercise, one: Misconception, other: Misconception, cases: Sequence[HiddenCase]) -> str:
    telling = telling_case(exercise, one.function, other.function, cases)
    if telling is None:
        return "No variation of these tells them apart either: if they are one mistake, keep one of them"
    return f"Add a case that tells them apart: they differ, for example, on {telling}"


def differ_in_public(exercise: Exercise) -> Iterator[str]:
    """For any two misconceptions, and for each and the reference, some public example tells them apart."""
    known = {f"the misconception `{one.name}`": one.function for one in exercise.misconceptions}
    functions = {"the reference": exercise.reference, **known}
    examples = [
        (example_steps(exercise, public), example_tolerance(exercise, public)) for public in exercise.examples
    ]
    given = {
        name: [answer(exercise.name, f, steps) for steps, _ in examples] for name, f in functions.items()
    }
    for (one, ones), (other, others) in itertools.combinations(given.items(), 2):
        tolerances = [tolerance for _, tolerance in examples]
        alike = (
            difference(a, b, tolerance) is None and _same_left(a, b)
            for a, b, tolerance in zip(ones, others, tolerances, strict=True)
        )
        if all(alike):
            yield (
                f"the public examples don't tell {one} from {other}: change an example's numbers, or add an "
                "example, so that they answer differently"
            )


def _same_left(one: Sequence[Event], other: Sequence[Event]) -> bool:
    """Whether two functions left the same in their arguments."""
    return same_data(getattr(one[0], "arguments", ()), getattr(other[0], "arguments", ()))
