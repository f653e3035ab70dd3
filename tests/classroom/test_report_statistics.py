"""The report's numbers, against NumPy's and sums done by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_classes import hidden, report_on, standing, verdict

from autograder.classroom.class_report.statistics import bins, correlation, discrimination, spread

POINTS = st.floats(0, 10).map(lambda number: round(number, 2))


@given(st.lists(POINTS, min_size=1, max_size=40))
def test_the_spread_of_scores_is_numpys(values):
    found = spread(values)
    assert found.count == len(values)
    assert found.mean == pytest.approx(np.mean(values))
    quartiles = (found.lowest, found.lower_quartile, found.median, found.upper_quartile, found.highest)
    assert quartiles == pytest.approx(np.quantile(values, [0, 0.25, 0.5, 0.75, 1]))


def test_of_no_scores_there_is_no_spread():
    assert spread([]) is None


def test_scores_are_counted_by_tenths_and_full_marks_or_more_are_in_the_last():
    counted = bins([0, 0.9, 1, 5.5, 9.9, 10, 12], 10)
    assert [one.count for one in counted] == [2, 1, 0, 0, 0, 1, 0, 0, 0, 3]
    assert (counted[1].low, counted[1].high) == (10, 20)
    assert [one.count for one in bins([0, 0], 0)] == [2, *[0] * 9]


@given(st.lists(st.tuples(POINTS, POINTS, POINTS), min_size=5, max_size=40))
def test_discrimination_is_numpys_correlation_of_the_item_with_the_rest(rows):
    scores = np.array(rows)
    rest = scores[:, 1:].sum(axis=1)
    found = discrimination(list(scores[:, 0]), list(scores.sum(axis=1)))
    if min(np.ptp(scores[:, 0]), np.ptp(rest)) < 1e-9:
        return
    assert found == pytest.approx(np.corrcoef(scores[:, 0], rest)[0, 1], abs=1e-6)


def test_discrimination_by_hand():
    # item 0 0 0 1 1, rest 1 2 3 4 5: means 0.4 and 3; products 2 * 0.6 ... sum to 3; sizes 1.2 and 10
    assert discrimination([0, 0, 0, 1, 1], [1, 2, 3, 5, 6]) == pytest.approx(3 / (1.2 * 10) ** 0.5)


def test_an_open_score_is_left_out_of_the_items_discrimination():
    item, totals = [0, None, 1, 0, 1, 1], [1, 9, 5, 2, 5, 6]
    assert discrimination(item, totals) == discrimination([0, 1, 0, 1, 1], [1, 5, 2, 5, 6])


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ([1, 2, 3, 4], [1, 2, 3, 4]),
        ([1, 1, 1, 1, 1], [1, 2, 3, 4, 5]),
        ([1, 2, 3, 4, 5], [0.1] * 5),
        ([], []),
    ],
)
def test_a_correlation_that_would_say_nothing_is_not_given(left, right):
    assert correlation(left, right) is None


@pytest.fixture
def graded(course):
    """Six students, of whom those who know `double` miss the question."""
    marks = {"ada": (1, 0), "ben": (1, 0), "cem": (1, 0), "dee": (0, 1), "eli": (0, 1), "fay": (1, 1)}
    made = [
        verdict(name, "passed" if double else "failed", answer="4" if question else "5")
        for name, (double, question) in marks.items()
    ]
    return report_on(hidden(course), *made)


def test_the_share_of_points_won_is_the_items_difficulty(graded):
    double, question, text = graded.items
    assert double.won == pytest.approx(4 / 6)
    assert question.won == pytest.approx(3 / 6)
    assert (text.won, text.scored, text.open) == (None, 0, 6)


def test_an_item_that_the_weak_do_better_on_is_worth_a_look(graded):
    double, question, _ = graded.items
    wanted = np.corrcoef([3, 3, 3, 0, 0, 3], [0, 0, 0, 1, 1, 1])[0, 1]
    assert double.discrimination == pytest.approx(wanted)
    assert question.discrimination == pytest.approx(wanted)
    assert wanted < 0
    assert "those with fewer points on the rest did better on it" in double.worth_a_look
    assert {name for name, _ in graded.to_look_at} == {"double", "sum_of_two"}


def test_of_fewer_than_five_no_item_is_worth_a_look(course):
    made = report_on(hidden(course), *(verdict(name, "failed", answer="5") for name in "abcd"))
    assert made.to_look_at == ()
    made = report_on(hidden(course), *(verdict(name, "failed", answer="5") for name in "abcde"))
    assert ("double", "0 % of its points were won") in made.to_look_at


def test_a_persons_score_counts_before_the_graders(course):
    scores = {"ada": standing(3.0, 1.0, text=2.0), "ben": standing(0.0, 1.0, text=1.0, penalty=0.5)}
    made = report_on(hidden(course), verdict("ada"), verdict("ben"), standings=scores, waiting={})
    assert made.scores.by_student == {"ada": 6.0, "ben": 1.5}
    assert made.scores.max_score == 6.0
    assert (made.scores.late, made.scores.penalties, made.scores.open) == (1, 0.5, 0)
    assert (made.scores.automatic.mean, made.scores.max_automatic) == (4.0, 4.0)
    assert made.items[0].won == pytest.approx(1 / 2)
    assert made.items[2].won == pytest.approx(3 / 4)


def test_without_a_gradebook_a_free_text_that_was_not_answered_scores_nothing(course):
    made = report_on(hidden(course), *(verdict(name, needs_manual=[]) for name in "ab"), verdict("c"))
    text = made.items[2]
    assert (text.scored, text.open, text.won) == (2, 1, 0.0)
    assert not made.scores.in_gradebook
    assert made.scores.max_score == 4.0


def test_an_open_score_in_the_gradebook_is_no_zero(course):
    scores = {"ada": standing(3.0, 1.0), "ben": standing(None, 1.0), "cem": standing(0.0, 1.0)}
    made = report_on(
        hidden(course), *map(verdict, scores), standings=scores, waiting={"ben": {"test_double"}}
    )
    assert (made.items[0].scored, made.items[0].open, made.items[0].won) == (2, 1, 0.5)
