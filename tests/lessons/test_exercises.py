"""What must hold for every exercise of every lesson: its reference is right, its known mistakes are
wrong in ways of their own, and other right answers are right."""

from __future__ import annotations

import inspect
import itertools
import re
import warnings
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from attention_lib import check, notebook
from attention_lib.check import CheckFailed
from autograder.authoring.examples import example_steps, example_tolerance
from autograder.exercise import Outcome
from autograder.judging.cases import answer
from autograder.judging.events import agrees_by_value, difference
from autograder.judging.judge import Judge
from autograder.judging.on_ranks import gets_stuck, perform
from autograder.sandbox.script import Returned, standing_in

from .conftest import SECRETS, hidden_cases, library, oracle
from .verdicts import asking, judge_of, verdict_on

MANY_SECRETS = [f"class {number}".encode() for number in range(40)]


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
    judge = judge_of(lesson, SECRETS[0])
    for function in exercise.alternatives:
        verdict = judge.exercise(exercise.name, asking(exercise.name, function))
        assert (verdict.outcome, verdict.score) == (Outcome.PASSED, exercise.points), function.__name__
        for public in exercise.examples:
            right = example_answer(exercise, exercise.reference, public)
            got = example_answer(exercise, function, public)
            assert difference(right, got, example_tolerance(exercise, public)) is None, function.__name__


def test_known_mistake_is_wrong_and_called_by_its_name(lesson, exercise, known):
    """Fails when the grading inputs let a mistake through, or take it for another one."""
    for secret in SECRETS:
        verdict = verdict_on(lesson, exercise.name, known.function, secret)
        assert verdict.score < exercise.points
        assert (verdict.misconception, verdict.hint) == (known.name, known.hint)


def test_a_known_mistake_costs_the_same_in_every_class(lesson, exercise):
    """Fails when a mistake shows in an aspect by luck of the numbers that the class's secret draws."""
    # on ranks structure shows in the first few: who sends what does not hang on the numbers
    secrets = MANY_SECRETS[:5] if exercise.on_ranks else MANY_SECRETS
    judges = [Judge(library(lesson), secret) for secret in secrets]
    for known in exercise.misconceptions:
        ask = asking(exercise.name, known.function)
        scores = {judge.exercise(exercise.name, ask).score for judge in judges}
        assert len(scores) == 1, known.name


def test_known_mistakes_differ_from_each_other_on_the_grading_inputs(lesson, exercise):
    """Fails when two misconceptions are one: a hint would be given at random. One difference by value
    or by the kind of exception is enough."""
    for secret in SECRETS:
        cases = cases_of(lesson, exercise, [secret])
        given = {known.name: answers(exercise, known.function, cases) for known in exercise.misconceptions}
        for one, other in itertools.combinations(given, 2):
            differs = [
                difference(a, b, case.tolerance) is not None
                for case, a, b in zip(cases, given[one], given[other], strict=True)
            ]
            assert any(differs), (one, other)


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


def test_a_mistake_is_carried_forward_to_what_is_built_on_it(lesson, exercise, known):
    """Fails when a mistake in one exercise costs another its points: where a later answer is composed of
    earlier functions, at least one of its cases must show the mistake by value."""
    judge = judge_of(lesson, SECRETS[0])
    for later in library(lesson).exercises.values():
        if later is exercise:
            continue
        for composed, _ in judge.cases.carried(later.name, {exercise.name: known.function}):
            sitting = judge.sitting()
            mistaken = sitting.exercise(exercise.name, asking(exercise.name, known.function))
            assert mistaken.score < exercise.points
            verdict = sitting.exercise(later.name, _asking_in_its_world(later, composed))
            assert verdict.score == later.points, (later.name, composed.__name__, verdict.message)


def _asking_in_its_world(exercise, composed):
    """An `ask` that lets tables stand in for what `composed` calls, as a notebook's process does."""

    def ask(steps):
        with standing_in(steps, composed.__globals__), warnings.catch_warnings(action="ignore"):
            return perform(steps, {exercise.name: composed})

    return ask


def test_the_secret_draws_values_never_structure(lesson, exercise):
    """Fails when one class would be asked another kind of question than the next."""

    def structure(case):
        return {name: _structure(value) for name, value in case.inputs.items()}

    first, *others = [cases_of(lesson, exercise, [secret]) for secret in SECRETS]
    for cases in others:
        assert [structure(case) for case in cases] == [structure(case) for case in first]


def _structure(value):
    if isinstance(value, list | tuple):
        return [_structure(item) for item in value]
    return np.shape(value), getattr(value, "dtype", type(value))


def test_reference_leaves_its_inputs_alone(lesson, exercise):
    """Fails when the solved notebook itself would lose the points of that aspect."""
    verdict = verdict_on(lesson, exercise.name, exercise.reference, SECRETS[0])
    assert verdict.score == exercise.points


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
    assert len(exercise.misconceptions) >= 3
    assert len(exercise.examples) >= 2
    assert len(exercise.alternatives) >= 3
    names = [known.name for known in exercise.misconceptions]
    assert len(set(names)) == len(names)
    assert 2 <= exercise.points <= 5


def test_docstring_names_the_shape_of_every_argument_and_of_the_result(exercise):
    """Fails when a student would have to guess a shape."""
    doc = inspect.getdoc(exercise.reference) or ""
    parameters = inspect.signature(exercise.reference).parameters.values()
    for parameter in parameters:
        shape = (
            r"(\([^)]*\)|int|float|bool|list|str|communicator)"
            if parameter.default is inspect.Parameter.empty
            else ""
        )
        assert re.search(rf"^{parameter.name}\b.*: {shape}", doc, re.MULTILINE), parameter.name
    assert re.search(r"^Returns? .*(\(.*\)|number|float|array)", doc, re.MULTILINE)


def test_hint_asks_and_does_not_answer(exercise, known):
    """Fails when a hint holds code, or states without asking."""
    assert "?" in known.hint
    assert not re.search(r"np\.|\.T\b|@|axis ?=|keepdims|return |\[:", known.hint)
    assert "!" not in known.hint
    assert len(known.hint) <= 160


@pytest.mark.parametrize("forbidden", ["import", "print("])
def test_solved_cell_is_short_and_plain_numpy(exercise, forbidden):
    """Fails when the solved notebook's cell would need more than NumPy, or more than a screen."""
    source = inspect.getsource(exercise.reference)
    body = source[source.rindex('"""') + 3 :].strip()
    assert len(body.splitlines()) <= (20 if exercise.on_ranks else 12)
    assert forbidden not in body
