"""`attention_weights`: cases, the reference, other right solutions, known mistakes."""

import math

import numpy as np

from autograder.exercise import alternative, aspect, example, exercise, misconception, unchanged, values

from .shared import unguarded_shares
from .softmax import softmax


def no_mask_given(rng):
    return (rng.normal(size=(3, 5)),)


def scattered_mask(rng):
    """One visible score is exactly 0: a score like any other."""
    allowed = np.array([[1, 0, 1, 1, 0], [0, 1, 0, 0, 0], [1, 1, 1, 0, 1]], dtype=bool)
    scores = rng.normal(size=(3, 5))
    scores[0, 0] = 0.0
    return scores, allowed


def square_and_causal(rng):
    return rng.normal(size=(4, 4)), np.tri(4, dtype=bool)


def the_same_keys_for_all(rng):
    return rng.normal(size=(4, 3)), np.array([True, True, False])


def scores_masked_already(rng):
    scores = rng.normal(size=(3, 4))
    scores[0, 1:] = scores[2, 0] = -np.inf
    return (scores,)


def two_masks_at_once(rng):
    scores = rng.normal(size=(3, 4))
    scores[0, 3] = scores[1, 0] = -np.inf
    return scores, np.array([[1, 1, 0, 1], [1, 0, 1, 1], [1, 1, 1, 1]], dtype=bool)


def one_key(rng):
    return rng.normal(size=(2, 1)), np.array([[True], [True]])


def single_precision_scores(rng):
    return rng.normal(size=(3, 4)).astype(np.float32), np.tri(3, 4, k=1, dtype=bool)


def half_precision_scores(rng):
    return rng.uniform(-2, 2, size=(2, 5)).astype(np.float16), np.tri(2, 5, k=2, dtype=bool)


def a_row_with_nothing_allowed(rng):
    allowed = np.array([[1, 0, 1, 1], [0, 0, 0, 0], [0, 1, 1, 0]], dtype=bool)
    return rng.normal(size=(3, 4)), allowed


def a_row_of_minus_infinity(rng):
    scores = rng.normal(size=(3, 5))
    scores[0] = -np.inf
    scores[2, 1] = -np.inf
    return (scores,)


def only_masked_keys_allowed(rng):
    """Row 1 is allowed to look at the one key that its scores exclude."""
    scores = rng.normal(size=(2, 3))
    scores[1, 2] = -np.inf
    return scores, np.array([[1, 1, 1], [0, 0, 1]], dtype=bool)


def nothing_for_anyone(rng):
    return rng.normal(size=(2, 4)), np.zeros((2, 4), dtype=bool)


def loud_behind_the_mask(rng):
    """The scores that must not count lie far above those that do, in row 1 farther than 1e9."""
    allowed = np.array([[1, 1, 0, 0], [0, 1, 1, 1], [1, 0, 1, 0]], dtype=bool)
    above = np.array([[3000.0], [1e10], [3000.0]])
    return rng.uniform(-1, 1, size=(3, 4)) + np.where(allowed, 0.0, above), allowed


def loud_and_allowed(rng):
    allowed = np.array([[1, 1, 0, 1, 0], [0, 1, 1, 1, 1]], dtype=bool)
    return rng.uniform(-1, 1, size=(2, 5)) + np.array([[1500.0], [-1500.0]]), allowed


def loud_and_quiet_rows_in_a_batch(rng):
    far = np.array([[1500.0, 0.0, -1500.0], [0.0, -800.0, 800.0]])
    return rng.uniform(-1, 1, size=(2, 3, 4)) + far[:, :, None], np.tri(3, 4, k=1, dtype=bool)


def heads_with_one_mask(rng):
    return rng.normal(size=(2, 3, 4)), np.tri(3, 4, k=1, dtype=bool)


def padded_batch(rng):
    lengths = np.array([3, 5])
    return rng.normal(size=(2, 4, 5)), np.arange(5) < lengths[:, None, None]


def batch_of_heads(rng):
    """(B, h, n_q, n_k), with one sequence of the batch that has no token at all."""
    lengths = np.array([4, 0, 2])
    return rng.normal(size=(3, 2, 3, 4)), np.arange(4) < lengths[:, None, None, None]


@exercise(
    points=5,
    aspects=[
        values(
            1,
            no_mask_given,
            scattered_mask,
            square_and_causal,
            the_same_keys_for_all,
            scores_masked_already,
            two_masks_at_once,
            one_key,
            single_precision_scores,
            half_precision_scores,
        ),
        aspect(
            "a row with nothing allowed",
            1,
            a_row_with_nothing_allowed,
            a_row_of_minus_infinity,
            only_masked_keys_allowed,
            nothing_for_anyone,
        ),
        aspect("large scores", 1, loud_behind_the_mask, loud_and_allowed, loud_and_quiet_rows_in_a_batch),
        aspect("batched", 1, heads_with_one_mask, padded_batch, batch_of_heads),
        unchanged(1),
    ],
    examples=[
        example(
            "by hand: votes 1, 3 | 2, –, 1 | none",
            [[0.0, math.log(3), 9.0], [math.log(2), 9.0, 0.0], [1.0, 2.0, 3.0]],
            [[True, True, False], [True, False, True], [False, False, False]],
        ),
        example(
            "a loud key behind the mask, a row without keys, scores near 800",
            [[1.0, 0.5, 2000.0, -1.0], [2.0, 0.25, -0.5, 1.0], [800.0, 801.0, 799.0, 800.5]],
            [[True, True, False, True], [False, False, False, False], [True, False, True, True]],
        ),
    ],
)
def attention_weights(scores, allowed=None):
    """The weights with which each query looks at each key.

        α_ij = exp(β_ij) / Σ_j' exp(β_ij')      over the keys j' that query i may see

    scores : (..., n_q, n_k), β; a score of −inf means that the key is masked
    allowed : (..., n_q, n_k) bool, True where a query may look, or an array that
        broadcasts to the shape of scores; None when scores are masked already
    Returns α : (..., n_q, n_k). A masked key gets weight 0, whatever its score.
    A query that may see no key at all gets a row of zeros. All other rows add
    up to 1, also with scores in the thousands.
    """
    z = scores if allowed is None else np.where(allowed, scores, -np.inf)
    m = z.max(axis=-1, keepdims=True)
    votes = np.exp(z - np.where(np.isfinite(m), m, 0.0))
    total = votes.sum(axis=-1, keepdims=True)
    return votes / np.where(total > 0, total, 1.0)


@alternative(attention_weights)
def your_softmax_and_the_rest_zero(scores, allowed=None):
    z = scores if allowed is None else np.where(allowed, scores, -np.inf)
    seen = np.any(z > -np.inf, axis=-1, keepdims=True)
    return np.where(seen, softmax(np.where(seen, z, 0.0)), 0.0)


@alternative(attention_weights)
def your_softmax_with_its_nan_replaced(scores, allowed=None):
    z = scores.copy()
    if allowed is not None:
        z[np.broadcast_to(~allowed, z.shape)] = -np.inf
    weights = softmax(z, axis=-1)
    weights[np.all(z == -np.inf, axis=-1)] = 0.0
    return weights


@alternative(attention_weights)
def query_by_query(scores, allowed=None):
    visible = scores > -np.inf
    if allowed is not None:
        visible = visible & allowed
    weights = np.zeros(scores.shape)
    for place in np.ndindex(scores.shape[:-1]):
        keys = np.flatnonzero(visible[place])
        if len(keys):
            votes = [math.exp(score) for score in scores[place][keys] - max(scores[place][keys])]
            weights[place][keys] = np.array(votes) / sum(votes)
    return weights


@alternative(attention_weights)
def a_mask_added_to_the_scores(scores, allowed=None):
    bias = 0.0 if allowed is None else np.where(allowed, 0.0, -np.inf)
    z = scores + bias
    m = np.maximum(np.max(z, axis=-1, keepdims=True), -1e300)
    votes = np.exp(z - m)
    sums = np.einsum("...j->...", votes)[..., None]
    return np.divide(votes, sums, out=np.zeros_like(votes), where=sums > 0)


def hiding(scores, allowed, hidden=-np.inf):
    """The scores, with `hidden` where a query may not look."""
    return scores if allowed is None else np.where(allowed, scores, hidden)


def shares(z, axis=-1):
    """The right weights for these scores, for the mistakes that are made before."""
    m = z.max(axis=axis, keepdims=True)
    votes = np.exp(z - np.where(np.isfinite(m), m, 0.0))
    total = votes.sum(axis=axis, keepdims=True)
    return votes / np.where(total > 0, total, 1.0)


@misconception(attention_weights, hint="Add up a row with a hidden key: who kept the share that is missing?")
def masked_after_softmax(scores, allowed=None):
    return hiding(unguarded_shares(scores), allowed, 0.0)


@misconception(
    attention_weights,
    hint="A hidden key scores 2000 more than the visible ones: what is left to share out once you hide it?",
)
def renormalised_late(scores, allowed=None):
    kept = hiding(unguarded_shares(scores), allowed, 0.0)
    return kept / kept.sum(axis=-1, keepdims=True)


@misconception(
    attention_weights,
    hint="Whose maximum do you take off, if a hidden key scores 2000 more? What do the visible ones get?",
)
def renormalised_late_and_guarded(scores, allowed=None):
    kept = hiding(np.exp(scores - scores.max(axis=-1, keepdims=True)), allowed, 0.0)
    total = kept.sum(axis=-1, keepdims=True)
    return np.where(total > 0, kept / np.where(total > 0, total, 1.0), 0.0)


@misconception(
    attention_weights,
    hint="What is −inf minus −inf? Which of your rows is made of nothing else, and what should it hold?",
)
def nan_where_nothing_is_allowed(scores, allowed=None):
    return unguarded_shares(hiding(scores, allowed))


@misconception(
    attention_weights,
    hint="A query may see nothing, yet yours looks at all keys evenly. What does the docstring ask for?",
)
def even_where_nothing_is_allowed(scores, allowed=None):
    return unguarded_shares(np.maximum(hiding(scores, allowed), -1e9))


@misconception(attention_weights, hint="You set hidden scores to 0. How many votes does a score of 0 cast?")
def hidden_scores_zero(scores, allowed=None):
    return unguarded_shares(hiding(scores, allowed, 0.0))


@misconception(attention_weights, hint="Which keys get weight in yours: those marked True, or the others?")
def mask_turned_round(scores, allowed=None):
    return shares(scores if allowed is None else np.where(allowed, -np.inf, scores))


@misconception(
    attention_weights, hint="Add up your rows, then your columns: which of the two is one query's attention?"
)
def keys_share_out(scores, allowed=None):
    return shares(hiding(scores, allowed), axis=-2)


@misconception(
    attention_weights, hint="You add True and False to the scores: by how much does that lower a hidden key?"
)
def booleans_added(scores, allowed=None):
    return unguarded_shares(scores if allowed is None else scores + allowed)


@misconception(
    attention_weights, hint="The mask works. Now try visible scores of 800: what is exp(800) in NumPy?"
)
def nothing_taken_off(scores, allowed=None):
    votes = np.exp(hiding(scores, allowed))
    total = votes.sum(axis=-1, keepdims=True)
    return votes / np.where(total > 0, total, 1.0)


@misconception(attention_weights, hint="Change `allowed` and call again: do your weights notice?")
def mask_not_looked_at(scores, allowed=None):
    return unguarded_shares(scores)
