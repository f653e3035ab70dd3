"""`causal_mask_rect`: cases, the reference, other right solutions, known mistakes."""

import math

import numpy as np

from autograder.exercise import alternative, aspect, example, exercise, misconception, values

from .causal_mask import causal_mask


def three_of_five(rng):
    return 3, 5


def four_of_many(rng):
    return 4, int(rng.integers(9, 14))


def all_but_one(rng):
    n = int(rng.integers(5, 9))
    return n - 1, n


def one_of_many(rng):
    return 1, int(rng.integers(6, 10))


def the_only_one(rng):
    return 1, 1


def as_many_queries_as_keys(rng):
    n = int(rng.integers(4, 8))
    return n, n


@exercise(
    points=4,
    aspects=[
        values(2, three_of_five, four_of_many, all_but_one),
        aspect("one query", 1, one_of_many, the_only_one),
        aspect("as many queries as keys", 1, as_many_queries_as_keys),
    ],
    examples=[
        example("the last two of four, by hand", 2, 4),
        example("the last three of seven", 3, 7),
    ],
)
def causal_mask_rect(n_q, n_k):
    """The additive causal mask when there are fewer queries than keys.

    The queries are the LAST n_q of the n_k positions: query 0 stands at position n_k − n_q,
    the last query at the last position. Each may look at its own position and at those
    before it.

    n_q : int, the number of queries, at least 1
    n_k : int, the number of keys, n_q ≤ n_k
    Returns Mask : (n_q, n_k) of floats, 0 or −∞, to be added to the scores.
    """
    position = n_k - n_q + np.arange(n_q)[:, None]
    return np.where(np.arange(n_k) <= position, 0.0, -np.inf)


@alternative(causal_mask_rect)
def last_rows_of_the_square(n_q, n_k):
    square = np.triu(np.full((n_k, n_k), -np.inf), k=1)
    return square[n_k - n_q :]


@alternative(causal_mask_rect)
def triangle_moved_to_the_right(n_q, n_k):
    return np.triu(np.full((n_q, n_k), -np.inf), k=n_k - n_q + 1)


@alternative(causal_mask_rect)
def past_beside_a_square(n_q, n_k):
    past = np.zeros((n_q, n_k - n_q))
    return np.hstack([past, np.where(np.tri(n_q, dtype=bool), 0.0, -np.inf)])


@alternative(causal_mask_rect)
def counted_from_the_end(n_q, n_k):
    return [[0.0 if n_k - j >= n_q - i else -math.inf for j in range(n_k)] for i in range(n_q)]


@alternative(causal_mask_rect)
def last_rows_of_the_square_mask(n_q, n_k):
    return causal_mask(n_k)[n_k - n_q :]


@alternative(causal_mask_rect)
def past_beside_a_square_mask(n_q, n_k):
    return np.hstack([np.zeros((n_q, n_k - n_q)), causal_mask(n_q)])


@misconception(
    causal_mask_rect,
    hint="The last query is the newest token, often the only one. What may it see, and what is it shown?",
)
def top_left_aligned(n_q, n_k):
    return np.where(np.tri(n_q, n_k, dtype=bool), 0.0, -np.inf)


@misconception(
    causal_mask_rect,
    hint="Row 0 of yours: at which position does query 0 stand, and what comes after it?",
)
def one_position_ahead(n_q, n_k):
    return np.triu(np.full((n_q, n_k), -np.inf), k=n_k - n_q + 2)


@misconception(
    causal_mask_rect, hint="May a query look at its own position? Look at the last query in yours."
)
def own_position_masked(n_q, n_k):
    return np.triu(np.full((n_q, n_k), -np.inf), k=n_k - n_q)


@misconception(
    causal_mask_rect,
    hint="The queries see each other rightly. And the keys from before the first query, may they be seen?",
)
def past_hidden(n_q, n_k):
    past = np.full((n_q, n_k - n_q), -np.inf)
    return np.hstack([past, np.where(np.tri(n_q, dtype=bool), 0.0, -np.inf)])


@misconception(
    causal_mask_rect,
    hint="Your triangle covers the first keys and leaves the rest open. Which keys are the queries' own?",
)
def triangle_first_then_open(n_q, n_k):
    later = np.zeros((n_q, n_k - n_q))
    return np.hstack([np.where(np.tri(n_q, dtype=bool), 0.0, -np.inf), later])


@misconception(
    causal_mask_rect,
    hint="That is right for a single query. Of two queries, may the earlier one see the later one's key?",
)
def open_to_all(n_q, n_k):
    return np.zeros((n_q, n_k))


@misconception(
    causal_mask_rect,
    hint="How many queries ask? Print the shape of yours: does each row belong to one of them?",
)
def square_of_the_keys(n_q, n_k):
    return np.triu(np.full((n_k, n_k), -np.inf), k=1)


@misconception(
    causal_mask_rect,
    hint="Columns are keys: how many are there? What may the first query see of the keys from before it?",
)
def square_of_the_queries(n_q, n_k):
    return np.triu(np.full((n_q, n_q), -np.inf), k=1)


@misconception(causal_mask_rect, hint="Rows are queries and columns are keys: what shape is yours?")
def keys_as_rows(n_q, n_k):
    return np.triu(np.full((n_q, n_k), -np.inf), k=n_k - n_q + 1).T


@misconception(
    causal_mask_rect,
    hint="Does query 0 stand before position 0 in yours? Which way does n_k − n_q move it?",
)
def moved_the_wrong_way(n_q, n_k):
    return np.triu(np.full((n_q, n_k), -np.inf), k=n_q - n_k + 1)


@misconception(
    causal_mask_rect, hint="The mask is added to scores. What does adding True or False to a score do?"
)
def booleans_again(n_q, n_k):
    return np.tri(n_q, n_k, k=n_k - n_q, dtype=bool)
