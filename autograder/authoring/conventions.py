"""How an exercise is written, so that a student can read it and learn from it: what is missing, in a
sentence each. Of questions too."""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Iterator
from typing import Any

from autograder.authoring.source import source_of, statements
from autograder.exercise import Exercise, Kind, Outcome, Question
from autograder.judging.questions import WrongForm, judge_question
from autograder.wording import counted

FEWEST = {"misconceptions": 3, "alternatives": 3, "examples": 2}
POINTS = (2, 5)
LONGEST_HINT = 160
LONGEST_BODY, LONGEST_BODY_ON_RANKS = 12, 20
FEWEST_OPTIONS, FEWEST_SLIPS = 3, 3
_MOST_LISTED = 5
_CODE = re.compile(r"np\.|\.T\b|@|axis ?=|keepdims|return |\[:")
_SHAPE = r"(\([^)]*\)|int|float|bool|list|str|communicator)"
_RESULT = r"^Returns? .*(\(.*\)|number|float|array)"


def is_complete(exercise: Exercise) -> Iterator[str]:
    """There is enough to check an answer and to learn from a wrong one."""
    for what, fewest in FEWEST.items():
        found = len(getattr(exercise, what))
        if found < fewest:
            yield f"it has {found} {what}: write at least {fewest}"
    names = [known.name for known in exercise.misconceptions]
    for name in dict.fromkeys(name for name in names if names.count(name) > 1):
        yield f"two misconceptions are named `{name}`: rename one"
    if not POINTS[0] <= exercise.points <= POINTS[1]:
        yield f"it is worth {exercise.points:g}: give it {POINTS[0]} to {POINTS[1]} points"


def docstring_names_shapes(exercise: Exercise) -> Iterator[str]:
    """The docstring has a line for each argument, and for the result, with its shape or type."""
    doc = inspect.getdoc(exercise.reference) or ""
    for place, parameter in enumerate(inspect.signature(exercise.reference).parameters.values()):
        shape = _SHAPE if parameter.default is inspect.Parameter.empty else ""
        if not re.search(rf"^{parameter.name}\b.*: {shape}", doc, re.MULTILINE):
            kind = _type_of_a_plain_value(exercise, place)
            yield (
                f"its docstring does not say what {'type' if kind else 'shape'} {parameter.name} has: "
                f"write a line such as `{parameter.name} : {kind or '(n, d)'}`"
            )
    if not re.search(_RESULT, doc, re.MULTILINE):
        yield "its docstring does not say what shape the result has: write a line such as `Returns Y : (n,)`"


def _type_of_a_plain_value(exercise: Exercise, place: int) -> str | None:
    """The type of an argument that is a number or a string in the public examples, None for an array."""
    given = [one.arguments[place] for one in exercise.examples if place < len(one.arguments)]
    return type(given[0]).__name__ if given and isinstance(given[0], int | float | str) else None


def hints_ask(exercise: Exercise) -> Iterator[str]:
    """Each hint is a question, holds no code, and fits in two lines."""
    for known in exercise.misconceptions:
        hint = f"the hint of `{known.name}`"
        if "?" not in known.hint:
            yield f"{hint} asks nothing: let it end in the question that a teacher would ask"
        if code := _CODE.search(known.hint):
            yield f"{hint} holds code ({code[0].strip()}): ask about the numbers or the shape instead"
        if "!" in known.hint:
            yield f"{hint} holds an exclamation mark: leave it out"
        if len(known.hint) > LONGEST_HINT:
            yield f"{hint} has {len(known.hint)} characters: at most {LONGEST_HINT} fit under a check"


def solution_is_short(exercise: Exercise) -> Iterator[str]:
    """The solved cell fits on a screen, and is plain NumPy."""
    found = source_of(exercise.reference)
    if found is None:
        return
    text, node = found
    body = statements(node)
    lines = text.splitlines()[body[0].lineno - 1 : node.end_lineno]
    longest = LONGEST_BODY_ON_RANKS if exercise.on_ranks else LONGEST_BODY
    if len(lines) > longest:
        yield f"its solution has {len(lines)} lines below the docstring, at most {longest} fit: ask for less"
    for unwanted in ("import", "print("):
        if any(unwanted in line for line in lines):
            yield f"its solution has `{unwanted.rstrip('(')}`: give what it needs in a provided cell"


def question_is_fair(question: Question) -> Iterator[str]:
    """The key is right, each known wrong answer is wrong and gets its own hint, and nobody who is wrong in a
    way that can be foreseen goes without one."""
    if judge_question(question, question.key).score != question.points:
        yield f"its key {question.key!r} is not what its kind asks for: {question.kind.form}"
        return
    for wrong, hint in question.hints:
        yield from _hint_is_given(question, wrong, hint)
    yield from _options(question)
    yield from _without_hint(question)


def _hint_is_given(question: Question, wrong: Any, hint: str) -> Iterator[str]:
    try:
        verdict = judge_question(question, wrong)
    except WrongForm:
        yield f"the answer {wrong!r}, which has a hint, is not what its kind asks for: {question.kind.form}"
        return
    if verdict.outcome is not Outcome.FAILED:
        yield f"the answer {wrong!r}, which has a hint, is marked right: it lies too near the key"
    elif verdict.message != hint:
        yield f"the answer {wrong!r} gets another answer's hint, or none: {verdict.message}"
    if "?" not in hint:
        yield f"the hint for {wrong!r} asks nothing: let it end in a question"


def _options(question: Question) -> Iterator[str]:
    letters = list(question.options)
    if letters != list("ABCDEF"[: len(letters)]):
        yield f"its options are lettered {', '.join(letters)}: letter them from A"
    if len(set(question.options.values())) != len(letters):
        yield "two of its options say the same"
    if question.kind in (Kind.CHOICE, Kind.ORDER, Kind.MATCH) and len(letters) < FEWEST_OPTIONS:
        yield f"it has {counted(len(letters), 'option')}: give at least {FEWEST_OPTIONS}"


def _without_hint(question: Question) -> Iterator[str]:
    by_kind: dict[Kind, list[Any]] = {
        Kind.CHOICE: list(question.options),
        Kind.BOOL: [True, False],
        Kind.ORDER: ["".join(letters) for letters in itertools.permutations(question.options)],
    }
    possible = by_kind.get(question.kind, [])
    wrong = [answer for answer in possible if answer != question.key]
    hinted = [answer for answer, _ in question.hints]
    missing = [repr(answer) for answer in wrong if answer not in hinted]
    if missing and len(wrong) <= _MOST_LISTED:
        yield f"no hint for the wrong answer {', '.join(missing)}"
    if question.kind in (Kind.NUMBER, Kind.NUMBERS) and len(question.hints) < FEWEST_SLIPS:
        yield f"it has {counted(len(question.hints), 'hint')}: foresee at least {FEWEST_SLIPS} wrong numbers"
