"""When are two answers the same: kind of thing, shape, kind of number, values.

The student's own check and the judge both decide with this module, so that they never disagree. It
reads plain data only: no method of an answer is called that the answer could have redefined.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from attention_lib.tolerance import Tolerance


@dataclass(frozen=True)
class Opaque:
    """Stands for an object that is no plain data: all that is known of it is its type's name."""

    type_name: str


@dataclass(frozen=True)
class Difference:
    """What is off about an answer.

    `kind` is "type" (no numbers), "count" (number of results), "shape", "dtype" (kind of number),
    "value" or "sent" (bytes between ranks). `message` never holds an expected value, so it may speak of
    hidden inputs; `detail` adds the expected value beside the answer's, for public examples. `where` is the
    index of the first value that is off, None where no single value is to blame.
    """

    kind: str
    message: str
    detail: str
    where: tuple[int, ...] | None = None


class NotNumbers(TypeError):
    """The value spells no array of numbers. `found` says what it is, `advice` what to do about it."""

    def __init__(self, found: str, advice: str = "") -> None:
        super().__init__(f"{found} where numbers are expected{advice}")
        self.found = found
        self.advice = advice


# Whole numbers are exact; this only forgives an answer that computed one in float64.
_WHOLE = Tolerance(rtol=1e-9, atol=0.0)
_DEEPEST = 32
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")


def as_array(value: Any) -> np.ndarray:
    """The plain array of bool, int or float numbers that `value` spells: an array or a subclass of one,
    a number, or (nested) lists and tuples of these.

    Raises NotNumbers, a TypeError, for None, strings, complex numbers, objects and ragged lists.
    """
    _refuse_what_is_no_number(value, 0)
    try:
        array = np.array(value, subok=False)
    except ValueError:
        raise NotNumbers(f"{_kind_of_sequence(value)} whose rows have unequal lengths") from None
    if array.dtype.kind == "O":
        array = _of_large_integers(value)
    return array


def _refuse_what_is_no_number(value: Any, depth: int) -> None:
    # type(value), not isinstance(value, …): an object may claim another __class__.
    kind = type(value)
    if issubclass(kind, np.ndarray | np.generic):
        _refuse_dtype(np.asarray(value).dtype)
    elif issubclass(kind, list | tuple):
        if depth > _DEEPEST:
            raise NotNumbers(f"{_kind_of_sequence(value)} nested more than {_DEEPEST} deep")
        for item in value:
            if type(item) is not float:
                _refuse_what_is_no_number(item, depth + 1)
    elif issubclass(kind, complex):
        raise NotNumbers("a complex number", " (the course's numbers are real)")
    elif not issubclass(kind, bool | int | float):
        if depth:
            raise NotNumbers(f"a list that holds {describe(value)}")
        raise NotNumbers(describe(value), _advice(value))


def _refuse_dtype(dtype: np.dtype) -> None:
    if dtype.kind == "c":
        raise NotNumbers(f"complex numbers (dtype {dtype})", " (the course's numbers are real)")
    if dtype.kind not in "biuf":
        what = {"O": "objects", "U": "strings", "S": "bytes"}.get(dtype.kind, f"dtype {dtype}")
        raise NotNumbers(f"an array of {what}")


def _of_large_integers(value: Any) -> np.ndarray:
    """Integers that no integer dtype holds, as the nearest floats."""
    try:
        return np.array(value, dtype=np.float64)
    except OverflowError:
        raise NotNumbers("an integer too large for a float") from None


def describe(value: Any) -> str:
    """What `value` is, in two or three words: "a string", "None", "an array of shape (2, 3)"."""
    if value is None:
        return "None"
    if isinstance(value, Opaque):
        return _with_article(value.type_name)
    kind = type(value)
    if issubclass(kind, np.ndarray | np.generic):
        return _shaped(np.asarray(value).shape)
    if issubclass(kind, bool):
        return "True or False"
    if issubclass(kind, int | float):
        return "a single number"
    if issubclass(kind, tuple | list):
        return f"{_kind_of_sequence(value)} of length {len(value)}"
    if issubclass(kind, str):
        return "a string"
    return "a function" if "function" in kind.__name__ else _with_article(kind.__name__)


def _kind_of_sequence(value: Any) -> str:
    return "a tuple" if issubclass(type(value), tuple) else "a list"


def _shaped(shape: tuple[int, ...]) -> str:
    return f"an array of shape {shape}" if shape else "a single number"


def _with_article(name: str) -> str:
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def _advice(value: Any) -> str:
    if value is None:
        return ". Is a return statement missing?"
    name = value.type_name if isinstance(value, Opaque) else type(value).__name__
    return ". Is a pair of parentheses missing?" if "function" in name or "method" in name else ""


def compare(expected: Any, answer: Any, tolerance: Tolerance) -> Difference | None:
    """What is off about `answer`, None when it is the same as `expected`.

    `expected` is an array, a number, True or False, or a tuple or list of these (several results,
    compared one by one). A list counts for the array or tuple it spells, an integer for a float;
    booleans count for booleans only, and `nan` equals `nan` only.
    """
    if tolerance.on_ranks:
        return _compare_ranks(expected, answer, replace(tolerance, on_ranks=False))
    if isinstance(expected, tuple | list):
        return _compare_results(expected, answer, tolerance)
    wanted = as_array(expected)
    try:
        given = as_array(answer)
    except NotNumbers as error:
        return _plainly("type", f"{error.found} where {_expectation(wanted)} is expected{error.advice}")
    if given.shape != wanted.shape:
        return _plainly("shape", f"{_shape_found(given)} where {_expectation(wanted)} is expected")
    return _compare_kind(wanted, given) or _compare_values(wanted, given, tolerance)


def compare_written(
    expected: Sequence[Any], answer: Sequence[Any], tolerance: Tolerance
) -> Difference | None:
    """What is off about what the arguments hold after a call, where the function is to write into them."""
    for name, wanted, given in zip(tolerance.written, expected, answer, strict=False):
        difference = compare(wanted, given, tolerance)
        if difference is not None:
            return _after(f"{name} afterwards: ", difference)
    return None


def over_budget(sent: Sequence[int], tolerance: Tolerance) -> Difference | None:
    """What is off about the bytes that each rank sent."""
    for rank, (given, allowed) in enumerate(zip(sent, tolerance.budget or (), strict=False)):
        if given > allowed:
            return _plainly("sent", f"rank {rank} sends {given:,} bytes, where {allowed:,} are enough")
    return None


def named_by_rank(parameters: Sequence[str], arguments: Sequence[Sequence[Any]]) -> Iterator[tuple[str, Any]]:
    """The arguments of each rank under names to read; what all ranks are given alike comes once."""
    for name, *values in zip(parameters, *arguments, strict=False):
        if len(values) > 1 and all(same_data(values[0], value) for value in values[1:]):
            yield f"{name} of every rank", values[0]
        else:
            yield from ((f"{name} of rank {rank}", value) for rank, value in enumerate(values))


def _compare_ranks(expected: Sequence[Any], answer: Any, tolerance: Tolerance) -> Difference | None:
    """The answers of all ranks, one by one."""
    if type(answer) is not list or len(answer) != len(expected):
        return _plainly(
            "count", f"{describe(answer)} where the answers of {len(expected)} ranks are expected"
        )
    for rank, (wanted, given) in enumerate(zip(expected, answer, strict=True)):
        difference = compare(wanted, given, tolerance)
        if difference is not None:
            return _after(f"rank {rank}: ", difference)
    return None


def _after(words: str, difference: Difference) -> Difference:
    return replace(difference, message=words + difference.message, detail=words + difference.detail)


def _plainly(kind: str, message: str) -> Difference:
    return Difference(kind, message, message)


def _expectation(wanted: np.ndarray) -> str:
    if wanted.shape:
        return f"shape {wanted.shape}"
    return "True or False" if wanted.dtype.kind == "b" else "a single number"


def _shape_found(given: np.ndarray) -> str:
    return f"shape {given.shape}" if given.shape else "a single number"


def _compare_kind(wanted: np.ndarray, given: np.ndarray) -> Difference | None:
    """Booleans and numbers do not stand for each other; an empty array is of any kind."""
    if wanted.size == 0 or (wanted.dtype.kind == "b") == (given.dtype.kind == "b"):
        return None
    found, needed = ("True or False", "numbers") if given.dtype.kind == "b" else ("numbers", "True or False")
    return _plainly("dtype", f"dtype {given.dtype}: {found} where {needed} are expected")


def _compare_values(wanted: np.ndarray, given: np.ndarray, tolerance: Tolerance) -> Difference | None:
    off = ~_close(wanted, given, tolerance)
    if tolerance.lower_triangle:
        off = np.tril(off)
    if not off.any():
        return None
    first = tuple(int(i) for i in np.argwhere(off)[0]) if off.shape else ()
    yours, right = _numbers(given[first], wanted[first])
    off_values = _off_values(int(off.sum()), off.size, first)
    nan_alone = yours == "nan" and not np.isnan(wanted[first])
    shown = "nan where a number is expected" if nan_alone else f"yours is {yours}"
    detail = f"{off_values}: expected {right}, yours {yours}"
    return Difference("value", f"{off_values}: {shown}", detail, first)


def _off_values(count: int, size: int, first: tuple[int, ...]) -> str:
    """How much is off, and where: "3 of 9 values are off, the first at [0, 1]"."""
    if not first:
        return "the value is off"
    place = f"at [{', '.join(map(str, first))}]"
    if count == 1:
        return f"1 of {size} values is off, {place}"
    return f"{count} of {size} values are off, the first {place}"


def _close(wanted: np.ndarray, given: np.ndarray, tolerance: Tolerance) -> np.ndarray:
    if wanted.dtype.kind != "f":
        if given.dtype.kind != "f":
            return np.asarray(wanted == given)
        tolerance = _WHOLE
    with np.errstate(all="ignore"):
        wanted, given = wanted.astype(np.float64), given.astype(np.float64)
        same = np.asarray(wanted == given)
        if same.all():
            return same
        room = tolerance.atol + tolerance.rtol * np.abs(wanted)
        near = (np.abs(given - wanted) <= room) & np.isfinite(wanted)  # infinities are near themselves only
        return np.asarray(same | near | (np.isnan(given) & np.isnan(wanted)))


def _numbers(yours: Any, expected: Any) -> tuple[str, str]:
    """Both numbers as text, with as many digits as it takes to tell them apart."""
    for digits in (6, 10, 17):
        texts = _number(yours, digits), _number(expected, digits)
        if texts[0] != texts[1]:
            break
    return texts


def _number(value: Any, digits: int) -> str:
    kind = np.asarray(value).dtype.kind
    if kind == "b":
        return str(bool(value))
    return str(int(value)) if kind in "iu" else f"{float(value):.{digits}g}"


def _compare_results(expected: Sequence[Any], answer: Any, tolerance: Tolerance) -> Difference | None:
    """Several results, or a list of arrays that may have different shapes: one by one."""
    several = isinstance(expected, tuple)
    needed = f"{len(expected)} results are expected" if several else f"a list of {len(expected)} is expected"
    results = _unpacked(answer)
    if results is None:
        found = describe(answer)
        kind = "count" if found.startswith(("a single", "an array")) else "type"
        return _plainly(kind, f"{found} where {needed}{_advice(answer)}")
    if len(results) != len(expected):
        return _plainly("count", f"{len(results)} {'results' if several else 'items'} where {needed}")
    for position, (wanted, given) in enumerate(zip(expected, results, strict=True)):
        difference = compare(wanted, given, tolerance)
        if difference is not None:
            name = _which(position, len(expected), several)
            name += ", in it " if isinstance(wanted, tuple | list) and len(wanted) else ": "
            return _after(name, difference)
    return None


def _unpacked(answer: Any) -> Sequence[Any] | np.ndarray | None:
    """The results that `a, b = answer` would give: an array unpacks along its first axis. They are not
    taken apart here, since there may be millions."""
    kind = type(answer)
    if issubclass(kind, list | tuple):
        return list(answer)
    if issubclass(kind, np.ndarray) and np.asarray(answer).ndim:
        return np.asarray(answer)
    return None


def _which(position: int, count: int, several: bool) -> str:
    if not several:
        return f"item [{position}] of the list"
    ordinal = _ORDINALS[position] if position < len(_ORDINALS) else f"number {position + 1}"
    return f"the {ordinal} of the {count} results"


def same_data(before: Any, after: Any) -> bool:
    """Is `after` what `before` was: same types, shapes, dtypes and values, down to the sign of a zero,
    where nan equals nan? Asks whether a call changed an argument in place."""
    arrays = np.ndarray | np.generic
    if issubclass(type(before), arrays) and issubclass(type(after), arrays):
        return _same_array(np.asarray(before), np.asarray(after))
    if type(before) is not type(after):
        return False
    if isinstance(before, list | tuple):
        return len(before) == len(after) and all(map(same_data, before, after))
    if isinstance(before, dict):
        return list(before) == list(after) and same_data(list(before.values()), list(after.values()))
    if isinstance(before, float):
        return _same_array(np.array(before), np.array(after))
    return bool(before == after)


def _same_array(before: np.ndarray, after: np.ndarray) -> bool:
    if before.dtype != after.dtype or before.shape != after.shape:
        return False
    if before.dtype.kind != "f":
        return bool(np.array_equal(before, after))
    same = (before == after) & (np.signbit(before) == np.signbit(after))
    return bool(np.all(same | (np.isnan(before) & np.isnan(after))))
