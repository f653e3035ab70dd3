"""When are the events of two functions that were asked the same script the same? Trusted side only."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from attention_lib.compare import Difference, compare, compare_written, over_budget, same_data
from attention_lib.tolerance import Tolerance
from autograder.judging.on_ranks import ReturnedByRanks
from autograder.sandbox.script import Event, Raised, Returned, Undefined


def difference(expected: Sequence[Event], got: Sequence[Event], tolerance: Tolerance) -> Difference | None:
    """The first thing in which the events `got` are not the `expected` ones; None when they agree."""
    for wanted, found in zip(expected, got, strict=False):
        off = _event_difference(wanted, found, tolerance)
        if off is not None:
            return off
    if len(got) != len(expected):
        return Difference("count", f"{len(got)} answers where {len(expected)} were asked for", "", None)
    return _repetition(expected, got) if tolerance.repeatable else None


def _repetition(expected: Sequence[Event], got: Sequence[Event]) -> Difference | None:
    """Whether calls that should repeat, or should not, do the other in one of their results. To be asked of
    answers that agree in value."""
    calls = [
        (wanted.value, found.value)
        for wanted, found in zip(expected, got, strict=True)
        if isinstance(wanted, Returned) and isinstance(found, Returned)
    ]
    for (right, given), (another, second) in combinations(calls, 2):
        # an array counts for the results that it unpacks to
        each = zip if isinstance(right, tuple) else lambda *values: [values]
        for a, b, c, d in each(right, another, given, second):
            should, repeats = same_data(a, b), same_data(c, d)
            if repeats and not should:
                return Difference("value", "two calls that should draw other numbers give the same", "", None)
            if should and not repeats:
                message = "two calls with the same arguments give different numbers"
                return Difference("value", message, "", None)
    return None


def agrees_by_value(expected: Sequence[Event], got: Sequence[Event]) -> bool:
    """Whether agreeing events hold a value, not exceptions alone."""
    return any(
        isinstance(a, Returned) and isinstance(b, Returned) for a, b in zip(expected, got, strict=False)
    )


def _event_difference(wanted: Event, found: Event, tolerance: Tolerance) -> Difference | None:
    match wanted, found:
        case Returned(value, held), Returned(answered, left):
            off = compare(value, answered, tolerance) or compare_written(held, left, tolerance)
            return off or _traffic(wanted, found, tolerance)
        case Raised(type_name, _, held), Raised(raised, _, left):
            if type_name == raised:
                return compare_written(held, left, tolerance)
            return Difference("raised", f"raises {raised} where {type_name} is expected", "", None)
        case Raised(type_name), _:
            return Difference("raised", f"returns a value where {type_name} is expected", "", None)
        case _, Raised(type_name, message):
            return Difference("raised", f"raises {type_name}: {message}", "", None)
        case _, Undefined(function, kind):
            return Difference("undefined", f"{function} is {kind or 'not defined'}, not a function", "", None)
        case _:
            return Difference("undefined", "no answer", "", None)


def _traffic(wanted: Event, found: Event, tolerance: Tolerance) -> Difference | None:
    """Whether ranks that give the same sent more than they may on one side only."""
    if not isinstance(wanted, ReturnedByRanks) or not isinstance(found, ReturnedByRanks):
        return None
    right, given = (over_budget(event.sent, tolerance) for event in (wanted, found))
    if (right is None) == (given is None):
        return None
    return given or Difference("sent", "sends less than the mistake does", "", None)
