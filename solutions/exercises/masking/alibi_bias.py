"""`alibi_bias`: cases, the reference, other right solutions, known mistakes."""

import math

import numpy as np

from autograder.exercise import alternative, aspect, example, exercise, misconception, values


def eight_heads(rng):
    return 8, int(rng.integers(5, 8))


def eight_heads_and_a_long_text(rng):
    return 8, int(rng.integers(20, 30))


def four_heads(rng):
    return 4, int(rng.integers(5, 8))


def six_heads(rng):
    return 6, int(rng.integers(4, 6))


def one_head(rng):
    return 1, 3


def twelve_heads_one_token(rng):
    return 12, 1


def sixteen_heads(rng):
    return 16, int(rng.integers(3, 6))


@exercise(
    points=4,
    aspects=[
        values(2, eight_heads, eight_heads_and_a_long_text),
        aspect(
            "other numbers of heads",
            2,
            four_heads,
            six_heads,
            one_head,
            twelve_heads_one_token,
            sixteen_heads,
        ),
    ],
    compared="lower triangle",
    examples=[
        example("two heads, three tokens, by hand", 2, 3),
        example("three heads, four tokens", 3, 4),
    ],
)
def alibi_bias(h, n):
    """The bias that ALiBi adds to the scaled scores: the further back a key, the lower its score.

        bias[k − 1, i, j] = −slope_k · (i − j),   slope_k = 2^(−8k / h),   k = 1, …, h

    h : int, the number of heads, at least 1
    n : int, the number of tokens, at least 1
    Returns bias : (h, n, n) of floats, one matrix for each head, in the order of k. Entries with
        j > i may be anything: a causal mask will remove them.
    """
    slopes = 2.0 ** (-8 * np.arange(1, h + 1) / h)
    distance = np.arange(n)[:, None] - np.arange(n)
    return -slopes[:, None, None] * distance


@alternative(alibi_bias)
def head_by_head(h, n):
    ratio = 2.0 ** (-8 / h)
    return [[[ratio**k * (j - i) for j in range(n)] for i in range(n)] for k in range(1, h + 1)]


@alternative(alibi_bias)
def outer_product_on_the_lower_triangle(h, n):
    distance = np.tril(np.subtract.outer(np.arange(n), np.arange(n)))
    return np.multiply.outer(-np.exp2(-np.arange(1, h + 1) * 8 / h), distance)


@alternative(alibi_bias)
def einsum_with_the_future_hidden(h, n):
    slopes = np.cumprod(np.full(h, 2 ** (-8 / h)))
    bias = np.einsum("k,ij->kij", slopes, -abs(np.arange(n)[:, None] - np.arange(n)).astype(float))
    return np.where(np.tri(n, dtype=bool), bias, -np.inf)


@misconception(
    alibi_bias,
    hint="Write out your slopes for h = 8. Does each one stand in the same ratio to the one before?",
)
def head_below_the_line(h, n):
    slopes = 2.0 ** (-8 / np.arange(1, h + 1))
    return -slopes[:, None, None] * (np.arange(n)[:, None] - np.arange(n))


@misconception(
    alibi_bias, hint="Which key gets the highest bias in your last row, the nearest or the furthest?"
)
def far_is_favoured(h, n):
    slopes = 2.0 ** (-8 * np.arange(1, h + 1) / h)
    return slopes[:, None, None] * (np.arange(n)[:, None] - np.arange(n))


@misconception(alibi_bias, hint="Your first slope is 1. Which number does k begin with?")
def counted_from_zero(h, n):
    slopes = 2.0 ** (-8 * np.arange(h) / h)
    return -slopes[:, None, None] * (np.arange(n)[:, None] - np.arange(n))


@misconception(
    alibi_bias, hint="Right for 8 heads. The last slope is 2⁻⁸ for any h: what is it in yours for h = 2?"
)
def halved_for_each_head(h, n):
    slopes = 2.0 ** -np.arange(1.0, h + 1)
    return -slopes[:, None, None] * (np.arange(n)[:, None] - np.arange(n))


@misconception(
    alibi_bias,
    hint="Yours grows with j instead of falling with i − j. By what do the two differ within one row?",
)
def position_instead_of_distance(h, n):
    slopes = 2.0 ** (-8 * np.arange(1, h + 1) / h)
    return slopes[:, None, None] * np.broadcast_to(np.arange(n), (n, n))


@misconception(
    alibi_bias,
    hint="Right for 4 and 8 heads. Each slope is 2^(−8/h) times the one before: in yours too, for h = 6?",
)
def between_powers_of_two(h, n):
    """As the code of several models has it: a power of two of heads, then every other slope of twice as
    many."""
    lower = 2 ** int(math.log2(h))
    slopes = [2 ** (-8 * k / lower) for k in range(1, lower + 1)]
    slopes += [2 ** (-4 * k / lower) for k in range(1, 2 * lower + 1, 2)]
    return -np.array(slopes[:h])[:, None, None] * (np.arange(n)[:, None] - np.arange(n))


@misconception(alibi_bias, hint="All heads are alike in yours. Which factor tells them apart?")
def no_slopes(h, n):
    return np.broadcast_to(-(np.arange(n)[:, None] - np.arange(n)), (h, n, n)).astype(float)


@misconception(
    alibi_bias, hint="Which head looks furthest in yours, the first or the last? Which has the largest slope?"
)
def heads_in_reverse(h, n):
    slopes = 2.0 ** (-8 * np.arange(h, 0, -1) / h)
    return -slopes[:, None, None] * (np.arange(n)[:, None] - np.arange(n))


@misconception(alibi_bias, hint="A bias for each head: on which axis of yours do the heads lie?")
def heads_on_the_last_axis(h, n):
    slopes = 2.0 ** (-8 * np.arange(1, h + 1) / h)
    return -slopes * (np.arange(n)[:, None] - np.arange(n))[:, :, None]


@misconception(
    alibi_bias, hint="How much lower is a key 4 back than one 2 back: twice as much, or four times?"
)
def distance_squared(h, n):
    slopes = 2.0 ** (-8 * np.arange(1, h + 1) / h)
    return -slopes[:, None, None] * (np.arange(n)[:, None] - np.arange(n)) ** 2


@misconception(alibi_bias, hint="2 to the power of what? Compare your first slope for h = 8 with one half.")
def base_e(h, n):
    slopes = np.exp(-8 * np.arange(1, h + 1) / h)
    return -slopes[:, None, None] * (np.arange(n)[:, None] - np.arange(n))
