"""The sample class: each submission shows what its recipe says, and is graded so."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from sample_class import LESSON, RECIPES, Recipe, write_sample_class
from sample_class.later_lessons import HABITS

from autograder.course import Course
from autograder.grading import Graded, Grader, Unreadable
from autograder.library import lesson_names
from autograder.sandbox.client import Limits

REPOSITORY = Path(__file__).parents[2]
LIMITS = Limits(cell_seconds=5, question_seconds=2, submission_seconds=60)


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    course = Course(tmp_path_factory.mktemp("class"), REPOSITORY)
    write_sample_class(course.released(LESSON), course.submitted)
    return course


@pytest.fixture(scope="module")
def grader(course: Course) -> Iterator[Grader]:
    with Grader(course, LESSON, limits=LIMITS) as grader:
        yield grader


def handed_in_by(course: Course, recipe: Recipe) -> Path:
    return course.submitted / recipe.student / LESSON / f"{LESSON}.ipynb"


@pytest.fixture(scope="module", params=[r for r in RECIPES if r.readable], ids=lambda r: r.student)
def graded(request: pytest.FixtureRequest, course: Course, grader: Grader) -> tuple[Recipe, Graded]:
    return request.param, grader.grade(handed_in_by(course, request.param))


def test_loses_what_its_recipe_says_and_nothing_else(graded: tuple[Recipe, Graded]) -> None:
    recipe, result = graded
    lost = {
        name: verdict.message
        for name, verdict in {**result.exercises, **result.questions}.items()
        if verdict.score != verdict.max_score
    }
    assert lost.keys() == recipe.loses, lost
    assert recipe.full_marks == (result.score == result.max_score)


def test_known_mistakes_are_named_with_a_hint(graded: tuple[Recipe, Graded]) -> None:
    recipe, result = graded
    named = {
        name: verdict.misconception for name, verdict in result.exercises.items() if verdict.misconception
    }
    assert named == dict(recipe.mistakes)
    assert all(result.exercises[name].hint for name in named)


def test_what_follows_from_an_earlier_mistake_is_carried_forward(graded: tuple[Recipe, Graded]) -> None:
    recipe, result = graded
    carried = {name for name, verdict in result.exercises.items() if verdict.carried_from}
    assert carried == recipe.carried


def test_a_damaged_file_is_refused_with_a_reason(course: Course, grader: Grader) -> None:
    damaged = [recipe for recipe in RECIPES if not recipe.readable]
    assert damaged
    for recipe in damaged:
        with pytest.raises(Unreadable, match="JSON"):
            grader.grade(handed_in_by(course, recipe))


def test_the_class_is_the_same_each_time(course: Course, tmp_path: Path) -> None:
    write_sample_class(course.released(LESSON), tmp_path)
    for recipe in RECIPES:
        again = tmp_path / recipe.student / LESSON / f"{LESSON}.ipynb"
        assert again.read_bytes() == handed_in_by(course, recipe).read_bytes()


def test_at_least_four_styles_get_full_marks_and_every_student_is_named_once() -> None:
    assert sum(recipe.full_marks for recipe in RECIPES) >= 4
    assert len({recipe.student for recipe in RECIPES}) == len(RECIPES) >= 24


def test_every_readable_file_is_a_valid_notebook(course: Course) -> None:
    import nbformat

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for recipe in RECIPES:
            if recipe.readable:
                nbformat.validate(nbformat.read(handed_in_by(course, recipe), as_version=4))


@pytest.mark.parametrize("lesson", lesson_names(REPOSITORY / "solutions")[1:])
def test_in_later_lessons_everyone_loses_what_their_habits_say(tmp_path: Path, lesson: str) -> None:
    course = Course(tmp_path, REPOSITORY)
    recipes = write_sample_class(course.released(lesson), course.submitted, lesson=lesson)
    assert len(recipes) == len(HABITS)
    with Grader(course, lesson, limits=LIMITS) as grader:
        for recipe in recipes:
            result = grader.grade(course.submitted / recipe.student / lesson / f"{lesson}.ipynb")
            verdicts = {**result.exercises, **result.questions}
            lost = {name: v.message for name, v in verdicts.items() if v.score != v.max_score}
            named = {name: v.misconception for name, v in result.exercises.items() if v.misconception}
            assert lost.keys() == recipe.loses, (recipe.student, lost)
            assert named == dict(recipe.mistakes), recipe.student
