"""The judge: puts an exercise's hidden cases to the student's function, compares, and names the mistake.

Trusted side only. `ask` is all that the judge knows of the student: a function that takes a script and
gives back events. Behind it stands the sandboxed child when a submission is graded, or the script's
interpreter alone when a test asks a function in this process.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any

from attention_lib.compare import Difference
from autograder.exercise import Exercise, Function, Misconception, Outcome
from autograder.judging.cases import Ask, GraderFault, HiddenCase, HiddenCases
from autograder.judging.events import agrees_by_value, difference
from autograder.judging.on_ranks import gets_stuck
from autograder.judging.questions import judge_question
from autograder.judging.scoring import Asked, Written, verdict_on, without_answer
from autograder.judging.verdict import ExerciseVerdict, QuestionVerdict
from autograder.library import Library
from autograder.sandbox.client import ChildDied, ChildTimedOut
from autograder.sandbox.script import Event, Raised, Script, Undefined


class Judge:
    """Holds one lesson's hidden library and its cases, drawn once for the whole class from `secret`."""

    def __init__(self, library: Library, secret: bytes):
        self.library = library
        self.cases = HiddenCases(library, secret)

    def sitting(self) -> Sitting:
        """A fresh sitting: the verdicts on one submission, in the order of its check cells."""
        return Sitting(self)

    def exercise(self, name: str, ask: Ask) -> ExerciseVerdict:
        """The verdict on one exercise by itself."""
        return self.sitting().exercise(name, ask)


class Sitting:
    """One submission before the judge. It remembers which known mistakes were made, so that an exercise
    that builds on a mistaken one is judged as right, given that mistake."""

    def __init__(self, judge: Judge):
        self._library = judge.library
        self._cases = judge.cases
        #: for each exercise with a known mistake, a function that answers as the student's does
        self._standing_in: dict[str, Function] = {}
        #: exercises whose function could not be run
        self._absent: set[str] = set()

    def exercise(self, name: str, ask: Ask, written: Written | None = None) -> ExerciseVerdict:
        """Ask the student's `name` all its hidden cases. A fault of the grader's own is a verdict too.

        With `written`, a function that is not there is told from one that failed, and only errors of
        exercises that the student's code mentions are carried forward.
        """
        exercise = self._library.exercises[name]
        try:
            verdict = self._judged(exercise, ask, written)
        except GraderFault as fault:
            message = f"The grader failed here, not you: a person will grade this. ({fault})"
            return ExerciseVerdict(name, Outcome.GRADER_ERROR, None, exercise.points, message)
        if verdict.outcome in (Outcome.TIMED_OUT, Outcome.ERRORED):
            self._absent.add(name)
        return verdict

    def announce(self, name: str, ahead: Callable[[Sequence[Script]], None]) -> None:
        """Tell `ahead` the scripts that the exercise `name` will be asked."""
        with contextlib.suppress(GraderFault):  # `exercise` says so
            ahead([case.steps for case in self._cases.of(name)])

    def question(self, name: str, answer: Any, written: Written | None = None) -> QuestionVerdict:
        """Judge the value (or `Undefined`) that the student gave to the question's variable."""
        question = self._library.questions[name]
        verdict = judge_question(question, answer)
        if verdict.outcome is Outcome.MISSING and written and written.failed:
            return QuestionVerdict(name, written.failed, 0, question.points, f"Its cell {written.reason}.")
        return verdict

    def _judged(self, exercise: Exercise, ask: Ask, written: Written | None) -> ExerciseVerdict:
        cases = self._cases.of(exercise.name)
        asked = _ask_all(cases, ask)
        if _not_attempted(asked[0]):
            return without_answer(exercise, asked[0], written)
        if all(one.right for one in asked):
            return verdict_on(exercise, asked)
        carried = self._carry_forward(exercise, asked, ask, written)
        carried = carried or self._stand_in(exercise, asked, ask, written)
        if carried is not None:
            return carried
        known = self._diagnose(exercise, asked)
        if known is not None:
            self._standing_in[exercise.name] = known.function
        return verdict_on(exercise, asked, known=known)

    def _carry_forward(
        self, exercise: Exercise, asked: Sequence[Asked], ask: Ask, written: Written | None
    ) -> ExerciseVerdict | None:
        """The verdict when every failing answer is right, given the known mistakes made upstream.

        Answers that could be had without them must be right with stand-ins for them as well.
        """
        mistaken = self._mistaken(written)
        for upstream in _subsets(sorted(mistaken)):
            standing_in = {name: mistaken[name] for name in upstream}
            for function, answers in self._cases.carried(exercise.name, standing_in):
                if not _answers_as(asked, answers):
                    continue
                little = self._tells_little(exercise, asked, standing_in, answers)
                if little and not self._asked_with_stand_ins(exercise, ask, frozenset(upstream), mistaken):
                    break
                return self._carried(exercise, asked, upstream[-1], function)
        return None

    def _mistaken(self, written: Written | None) -> dict[str, Function]:
        """For each mistaken exercise that the code mentions, a function that answers as the student's."""
        return {
            name: function
            for name, function in self._standing_in.items()
            if written is None or written.mentions(name)
        }

    def _carried(
        self, exercise: Exercise, asked: Sequence[Asked], upstream: str, function: Function
    ) -> ExerciseVerdict:
        self._standing_in[exercise.name] = function
        right = [_right_if_answered(one) for one in asked]
        given = f"Right, given your {upstream}: a mistake costs its own exercise only."
        return verdict_on(exercise, right, carried_from=upstream, message=given)

    def _tells_little(
        self,
        exercise: Exercise,
        asked: Sequence[Asked],
        standing_in: Mapping[str, Function],
        answers: Sequence[tuple[Event, ...]],
    ) -> bool:
        """Whether the failing answers could be had without the mistaken functions upstream, or by a known
        mistake of this exercise's own."""
        failing = [place for place, one in enumerate(asked) if not one.right]
        return self._diagnose(exercise, asked) is not None or self._cases.could_be_had_without(
            exercise.name, standing_in, answers, failing
        )

    def _stand_in(
        self, exercise: Exercise, asked_before: Sequence[Asked], ask: Ask, written: Written | None
    ) -> ExerciseVerdict | None:
        """The verdict when the code is right with stand-ins for what it calls and could not be run. Known
        mistakes stay in place, unless nothing is left of what the stand-ins give, or they make it raise."""
        if written is None:
            return None
        absent = frozenset(name for name in self._absent if written.mentions(name))
        mistaken = self._mistaken(written)
        if all(_raises(one) for one in asked_before if not one.right):
            absent |= set(mistaken)
        if not absent:
            return None
        asked = self._asked_with_stand_ins(exercise, ask, absent, mistaken)
        if not asked and mistaken:
            asked = self._asked_with_stand_ins(exercise, ask, absent | set(mistaken), mistaken)
        if not asked:
            return None
        self._absent.add(exercise.name)
        upstream = max(absent)
        why = (
            "whose mistake leaves nothing to go on with" if upstream in mistaken else "which could not be run"
        )
        given = f"Right, with a stand-in for your {upstream}, {why}."
        return verdict_on(exercise, asked, carried_from=upstream, message=given)

    def _asked_with_stand_ins(
        self, exercise: Exercise, ask: Ask, absent: frozenset[str], standing_in: Mapping[str, Function]
    ) -> list[Asked]:
        """All cases, right with stand-ins for the exercises `absent`; none where one of them is not, or
        where most right answers would be the same whatever the stand-ins give."""
        asked: list[Asked] = []
        telling = 0
        for stood_in in self._cases.stood_in(exercise.name, absent, standing_in):
            try:
                one = Asked(stood_in.case, tuple(ask([*stood_in.stand_ins, *stood_in.case.steps])), None)
            except (ChildTimedOut, ChildDied):
                return []
            is_right = _same if isinstance(stood_in.case.expected[-1], Raised) else _same_value
            right = [depends for answer, depends in stood_in.answers if is_right(one, answer)]
            if not right:
                return []
            telling += all(right)
            asked.append(one)
        return asked if 2 * telling > len(asked) else []

    def _diagnose(self, exercise: Exercise, asked: Sequence[Asked]) -> Misconception | None:
        """The misconception whose answers equal the student's on every failing case; where several do,
        the one that also agrees on most of the others."""
        agreeing = {
            known.name: agreement
            for known in exercise.misconceptions
            if _answers_as(asked, answers := self._cases.mistaken(exercise.name, known.name))
            for agreement in [sum(_same(one, answer) for one, answer in zip(asked, answers, strict=True))]
        }
        if not agreeing:
            return None
        best = max(agreeing, key=lambda name: agreeing[name])
        return next(known for known in exercise.misconceptions if known.name == best)


def _ask_all(cases: Sequence[HiddenCase], ask: Ask) -> list[Asked]:
    """Ask case by case. The first time-out or death ends the asking; the rest counts as not answered."""
    asked: list[Asked] = []
    stopped: tuple[str, Difference] | None = None
    for case in cases:
        if stopped is None:
            try:
                events = tuple(ask(case.steps))
            except ChildTimedOut as error:
                stopped = ("timed out", Difference("stopped", str(error), "", None))
            except ChildDied as error:
                stopped = ("died", Difference("stopped", str(error), "", None))
            else:
                asked.append(Asked(case, events, difference(case.expected, events, case.tolerance)))
                if len(asked) == 1 and _not_attempted(asked[0]):
                    return asked
                continue
        asked.append(Asked(case, None, stopped[1], stopped[0]))
    return asked


def _not_attempted(first: Asked) -> bool:
    """Nothing under the name, or the released stub still there."""
    match first.events:
        case (Undefined(_, found), *_):
            return found in (None, "NoneType", "ellipsis")
        case (Raised(type_name), *_):
            return type_name == "NotImplementedError"
        case _:
            return False


def _raises(one: Asked) -> bool:
    return one.events is not None and isinstance(one.events[-1], Raised)


def _same(one: Asked, answer: Sequence[Event]) -> bool:
    return one.events is not None and difference(answer, one.events, one.case.tolerance) is None


def _same_value(one: Asked, answer: Sequence[Event]) -> bool:
    return _same(one, answer) and agrees_by_value(answer, one.events or ())


def _answers_as(asked: Sequence[Asked], answers: Sequence[Sequence[Event]]) -> bool:
    """Whether every failing case is answered as in `answers`, at least one of them by a value or by ranks
    that wait for ever: another exception is too easily had to tell one mistake from another."""
    failing = [(one, answer) for one, answer in zip(asked, answers, strict=True) if not one.right]
    return all(_same(one, answer) for one, answer in failing) and any(
        agrees_by_value(answer, one.events or ()) or gets_stuck(answer) for one, answer in failing
    )


def _right_if_answered(one: Asked) -> Asked:
    return Asked(one.case, one.events, None)


def _subsets(names: Sequence[str]) -> list[tuple[str, ...]]:
    """All non-empty subsets, large ones last: the fewest mistakes that explain an answer explain it best."""
    return [subset for size in range(1, len(names) + 1) for subset in combinations(names, size)]
