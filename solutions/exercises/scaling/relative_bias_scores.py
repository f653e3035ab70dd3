"""`relative_bias_scores`: cases, the reference, other right solutions, known mistakes."""

import math

import numpy as np

from autograder.exercise import alternative, aspect, example, exercise, misconception, unchanged

from .attention_score import attention_score
from .scaled_scores import scaled_scores


def biases(rng, n):
    """Entries far from each other and from the scores' usual differences, all different from 0."""
    return rng.permutation(np.linspace(-6, 6, 2 * n)[: 2 * n - 1]) + rng.uniform(0.05, 0.3, size=2 * n - 1)


def _five(rng):
    return rng.normal(size=(5, 3)), rng.normal(size=(5, 3)), biases(rng, 5)


def _two(rng):
    return rng.normal(size=(2, 7)), rng.normal(size=(2, 7)), biases(rng, 2)


def _square(rng):
    """As many features as tokens, two of them large, and their products nearly cancel."""
    Q, K = rng.normal(size=(2, 4, 4))
    Q[:, :2] += 1e5
    K[:, 1] = -K[:, 0]
    return Q, K, biases(rng, 4)


def _one(rng):
    return rng.uniform(1, 2, size=(1, 5)), rng.uniform(1, 2, size=(1, 5)), rng.uniform(2, 3, size=1)


def _single_precision(rng):
    return tuple(array.astype(np.float32) for array in (rng.uniform(0.5, 1, size=(3, 6)), *_of_three(rng)))


def _of_three(rng):
    return rng.normal(size=(3, 6)), biases(rng, 3)


def five_inside(rng):
    return *_five(rng), True


def two_inside(rng):
    return *_two(rng), True


def square_inside(rng):
    return *_square(rng), True


def one_token_inside(rng):
    return *_one(rng), True


def single_precision_inside(rng):
    return *_single_precision(rng), True


def five_outside(rng):
    return *_five(rng), False


def two_outside(rng):
    return *_two(rng), False


def square_outside(rng):
    return *_square(rng), False


def one_token_outside(rng):
    return *_one(rng), False


def single_precision_outside(rng):
    return *_single_precision(rng), False


@exercise(
    points=5,
    aspects=[
        aspect(
            "bias inside the scale",
            2,
            five_inside,
            two_inside,
            square_inside,
            one_token_inside,
            single_precision_inside,
        ),
        aspect(
            "bias outside the scale",
            2,
            five_outside,
            two_outside,
            square_outside,
            one_token_outside,
            single_precision_outside,
        ),
        unchanged(1),
    ],
    examples=[
        example(
            "by hand: two tokens, outside",
            [[2.0, 0.0, 0.0, 0.0], [0.0, 2.0, 0.0, 0.0]],
            [[1.0, 3.0, 0.0, 0.0], [5.0, 7.0, 0.0, 0.0]],
            [10.0, 20.0, 30.0],
            False,
        ),
        example(
            "three tokens, inside",
            [[1.0, -0.5], [2.0, 1.0], [-1.5, 0.5]],
            [[0.5, 1.0], [-1.0, 2.0], [1.5, -0.5]],
            [-1.0, 2.0, 0.5, -3.0, 4.0],
            True,
        ),
        example(
            "the same three tokens, outside",
            [[1.0, -0.5], [2.0, 1.0], [-1.5, 0.5]],
            [[0.5, 1.0], [-1.0, 2.0], [1.5, -0.5]],
            [-1.0, 2.0, 0.5, -3.0, 4.0],
            False,
        ),
    ],
)
def relative_bias_scores(Q, K, u, inside_scale):
    """Scores with a bias for each distance between two positions.

        (q_i · k_j + u_{i−j}) / √d_k   when inside_scale
        q_i · k_j / √d_k + u_{i−j}     otherwise

    Q : (n, d_k)
    K : (n, d_k), as many keys as queries
    u : (2n − 1,), the bias of pair (i, j) is u[i − j + n − 1]: u[0] is for i − j = −(n − 1),
        u[n − 1] for i = j, and the last for i − j = n − 1
    inside_scale : bool, whether the bias is divided by √d_k as well
    Returns the scores : (n, n), without a mask.
    """
    i, j = np.indices((len(Q), len(K)))
    bias = u[i - j + len(Q) - 1]
    if inside_scale:
        return (Q @ K.T + bias) / np.sqrt(Q.shape[1])
    return Q @ K.T / np.sqrt(Q.shape[1]) + bias


@alternative(relative_bias_scores)
def pairs_in_a_loop(Q, K, u, inside_scale):
    n, d_k = Q.shape
    scores = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            bias = u[i - j + n - 1]
            scores[i, j] = Q[i] @ K[j] / np.sqrt(d_k) + (bias / np.sqrt(d_k) if inside_scale else bias)
    return scores


@alternative(relative_bias_scores)
def bias_added_to_scaled_scores(Q, K, u, inside_scale):
    position = np.arange(len(Q))
    bias = u[position[:, None] - position[None, :] + len(Q) - 1]
    return scaled_scores(Q, K) + (bias / Q.shape[1] ** 0.5 if inside_scale else bias)


@alternative(relative_bias_scores)
def bias_added_as_a_mask(Q, K, u, inside_scale):
    n, root = len(Q), math.sqrt(Q.shape[1])
    biases = u / root if inside_scale else u
    return [[attention_score(Q[i], K[j], biases[i - j + n - 1]) for j in range(n)] for i in range(n)]


@alternative(relative_bias_scores)
def windows_of_the_reversed_biases(Q, K, u, inside_scale):
    """Row i of the biases is u backwards, from position n − 1 − i on."""
    n, root = len(Q), math.sqrt(Q.shape[1])
    backwards = u[::-1]
    bias = np.stack([backwards[n - 1 - i : 2 * n - 1 - i] for i in range(n)])
    return np.einsum("ic,jc->ij", Q, K) / root + bias / (root if inside_scale else 1)


@alternative(relative_bias_scores)
def diagonal_by_diagonal(Q, K, u, inside_scale):
    n = len(Q)
    bias = sum(u[n - 1 - k] * np.eye(n, k=k) for k in range(1 - n, n))
    root = np.sqrt(Q.shape[-1])
    return (Q @ K.T + bias * (1 if inside_scale else root)) / root


def _bias(Q, u, place):
    i, j = np.indices((len(Q), len(Q)))
    return u[place(i, j, len(Q))]


def _placed(Q, K, bias, inside_scale):
    root = np.sqrt(Q.shape[1])
    return (Q @ K.T + bias) / root if inside_scale else Q @ K.T / root + bias


@misconception(
    relative_bias_scores,
    hint="Token 2 looks back at token 0: is that i − j = 2 or −2? Which entry of u does yours take?",
)
def j_less_i(Q, K, u, inside_scale):
    return _placed(Q, K, _bias(Q, u, lambda i, j, n: j - i + n - 1), inside_scale)


@misconception(
    relative_bias_scores,
    hint="What does u[−1] mean to Python? Which entry of u is for i = j, and does yours take it?",
)
def index_wraps_around(Q, K, u, inside_scale):
    return _placed(Q, K, _bias(Q, u, lambda i, j, n: i - j), inside_scale)


@misconception(
    relative_bias_scores,
    hint="Call it with inside_scale True, then False: does yours notice? When must the bias not be divided?",
)
def always_inside(Q, K, u, inside_scale):
    return _placed(Q, K, _bias(Q, u, lambda i, j, n: i - j + n - 1), True)


@misconception(
    relative_bias_scores,
    hint="Call it with inside_scale True, then False: does yours notice? When is the bias divided as well?",
)
def always_outside(Q, K, u, inside_scale):
    return _placed(Q, K, _bias(Q, u, lambda i, j, n: i - j + n - 1), False)


@misconception(
    relative_bias_scores,
    hint="Yours notices inside_scale. With True, does the bias stand within the brackets that are divided?",
)
def inside_taken_for_outside(Q, K, u, inside_scale):
    return _placed(Q, K, _bias(Q, u, lambda i, j, n: i - j + n - 1), not inside_scale)


@misconception(
    relative_bias_scores,
    hint="Inside the scale, how often is your dot product divided by the root, and how often should it be?",
)
def dot_product_divided_twice(Q, K, u, inside_scale):
    scores = Q @ K.T / np.sqrt(Q.shape[1]) + _bias(Q, u, lambda i, j, n: i - j + n - 1)
    return scores / np.sqrt(Q.shape[1]) if inside_scale else scores


@misconception(
    relative_bias_scores,
    hint="Outside the scale the bias is not divided. Is the dot product still to be divided?",
)
def nothing_scaled_outside(Q, K, u, inside_scale):
    scores = Q @ K.T + _bias(Q, u, lambda i, j, n: i - j + n - 1)
    return scores / np.sqrt(Q.shape[1]) if inside_scale else scores


@misconception(
    relative_bias_scores,
    hint="Does looking two back get the same bias as looking two ahead? What does the sign of i − j say?",
)
def distance_without_sign(Q, K, u, inside_scale):
    return _placed(Q, K, _bias(Q, u, lambda i, j, n: np.abs(i - j) + n - 1), inside_scale)


@misconception(
    relative_bias_scores,
    hint="Pairs (0, 0) and (1, 1) are equally far apart: do yours get the same bias? On what does it depend?",
)
def one_bias_per_key(Q, K, u, inside_scale):
    return _placed(Q, K, _bias(Q, u, lambda i, j, n: j), inside_scale)


@misconception(
    relative_bias_scores, hint="A bias of −6 should disfavour a pair. Does the score fall in yours, or rise?"
)
def bias_subtracted(Q, K, u, inside_scale):
    return _placed(Q, K, -_bias(Q, u, lambda i, j, n: i - j + n - 1), inside_scale)


@misconception(relative_bias_scores, hint="Change u alone and call again: does your score notice?")
def bias_forgotten(Q, K, u, inside_scale):
    return Q @ K.T / np.sqrt(Q.shape[1])


@misconception(
    relative_bias_scores,
    hint="Which entry of u is for i = j: count its places from 0. Does yours start one too late?",
)
def one_place_too_far(Q, K, u, inside_scale):
    return _placed(Q, K, _bias(Q, u, lambda i, j, n: (i - j + n) % (2 * n - 1)), inside_scale)
