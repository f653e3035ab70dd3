"""A function that a student brought from an earlier lesson is code of theirs like any other."""

from __future__ import annotations

import pytest
from answers import with_cell

from autograder.exercise import Outcome

pytestmark = pytest.mark.parametrize("lesson", ["06_output"], indirect=True, scope="session")

BY_SOFTMAX = "def attend_one(q, K, V):\n    return softmax(K @ q / np.sqrt(len(q))) @ V\n"


def test_graded_code_may_call_it(grader, solved):
    graded = grader.grade_notebook(with_cell(solved, "attend_one", BY_SOFTMAX))
    assert graded.score == graded.max_score


def test_what_is_wrong_with_it_is_wrong_here(grader, solved):
    no_shift = "def softmax(z, axis=-1):\n    return np.exp(z) / np.exp(z).sum(axis=axis, keepdims=True)"
    brought = with_cell(solved, "bring_softmax", no_shift)
    graded = grader.grade_notebook(with_cell(brought, "attend_one", BY_SOFTMAX))
    assert graded.exercises["attend_one"].outcome is Outcome.PARTIAL
    # "large scores", and "leaves its inputs alone", which needs right values first
    assert graded.score == graded.max_score - 2


def test_where_nothing_was_brought_only_code_that_calls_it_fails(grader, solved, released):
    cell = next(cell for cell in released.cells if cell.id == "bring_softmax")
    waiting = with_cell(solved, "bring_softmax", cell.source)
    assert grader.grade_notebook(waiting).score == grader.grade_notebook(solved).max_score
    graded = grader.grade_notebook(with_cell(waiting, "attend_one", BY_SOFTMAX))
    assert graded.exercises["attend_one"].outcome is Outcome.ERRORED
    assert "softmax" in graded.exercises["attend_one"].message
