"""Every lesson's notebook, solved and released, and one grader for each lesson."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from answers import with_cell
from nbformat import NotebookNode
from sample_class.answers import defined_as

from autograder import library
from autograder.course import Course
from autograder.grading import Graded, Grader
from autograder.sandbox.client import Limits

REPOSITORY = Path(__file__).parents[2]
LESSONS = library.lesson_names(REPOSITORY / "solutions")
#: For what depends on the sandbox and not on what is asked: one lesson is enough.
on_one_lesson = pytest.mark.parametrize("lesson", LESSONS[:1], indirect=True, scope="session")


@pytest.fixture(scope="session")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """A class of its own in a temporary folder, on this repository's lessons."""
    return Course(tmp_path_factory.mktemp("class"), REPOSITORY)


@pytest.fixture(scope="session", params=LESSONS)
def lesson(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def hidden(course: Course, lesson: str) -> library.Library:
    return library.load(course.solutions, lesson)


@pytest.fixture(scope="session")
def grader(course: Course, lesson: str) -> Iterator[Grader]:
    with Grader(course, lesson) as running:
        yield running


@pytest.fixture(scope="session")
def quick_grader(course: Course, lesson: str) -> Iterator[Grader]:
    """A grader whose limits are short, for notebooks that never end."""
    with Grader(course, lesson, limits=Limits(cell_seconds=1, question_seconds=1)) as running:
        yield running


@pytest.fixture
def solved(course: Course, lesson: str) -> NotebookNode:
    return nbformat.read(course.solved(lesson), as_version=4)


@pytest.fixture
def released(course: Course, lesson: str) -> NotebookNode:
    return nbformat.read(course.released(lesson), as_version=4)


@pytest.fixture(scope="session")
def mistaken(
    course: Course, lesson: str, hidden: library.Library, grader: Grader
) -> dict[tuple[str, str], Graded]:
    """The solved notebook graded with each misconception in turn, by exercise and misconception."""
    solved = nbformat.read(course.solved(lesson), as_version=4)
    return {
        (name, known.name): grader.grade_notebook(with_cell(solved, name, defined_as(name, known.function)))
        for name, exercise in hidden.exercises.items()
        for known in exercise.misconceptions
    }
