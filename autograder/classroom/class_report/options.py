"""The questions of a lesson by what was answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from autograder.classroom.class_report.gathering import Handed, Verdict
from autograder.classroom.class_report.masking import OTHER
from autograder.exercise import Kind, Outcome, Question
from autograder.judging.questions import known_answers

#: Of fewer, it says nothing that one answer leads.
FEWEST_ASKED = 5
#: Answers that are none of the known ones, and were given more than once, are shown up to this number.
MOST_OTHERS = 4


@dataclass(frozen=True)
class Option:
    """One answer: `text` is what the question offers under it, `hint` what those who chose it read.
    `is_known` tells an option of the question's from what students came up with."""

    answer: str
    text: str
    hint: str
    count: int
    share: float
    is_right: bool
    is_known: bool = True


@dataclass(frozen=True)
class Answers:
    """What a class answered to one question: `options`, then the `rest` in words, each with its count."""

    name: str
    kind: str
    prompt: str
    asked: int
    options: tuple[Option, ...]
    rest: tuple[tuple[str, int], ...]

    @property
    def misleads(self) -> Option | None:
        """A wrong answer that more gave than the right one, where enough were asked to tell."""
        if self.asked < FEWEST_ASKED:
            return None
        right = sum(option.count for option in self.options if option.is_right)
        wrong = [option for option in self.options if not option.is_right and option.count > right]
        return max(wrong, key=lambda option: option.count, default=None)


def answers(handed: Handed) -> tuple[Answers, ...]:
    """The answers to each question, in the lesson's order."""
    graded = handed.graded
    return tuple(_answers(question, graded) for question in handed.hidden.questions.values())


def _answers(question: Question, graded: Sequence[Verdict]) -> Answers:
    judged = [each["questions"][question.name] for each in graded if question.name in each["questions"]]
    known = dict.fromkeys(known_answers(question))  # two wrong answers can be equal in short
    given = Counter(_given(found, next(iter(known))) for found in judged)
    options = [_option(question, answer, given, len(judged)) for answer in known]
    if question.kind is Kind.CHOICE:
        options.sort(key=lambda option: option.answer)
    else:
        options = [option for option in options if option.is_right or option.count]
    others = _others(given, {*known, OTHER}, len(judged))
    named = {option.answer for option in (*options, *others)}
    rest = Counter[str]()
    for (said, answer), count in given.items():
        if answer is None or answer not in named:
            rest[said] += count
    return Answers(
        question.name,
        question.kind.value,
        question.prompt,
        len(judged),
        (*options, *others),
        tuple(sorted(rest.items(), key=lambda pair: (-pair[1], pair[0]))),
    )


def _given(found: Verdict, right: str) -> tuple[str, str | None]:
    """In words what kind of answer this is, and the answer itself where there is one."""
    outcome = Outcome(found["outcome"])
    if outcome is Outcome.MISSING:
        return "not answered", None
    if outcome not in (Outcome.PASSED, Outcome.FAILED):
        return "its cell failed, or ran out of time", None
    if outcome is Outcome.PASSED:
        return OTHER, right
    if "answer" not in found:
        return "wrong, the answer was not recorded", None
    if found["answer"] is None:
        return "not of the form that was asked for", None
    return OTHER, found["answer"]


def _option(question: Question, answer: str, given: Counter[tuple[str, str | None]], asked: int) -> Option:
    place = known_answers(question).index(answer)
    hint = question.hints[place - 1][1] if place else ""
    count = given[OTHER, answer]
    share = count / asked if asked else 0.0
    return Option(answer, question.options.get(answer, ""), hint, count, share, place == 0)


def _others(given: Counter[tuple[str, str | None]], known: set[str], asked: int) -> list[Option]:
    """Unknown answers that several gave: what a new hint could be for."""
    found = [
        (count, answer)
        for (_, answer), count in given.items()
        if answer is not None and answer not in known and count > 1
    ]
    found.sort(key=lambda pair: (-pair[0], pair[1]))
    return [
        Option(answer, "", "", count, count / asked, False, is_known=False)
        for count, answer in found[:MOST_OTHERS]
    ]
