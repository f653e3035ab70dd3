"""`project`: cases, the reference, other right solutions, known mistakes."""

import numpy as np

from autograder.exercise import alternative, example, exercise, misconception, unchanged, values


def all_sizes_different(rng):
    return rng.normal(size=(4, 6)), rng.normal(size=(6, 3))


def wider_than_before(rng):
    return rng.normal(size=(3, 2)), rng.normal(size=(2, 5))


def one_token_alone(rng):
    return rng.normal(size=(1, 5)), rng.normal(size=(5, 2))


def square_weights(rng):
    """As many columns as rows: here X W^T has the right shape and the wrong numbers."""
    return rng.normal(size=(5, 4)), rng.normal(size=(4, 4))


def as_many_tokens_as_columns(rng):
    return rng.normal(size=(3, 5)), rng.normal(size=(5, 3))


def as_many_tokens_as_features(rng):
    return rng.normal(size=(4, 4)), rng.normal(size=(4, 2))


def everything_square(rng):
    return rng.normal(size=(3, 3)), rng.normal(size=(3, 3))


def of_the_size_of_weights_and_inputs(rng):
    return 1e3 * rng.normal(size=(2, 40)), 1e3 * rng.normal(size=(40, 7))


def terms_that_nearly_cancel(rng):
    """Two features of 10⁵ cancel: who rounds to single precision on the way loses what is left."""
    X, W = rng.normal(size=(4, 6)), rng.normal(size=(6, 3))
    X[:, :2] += 1e5
    W[1] = -W[0]
    return X, W


def single_precision(rng):
    return rng.normal(size=(5, 4)).astype(np.float32), rng.normal(size=(4, 6)).astype(np.float32)


def half_precision(rng):
    """All positive: nothing cancels, so that rounding to eleven bits stays within the tolerance."""
    return (
        rng.uniform(0.5, 1, size=(3, 4)).astype(np.float16),
        rng.uniform(0.5, 1, size=(4, 2)).astype(np.float16),
    )


@exercise(
    points=3,
    aspects=[
        values(
            2,
            all_sizes_different,
            wider_than_before,
            one_token_alone,
            square_weights,
            as_many_tokens_as_columns,
            as_many_tokens_as_features,
            everything_square,
            of_the_size_of_weights_and_inputs,
            terms_that_nearly_cancel,
            single_precision,
            half_precision,
        ),
        unchanged(1),
    ],
    examples=[
        example(
            "by hand: three tokens, two features in, one out",
            [[1.0, 0.0], [0.0, 1.0], [2.0, 3.0]],
            [[10.0], [1.0]],
        ),
        example("all square, signs mixed", [[1.0, -2.0], [0.5, 3.0]], [[2.0, 1.0], [-1.0, 0.25]]),
    ],
)
def project(X, W):
    """Every token's vector through one matrix.

        row i of the result is x_i W

    X : (n, d_model), token i is row i
    W : (d_model, d_k), also with other numbers of columns: d_v for values
    Returns X W : (n, d_k), one projected vector per token.
    """
    return X @ W


@alternative(project)
def token_by_token(X, W):
    return np.array([x @ W for x in X])


@alternative(project)
def einsum_over_features(X, W):
    return np.einsum("id,dk->ik", X, W)


@alternative(project)
def lists_of_floats(X, W):
    columns = list(zip(*W.tolist(), strict=True))
    return [[sum(a * b for a, b in zip(x, w, strict=True)) for w in columns] for x in X.tolist()]


@alternative(project)
def rows_of_weights_mixed(X, W):
    """Feature r of a token says how much of row r of W goes in."""
    return (X[:, :, None] * W[None, :, :]).sum(axis=1)


@misconception(
    project,
    hint="Feature r of a token belongs to row r of W: does yours meet row r, or column r?",
)
def weights_transposed(X, W):
    return X @ W.T


@misconception(
    project,
    hint="With 4 tokens of 6 features and a (6, 3) matrix, which of your factors has to come first?",
)
def weights_first(X, W):
    return W @ X


@misconception(
    project,
    hint="That is the formula for column vectors. Tokens are rows here: where is token 1 in your result?",
)
def outputs_in_columns(X, W):
    return (X @ W).T


@misconception(
    project,
    hint="You turned the tokens and left W as it is. What is the shape for 4 tokens, and whose row is row 0?",
)
def tokens_turned_behind_the_weights(X, W):
    return W @ X.T


@misconception(
    project,
    hint="Does a row of yours use one token only? Change the last token and see which rows move.",
)
def tokens_mixed(X, W):
    return X.T @ W


@misconception(
    project,
    hint="You multiplied entry by entry. How many products does one number of x W add up?",
)
def entry_by_entry(X, W):
    return X * W


@misconception(
    project,
    hint="You divide by the square root of the width. Is that part of this formula, or of a later step?",
)
def scaled_already(X, W):
    return X @ W / np.sqrt(W.shape[1])


@misconception(
    project,
    hint="You compared the projected tokens with each other. What shape should this step have?",
)
def scores_already(X, W):
    return (X @ W) @ (X @ W).T


@misconception(
    project,
    hint="Double X and call again: the projection must double too. Which step of yours undoes it?",
)
def vectors_of_length_one(X, W):
    Q = X @ W
    return Q / np.linalg.norm(Q, axis=1, keepdims=True)
