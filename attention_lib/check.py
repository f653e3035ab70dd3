"""`check("name")`: run the public examples on what the notebook defines, and say what is off.

It decides nothing: the grade comes from other inputs, judged elsewhere. So it may run in the same
process as the code that it checks, and may show what is expected.
"""

from __future__ import annotations

import copy
import difflib
import linecache
import textwrap
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from attention_lib import notebook, public, ranks
from attention_lib.compare import (
    Difference,
    NotNumbers,
    as_array,
    compare,
    compare_written,
    describe,
    named_by_rank,
    over_budget,
    same_data,
)
from attention_lib.forms import wrong_form
from attention_lib.tolerance import Tolerance

#: What a caller that reuses its arrays writes into them.
OVERWRITTEN = 9.0
_SHOWN_CHARACTERS = 700
_WIDTH = 120  # characters
_INDENT = "    "


class CheckFailed(notebook.Message):
    """What is off, in a few lines. A notebook shows them without a traceback."""


@dataclass(frozen=True)
class Trial:
    """One public example put to the student's function.

    `answer` is what came back. `fault` says what is off, None when nothing
    is; `place` is the line of the student's code that raised, and `difference` what `compare` found.
    """

    example: public.Example
    answer: public.Answer
    fault: str | None = None
    place: str = ""
    difference: Difference | None = None


def check(name: str) -> None:
    """Try what the notebook calls `name` on its public examples, or look at a question's answer.

    Prints one line when nothing is off. Raises CheckFailed with what is off, and where the answer has
    the right shape draws what is expected beside it. For a question only the form of the answer is
    looked at: whether it is right is known after handing in.
    """
    names = notebook.namespace()
    with _warnings_as_text():
        if exercise := public.find_exercise(name):
            print(_check_exercise(exercise, names))
        elif question := public.find_question(name):
            print(_check_question(question, names))
        else:
            raise CheckFailed(_unknown(name))


@contextmanager
def _warnings_as_text() -> Iterator[None]:
    """Print what a function warns of, each warning once. On stderr, where warnings go, `nbgrader validate`
    would take them for a failure."""
    with warnings.catch_warnings(record=True) as caught:
        try:
            yield
        finally:
            for line in dict.fromkeys(f"{one.category.__name__}: {one.message}" for one in caught):
                print(line)


def _unknown(name: Any) -> str:
    known = public.known_names()
    if not known:
        return f"There are no public examples in {public.EXAMPLES}: take the course's repository again."
    close = difflib.get_close_matches(str(name), known, n=1)
    meant = f" Did you mean {close[0]!r}?" if close else ""
    return f"No exercise or question is called {name!r}.{meant}"


def _check_question(question: public.Question, names: dict[str, Any]) -> str:
    answer = names.get(question.name)
    if answer is None or answer is ...:
        raise CheckFailed(f"{question.name} is not answered yet: assign it {question.form}.")
    found = wrong_form(question, answer)
    if found is not None:
        raise CheckFailed(f"{question.name}: yours is {found}. Expected: {question.form}.")
    return f"{question.name}: answered. Whether it is right is known after handing in."


def _check_exercise(exercise: public.Exercise, names: dict[str, Any]) -> str:
    function = _function(exercise.name, names)
    trials = [_try(exercise, function, example, names) for example in exercise.examples]
    failed = [trial for trial in trials if trial.fault is not None]
    if not failed:
        return _passed(exercise.name, len(trials))
    _draw(exercise.name, failed)
    raise CheckFailed(_report(exercise, failed, _hint(exercise, trials)))


def _passed(name: str, count: int) -> str:
    which = {1: "the public example", 2: "both public examples"}.get(count, f"all {count} public examples")
    return f"{name}: right on {which}. Grading uses other inputs as well."


def _function(name: str, names: dict[str, Any]) -> Callable[..., Any]:
    if name not in names:
        raise CheckFailed(f"{name} is not defined: run the cell that defines it, then this one.")
    function = names[name]
    if not callable(function):
        raise CheckFailed(
            f"{name} is {describe(function)} where a function is expected. "
            f"Was the name used again after `def {name}`? Run the cell that defines it, then this one."
        )
    return function


def _try(
    exercise: public.Exercise, function: Callable[..., Any], example: public.Example, names: dict[str, Any]
) -> Trial:
    arguments = copy.deepcopy(example.arguments)
    try:
        value, sent = _called(exercise, function, arguments)
    except Exception as error:
        return _raised(exercise, example, error, arguments, names)
    left = arguments if exercise.agreement.written else ()
    answer = _kept(public.Answer(value, left, sent))
    if isinstance(example.expected.value, public.Raises):
        expected = example.expected.value.type_name
        return Trial(example, answer, f"{describe(value)} is returned where a {expected} is to be raised")
    difference = _difference(example.expected, answer, exercise.tolerance_on(example))
    if difference is not None:
        return Trial(example, answer, difference.detail, difference=difference)
    changed = _changed(exercise, example.arguments, arguments)
    return _tried_again(exercise, example, value, arguments) or Trial(example, answer, changed)


def _called(
    exercise: public.Exercise, function: Callable[..., Any], arguments: tuple[Any, ...]
) -> tuple[Any, tuple[int, ...]]:
    """What the function gives back and, on ranks, how many bytes each sent."""
    if not exercise.agreement.on_ranks:
        return function(*arguments), ()
    results = ranks.run(len(arguments), lambda comm: function(comm, *arguments[comm.rank]))
    return list(results), tuple(results.bytes_sent)


def _tried_again(
    exercise: public.Exercise, example: public.Example, value: Any, arguments: tuple[Any, ...]
) -> Trial | None:
    """The trial of an answer that changes when its caller writes into the `reused` arguments again."""
    given = dict(zip(exercise.parameters, arguments, strict=False))
    for name in example.reused:
        given[name][...] = OVERWRITTEN
    answer = _kept(public.Answer(value))
    if _difference(example.expected, answer, exercise.tolerance_on(example)) is None:
        return None
    which = " and ".join(example.reused)
    fault = f"the answer is right, until its caller writes into {which} again: the answer changes with it"
    return Trial(example, answer, fault)


def _difference(expected: public.Answer, answer: public.Answer, tolerance: Tolerance) -> Difference | None:
    """What is off about a value, about what the arguments hold, or about what the ranks sent."""
    return (
        compare(expected.value, answer.value, tolerance)
        or compare_written(expected.arguments, answer.arguments, tolerance)
        or over_budget(answer.sent, tolerance)
    )


def _kept(answer: public.Answer) -> public.Answer:
    """A copy of plain data: the next call may write into a buffer that this one returned."""
    try:
        plain = isinstance(answer.value, np.ndarray | list | tuple)
        return copy.deepcopy(answer) if plain else replace(answer, arguments=copy.deepcopy(answer.arguments))
    except Exception:
        return answer


def _changed(exercise: public.Exercise, before: tuple[Any, ...], after: tuple[Any, ...]) -> str | None:
    if exercise.agreement.written:
        return None
    which = " and ".join(_names_of_changed(exercise, before, after))
    if not which:
        return None
    return f"the answer is right, but the function changed its argument {which} in place: work on a copy"


def _names_of_changed(
    exercise: public.Exercise, before: tuple[Any, ...], after: tuple[Any, ...]
) -> Iterator[str]:
    if not exercise.agreement.on_ranks:
        triples = zip(exercise.parameters, before, after, strict=False)
        yield from (name for name, old, new in triples if not same_data(old, new))
        return
    for rank, given in enumerate(zip(before, after, strict=True)):
        triples = zip(exercise.parameters[1:], *given, strict=False)
        yield from (f"{name} of rank {rank}" for name, old, new in triples if not same_data(old, new))


def _raised(
    exercise: public.Exercise,
    example: public.Example,
    error: Exception,
    arguments: tuple[Any, ...],
    names: dict[str, Any],
) -> Trial:
    left = arguments if exercise.agreement.written else ()
    answer = public.Answer(public.Raises(type(error).__name__), left)
    if _same_exception(answer.value, example.expected.value):
        off = compare_written(example.expected.arguments, left, exercise.tolerance_on(example))
        return Trial(example, answer, off.detail if off else None, difference=off)
    steps = list(traceback.walk_tb(error.__traceback__))
    own = [(frame.f_code, line) for frame, line in steps if frame.f_globals is names]
    if type(error) is NotImplementedError and not error.args:
        raise CheckFailed(_not_written(exercise.name, own[-1][0].co_name if own else None)) from None
    fault = f"it raises {type(error).__name__}: {error}".rstrip(": ")
    if not own:
        call = f"{exercise.name}({', '.join(exercise.parameters)})"
        return Trial(example, answer, fault, f"called as {call}")
    code, line = own[-1]
    source = linecache.getline(code.co_filename, line).strip()
    place = f"in {code.co_name}, line {line} of its cell{': ' if source else ''}{source}"
    return Trial(example, answer, fault, place)


def _not_written(name: str, stub: str | None) -> str:
    todo = "replace `raise NotImplementedError()` with your code, run the cell, then check again."
    if stub is None or stub == name:
        return f"{name} is not written yet: {todo}"
    return f"{name} calls {stub}, which is not written yet: in {stub}, {todo}"


def _report(exercise: public.Exercise, failed: list[Trial], hint: str | None) -> str:
    first = failed[0]
    lines = _headline(f"{exercise.name}, example {first.example.name!r}:", _sentence(first.fault or ""))
    if first.place:
        lines.append(_INDENT + first.place)
    if hint:
        lines += _wrapped(f"Hint: {hint}", "")
    lines += [_line(name, value) for name, value in _named(exercise, first.example.arguments)]
    if first.difference is not None and first.difference.where != () and first.difference.kind != "sent":
        lines += [
            *_answer_lines("expected", exercise, first.example.expected),
            *_answer_lines("yours   ", exercise, first.answer),
        ]
    lines.append(f"Off on {len(failed)} of {len(exercise.examples)} public examples.")
    return "\n".join(lines)


def _headline(where: str, fault: str) -> list[str]:
    """One line where it fits: JupyterLab would break a longer one in the middle of a word."""
    if len(where) + len(fault) < _WIDTH:
        return [f"{where} {fault}"]
    return [where, *(line for part in fault.splitlines() for line in _wrapped(part, _INDENT))]


def _wrapped(text: str, indent: str) -> list[str]:
    style = {"break_long_words": False, "break_on_hyphens": False}
    return textwrap.wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=indent, **style)


def _sentence(text: str) -> str:
    return text if text.endswith(("?", ".")) else text + "."


def _line(name: str, value: Any, between: str = " = ") -> str:
    start = _INDENT + name + between
    return start + _text(value).replace("\n", "\n" + " " * len(start))


def _named(exercise: public.Exercise, arguments: tuple[Any, ...]) -> Iterator[tuple[str, Any]]:
    """Each argument and its name."""
    if exercise.agreement.on_ranks:
        return named_by_rank(exercise.parameters[1:], arguments)
    return zip(exercise.parameters, arguments, strict=False)


def _answer_lines(whose: str, exercise: public.Exercise, answer: public.Answer) -> list[str]:
    """The value, and the arrays that the function was to write into."""
    left = dict(zip(exercise.parameters, answer.arguments, strict=False))
    written = {
        name: value for name, value in left.items() if isinstance(value, np.ndarray) and value.ndim > 1
    }
    if isinstance(answer.value, public.Raises):
        value = _INDENT + whose + " " + f"raises {answer.value.type_name}"
    else:
        value = _line(whose, answer.value, " ")
    return [value, *(_line(f"{whose} {name} afterwards", array, " ") for name, array in written.items())]


def _text(value: Any) -> str:
    """The value in a few lines."""
    if isinstance(value, tuple | list) and not _is_flat(value):
        inside = ",\n ".join(_text(item).replace("\n", "\n ") for item in value)
        text = f"({inside})" if isinstance(value, tuple) else f"[{inside}]"
    elif isinstance(value, np.ndarray | np.generic) and np.asarray(value).dtype.kind in "biuf":
        text = _array_text(np.asarray(value))
    else:
        text = f"{value:.6g}" if type(value) is float else _safe_repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + " …"


def _is_flat(values: Iterable[Any]) -> bool:
    return not any(isinstance(value, np.ndarray | list | tuple) for value in values)


def _array_text(array: np.ndarray) -> str:
    if array.ndim == 0:
        return f"{array.item():.6g}" if array.dtype.kind == "f" else str(array.item())
    # Adding zero makes −0 a 0.
    shown = array + 0.0 if array.dtype.kind == "f" else array
    style: dict[str, Any] = {"precision": 4, "threshold": 60, "edgeitems": 3, "separator": ", "}
    text = np.array2string(shown, suppress_small=_is_tame(array), **style)
    return text if array.size <= 60 else f"{text}\nshape {array.shape}"


def _is_tame(array: np.ndarray) -> bool:
    """No number so large that the others would be written as zeros beside it."""
    finite = np.abs(array[np.isfinite(array)])
    return bool(finite.size == 0 or finite.max() < 1e4)


def _safe_repr(value: Any) -> str:
    try:
        return repr(value)
    except Exception:
        return describe(value)


def _hint(exercise: public.Exercise, trials: list[Trial]) -> str | None:
    """The hint of the known mistake that answers as the student's function does wherever it fails; where
    several do, of the one that also agrees with it most often elsewhere."""
    agreeing = {}
    for mistake in sorted(exercise.hints):
        alike = [_answers_as(mistake, trial, exercise) for trial in trials]
        if all(same for same, trial in zip(alike, trials, strict=True) if trial.fault is not None):
            agreeing[mistake] = sum(alike)
    return exercise.hints[max(agreeing, key=lambda mistake: agreeing[mistake])] if agreeing else None


def _answers_as(mistake: str, trial: Trial, exercise: public.Exercise) -> bool:
    if mistake not in trial.example.mistakes:
        return False
    known, answer = trial.example.mistakes[mistake], trial.answer
    tolerance = exercise.tolerance_on(trial.example)
    if (over_budget(known.sent, tolerance) is None) != (over_budget(answer.sent, tolerance) is None):
        return False
    if compare_written(known.arguments, answer.arguments, tolerance) is not None:
        return False
    if isinstance(known.value, public.Raises) or isinstance(answer.value, public.Raises):
        return _same_exception(known.value, answer.value)
    try:
        return compare(known.value, answer.value, tolerance) is None
    except NotNumbers:
        # The mistake itself answers with what is no number, such as None.
        return known.value is None and answer.value is None


def _same_exception(one: Any, other: Any) -> bool:
    """Are both exceptions, and of one type? (An array would answer == with an array.)"""
    return isinstance(one, public.Raises) and isinstance(other, public.Raises) and one == other


def _draw(name: str, failed: list[Trial]) -> None:
    """Expected, yours and the difference, for the first example whose answer has the right shape."""
    for trial in failed:
        if trial.difference is None or trial.difference.where is None:
            continue
        try:
            wanted, given = as_array(trial.example.expected.value), as_array(trial.answer.value)
            if wanted.ndim in (1, 2) and wanted.size > 1:
                from attention_lib import plotting

                plotting.compare_heat_maps(wanted, given, title=f"{name}, example {trial.example.name!r}")
                return
        except Exception:
            # The words say it all; a picture that can't be drawn must not take their place.
            return
