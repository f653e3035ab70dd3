"""`qk_bilinear`: cases, the reference, other right solutions, known mistakes."""

import numpy as np

from autograder.exercise import alternative, example, exercise, misconception, unchanged, values


def narrow_head(rng):
    return rng.normal(size=(6, 2)), rng.normal(size=(6, 2))


def width_one(rng):
    return rng.normal(size=(4, 1)), rng.normal(size=(4, 1))


def wider_than_the_model(rng):
    return rng.normal(size=(3, 5)), rng.normal(size=(3, 5))


def square_matrices(rng):
    return rng.normal(size=(4, 4)), rng.normal(size=(4, 4))


def one_feature(rng):
    return rng.normal(size=(1, 3)), rng.normal(size=(1, 3))


def terms_that_nearly_cancel_bilinear(rng):
    W_q, W_k = rng.normal(size=(2, 5, 4))
    W_q[:, :2] += 1e5
    W_k[:, 1] = -W_k[:, 0]
    return W_q, W_k


def single_precision_bilinear(rng):
    return rng.normal(size=(5, 3)).astype(np.float32), rng.normal(size=(5, 3)).astype(np.float32)


def half_precision_bilinear(rng):
    return tuple(rng.uniform(0.5, 1, size=(4, 3)).astype(np.float16) for _ in range(2))


@exercise(
    points=3,
    aspects=[
        values(
            2,
            narrow_head,
            width_one,
            wider_than_the_model,
            square_matrices,
            one_feature,
            terms_that_nearly_cancel_bilinear,
            single_precision_bilinear,
            half_precision_bilinear,
        ),
        unchanged(1),
    ],
    examples=[
        example("by hand: bank asks, river is found", [[1.0], [0.0]], [[0.0], [1.0]]),
        example("square, signs mixed", [[1.0, -2.0], [0.5, 3.0]], [[2.0, 1.0], [-1.0, 4.0]]),
    ],
)
def qk_bilinear(W_q, W_k):
    """The two matrices of a score in one.

        score of i for j = q_i · k_j = x_i M x_jᵀ

    W_q : (d_model, d_k)
    W_k : (d_model, d_k)
    Returns M : (d_model, d_model), which gives the same scores from x_i and x_j
    directly, with row i of the scores still the one that asks.
    """
    return W_q @ W_k.T


@alternative(qk_bilinear)
def outer_products_added(W_q, W_k):
    M = np.zeros((len(W_q), len(W_k)))
    for c in range(W_q.shape[1]):
        M += np.outer(W_q[:, c], W_k[:, c])
    return M


@alternative(qk_bilinear)
def einsum_over_the_width(W_q, W_k):
    return np.einsum("ac,bc->ab", W_q, W_k)


@alternative(qk_bilinear)
def rows_against_rows(W_q, W_k):
    return [
        [sum(a * b for a, b in zip(asks, answers, strict=True)) for answers in W_k.tolist()]
        for asks in W_q.tolist()
    ]


@misconception(
    qk_bilinear, hint="M stands between x_i and x_j: how many rows and columns must it have? And yours?"
)
def features_of_the_head_compared(W_q, W_k):
    return W_q.T @ W_k


@misconception(qk_bilinear, hint="Which token asks in yours, and which is asked? You had j look at i.")
def roles_swapped(W_q, W_k):
    return W_k @ W_q.T


@misconception(
    qk_bilinear, hint="You divide by something that q · k is not divided by. Which lesson brings that in?"
)
def scale_folded_in(W_q, W_k):
    return W_q @ W_k.T / np.sqrt(W_q.shape[1])


@misconception(
    qk_bilinear, hint="Write out q · k with q = x W_q and k = y W_k: on which side of W_k does y end up?"
)
def key_matrix_not_turned(W_q, W_k):
    return W_q @ W_k


@misconception(qk_bilinear, hint="You multiplied entry by entry: can x, M and y then be multiplied at all?")
def entries_multiplied(W_q, W_k):
    return W_q * W_k


@misconception(qk_bilinear, hint="Change W_k alone and call again: does your M move?")
def query_matrix_twice(W_q, W_k):
    return W_q @ W_q.T


@misconception(qk_bilinear, hint="Your M is symmetric: does i then still score j otherwise than j scores i?")
def made_symmetric(W_q, W_k):
    M = W_q @ W_k.T
    return (M + M.T) / 2


@misconception(qk_bilinear, hint="Change W_q alone and call again: does your M move?")
def key_matrix_twice(W_q, W_k):
    return W_k @ W_k.T


@misconception(
    qk_bilinear, hint="Is a dot product a sum over the d_k features, or their mean? Try it with d_k = 2."
)
def mean_over_the_width(W_q, W_k):
    return W_q @ W_k.T / W_q.shape[1]
