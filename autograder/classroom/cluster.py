"""Workers on a dask.distributed cluster: one that is started for the run, or one that runs elsewhere.

A worker process grades with one grader, so it has one thread. A batch that dask can't finish on any worker
is Lost; what makes all grading senseless (no scheduler, no worker for long, other code over there) is a
UserError, which ends the run.
"""

from __future__ import annotations

import contextlib
import functools
import os
import pickle
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from autograder.classroom import dask_connection, elsewhere
from autograder.classroom.dask_connection import STAYS, Connection
from autograder.classroom.parcel import Parcel
from autograder.classroom.results import Result
from autograder.classroom.worker import Job, Task
from autograder.library import UserError

if TYPE_CHECKING:
    from distributed import Future as Remote

#: How long it may take until the first worker can grade.
READY_SECONDS = 180.0
#: How often to look which workers are there: until one is ready, and from then on.
LOOK_SECONDS, LOOK_AGAIN_SECONDS = 0.1, 1.0
#: How long a worker elsewhere may take to close its grader when the run ends.
LEAVE_SECONDS = 5.0
#: How long a look at a cluster that does not answer may hold up the end.
JOIN_SECONDS = 2.0


@dataclass
class _Lesson:
    """The job that is at hand, as it travels; whether some worker can begin; and, by worker, the opening
    of its grader."""

    job: Job
    parcel: Parcel
    ready: Future[None] = field(default_factory=Future)
    opening: dict[str, Remote] = field(default_factory=dict)


class DaskWorkers:
    """`count` processes of this machine, by default one per CPU; or the workers of the cluster at
    `scheduler`, which may come and go. Raises UserError when no scheduler answers there.

    A thread looks after the cluster: it has each new worker open its grader ahead of the first batch,
    and ends what is under way when nothing can come of it any more.
    """

    def __init__(self, count: int | None = None, scheduler: str | None = None):
        self._asked = count or len(os.sched_getaffinity(0))
        self._elsewhere = scheduler is not None
        self._connection = dask_connection.connect(scheduler) if scheduler else None
        if scheduler is None:
            dask_connection.require_packages("distributed", "cryptography")
        self._watcher: threading.Thread | None = None
        self._ended = threading.Event()
        self._failure: BaseException | None = None
        self._threads = 0
        self._lesson: _Lesson | None = None
        self._out: dict[Future[list[Result]], Remote] = {}

    @property
    def count(self) -> int:
        """Threads of the cluster at this time, one each for the workers that it should have."""
        return max(1, self._threads) if self._elsewhere else self._asked

    def prepare(self, job: Job) -> None:
        self._at(job)
        self._begun()

    def await_ready(self) -> None:
        if self._lesson is None:
            return
        try:
            self._lesson.ready.result(READY_SECONDS)
        except TimeoutError as error:
            raise UserError(
                f"no worker of {self._begun().where} was ready to grade within {READY_SECONDS:g} s: "
                "are they busy with other work?"
            ) from error

    def submit(self, job: Job, tasks: Sequence[Task]) -> Future[list[Result]]:
        lesson, connection = self._at(job), self._begun()
        if self._failure is not None:
            raise self._failure
        try:
            # a key of its own: equal batches are graded each for itself
            remote = connection.client.submit(
                elsewhere.grade, *lesson.parcel.arguments, pickle.dumps(list(tasks)), pure=False
            )
        except Exception as error:
            raise connection.gone() from error
        outcome: Future[list[Result]] = Future()
        self._out[outcome] = remote
        remote.add_done_callback(functools.partial(self._came_back, connection, outcome))
        return outcome

    def close(self, at_once: bool = False) -> None:
        self._ended.set()
        if self._watcher is not None:
            self._watcher.join(JOIN_SECONDS)
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._elsewhere and self._failure is None:
            connection.drop(list(self._out.values()))
            connection.ask_all(elsewhere.leave, LEAVE_SECONDS)
        connection.close()

    # --- what goes out and comes back ---

    def _at(self, job: Job) -> _Lesson:
        if self._lesson is None or self._lesson.job != job:
            self._lesson = _Lesson(job, Parcel.of(job))
        return self._lesson

    def _came_back(self, connection: Connection, outcome: Future[list[Result]], remote: Remote) -> None:
        try:
            _settle(outcome, remote.result())
        except BaseException as error:
            _settle(outcome, error=dask_connection.meaning(error, connection))
        self._out.pop(outcome, None)

    def _fail(self, error: BaseException) -> None:
        """End everything that is waited for, now and later."""
        self._failure = error
        if self._lesson is not None:
            _settle(self._lesson.ready, error=error)
        for outcome in list(self._out):
            _settle(outcome, error=error)

    # --- the cluster ---

    def _begun(self) -> Connection:
        if self._connection is None:
            self._connection = dask_connection.start(self._asked)
        if self._watcher is None:
            self._watcher = threading.Thread(target=self._watch, args=(self._connection,), daemon=True)
            self._watcher.start()
        return self._connection

    def _watch(self, connection: Connection) -> None:
        seen, patience = time.monotonic(), dask_connection.patience()
        while not self._ended.wait(self._until_next_look()):
            try:
                workers = connection.workers()
                if self._lesson is not None:
                    self._open_ahead(connection, self._lesson, workers)
            except Exception as error:
                if not self._ended.is_set():
                    self._fail(error)
                return
            self._threads = sum(workers.values())
            seen = time.monotonic() if workers else seen
            if time.monotonic() - seen > patience:
                self._fail(_no_workers(connection, patience))
                return

    def _until_next_look(self) -> float:
        return LOOK_SECONDS if self._lesson and not self._lesson.ready.done() else LOOK_AGAIN_SECONDS

    def _open_ahead(self, connection: Connection, lesson: _Lesson, workers: dict[str, int]) -> None:
        """Have each worker that is new open its grader."""
        for gone in lesson.opening.keys() - workers.keys():
            del lesson.opening[gone]
        for address in workers.keys() - lesson.opening.keys():
            remote = connection.client.submit(
                elsewhere.open_grader, *lesson.parcel.arguments, workers=[address], pure=False
            )
            lesson.opening[address] = remote
            remote.add_done_callback(functools.partial(self._opened, connection, lesson))

    def _opened(self, connection: Connection, lesson: _Lesson, remote: Remote) -> None:
        try:
            remote.result()
        except BaseException as error:
            told = dask_connection.meaning(error, connection)
            if isinstance(told, UserError) and not self._ended.is_set():
                self._fail(told)
        else:
            _settle(lesson.ready, None)


def _settle(waiting: Future[Any], result: Any = None, *, error: BaseException | None = None) -> None:
    """Set what a future waits for, unless that is done."""
    with contextlib.suppress(InvalidStateError):
        if error is None:
            waiting.set_result(result)
        else:
            waiting.set_exception(error)


def _no_workers(connection: Connection, seconds: float) -> UserError:
    return UserError(
        f"{connection.where} has had no worker for {seconds:g} s: start some with "
        f"`dask worker ADDRESS --nthreads 1`; {STAYS}"
    )
