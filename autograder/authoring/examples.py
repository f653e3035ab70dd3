"""The public examples of a lesson: what `attention_lib/examples/LESSON.json` holds.

They are worked out by the reference, with what each known mistake answers on them, so that a student's
own check can name a mistake without holding any function.
"""

from __future__ import annotations

import copy
import itertools
import json
import math
from dataclasses import dataclass, replace
from typing import Any

from attention_lib.check import OVERWRITTEN
from attention_lib.compare import same_data
from attention_lib.public import Answer, Raises, encode, encode_answer
from attention_lib.tolerance import Tolerance
from autograder.exercise import Example, Exercise, Function, Question
from autograder.judging.cases import answer, steps_of
from autograder.judging.events import difference
from autograder.judging.on_ranks import ReturnedByRanks
from autograder.library import Library, UserError
from autograder.sandbox.script import Call, Change, Event, Look, Raised, Returned, Undefined

REFERENCE = "the reference"
# The last bits of a sum differ between processors and NumPy builds; a changed example differs by more.
RELATIVE, ABSOLUTE = 1e-9, 1e-12


@dataclass(frozen=True)
class Answered:
    """What one function makes of one example, and whether it changed its arguments in place."""

    events: tuple[Event, ...]
    changed: bool

    def same_as(self, other: Answered, tolerance: Tolerance) -> bool:
        """Whether no student could tell the two."""
        return self.changed == other.changed and difference(self.events, other.events, tolerance) is None

    def as_public(self, exercise: Exercise) -> Answer:
        """What the student's own check compares with. Raises TypeError when no function answered."""
        first, last = self.events[0], self.events[-1]
        value = last.value if isinstance(last, Returned) else _exception(last)
        left = first.arguments if exercise.agreement.written and not isinstance(first, Undefined) else ()
        sent = first.sent if exercise.budget and isinstance(first, ReturnedByRanks) else ()
        return Answer(value, left, sent)


def examples_of(library: Library) -> dict[str, Any]:
    """What the lesson's file holds, as JSON can.

    Raises UserError when an example can't be written down, or doesn't tell two known mistakes apart.
    """
    return {
        "lesson": library.lesson,
        "exercises": {name: _exercise(exercise) for name, exercise in library.exercises.items()},
        "questions": {name: _question(question) for name, question in library.questions.items()},
    }


def text_of(document: dict[str, Any]) -> str:
    """The file's text: the same document gives the same bytes."""
    return json.dumps(document, sort_keys=True, indent=1, ensure_ascii=False) + "\n"


def _exercise(exercise: Exercise) -> dict[str, Any]:
    answered = {
        name: [_answer(exercise, function, example) for example in exercise.examples]
        for name, function in _functions(exercise).items()
    }
    _require_told_apart(exercise, answered)
    entry: dict[str, Any] = {
        "parameters": list(exercise.parameters),
        "examples": [
            _example(exercise, example, {name: answers[at] for name, answers in answered.items()})
            for at, example in enumerate(exercise.examples)
        ],
        "hints": {known.name: known.hint for known in exercise.misconceptions},
    }
    if exercise.agreement.written:
        entry["writes"] = True
    if exercise.on_ranks:
        entry["on_ranks"] = True
    if exercise.agreement.tolerance:
        entry["tolerance"] = list(exercise.agreement.tolerance)
    if exercise.agreement.lower_triangle:
        entry["lower_triangle"] = True
    return entry


def _functions(exercise: Exercise) -> dict[str, Function]:
    known = {mistake.name: mistake.function for mistake in exercise.misconceptions}
    return {REFERENCE: exercise.reference, **known}


def _answer(exercise: Exercise, function: Function, example: Example) -> Answered:
    events = answer(exercise.name, function, example_steps(exercise, example))
    first = events[0]
    after = first.arguments if isinstance(first, Returned | Raised) else ()
    before = (
        [value for given in example.arguments for value in given] if exercise.on_ranks else example.arguments
    )
    return Answered(events, not all(map(same_data, before, after)))


def example_steps(exercise: Exercise, example: Example) -> list[Any]:
    """The script that the student's own check performs: one call, and where arguments are reused a look at
    the answer when they have been overwritten."""
    steps = steps_of(exercise, example.arguments)
    if not example.reused:
        return steps
    call: Call = steps[-1]
    named = dict(zip(exercise.parameters, call.arguments, strict=False))
    return [*steps, *(Change(named[name], OVERWRITTEN) for name in example.reused), Look(call.result)]


def example_tolerance(exercise: Exercise, example: Example) -> Tolerance:
    """How closely answers to `example` must agree."""
    return replace(exercise.agreement.on(example.arguments), budget=exercise.may_send(example.arguments))


def _require_told_apart(exercise: Exercise, answered: dict[str, list[Answered]]) -> None:
    for (one, ones), (other, others) in itertools.combinations(answered.items(), 2):
        pairs = zip(ones, others, exercise.examples, strict=True)
        if all(a.same_as(b, example_tolerance(exercise, example)) for a, b, example in pairs):
            raise UserError(
                f"exercise {exercise.name}: its public examples don't tell {one} and {other} apart; "
                "add an example on which they answer differently"
            )


def _example(exercise: Exercise, example: Example, answers: dict[str, Answered]) -> dict[str, Any]:
    mistakes = {name: answered for name, answered in answers.items() if name != REFERENCE}
    try:
        entry = {
            "name": example.name,
            "arguments": [encode(argument) for argument in copy.deepcopy(example.arguments)],
            "expected": encode_answer(answers[REFERENCE].as_public(exercise)),
            "mistakes": {name: encode_answer(made.as_public(exercise)) for name, made in mistakes.items()},
        }
    except TypeError as error:
        raise UserError(f"exercise {exercise.name}, example {example.name!r}: {error}") from error
    if example.reused:
        entry["reused"] = list(example.reused)
    if budget := exercise.may_send(example.arguments):
        entry["budget"] = list(budget)
    return entry


def _exception(event: Event) -> Raises:
    """An exception by its type's name."""
    if isinstance(event, Raised):
        return Raises(event.type_name)
    raise TypeError(f"no function answered, but {event}")


def _question(question: Question) -> dict[str, Any]:
    return {
        "kind": question.kind.value,
        "form": question.kind.form,
        "letters": sorted(question.options),
    }


def same_document(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same, floats up to their last bits."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_document(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_document, one, other))
    return type(one) is type(other) and bool(one == other)
