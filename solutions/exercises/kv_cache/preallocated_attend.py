"""`preallocated_attend`: cases, the reference, other right solutions, known mistakes."""

import math

import numpy as np

from autograder.exercise import alternative, aspect, example, exercise, misconception, unchanged, values

from .shared import drawn, rounded_to, softmax_of


def in_use(rng, capacity, length, d_k, d_v):
    """A query and buffers with an older text in the free slots."""
    return rng.normal(size=d_k), *drawn(rng, (capacity, d_k), (capacity, d_v)), length


def three_of_seven(rng):
    return in_use(rng, 7, 3, 4, 2)


def zeros_in_the_free_slots(rng):
    q, K, V, length = in_use(rng, 6, 4, 3, 5)
    K[length:], V[length:] = 0.0, 0.0
    return q, K, V, length


def one_slot_in_use(rng):
    return in_use(rng, 4, 1, 5, 3)


def all_slots_in_use(rng):
    return in_use(rng, 5, 5, 2, 4)


def buffers_all_square(rng):
    return in_use(rng, 4, 2, 4, 4)


def one_slot_left(rng):
    return in_use(rng, 6, 5, 3, 2)


def attend_in_single_precision(rng):
    q, K, V, length = in_use(rng, 8, 5, 4, 3)
    return *rounded_to(np.float32, q, K, V), length


def attend_in_half_precision(rng):
    q, K, V, length = in_use(rng, 5, 3, 4, 2)
    return *rounded_to(np.float16, q, K, 1.5 + 0.1 * V), length


def large_numbers_in_the_free_slots(rng):
    """Keys that score +1e6 and values of 1e30: a weight of any size for them shows."""
    q, K, V, length = in_use(rng, 6, 3, 3, 4)
    K[length:], V[length:] = 1e6 * q, 1e30
    return q, K, V, length


def nan_in_the_free_slots(rng):
    q, K, V, length = in_use(rng, 7, 4, 2, 3)
    K[length:], V[length:] = np.nan, np.nan
    return q, K, V, length


def nan_among_the_free_keys(rng):
    """Values of the usual size beside them: here a weight of 0 is enough."""
    q, K, V, length = in_use(rng, 6, 2, 3, 4)
    K[length:, 1] = np.nan
    return q, K, V, length


def nan_among_the_free_values(rng):
    q, K, V, length = in_use(rng, 5, 3, 4, 2)
    V[-1] = np.nan
    return q, K, V, length


def inf_in_one_free_slot(rng):
    q, K, V, length = in_use(rng, 5, 2, 3, 3)
    K[-1], V[-1] = -np.inf, np.inf
    return q, K, V, length


def with_scaled_scores(rng, scores, capacity, d_k, d_v):
    """Buffers whose first slots have the scaled scores `scores` with the query."""
    q, K, V, _ = in_use(rng, capacity, 0, d_k, d_v)
    q = rng.uniform(1, 2, size=d_k) * rng.choice([-1, 1], size=d_k)
    K -= np.outer(K @ q / (q @ q), q)
    K[: len(scores)] += np.outer(np.array(scores) * math.sqrt(d_k) / (q @ q), q)
    return q, K, V, len(scores)


def attend_to_scores_near_a_thousand(rng):
    """The highest is neither the first nor the last, and far above the mean."""
    scores = np.array([-1000.0, 1000.3, 999.1, -1000.0]) + rng.uniform(-0.1, 0.1, size=4)
    return with_scaled_scores(rng, scores, 6, 3, 2)


def attend_to_scores_near_minus_a_thousand(rng):
    """The free slots score 0, far above the others."""
    scores = np.array([-1000.0, -1001.0, -999.4]) + rng.uniform(-0.1, 0.1, size=3)
    return with_scaled_scores(rng, scores, 5, 4, 3)


@exercise(
    points=5,
    aspects=[
        values(
            2,
            three_of_seven,
            zeros_in_the_free_slots,
            one_slot_in_use,
            all_slots_in_use,
            buffers_all_square,
            one_slot_left,
            attend_in_single_precision,
            attend_in_half_precision,
        ),
        aspect(
            "anything in the free slots",
            1,
            large_numbers_in_the_free_slots,
            nan_in_the_free_slots,
            nan_among_the_free_keys,
            nan_among_the_free_values,
            inf_in_one_free_slot,
        ),
        aspect("large scores", 1, attend_to_scores_near_a_thousand, attend_to_scores_near_minus_a_thousand),
        unchanged(1),
    ],
    examples=[
        example(
            "by hand: votes 1 and 3, two slots of zeros",
            [1.0],
            [[0.0], [math.log(3)], [0.0], [0.0]],
            [[4.0, 0.0], [0.0, 4.0], [0.0, 0.0], [0.0, 0.0]],
            2,
        ),
        example(
            "three of five slots, an older text in the others",
            [1.0, -0.5],
            [[0.5, 1.0], [-1.0, 0.25], [2.0, -0.5], [1.5, -2.0], [-0.5, 3.0]],
            [[1.0, 2.0, 0.5], [-3.0, 0.5, 4.0], [0.25, -1.0, 2.0], [7.0, -6.0, 5.0], [2.5, 8.0, -9.0]],
            3,
        ),
        example(
            "a free slot whose key is nan",
            [1.0, 2.0],
            [[0.5, 1.0], [1.0, -0.5], [math.nan, math.nan]],
            [[1.0], [2.0], [0.0]],
            2,
        ),
        example(
            "a free slot whose value is nan",
            [1.0, 2.0],
            [[0.5, 1.0], [1.0, -0.5], [0.0, 0.0]],
            [[1.0], [2.0], [math.nan]],
            2,
        ),
        example(
            "scores near -1000, and an older text that scores 0",
            [100.0, 1.0],
            [[-14.0, 1.0], [-14.01, 2.0], [0.0, 0.0]],
            [[1.0], [2.0], [5.0]],
            2,
        ),
    ],
)
def preallocated_attend(q, buf_K, buf_V, length):
    """The output for one query over the slots in use: o = softmax(q Kᵀ / √d_k) V.

    q : (d_k,)
    buf_K : (capacity, d_k), keys in slots 0 … length-1; the others may hold anything,
        nan and inf among it
    buf_V : (capacity, d_v), the values, likewise
    length : int, slots in use, 1 or more
    Returns o : (d_v,). Scores of 1000 or -1000 must not break it.
    """
    K, V = buf_K[:length], buf_V[:length]
    scores = K @ q / np.sqrt(len(q))
    votes = np.exp(scores - scores.max())
    return votes / votes.sum() @ V


@alternative(preallocated_attend)
def masked_and_cleaned(q, buf_K, buf_V, length):
    used = np.arange(len(buf_K)) < length
    K, V = (np.where(used[:, None], buffer, 0.0) for buffer in (buf_K, buf_V))
    scores = np.where(used, K @ q / np.sqrt(K.shape[1]), -np.inf)
    return np.exp(scores - np.logaddexp.reduce(scores)) @ V


@alternative(preallocated_attend)
def slot_by_slot(q, buf_K, buf_V, length):
    def score(k):
        return math.fsum(float(a) * float(b) for a, b in zip(q, k, strict=True)) / math.sqrt(len(q))

    scores = [score(buf_K[slot]) for slot in range(length)]
    votes = [math.exp(one - max(scores)) for one in scores]
    mixed_values = ([vote * float(v) for v in buf_V[slot]] for slot, vote in enumerate(votes))
    return [math.fsum(column) / math.fsum(votes) for column in zip(*mixed_values, strict=True)]


@alternative(preallocated_attend)
def running_maximum(q, buf_K, buf_V, length):
    m, l, o = -np.inf, 0.0, np.zeros(buf_V.shape[1])
    for k, v, _ in zip(buf_K, buf_V, range(length), strict=False):
        score = float(np.sum(k.astype(float) * q)) / np.sqrt(len(q))
        m, before = max(m, score), m
        l = l * np.exp(before - m) + np.exp(score - m)
        o = o * np.exp(before - m) + np.exp(score - m) * v
    return o / l


def over_slots(q, K, V, scale=None):
    """Attention of one query over all of K and V; zeros where there is no key."""
    return softmax_of(K @ q / (scale or np.sqrt(len(q)))) @ V


@misconception(
    preallocated_attend,
    hint="A key of zeros scores 0, and exp(0) = 1: how many votes are cast in a half-full buffer?",
)
def free_slots_read(q, buf_K, buf_V, length):
    return over_slots(q, buf_K, buf_V)


@misconception(
    preallocated_attend, hint="The newest token has been written: in which slot? Does your query see it?"
)
def newest_slot_missed(q, buf_K, buf_V, length):
    return over_slots(q, buf_K[: length - 1], buf_V[: length - 1])


@misconception(preallocated_attend, hint="Slots 0 to length-1 are in use: how many slots did you read?")
def one_free_slot_read(q, buf_K, buf_V, length):
    return over_slots(q, buf_K[: length + 1], buf_V[: length + 1])


@misconception(
    preallocated_attend,
    hint="You gave the free slots the score 0: which vote is that? Which score casts none?",
)
def zero_for_free_slots(q, buf_K, buf_V, length):
    scores = np.where(np.arange(len(buf_K)) < length, buf_K @ q / np.sqrt(len(q)), 0.0)
    return softmax_of(scores) @ buf_V


@misconception(
    preallocated_attend,
    hint="What do the weights of the slots in use add up to in yours, and what should they?",
)
def cut_after_the_softmax(q, buf_K, buf_V, length):
    return softmax_of(buf_K @ q / np.sqrt(len(q)))[:length] @ buf_V[:length]


@misconception(
    preallocated_attend,
    hint="The free slots get the weight 0. What is 0 times nan, or 0 times a value that is inf?",
)
def weight_zero_times_nan(q, buf_K, buf_V, length):
    scores = np.where(np.arange(len(buf_K)) < length, buf_K @ q / np.sqrt(len(q)), -np.inf)
    return softmax_of(scores) @ buf_V


@misconception(
    preallocated_attend, hint="A mask that is added leaves nan as it is: what is nan minus infinity?"
)
def mask_added_to_nan(q, buf_K, buf_V, length):
    free = np.arange(len(buf_K)) >= length
    scores = buf_K @ q / np.sqrt(len(q)) + np.where(free, -np.inf, 0.0)
    return softmax_of(scores) @ np.where(free[:, None], 0.0, buf_V)


@misconception(
    preallocated_attend, hint="Your weights follow the dot products. What did lesson 3 divide them by?"
)
def slots_not_scaled(q, buf_K, buf_V, length):
    return over_slots(q, buf_K[:length], buf_V[:length], 1.0)


@misconception(
    preallocated_attend,
    hint="Over which slots did you take the maximum? What does one do that nobody has written to?",
)
def maximum_of_all_slots(q, buf_K, buf_V, length):
    scores = buf_K @ q / np.sqrt(len(q))
    votes = np.exp(scores - scores.max())[:length]
    return votes / votes.sum() @ buf_V[:length]


@misconception(
    preallocated_attend,
    hint="What is exp(-1000) in NumPy, and how did lesson 5 get the same weights without it?",
)
def slots_overflow(q, buf_K, buf_V, length):
    votes = np.exp(buf_K[:length] @ q / np.sqrt(len(q)))
    return votes / votes.sum() @ buf_V[:length]
