"""A fault of the grader's own, planted in the hidden library: nobody loses a point for it, a person is asked,
and once it is mended the same command grades what was left open."""

from __future__ import annotations

import pytest
from test_grade import grades_of
from tiny_course import LESSON, MISTAKEN, RIGHT

from autograder.classroom import records, report
from autograder.classroom.grade import grade

# nbgrader's own
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def exercises(genuine, hand_in):
    """The file of the hidden library, in a class of two."""
    hand_in("ada", double=RIGHT, sum_of_two="sum_of_two = 4")
    hand_in("ben", double=MISTAKEN)
    return genuine.solutions / "exercises" / "tiny.py"


def test_a_reference_that_raises_leaves_the_score_open_until_it_is_mended(genuine, exercises):
    as_it_was = exercises.read_text()
    exercises.write_text(as_it_was.replace("return 2 * x\n", "raise ZeroDivisionError('planted')\n", 1))
    (run,) = grade(genuine, workers=1)

    assert [student for student, _ in run.troubled] == ["ada", "ben"]
    for verdict in records.verdicts(genuine, LESSON):
        judged = verdict["exercises"]["double"]
        assert (judged["outcome"], judged["score"]) == ("grader_error", None)
        assert "the reference raises ZeroDivisionError" in judged["message"]
        assert "test_double" in verdict["needs_manual"]
    assert grades_of(genuine, "ada")["test_double"] == (None, True)
    assert grades_of(genuine, "ben")["test_double"] == (None, True)
    assert grades_of(genuine, "ada")["test_sum_of_two"] == (1.0, False), "the rest is graded"
    page = report.write(genuine).read_text()
    assert "the reference raises ZeroDivisionError" in page

    exercises.write_text(as_it_was)
    grade(genuine, workers=1)
    assert grades_of(genuine, "ada")["test_double"] == (3.0, False)
    assert grades_of(genuine, "ben")["test_double"] == (0.0, False)
