"""One submission's result, in the plain form that crosses processes and that every path records."""

from __future__ import annotations

import atexit
from dataclasses import dataclass, field
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode, v4
from traitlets.config import Config

from autograder.classroom.harmless import disarm
from autograder.classroom.settings import limits
from autograder.classroom.submissions import engine_digest
from autograder.course import Course
from autograder.grading import Graded, Grader
from autograder.judging.restore import Unreadable, grade_id
from autograder.library import UserError
from autograder.sandbox.client import Limits

DAMAGED = "damaged"
GRADER_ERROR = "grader_error"
#: What the runner calls the error output of a cell that had to be stopped.
STOPPED = ("TimeLimit", "Stopped")


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
class Result:
    """What became of one submission. `notebook` is the graded notebook's text, None where there is
    none: then `verdict` holds `error`, the reason, and `kind`, `damaged` or `grader_error`."""

    student: str
    lesson: str
    verdict: dict[str, Any]
    notebook: str | None = None
    scores: dict[str, float | None] = field(default_factory=dict)
    unanswered: tuple[str, ...] = ()

    @property
    def error(self) -> str | None:
        return self.verdict.get("error")

    @property
    def kind(self) -> str | None:
        return self.verdict.get("kind")


def grade(job: Job, student: str, notebook: Path) -> Result:
    """Grade one submitted notebook. Whatever is wrong with it, or with the grader, becomes a result.

    Raises UserError where nothing at all can be graded: no sandbox, no such lesson.
    """
    try:
        opened = grader_for(job)
        return of_graded(student, opened.grader.grade(notebook), opened.released)
    except Unreadable as damage:
        return without_grade(job.lesson, student, DAMAGED, damage.reason)
    except UserError:
        raise
    except Exception as fault:  # our own fault never stops the class and never costs a student points
        _close((job.course.root, job.lesson))
        return without_grade(job.lesson, student, GRADER_ERROR, f"{type(fault).__name__}: {fault}")


def of_graded(student: str, graded: Graded, released: NotebookNode) -> Result:
    """The result of a submission that was graded."""
    blank = unanswered(graded.notebook, released)
    disarm(graded.notebook, released)
    return Result(
        student,
        graded.lesson,
        {"student": student, **graded.to_json(), "stopped": stopped(graded.notebook)},
        v4.writes(graded.notebook) + "\n",
        dict(graded.scores()),
        blank,
    )


def without_grade(lesson: str, student: str, kind: str, reason: str) -> Result:
    """The result of a submission that has no grade: every score waits for a person."""
    return Result(student, lesson, {"student": student, "lesson": lesson, "error": reason, "kind": kind})


def stopped(notebook: NotebookNode) -> list[dict[str, str]]:
    """The cells that ran out of time or took the process with them, by grade id or position, and why."""
    return [
        {"cell": grade_id(cell) or f"cell {position}", "why": str(output.evalue)}
        for position, cell in enumerate(notebook.cells)
        for output in cell.get("outputs", ())
        if output.output_type == "error" and output.ename in STOPPED
    ]


def unanswered(notebook: NotebookNode, released: NotebookNode) -> tuple[str, ...]:
    """The solution cells whose source is as it was released, which is what nbgrader's checksum tells."""
    sources = {grade_id(cell): cell.source for cell in released.cells}
    return tuple(
        name
        for cell in notebook.cells
        if (name := grade_id(cell))
        and cell.metadata.nbgrader.get("solution")
        and cell.source == sources.get(name)
    )


@dataclass(frozen=True)
class Opened:
    """A running grader, the job it was opened for, and the lesson as it was released."""

    job: Job
    grader: Grader
    released: NotebookNode


_open: dict[tuple[Path, str], Opened] = {}


def grader_for(job: Job) -> Opened:
    """This process's grader for the job's lesson, opened on first use and again when the engine changed."""
    place = (job.course.root, job.lesson)
    if place in _open and _open[place].job != job:
        _close(place)
    if place not in _open:
        grader = Grader(job.course, job.lesson, limits=job.limits, unsafe=job.unsafe)
        released = nbformat.read(job.course.released(job.lesson), as_version=4)
        grader.__enter__()
        _open[place] = Opened(job, grader, released)
    return _open[place]


def close_graders() -> None:
    """Close this process's graders and with them their sandboxes."""
    for place in list(_open):
        _close(place)


def _close(place: tuple[Path, str]) -> None:
    opened = _open.pop(place, None)
    if opened is not None:
        opened.grader.__exit__(None, None, None)


# A worker of multiprocessing leaves without running atexit, any other program without finalizers of its own.
atexit.register(close_graders)
Finalize(None, close_graders, exitpriority=10)
