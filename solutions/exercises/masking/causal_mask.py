"""`causal_mask`: cases, the reference, other right solutions, known mistakes."""

import math

import numpy as np

from autograder.exercise import alternative, aspect, example, exercise, misconception, values


def a_handful_of_tokens(rng):
    return (int(rng.integers(5, 9)),)


def two_tokens(rng):
    return (2,)


def many_tokens(rng):
    return (int(rng.integers(30, 50)),)


def a_single_token(rng):
    return (1,)


@exercise(
    points=3,
    aspects=[
        values(2, a_handful_of_tokens, two_tokens, many_tokens),
        aspect("a single token", 1, a_single_token),
    ],
    examples=[
        example("three tokens, by hand", 3),
        example("four tokens", 4),
    ],
)
def causal_mask(n):
    """The additive mask of a causal layer: token i may look at itself and at what came before it.

        Mask[i, j] = 0 where j ≤ i,  −∞ where j > i

    n : int, the number of tokens, at least 1
    Returns Mask : (n, n) of floats, to be added to the scores.
    """
    i = np.arange(n)[:, None]
    j = np.arange(n)
    return np.where(j <= i, 0.0, -np.inf)


@alternative(causal_mask)
def upper_triangle_of_minus_infinities(n):
    return np.triu(np.full((n, n), -np.inf), k=1)


@alternative(causal_mask)
def row_by_row(n):
    return [[0.0] * (i + 1) + [-math.inf] * (n - i - 1) for i in range(n)]


@alternative(causal_mask)
def logarithm_of_ones_and_zeros(n):
    with np.errstate(divide="ignore"):
        return np.log(np.tri(n))


@alternative(causal_mask)
def filled_where_it_is_forbidden(n):
    mask = np.zeros((n, n))
    mask[np.triu_indices(n, 1)] = -np.inf
    return mask


@misconception(causal_mask, hint="0 · ∞ is nan. In which entries did you multiply a zero by infinity?")
def zero_times_infinity(n):
    return np.triu(np.ones((n, n)), k=1) * -np.inf


@misconception(causal_mask, hint="Row 0 has nobody but itself. What is left for it to look at in yours?")
def diagonal_masked(n):
    return np.where(np.tri(n, k=-1, dtype=bool), 0.0, -np.inf)


@misconception(causal_mask, hint="May token 0 look at token 1? Look at the entry beside the diagonal.")
def one_token_ahead(n):
    return np.where(np.tri(n, k=1, dtype=bool), 0.0, -np.inf)


@misconception(
    causal_mask,
    hint="Row i is what token i may look at. Who sees everything in yours, the first or the last?",
)
def transposed(n):
    return np.where(np.tri(n, dtype=bool), 0.0, -np.inf).T


@misconception(causal_mask, hint="The mask is added to scores. What does adding True or False to a score do?")
def booleans(n):
    return np.tri(n, dtype=bool)


@misconception(
    causal_mask,
    hint="Add yours to the scores (5, 5). By how much do the allowed and the forbidden one differ then?",
)
def ones_and_zeros(n):
    return np.tri(n)


@misconception(causal_mask, hint="How many votes does a score of +∞ get, and should the future get them?")
def plus_infinity(n):
    return np.where(np.tri(n, dtype=bool), 0.0, np.inf)


@misconception(
    causal_mask,
    hint="Is that number below every score there can be? Which one is, whatever the scores are?",
)
def a_large_negative_number(n):
    return np.where(np.tri(n, dtype=bool), 0.0, -1e9)


@misconception(
    causal_mask, hint="You hide every other token. What of those that came before, may they be seen?"
)
def only_itself(n):
    return np.where(np.eye(n, dtype=bool), 0.0, -np.inf)


@misconception(causal_mask, hint="Which entries of yours hide something? What may token 0 look at there?")
def nothing_masked(n):
    return np.zeros((n, n))
