"""What must hold for every exercise of every lesson: its reference is right, its known mistakes are
wrong in ways of their own, and other right answers are right."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from attention_lib import check, notebook
from attention_lib.check import CheckFailed
from autograder.authoring import conventions, mistakes, promises
from autograder.authoring.examples import example_steps, example_tolerance
from autograder.judging.cases import answer
from autograder.judging.events import agrees_by_value, difference
from autograder.judging.on_ranks import gets_stuck
from autograder.sandbox.script import Returned

from .conftest import SECRETS, hidden_cases, library, oracle
from .verdicts import classes


def cases_of(lesson, exercise, secrets=SECRETS):
    return [case for secret in secrets for case in hidden_cases(lesson, secret).of(exercise.name)]


def answers(exercise, function, cases):
    return [answer(exercise.name, function, case.steps) for case in cases]


def example_answer(exercise, function, example):
    return answer(exercise.name, function, example_steps(exercise, example))


@contextmanager
def quiet():
    """Known mistakes overflow and divide by zero: no warning of theirs is a test's."""
    with warnings.catch_warnings(action="ignore"), np.errstate(all="ignore"):
        yield


def test_every_exercise_has_a_loop_written_oracle(lesson):
    """Fails when an exercise is added without an independent way of working it out."""
    missing = set(library(lesson).exercises) - set(vars(oracle(lesson) or object))
    assert not missing


def test_reference_agrees_with_its_oracle(lesson, exercise):
    """Fails when the reference, and so every grade, has the formula wrong."""
    for case in cases_of(lesson, exercise):
        worked_out = answer(exercise.name, getattr(oracle(lesson), exercise.name), case.steps)
        by_value = replace(case.tolerance, repeatable=False)  # an oracle may know what is drawn at random
        assert difference(worked_out, case.expected, by_value) is None, case.name
    for public in exercise.examples:
        worked_out = example_answer(exercise, getattr(oracle(lesson), exercise.name), public)
        expected = example_answer(exercise, exercise.reference, public)
        assert difference(worked_out, expected, example_tolerance(exercise, public)) is None, public.name


def test_right_answers_in_other_styles_get_full_marks(lesson, exercise):
    """Fails when a case, a tolerance or a shape rule asks for one particular way of writing it."""
    assert list(promises.alternatives_are_right(classes(lesson), exercise)) == []


def test_known_mistakes_are_wrong_and_called_by_their_names(lesson, exercise):
    """Fails when the grading inputs let a mistake through, or take it for another one."""
    assert list(mistakes.are_named(classes(lesson), exercise)) == []


def test_a_known_mistake_costs_the_same_in_every_class(lesson, exercise):
    """Fails when a mistake shows in an aspect by luck of the numbers that the class's secret draws."""
    assert list(promises.mistakes_cost_the_same(classes(lesson), exercise)) == []


def test_known_mistakes_differ_from_each_other_on_the_grading_inputs(lesson, exercise):
    """Fails when two misconceptions are one: a hint would be given at random. One difference by value
    or by the kind of exception is enough."""
    assert list(mistakes.differ(classes(lesson), exercise)) == []


def test_known_mistakes_differ_from_each_other_on_the_public_examples(exercise):
    """Fails when a student's own check would ask a question that belongs to another mistake."""
    assert list(mistakes.differ_in_public(exercise)) == []


def test_each_aspect_can_be_lost(lesson, exercise):
    """Fails when points are given that no wrong answer would lose."""
    assert list(promises.aspects_can_be_lost(classes(lesson), exercise)) == []


def test_known_mistake_fails_some_case_by_value(lesson, exercise, known):
    """Fails when a mistake only ever raises: the judge names no mistake by an exception alone, unless it is
    that the ranks wait for ever."""
    cases = cases_of(lesson, exercise, SECRETS[:1])
    wrong = [
        given
        for case, given in zip(cases, answers(exercise, known.function, cases), strict=True)
        if difference(case.expected, given, case.tolerance) is not None
    ]
    assert any(agrees_by_value(given, given) or gets_stuck(given) for given in wrong)


def test_the_students_own_check_asks_the_question_that_belongs_to_the_mistake(exercise, known, monkeypatch):
    """Fails when the public examples miss a mistake, or take it for another one."""
    monkeypatch.setattr(notebook, "namespace", lambda: {exercise.name: known.function})
    with pytest.raises(CheckFailed) as found, quiet():
        check(exercise.name)
    assert f"Hint: {known.hint} " in " ".join([*str(found.value).split(), ""])


def test_mistakes_are_carried_forward_to_what_is_built_on_them(lesson, exercise):
    """Fails when a mistake in one exercise costs another its points: where a later answer is composed of
    earlier functions, at least one of its cases must show the mistake by value."""
    assert list(promises.mistakes_are_carried_forward(classes(lesson), exercise)) == []


def test_the_secret_draws_values_never_structure(lesson, exercise):
    """Fails when one class would be asked another kind of question than the next."""
    assert list(promises.structure_is_fixed(classes(lesson), exercise)) == []


def test_every_case_is_drawn_from_its_generator_alone(lesson, exercise):
    """Fails when a case would be another one each time that it is drawn."""
    assert list(promises.can_be_asked(classes(lesson), exercise)) == []


def test_reference_gets_full_marks_and_repeats_itself(lesson, exercise):
    """Fails when the solved notebook itself would lose points, or draws numbers of its own."""
    assert list(promises.reference_is_steady(classes(lesson), exercise)) == []


def test_low_precision_is_never_asked_together_with_large_scores(lesson, exercise):
    """Fails when a right answer could miss the tolerance by rounding alone."""
    for case in cases_of(lesson, exercise):
        short = [value for value in _arrays(list(case.inputs.values())) if value.dtype.itemsize < 8]
        short = [value for value in short if value.dtype.kind == "f"]
        assert _largest(short) < 10, case.name
        for event in case.expected if short else ():
            assert isinstance(event, Returned)
            assert _largest(_arrays(event.value)) < 80, case.name


def _arrays(value):
    if isinstance(value, list | tuple):
        return [array for item in value for array in _arrays(item)]
    return [np.asarray(value)] if isinstance(value, int | float | np.ndarray | np.generic) else []


def _largest(arrays):
    """The largest finite size; minus infinity is exact in every precision."""
    return max([np.abs(array[np.isfinite(array)]).max(initial=0) for array in arrays], default=0)


def test_exercise_is_complete(exercise):
    """Fails when an exercise is added with too little to check or to learn from."""
    assert list(conventions.is_complete(exercise)) == []


def test_docstring_names_the_shape_of_every_argument_and_of_the_result(exercise):
    """Fails when a student would have to guess a shape."""
    assert list(conventions.docstring_names_shapes(exercise)) == []


def test_hints_ask_and_do_not_answer(exercise):
    """Fails when a hint holds code, or states without asking."""
    assert list(conventions.hints_ask(exercise)) == []


def test_solved_cell_is_short_and_plain_numpy(exercise):
    """Fails when the solved notebook's cell would need more than NumPy, or more than a screen."""
    assert list(conventions.solution_is_short(exercise)) == []
