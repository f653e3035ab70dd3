"""Who gets what from whom when P ranks speak to each other.

A rank hands over one `Operation` and waits until the `Router` says that it is complete. The router looks
into no payload: `weigh` tells it how many bytes one has. Ranks may be threads (`attention_lib.ranks`) or
processes: `drive` asks one after another, so that the same program always meets in the same way.

`send` is a rendezvous: it is complete when a receive meets it. `sendrecv` posts both halves at once. A
receive from any rank takes the sender that has waited longest. A collective starts when its last rank
arrives, and is complete on all ranks at once. What is counted, and how long it takes: `attention_lib.costs`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from reprlib import repr as in_short
from typing import Any, Protocol

from attention_lib.costs import Machine, counted, duration

ROOTED = ("bcast", "scatter", "gather")
COLLECTIVES = (*ROOTED, "allgather", "allreduce", "alltoall", "barrier")
KINDS = ("send", "recv", "sendrecv", *COLLECTIVES, "work")
#: The largest tag that every MPI allows.
MOST_TAG = 32767
_MOST_WORK = 1e30


class Deadlock(RuntimeError):
    """No rank can go on: each has ended, or waits for one that never comes. Its text says where each is."""


class Mismatch(RuntimeError):
    """Two ranks wait in different collectives, or with different roots. Its text says where each is."""


@dataclass(frozen=True)
class Operation:
    """What a rank asks for. `payloads` is what it hands over: one object for send, sendrecv, gather,
    allgather and allreduce, and for bcast at the root; P for alltoall, and for scatter at the root; none
    otherwise. A `source` or `recvtag` of None is any; `amount` is the multiply-adds of work."""

    kind: str
    payloads: tuple[Any, ...] = ()
    dest: int | None = None
    source: int | None = None
    sendtag: int = 0
    recvtag: int | None = None
    root: int = 0
    amount: float = 0

    @property
    def sends(self) -> bool:
        return self.kind in ("send", "sendrecv")

    @property
    def receives(self) -> bool:
        return self.kind in ("recv", "sendrecv")

    @property
    def place(self) -> str:
        """Where a rank is that waits for it, in words."""
        if self.kind == "send":
            return f"send {self.outstanding(True, False)}"
        if self.kind == "recv":
            return f"recv {self.outstanding(False, True)}"
        return f"{self.kind} with root {self.root}" if self.kind in ROOTED else self.kind

    def outstanding(self, to_send: bool, to_receive: bool) -> str:
        """The partners of the halves that are not done: `to rank 1 and from rank 0`."""
        send = f"to rank {self.dest}" + (f" with tag {self.sendtag}" if self.sendtag else "")
        receive = "from any rank" if self.source is None else f"from rank {self.source}"
        receive += f" with tag {self.recvtag}" if self.recvtag is not None else ""
        return " and ".join([send] * to_send + [receive] * to_receive)


def validate(rank: int, operation: Operation, size: int) -> None:
    """Raises ValueError when this operation of `rank` is none that `size` ranks can do, whatever it holds."""
    kind = operation.kind if type(operation) is Operation else None
    if type(kind) is not str or kind not in KINDS or type(operation.payloads) is not tuple:
        raise ValueError(f"that is no operation of a rank: expected {', '.join(KINDS)}")
    if operation.sends:
        _check_rank("dest", operation.dest, size)
        _check_tag(operation.sendtag)
    if operation.receives:
        if operation.source is not None:
            _check_rank("source", operation.source, size)
        if operation.recvtag is not None:
            _check_tag(operation.recvtag)
    if kind in ROOTED:
        _check_rank("root", operation.root, size)
    if kind == "work" and not (
        type(operation.amount) in (int, float) and 0 <= operation.amount <= _MOST_WORK
    ):
        raise ValueError(f"work of {_short(operation.amount)} multiply-adds: expected a number from 0 on")
    _check_payloads(operation, _expected_payloads(rank, operation, size))


def _check_rank(name: str, value: Any, size: int) -> None:
    if type(value) is not int or not 0 <= value < size:
        raise ValueError(f"{name} is {_short(value)}: expected a rank from 0 to {size - 1}")


def _check_tag(value: Any) -> None:
    if type(value) is not int or not 0 <= value <= MOST_TAG:
        raise ValueError(f"a tag is {_short(value)}: expected a whole number from 0 to {MOST_TAG}")


def _short(value: Any) -> str:
    return in_short(value) if isinstance(value, int | float | str | None) else f"a {type(value).__name__}"


def _expected_payloads(rank: int, operation: Operation, size: int) -> int:
    kind = operation.kind
    if kind in ("recv", "barrier", "work") or (kind in ("bcast", "scatter") and rank != operation.root):
        return 0
    return size if kind in ("scatter", "alltoall") else 1


def _check_payloads(operation: Operation, expected: int) -> None:
    found = len(operation.payloads)
    if found != expected:
        objects = "1 object" if found == 1 else f"{found} objects"
        for_each = ", one for each rank" if operation.kind in ("scatter", "alltoall") and expected else ""
        raise ValueError(f"{operation.kind} got {objects} to send: expected {expected}{for_each}")


class Router:
    """Matches the operations of `size` ranks. `bytes_sent`, `messages` and `seconds` are lists, one number
    for each rank: what it sent so far and where its simulated clock stands. `weigh(payload)` gives bytes."""

    def __init__(self, size: int, weigh: Callable[[Any], int], machine: Machine | None = None) -> None:
        self.size = size
        self.bytes_sent = [0] * size
        self.messages = [0] * size
        self.seconds = [0.0] * size
        self._weigh = weigh
        self._machine = machine or Machine()
        self._waiting: dict[int, Operation] = {}
        self._ended: set[int] = set()
        # ranks in the order in which they came, with what is not done of theirs
        self._sends: dict[int, Operation] = {}
        self._receives: dict[int, Operation] = {}
        self._together: dict[int, Operation] = {}
        self._received: dict[int, tuple[Any, ...]] = {}
        self._until = [0.0] * size

    @property
    def waiting(self) -> list[int]:
        """The ranks whose operation is not complete."""
        return sorted(self._waiting)

    def post(self, rank: int, operation: Operation) -> list[tuple[int, tuple[Any, ...]]]:
        """Take over what `rank` asks for. Returns the ranks whose operations are complete now, in ascending
        order, and the payloads that each gets.

        Raises ValueError for an operation that can't be (the router is as it was before), Mismatch when
        another rank waits in another collective.
        """
        if rank in self._waiting or rank in self._ended:
            raise ValueError(f"rank {rank} can't ask for more: it waits or has ended")
        validate(rank, operation, self.size)
        if operation.kind == "work":
            self.seconds[rank] += operation.amount * self._machine.multiply
            return [(rank, ())]
        self._waiting[rank] = operation
        if operation.kind in COLLECTIVES:
            return self._join(rank, operation)
        return self._meet(rank, operation)

    def end(self, rank: int) -> None:
        """`rank` will ask for nothing more."""
        self._ended.add(rank)

    def deadlock(self) -> Deadlock:
        """What to raise when no rank can go on: it says where each one is."""
        together, apart = _where(self._together), _where(self._sends | self._receives)
        ended = [f"{_ranks(sorted(self._ended))} ended"] if self._ended else []
        first, *others = together + apart
        text = f"deadlock: {'; '.join([first, ', '.join(ended + others)]) if ended + others else first}"
        halves = [f"rank {rank} {self._halves(rank)}" for rank in self.waiting if self._in_sendrecv(rank)]
        return Deadlock(f"{text} ({', '.join(halves)})" if halves else text)

    def _in_sendrecv(self, rank: int) -> bool:
        return self._waiting[rank].kind == "sendrecv"

    def _halves(self, rank: int) -> str:
        return self._waiting[rank].outstanding(rank in self._sends, rank in self._receives)

    def _meet(self, rank: int, operation: Operation) -> list[tuple[int, tuple[Any, ...]]]:
        """Post what is to be sent and received, and deliver what meets by that."""
        self._until[rank] = self.seconds[rank]
        met = {rank}
        if operation.sends:
            self._sends[rank] = operation
        if operation.receives:
            self._receives[rank] = operation
            sender = next((other for other in self._sends if self._fits(other, rank)), None)
            if sender is not None:
                met |= self._deliver(sender, rank)
        receiver = operation.dest
        if receiver is not None and rank in self._sends and self._fits(rank, receiver):
            met |= self._deliver(rank, receiver)
        done = sorted(other for other in met if other not in self._sends and other not in self._receives)
        return [(other, self._finish(other, self._until[other])) for other in done]

    def _fits(self, sender: int, receiver: int) -> bool:
        send, receive = self._sends[sender], self._receives.get(receiver)
        return (
            receive is not None
            and send.dest == receiver
            and receive.source in (None, sender)
            and receive.recvtag in (None, send.sendtag)
        )

    def _deliver(self, sender: int, receiver: int) -> set[int]:
        payload = self._sends.pop(sender).payloads[0]
        del self._receives[receiver]
        self._received[receiver] = (payload,)
        end = max(self.seconds[sender], self.seconds[receiver])
        if sender != receiver:
            size = self._weigh(payload)
            end += self._machine.seconds(1, size)
            self._count(sender, 1, size)
        for rank in (sender, receiver):
            self._until[rank] = max(self._until[rank], end)
        return {sender, receiver}

    def _join(self, rank: int, operation: Operation) -> list[tuple[int, tuple[Any, ...]]]:
        """Let `rank` into the collective that waits, and finish it with the last one."""
        together = self._together
        together[rank] = operation
        if any(other.place != operation.place for other in list(together.values())[:1]):
            raise Mismatch(f"mismatch: {', '.join(_where(together))}")
        if len(together) < self.size:
            return []
        operations = [together[each] for each in range(self.size)]
        sizes = [tuple(map(self._weigh, each.payloads)) for each in operations]
        end = max(self.seconds) + duration(operation.kind, operation.root, sizes, self._machine)
        together.clear()
        for each in range(self.size):
            self._count(each, *counted(operation.kind, operation.root, each, sizes))
            self._received[each] = _routed(operation, each, operations)
        return [(each, self._finish(each, end)) for each in range(self.size)]

    def _finish(self, rank: int, end: float) -> tuple[Any, ...]:
        del self._waiting[rank]
        self.seconds[rank] = end
        return self._received.pop(rank, ())

    def _count(self, rank: int, messages: int, size: int) -> None:
        self.messages[rank] += messages
        self.bytes_sent[rank] += size


def _where(waiting: dict[int, Operation]) -> list[str]:
    """`ranks 1 and 3 wait in sendrecv`, for each place where ranks wait, by the first of them."""
    places: dict[str, list[int]] = {}
    for rank in sorted(waiting):
        places.setdefault(waiting[rank].place, []).append(rank)
    return [
        f"{_ranks(ranks)} {'waits' if len(ranks) == 1 else 'wait'} in {place}"
        for place, ranks in places.items()
    ]


def _ranks(ranks: Sequence[int]) -> str:
    """`rank 2`, `ranks 0, 1 and 3`."""
    *most, last = map(str, ranks)
    return f"ranks {', '.join(most)} and {last}" if most else f"rank {last}"


def _routed(operation: Operation, rank: int, operations: Sequence[Operation]) -> tuple[Any, ...]:
    """What `rank` gets of the payloads that all ranks handed over."""
    match operation.kind:
        case "barrier":
            return ()
        case "bcast":
            return operations[operation.root].payloads
        case "scatter":
            return (operations[operation.root].payloads[rank],)
        case "gather" if rank != operation.root:
            return ()
        case "alltoall":
            return tuple(each.payloads[rank] for each in operations)
    return tuple(each.payloads[0] for each in operations)


class Port(Protocol):
    """How `drive` speaks to one rank."""

    def next(self) -> Operation | None:
        """What the rank asks for next; None when it has ended. Raises what ends the whole run."""

    def give(self, payloads: tuple[Any, ...]) -> None:
        """Its operation is complete: these are for it, and it may go on."""


def drive(ports: Sequence[Port], router: Router) -> None:
    """Let the ranks behind `ports` run to their ends, one after another.

    Raises Deadlock as soon as none can go on, and whatever a port or the router raises.
    """
    runnable = deque(range(len(ports)))
    while runnable:
        rank = runnable.popleft()
        operation = ports[rank].next()
        if operation is None:
            router.end(rank)
            continue
        for done, payloads in router.post(rank, operation):
            ports[done].give(payloads)
            runnable.append(done)
    if router.waiting:
        raise router.deadlock()
