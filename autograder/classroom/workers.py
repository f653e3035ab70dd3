"""Work for a class's submissions: batches out to workers, results back, and what becomes of the work of
a worker that is lost.

`Workers` is the seam: processes of this machine (`local_workers`) or a cluster (`cluster`) stand behind it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from typing import Protocol

from autograder.classroom.results import GRADER_ERROR, Result, without_grade
from autograder.classroom.submissions import Submission
from autograder.classroom.worker import Job, Task
from autograder.judging import restore
from autograder.judging.restore import Unreadable

#: Submissions per trip to a worker: enough to make the trip cheap, few enough to see progress.
LARGEST_BATCH = 8
#: Batches that wait at the workers, each: results are recorded as they come, so memory stays flat.
BATCHES_AHEAD = 2
#: How often a submission is tried alone when workers are lost over it.
TRIES_ALONE = 2
DIED = "the process that graded this submission died; grade again, or grade it by hand"

Batch = Sequence[Submission]


class Lost(Exception):
    """The worker that held a batch is gone, or can't be reached; the batch can be graded again."""


class Workers(Protocol):
    """Grades batches somewhere else, several at a time."""

    @property
    def count(self) -> int:
        """Batches that are graded at the same time."""

    def prepare(self, job: Job) -> None:
        """Get ready for `job` ahead of its first batch, without waiting for it."""

    def await_ready(self) -> None:
        """Wait until what `prepare` began is done. Raises UserError where nothing can be graded."""

    def submit(self, job: Job, tasks: Sequence[Task]) -> Future[list[Result]]:
        """Have a batch graded. The future, or this call itself, raises Lost when its worker is lost, and
        UserError where nothing at all can be graded."""

    def close(self, at_once: bool = False) -> None:
        """Let the workers go; `at_once` does not wait for what they are at."""


MakeWorkers = Callable[[int | None], Workers]


def grade_all(workers: Workers, job: Job, todo: Batch) -> Iterator[tuple[Submission, Result]]:
    """Each submission with its result, in the order in which they are done.

    When a worker is lost, nobody knows on whose account: its batch is graded again one by one, and a
    submission that is alone when workers are lost has its grade left open.
    """
    work = _Work(workers, job, deque(todo))
    while work.fill():
        yield from work.finished()
        yield from work.tried_alone()


@dataclass
class _Work:
    """The submissions that wait, the batches that are out, and the submissions whose worker was lost."""

    workers: Workers
    job: Job
    waiting: deque[Submission]
    out: dict[Future[list[Result]], Batch] = field(default_factory=dict)
    suspects: list[Submission] = field(default_factory=list)

    def fill(self) -> bool:
        """Keep the workers busy; whether there is anything left to wait for."""
        while self.waiting and len(self.out) < self.workers.count * BATCHES_AHEAD:
            batch = self._next_batch()
            try:
                self.out[self._submit(batch)] = batch
            except Lost:
                self.suspects.extend(batch)
                break
        return bool(self.out or self.suspects)

    def _next_batch(self) -> Batch:
        """Smaller ones towards the end, so that no worker is left with much when the others are done."""
        size = max(1, min(LARGEST_BATCH, len(self.waiting) // (4 * self.workers.count)))
        return [self.waiting.popleft() for _ in range(size)]

    def finished(self) -> Iterator[tuple[Submission, Result]]:
        """What has come back; where a worker was lost, everything that is out is waited for."""
        done: Iterable[Future[list[Result]]] = wait(self.out, return_when=FIRST_COMPLETED).done
        while done:
            for future in done:
                batch = self.out.pop(future)
                try:
                    yield from zip(batch, future.result(), strict=True)
                except Lost:
                    self.suspects.extend(batch)
            done = wait(self.out).done if self.suspects else ()

    def tried_alone(self) -> Iterator[tuple[Submission, Result]]:
        """The suspects' results, one after another."""
        for submission in self.suspects:
            yield submission, self._alone(submission)
        self.suspects.clear()

    def _alone(self, submission: Submission) -> Result:
        for _ in range(TRIES_ALONE):
            try:
                return self._submit([submission]).result()[0]
            except Lost:
                continue
        return without_grade(self.job.lesson, submission.student, GRADER_ERROR, DIED)

    def _submit(self, batch: Batch) -> Future[list[Result]]:
        return self.workers.submit(self.job, [task_for(submission) for submission in batch])


def task_for(submission: Submission) -> Task:
    """The submission as it travels to a worker."""
    try:
        if problem := submission.problem:
            raise Unreadable(problem)
        return Task(submission.student, restore.content(submission.notebook))
    except Unreadable as damage:
        return Task(submission.student, None, damage.reason)
