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
    """While the script runs, have made-up numbers stand in for `function`: those of `made_up`."""

    function: str
    kinds: tuple[Any, ...]


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
                pass  # `standing_in` has put the stand-in there
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
    """Put what the `Stand` steps describe among the functions of `namespace` while the block runs."""
    stand_ins = {step.function: _stand_in(step) for step in steps if isinstance(step, Stand)}
    before = {name: namespace[name] for name in stand_ins if name in namespace}
    namespace.update(stand_ins)
    try:
        yield
    finally:
        for name in stand_ins:
            namespace.pop(name, None)
        namespace.update(before)


def _stand_in(stand: Stand) -> Callable[..., Any]:
    def answer(*arguments: Any, **named: Any) -> Any:
        given = parts((*arguments, *named.values()))
        for weights, scales, edges, outcomes in stand.kinds:
            if tuple(map(np.shape, weights)) == tuple(map(np.shape, given)):
                place = mark(weights, scales, given)
                return made_up(place, *outcomes[np.searchsorted(edges, place)])
        raise LookupError(f"{stand.function} could not be run, and this call of it was not foreseen")

    return answer


def parts(value: Any) -> tuple[Any, ...]:
    """The arrays and numbers in a tuple, or in a list of tuples or of matrices, however deep."""
    several = isinstance(value, tuple) or (isinstance(value, list) and any(map(_is_large, value)))
    return tuple(part for item in value for part in parts(item)) if several else (value,)


def _is_large(item: Any) -> bool:
    return isinstance(item, tuple) or (isinstance(item, np.ndarray) and item.ndim > 1)


def mark(weights: Sequence[Any], scales: Sequence[float], arguments: Sequence[Any]) -> float:
    """One number that moves with every number in `arguments`, infinite ones too: the sum of `weights`, of
    the arguments' shapes, times arctan(argument / scale)."""
    angles = [
        np.arctan(np.asarray(value, float) / scale) for value, scale in zip(arguments, scales, strict=True)
    ]
    return float(
        sum(np.sum(w * np.nan_to_num(angle, nan=2.0)) for w, angle in zip(weights, angles, strict=True))
    )


def made_up(place: float, visible: Any, phases: Any) -> Any:
    """Numbers between 0.1 and 1 that follow from the mark `place` of a call; zeros where `visible` is 0. A
    tuple of several results is made up result by result."""
    if isinstance(visible, tuple):
        return tuple(made_up(place, *result) for result in zip(visible, phases, strict=True))
    return (visible * (0.55 + 0.45 * np.sin(place + phases))).astype(visible.dtype)
