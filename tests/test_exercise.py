"""The vocabulary refuses what could not be graded."""

from __future__ import annotations

import numpy as np
import pytest

from autograder.exercise import (
    alternative,
    aspect,
    example,
    exercise,
    free_text,
    misconception,
    question,
    raising,
    unchanged,
    values,
)


def case(rng):
    return (rng.normal(),)


def made(points=3, aspects=None, examples=None):
    aspects = [values(2, case), unchanged(1)] if aspects is None else aspects

    @exercise(
        points=points, aspects=aspects, examples=[example("one", 1.0)] if examples is None else examples
    )
    def same(x):
        """x."""
        return x

    return same


def test_the_reference_is_the_exercise():
    same = made()
    assert (same.name, same(4), same.points, same.parameters, same.__doc__) == ("same", 4, 3, ("x",), "x.")


def test_points_must_be_those_of_the_aspects():
    with pytest.raises(ValueError, match="worth 4 points, its aspects add up to 3"):
        made(points=4)


def test_an_aspect_needs_cases_and_a_name_of_its_own():
    with pytest.raises(ValueError, match="has no cases"):
        aspect("values", 2)
    with pytest.raises(ValueError, match="two aspects of one name"):
        made(aspects=[values(2, case), values(1, case)])


def test_an_exercise_needs_a_public_example():
    with pytest.raises(ValueError, match="no public example"):
        made(examples=[])


def test_lists_in_an_example_stand_for_arrays():
    assert isinstance(example("rows", [[1.0, 2.0]], 3.0).arguments[0], np.ndarray)


def test_misconceptions_and_alternatives_are_recorded_and_stay_functions():
    same = made()

    @misconception(same, hint="Which?")
    def other(x):
        return -x

    @alternative(same)
    def again(x):
        return x + 0

    assert [(m.name, m.hint, m.function(1)) for m in same.misconceptions] == [("other", "Which?", -1)]
    assert same.alternatives == [again]
    assert other(2) == -2


def test_a_raising_case_draws_the_same_inputs():
    marked = raising(ValueError, case)
    draw = [drawn(np.random.default_rng(0)) for drawn in (case, marked)]
    assert draw[0] == draw[1]
    assert (marked.raises, marked.__name__) == ("ValueError", "case")


def test_every_wrong_option_of_a_choice_needs_a_hint():
    with pytest.raises(ValueError, match=r"no hint for the wrong options \['C'\]"):
        question(
            "pick", "choice", key="A", prompt="?", options=dict.fromkeys("ABC", "x"), hints=[("B", "why")]
        )
    with pytest.raises(ValueError, match=r"options=\['x', 'y'\], expected a dict"):
        question("pick", "choice", key="A", prompt="?", options=["x", "y"])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="not among the options"):
        question("pick", "choice", key="D", prompt="?", options=dict.fromkeys("ABC", "x"))


def test_a_free_texts_points_are_its_rubrics():
    text = free_text("why", prompt="?", rubric=[(1, "a"), (2.5, "b")], model_answer="because")
    assert text.points == 3.5
