"""Grade a class: find what was handed in, grade it in parallel, record it one submission at a time.

Workers grade and give back plain results; this process alone writes. For each submission it takes away
the old verdict, writes the graded notebook, commits the gradebook, then writes the verdict, so a run
that is killed anywhere and started again ends in the same place.
"""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import wait as wait_for_end
from typing import TYPE_CHECKING

from autograder.classroom import records, results, submissions
from autograder.classroom.progress import Progress
from autograder.classroom.results import GRADER_ERROR, Job, Result
from autograder.classroom.settings import link_class, nbgrader_config
from autograder.classroom.submissions import Submission
from autograder.course import Course
from autograder.exercise import Outcome
from autograder.library import UserError

if TYPE_CHECKING:
    from autograder.classroom.gradebook import Book

#: Submissions per trip to a worker: enough to make the trip cheap, few enough to see progress.
LARGEST_BATCH = 8
#: Batches that wait at the workers, each: results are recorded as they come, so memory stays flat.
BATCHES_AHEAD = 2
DIED = "the process that graded this submission died; grade again, or grade it by hand"

MakeExecutor = Callable[[int], Executor]
Graded = tuple[Submission, Result]
#: Batches that are at the workers.
Out = dict[Future[list[Result]], Sequence[Submission]]
MakeProgress = Callable[[str, int], Progress]


@dataclass
class LessonRun:
    """What happened to one lesson's class. `troubled` pairs a student with the reason; `still_ungraded`
    counts those of the unchanged that have no grade."""

    lesson: str
    graded: int = 0
    unchanged: int = 0
    troubled: list[tuple[str, str]] = field(default_factory=list)
    ungraded: int = 0
    still_ungraded: int = 0

    def summary(self) -> str:
        """The run in one line."""
        still = f" ({self.still_ungraded} of them without a grade)" if self.still_ungraded else ""
        parts = [f"{self.graded} graded", f"{self.unchanged} unchanged{still}"]
        parts += [f"{self.ungraded} without a grade"] if self.ungraded else []
        return f"{self.lesson}: {', '.join(parts)}"


@dataclass(frozen=True)
class Pool:
    """The workers of one run."""

    make: MakeExecutor
    workers: int


def local_processes(workers: int) -> Executor:
    """Worker processes that share one import of the grading code and nothing of this process's state."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["autograder.classroom.results"])
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_prepare_worker)


def grade(
    course: Course,
    lessons: Sequence[str] = (),
    *,
    student: str | None = None,
    workers: int | None = None,
    force: bool = False,
    unsafe: bool = False,
    make_executor: MakeExecutor = local_processes,
    make_progress: MakeProgress = Progress,
) -> list[LessonRun]:
    """Grade what was handed in for `lessons` (all of them by default) and has changed since.

    Raises UserError when a lesson, a student, a sandbox or the solutions are missing; nothing is
    written then.
    """
    chosen = submissions.chosen_lessons(course, lessons, student)
    pool = Pool(make_executor, workers or len(os.sched_getaffinity(0)))
    found = {lesson: submissions.find(course, lesson, student) for lesson in chosen}
    with _only_run(course):
        records.clear_workplace(course)
        return [
            _grade_lesson(course, lesson, found[lesson], pool, force, unsafe, make_progress)
            for lesson in chosen
        ]


def _grade_lesson(
    course: Course,
    lesson: str,
    found: list[Submission],
    pool: Pool,
    force: bool,
    unsafe: bool,
    make_progress: MakeProgress,
) -> LessonRun:
    job = results.job_for(course, lesson, nbgrader_config(course), unsafe)
    digests = {submission.student: submissions.digest(submission, job.engine) for submission in found}
    work = Work(job, pool)
    with work:
        if force or any(not _has_verdict(course, submission, digests) for submission in found):
            work.warm_up()
        # nbgrader takes seconds to import: the workers open their sandboxes meanwhile
        from autograder.classroom.gradebook import open_book

        link_class(course)
        with open_book(course) as book:
            book.register(course.released(lesson))
            recorded = book.recorded_students(lesson)
            todo = [
                submission
                for submission in found
                if force
                or not (_has_verdict(course, submission, digests) and _is_there(course, submission, recorded))
            ]
            waiting = {submission.student for submission in todo}
            rest = [submission for submission in found if submission.student not in waiting]
            still_ungraded = sum(_without_grade(course, submission) for submission in rest)
            run = LessonRun(lesson, unchanged=len(rest), still_ungraded=still_ungraded)
            progress = make_progress(lesson, len(todo))
            for submission, result in work.results(todo):
                record(course, book, submission, result, digests[submission.student])
                trouble = trouble_of(result)
                if trouble:
                    run.troubled.append((submission.student, trouble))
                run.graded += result.notebook is not None
                run.ungraded += result.notebook is None
                progress.advance(submission.student, trouble)
            progress.close()
    return run


def record(course: Course, book: Book, submission: Submission, result: Result, digest: str) -> None:
    """Record one result everywhere. The verdict file is the commit mark; a fault of the grader's own
    gets no digest, so that the next run tries again."""
    records.remove_verdict(course, submission.lesson, submission.student)
    if result.notebook is None:
        records.remove_graded(course, submission)
    else:
        records.write_graded(course, submission, result.notebook)
    if submission.name_problem is None and submission.known_to_nbgrader:
        from autograder.classroom.gradebook import submitted_at

        book.enter(result, submitted_at(submission.folder))
    mark = {} if result.kind == GRADER_ERROR else {"digest": digest}
    records.write_verdict(course, submission.lesson, submission.student, {**result.verdict, **mark})


def trouble_of(result: Result) -> str | None:
    """What a person should know about a result at once: no grade, no time left, no answer from the grader."""
    if result.error:
        return result.error
    outcomes = {
        name: verdict["outcome"]
        for kind in ("exercises", "questions")
        for name, verdict in result.verdict[kind].items()
    }
    told = [f"{stop['cell']}: {stop['why']}" for stop in result.verdict.get("stopped", ())]
    told += [
        f"{outcome.value.replace('_', ' ')}: {', '.join(names)}"
        for outcome in (Outcome.TIMED_OUT, Outcome.GRADER_ERROR)
        if (names := [name for name, found in outcomes.items() if found == outcome.value])
    ]
    return "; ".join(told) or None


class Work:
    """The workers of one lesson. They are started when they are first needed, and again when one dies."""

    def __init__(self, job: Job, pool: Pool):
        self._job, self._pool = job, pool
        self._executor: Executor | None = None
        self._warm: list[Future[None]] = []

    def __enter__(self) -> Work:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and self._executor is not None:
            _kill_workers(self._executor)
        self._stop()

    def warm_up(self) -> None:
        """Let the workers open their graders now."""
        self._warm = [self._start().submit(_open_grader, self._job) for _ in range(self._pool.workers)]

    def results(self, todo: Sequence[Submission]) -> Iterator[Graded]:
        """Each submission with its result, in the order in which they are done.

        When a worker dies, nobody knows on whose account: what was out is graded again one by one, and
        a submission that is alone when a worker dies has its grade left open.
        """
        if todo:
            self._await_warm()
        size = max(1, min(LARGEST_BATCH, len(todo) // (4 * self._pool.workers)))
        waiting = deque(_batches(todo, size))
        out: Out = {}
        while waiting or out:
            whole = self._fill(waiting, out)
            done, _ = wait(out, return_when=FIRST_COMPLETED if whole else ALL_COMPLETED)
            suspects: list[Submission] = []
            yield from _take(done, out, suspects)
            if suspects or not whole:
                # the pool is broken: what else is out ends now, with an answer or without
                yield from _take(wait(out).done, out, suspects)
                self._stop()
                yield from self._one_by_one(suspects)

    def _await_warm(self) -> None:
        try:
            for warm in self._warm:
                warm.result()
        except BrokenProcessPool as error:
            raise UserError("the grading processes die when they start: is there enough memory?") from error

    def _fill(self, waiting: deque[Sequence[Submission]], out: Out) -> bool:
        """Keep the workers busy; False when they turn out to be dead."""
        while waiting and len(out) < self._pool.workers * BATCHES_AHEAD:
            try:
                future = self._start().submit(_grade_batch, self._job, waiting[0])
            except BrokenProcessPool:
                return False
            out[future] = waiting.popleft()
        return True

    def _one_by_one(self, suspects: Sequence[Submission]) -> Iterator[Graded]:
        for submission in suspects:
            try:
                yield submission, self._start().submit(_grade_batch, self._job, [submission]).result()[0]
            except BrokenProcessPool:
                self._stop()
                yield (
                    submission,
                    results.without_grade(self._job.lesson, submission.student, GRADER_ERROR, DIED),
                )

    def _start(self) -> Executor:
        if self._executor is None:
            self._executor = self._pool.make(self._pool.workers)
        return self._executor

    def _stop(self) -> None:
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)
            self._executor = None


def _prepare_worker() -> None:
    """A worker leaves Ctrl-C to the main process, and ends when that has ended, even by a kill."""
    signal.signal(signal.SIGINT, lambda *_: None)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent.sentinel,), daemon=True).start()


def _end_after(sentinel: int) -> None:
    wait_for_end([sentinel])
    try:
        results.close_graders()
    finally:
        os._exit(1)


def _kill_workers(executor: Executor) -> None:
    """A run that stops does not wait for what is being graded. (Python 3.14 has a method for this.)"""
    for process in list((getattr(executor, "_processes", None) or {}).values()):
        process.kill()


def _take(done: Iterable[Future[list[Result]]], out: Out, suspects: list[Submission]) -> Iterator[Graded]:
    """What the finished batches came to; the submissions of those that broke go to `suspects`."""
    for future in done:
        batch = out.pop(future)
        try:
            yield from zip(batch, future.result(), strict=True)
        except BrokenProcessPool:
            suspects.extend(batch)


def _batches(todo: Sequence[Submission], size: int) -> list[Sequence[Submission]]:
    return [todo[start : start + size] for start in range(0, len(todo), size)]


def _open_grader(job: Job) -> None:
    results.grader_for(job)


def _grade_batch(job: Job, batch: Sequence[Submission]) -> list[Result]:
    """In a worker: one result per submission of the batch."""
    return [_grade_one(job, submission) for submission in batch]


def _grade_one(job: Job, submission: Submission) -> Result:
    if problem := submission.name_problem:
        return results.without_grade(job.lesson, submission.student, results.DAMAGED, problem)
    return results.grade(job, submission.student, submission.notebook)


def _has_verdict(course: Course, submission: Submission, digests: dict[str, str]) -> bool:
    path = records.verdict_path(course, submission.lesson, submission.student)
    return records.read_verdict(path).get("digest") == digests[submission.student]


def _without_grade(course: Course, submission: Submission) -> bool:
    path = records.verdict_path(course, submission.lesson, submission.student)
    return "error" in records.read_verdict(path)


def _is_there(course: Course, submission: Submission, recorded: set[str]) -> bool:
    """Whether what the verdict file promises is still there: a gradebook may have been deleted."""
    verdict = records.read_verdict(records.verdict_path(course, submission.lesson, submission.student))
    if "error" in verdict:
        return (
            submission.student in recorded
            or submission.name_problem is not None
            or not submission.known_to_nbgrader
        )
    notebook = records.graded_folder(course, submission) / submission.notebook.name
    return submission.student in recorded and notebook.is_file()


@contextmanager
def _only_run(course: Course) -> Iterator[None]:
    """Two runs at once would write over each other. Raises UserError when another one is going on."""
    course.verdicts.mkdir(exist_ok=True)
    with open(course.verdicts / ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(f"another run is grading {course.root}: wait for it, or stop it") from error
        yield
