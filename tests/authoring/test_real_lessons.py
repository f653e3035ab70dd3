"""The course's own lessons, built in a copy."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from autograder import library as libraries
from autograder.authoring.build import build
from autograder.course import Course

from .conftest import cells

REPOSITORY = Path(__file__).parents[2]
LESSONS = [path.stem for path in sorted((REPOSITORY / "solutions" / "lessons").glob("[0-9]*_*.md"))]


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """A copy of the course, built and leak-checked."""
    home = tmp_path_factory.mktemp("course")
    for name in ("solutions", "attention_lib"):
        shutil.copytree(
            REPOSITORY / name, home / name, ignore=shutil.ignore_patterns("__pycache__", "examples")
        )
    course = Course(home, home)
    build(course)
    return course


@pytest.mark.parametrize("lesson", LESSONS)
def test_the_points_of_a_released_lesson_are_its_librarys(course: Course, lesson: str) -> None:
    library = libraries.load(course.solutions, lesson)
    by_hand = sum(item.points for item in library.free_texts.values())
    graded = [cell["metadata"].get("nbgrader", {}) for cell in cells(course.released(lesson)).values()]

    assert sum(meta["points"] for meta in graded if meta.get("grade")) == library.max_score + by_hand


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_exercise_is_released_as_a_stub_above_its_check(course: Course, lesson: str) -> None:
    released = cells(course.released(lesson))
    order = list(released)

    for name in libraries.load(course.solutions, lesson).exercises:
        assert released[name]["source"].endswith("    # YOUR CODE HERE\n    raise NotImplementedError()")
        assert order[order.index(name) + 1] == f"test_{name}"


def test_nbgraders_own_command_is_set_up_to_run_the_same_steps() -> None:
    from autograder.authoring.release import GENERATE

    config = (REPOSITORY / "nbgrader_config.py").read_text(encoding="utf-8")
    [listed] = re.findall(r"GenerateAssignment\.preprocessors = \[(.*?)\]", config, flags=re.DOTALL)

    assert re.findall(r"(\w+)\"", listed) == [step.__name__ for step in GENERATE]
