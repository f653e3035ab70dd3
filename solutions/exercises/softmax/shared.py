"""What several exercises of this lesson draw their cases with, or are built from."""

import numpy as np


def one_row(rng):
    return (rng.normal(size=6),)


def three_rows_of_five(rng):
    return (rng.normal(size=(3, 5)),)


def as_many_rows_as_columns(rng):
    return (rng.normal(size=(4, 4)),)


def one_score_per_row(rng):
    return (rng.uniform(1, 2, size=(3, 1)),)


def some_at_minus_infinity(rng):
    z = rng.normal(size=(3, 4))
    z[0, 2] = z[1, 0] = z[1, 1] = z[1, 3] = -np.inf
    return (z,)


def single_precision(rng):
    return (rng.normal(size=(2, 7)).astype(np.float32),)


def half_precision(rng):
    return (rng.uniform(-2, 2, size=(3, 4)).astype(np.float16),)


def one_row_of_thousands(rng):
    """No score but the largest will do to take off: the first, the last and the mean lie far below it."""
    return (np.array([-3000.0, 2999.0, 3000.0, 3003.0, -2000.0]) + rng.uniform(-0.2, 0.2, size=5),)


def columns_a_thousand_apart(rng):
    return rng.uniform(-1, 1, size=(3, 2)) + np.array([[-1000.0, 800.0]]), 0


def heads_whose_rows_lie_apart(rng):
    """And one −inf among scores so low that no number of ordinary size is below them."""
    far = np.array([[1500.0, 0.0, -15000.0], [0.0, -800.0, 800.0]])
    z = rng.uniform(-1, 1, size=(2, 3, 4)) + far[:, :, None]
    z[0, 2, 1] = -np.inf
    return (z,)


def heads_of_rows(rng):
    return (rng.normal(size=(2, 3, 5)),)


def middle_axis(rng):
    return rng.normal(size=(2, 4, 3)), 1


def axis_counted_from_the_end(rng):
    return rng.normal(size=(3, 2, 4)), -2


def first_of_four_axes(rng):
    return rng.normal(size=(4, 2, 3, 2)), 0


def unguarded_shares(z):
    """The same, nan where a row holds nothing but −inf."""
    votes = np.exp(z - z.max(axis=-1, keepdims=True))
    return votes / votes.sum(axis=-1, keepdims=True)
