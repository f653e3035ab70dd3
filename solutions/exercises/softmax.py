"""Lesson 5: from scores to weights, in floating point. Softmax, its normaliser, a temperature, a stream.

α_ij = exp(β_ij) / Σ_j' exp(β_ij')   (F5),   and for every c:   softmax(β_i + c) = softmax(β_i)
"""

import math

import numpy as np

from autograder.exercise import (
    alternative,
    aspect,
    example,
    exercise,
    free_text,
    misconception,
    question,
    raising,
    unchanged,
    values,
)

# --- softmax ---------------------------------------------------------------------------------------------


def one_row(rng):
    return (rng.normal(size=6),)


def three_rows_of_five(rng):
    return (rng.normal(size=(3, 5)),)


def as_many_rows_as_columns(rng):
    return (rng.normal(size=(4, 4)),)


def one_score_per_row(rng):
    return (rng.uniform(1, 2, size=(3, 1)),)


def columns_asked_for(rng):
    return rng.normal(size=(5, 2)), 0


def some_at_minus_infinity(rng):
    z = rng.normal(size=(3, 4))
    z[0, 2] = z[1, 0] = z[1, 1] = z[1, 3] = -np.inf
    return (z,)


def single_precision(rng):
    return (rng.normal(size=(2, 7)).astype(np.float32),)


def half_precision(rng):
    return (rng.uniform(-2, 2, size=(3, 4)).astype(np.float16),)


def rows_a_thousand_apart(rng):
    return (rng.uniform(-1, 1, size=(3, 4)) + np.array([[2000.0], [0.0], [-1500.0]]),)


def one_row_of_thousands(rng):
    """No score but the largest will do to take off: the first, the last and the mean lie far below it."""
    return (np.array([-3000.0, 2999.0, 3000.0, 3003.0, -2000.0]) + rng.uniform(-0.2, 0.2, size=5),)


def columns_a_thousand_apart(rng):
    return rng.uniform(-1, 1, size=(3, 2)) + np.array([[-1000.0, 800.0]]), 0


def all_very_negative(rng):
    return (rng.uniform(-902, -900, size=(2, 3)),)


def heads_whose_rows_lie_apart(rng):
    """And one −inf among scores so low that no number of ordinary size is below them."""
    far = np.array([[1500.0, 0.0, -15000.0], [0.0, -800.0, 800.0]])
    z = rng.uniform(-1, 1, size=(2, 3, 4)) + far[:, :, None]
    z[0, 2, 1] = -np.inf
    return (z,)


def heads_of_rows(rng):
    return (rng.normal(size=(2, 3, 5)),)


def middle_axis(rng):
    return rng.normal(size=(2, 4, 3)), 1


def axis_counted_from_the_end(rng):
    return rng.normal(size=(3, 2, 4)), -2


def first_of_four_axes(rng):
    return rng.normal(size=(4, 2, 3, 2)), 0


@exercise(
    points=5,
    aspects=[
        values(
            2,
            one_row,
            three_rows_of_five,
            as_many_rows_as_columns,
            one_score_per_row,
            columns_asked_for,
            some_at_minus_infinity,
            single_precision,
            half_precision,
        ),
        aspect(
            "large scores",
            1,
            rows_a_thousand_apart,
            one_row_of_thousands,
            columns_a_thousand_apart,
            all_very_negative,
            heads_whose_rows_lie_apart,
        ),
        aspect("batched", 1, heads_of_rows, middle_axis, axis_counted_from_the_end, first_of_four_axes),
        unchanged(1),
    ],
    examples=[
        example(
            "by hand: votes 1, 2, 3 | 4, 1, 1",
            [[0.0, math.log(2), math.log(3)], [math.log(4), 0.0, 0.0]],
        ),
        example(
            "two heads, along axis 1, some scores near 1000",
            [[[1000.0, 1.0, 0.0], [1001.5, -0.5, 1600.0]], [[-2.0, 0.5, 0.25], [-1.0, 0.75, -1.5]]],
            1,
        ),
    ],
)
def softmax(z, axis=-1):
    """Scores as weights, for scores of any size.

        softmax(z)_j = exp(z_j) / Σ_j' exp(z_j')      both running along `axis`

    z : (...) scores with one axis or more; a score may be −inf, its weight is
        then 0, but each row (each line along `axis`) holds a finite one
    axis : int, the axis along which the weights add up to 1
    Returns weights, an array of z's shape. Scores in the thousands must give
    weights, not nan, even where the rows lie far apart.
    """
    votes = np.exp(z - z.max(axis=axis, keepdims=True))
    return votes / votes.sum(axis=axis, keepdims=True)


@alternative(softmax)
def axis_moved_to_the_end(z, axis=-1):
    rows = np.moveaxis(z, axis, -1)
    votes = np.exp(rows - np.max(rows, axis=-1)[..., None])
    return np.moveaxis(votes / np.einsum("...j->...", votes)[..., None], -1, axis)


@alternative(softmax)
def by_way_of_log_weights(z, axis=-1):
    shifted = z - np.amax(z, axis, keepdims=True)
    return np.exp(shifted - np.log(np.sum(np.exp(shifted), axis, keepdims=True)))


@alternative(softmax)
def recursion_over_rows_of_floats(z, axis=-1):
    def rows(part):
        if isinstance(part[0], list):
            return [rows(inner) for inner in part]
        m = max(part)
        votes = [math.exp(score - m) for score in part]
        return [vote / math.fsum(votes) for vote in votes]

    return np.swapaxes(np.array(rows(np.swapaxes(z, axis, -1).tolist())), axis, -1)


@misconception(softmax, hint="What is exp(1000) in NumPy, and what is inf divided by inf?")
def no_maximum_taken_off(z, axis=-1):
    votes = np.exp(z)
    return votes / votes.sum(axis=axis, keepdims=True)


@misconception(
    softmax, hint="Add up one of your rows, then a column. Along which axis did the caller ask for a whole?"
)
def along_axis_0(z, axis=-1):
    votes = np.exp(z - z.max(axis=0, keepdims=True))
    return votes / votes.sum(axis=0, keepdims=True)


@misconception(
    softmax, hint="Call yours on one matrix with axis 0 and with axis 1: do you get two different answers?"
)
def axis_not_looked_at(z, axis=-1):
    votes = np.exp(z - z.max(axis=-1, keepdims=True))
    return votes / votes.sum(axis=-1, keepdims=True)


@misconception(
    softmax,
    hint="Print the shapes of z and of your maxima: for row i, whose maximum does NumPy take off?",
)
def reduced_axis_lost(z, axis=-1):
    votes = np.exp(z - z.max(axis=axis))
    return votes / votes.sum(axis=axis)


@misconception(
    softmax, hint="Print the shapes of your votes and of their sums: by whose sum is row i divided?"
)
def reduced_axis_lost_in_the_sum(z, axis=-1):
    votes = np.exp(z - z.max(axis=axis, keepdims=True))
    return votes / votes.sum(axis=axis)


@misconception(
    softmax, hint="All your weights together add up to 1: how many rows share out a whole of their own?"
)
def one_sum_for_all(z, axis=-1):
    votes = np.exp(z - z.max(axis=axis, keepdims=True))
    return votes / votes.sum()


@misconception(
    softmax,
    hint="Give it two rows that lie 1000 apart: how many votes has the lower row left, and out of how many?",
)
def one_maximum_for_all(z, axis=-1):
    votes = np.exp(z - z.max())
    return votes / votes.sum(axis=axis, keepdims=True)


@misconception(
    softmax,
    hint="You shifted the scores in one place. Is the same shift in the other place where they occur?",
)
def shifted_above_the_line_only(z, axis=-1):
    return np.exp(z - z.max(axis=axis, keepdims=True)) / np.exp(z).sum(axis=axis, keepdims=True)


@misconception(
    softmax,
    hint="How far can a score lie above what you take off? Try a row with one score of 3000 among zeros.",
)
def mean_taken_off(z, axis=-1):
    votes = np.exp(z - z.mean(axis=axis, keepdims=True))
    return votes / votes.sum(axis=axis, keepdims=True)


@misconception(
    softmax, hint="The scores 1000 and 1002 get equal weights in yours: what became of their difference?"
)
def scores_clipped(z, axis=-1):
    votes = np.exp(np.clip(z, -700, 700))
    return votes / votes.sum(axis=axis, keepdims=True)


@misconception(
    softmax, hint="You repaired the nan after the fact: what does the row of a score of 1000 add up to now?"
)
def nan_swept_away(z, axis=-1):
    votes = np.exp(z)
    return np.nan_to_num(votes / votes.sum(axis=axis, keepdims=True))


@misconception(softmax, hint="The largest of each row is 1 in yours. What should the row add up to?")
def votes_not_shared_out(z, axis=-1):
    return np.exp(z - z.max(axis=axis, keepdims=True))


# --- attention_weights -----------------------------------------------------------------------------------


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


def unguarded_shares(z):
    """The same, nan where a row holds nothing but −inf."""
    votes = np.exp(z - z.max(axis=-1, keepdims=True))
    return votes / votes.sum(axis=-1, keepdims=True)


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


# --- logsumexp -------------------------------------------------------------------------------------------


def a_single_row_of_a_matrix(rng):
    """(1, 5) gives (1,): an axis of length 1 that was not added up along stays."""
    return (rng.normal(size=(1, 5)),)


def rows_and_a_short_axis(rng):
    return rng.normal(size=(4, 2)), 0


def equal_scores(rng):
    return (np.full(5, rng.uniform(1, 2)),)


def scores_below_minus_one(rng):
    return (rng.uniform(-6, -3, size=(2, 4)),)


def rows_of_thousands(rng):
    return (rng.uniform(-1, 1, size=(3, 4)) + np.array([[2000.0], [1.0], [-1500.0]]),)


def one_very_negative_row(rng):
    return (rng.uniform(-902, -900, size=4),)


def nothing_but_minus_infinity(rng):
    return (np.full(3, -np.inf),)


def one_row_of_minus_infinity(rng):
    z = rng.normal(size=(3, 4))
    z[1] = -np.inf
    return (z,)


def one_column_of_minus_infinity(rng):
    z = rng.normal(size=(3, 2))
    z[:, 0] = -np.inf
    return z, 0


@exercise(
    points=5,
    aspects=[
        values(
            1,
            one_row,
            three_rows_of_five,
            as_many_rows_as_columns,
            one_score_per_row,
            a_single_row_of_a_matrix,
            rows_and_a_short_axis,
            equal_scores,
            scores_below_minus_one,
            some_at_minus_infinity,
            single_precision,
            half_precision,
        ),
        aspect(
            "large scores",
            1,
            rows_of_thousands,
            one_row_of_thousands,
            one_very_negative_row,
            columns_a_thousand_apart,
            heads_whose_rows_lie_apart,
        ),
        aspect(
            "nothing but −inf",
            1,
            nothing_but_minus_infinity,
            one_row_of_minus_infinity,
            one_column_of_minus_infinity,
        ),
        aspect("batched", 1, heads_of_rows, middle_axis, axis_counted_from_the_end, first_of_four_axes),
        unchanged(1),
    ],
    examples=[
        example("by hand: ln(1 + 2 + 3)", [0.0, math.log(2), math.log(3)]),
        example(
            "along axis 0: near 1000, ordinary, all −inf",
            [[1000.0, 0.5, -np.inf], [1001.5, -1.25, -np.inf], [999.0, 2.0, -np.inf]],
            0,
        ),
    ],
)
def logsumexp(z, axis=-1):
    """The logarithm of the votes cast, for scores of any size.

        lse(z) = ln Σ_j exp(z_j)      along `axis`

    z : (...) scores with one axis or more; a score may be −inf
    axis : int, the axis along which the votes are added up
    Returns an array of z's shape without `axis`: (n_q, n_k) gives (n_q,), and
    one row (n_k,) a single number. A row of nothing but −inf gives −inf.
    """
    m = z.max(axis=axis, keepdims=True)
    m = np.where(np.isfinite(m), m, 0.0)
    votes = np.exp(z - m).sum(axis=axis)
    with np.errstate(divide="ignore"):
        return np.squeeze(m, axis=axis) + np.log(votes)


@alternative(logsumexp)
def numbers_one_by_one(z, axis=-1):
    def one_line(line):
        m = max(line)
        if m == -math.inf:
            return m
        return m + math.log(math.fsum(math.exp(score - m) for score in line))

    return np.apply_along_axis(one_line, axis, z)


@alternative(logsumexp)
def pair_after_pair(z, axis=-1):
    return np.logaddexp.reduce(z, axis=axis)


@alternative(logsumexp)
def axis_in_front_and_folded(z, axis=-1):
    total = -np.inf
    for score in np.moveaxis(z, axis, 0):
        high, low = np.maximum(total, score), np.minimum(total, score)
        gap = np.where(low == -np.inf, -np.inf, low - np.where(low == -np.inf, 0.0, high))
        total = high + np.log1p(np.exp(gap))
    return total


@alternative(logsumexp)
def minus_infinity_put_back_at_the_end(z, axis=-1):
    m = np.max(z, axis=axis)
    gap = z - np.expand_dims(m, axis)
    votes = np.sum(np.exp(gap, where=gap == gap, out=np.ones(z.shape)), axis)
    return np.where(m == -np.inf, -np.inf, m + np.log(votes))


def finite_maximum(z, axis):
    """The maximum along `axis`, which stays; 0 where all is −inf."""
    m = z.max(axis=axis, keepdims=True)
    return np.where(np.isfinite(m), m, 0.0)


@misconception(logsumexp, hint="What is exp(1000) in NumPy, and what is its logarithm?")
def not_shifted(z, axis=-1):
    return np.log(np.exp(z).sum(axis=axis))


@misconception(
    logsumexp, hint="Add 10 to every score: by how much must the result grow, and by how much does yours?"
)
def maximum_not_put_back(z, axis=-1):
    return np.log(np.exp(z - finite_maximum(z, axis)).sum(axis=axis))


@misconception(
    logsumexp, hint="Of a single score the result is that score: which sign does the maximum have in yours?"
)
def maximum_taken_off_again(z, axis=-1):
    m = finite_maximum(z, axis)
    return np.log(np.exp(z - m).sum(axis=axis)) - np.squeeze(m, axis=axis)


@misconception(
    logsumexp,
    hint="What is −inf minus −inf? How many votes does a row of nothing but −inf cast?",
)
def nan_for_minus_infinity(z, axis=-1):
    m = z.max(axis=axis, keepdims=True)
    return np.squeeze(m, axis=axis) + np.log(np.exp(z - m).sum(axis=axis))


@misconception(
    logsumexp,
    hint="Compare the shape of your result with z's: is the axis gone that you added up along?",
)
def reduced_axis_kept(z, axis=-1):
    m = finite_maximum(z, axis)
    return m + np.log(np.exp(z - m).sum(axis=axis, keepdims=True))


@misconception(
    logsumexp, hint="Call yours on one matrix with axis 0 and with axis 1: do you get two different answers?"
)
def always_the_last_axis(z, axis=-1):
    m = finite_maximum(z, -1)
    return np.squeeze(m, axis=-1) + np.log(np.exp(z - m).sum(axis=-1))


@misconception(
    logsumexp, hint="Three rows go in and one number comes out of yours: who asked for all rows together?"
)
def over_all_numbers(z, axis=-1):
    m = finite_maximum(z, None)
    return np.squeeze(m) + np.log(np.exp(z - m).sum())


@misconception(
    logsumexp,
    hint="Rows may lie 1000 apart: what does exp make of the lower row, once the upper one's maximum is off?",
)
def one_maximum_for_every_row(z, axis=-1):
    m = finite_maximum(z, None)
    return np.squeeze(m) + np.log(np.exp(z - m).sum(axis=axis))


# --- temperature_softmax ---------------------------------------------------------------------------------


def warm(rng):
    return rng.normal(size=6), 2.5


def cool(rng):
    return rng.normal(size=5), 0.4


def temperature_of_1(rng):
    return rng.normal(size=7), 1.0


def a_whole_number(rng):
    return rng.uniform(-4, 4, size=5), 3


def a_single_score(rng):
    return rng.uniform(2, 3, size=1), 0.5


def one_score_masked(rng):
    z = rng.normal(size=4)
    z[2] = -np.inf
    return z, 1.7


def single_precision_row(rng):
    return rng.normal(size=6).astype(np.float32), 0.8


def half_precision_row(rng):
    return rng.uniform(-2, 2, size=5).astype(np.float16), 1.5


def cold_enough_to_overflow(rng):
    """Ordinary scores, but divided by 0.001 they are in the thousands."""
    return np.array([2.0, 1.9995, -5.0, 1.999]) + rng.uniform(1, 2), 1e-3


def scores_in_the_thousands(rng):
    return np.array([3000.0, 3003.0, -2000.0, 3001.5]) + rng.uniform(-0.5, 0.5, size=4), 2.0


def about_700_once_divided(rng):
    return np.array([1396.0, 1399.0, 1404.0]) + rng.uniform(-0.2, 0.2, size=3), 2.0


def about_minus_743_once_divided(rng):
    """exp still gives a number here, but one of a few steps of the smallest there are."""
    return np.array([-1485.0, -1487.0, -1482.5]) + rng.uniform(-0.2, 0.2, size=3), 2.0


def far_above_the_rest(rng):
    return np.array([1.0, -1.0, 0.5, 1920.0]) + rng.uniform(-0.2, 0.2, size=4), 2.0


def zero_and_one_maximum(rng):
    return rng.permutation([-1.5, 0.5, 2.5, 1.0]) + rng.uniform(-0.2, 0.2), 0.0


def zero_and_a_tie(rng):
    return np.array([-1.0, 4.0, 0.5, 4.0, 4.0]) + rng.uniform(-0.5, 0.5), 0.0


def zero_and_all_below_zero(rng):
    return np.array([-3.0, -1.0, -2.0]) - rng.uniform(0.5, 1), 0


def zero_and_all_equal(rng):
    return np.full(3, rng.uniform(1, 2)), 0.0


def below_zero(rng):
    return rng.normal(size=4), -0.5


def just_below_zero(rng):
    """The scores are so close that nothing overflows: to accept the temperature gives numbers."""
    return np.array([0.0, 1e-4, 3e-4]) + rng.uniform(1, 2), -1e-6


@exercise(
    points=5,
    aspects=[
        values(
            1,
            warm,
            cool,
            temperature_of_1,
            a_whole_number,
            a_single_score,
            one_score_masked,
            single_precision_row,
            half_precision_row,
        ),
        aspect(
            "large scores",
            1,
            cold_enough_to_overflow,
            scores_in_the_thousands,
            about_700_once_divided,
            about_minus_743_once_divided,
            far_above_the_rest,
        ),
        aspect(
            "temperature 0",
            1,
            zero_and_one_maximum,
            zero_and_a_tie,
            zero_and_all_below_zero,
            zero_and_all_equal,
        ),
        aspect(
            "a negative temperature",
            1,
            raising(ValueError, below_zero),
            raising(ValueError, just_below_zero),
        ),
        unchanged(1),
    ],
    examples=[
        example("by hand: 0 and ln 9 at temperature 2, votes 1 and 3", [0.0, math.log(9)], 2.0),
        example("temperature 0, the maximum twice", [1.0, 3.0, 3.0, -2.0], 0.0),
        example("a temperature below 0", [1.0, 2.0], -1.0),
    ],
)
def temperature_softmax(z, temperature):
    """Softmax at a temperature: low is picky, high is even-handed.

        α_j = exp(z_j / T) / Σ_j' exp(z_j' / T)      T is the temperature

    z : (n,) scores, one row; of any size, also once they are divided by T; one may
        be −inf, its weight is then 0
    temperature : float, 0 or more
    Returns weights : (n,). At temperature 0, the limit: 1 for the largest score,
    for the first of them where several are equal, and 0 for all others.
    Raises ValueError when temperature is negative.
    """
    if temperature < 0:
        raise ValueError(f"temperature is {temperature}: it must be 0 or more")
    if temperature == 0:
        return np.where(np.arange(len(z)) == np.argmax(z), 1.0, 0.0)
    votes = np.exp((z - z.max()) / temperature)
    return votes / votes.sum()


@alternative(temperature_softmax)
def your_softmax_of_divided_scores(z, temperature):
    if temperature < 0:
        raise ValueError("a temperature is not negative")
    if temperature == 0:
        weights = np.zeros(len(z))
        weights[np.argmax(z)] = 1.0
        return weights
    return softmax(z / temperature)


@alternative(temperature_softmax)
def floats_in_lists(z, temperature):
    if temperature < 0:
        raise ValueError
    scores = z.tolist()
    if not temperature:
        return [float(j == scores.index(max(scores))) for j in range(len(scores))]
    votes = [math.exp((score - max(scores)) / temperature) for score in scores]
    return [vote / sum(votes) for vote in votes]


@alternative(temperature_softmax)
def ratios_to_the_top_score(z, temperature):
    if temperature < 0:
        raise ValueError("temperature must be at least 0")
    top = int(np.argmax(z))
    if temperature > 0:
        gaps = np.exp(z - z[top]) ** (1 / temperature)
        return gaps / np.sum(gaps)
    return np.eye(len(z))[top]


# None of the mistakes below refuses a negative temperature: with or without that mistake on top, a student
# who makes one of them is told its name.


@misconception(
    temperature_softmax,
    hint="At a temperature of -1, which score gets most in yours? What does the docstring ask for there?",
)
def negative_temperature_accepted(z, temperature):
    if temperature == 0:
        return np.eye(len(z))[np.argmax(z)]
    return unguarded_shares(z / temperature)


@misconception(
    temperature_softmax, hint="Which temperature should be the picky one, 0.1 or 10? Which is it in yours?"
)
def multiplied(z, temperature):
    return unguarded_shares(z * temperature)


@misconception(
    temperature_softmax,
    hint="Do your weights change with the temperature? What becomes of a factor that stands above and below?",
)
def divided_after_exp(z, temperature):
    votes = np.exp(z - z.max()) / np.float64(temperature)
    return votes / votes.sum()


@misconception(
    temperature_softmax, hint="What do your weights add up to at temperature 2, and what should they?"
)
def weights_divided(z, temperature):
    return unguarded_shares(z) / temperature


@misconception(
    temperature_softmax, hint="What does NumPy make of a division by 0? Which weights are the limit there?"
)
def nan_at_zero(z, temperature):
    return unguarded_shares(z / np.float64(temperature))


@misconception(
    temperature_softmax,
    hint="Scores near 3, temperature 0.001: of which number do you take exp? And what at temperature 0?",
)
def maximum_of_the_undivided_scores(z, temperature):
    votes = np.exp(z / np.float64(temperature) - z.max())
    return votes / votes.sum()


@misconception(
    temperature_softmax,
    hint="Where two scores tie at temperature 0, how many ones does the docstring ask for?",
)
def tie_shared(z, temperature):
    if temperature == 0:
        best = (z == z.max()).astype(float)
        return best / best.sum()
    return unguarded_shares(z / temperature)


@misconception(
    temperature_softmax,
    hint="At temperature 0 your weights add up to more than 1: how many scores share the maximum?",
)
def every_maximum_gets_one(z, temperature):
    if temperature == 0:
        return (z == z.max()).astype(float)
    return unguarded_shares(z / temperature)


@misconception(
    temperature_softmax, hint="Where two scores tie at temperature 0, which of them does the docstring name?"
)
def last_maximum(z, temperature):
    if temperature == 0:
        return np.eye(len(z))[len(z) - 1 - np.argmax(z[::-1])]
    return unguarded_shares(z / temperature)


@misconception(
    temperature_softmax,
    hint="At temperature 0 yours is a position. What shape do the weights of n scores have?",
)
def position_at_zero(z, temperature):
    if temperature == 0:
        return np.argmax(z)
    return unguarded_shares(z / temperature)


# --- online_softmax_stats --------------------------------------------------------------------------------


def three_chunks(rng):
    """The largest score comes in the middle: what came before and what comes after both need care."""
    return ([rng.uniform(-1, 1, size=3), rng.uniform(2, 3, size=2), rng.uniform(-1, 1, size=4)],)


def rising(rng):
    return ([rng.uniform(-1, 0, size=2), rng.uniform(0.5, 1, size=3), rng.uniform(2, 3, size=2)],)


def falling(rng):
    return ([rng.uniform(2, 3, size=2), rng.uniform(0, 1, size=3), rng.uniform(-2, -1, size=1)],)


def all_below_zero(rng):
    return ([rng.uniform(-6, -5, size=2), rng.uniform(-4, -3, size=3), rng.uniform(-7, -6, size=2)],)


def the_maximum_in_two_chunks(rng):
    top = rng.uniform(2, 3)
    return ([np.array([top, top - 1]), np.array([top - 2, top, top])],)


def one_chunk(rng):
    return ([rng.normal(size=5)],)


def one_score(rng):
    return ([rng.uniform(1, 2, size=1)],)


def score_by_score(rng):
    return (list(rng.normal(size=(6, 1))),)


def empty_chunks_between(rng):
    return ([np.array([]), rng.uniform(0, 1, size=2), np.array([]), rng.uniform(2, 3, size=3), np.array([])],)


def minus_infinity_first(rng):
    return ([np.full(2, -np.inf), np.append(rng.uniform(0, 1, size=2), -np.inf), rng.uniform(1, 2, size=3)],)


def single_precision_chunks(rng):
    return ([rng.normal(size=4).astype(np.float32), rng.normal(size=3).astype(np.float32)],)


def half_precision_chunks(rng):
    return ([rng.uniform(-2, 2, size=3).astype(np.float16), rng.uniform(-2, 2, size=5).astype(np.float16)],)


def no_chunk(rng):
    return ([],)


def only_empty_chunks(rng):
    return ([np.array([]), np.array([])],)


def only_minus_infinity(rng):
    return ([np.full(3, -np.inf), np.full(1, -np.inf)],)


def empty_and_minus_infinity(rng):
    return ([np.array([]), np.full(2, -np.inf), np.array([])],)


def thousands_rising(rng):
    return ([rng.uniform(0, 1, size=3), rng.uniform(999, 1000, size=2), rng.uniform(1999, 2000, size=4)],)


def thousands_falling(rng):
    return ([rng.uniform(1999, 2000, size=2), rng.uniform(1998, 1999, size=3), rng.uniform(-1, 0, size=1)],)


def thousands_below_zero(rng):
    return ([rng.uniform(-2000, -1999, size=2), rng.uniform(-1998, -1997, size=3)],)


@exercise(
    points=5,
    aspects=[
        values(
            2,
            three_chunks,
            rising,
            falling,
            all_below_zero,
            the_maximum_in_two_chunks,
            one_chunk,
            one_score,
            score_by_score,
            empty_chunks_between,
            minus_infinity_first,
            single_precision_chunks,
            half_precision_chunks,
        ),
        aspect(
            "nothing there yet",
            1,
            no_chunk,
            only_empty_chunks,
            only_minus_infinity,
            empty_and_minus_infinity,
        ),
        aspect("large scores", 1, thousands_rising, thousands_falling, thousands_below_zero),
        unchanged(1),
    ],
    examples=[
        example(
            "by hand: 1.5 votes, then the maximum rises by ln 4",
            [np.array([0.0, -math.log(2)]), np.array([math.log(4)])],
        ),
        example(
            "all below 0, a chunk of −inf, an empty one",
            [
                np.array([-np.inf]),
                np.array([-9.0, -10.5]),
                np.array([]),
                np.array([-7.0, -8.0]),
                np.array([-9.5]),
            ],
        ),
    ],
)
def online_softmax_stats(chunks):
    """The maximum of a row and its votes, in one pass over the row's pieces.

        m = max_j z_j,      l = Σ_j exp(z_j − m)      over all scores of all chunks

    chunks : list of 1-D arrays, (n_1,), (n_2,), ...: one row of scores of any
        size, cut up; a chunk may be empty, a score may be −inf
    Returns (m, l), two numbers. No chunk, only empty ones or only −inf give
    (−inf, 0.0). Look at each chunk once, in order, and keep nothing of it but
    what m and l hold.
    """
    m, l = -np.inf, 0.0
    for chunk in chunks:
        new = max(m, chunk.max(initial=-np.inf))
        if new > -np.inf:
            l = l * np.exp(m - new) + np.exp(chunk - new).sum()
            m = new
    return m, l


@alternative(online_softmax_stats)
def one_score_after_another(chunks):
    m, votes = -math.inf, 0.0
    for chunk in chunks:
        for score in chunk.tolist():
            if score == -math.inf:
                continue
            if score <= m:
                votes += math.exp(score - m)
            else:
                votes = 1.0 + votes * math.exp(m - score)
                m = score
    return m, votes


@alternative(online_softmax_stats)
def a_pair_for_each_chunk_then_merged(chunks):
    pairs = []
    for chunk in chunks:
        finite = chunk[np.isfinite(chunk)]
        if finite.size:
            pairs.append((finite.max(), np.exp(finite - finite.max()).sum()))
    top = max((m for m, _ in pairs), default=-np.inf)
    return top, sum((l * np.exp(m - top) for m, l in pairs), 0.0)


@alternative(online_softmax_stats)
def carried_as_a_logarithm(chunks):
    m = lse = -np.inf
    for chunk in chunks:
        for score in chunk:
            m = max(m, score)
            lse = np.logaddexp(lse, score)
    return m, 0.0 if m == -np.inf else np.exp(lse - m)


@alternative(online_softmax_stats)
def all_at_once(chunks):
    z = np.concatenate([np.zeros(0), *chunks])
    if not np.any(z > -np.inf):
        return -np.inf, 0.0
    return np.max(z), np.sum(np.exp(z - np.max(z)))


@misconception(
    online_softmax_stats,
    hint="When m rises, l was counted in the old currency: what is each of its votes worth in the new one?",
)
def not_rescaled(chunks):
    m, l = -np.inf, 0.0
    for chunk in chunks:
        m = max(m, chunk.max(initial=-np.inf))
        if m > -np.inf:
            l = l + np.exp(chunk - m).sum()
    return m, l


@misconception(
    online_softmax_stats,
    hint="The maximum rises: are the earlier votes worth more now, or less? And in yours?",
)
def rescaled_the_wrong_way(chunks):
    m, l = -np.inf, 0.0
    for chunk in chunks:
        new = max(m, chunk.max(initial=-np.inf))
        if new > -np.inf:
            l = (l * np.exp(new - m) if m > -np.inf else 0.0) + np.exp(chunk - new).sum()
            m = new
    return m, l


@misconception(
    online_softmax_stats,
    hint="No score so far, or all below 0: which maximum do you report, and who scored it?",
)
def maximum_starts_at_zero(chunks):
    m, l = 0.0, 0.0
    for chunk in chunks:
        new = max(m, chunk.max(initial=-np.inf))
        l = l * np.exp(m - new) + np.exp(chunk - new).sum()
        m = new
    return m, l


@misconception(
    online_softmax_stats, hint="Before the first chunk, how many votes have been cast? And at the end?"
)
def votes_start_at_one(chunks):
    m, l = -np.inf, 1.0
    for chunk in chunks:
        new = max(m, chunk.max(initial=-np.inf))
        if new > -np.inf:
            l = (l * np.exp(m - new) if m > -np.inf else l) + np.exp(chunk - new).sum()
            m = new
    return m, l


@misconception(
    online_softmax_stats,
    hint="A chunk may be lower than the one before it: is your m still the largest seen?",
)
def maximum_of_the_last_chunk(chunks):
    m, l = -np.inf, 0.0
    for chunk in chunks:
        new = chunk.max(initial=-np.inf)
        if new > -np.inf:
            l = l * np.exp(m - new) + np.exp(chunk - new).sum()
            m = new
    return m, l


@misconception(
    online_softmax_stats,
    hint="What is −inf minus −inf? Start with a chunk of nothing but −inf: what becomes of l?",
)
def nan_after_minus_infinity(chunks):
    m, l = -np.inf, 0.0
    for chunk in chunks:
        new = max(m, chunk.max(initial=-np.inf))
        l = l * np.exp(m - new) + np.exp(chunk - new).sum()
        m = new
    return m, l


@misconception(
    online_softmax_stats,
    hint="Is your l counted relative to m? A score equal to m must add exactly 1 to it: does it?",
)
def votes_without_a_shift(chunks):
    m, l = -np.inf, 0.0
    for chunk in chunks:
        m = max(m, chunk.max(initial=-np.inf))
        l = l + np.exp(chunk).sum()
    return m, l


@misconception(
    online_softmax_stats,
    hint="Each chunk's votes were counted against its own maximum: may you add up such sums?",
)
def every_chunk_in_its_own_currency(chunks):
    m, l = -np.inf, 0.0
    for chunk in chunks:
        own = chunk.max(initial=-np.inf)
        if own > -np.inf:
            l = l + np.exp(chunk - own).sum()
            m = max(m, own)
    return m, l


@misconception(
    online_softmax_stats,
    hint="The new chunk's votes are counted against the new maximum: which votes still need a factor?",
)
def new_votes_rescaled_too(chunks):
    m, l = -np.inf, 0.0
    for chunk in chunks:
        new = max(m, chunk.max(initial=-np.inf))
        if new > -np.inf:
            l = (l + np.exp(chunk - new).sum()) * (np.exp(m - new) if m > -np.inf else 1.0)
            m = new
    return m, l


# --- questions -------------------------------------------------------------------------------------------


def _shares(*scores):
    votes = [math.exp(score) for score in scores]
    return [vote / sum(votes) for vote in votes]


first_weight = question(
    "first_weight",
    "number",
    seed_item="S0.9",
    prompt=(
        "One query has the scores $\\beta = [2.0,\\ 1.0,\\ 0.5]$ with respect to three keys. What is the "
        "weight $\\alpha$ of the **first** key, the one with the score 2.0? By hand, with a calculator for "
        "exp; three decimals."
    ),
    key=_shares(2.0, 1.0, 0.5)[0],
    hints=[
        (2 / 3.5, "You divided the score by the sum of the scores. What must happen to the scores first?"),
        (math.exp(2), "Those are the votes of the first key. Out of how many?"),
        (_shares(2.0, 1.0)[0], "Two keys share the whole in yours. Who is missing below the line?"),
        (
            math.exp(2) / (math.exp(1) + math.exp(0.5)),
            "You compare the first key with the others. Do its own votes count in the sum?",
        ),
        (_shares(2.0, 1.0, 0.5)[1], "That is a weight of this row. Which key has the score 2.0?"),
        (_shares(2.0, 1.0, 0.5)[2], "That is a weight of this row. Which key has the score 2.0?"),
        (1 / 3, "An even share. Do the three keys have the same score?"),
        (
            4 / (4 + 2 + math.sqrt(2)),
            "Scores 1 apart: one weight must be e times the other. Which base did you take?",
        ),
        (math.log(_shares(2.0, 1.0, 0.5)[0]), "Can a share be negative? Which function did you stop at?"),
    ],
)

middle_weight = question(
    "middle_weight",
    "number",
    seed_item="S4.4",
    prompt=(
        "A model is at the third of three tokens. The scores of the query at position 2 for the keys at "
        "positions 0, 1 and 2 are 1.0, 2.0 and 3.0. Which weight does it give to the token at "
        "**position 1**? Three decimals. Take the largest score off first, and you need no large number."
    ),
    key=_shares(1.0, 2.0, 3.0)[1],
    hints=[
        (1 / 3, "An even share, or 2 out of 6. What does the softmax do to the scores before it shares out?"),
        (_shares(1.0, 2.0, 3.0)[2], "That is a weight of this row. Which position has the score 2.0?"),
        (
            _shares(1.0, 2.0, 3.0)[0],
            "That is a weight of this row. Positions count from 0: which one is asked?",
        ),
        (_shares(1.0, 2.0)[1], "The query sits at position 2. May it look at itself?"),
        (_shares(2.0, 3.0)[0], "Two keys share the whole in yours. Which one did you leave out, and why?"),
        (
            math.exp(-1),
            "That is e⁻¹, the votes of position 1 once the largest score is off. Out of how many?",
        ),
        (math.exp(2), "Those are the votes of position 1. Out of how many?"),
        (
            2**2 / (2 + 2**2 + 2**3),
            "Scores 1 apart: one weight must be e times the other. Which base did you take?",
        ),
    ],
)

shifted_scores = question(
    "shifted_scores",
    "choice",
    seed_item="S0.10",
    prompt=(
        "A query has the raw scores [1.5, 0.5, -1.0]. Somebody adds 10 to each: [11.5, 10.5, 9.0]. How do "
        "the weights from the new scores compare with those from the old?"
    ),
    options={
        "A": (
            "More even: 11.5 and 10.5 are nearly equal, while 1.5 was three times 0.5, so the softmax sees "
            "less of a contrast."
        ),
        "B": (
            "Sharper: exp grows faster and faster, so the largest score gains more votes from the added 10 "
            "than the others do."
        ),
        "C": (
            "Larger, all three of them: each score casts exp(10) times as many votes, about 22,000 times as "
            "many as it did."
        ),
        "D": (
            "Identical: each score casts exp(10) times as many votes, and the sum of the votes has grown by "
            "the same factor."
        ),
    },
    key="D",
    hints=[
        ("A", "Does the softmax look at ratios of scores, or at their differences? What is exp(a) / exp(b)?"),
        (
            "B",
            "By what factor do the votes of the largest score grow, and by what factor those of the others?",
        ),
        ("C", "If all three grew, what would they add up to?"),
    ],
)

constant_changes_weights = question(
    "constant_changes_weights",
    "bool",
    seed_item="S4.7",
    prompt=(
        "**True or False:** in self-attention, if you add the same constant to all un-normalised scores of "
        "one query, that query's normalised weights will change."
    ),
    key=False,
    hints=[
        (
            True,
            "Write exp(β + c) as a product. What becomes of a factor that stands above and below the line?",
        ),
    ],
)

choose_a_repair = free_text(
    "choose_a_repair",
    prompt=(
        "A model is trained in float16. After 3,000 steps its loss becomes nan. The log shows that "
        "attention scores have grown to 12. Three repairs are proposed: *(1)* clip all scores at 11; *(2)* "
        "take the largest score of the **whole batch** off every score; *(3)* take each **row's** largest "
        "score off that row. In five to seven sentences: (a) say where the nan comes from, with the number "
        "that matters; (b) say for which scores (1) gives other weights than the formula; (c) describe a "
        "row for which (2) still gives nan; (d) say why (3) changes nothing but the rounding, and name one "
        "thing that it cannot bring back (your measurement shows it)."
    ),
    rubric=[
        (1, "(a) exp overflows float16 above 11.09 (its largest number is 65504); inf / inf is nan."),
        (
            1,
            (
                "(b) Scores above 11 are made equal: their differences, and so the ratio of their weights, "
                "are lost."
            ),
        ),
        (
            1,
            "(c) A row that lies far below the batch's maximum (by 18 or more in float16): all its votes "
            "are 0, and 0 / 0 is nan.",
        ),
        (
            1,
            "(d) A constant per row cancels above and below the line. What was lost when the scores "
            "themselves were rounded to float16 stays lost: large scores have few digits behind the point.",
        ),
    ],
    model_answer=(
        "The largest float16 is 65504, so exp of anything above 11.09 is inf there; a score of 12 makes "
        "its row inf / inf, which is nan. Clipping at 11 removes the nan, but gives all scores from 11 up "
        "the same weight, although the formula makes 12 worth e times as much as 11. Taking off the "
        "batch's maximum is harmless for the row that holds it, but a row whose scores all lie 20 lower "
        "casts exp(-20) votes each, which float16 rounds to 0, so that row becomes 0 / 0. Each row's own "
        "maximum is a constant within the row: its factor stands above and below the line and cancels, the "
        "largest vote is exactly 1, and the sum is at least 1, so neither overflow nor 0 / 0 can happen. "
        "What it cannot bring back are digits that were lost before: float16 has steps of 0.5 between 512 "
        "and 1024, so large scores were rounded already when they were stored, and the measured error of "
        "the stable softmax grows with the shift for that reason."
    ),
)
