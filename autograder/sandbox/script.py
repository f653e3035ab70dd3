"""A question put to a function: a short script of steps on named values.

The same interpreter runs on both sides of the trust boundary: on the reference and the
misconceptions in the judge, on the student's functions in the sandboxed child. Everything in a
step and in an event can cross the wire (see `wire`).

A pure function needs `Let` for its arguments and one `Call`. Functions with state or buffers need
more: call again, change a buffer in between, look at what is left in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Let:
    """Give `value` a name."""

    name: str
    value: Any


@dataclass(frozen=True)
class Call:
    """Call `function` with the named values `arguments`; keep what it returns under `result`."""

    function: str
    arguments: tuple[str, ...]
    result: str = "result"


@dataclass(frozen=True)
class Change:
    """Write `value` into every element of the named array, as a caller that reuses a buffer does."""

    name: str
    value: float


@dataclass(frozen=True)
class Look:
    """Report the named value as it is now."""

    name: str


@dataclass(frozen=True)
class Stand:
    """While the script runs, have a table stand in for `function`: `answers` pairs arguments with what
    is given back for them."""

    function: str
    answers: tuple[Any, ...]


Step = Let | Call | Change | Look | Stand


class Script(tuple[Step, ...]):
    """Steps that are performed many times; `encoded` is for whoever sends them to keep their bytes."""

    encoded: Any = None


@dataclass(frozen=True)
class Returned:
    """What a `Call` gave back, and its arguments as they were afterwards (a `Look` has none)."""

    value: Any
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Raised:
    """The exception that a `Call` ended with, and its arguments as they were afterwards."""

    type_name: str
    message: str
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Undefined:
    """The function that a `Call` names does not exist or can't be called; `found` says what is there."""

    function: str
    found: str | None = None


Event = Returned | Raised | Undefined


def perform(
    steps: Sequence[Step], functions: Mapping[str, Any], keep: Callable[[Any], Any] | None = None
) -> list[Event]:
    """Run `steps` in order; one event for each `Call` and `Look`. Stops at the first `Undefined`
    or `Raised`, since what follows would speak of values that do not exist.

    An event tells how things were when it happened, whatever is written into a buffer later: `keep`
    takes that snapshot (`snapshot` by default; the child encodes instead). The values in `steps` stay as
    they are: functions get copies of them.
    """
    keep = keep or snapshot
    named: dict[str, Any] = {}
    events: list[Event] = []
    for step in steps:
        match step:
            case Stand():
                pass  # `standing_in` has put the table there
            case Let(name, value):
                named[name] = snapshot(value)
            case Change(name, value):
                try:
                    named[name][...] = value
                except Exception as error:
                    events.append(_raised(error, ()))
                    break
            case Look(name):
                events.append(Returned(keep(named[name])))
            case Call(function, names, result):
                event, named[result] = _call(
                    functions.get(function), function, [named[n] for n in names], keep
                )
                events.append(event)
                if not isinstance(event, Returned):
                    break
    return events


def _call(
    function: Callable[..., Any] | None, name: str, arguments: list[Any], keep: Callable[[Any], Any]
) -> tuple[Event, Any]:
    """The event of one call, and the live value that it gave back."""
    if not callable(function):
        return Undefined(name, None if function is None else type(function).__name__), None
    try:
        value = function(*arguments)
    except KeyboardInterrupt:
        raise  # the time limit, no answer
    except BaseException as error:  # SystemExit too: a student's `exit()` is an answer of this call
        return _raised(error, tuple(keep(argument) for argument in arguments)), None
    return Returned(keep(value), tuple(keep(argument) for argument in arguments)), value


def _raised(error: BaseException, arguments: tuple[Any, ...]) -> Raised:
    try:
        message = str(error)
    except Exception as second:
        message = f"(its message can't be read: {type(second).__name__})"
    return Raised(str(type(error).__name__), message, arguments)


def snapshot(value: Any) -> Any:
    """`value` with its arrays copied, so that later writes do not show."""
    match value:
        case np.ndarray():
            return value.copy()
        case list() | tuple() if type(value) in (list, tuple):
            return type(value)(snapshot(item) for item in value)
        case dict() if type(value) is dict:
            return {key: snapshot(item) for key, item in value.items()}
        case _:
            return value


def one_call(function: str, arguments: Sequence[Any]) -> list[Step]:
    """The script of a pure function: name the arguments, call once."""
    names = tuple(f"argument_{position}" for position in range(len(arguments)))
    inputs: list[Step] = [Let(name, value) for name, value in zip(names, arguments, strict=True)]
    return [*inputs, Call(function, names)]


@contextmanager
def standing_in(steps: Sequence[Step], namespace: MutableMapping[str, Any]) -> Iterator[None]:
    """Put the tables of the `Stand` steps among the functions of `namespace` while the block runs."""
    tables = {step.function: _table(step) for step in steps if isinstance(step, Stand)}
    before = {name: namespace[name] for name in tables if name in namespace}
    namespace.update(tables)
    try:
        yield
    finally:
        for name in tables:
            namespace.pop(name, None)
        namespace.update(before)


def _table(stand: Stand) -> Callable[..., Any]:
    def look_up(*arguments: Any) -> Any:
        for known, value in stand.answers:
            if same_arguments(known, arguments):
                return snapshot(value)
        raise LookupError(f"{stand.function} could not be run, and this call of it was not foreseen")

    return look_up


def same_arguments(known: Sequence[Any], given: Sequence[Any]) -> bool:
    """Whether two calls got the same numbers, up to rounding in single precision."""
    return len(known) == len(given) and all(
        np.shape(one) == np.shape(other) and np.allclose(one, other, rtol=1e-4, atol=1e-5)
        for one, other in zip(known, given, strict=True)
    )
