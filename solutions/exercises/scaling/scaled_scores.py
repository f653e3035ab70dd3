"""`scaled_scores`: cases, the reference, other right solutions, known mistakes."""

import math

import numpy as np

from autograder.exercise import alternative, example, exercise, misconception, unchanged, values

from .attention_score import attention_score


def ragged(rng):
    return rng.normal(size=(3, 7)), rng.normal(size=(5, 7))


def more_queries_than_keys(rng):
    return rng.normal(size=(6, 2)), rng.normal(size=(4, 2))


def square(rng):
    """As many queries as keys: a product of features has a shape here as well."""
    return rng.normal(size=(5, 3)), rng.normal(size=(5, 3))


def everything_square(rng):
    return rng.normal(size=(4, 4)), rng.normal(size=(4, 4))


def one_query(rng):
    return rng.normal(size=(1, 6)), rng.normal(size=(4, 6))


def one_pair(rng):
    return rng.uniform(1, 2, size=(1, 5)), rng.uniform(1, 2, size=(1, 5))


def long_vectors(rng):
    return 1e3 * rng.normal(size=(2, 50)), 1e3 * rng.normal(size=(3, 50))


def scores_that_nearly_cancel(rng):
    Q, K = rng.normal(size=(3, 4)), rng.normal(size=(2, 4))
    Q[:, :2] += 1e5
    K[:, 1] = -K[:, 0]
    return Q, K


def single_precision(rng):
    return rng.uniform(0.5, 1.5, size=(4, 3)).astype(np.float32), rng.normal(size=(6, 3)).astype(np.float32)


def half_precision(rng):
    drawn = rng.uniform(0.5, 1.5, size=(2, 3, 5)).astype(np.float16)
    return drawn[0, :2], drawn[1]


@exercise(
    points=3,
    aspects=[
        values(
            2,
            ragged,
            more_queries_than_keys,
            square,
            everything_square,
            one_query,
            one_pair,
            long_vectors,
            scores_that_nearly_cancel,
            single_precision,
            half_precision,
        ),
        unchanged(1),
    ],
    examples=[
        example(
            "by hand: 2 queries, 3 keys, width 4",
            [[2.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]],
            [[1.0, 0.0, 5.0, 0.0], [0.0, 3.0, 0.0, -1.0], [4.0, 1.0, 1.0, 0.0]],
        ),
        example(
            "2 queries, 4 keys, width 3, signs mixed",
            [[1.5, -1.0, 0.5], [-0.5, 2.0, 1.0]],
            [[1.0, 2.0, -1.0], [0.5, -1.5, 2.0], [-2.0, 1.0, 0.0], [3.0, 0.5, 1.5]],
        ),
    ],
)
def scaled_scores(Q, K):
    """The scores of all pairs of query and key, without a mask.

        β[i, j] = q_i · k_j / √d_k

    Q : (n_q, d_k), query i is row i
    K : (n_k, d_k), key j is row j
    Returns β : (n_q, n_k).
    """
    return Q @ K.T / np.sqrt(Q.shape[1])


@alternative(scaled_scores)
def pair_by_pair(Q, K):
    return np.array([[attention_score(q, k) for k in K] for q in Q])


@alternative(scaled_scores)
def einsum_over_the_width(Q, K):
    return np.einsum("ic,jc->ij", Q, K) / Q.shape[-1] ** 0.5


@alternative(scaled_scores)
def both_sides_scaled_by_the_fourth_root(Q, K):
    root = K.shape[1] ** 0.25
    return (Q / root) @ (K / root).T


@alternative(scaled_scores)
def lists_of_floats(Q, K):
    d_k = len(K[0])
    return [
        [sum(a * b for a, b in zip(q, k, strict=True)) / math.sqrt(d_k) for k in K.tolist()]
        for q in Q.tolist()
    ]


@misconception(
    scaled_scores, hint="What is the variance of your scores for a width of 64? Which step is still missing?"
)
def scores_not_scaled(Q, K):
    return Q @ K.T


@misconception(scaled_scores, hint="The variance is d_k; which power of it returns it to 1?")
def scores_divided_by_d_k(Q, K):
    return Q @ K.T / Q.shape[1]


@misconception(
    scaled_scores, hint="Are your scores smaller than the dot products, or larger? Which should they be?"
)
def scores_multiplied_by_the_root(Q, K):
    return Q @ K.T * np.sqrt(Q.shape[1])


@misconception(
    scaled_scores,
    hint="Add a key: the scores of the other keys must stay. Do yours, and which axis did you count?",
)
def divided_by_the_root_of_n_k(Q, K):
    return Q @ K.T / np.sqrt(len(K))


@misconception(
    scaled_scores,
    hint="Add a query: the scores of the other queries must stay. Do yours, and which axis did you count?",
)
def divided_by_the_root_of_n_q(Q, K):
    return Q @ K.T / np.sqrt(len(Q))


@misconception(
    scaled_scores, hint="Row i belongs to query i. Who asks in your rows, and what shape should it be?"
)
def keys_ask(Q, K):
    return K @ Q.T / np.sqrt(Q.shape[1])


@misconception(
    scaled_scores,
    hint="Print the shape: how many queries are there, and how many features? Which did you compare?",
)
def features_compared(Q, K):
    return Q.T @ K / np.sqrt(Q.shape[1])


@misconception(
    scaled_scores,
    hint="Double one key: its scores must double. Do yours, and what did you divide by, width or length?",
)
def cosines(Q, K):
    lengths = np.linalg.norm(Q, axis=1, keepdims=True) * np.linalg.norm(K, axis=1)
    return Q @ K.T / lengths


@misconception(
    scaled_scores, hint="Your rows add up to 1. Is that asked of a score, or of what comes after it?"
)
def weights_already(Q, K):
    scores = Q @ K.T / np.sqrt(Q.shape[1])
    votes = np.exp(scores - scores.max(axis=1, keepdims=True))
    return votes / votes.sum(axis=1, keepdims=True)


@misconception(
    scaled_scores, hint="May query 0 look at key 1 here? Does this docstring speak of hiding anything?"
)
def future_hidden(Q, K):
    return np.where(np.tri(len(Q), len(K), dtype=bool), Q @ K.T / np.sqrt(Q.shape[1]), -np.inf)
