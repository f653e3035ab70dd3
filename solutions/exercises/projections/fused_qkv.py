"""`fused_qkv`: cases, the reference, other right solutions, known mistakes."""

import numpy as np

from autograder.exercise import alternative, aspect, example, exercise, misconception, unchanged, values

from .project import project
from .qkv_projections import qkv_projections


def fused(rng, n, d_model, d_k, d_v):
    return rng.normal(size=(n, d_model)), rng.normal(size=(d_model, 2 * d_k + d_v)), d_k, d_v


def equal_widths(rng):
    return fused(rng, 4, 5, 3, 3)


def equal_widths_one_token(rng):
    return fused(rng, 1, 3, 4, 4)


def everything_four_wide(rng):
    """Here mistakes in `project` and `qkv_projections` show by value, so that they can be carried forward."""
    return fused(rng, 4, 4, 4, 4)


def terms_that_nearly_cancel_fused(rng):
    X, W_qkv, d_k, d_v = fused(rng, 3, 5, 2, 2)
    X[:, :2] += 1e5
    W_qkv[1] = -W_qkv[0]
    return X, W_qkv, d_k, d_v


def single_precision_fused(rng):
    X, W_qkv, d_k, d_v = fused(rng, 5, 3, 2, 2)
    return X.astype(np.float32), W_qkv.astype(np.float32), d_k, d_v


def half_precision_fused(rng):
    X, W_qkv = rng.uniform(0.5, 1, size=(3, 4)), rng.uniform(0.5, 1, size=(4, 6))
    return X.astype(np.float16), W_qkv.astype(np.float16), 2, 2


def wide_values(rng):
    return fused(rng, 6, 4, 2, 5)


def wide_values_that_nearly_cancel(rng):
    X, W_qkv, d_k, d_v = fused(rng, 3, 4, 1, 4)
    X[:, :2] += 1e5
    W_qkv[1] = -W_qkv[0]
    return X, W_qkv, d_k, d_v


def narrow_values(rng):
    return fused(rng, 3, 5, 6, 3)


def values_one_wide(rng):
    return fused(rng, 5, 2, 4, 1)


def one_token_and_wide_values(rng):
    return fused(rng, 1, 4, 2, 8)


def square_fused_matrix(rng):
    return fused(rng, 12, 12, 3, 6)


@exercise(
    points=4,
    aspects=[
        values(
            1,
            equal_widths,
            equal_widths_one_token,
            everything_four_wide,
            terms_that_nearly_cancel_fused,
            single_precision_fused,
            half_precision_fused,
        ),
        aspect(
            "d_k and d_v differ",
            2,
            wide_values,
            wide_values_that_nearly_cancel,
            narrow_values,
            values_one_wide,
            one_token_and_wide_values,
            square_fused_matrix,
        ),
        unchanged(1),
    ],
    examples=[
        example(
            "by hand: one number wide each",
            [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]],
            [[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]],
            1,
            1,
        ),
        example(
            "values wider: d_k = 2, d_v = 5",
            [[1.0, 0.5], [-2.0, 1.0], [3.0, 0.25]],
            [
                [1.0, -2.0, 3.0, 0.5, 4.0, -1.0, 2.5, -0.75, 6.0],
                [0.25, 5.0, -1.5, 2.0, -3.5, 7.0, 1.25, 8.0, -0.5],
            ],
            2,
            5,
        ),
    ],
)
def fused_qkv(X, W_qkv, d_k, d_v):
    """Queries, keys and values from one matrix product.

        W_qkv = [ W^q | W^k | W^v ], side by side

    X : (n, d_model), token i is row i
    W_qkv : (d_model, 2 d_k + d_v)
    d_k : int, the width of a query and of a key
    d_v : int, the width of a value, need not be d_k
    Returns (Q, K, V) : (n, d_k), (n, d_k) and (n, d_v).
    """
    together = X @ W_qkv
    return together[:, :d_k], together[:, d_k : 2 * d_k], together[:, 2 * d_k :]


@alternative(fused_qkv)
def cut_by_positions(X, W_qkv, d_k, d_v):
    return tuple(np.split(X @ W_qkv, [d_k, 2 * d_k], axis=-1))


@alternative(fused_qkv)
def weights_cut_first(X, W_qkv, d_k, d_v):
    return X @ W_qkv[:, :d_k], X @ W_qkv[:, d_k : d_k + d_k], X @ W_qkv[:, -d_v:]


@alternative(fused_qkv)
def projected_then_cut(X, W_qkv, d_k, d_v):
    together = project(X, W_qkv)
    return together[:, :d_k], together[:, d_k : 2 * d_k], together[:, 2 * d_k :]


@alternative(fused_qkv)
def three_projections_by_cut_weights(X, W_qkv, d_k, d_v):
    return qkv_projections(X, W_qkv[:, :d_k], W_qkv[:, d_k : 2 * d_k], W_qkv[:, 2 * d_k :])


@alternative(fused_qkv)
def rows_of_floats(X, W_qkv, d_k, d_v):
    rows = np.einsum("id,dc->ic", X, W_qkv).tolist()
    return (
        [row[:d_k] for row in rows],
        [row[d_k : 2 * d_k] for row in rows],
        [row[2 * d_k : 2 * d_k + d_v] for row in rows],
    )


@misconception(fused_qkv, hint="Where does K end? Work it out for d_k = 2 and d_v = 5.")
def equal_thirds(X, W_qkv, d_k, d_v):
    return tuple(np.array_split(X @ W_qkv, 3, axis=1))


@misconception(
    fused_qkv, hint="Are the columns dealt out one by one, like cards, or does each part lie in one piece?"
)
def interleaved(X, W_qkv, d_k, d_v):
    together = X @ W_qkv
    return together[:, 0::3], together[:, 1::3], together[:, 2::3]


@misconception(
    fused_qkv, hint="Which axis did you cut: do you share out the tokens, or the columns of each token?"
)
def tokens_cut(X, W_qkv, d_k, d_v):
    return tuple(np.split(X @ W_qkv, [d_k, 2 * d_k]))


@misconception(
    fused_qkv, hint="The cuts are right. Which of the three comes last in W_qkv, and which in your result?"
)
def keys_and_values_swapped(X, W_qkv, d_k, d_v):
    Q, K, V = np.split(X @ W_qkv, [d_k, 2 * d_k], axis=1)
    return Q, V, K


@misconception(fused_qkv, hint="Print the three shapes: how wide is your K, and how wide is your V?")
def keys_as_wide_as_values(X, W_qkv, d_k, d_v):
    return tuple(np.split(X @ W_qkv, [d_k, d_k + d_v], axis=1))


@misconception(fused_qkv, hint="Print the shape of your K: where does it begin, and where does it end?")
def keys_without_an_end(X, W_qkv, d_k, d_v):
    together = X @ W_qkv
    return together[:, :d_k], together[:, d_k:], together[:, 2 * d_k :]


@misconception(
    fused_qkv, hint="Your Q is as wide as a value should be: which of d_k and d_v says where Q ends?"
)
def cut_at_multiples_of_d_v(X, W_qkv, d_k, d_v):
    return tuple(np.split(X @ W_qkv, [d_v, 2 * d_v], axis=1))


@misconception(fused_qkv, hint="Add up the widths of your three results: is any column of W_qkv left over?")
def values_as_wide_as_keys(X, W_qkv, d_k, d_v):
    together = X @ W_qkv
    return together[:, :d_k], together[:, d_k : 2 * d_k], together[:, 2 * d_k : 3 * d_k]


@misconception(fused_qkv, hint="Your K is empty: does the cut take widths, or the places where to cut?")
def widths_taken_for_places(X, W_qkv, d_k, d_v):
    return tuple(np.split(X @ W_qkv, [d_k, d_k], axis=1))


@misconception(fused_qkv, hint="One product, good. How many arrays does the docstring ask for?")
def not_cut(X, W_qkv, d_k, d_v):
    return X @ W_qkv
