"""Simulated ranks: P of them run the same function and speak to each other as MPI's processes do.

    from attention_lib.ranks import run

    def total(comm, numbers):
        return comm.allreduce(numbers[comm.rank])

    results = run(4, total, [1.0, 2.0, 3.0, 4.0])      # [10.0, 10.0, 10.0, 10.0]
    results.bytes_sent, results.messages, results.seconds

`comm` speaks the lower-case interface of mpi4py; the same function runs unchanged on real MPI processes.
Ranks share no memory: each gets its own copy of the arguments, and what is received is a copy of what was
sent. `send` waits for its receiver. What is counted, and how the simulated clock goes: `attention_lib.costs`.
"""

from __future__ import annotations

import contextvars
import copy
import ctypes
import threading
from collections.abc import Callable
from dataclasses import replace
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np

from attention_lib.comm import ANY_SOURCE, ANY_TAG, MAX, SUM, Comm, payload_bytes, whole
from attention_lib.costs import Machine
from attention_lib.routing import Deadlock, Mismatch, Operation, Router, drive

__all__ = [
    "ANY_SOURCE",
    "ANY_TAG",
    "MAX",
    "SUM",
    "Comm",
    "Deadlock",
    "Machine",
    "Mismatch",
    "Results",
    "payload_bytes",
    "run",
]


def _copied(value: Any) -> Any:
    """`value` with arrays of its own."""
    kind = type(value)
    if kind is np.ndarray:
        return value.copy(order="K")
    if kind in (list, tuple):
        return kind(map(_copied, value))
    if kind is dict:
        return {key: _copied(item) for key, item in value.items()}
    return value


class Results(list[Any]):
    """What each rank returned, by rank. `bytes_sent`, `messages` and `seconds` (of the simulated clock) are
    lists with one number for each rank."""

    def __init__(self, returned: list[Any], router: Router) -> None:
        super().__init__(returned)
        self.bytes_sent = router.bytes_sent
        self.messages = router.messages
        self.seconds = router.seconds


def run(world_size: int, fn: Callable[..., Any], *args: Any, machine: Machine | None = None) -> Results:
    """Run `fn(comm, *args)` on each of `world_size` simulated ranks, and give what each returned.

    Only one rank runs at a time, in a fixed order, so that the same program always does and prints the same.
    Raises ValueError when `world_size` is no whole number above 0, Deadlock when no rank can go on, Mismatch
    when ranks are in different collectives; and what a rank raises, after the others were ended.
    """
    size = whole(world_size)
    if type(size) is not int or size < 1:
        raise ValueError(f"world_size is {world_size!r}: expected a whole number from 1 on")
    router = Router(size, payload_bytes, machine)
    ranks = [_Rank(rank, size, fn, copy.deepcopy(args)) for rank in range(size)]
    try:
        drive(ranks, router)
    finally:
        for rank in ranks:
            rank.close()
    return Results([rank.returned for rank in ranks], router)


class _Ended(SystemExit):
    """Unwinds a rank whose run is over. Python is silent about a thread that ends so."""


class _Rank:
    """A rank as a thread that runs only while `next` waits for it."""

    _MOST_UNWINDING = 100  # times that a rank may catch its end and ask for more

    def __init__(self, rank: int, size: int, fn: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.returned: Any = None
        self._name = f"rank {rank} of {size}"
        self._comm = Comm(rank, size, self._post)
        self._call = (fn, self._comm, *args)
        self._context = contextvars.copy_context()
        self._thread: threading.Thread | None = None
        self._asked: SimpleQueue[Operation | None] = SimpleQueue()
        self._answered: SimpleQueue[tuple[Any, ...]] = SimpleQueue()
        self._answer: tuple[Any, ...] = ()
        self._error: BaseException | None = None
        self._over = False
        self._unwound = 0

    def next(self) -> Operation | None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._main, name=self._name, daemon=True)
            self._thread.start()
        else:
            self._answered.put(self._answer)
        operation = self._next_asked()
        if self._error is not None:
            self._error.add_note(f"on {self._name}")
            raise self._error
        return operation

    def _next_asked(self) -> Operation | None:
        """What the thread asks for. An interrupt that comes just before the wait is seen when it is over."""
        while True:
            try:
                return self._asked.get(timeout=0.5)
            except Empty:
                continue

    def give(self, payloads: tuple[Any, ...]) -> None:
        self._answer = _copied(payloads)  # one object may go to several ranks

    def close(self) -> None:
        """End the thread wherever it is. One that waits ends by itself, one that computes is interrupted
        after a second; one in a long call of NumPy is left behind, as a daemon, and ends when that does."""
        if self._thread is None:
            return
        self._over = True
        self._answered.put(())
        for patience in (1, *[0.05] * 20):
            self._thread.join(patience)
            if not self._thread.is_alive() or self._unwound > self._MOST_UNWINDING:
                return
            ident = ctypes.c_ulong(self._thread.ident or 0)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(_Ended))

    def _main(self) -> None:
        try:
            self.returned = self._context.run(*self._call)
        except BaseException as error:
            self._error = error
        self._asked.put(None)

    def _post(self, operation: Operation) -> tuple[Any, ...]:
        if threading.current_thread() is not self._thread:
            raise RuntimeError(f"this comm is for {self._name} alone, while its function runs")
        if not self._over:
            # The sender may go on, and change it, while the receiver still sends.
            self._asked.put(replace(operation, payloads=_copied(operation.payloads)))
            answer = self._answered.get()
        if self._over:
            self._unwind()
        return answer

    def _unwind(self) -> None:
        self._unwound += 1
        if self._unwound > self._MOST_UNWINDING:
            SimpleQueue[None]().get()  # it never comes: the thread stands still and costs no time
        raise _Ended
