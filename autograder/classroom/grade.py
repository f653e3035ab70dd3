"""Grade a class: find what was handed in, grade it in parallel, record it one submission at a time.

Workers grade and give back plain results; this process alone writes. For each submission it takes away
the old verdict, writes the graded notebook, commits the gradebook, then writes the verdict, so a run
that is killed anywhere and started again ends in the same place.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from autograder.classroom import records, submissions, worker
from autograder.classroom.local_workers import LocalWorkers
from autograder.classroom.progress import Progress
from autograder.classroom.results import GRADER_ERROR, Result
from autograder.classroom.settings import link_class, nbgrader_config
from autograder.classroom.submissions import Submission
from autograder.classroom.summary import LessonRun
from autograder.classroom.workers import MakeWorkers, Workers, grade_all
from autograder.course import Course
from autograder.files import writing
from autograder.library import UserError

if TYPE_CHECKING:
    from autograder.classroom.gradebook import Book

MakeProgress = Callable[[str, int], Progress]


class Recorder(Protocol):
    """Where the results of a run go."""

    def alone(self) -> AbstractContextManager[None]:
        """The time of a run. Raises UserError when another one is going on."""

    def book(self) -> AbstractContextManager[Book]:
        """The gradebook that the results are entered into."""

    def record(self, book: Book, submission: Submission, result: Result, digest: str) -> None:
        """Take one result, once it is there."""


@dataclass(frozen=True)
class ForGood:
    """Records in the class's folder and its gradebook."""

    course: Course

    @contextmanager
    def alone(self) -> Iterator[None]:
        with _only_run(self.course):
            records.clear_workplace(self.course)
            yield

    def book(self) -> AbstractContextManager[Book]:
        # nbgrader takes seconds to import: the workers open their sandboxes meanwhile
        from autograder.classroom.gradebook import open_book

        link_class(self.course)
        return open_book(self.course)

    def record(self, book: Book, submission: Submission, result: Result, digest: str) -> None:
        record(self.course, book, submission, result, digest)


def grade(
    course: Course,
    lessons: Sequence[str] = (),
    *,
    student: str | None = None,
    workers: int | None = None,
    force: bool = False,
    unsafe: bool = False,
    make_workers: MakeWorkers = LocalWorkers,
    make_progress: MakeProgress = Progress,
    recorder: Recorder | None = None,
) -> list[LessonRun]:
    """Grade what was handed in for `lessons` (all of them by default) and has changed since; `recorder`
    takes the results (by default: for good).

    Raises UserError when a lesson, a student, a sandbox or the solutions are missing; nothing is
    written then.
    """
    chosen = submissions.chosen_lessons(course, lessons, student)
    found = {lesson: submissions.find(course, lesson, student) for lesson in chosen}
    recorder = recorder or ForGood(course)
    with recorder.alone(), _closing(make_workers(workers)) as pool:
        return [
            _grade_lesson(course, lesson, found[lesson], pool, force, unsafe, make_progress, recorder)
            for lesson in chosen
        ]


@contextmanager
def _closing(workers: Workers) -> Iterator[Workers]:
    """Let the workers go at the end, at once where the run was stopped."""
    try:
        yield workers
    except BaseException:
        workers.close(at_once=True)
        raise
    workers.close()


def _grade_lesson(
    course: Course,
    lesson: str,
    found: list[Submission],
    workers: Workers,
    force: bool,
    unsafe: bool,
    make_progress: MakeProgress,
    recorder: Recorder,
) -> LessonRun:
    job = worker.job_for(course, lesson, nbgrader_config(course), unsafe)
    digests = {submission.student: submissions.digest(submission, job.engine) for submission in found}
    changed = force or any(not _has_verdict(course, submission, digests) for submission in found)
    if changed:
        workers.prepare(job)
    with recorder.book() as book:
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
        run = LessonRun(lesson)
        for submission in rest:
            run.keep(submission.student, _verdict(course, submission))
        run.repriced = book.reckon_penalties(lesson, _graded_students(course, rest))
        with make_progress(lesson, len(todo)) as progress:
            if changed:
                workers.await_ready()
            progress.begin()
            for submission, result in grade_all(workers, job, todo):
                recorder.record(book, submission, result, digests[submission.student])
                progress.advance(submission.student, run.add(submission.student, result))
    return run


def record(course: Course, book: Book, submission: Submission, result: Result, digest: str) -> None:
    """Record one result everywhere. The verdict file is the commit mark; a fault of the grader's own
    gets no digest, so that the next run tries again."""
    records.remove_verdict(course, submission.lesson, submission.student)
    if result.notebook is None:
        records.remove_graded(course, submission)
    else:
        records.write_graded(course, submission, result.notebook)
    enter(book, submission, result)
    mark = {} if result.kind == GRADER_ERROR else {"digest": digest}
    records.write_verdict(course, submission.lesson, submission.student, {**result.verdict, **mark})


def enter(book: Book, submission: Submission, result: Result) -> None:
    """Enter a result into `book`, where nbgrader would know of the submission."""
    if submission.name_problem is None and submission.known_to_nbgrader:
        from autograder.classroom.gradebook import submitted_at

        book.enter(result, submitted_at(submission.folder))


def _verdict(course: Course, submission: Submission) -> dict[str, Any]:
    """What the last run left, empty where there is nothing."""
    return records.read_verdict(records.verdict_path(course, submission.lesson, submission.student))


def _graded_students(course: Course, found: list[Submission]) -> list[str]:
    """The students among `found` whose work got a grade."""
    return [item.student for item in found if "error" not in _verdict(course, item)]


def _has_verdict(course: Course, submission: Submission, digests: dict[str, str]) -> bool:
    return _verdict(course, submission).get("digest") == digests[submission.student]


def _is_there(course: Course, submission: Submission, recorded: set[str]) -> bool:
    """Whether what the verdict file promises is still there: a gradebook may have been deleted."""
    if "error" in _verdict(course, submission):
        return (
            submission.student in recorded
            or submission.name_problem is not None
            or not submission.known_to_nbgrader
        )
    notebook = records.graded_folder(course, submission) / submission.notebook.name
    return submission.student in recorded and notebook.is_file()


def lock_file(course: Course) -> Path:
    """The file that a run which records holds locked."""
    return course.verdicts / ".lock"


@contextmanager
def _only_run(course: Course) -> Iterator[None]:
    """Two runs at once would write over each other. Raises UserError when another one is going on."""
    path = lock_file(course)
    with writing(path):
        course.verdicts.mkdir(exist_ok=True)
        lock = path.open("w")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(f"another run is grading {course.root}: wait for it, or stop it") from error
        yield
