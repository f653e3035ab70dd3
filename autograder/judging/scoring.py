"""From answers to a verdict: points by aspect, the outcome, and what to say about it. Trusted side."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from attention_lib.compare import Difference, Opaque, named_by_rank, same_data
from autograder.exercise import LEAVES_INPUTS_ALONE, Exercise, Misconception, Outcome
from autograder.judging.cases import HiddenCase
from autograder.judging.on_ranks import arguments_by_rank
from autograder.judging.verdict import AspectVerdict, Evidence, ExerciseVerdict
from autograder.sandbox.script import Call, Event, Raised, Returned, Undefined


@dataclass(frozen=True)
class Written:
    """What the student wrote for one exercise or question, as far as it bears on the verdict: the source
    of its answer cell, of their own extra cells, and how the answer cell failed, if it did."""

    answer: str
    own: str = ""
    failed: Outcome | None = None
    reason: str = ""

    def mentions(self, name: str) -> bool:
        """Whether the code could call `name`."""
        return re.search(rf"\b{re.escape(name)}\b", self.answer + "\n" + self.own) is not None

    @property
    def is_stub(self) -> bool:
        """Whether the released stub is still there."""
        return "NotImplementedError" in self.answer


@dataclass(frozen=True)
class Asked:
    """What became of one case: the events, None where the case was not asked or not answered in time,
    and in what the answer is off, None where it is right."""

    case: HiddenCase
    events: tuple[Event, ...] | None
    off: Difference | None
    stopped: str | None = None

    @property
    def right(self) -> bool:
        return self.events is not None and self.off is None

    @property
    def changed_inputs(self) -> bool:
        """Whether an argument was changed in place by the first call."""
        if not self.events or not isinstance(self.events[0], Returned | Raised):
            return False
        before = list(self.case.inputs.values())
        return not all(map(same_data, before, self.events[0].arguments))


def without_answer(exercise: Exercise, first: Asked, written: Written | None) -> ExerciseVerdict:
    """The verdict on an exercise that has no function, or only a stub somewhere."""
    if written is not None and written.failed is not None and isinstance(_last(first), Undefined):
        return _nothing(exercise, written.failed, f"Its cell {written.reason}.")
    if written is not None and not written.is_stub and isinstance(_last(first), Raised):
        return _nothing(exercise, Outcome.ERRORED, "It calls a function that is not written yet.")
    return _nothing(exercise, Outcome.MISSING, "Not attempted: no function of your own is here yet.")


def _last(one: Asked) -> Event | None:
    return one.events[-1] if one.events else None


def _nothing(exercise: Exercise, outcome: Outcome, message: str) -> ExerciseVerdict:
    aspects = tuple(AspectVerdict(aspect.name, outcome, 0, aspect.points) for aspect in exercise.aspects)
    return ExerciseVerdict(exercise.name, outcome, 0, exercise.points, message, aspects=aspects)


def verdict_on(
    exercise: Exercise,
    asked: Sequence[Asked],
    *,
    known: Misconception | None = None,
    carried_from: str | None = None,
    message: str | None = None,
) -> ExerciseVerdict:
    aspects = tuple(_aspect(aspect.name, aspect.points, asked) for aspect in exercise.aspects)
    score = sum(aspect.score for aspect in aspects)
    return ExerciseVerdict(
        exercise.name,
        _outcome(asked, score, exercise.points),
        score,
        exercise.points,
        message or "; ".join(f"{aspect.name}: {aspect.message}" for aspect in aspects if aspect.message),
        misconception=known.name if known else None,
        hint=known.hint if known else None,
        carried_from=carried_from,
        aspects=aspects,
        evidence=_evidence(exercise, asked),
    )


def _aspect(name: str, points: float, asked: Sequence[Asked]) -> AspectVerdict:
    """The verdict on one aspect: all of its points or none."""
    if name == LEAVES_INPUTS_ALONE:
        wrong = next((one for one in asked if not one.right or one.changed_inputs), None)
        reason = (
            ""
            if wrong is None
            else "changes its inputs in place"
            if wrong.right
            else "needs right values first"
        )
    else:
        wrong = next((one for one in asked if one.case.aspect == name and not one.right), None)
        reason = "" if wrong is None or wrong.off is None else wrong.off.message
    if wrong is None:
        return AspectVerdict(name, Outcome.PASSED, points, points)
    return AspectVerdict(name, _failure(wrong), 0, points, reason)


def _failure(one: Asked) -> Outcome:
    if one.stopped == "timed out":
        return Outcome.TIMED_OUT
    if one.stopped == "died" or (one.events and isinstance(one.events[-1], Raised)):
        return Outcome.ERRORED
    return Outcome.FAILED


def _outcome(asked: Sequence[Asked], score: float, points: float) -> Outcome:
    if score == points:
        return Outcome.PASSED
    failures = {_failure(one) for one in asked if not one.right}
    if Outcome.TIMED_OUT in failures:
        return Outcome.TIMED_OUT
    if score > 0:
        return Outcome.PARTIAL
    return Outcome.ERRORED if failures == {Outcome.ERRORED} else Outcome.FAILED


def _evidence(exercise: Exercise, asked: Sequence[Asked]) -> Evidence | None:
    wrong = next((one for one in asked if not one.right), None)
    if wrong is None:
        wrong = next((one for one in asked if one.changed_inputs and _minds_inputs(exercise)), None)
    if wrong is None:
        return None
    if exercise.on_ranks:
        inputs = tuple(named_by_rank(exercise.parameters[1:], arguments_by_rank(wrong.case.steps)))
    else:
        call = next(step for step in wrong.case.steps if isinstance(step, Call))
        parameter = dict(
            zip(call.arguments, exercise.parameters, strict=False)
        )  # the last ones may have defaults
        inputs = tuple((parameter.get(name, name), value) for name, value in wrong.case.inputs.items())
    return Evidence(wrong.case.aspect, inputs, *_shown(wrong.events), on_ranks=exercise.on_ranks)


def _minds_inputs(exercise: Exercise) -> bool:
    return any(aspect.name == LEAVES_INPUTS_ALONE for aspect in exercise.aspects)


def _shown(events: Sequence[Event] | None) -> tuple[Any, str | None]:
    """The student's own last answer, and the exception in words where there was one."""
    match list(events or ()):
        case [*_, Returned(value)]:
            return value, None
        case [*_, Raised(type_name, message)]:
            return None, f"{type_name}: {message}"
        case [*_, Undefined(_, found)]:
            return Opaque(found or "nothing"), None
        case _:
            return None, "no answer"
