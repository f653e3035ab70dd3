"""`attention_entropy`: cases, the reference, other right solutions, known mistakes."""

import math

import numpy as np

from autograder.exercise import alternative, aspect, example, exercise, misconception, unchanged, values

from .shared import weights_of


def causal_of(rng, n):
    votes = np.tril(rng.uniform(0.2, 3, size=(n, n)))
    return votes / votes.sum(axis=1, keepdims=True)


def three_queries_five_keys(rng):
    return (weights_of(rng, 3, 5),)


def six_queries_two_keys(rng):
    return (weights_of(rng, 6, 2),)


def as_many_queries_as_keys(rng):
    return (weights_of(rng, 4, 4),)


def a_single_query(rng):
    return (weights_of(rng, 1, 7),)


def hardly_any_weight_on_some(rng):
    A = weights_of(rng, 3, 6)
    A[:, 1] = rng.uniform(1, 9, size=3) * 1e-12
    return (A / A.sum(axis=1, keepdims=True),)


def little_weight_on_most(rng):
    """Weights that a floor of 0.001 under the logarithm would falsify by more than the tolerance."""
    A = rng.uniform(1, 3, size=(4, 9)) * 1e-4
    A[:, 2] += 1 - A.sum(axis=1)
    return (A,)


def single_precision_weights(rng):
    return (weights_of(rng, 4, 6).astype(np.float32),)


def lower_triangular(rng):
    return (causal_of(rng, 5),)


def one_hot_rows(rng):
    return (np.eye(6)[rng.permutation(6)[:4]],)


def nothing_to_look_at(rng):
    A = weights_of(rng, 3, 4)
    A[1] = 0.0
    return (A,)


def a_single_key(rng):
    return (np.ones((3, 1)),)


@exercise(
    points=4,
    # Some write log(A + 1e-9): with a few keys that is off by less than 1e-8, and no mistake.
    tolerance=(1e-4, 1e-5),
    aspects=[
        values(
            2,
            three_queries_five_keys,
            six_queries_two_keys,
            as_many_queries_as_keys,
            a_single_query,
            hardly_any_weight_on_some,
            little_weight_on_most,
            single_precision_weights,
        ),
        aspect("weights of zero", 1, lower_triangular, one_hot_rows, nothing_to_look_at, a_single_key),
        unchanged(1),
    ],
    examples=[
        example("by hand: a half each, and a quarter each", [[0.5, 0.5, 0.0, 0.0], [0.25, 0.25, 0.25, 0.25]]),
        example("two rows of three, one weight of zero", [[0.2, 0.3, 0.5], [0.0, 0.9, 0.1]]),
    ],
)
def attention_entropy(A):
    """How widely each query's weights are spread, in nats.

        H_i = − Σ_j α_ij ln α_ij,   where 0 ln 0 counts as 0

    A : (n_q, n_k), weights: no row holds a negative number, each adds up to 1;
        a row of zeros (a query with nothing to look at) has entropy 0
    Returns H : (n_q,), between 0 (all on one key) and ln n_k (an even share each).
    """
    logarithms = np.log(np.where(A > 0, A, 1.0))
    return -np.sum(A * logarithms, axis=1)


@alternative(attention_entropy)
def zeros_skipped_in_a_loop(A):
    return [-sum(a * math.log(a) for a in row if a > 0) for row in A.tolist()]


@alternative(attention_entropy)
def a_little_added_under_the_logarithm(A):
    return -np.sum(A * np.log(A + 1e-12), axis=-1)


@alternative(attention_entropy)
def nan_turned_into_zero(A):
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(-A * np.log(A)).sum(axis=1)


@alternative(attention_entropy)
def logarithms_where_there_is_weight(A):
    logarithms = np.log(A, out=np.zeros_like(A), where=A > 0)
    return -np.einsum("ij,ij->i", A, logarithms)


def _terms(A):
    return A * np.log(np.where(A > 0, A, 1.0))


@misconception(
    attention_entropy,
    hint="What is 0 times minus infinity in NumPy, and what should a weight of 0 contribute?",
)
def nan_for_a_weight_of_zero(A):
    return -np.sum(A * np.log(A), axis=1)


@misconception(
    attention_entropy,
    hint="How many queries are there? Add up along one query's weights: which axis is that?",
)
def keys_instead_of_queries(A):
    return -np.sum(_terms(A), axis=0)


@misconception(
    attention_entropy, hint="Two even halves must give ln 2 = 0.693. What do yours give, and in which unit?"
)
def in_bits(A):
    return -np.sum(_terms(A), axis=1) / np.log(2)


@misconception(attention_entropy, hint="Is ln 0.5 positive? What sign must a spread have?")
def minus_forgotten(A):
    return np.sum(_terms(A), axis=1)


@misconception(
    attention_entropy, hint="Each query has a spread of its own: how many numbers did you hand back?"
)
def one_number_for_all(A):
    return -np.sum(_terms(A))


@misconception(
    attention_entropy,
    hint="Four even quarters must give ln 4. Is the formula a sum over the keys, or a mean?",
)
def mean_over_the_keys(A):
    return -np.mean(_terms(A), axis=1)


@misconception(
    attention_entropy,
    hint="Your largest is 1. What does the docstring say that an even share over n_k keys gives?",
)
def share_of_the_largest_possible(A):
    return -np.sum(_terms(A), axis=1) / np.log(A.shape[1])


@misconception(
    attention_entropy, hint="In yours each logarithm counts alike. By what does the formula weigh them?"
)
def logarithms_not_weighed(A):
    return -np.sum(np.log(np.where(A > 0, A, 1.0)), axis=1)


@misconception(
    attention_entropy, hint="A row with all its weight on one key must give 0. What does yours give it?"
)
def effective_number_of_keys(A):
    return np.exp(-np.sum(_terms(A), axis=1))


@misconception(
    attention_entropy, hint="Two even halves must give ln 2: where is the logarithm in what you computed?"
)
def one_less_the_squares(A):
    return 1 - np.sum(A**2, axis=1)


@misconception(
    attention_entropy, hint="One number per query: did you add up after multiplying with the logarithms?"
)
def terms_not_summed(A):
    return -_terms(A)
