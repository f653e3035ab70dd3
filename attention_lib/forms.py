"""Has the answer to a question the form that its kind asks for? Whether it is right is not known here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from attention_lib.compare import NotNumbers, as_array, describe
from attention_lib.public import Question


def wrong_form(question: Question, answer: Any) -> str | None:
    """What `answer` is, in words, where its form is not the one asked for; None where it is."""
    return _FORMS[question.kind](question, answer)


def _choice(question: Question, answer: Any) -> str | None:
    if not isinstance(answer, str):
        return describe(answer)
    letter = answer.strip().upper()
    if len(letter) == 1 and letter in _letters(question):
        return None
    return f"{_quoted(answer)} (the letters are {', '.join(_letters(question))})"


def _bool(question: Question, answer: Any) -> str | None:
    return None if isinstance(answer, bool | np.bool_) else _value(answer)


def _number(question: Question, answer: Any) -> str | None:
    return _numeric(answer, 0)


def _numbers(question: Question, answer: Any) -> str | None:
    return _numeric(answer, 1)


def _numeric(answer: Any, axes: int) -> str | None:
    try:
        array = as_array(answer)
    except NotNumbers as error:
        return error.found
    if array.dtype.kind == "b":
        return "True or False" if array.ndim == 0 else "an array of True and False"
    return None if array.ndim == axes else describe(answer if array.ndim == 0 else array)


def _order(question: Question, answer: Any) -> str | None:
    if isinstance(answer, list | tuple) and all(isinstance(item, str) for item in answer):
        answer = "".join(answer)
    if not isinstance(answer, str):
        return describe(answer)
    letters = answer.upper().replace(" ", "").replace(",", "")
    if letters and len(set(letters)) == len(letters) and set(letters) <= set(_letters(question)):
        return None
    return f"{_quoted(answer)} (each letter at most once; the letters are {', '.join(_letters(question))})"


def _match(question: Question, answer: Any) -> str | None:
    if not isinstance(answer, dict):
        return describe(answer)
    for key, letter in answer.items():
        if not isinstance(key, str):
            return f"a dict with {_quoted(key)} as a key, which is no string"
        if (found := _choice(question, letter)) is not None:
            return f"a dict in which {key!r} has {found}"
    return None


def _letters(question: Question) -> tuple[str, ...]:
    return question.letters or tuple("ABCDEF")


def _value(answer: Any) -> str:
    return _quoted(answer) if isinstance(answer, str | int | float) else describe(answer)


def _quoted(answer: Any) -> str:
    text = repr(answer)
    return text if len(text) <= 60 else f"{text[:57]}..."


_FORMS: dict[str, Callable[[Question, Any], str | None]] = {
    "choice": _choice,
    "bool": _bool,
    "number": _number,
    "numbers": _numbers,
    "order": _order,
    "match": _match,
}
