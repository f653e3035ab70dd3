"""`autograder prove`: the mistakes that authors make, each with the sentence that tells it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from autograder.authoring.build import build
from autograder.authoring.prove import prove
from autograder.authoring.template import new_lesson
from autograder.cli import main
from autograder.course import Course
from autograder.library import UserError

from .conftest import change

LESSON = "01_spread"
LAST_MISTAKE = '@misconception(row_ranges, hint="Can a range'
LAST_HINT = '"Can a range be negative? Where in a row may its largest number stand?"'
SOLUTION = "    return X.max(axis=1) - X.min(axis=1)\n\n\n# Other"
FIRST_CASE = "    return (rng.normal(size=(5, 3)),)"


@pytest.fixture
def course(tmp_path: Path) -> Course:
    """A course of one lesson, fresh from the template."""
    (tmp_path / "solutions" / "lessons").mkdir(parents=True)
    course = Course(tmp_path, tmp_path)
    new_lesson(course, LESSON)
    return course


def exercise_file(course: Course) -> Path:
    return course.solutions / "exercises" / "spread" / "row_ranges.py"


def mistake(name: str, value: str) -> str:
    return (
        f'@misconception(row_ranges, hint="Is it?")\ndef {name}(X):\n    return {value}\n\n\n{LAST_MISTAKE}'
    )


def findings(course: Course) -> list[str]:
    return [finding for proof in prove(course) for finding in proof.findings]


def after(course: Course, old: str, new: str) -> list[str]:
    change(exercise_file(course), old, new)
    return findings(course)


def test_a_lesson_fresh_from_the_template_holds(course: Course) -> None:
    assert [(proof.name, proof.holds) for proof in prove(course)] == [
        ("row_ranges", True),
        ("row_ranges_by_hand", True),
    ]


def test_two_misconceptions_that_are_one(course: Course) -> None:
    hidden, public = after(course, LAST_MISTAKE, mistake("over_columns", "X.max(axis=0) - X.min(axis=0)"))
    assert hidden.startswith(
        "`columns_instead_of_rows` and `over_columns` give the same answers on all 6 cases"
    )
    assert hidden.endswith("if they are one mistake, keep one of them")
    assert public.startswith(
        "the public examples don't tell the misconception `columns_instead_of_rows` from"
    )


def test_a_case_that_would_tell_two_apart_is_suggested(course: Course) -> None:
    told, _ = after(course, LAST_MISTAKE, mistake("twin", "np.where(X.min() > 8, 0.0, X[:, -1] - X[:, 0])"))
    assert "`twin` and `last_less_first` give the same answers on all 6 cases" in told
    assert re.search("Add a case .*: they differ, for example, on [a-z_]+ with every number ", told)


def test_a_misconception_that_is_right(course: Course) -> None:
    told, public = after(course, LAST_MISTAKE, mistake("other_style", "np.ptp(X, axis=1)"))
    assert told == (
        "the misconception `other_style` is right on all 6 cases (five_rows_of_three, two_rows_of_seven, "
        "all_negative, single_precision and 2 more): add a case on which it is wrong, or make it an "
        "alternative"
    )
    assert public.startswith(
        "the public examples don't tell the reference from the misconception `other_style`"
    )


def test_a_misconception_that_only_shows_on_inputs_that_are_never_asked(course: Course) -> None:
    told, _ = after(course, LAST_MISTAKE, mistake("above_eight", "np.ptp(np.minimum(X, 8), axis=1)"))
    assert "(it is, for example, on five_rows_of_three with every number a hundred times as large)" in told


def test_a_misconception_that_only_raises(course: Course) -> None:
    [told, *_] = after(course, LAST_MISTAKE, mistake("raises", "X.biggest()"))
    assert told.startswith("the misconception `raises` is never named, since it only ever raises")


def test_an_example_that_does_not_tell_a_mistake(course: Course) -> None:
    [told] = after(course, LAST_MISTAKE, mistake("first_three", "np.ptp(X[:, :3], axis=1)"))
    assert told.startswith(
        "the public examples don't tell the reference from the misconception `first_three`"
    )


def test_a_mistake_that_costs_more_in_some_classes(course: Course) -> None:
    [told] = after(course, "-np.cumsum(rng.uniform(1, 2, size=(1, 5)), axis=1)", "rng.normal(size=(1, 2))")
    assert re.match(
        "the misconception `last_less_first` gets [01] of 3 in [0-9]+ classes, [01] of 3 in", told
    )
    assert "whether the aspect 'a single row or column' shows it is luck" in told


def test_an_aspect_that_nothing_loses(course: Course) -> None:
    [told] = after(course, "1, a_single_falling_row, a_single_column)", "1, lambda rng: (np.ones((1, 1)),))")
    assert told.startswith("nothing loses the aspect 'a single row or column' (1): add the misconception")


def test_a_reference_that_spoils_its_arguments(course: Course) -> None:
    [told] = after(course, SOLUTION, f"    X -= X.min(axis=1, keepdims=True)\n{SOLUTION}")
    assert (
        told
        == "the reference itself gets 2 of 3 points: leaves its inputs alone: changes its inputs in place"
    )


def test_a_reference_that_draws_numbers_of_its_own(course: Course) -> None:
    [told] = after(course, SOLUTION, SOLUTION.replace("axis=1)\n", "axis=1) + np.random.normal()\n"))
    assert told.startswith("the reference gives something else when it is asked five_rows_of_three again")


@pytest.mark.parametrize(
    ("case", "told"),
    [
        ("    return (np.random.normal(size=(5, 3)),)", "take every random number from its argument `rng`"),
        ("    return rng.normal(size=(5, 3))", "give a tuple of arguments, such as `return (X,)`"),
        ("    return (rng.normal(size=(rng.integers(2, 99), 3)),)", "Write sizes down, and draw the numbers"),
        (
            "    return (rng.normal(size=(5, 3)), 1)",
            "the reference raises TypeError on row_ranges, values, five_",
        ),
        ("    return (nothing,)", "the inputs of row_ranges, values, five_rows_of_three could not be drawn"),
    ],
)
def test_a_case_that_can_not_be_asked(course: Course, case: str, told: str) -> None:
    [first, *_] = after(course, FIRST_CASE, case)
    assert told in first


@pytest.mark.parametrize(
    ("hint", "told"),
    [
        ('"Look at the axes."', "the hint of `last_less_first` asks nothing"),
        ('"Why not X.max(axis=1)?"', "the hint of `last_less_first` holds code (axis=)"),
        (f'"{"Why? " * 40}"', "the hint of `last_less_first` has 200 characters: at most 160"),
    ],
)
def test_a_hint_that_tells(course: Course, hint: str, told: str) -> None:
    [found] = after(course, LAST_HINT, hint)
    assert found.startswith(told)


def test_an_alternative_that_is_wrong(course: Course) -> None:
    hidden, *public = after(course, "np.ptp(X, axis=-1)", "np.ptp(X, axis=-1) + 0.01")
    assert hidden.startswith("the alternative peak_to_peak gets 0 of 3 points")
    assert all(
        one.startswith("the alternative peak_to_peak is wrong on the public example") for one in public
    )


def test_a_docstring_without_a_shape(course: Course) -> None:
    [told] = after(course, "    X : (n, d)\n", "")
    assert told == "its docstring does not say what shape X has: write a line such as `X : (n, d)`"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("key=10", 'key="ten"', "its key 'ten' is not what its kind asks for: a number"),
        ("(6, ", "(10, ", "the answer 10, which has a hint, is marked right: it lies too near the key"),
        (
            "is the smallest: has it a sign?",
            "is it.",
            "the hint for 6 asks nothing: let it end in a question",
        ),
    ],
)
def test_a_question_that_is_not_fair(course: Course, old: str, new: str, told: str) -> None:
    change(exercise_file(course).with_name("questions.py"), old, new)
    assert findings(course) == [told]


def test_a_name_of_two_lessons(course: Course) -> None:
    new_lesson(course, "02_more", None, "other")
    change(course.solutions / "exercises/more/questions.py", "other_by_hand", "row_ranges_by_hand")
    change(course.solutions / "exercises/more/__init__.py", "other_by_hand", "row_ranges_by_hand")

    found = {proof.lesson: proof.findings for proof in prove(course) if proof.name == "row_ranges_by_hand"}
    assert found[LESSON] == (
        '02_more has this name too, and check("row_ranges_by_hand") finds one of them only: rename it',
    )


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (f", hint={LAST_HINT}", "", "missing 1 required keyword-only argument: 'hint'"),
        ("points=3", "points=4", "row_ranges is worth 4 points, its aspects add up to 3"),
        ("def row_by_row(X):", "def row_by_row(X)", "SyntaxError: expected ':'"),
    ],
)
def test_what_can_not_be_loaded_is_one_line_with_its_place(
    course: Course, old: str, new: str, told: str
) -> None:
    """Fails when an author would get a traceback, or not learn in which line to look."""
    change(exercise_file(course), old, new)
    done = CliRunner().invoke(main, ["--course", str(course.home), "prove"])

    assert done.exit_code == 2
    [line] = done.stderr.splitlines()
    assert told in line
    assert "row_ranges.py, line " in line


def test_a_name_that_the_notebook_does_not_define_stops_the_build(course: Course) -> None:
    """What `prove` does not look at, `build` does; before it writes anything."""
    helper = "    return _ranges(X)\n\n\ndef _ranges(X):\n"
    change(exercise_file(course), SOLUTION, helper + SOLUTION)
    with pytest.raises(UserError, match="uses _ranges, which no earlier cell of the notebook defines"):
        build(course)


def test_the_command_exits_with_1_where_something_is_found(course: Course) -> None:
    fine = CliRunner().invoke(main, ["--course", str(course.home), "prove", LESSON, "row_ranges"])
    change(exercise_file(course), LAST_HINT, '"No."')
    found = CliRunner().invoke(main, ["--course", str(course.home), "prove", LESSON])

    assert (fine.exit_code, found.exit_code) == (0, 1)
    assert fine.output.splitlines()[0] == LESSON
    assert fine.output.splitlines()[1].startswith(
        "  row_ranges: holds (3 misconceptions, 3 alternatives, 6 cases"
    )
    assert "    - the hint of `last_less_first` asks nothing" in found.output


def test_an_unknown_exercise_is_one_line(course: Course) -> None:
    done = CliRunner().invoke(main, ["--course", str(course.home), "prove", LESSON, "row_rages"])
    assert done.exit_code == 2
    assert "has no exercise or question 'row_rages': it has row_ranges, row_ranges_by_hand" in done.stderr
