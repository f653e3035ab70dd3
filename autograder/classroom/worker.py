"""What a worker process does: grade a batch of submissions of one lesson with the grader that it keeps open.

A worker knows nothing of the class's folder but what its job says; every task brings its notebook along.
Grading a task twice gives the same result twice, and writes nothing.
"""

from __future__ import annotations

import atexit
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.util import Finalize

import nbformat
from nbformat import NotebookNode
from traitlets.config import Config

from autograder.classroom import results
from autograder.classroom.engine import engine_digest
from autograder.classroom.results import DAMAGED, GRADER_ERROR, Result
from autograder.classroom.settings import limits
from autograder.course import Course
from autograder.grading import Grader
from autograder.judging import restore
from autograder.judging.restore import Unreadable
from autograder.library import UserError
from autograder.sandbox.client import Limits


@dataclass(frozen=True)
class Job:
    """What a process needs to grade one lesson. `engine` changes whenever anything of it does, so a
    grader that was opened for another engine is never used."""

    course: Course
    lesson: str
    engine: str
    limits: Limits
    unsafe: bool = False


def job_for(course: Course, lesson: str, config: Config, unsafe: bool = False) -> Job:
    """The job of grading `lesson` with the course's settings. Raises UserError where these are wrong."""
    chosen = limits(config)
    return Job(course, lesson, engine_digest(course, lesson, unsafe, chosen), chosen, unsafe)


@dataclass(frozen=True)
class Task:
    """One submission on its way to a worker: the bytes of its notebook, or why there are none."""

    student: str
    content: bytes | None
    problem: str = ""


def grade_batch(job: Job, batch: Sequence[Task]) -> list[Result]:
    """One result per task. Raises UserError where nothing at all can be graded."""
    return [grade(job, task) for task in batch]


def grade(job: Job, task: Task) -> Result:
    """Grade one submission. Whatever is wrong with it, or with the grader, becomes a result.

    Raises UserError where nothing at all can be graded: no sandbox, no such lesson.
    """
    if task.content is None:
        return results.without_grade(job.lesson, task.student, DAMAGED, task.problem)
    try:
        opened = open_grader(job)
        graded = opened.grader.grade_notebook(restore.parse(task.content))
        return results.of_graded(task.student, graded, opened.released)
    except Unreadable as damage:
        return results.without_grade(job.lesson, task.student, DAMAGED, damage.reason)
    except UserError:
        raise
    except Exception as fault:  # our own fault never stops the class and never costs a student points
        close_grader()
        return results.without_grade(
            job.lesson, task.student, GRADER_ERROR, f"{type(fault).__name__}: {fault}"
        )


@dataclass(frozen=True)
class Opened:
    """A running grader, the job it was opened for, and the lesson as it was released."""

    job: Job
    grader: Grader
    released: NotebookNode


_opened: Opened | None = None
_door: socket.socket | None = None


def join(door: socket.socket) -> None:
    """Have this process's graders share the zygote behind `door`."""
    global _door
    _door = door


def open_grader(job: Job) -> Opened:
    """This process's grader: opened on first use, and again when the job is another one."""
    global _opened
    if _opened is not None and _opened.job != job:
        close_grader()
    if _opened is None:
        with job.course.on_disk() as course:
            grader = Grader(course, job.lesson, limits=job.limits, unsafe=job.unsafe, door=_door)
            released = nbformat.read(course.released(job.lesson), as_version=4)
        grader.__enter__()
        _opened = Opened(job, grader, released)
    return _opened


def close_grader() -> None:
    """Close this process's grader and with it its sandbox."""
    global _opened
    closing, _opened = _opened, None
    if closing is not None:
        closing.grader.__exit__(None, None, None)


# A worker of multiprocessing leaves without running atexit, any other program without finalizers of its own.
atexit.register(close_grader)
Finalize(None, close_grader, exitpriority=10)
