"""What a student reads under a check cell."""

from __future__ import annotations

import numpy as np
import pytest
from nbformat.v4 import new_code_cell
from nbgrader.utils import determine_grade

from attention_lib.compare import Opaque
from autograder.exercise import Kind, Outcome, Question
from autograder.judging import feedback
from autograder.judging.feedback import outputs, show
from autograder.judging.questions import judge_question
from autograder.judging.verdict import AspectVerdict, Evidence, ExerciseVerdict, QuestionVerdict

HOSTILE = "<script>alert(1)</script>\x1b[2J\u202e"


def verdict(**changes):
    aspects = (
        AspectVerdict("values", Outcome.FAILED, 0, 2, "the value is off"),
        AspectVerdict("large scores", Outcome.PASSED, 1, 1),
    )
    given = {"message": "values: the value is off", "aspects": aspects, "hint": "Which axis?", **changes}
    return ExerciseVerdict("doubled", Outcome.PARTIAL, 1, 3, **given)


def text_of(shown):
    return shown[0].data["text/plain"]


def test_it_says_what_was_off_the_hint_and_the_students_own_answer():
    evidence = Evidence("values", (("X", np.eye(2)),), np.zeros(2))
    text = text_of(outputs(verdict(evidence=evidence)))
    for part in (
        "values: 0 of 2 (the value is off)",
        "large scores: 1 of 1",
        "Hint: Which axis?",
        "X = [[1.",
    ):
        assert part in text


@pytest.mark.parametrize("score", [0.0, 1.0, 2.5, 3.0])
def test_nbgrader_reads_the_score_from_the_outputs(score):
    shown = outputs(ExerciseVerdict("doubled", Outcome.PARTIAL, score, 3))
    meta = {"grade": True, "solution": False, "locked": True, "grade_id": "test_doubled", "points": 3}
    cell = new_code_cell("check", outputs=shown, metadata={"nbgrader": meta})
    assert determine_grade(cell) == (score, 3)


def test_a_fault_of_the_graders_own_shows_no_score():
    shown = outputs(ExerciseVerdict("doubled", Outcome.GRADER_ERROR, None, 3, "a person will grade this"))
    assert [output.output_type for output in shown] == ["display_data"]
    assert "a person will grade this" in text_of(shown)


@pytest.mark.parametrize(
    "shown",
    [
        outputs(verdict(aspects=(AspectVerdict(HOSTILE, Outcome.FAILED, 0, 2, HOSTILE),))),
        outputs(verdict(hint=HOSTILE)),
        outputs(verdict(evidence=Evidence(HOSTILE, ((HOSTILE, 1),), Opaque(HOSTILE)))),
        outputs(verdict(evidence=Evidence("values", (), None, raised=HOSTILE))),
        outputs(ExerciseVerdict("doubled", Outcome.ERRORED, 0, 3, HOSTILE)),
        outputs(QuestionVerdict("pick", Outcome.FAILED, 0, 1, HOSTILE)),
    ],
)
def test_nothing_that_a_student_wrote_becomes_html_or_a_control_character(shown):
    page = shown[0].data["text/html"]
    assert "<script" not in page
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert "&lt;script&gt;" in page


def test_large_answers_are_shortened():
    assert len(show(np.arange(1e6).reshape(1000, 1000))) < 700
    assert len(show("x" * 10_000)) < 700


@pytest.mark.parametrize("wrapped", [lambda it: it, lambda it: [it], lambda it: {"a": [it]}])
def test_an_answer_of_many_axes_is_shown_in_short(wrapped):
    answer = wrapped(np.ones((2,) * 26, dtype=np.int8))
    assert len(feedback.show(answer)) < 1000
    assert len(judge_question(Question("q", Kind.NUMBER, 1, "?", 1.0), answer).message) < 200
