"""`score_matrix`: cases, the reference, other right solutions, known mistakes."""

import numpy as np

from autograder.exercise import alternative, example, exercise, misconception, unchanged, values

from .dot_score import dot_score
from .shared import (
    as_many_tokens_as_features,
    five_tokens,
    more_features_than_tokens,
    one_token,
    single_precision,
    vectors_of_all_lengths,
)


@exercise(
    points=3,
    aspects=[
        values(
            2,
            five_tokens,
            more_features_than_tokens,
            as_many_tokens_as_features,
            one_token,
            vectors_of_all_lengths,
            single_precision,
        ),
        unchanged(1),
    ],
    examples=[
        example("by hand: (1, 0), (0, 1), (1, 1)", [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]),
        example("three tokens, two features, signs mixed", [[2.0, -1.0], [0.5, 3.0], [-1.5, 1.0]]),
    ],
)
def score_matrix(X):
    """The scores of all pairs of tokens.

        S[i, j] = x_i · x_j

    X : (n, d), token i is row i
    Returns S : (n, n), every pair filled in, later tokens too.
    """
    return X @ X.T


@alternative(score_matrix)
def pair_by_pair(X):
    return np.array([[dot_score(x_i, x_j) for x_j in X] for x_i in X])


@alternative(score_matrix)
def einsum_over_the_shared_axis(X):
    return np.einsum("ic,jc->ij", X, X)


@alternative(score_matrix)
def lists_of_floats(X):
    rows = X.tolist()
    return [[sum(a * b for a, b in zip(x_i, x_j, strict=True)) for x_j in rows] for x_i in rows]


@misconception(
    score_matrix, hint="For n = 5 tokens and d = 3, print the shape: did you compare features or tokens?"
)
def features_compared(X):
    return X.T @ X


@misconception(
    score_matrix,
    hint="x_0 · x_2 is as good a number as x_2 · x_0. At which step of the lesson does j ≤ i come in?",
)
def only_the_past_filled(X):
    return np.tril(X @ X.T)


@misconception(
    score_matrix, hint="S[i, i] must be the squared length of x_i. What is on your diagonal, and why?"
)
def rows_normalised(X):
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    return unit @ unit.T


@misconception(
    score_matrix, hint="Each of your rows adds up to 1. Which step of the lesson does that, and when?"
)
def rows_divided_by_their_sum(X):
    S = X @ X.T
    return S / S.sum(axis=1, keepdims=True)


@misconception(
    score_matrix, hint="S[0, 0] must be x_0 · x_0. What did you divide row 0 by, and does the formula?"
)
def rows_of_length_one(X):
    S = X @ X.T
    return S / np.linalg.norm(S, axis=1, keepdims=True)


@misconception(
    score_matrix, hint="Your rows add up to 1. Is that asked of a score, or of what comes after it?"
)
def weights_already(X):
    votes = np.exp(X @ X.T)
    return votes / votes.sum(axis=1, keepdims=True)


@misconception(score_matrix, hint="How many pairs do n tokens make, and how many numbers did you return?")
def each_token_squared(X):
    return X * X


@misconception(score_matrix, hint="Does a token score itself? Look at the diagonal.")
def no_score_for_itself(X):
    S = X @ X.T
    return S - np.diag(np.diag(S))


@misconception(
    score_matrix,
    hint="You divide by the square root of d. That arrives in lesson 3: is it in this lesson's formula?",
)
def scores_scaled_by_sqrt_d(X):
    return X @ X.T / np.sqrt(X.shape[1])


@misconception(
    score_matrix, hint="Your diagonal is all zeros: is that what a vector's dot product with itself is?"
)
def distances(X):
    return -np.sum((X[:, None, :] - X[None, :, :]) ** 2, axis=-1)


@misconception(
    score_matrix,
    hint="You hide what comes later. Does the docstring ask for that here, or does a later step?",
)
def future_at_minus_infinity(X):
    return np.where(np.tri(len(X), dtype=bool), X @ X.T, -np.inf)


@misconception(score_matrix, hint="The largest number in each row of yours is 1. Is x_2 · x_2 always 1?")
def rows_divided_by_their_largest(X):
    S = X @ X.T
    return S / S.max(axis=1, keepdims=True)


@misconception(
    score_matrix,
    hint="None of your numbers is negative: can a dot product be? Which later step did you take?",
)
def votes_already(X):
    return np.exp(X @ X.T)


@misconception(
    score_matrix, hint="Write S[0, 0] out by hand for the first token: a sum, or a mean over the features?"
)
def means_over_the_features(X):
    return X @ X.T / X.shape[1]


@misconception(
    score_matrix,
    hint="A token is at distance 0 from itself. Is 0 its score for itself? Look at the diagonal.",
)
def distances_not_squared(X):
    return -np.linalg.norm(X[:, None, :] - X[None, :, :], axis=-1)


@misconception(
    score_matrix,
    hint="Each of your columns adds up to 1. Is that asked of a score, or of what comes after it?",
)
def columns_divided_by_their_sum(X):
    S = X @ X.T
    return S / S.sum(axis=0)
