"""Judging a question: is the answer of the right form, is it right, and if not, what is it a sign of?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from attention_lib.compare import Opaque, as_array
from autograder.exercise import Kind, Outcome, Question
from autograder.judging.showing import in_short
from autograder.judging.verdict import QuestionVerdict
from autograder.sandbox.script import Undefined
from autograder.wording import one_line

# Three or four decimals worked out by hand are enough.
RELATIVE = 1e-3
ABSOLUTE = 6e-4

LETTERS = "ABCDEF"
#: What a verdict says of an answer at the most: it can have any length.
MOST_NUMBERS = 8
MOST_CHARACTERS = 80


class WrongForm(Exception):
    """The answer is not of the form that the question's kind asks for."""


def judge_question(question: Question, answer: Any) -> QuestionVerdict:
    """The verdict on `answer`, the value that the student's variable has, or `Undefined`."""
    if _unanswered(answer):
        return QuestionVerdict(question.name, Outcome.MISSING, 0, question.points, "Not answered.")
    try:
        given = _NORMALISE[question.kind](answer)
    except WrongForm as error:
        message = f"Expected {question.kind.form}, got {error}."
        return QuestionVerdict(question.name, Outcome.FAILED, 0, question.points, message)
    answer = _recognised(question, given)
    if _equal(given, _NORMALISE[question.kind](question.key)):
        return QuestionVerdict(question.name, Outcome.PASSED, question.points, question.points, answer=answer)
    hint = _hint(question, given)
    return QuestionVerdict(question.name, Outcome.FAILED, 0, question.points, hint, answer)


def known_answers(question: Question) -> list[str]:
    """The right answer and those that have a hint, each as a verdict's `answer` says it."""
    known = (question.key, *(wrong for wrong, _ in question.hints))
    return [_shown(_NORMALISE[question.kind](answer)) for answer in known]


def _recognised(question: Question, given: Any) -> str:
    """`given` in a short line: all answers that count as the same known one read like that one."""
    for known in (question.key, *(wrong for wrong, _ in question.hints)):
        if _equal(given, _NORMALISE[question.kind](known)):
            return _shown(_NORMALISE[question.kind](known))
    return _shown(given)


def _shown(given: Any) -> str:
    if isinstance(given, dict):
        text = ", ".join(f"{name} {letter}" for name, letter in sorted(given.items()))
    elif isinstance(given, np.ndarray) and given.ndim:
        more = ", …" if given.size > MOST_NUMBERS else ""
        text = f"[{', '.join(f'{number:.6g}' for number in given[:MOST_NUMBERS])}{more}]"
    else:
        text = f"{float(given):.6g}" if isinstance(given, np.ndarray) else str(given)
    return one_line(text, MOST_CHARACTERS)


def _hint(question: Question, given: Any) -> str:
    for wrong, hint in question.hints:
        if _equal(given, _NORMALISE[question.kind](wrong)):
            return hint
    return "Not right yet."


def _unanswered(answer: Any) -> bool:
    blank = isinstance(answer, Opaque) and answer.type_name == "ellipsis"
    return answer is None or isinstance(answer, Undefined) or blank


def _equal(given: Any, wanted: Any) -> bool:
    if isinstance(given, np.ndarray):
        if given.shape != wanted.shape:
            return False
        close = np.abs(given - wanted) <= np.maximum(RELATIVE * np.abs(wanted), ABSOLUTE)
        return bool(np.all(close))
    return bool(given == wanted)


def _describe(answer: Any) -> str:
    if isinstance(answer, Opaque):
        return f"an object of type {answer.type_name}"
    shown = in_short(answer)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


def _letter(answer: Any) -> str:
    letter = answer.strip().upper() if isinstance(answer, str) else ""
    if len(letter) != 1 or letter not in LETTERS:
        raise WrongForm(_describe(answer))
    return letter


def _truth(answer: Any) -> bool:
    if isinstance(answer, np.ndarray) and answer.dtype == bool and answer.shape == ():
        return bool(answer)
    if not isinstance(answer, bool):
        raise WrongForm(_describe(answer))
    return answer


def _array(answer: Any) -> np.ndarray:
    try:
        found = as_array(answer)
    except TypeError as error:
        raise WrongForm(_describe(answer)) from error
    if found.dtype == bool:
        raise WrongForm(_describe(answer))
    return found.astype(float)


def _number(answer: Any) -> np.ndarray:
    found = _array(answer)
    if found.shape != ():
        raise WrongForm(_describe(answer))
    return found


def _numbers(answer: Any) -> np.ndarray:
    found = _array(answer)
    if found.ndim != 1:
        raise WrongForm(_describe(answer))
    return found


def _order(answer: Any) -> str:
    text = "".join(answer) if _is_list_of_strings(answer) else answer
    letters = text.upper().replace(" ", "").replace(",", "") if isinstance(text, str) else ""
    if not letters or set(letters) - set(LETTERS):
        raise WrongForm(_describe(answer))
    return letters


def _is_list_of_strings(answer: Any) -> bool:
    return isinstance(answer, list | tuple) and all(isinstance(item, str) for item in answer)


def _match(answer: Any) -> dict[str, str]:
    if not isinstance(answer, dict):
        raise WrongForm(_describe(answer))
    return {str(name).strip().lower(): _letter(letter) for name, letter in answer.items()}


_NORMALISE: dict[Kind, Callable[[Any], Any]] = {
    Kind.CHOICE: _letter,
    Kind.BOOL: _truth,
    Kind.NUMBER: _number,
    Kind.NUMBERS: _numbers,
    Kind.ORDER: _order,
    Kind.MATCH: _match,
}
