"""`softmax`: cases, the reference, other right solutions, known mistakes."""

import math

import numpy as np

from autograder.exercise import alternative, aspect, example, exercise, misconception, unchanged, values

from .shared import (
    as_many_rows_as_columns,
    axis_counted_from_the_end,
    columns_a_thousand_apart,
    first_of_four_axes,
    half_precision,
    heads_of_rows,
    heads_whose_rows_lie_apart,
    middle_axis,
    one_row,
    one_row_of_thousands,
    one_score_per_row,
    single_precision,
    some_at_minus_infinity,
    three_rows_of_five,
)


def columns_asked_for(rng):
    return rng.normal(size=(5, 2)), 0


def rows_a_thousand_apart(rng):
    return (rng.uniform(-1, 1, size=(3, 4)) + np.array([[2000.0], [0.0], [-1500.0]]),)


def all_very_negative(rng):
    return (rng.uniform(-902, -900, size=(2, 3)),)


@exercise(
    points=5,
    aspects=[
        values(
            2,
            one_row,
            three_rows_of_five,
            as_many_rows_as_columns,
            one_score_per_row,
            columns_asked_for,
            some_at_minus_infinity,
            single_precision,
            half_precision,
        ),
        aspect(
            "large scores",
            1,
            rows_a_thousand_apart,
            one_row_of_thousands,
            columns_a_thousand_apart,
            all_very_negative,
            heads_whose_rows_lie_apart,
        ),
        aspect("batched", 1, heads_of_rows, middle_axis, axis_counted_from_the_end, first_of_four_axes),
        unchanged(1),
    ],
    examples=[
        example(
            "by hand: votes 1, 2, 3 | 4, 1, 1",
            [[0.0, math.log(2), math.log(3)], [math.log(4), 0.0, 0.0]],
        ),
        example(
            "two heads, along axis 1, some scores near 1000",
            [[[1000.0, 1.0, 0.0], [1001.5, -0.5, 1600.0]], [[-2.0, 0.5, 0.25], [-1.0, 0.75, -1.5]]],
            1,
        ),
    ],
)
def softmax(z, axis=-1):
    """Scores as weights, for scores of any size.

        softmax(z)_j = exp(z_j) / Σ_j' exp(z_j')      both running along `axis`

    z : (...) scores with one axis or more; a score may be −inf, its weight is
        then 0, but each row (each line along `axis`) holds a finite one
    axis : int, the axis along which the weights add up to 1
    Returns weights, an array of z's shape. Scores in the thousands must give
    weights, not nan, even where the rows lie far apart.
    """
    votes = np.exp(z - z.max(axis=axis, keepdims=True))
    return votes / votes.sum(axis=axis, keepdims=True)


@alternative(softmax)
def axis_moved_to_the_end(z, axis=-1):
    rows = np.moveaxis(z, axis, -1)
    votes = np.exp(rows - np.max(rows, axis=-1)[..., None])
    return np.moveaxis(votes / np.einsum("...j->...", votes)[..., None], -1, axis)


@alternative(softmax)
def by_way_of_log_weights(z, axis=-1):
    shifted = z - np.amax(z, axis, keepdims=True)
    return np.exp(shifted - np.log(np.sum(np.exp(shifted), axis, keepdims=True)))


@alternative(softmax)
def recursion_over_rows_of_floats(z, axis=-1):
    def rows(part):
        if isinstance(part[0], list):
            return [rows(inner) for inner in part]
        m = max(part)
        votes = [math.exp(score - m) for score in part]
        return [vote / math.fsum(votes) for vote in votes]

    return np.swapaxes(np.array(rows(np.swapaxes(z, axis, -1).tolist())), axis, -1)


@misconception(softmax, hint="What is exp(1000) in NumPy, and what is inf divided by inf?")
def no_maximum_taken_off(z, axis=-1):
    votes = np.exp(z)
    return votes / votes.sum(axis=axis, keepdims=True)


@misconception(
    softmax, hint="Add up one of your rows, then a column. Along which axis did the caller ask for a whole?"
)
def along_axis_0(z, axis=-1):
    votes = np.exp(z - z.max(axis=0, keepdims=True))
    return votes / votes.sum(axis=0, keepdims=True)


@misconception(
    softmax, hint="Call yours on one matrix with axis 0 and with axis 1: do you get two different answers?"
)
def axis_not_looked_at(z, axis=-1):
    votes = np.exp(z - z.max(axis=-1, keepdims=True))
    return votes / votes.sum(axis=-1, keepdims=True)


@misconception(
    softmax,
    hint="Print the shapes of z and of your maxima: for row i, whose maximum does NumPy take off?",
)
def reduced_axis_lost(z, axis=-1):
    votes = np.exp(z - z.max(axis=axis))
    return votes / votes.sum(axis=axis)


@misconception(
    softmax, hint="Print the shapes of your votes and of their sums: by whose sum is row i divided?"
)
def reduced_axis_lost_in_the_sum(z, axis=-1):
    votes = np.exp(z - z.max(axis=axis, keepdims=True))
    return votes / votes.sum(axis=axis)


@misconception(
    softmax, hint="All your weights together add up to 1: how many rows share out a whole of their own?"
)
def one_sum_for_all(z, axis=-1):
    votes = np.exp(z - z.max(axis=axis, keepdims=True))
    return votes / votes.sum()


@misconception(
    softmax,
    hint="Give it two rows that lie 1000 apart: how many votes has the lower row left, and out of how many?",
)
def one_maximum_for_all(z, axis=-1):
    votes = np.exp(z - z.max())
    return votes / votes.sum(axis=axis, keepdims=True)


@misconception(
    softmax,
    hint="You shifted the scores in one place. Is the same shift in the other place where they occur?",
)
def shifted_above_the_line_only(z, axis=-1):
    return np.exp(z - z.max(axis=axis, keepdims=True)) / np.exp(z).sum(axis=axis, keepdims=True)


@misconception(
    softmax,
    hint="How far can a score lie above what you take off? Try a row with one score of 3000 among zeros.",
)
def mean_taken_off(z, axis=-1):
    votes = np.exp(z - z.mean(axis=axis, keepdims=True))
    return votes / votes.sum(axis=axis, keepdims=True)


@misconception(
    softmax, hint="The scores 1000 and 1002 get equal weights in yours: what became of their difference?"
)
def scores_clipped(z, axis=-1):
    votes = np.exp(np.clip(z, -700, 700))
    return votes / votes.sum(axis=axis, keepdims=True)


@misconception(
    softmax, hint="You repaired the nan after the fact: what does the row of a score of 1000 add up to now?"
)
def nan_swept_away(z, axis=-1):
    votes = np.exp(z)
    return np.nan_to_num(votes / votes.sum(axis=axis, keepdims=True))


@misconception(softmax, hint="The largest of each row is 1 in yours. What should the row add up to?")
def votes_not_shared_out(z, axis=-1):
    return np.exp(z - z.max(axis=axis, keepdims=True))
