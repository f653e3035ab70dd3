"""A question put to a function: a short script of steps on named values.

The same interpreter runs on both sides of the trust boundary: on the reference and the
misconceptions in the judge, on the student's functions in the sandboxed child. Everything in a
step and in an event can cross the wire (see `wire`).

A pure function needs `Let` for its arguments and one `Call`. Functions with state or buffers need
more: call again, change a buffer in between, look at what is left in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


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


Step = Let | Call | Change | Look


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


def perform(steps: Sequence[Step], functions: Mapping[str, Any]) -> list[Event]:
    """Run `steps` in order; one event for each `Call` and `Look`. Stops at the first `Undefined`
    or `Raised`, since what follows would speak of values that do not exist.
    """
    named: dict[str, Any] = {}
    events: list[Event] = []
    for step in steps:
        match step:
            case Let(name, value):
                named[name] = value
            case Change(name, value):
                named[name][...] = value
            case Look(name):
                events.append(Returned(named[name]))
            case Call(function, names, result):
                event = _call(functions.get(function), function, [named[name] for name in names])
                events.append(event)
                if not isinstance(event, Returned):
                    break
                named[result] = event.value
    return events


def _call(function: Callable[..., Any] | None, name: str, arguments: list[Any]) -> Event:
    if not callable(function):
        return Undefined(name, None if function is None else type(function).__name__)
    try:
        value = function(*arguments)
    except (Exception, SystemExit) as error:
        return Raised(type(error).__name__, str(error), tuple(arguments))
    return Returned(value, tuple(arguments))


def one_call(function: str, arguments: Sequence[Any]) -> list[Step]:
    """The script of a pure function: name the arguments, call once."""
    names = tuple(f"argument_{position}" for position in range(len(arguments)))
    return [Let(name, value) for name, value in zip(names, arguments, strict=True)] + [Call(function, names)]
