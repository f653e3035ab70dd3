"""Workers that are processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait as wait_for_end
from multiprocessing.util import Finalize
from typing import Any

from autograder import lean
from autograder.classroom import worker
from autograder.classroom.forking import fork_server
from autograder.classroom.results import Result
from autograder.classroom.worker import Job, Task
from autograder.classroom.workers import Lost
from autograder.library import UserError
from autograder.sandbox.client import SharedZygote

#: How often the processes are started before a run: one that is killed says nothing about the next.
STARTS = 3


class LocalWorkers:
    """A pool of processes, by default one per CPU; started when first needed, and again when one dies.

    They share one import of the grading code and one zygote, and nothing of this process's state.
    """

    def __init__(self, count: int | None = None):
        self._count = count or len(os.sched_getaffinity(0))
        self._pool: ProcessPoolExecutor | None = None
        self._zygote: SharedZygote | None = None
        self._warm: list[Future[Any]] = []
        self._prepared: Job | None = None

    @property
    def count(self) -> int:
        return self._count

    def prepare(self, job: Job) -> None:
        self._prepared = job
        self._warm = [self._call(job, _open_ahead) for _ in range(self._count)]

    def await_ready(self) -> None:
        for attempt in range(STARTS):
            try:
                if attempt and self._prepared:
                    self.prepare(self._prepared)
                for warm in self._warm:
                    warm.result()
                return
            except Lost as error:
                lost = error
        raise UserError("the grading processes die when they start: is there enough memory?") from lost

    def submit(self, job: Job, tasks: Sequence[Task]) -> Future[list[Result]]:
        return self._call(job, worker.grade_batch, tasks)

    def close(self, at_once: bool = False) -> None:
        if self._pool is not None and at_once:
            _kill(self._pool)
        self._let_go()
        if self._zygote is not None:
            self._zygote.close()
            self._zygote = None

    def _let_go(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def _call(self, job: Job, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        try:
            return _losing(self._started(job).submit(function, job, *arguments))
        except BrokenProcessPool:  # it broke since: a new one
            self._let_go()
        try:
            return _losing(self._started(job).submit(function, job, *arguments))
        except BrokenProcessPool as error:
            self._let_go()
            raise Lost from error

    def _started(self, job: Job) -> ProcessPoolExecutor:
        if self._zygote is None:
            course = job.course
            self._zygote = SharedZygote([course.library_dir], course.student_modules, job.limits, job.unsafe)
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self._count,
                mp_context=fork_server([lean.__name__, worker.__name__]),
                initializer=_begin,
                initargs=(self._zygote.door,),
            )
        return self._pool


def _losing(future: Future[Any]) -> Future[Any]:
    """`future`, with Lost for the exception of a pool that a dead worker broke."""
    outcome: Future[Any] = Future()

    def pass_on(done: Future[Any]) -> None:
        if done.cancelled() or isinstance(error := done.exception(), BrokenProcessPool):
            outcome.set_exception(Lost())
        elif error is not None:
            outcome.set_exception(error)
        else:
            outcome.set_result(done.result())

    future.add_done_callback(pass_on)
    return outcome


def _open_ahead(job: Job) -> None:
    worker.open_grader(job)


def _begin(door: socket.socket) -> None:
    """A worker leaves Ctrl-C to the main process, and ends when that has ended, even by a kill."""
    signal.signal(signal.SIGINT, lambda *_: None)
    worker.join(door)
    # what was registered where the grading code was imported is forgotten in a process forked from there
    Finalize(None, worker.close_grader, exitpriority=10)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent.sentinel,), daemon=True).start()


def _end_after(sentinel: int) -> None:
    """At once, whatever the main thread is at: its zygote notices, and clears up after it."""
    wait_for_end([sentinel])
    os._exit(1)


def _kill(pool: ProcessPoolExecutor) -> None:
    """A run that stops does not wait for what is being graded. (Python 3.14 has a method for this.)"""
    for process in list((getattr(pool, "_processes", None) or {}).values()):
        process.kill()
