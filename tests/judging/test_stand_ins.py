"""Made-up numbers in the place of a function that could not be run: the same on both sides."""

from __future__ import annotations

import numpy as np
import pytest

from autograder.judging.stand_ins import NoStandIn, StandIn
from autograder.sandbox.script import standing_in


def step(x, cache):
    """As decode_step: an output, and the cache with a row more."""
    K, V = cache
    return np.sin(x), (np.vstack([K, x]), np.vstack([V, 0 * x[:2]]))


@pytest.fixture
def arguments():
    rng = np.random.default_rng(3)
    return rng.normal(size=3), (rng.normal(size=(4, 3)), rng.normal(size=(4, 2)))


def test_results_within_results_are_made_up_alike_on_both_sides(arguments):
    judges = StandIn("step", step, np.random.default_rng(0))
    output, (K, V) = judges(*arguments)
    assert (output.shape, K.shape, V.shape) == ((3,), (5, 3), (5, 2))
    assert V[4].tolist() == [0, 0]  # where the right output is 0
    assert not np.allclose(K[:4], arguments[1][0])  # no part of an answer
    students: dict = {}
    with standing_in([judges.step], students):
        theirs = students["step"](*arguments)
        in_a_list = students["step"](arguments[0], list(arguments[1]))
        other = students["step"](arguments[0], (arguments[1][0] * 1.1, arguments[1][1]))
    for answer in (theirs, in_a_list):
        np.testing.assert_array_equal(answer[0], output)
        np.testing.assert_array_equal(answer[1][0], K)
    assert not np.allclose(other[0], output)


def test_a_list_of_tuples_is_an_argument_like_another():
    merge = StandIn("merge", lambda parts: parts[0][1] + parts[1][1], np.random.default_rng(0))
    given = [(-np.inf, np.zeros(2)), (1.0, np.ones(2))]
    answer = merge(given)
    students: dict = {}
    with standing_in([merge.step], students):
        np.testing.assert_array_equal(students["merge"](given), answer)
        assert not np.allclose(students["merge"]([given[0], (1.1, np.ones(2))]), answer)


def test_whole_numbers_have_no_stand_in():
    with pytest.raises(NoStandIn, match="counts gives float64, int64"):
        StandIn("counts", lambda x: (x, (np.arange(3),)), np.random.default_rng(0))(np.ones(2))
