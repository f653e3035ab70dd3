"""`cosine_score_matrix`: cases, the reference, other right solutions, known mistakes."""

import numpy as np

from autograder.exercise import alternative, aspect, example, exercise, misconception, unchanged, values

from .dot_score import dot_score
from .score_matrix import score_matrix
from .shared import (
    as_many_tokens_as_features,
    five_tokens,
    more_features_than_tokens,
    one_token,
    single_precision,
    vectors_of_all_lengths,
)


def parallel_and_opposed(rng):
    x = rng.uniform(1, 2, size=5)
    return (np.array([x, 3 * x, -0.5 * x, rng.normal(size=5)]),)


def first_vector_zero(rng):
    X = rng.normal(size=(4, 3))
    X[0] = 0.0
    return (X,)


def two_vectors_zero(rng):
    X = rng.normal(size=(5, 2))
    X[[1, 3]] = 0.0
    return (X,)


def only_a_zero_vector(rng):
    return (np.zeros((1, 4)),)


@exercise(
    points=4,
    aspects=[
        values(
            2,
            five_tokens,
            more_features_than_tokens,
            as_many_tokens_as_features,
            one_token,
            vectors_of_all_lengths,
            parallel_and_opposed,
            single_precision,
        ),
        aspect("a zero vector", 1, first_vector_zero, two_vectors_zero, only_a_zero_vector),
        unchanged(1),
    ],
    examples=[
        example("by hand: (3, 4), (0, 2)", [[3.0, 4.0], [0.0, 2.0]]),
        example("lengths, signs and a zero vector", [[2.0, -1.0], [0.0, 0.0], [-0.5, 3.0]]),
    ],
)
def cosine_score_matrix(X, eps=1e-12):
    """The cosines of the angles between all pairs of tokens.

        C[i, j] = x_i · x_j / (‖x_i‖ ‖x_j‖),   ‖x‖ = √(x · x)

    X : (n, d), token i is row i
    eps : a small number that keeps a division by zero away; where it enters
        is yours to choose
    Returns C : (n, n), between -1 and 1. A zero vector has no direction: its
    similarity to everything, itself included, is 0.
    """
    lengths = np.linalg.norm(X, axis=1, keepdims=True)
    directions = X / np.maximum(lengths, eps)
    return directions @ directions.T


@alternative(cosine_score_matrix)
def scores_over_both_lengths(X, eps=1e-12):
    S = score_matrix(X)
    lengths = np.sqrt(np.diag(S))
    return S / (np.outer(lengths, lengths) + eps)


@alternative(cosine_score_matrix)
def cosine_of_each_pair(X, eps=1e-12):
    lengths = [np.sqrt(dot_score(x, x)) for x in X]
    return [
        [dot_score(a, b) / (length_a * length_b + eps) for b, length_b in zip(X, lengths, strict=True)]
        for a, length_a in zip(X, lengths, strict=True)
    ]


@alternative(cosine_score_matrix)
def einsum_of_directions(X, eps=1e-12):
    directions = X / (np.sqrt(np.einsum("ic,ic->i", X, X)) + eps)[:, None]
    return np.einsum("ic,jc->ij", directions, directions)


@misconception(
    cosine_score_matrix, hint="A vector of length 2: what length is left after your division? It should be 1."
)
def squared_lengths(X, eps=1e-12):
    directions = X / np.maximum(np.sum(X**2, axis=1, keepdims=True), eps)
    return directions @ directions.T


@misconception(
    cosine_score_matrix, hint="How many lengths did you compute: one for each token, or one for each feature?"
)
def lengths_of_columns(X, eps=1e-12):
    directions = X / np.maximum(np.linalg.norm(X, axis=0, keepdims=True), eps)
    return directions @ directions.T


@misconception(
    cosine_score_matrix,
    hint="Give it a zero vector: what is 0 / 0 in NumPy, and what does the docstring ask for?",
)
def nan_for_a_zero_vector(X, eps=1e-12):
    directions = X / np.linalg.norm(X, axis=1, keepdims=True)
    return directions @ directions.T


@misconception(
    cosine_score_matrix,
    hint="Is your matrix symmetric? Two vectors have a length each: how many did you divide by?",
)
def one_length_of_two(X, eps=1e-12):
    return X @ X.T / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), eps)


@misconception(
    cosine_score_matrix,
    hint="Print the shape of your lengths: is one number for the whole matrix what you meant?",
)
def one_length_for_all(X, eps=1e-12):
    directions = X / np.maximum(np.linalg.norm(X), eps)
    return directions @ directions.T


@misconception(cosine_score_matrix, hint="Double one of the vectors: does your score change? Should it?")
def lengths_left_in(X, eps=1e-12):
    return X @ X.T


@misconception(
    cosine_score_matrix,
    hint="Which is larger in yours, a pair that points the same way or a pair that points apart?",
)
def cosine_distance(X, eps=1e-12):
    directions = X / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), eps)
    return 1 - directions @ directions.T


@misconception(
    cosine_score_matrix,
    hint="Read the docstring's last line again: what is a zero vector's similarity to itself?",
)
def zero_vector_like_itself(X, eps=1e-12):
    directions = X / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), eps)
    C = directions @ directions.T
    np.fill_diagonal(C, 1.0)
    return C


@misconception(
    cosine_score_matrix,
    hint="Is your matrix symmetric? Print the shape of your lengths: which of the two do you divide by?",
)
def only_the_length_of_the_other(X, eps=1e-12):
    return X @ X.T / np.maximum(np.linalg.norm(X, axis=1), eps)


@misconception(
    cosine_score_matrix,
    hint="Your diagonal is 1, but is the matrix symmetric? Whose length did you divide by twice?",
)
def one_length_twice(X, eps=1e-12):
    return X @ X.T / np.maximum(np.sum(X**2, axis=1, keepdims=True), eps)


@misconception(
    cosine_score_matrix,
    hint="Your diagonal is 1, but is the matrix symmetric? Which token's length does column j hold?",
)
def length_of_the_other_twice(X, eps=1e-12):
    return X @ X.T / np.maximum(np.sum(X**2, axis=1), eps)


@misconception(
    cosine_score_matrix,
    hint="For n = 5 tokens and d = 3, print the shape: did you compare tokens or features?",
)
def cosines_of_features(X, eps=1e-12):
    directions = X / np.maximum(np.linalg.norm(X, axis=0, keepdims=True), eps)
    return directions.T @ directions


@misconception(
    cosine_score_matrix,
    hint="x · x is no longer 1 after your division. Which length did you take: √(x · x), or another sum?",
)
def sums_of_sizes_for_lengths(X, eps=1e-12):
    directions = X / np.maximum(np.sum(np.abs(X), axis=1, keepdims=True), eps)
    return directions @ directions.T


@misconception(
    cosine_score_matrix,
    hint="You have removed the lengths. Which step comes too early here, if each of your rows adds up to 1?",
)
def cosines_as_weights(X, eps=1e-12):
    directions = X / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), eps)
    votes = np.exp(directions @ directions.T)
    return votes / votes.sum(axis=1, keepdims=True)
