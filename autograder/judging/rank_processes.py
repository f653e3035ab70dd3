"""Ranks that are processes: a student's function runs in one child for each rank, which share no memory,
and every message between them passes through the judge.

Trusted side. The router is the one that a notebook's simulated ranks use; what is in a message, only the
ranks look at, and it is weighed here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from attention_lib.comm import payload_bytes
from attention_lib.routing import Deadlock, Mismatch, Operation, Router, drive, validate
from autograder.judging.on_ranks import ReturnedByRanks, scripts_of_ranks
from autograder.sandbox import wire
from autograder.sandbox.client import Child, ChildDied, ChildTimedOut
from autograder.sandbox.script import Event, Let, Raised, Step, Undefined

#: How often a rank may ask for more after its end.
_MOST_UNWINDING = 3
#: So many bytes as encoded weigh one byte at least: else lists of None, or the shapes of empty arrays, could
#: carry keys and values for nothing. Arrays and lists of numbers weigh more than that by themselves.
_LIGHTEST = 4


class Ended(Exception):
    """A rank ended with what is no value: the others need not go on."""

    def __init__(self, event: Raised | Undefined):
        super().__init__()
        self.event = event


class RankProcesses:
    """The children that stand for the ranks of one submission. `new_child` gives one that has run the
    notebook's cells."""

    def __init__(self, new_child: Callable[[], Child]):
        self._new_child = new_child
        self._children: list[Child] = []
        self._cells = 0

    def go_on(self, cells: Sequence[str]) -> None:
        """Have them run those of the notebook's `cells` that came since; where one does not come through,
        those that are asked next are new."""
        try:
            for child in self._children:
                for source in cells[self._cells :]:
                    child.run_cell(source)
        except (ChildDied, ChildTimedOut):
            self.close()
        self._cells = len(cells)

    def ask(self, steps: Sequence[Any]) -> list[Event]:
        """The event of a script that calls a function on ranks. Raises ChildDied, ChildTimedOut."""
        scripts = scripts_of_ranks(steps)
        while len(self._children) < len(scripts):
            self._children.append(self._new_child())
        size = len(scripts)
        router = Router(size, lambda parcel: parcel.bytes)
        try:
            ports = [
                Port(child, rank, size, script)
                for rank, (child, script) in enumerate(zip(self._children, scripts, strict=False))
            ]
            event = _driven(ports, router)
        except BaseException:
            self.close()
            raise
        self._keep_those_that_end(ports)
        return [event]

    def _keep_those_that_end(self, ports: Sequence[Port]) -> None:
        """Of the children behind `ports`, some of which may wait for what never comes."""
        lost = {port.child for port in ports if not port.ends()}
        for child in lost:
            child.kill()
        self._children = [child for child in self._children if child not in lost]

    def __bool__(self) -> bool:
        """Whether there are any that may have been asked already."""
        return bool(self._children)

    def close(self) -> None:
        """End them all; those that are asked next are new."""
        for child in self._children:
            child.kill()
        self._children = []


def _driven(ports: Sequence[Port], router: Router) -> Event:
    """What becomes of a call on the ranks behind `ports`."""
    try:
        drive(ports, router)
    except Ended as ended:
        if isinstance(ended.event, Undefined):
            return ended.event
        return Raised(ended.event.type_name, ended.event.message, _arguments(ports))
    except (Deadlock, Mismatch) as stuck:
        return Raised(type(stuck).__name__, str(stuck), _arguments(ports))
    return ReturnedByRanks([port.value for port in ports], _arguments(ports), tuple(router.bytes_sent))


def _arguments(ports: Sequence[Port]) -> tuple[Any, ...]:
    """The arguments of all ranks, as they were afterwards where that is known."""
    return tuple(argument for port in ports for argument in port.arguments)


@dataclass(frozen=True)
class _Parcel:
    """A value on its way from one rank to another, and how many bytes it counts for."""

    data: bytes
    bytes: int


class Port:
    """One rank as the router's loop sees it: a child that is asked `script`. Afterwards `value` is what its
    call gave back, and `arguments` what it left of its arguments."""

    value: Any = None

    def __init__(self, child: Child, rank: int, size: int, script: Sequence[Step]):
        self.child = child
        self._rank = rank
        self._size = size
        self._script = script
        self.arguments = [step.value for step in script if isinstance(step, Let)]
        self._waits = self._has_ended = False
        self._clock = child.ask_on_rank(rank, size, script)

    def next(self) -> Operation | None:
        """What the rank does next, None at its end. Raises Ended where that is no value."""
        heard = self.child.heard(self._script, self._clock)
        if isinstance(heard, list):
            self._has_ended = True
            self._end(*heard)
            return None
        self._waits = True
        try:
            operation = _operation(heard)
            validate(self._rank, operation, self._size)
        except ValueError as error:
            self.child.refuse(str(error))
        return operation

    def _end(self, event: Event) -> None:
        if isinstance(event, Undefined):
            raise Ended(event)
        left = event.arguments[1:]  # the first is `comm`
        if len(left) == len(self.arguments):
            self.arguments = list(left)
        if isinstance(event, Raised):
            raise Ended(event)
        self.value = event.value

    def give(self, payloads: Sequence[_Parcel]) -> None:
        self._waits = False
        self.child.tell([parcel.data for parcel in payloads], self._clock)

    def ends(self) -> bool:
        """Whether the rank's call is over, or ends in a moment when what it waits for never comes."""
        clock = self.child.a_moment()
        try:
            for _ in range(_MOST_UNWINDING):
                if self._has_ended:
                    return True
                if self._waits:
                    self.child.tell(None, clock)
                self._has_ended = isinstance(self.child.heard(self._script, clock), list)
                self._waits = True
        except (ChildDied, ChildTimedOut):
            return False
        return self._has_ended


def _operation(heard: tuple[Any, ...]) -> Operation:
    """The operation that a child's message spells. Raises ValueError where it spells none."""
    match heard:
        case (str(kind), list(payloads), *ends) if len(ends) == 5 and {*map(type, ends)} <= {int, type(None)}:
            return Operation(kind, tuple(map(_parcel, payloads)), *ends)
    raise ValueError("a message that spells no operation")


def _parcel(payload: Any) -> _Parcel:
    if not isinstance(payload, bytes):
        raise ValueError("a message to another rank that is not encoded")
    try:
        weight = payload_bytes(wire.decode(payload))
    except TypeError as error:
        raise ValueError(str(error)) from None
    return _Parcel(payload, max(weight, len(payload) // _LIGHTEST))
