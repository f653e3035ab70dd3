"""`apply_mask`: cases, the reference, other right solutions, known mistakes."""

import math

import numpy as np

from autograder.exercise import alternative, aspect, example, exercise, misconception, unchanged, values


def some(rng, shape):
    """Booleans of `shape`, with at least one True and one False in fixed places of every row."""
    allowed = rng.random(shape) < 0.5
    allowed[..., 0], allowed[..., 1] = True, False
    return allowed


def more_keys_than_queries(rng):
    return rng.normal(size=(3, 5)), some(rng, (3, 5))


def more_queries_than_keys(rng):
    return rng.normal(size=(6, 4)), some(rng, (6, 4))


def one_query_sees_nothing(rng):
    allowed = some(rng, (4, 5))
    allowed[2] = False
    return rng.normal(size=(4, 5)), allowed


def as_many_queries_as_keys_to_hide(rng):
    """Square: here `allowed` transposed has the right shape."""
    return rng.normal(size=(4, 4)), some(rng, (4, 4))


def nothing_allowed(rng):
    return rng.normal(size=(3, 2)), np.zeros((3, 2), dtype=bool)


def everything_allowed(rng):
    return rng.normal(size=(2, 3)), np.ones((2, 3), dtype=bool)


def masked_before(rng):
    scores = rng.normal(size=(4, 6))
    scores[:, 1], scores[0, 0] = -np.inf, -np.inf
    return scores, some(rng, (4, 6))


def a_bias_among_the_scores(rng):
    scores = rng.normal(size=(3, 4))
    scores[1] = [-2.5, 0.0, 2.5, -0.0]
    return scores, some(rng, (3, 4))


def single_precision_scores(rng):
    return rng.normal(size=(5, 3)).astype(np.float32), some(rng, (5, 3))


def half_precision_scores(rng):
    return rng.normal(size=(2, 7)).astype(np.float16), some(rng, (2, 7))


def one_mask_for_all_heads(rng):
    return rng.normal(size=(4, 3, 5)), some(rng, (3, 5))


def one_mask_for_each_text(rng):
    return rng.normal(size=(2, 4, 5)), some(rng, (2, 1, 5))


def texts_and_heads(rng):
    return rng.normal(size=(3, 2, 4, 5)), some(rng, (3, 1, 1, 5))


def one_row_for_all_queries(rng):
    return rng.normal(size=(4, 6)), some(rng, (6,))


def scores_in_the_thousands(rng):
    scores = rng.uniform(-5e4, 5e4, size=(4, 6))
    scores[:, 0], scores[:, 1] = -4e4, 3e4
    return scores, some(rng, (4, 6))


@exercise(
    points=5,
    aspects=[
        values(
            2,
            more_keys_than_queries,
            more_queries_than_keys,
            as_many_queries_as_keys_to_hide,
            one_query_sees_nothing,
            nothing_allowed,
            everything_allowed,
            masked_before,
            a_bias_among_the_scores,
            single_precision_scores,
            half_precision_scores,
        ),
        aspect(
            "batched",
            1,
            one_mask_for_all_heads,
            one_mask_for_each_text,
            texts_and_heads,
            one_row_for_all_queries,
        ),
        aspect("large scores", 1, scores_in_the_thousands),
        unchanged(1),
    ],
    examples=[
        example(
            "by hand: row 0 loses its last score",
            [[2.5, 1.0, 4.0], [0.5, -1.0, 3.0]],
            [[True, True, False], [True, True, True]],
        ),
        example(
            "signs mixed, a score masked before, a row without keys",
            [[1.5, -2.0, 0.0, -math.inf], [0.25, 3.0, -1.0, -math.inf], [-0.5, 2.0, 1.0, 4.0]],
            [[True, False, True, False], [False, True, False, True], [False, False, False, False]],
        ),
    ],
)
def apply_mask(scores, allowed):
    """Take the forbidden scores out of the running: −∞ where `allowed` is False.

    scores : (..., n_q, n_k), floats; some may be −∞ already
    allowed : (..., n_q, n_k) of booleans, True = may be looked at. Any shape that NumPy
        broadcasts to that of the scores: (n_k,) or (n_q, n_k) or (B, 1, n_k), …
    Returns (..., n_q, n_k), of the shape of `scores`, which stay as they are. A query
    with no allowed key gets a row of −∞.
    """
    return np.where(allowed, scores, -np.inf)


@alternative(apply_mask)
def additive_mask_added(scores, allowed):
    return scores + np.where(allowed, 0.0, -np.inf)


@alternative(apply_mask)
def copied_and_filled(scores, allowed):
    masked = scores.copy()
    masked[~np.broadcast_to(allowed, scores.shape)] = -np.inf
    return masked


@alternative(apply_mask)
def written_with_putmask(scores, allowed):
    masked = np.array(scores)
    np.putmask(masked, np.broadcast_to(np.logical_not(allowed), masked.shape), -np.inf)
    return masked


@alternative(apply_mask)
def score_by_score(scores, allowed):
    flat = zip(scores.ravel().tolist(), np.broadcast_to(allowed, scores.shape).ravel().tolist(), strict=True)
    return np.array([score if yes else -math.inf for score, yes in flat]).reshape(scores.shape)


@misconception(apply_mask, hint="A score of 0 gets exp(0) = 1 vote. How many votes should a hidden key get?")
def filled_with_zero(scores, allowed):
    return np.where(allowed, scores, 0.0)


@misconception(
    apply_mask, hint="You multiply by 0 what is to be hidden. How many votes does a score of 0 get?"
)
def multiplied_by_the_mask(scores, allowed):
    return scores * allowed


@misconception(apply_mask, hint="True = may be looked at. Which scores survive in yours?")
def polarity_turned(scores, allowed):
    return np.where(allowed, -np.inf, scores)


@misconception(
    apply_mask,
    hint="Is −10 low enough when the other scores are lower? Which value is, whatever they are?",
)
def filled_with_minus_ten(scores, allowed):
    return np.where(allowed, scores, -10.0)


@misconception(
    apply_mask,
    hint="−10,000 is low, but scores of −20,000 have occurred. Which value is lower than any of them?",
)
def filled_with_minus_ten_thousand(scores, allowed):
    return np.where(allowed, scores, -1e4)


@misconception(
    apply_mask,
    hint="−10⁹ is finite. What does a row look like in which every score is that, against none at all?",
)
def filled_with_minus_a_billion(scores, allowed):
    return np.where(allowed, scores, -1e9)


@misconception(
    apply_mask,
    hint="The lowest number is finite. What does the softmax make of a row that holds nothing but it?",
)
def filled_with_the_lowest_number(scores, allowed):
    return np.where(allowed, scores, np.finfo(scores.dtype).min)


@misconception(
    apply_mask,
    hint="0 · ∞ is nan. What do you add to a score that is to stay, before it is multiplied by infinity?",
)
def zero_times_infinity_added(scores, allowed):
    return scores + (1 - np.asarray(allowed)) * -np.inf


@misconception(apply_mask, hint="What is a negative score times −∞, and how many votes would that get?")
def multiplied_by_infinity(scores, allowed):
    return scores * np.where(allowed, 1.0, -np.inf)


@misconception(apply_mask, hint="True counts as 1 and False as 0: what has your addition hidden?")
def booleans_added(scores, allowed):
    return scores + allowed


@misconception(apply_mask, hint="What does the softmax make of a row with a single nan in it?")
def filled_with_nan(scores, allowed):
    return np.where(allowed, scores, np.nan)
