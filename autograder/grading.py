"""The one function that grades one submission: `Grader.grade`. Everything that grades calls it.

with Grader(Course.find(), "01_dot_product_similarity") as grader:
    graded = grader.grade(Path("01_dot_product_similarity.ipynb"))
"""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import nbformat
from nbformat import NotebookNode

from attention_lib.release import digest_in
from autograder import library
from autograder.course import Course
from autograder.judging import restore, runner
from autograder.judging.judge import Judge
from autograder.judging.restore import Unreadable
from autograder.judging.verdict import ExerciseVerdict, QuestionVerdict, Verdict
from autograder.library import UserError
from autograder.sandbox.client import Limits, Sandbox, SandboxLost
from autograder.sandbox.isolation import shown_with

__all__ = ["Graded", "Grader", "Unreadable"]

#: At how many cells of a submission a process may be killed from outside before a cell is blamed.
KILLS_BORNE = 5
#: How often a submission's sandbox may be lost before a person is asked.
LOSSES_BORNE = 3


@dataclass(frozen=True)
class Graded:
    """One graded submission. `notebook` is restored and holds the judge's outputs; `needs_manual` names
    the free texts that were answered and whatever the grader itself failed on; `other_release` is the stamp
    of the release that the student worked on, where it is not the one that was graded. Of the `seconds`, the
    notebook's own cells ran `cells_seconds`."""

    lesson: str
    notebook: NotebookNode
    exercises: dict[str, ExerciseVerdict]
    questions: dict[str, QuestionVerdict]
    needs_manual: tuple[str, ...]
    sandbox: tuple[str, ...]
    seconds: float
    unanswered_texts: tuple[str, ...] = ()
    other_release: str | None = None
    cells_seconds: float = 0.0

    @property
    def score(self) -> float:
        """Points won in what is graded automatically; what is left open counts as nothing yet."""
        return sum(verdict.score or 0 for verdict in self._verdicts)

    @property
    def max_score(self) -> float:
        return sum(verdict.max_score for verdict in self._verdicts)

    def scores(self) -> dict[str, float | None]:
        """Score of every graded cell by grade id; None where a person must decide."""
        found: dict[str, float | None] = {f"test_{verdict.name}": verdict.score for verdict in self._verdicts}
        found.update(dict.fromkeys(self.unanswered_texts, 0.0))
        return {**found, **{name: None for name in self.needs_manual if name not in found}}

    def to_json(self) -> dict[str, Any]:
        """The object that `autograder judge --json` prints; `other_release` is in it where there is one."""
        release = {"other_release": self.other_release} if self.other_release else {}
        return {
            "lesson": self.lesson,
            "score": self.score,
            "max_score": self.max_score,
            "needs_manual": list(self.needs_manual),
            "exercises": {name: verdict.to_json() for name, verdict in self.exercises.items()},
            "questions": {name: verdict.to_json() for name, verdict in self.questions.items()},
            "sandbox": list(self.sandbox),
            "seconds": round(self.seconds, 3),
            **release,
        }

    @property
    def _verdicts(self) -> list[Verdict]:
        return [*self.exercises.values(), *self.questions.values()]


class Grader:
    """Grades submissions of one lesson: holds its hidden library, its release and a running sandbox.

    Raises UserError when the lesson is unknown or not built, NoSandbox when student code can't be
    isolated here and `unsafe` was not asked for. `door` is that of a zygote which is shared with others.
    """

    def __init__(
        self,
        course: Course,
        lesson: str,
        limits: Limits | None = None,
        unsafe: bool = False,
        door: socket.socket | None = None,
    ):
        _require_out_of_sight(course)
        self.lesson = lesson
        self.limits = limits or Limits()
        self._library = library.load(course.solutions, lesson)
        self._released = _released(course, lesson)
        self._judge = Judge(self._library, course.secret())
        self._sandbox = Sandbox(
            [course.library_dir], course.student_modules, self.limits, unsafe=unsafe, door=door
        )

    def __enter__(self) -> Grader:
        self._sandbox.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sandbox.__exit__(kind, error, trace)

    def grade(self, path: Path) -> Graded:
        """Grade the notebook at `path`. Raises Unreadable when it is no notebook that could be graded."""
        return self.grade_notebook(restore.read(path))

    def grade_notebook(self, submitted: NotebookNode) -> Graded:
        """Grade a notebook that has been read; it is restored first and not changed itself.

        Raises SandboxLost when its sandbox is lost time and again.
        """
        notebook, done = self._run(submitted)
        blank = tuple(name for name in self._library.free_texts if self._is_as_released(notebook, name))
        verdicts: list[Verdict] = [*done.exercises.values(), *done.questions.values()]
        undecided = [f"test_{verdict.name}" for verdict in verdicts if verdict.score is None]
        waiting = [name for name in self._library.free_texts if name not in blank]
        return Graded(
            self.lesson,
            notebook,
            done.exercises,
            done.questions,
            (*waiting, *undecided),
            self._sandbox.layers,
            done.seconds,
            blank,
            self._other_release(submitted),
            done.cells_seconds,
        )

    def _other_release(self, submitted: NotebookNode) -> str | None:
        """The submission's stamp, where its lesson is not what is graded here. The same lesson of another
        version of the course is the same lesson."""
        stamp, ours = restore.release_of(submitted), restore.release_of(self._released)
        if stamp is None or ours is None or digest_in(stamp) == digest_in(ours):
            return None
        return stamp

    def _run(self, submitted: NotebookNode) -> tuple[NotebookNode, runner.Run]:
        """Run it from the start, and again from the start when its process is killed from outside or its
        sandbox is lost: neither may cost a student anything. A cell at which that happens twice is
        blamed for it, and so is one at which it happens after the time for a submission; a sandbox that is
        lost time and again is for a person to look at."""
        struck: list[int] = []
        losses = 0
        deadline = time.monotonic() + self.limits.submission_seconds

        def blames(place: int) -> bool:
            return place in struck or len(struck) == KILLS_BORNE or time.monotonic() > deadline

        while True:
            notebook = restore.restore(submitted, self._released)
            try:
                return notebook, runner.run(notebook, self._judge, self._sandbox, self.limits, blames)
            except runner.KilledFromOutside as kill:
                struck.append(kill.place)
            except SandboxLost:
                losses += 1
                if losses == LOSSES_BORNE:
                    raise

    def _is_as_released(self, notebook: NotebookNode, name: str) -> bool:
        return _source_of(notebook, name) == _source_of(self._released, name)


def _require_out_of_sight(course: Course) -> None:
    """Raises UserError when student code could read the answers, or the class's work: the sandbox lets it
    read the system's libraries and this Python's, whatever else lies there."""
    for path in (course.solutions, course.root):
        shown = shown_with(str(path))
        if shown is not None:
            raise UserError(
                f"{path} lies in {shown}, where student code may read what Python needs: "
                "move the course to a folder of its own"
            )


def _released(course: Course, lesson: str) -> NotebookNode:
    path = course.released(lesson)
    if not path.is_file():
        raise UserError(
            f"lesson {lesson} has no released notebook at {path}: run `autograder build {lesson}`"
        )
    return nbformat.read(path, as_version=4)


def _source_of(notebook: NotebookNode, name: str) -> str:
    return next((str(cell.source).strip() for cell in notebook.cells if restore.grade_id(cell) == name), "")
