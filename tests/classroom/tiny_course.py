"""A course of one tiny lesson, and a grader that reads the points off the source instead of running it."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import ClassVar

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from autograder.authoring import tags
from autograder.authoring.release import released
from autograder.classroom import worker
from autograder.exercise import Outcome
from autograder.grading import Graded
from autograder.judging import feedback
from autograder.judging.restore import grade_id, read, restore
from autograder.judging.verdict import ExerciseVerdict, QuestionVerdict

REPOSITORY = Path(__file__).parents[2]
LESSON = "01_tiny"
SOLVED = "def double(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION"
RIGHT = "def double(x):\n    return 2 * x"
HALF = "def double(x):\n    return x + x  # half"
MISTAKEN = "def double(x):\n    return x ** 2"
SLOW = "def double(x):\n    while True: pass"
#: Begins a submission's first cell; its student's name ends it.
TITLE = "# Tiny, handed in by "
CURSED = "# the grader itself fails on this"
EXERCISES = '''
from autograder.exercise import example, exercise, free_text, misconception, question, values


@exercise(points=3, aspects=[values(3, lambda rng: (1.0,))], examples=[example("by hand", 2.0)])
def double(x):
    """Twice x."""
    return 2 * x


@misconception(double, hint="Try <b>3</b>: is it 6 or 9?")
def squares(x):
    return x ** 2


sum_of_two = question("sum_of_two", "number", key=4, prompt="2 + 2?", points=1)
tell_why = free_text(
    "tell_why", prompt="Why?", rubric=[(1, "names a reason"), (1, "is right")], model_answer="Because."
)
'''


class InThisProcess:
    """Workers that work at once in this process, so that a test can replace the grader."""

    count = 1

    def __init__(self, count=None):
        pass

    def prepare(self, job):
        worker.open_grader(job)

    def await_ready(self):
        pass

    def submit(self, job, tasks):
        future = Future()
        try:
            future.set_result(worker.grade_batch(job, tasks))
        except Exception as error:
            future.set_exception(error)
        return future

    def close(self, at_once=False):
        pass


class FakeGrader:
    """Stands for `autograder.grading.Grader`: the same results from the same notebook, in no time."""

    graded: ClassVar[list[str]] = []

    def __init__(self, course, lesson, limits=None, unsafe=False, door=None):
        self.lesson = lesson
        self.released = nbformat.read(course.released(lesson), as_version=4)
        self.layers = () if unsafe else ("limits", "landlock", "seccomp", "namespaces")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def grade(self, path: Path) -> Graded:
        return self.grade_notebook(read(path))

    def grade_notebook(self, submitted) -> Graded:
        FakeGrader.graded.append(submitted.cells[0].source.removeprefix(TITLE))
        notebook = restore(submitted, self.released)
        sources = {grade_id(cell): cell.source for cell in notebook.cells if grade_id(cell)}
        if CURSED in sources["double"]:
            raise MemoryError("no room")
        exercise, asked = _exercise(sources["double"]), _question(sources["sum_of_two"])
        for cell in notebook.cells:
            if grade_id(cell) == "test_double":
                cell.outputs = feedback.outputs(exercise)
            if grade_id(cell) == "test_sum_of_two":
                cell.outputs = feedback.outputs(asked)
        blank = sources["tell_why"] == "YOUR ANSWER HERE"
        waiting = () if blank else ("tell_why",)
        return Graded(
            self.lesson,
            notebook,
            {"double": exercise},
            {"sum_of_two": asked},
            (*waiting, *(("test_double",) if exercise.score is None else ())),
            self.layers,
            0.01,
            ("tell_why",) if blank else (),
        )


def _exercise(source: str) -> ExerciseVerdict:
    outcome, score = {
        RIGHT: (Outcome.PASSED, 3.0),
        HALF: (Outcome.PARTIAL, 1.5),
        MISTAKEN: (Outcome.FAILED, 0.0),
        SLOW: (Outcome.TIMED_OUT, 0.0),
        "fault": (Outcome.GRADER_ERROR, None),
    }.get(source, (Outcome.MISSING, 0.0))
    known = "squares" if source == MISTAKEN else None
    hint = "Try <b>3</b>: is it 6 or 9?" if known else None
    return ExerciseVerdict("double", outcome, score, 3.0, "a message", misconception=known, hint=hint)


def _question(source: str) -> QuestionVerdict:
    right = source.endswith("= 4")
    return QuestionVerdict("sum_of_two", Outcome.PASSED if right else Outcome.MISSING, float(right), 1.0)


def solved_notebook():
    """The lesson as `autograder build` gives it to nbgrader."""

    def marks(name, **flags):
        told = {
            "schema_version": 3,
            "grade_id": name,
            "grade": False,
            "solution": False,
            "locked": False,
            "task": False,
        }
        return {"nbgrader": {**told, **flags}}

    check = {"grade": True, "locked": True}
    cells = [
        new_markdown_cell("# Tiny", id="title"),
        new_code_cell("import numpy as np", id="setup", metadata=marks("setup", locked=True)),
        new_code_cell(SOLVED, id="double", metadata=marks("double", solution=True)),
        new_code_cell('check("double")', id="t-double", metadata=marks("test_double", points=3, **check)),
        new_code_cell(
            "# a number\nsum_of_two = 4",
            id="sum",
            metadata={"tags": [tags.QUESTION], **marks("sum_of_two", solution=True)},
        ),
        new_code_cell(
            'check("sum_of_two")', id="t-sum", metadata=marks("test_sum_of_two", points=1, **check)
        ),
        new_markdown_cell(
            "Because.", id="why", metadata=marks("tell_why", grade=True, solution=True, points=2)
        ),
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel})


def released_notebook():
    """The lesson as students get it."""
    return released(solved_notebook())
