"""Questions put to a function that runs on several ranks, each with arguments of its own.

Here the functions are the lesson's own, and run on the simulated ranks that a notebook has too; a
student's run in one process for each rank (see `rank_processes`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from attention_lib import ranks
from autograder.sandbox import script
from autograder.sandbox.script import Call, Event, Let, Raised, Returned, Stand, Step, Undefined

_STUCK = (ranks.Deadlock.__name__, ranks.Mismatch.__name__)


@dataclass(frozen=True)
class CallOnRanks:
    """Call `function` on as many ranks as there are `arguments`, each with `comm` and then the values that
    its own tuple names. Always a script's last step."""

    function: str
    arguments: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class ReturnedByRanks(Returned):
    """What each rank gave back, a list; its arguments as they were afterwards, one rank's after another's;
    and how many bytes each rank sent."""

    sent: tuple[int, ...] = ()


def one_call_on_ranks(
    function: str, parameters: Sequence[str], arguments: Sequence[tuple[Any, ...]]
) -> list[Any]:
    """The script that calls `function` on each rank with its tuple of `arguments`; `parameters` are the
    names that its function has for them, `comm` first."""
    names = [
        tuple(f"{parameter} of rank {rank}" for parameter, _ in zip(parameters[1:], given, strict=False))
        for rank, given in enumerate(arguments)
    ]
    inputs = [
        Let(name, value)
        for called, given in zip(names, arguments, strict=True)
        for name, value in zip(called, given, strict=True)
    ]
    return [*inputs, CallOnRanks(function, tuple(names))]


def is_on_ranks(steps: Sequence[Any]) -> bool:
    """Whether a script calls a function on several ranks."""
    return isinstance(steps[-1], CallOnRanks)


def arguments_by_rank(steps: Sequence[Any]) -> list[list[Any]]:
    """What each rank is given, without `comm`."""
    named = {step.name: step.value for step in steps if isinstance(step, Let)}
    return [[named[name] for name in names] for names in steps[-1].arguments]


def scripts_of_ranks(steps: Sequence[Any]) -> list[list[Step]]:
    """What each rank is asked: its own values, the stand-ins, and one call with `comm`."""
    call = steps[-1]
    return [
        [
            *(step for step in steps if isinstance(step, Stand)),
            *(step for step in steps if isinstance(step, Let) and step.name in names),
            Call(call.function, ("comm", *names)),
        ]
        for names in call.arguments
    ]


def perform(steps: Sequence[Any], functions: Mapping[str, Any]) -> list[Event]:
    """The events of `steps` in this process: as `script.perform` has them, or from simulated ranks."""
    if not is_on_ranks(steps):
        return script.perform(steps, functions)
    call = steps[-1]
    function = functions.get(call.function)
    if not callable(function):
        return [Undefined(call.function, None if function is None else type(function).__name__)]
    arguments = script.snapshot(arguments_by_rank(steps))
    left = tuple(argument for given in arguments for argument in given)
    try:
        results = ranks.run(len(arguments), lambda comm: function(comm, *arguments[comm.rank]))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return [Raised(type(error).__name__, str(error), left)]
    value = [script.snapshot(result) for result in results]
    return [ReturnedByRanks(value, left, tuple(results.bytes_sent))]


def gets_stuck(events: Sequence[Event]) -> bool:
    """Whether the ranks waited for one another for ever, or were in different collectives."""
    last = events[-1] if events else None
    return isinstance(last, Raised) and last.type_name in _STUCK
