"""`logsumexp`: cases, the reference, other right solutions, known mistakes."""

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


def a_single_row_of_a_matrix(rng):
    """(1, 5) gives (1,): an axis of length 1 that was not added up along stays."""
    return (rng.normal(size=(1, 5)),)


def rows_and_a_short_axis(rng):
    return rng.normal(size=(4, 2)), 0


def equal_scores(rng):
    return (np.full(5, rng.uniform(1, 2)),)


def scores_below_minus_one(rng):
    return (rng.uniform(-6, -3, size=(2, 4)),)


def rows_of_thousands(rng):
    return (rng.uniform(-1, 1, size=(3, 4)) + np.array([[2000.0], [1.0], [-1500.0]]),)


def one_very_negative_row(rng):
    return (rng.uniform(-902, -900, size=4),)


def nothing_but_minus_infinity(rng):
    return (np.full(3, -np.inf),)


def one_row_of_minus_infinity(rng):
    z = rng.normal(size=(3, 4))
    z[1] = -np.inf
    return (z,)


def one_column_of_minus_infinity(rng):
    z = rng.normal(size=(3, 2))
    z[:, 0] = -np.inf
    return z, 0


@exercise(
    points=5,
    aspects=[
        values(
            1,
            one_row,
            three_rows_of_five,
            as_many_rows_as_columns,
            one_score_per_row,
            a_single_row_of_a_matrix,
            rows_and_a_short_axis,
            equal_scores,
            scores_below_minus_one,
            some_at_minus_infinity,
            single_precision,
            half_precision,
        ),
        aspect(
            "large scores",
            1,
            rows_of_thousands,
            one_row_of_thousands,
            one_very_negative_row,
            columns_a_thousand_apart,
            heads_whose_rows_lie_apart,
        ),
        aspect(
            "nothing but −inf",
            1,
            nothing_but_minus_infinity,
            one_row_of_minus_infinity,
            one_column_of_minus_infinity,
        ),
        aspect("batched", 1, heads_of_rows, middle_axis, axis_counted_from_the_end, first_of_four_axes),
        unchanged(1),
    ],
    examples=[
        example("by hand: ln(1 + 2 + 3)", [0.0, math.log(2), math.log(3)]),
        example(
            "along axis 0: near 1000, ordinary, all −inf",
            [[1000.0, 0.5, -np.inf], [1001.5, -1.25, -np.inf], [999.0, 2.0, -np.inf]],
            0,
        ),
    ],
)
def logsumexp(z, axis=-1):
    """The logarithm of the votes cast, for scores of any size.

        lse(z) = ln Σ_j exp(z_j)      along `axis`

    z : (...) scores with one axis or more; a score may be −inf
    axis : int, the axis along which the votes are added up
    Returns an array of z's shape without `axis`: (n_q, n_k) gives (n_q,), and
    one row (n_k,) a single number. A row of nothing but −inf gives −inf.
    """
    m = z.max(axis=axis, keepdims=True)
    m = np.where(np.isfinite(m), m, 0.0)
    votes = np.exp(z - m).sum(axis=axis)
    with np.errstate(divide="ignore"):
        return np.squeeze(m, axis=axis) + np.log(votes)


@alternative(logsumexp)
def numbers_one_by_one(z, axis=-1):
    def one_line(line):
        m = max(line)
        if m == -math.inf:
            return m
        return m + math.log(math.fsum(math.exp(score - m) for score in line))

    return np.apply_along_axis(one_line, axis, z)


@alternative(logsumexp)
def pair_after_pair(z, axis=-1):
    return np.logaddexp.reduce(z, axis=axis)


@alternative(logsumexp)
def axis_in_front_and_folded(z, axis=-1):
    total = -np.inf
    for score in np.moveaxis(z, axis, 0):
        high, low = np.maximum(total, score), np.minimum(total, score)
        gap = np.where(low == -np.inf, -np.inf, low - np.where(low == -np.inf, 0.0, high))
        total = high + np.log1p(np.exp(gap))
    return total


@alternative(logsumexp)
def minus_infinity_put_back_at_the_end(z, axis=-1):
    m = np.max(z, axis=axis)
    gap = z - np.expand_dims(m, axis)
    votes = np.sum(np.exp(gap, where=gap == gap, out=np.ones(z.shape)), axis)
    return np.where(m == -np.inf, -np.inf, m + np.log(votes))


def finite_maximum(z, axis):
    """The maximum along `axis`, which stays; 0 where all is −inf."""
    m = z.max(axis=axis, keepdims=True)
    return np.where(np.isfinite(m), m, 0.0)


@misconception(logsumexp, hint="What is exp(1000) in NumPy, and what is its logarithm?")
def not_shifted(z, axis=-1):
    return np.log(np.exp(z).sum(axis=axis))


@misconception(
    logsumexp, hint="Add 10 to every score: by how much must the result grow, and by how much does yours?"
)
def maximum_not_put_back(z, axis=-1):
    return np.log(np.exp(z - finite_maximum(z, axis)).sum(axis=axis))


@misconception(
    logsumexp, hint="Of a single score the result is that score: which sign does the maximum have in yours?"
)
def maximum_taken_off_again(z, axis=-1):
    m = finite_maximum(z, axis)
    return np.log(np.exp(z - m).sum(axis=axis)) - np.squeeze(m, axis=axis)


@misconception(
    logsumexp,
    hint="What is −inf minus −inf? How many votes does a row of nothing but −inf cast?",
)
def nan_for_minus_infinity(z, axis=-1):
    m = z.max(axis=axis, keepdims=True)
    return np.squeeze(m, axis=axis) + np.log(np.exp(z - m).sum(axis=axis))


@misconception(
    logsumexp,
    hint="Compare the shape of your result with z's: is the axis gone that you added up along?",
)
def reduced_axis_kept(z, axis=-1):
    m = finite_maximum(z, axis)
    return m + np.log(np.exp(z - m).sum(axis=axis, keepdims=True))


@misconception(
    logsumexp, hint="Call yours on one matrix with axis 0 and with axis 1: do you get two different answers?"
)
def always_the_last_axis(z, axis=-1):
    m = finite_maximum(z, -1)
    return np.squeeze(m, axis=-1) + np.log(np.exp(z - m).sum(axis=-1))


@misconception(
    logsumexp, hint="Three rows go in and one number comes out of yours: who asked for all rows together?"
)
def over_all_numbers(z, axis=-1):
    m = finite_maximum(z, None)
    return np.squeeze(m) + np.log(np.exp(z - m).sum())


@misconception(
    logsumexp,
    hint="Rows may lie 1000 apart: what does exp make of the lower row, once the upper one's maximum is off?",
)
def one_maximum_for_every_row(z, axis=-1):
    m = finite_maximum(z, None)
    return np.squeeze(m) + np.log(np.exp(z - m).sum(axis=axis))
