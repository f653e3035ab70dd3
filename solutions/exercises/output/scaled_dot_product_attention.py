"""`scaled_dot_product_attention`: cases, the reference, other right solutions, known mistakes."""

import math

import numpy as np

from autograder.exercise import alternative, aspect, example, exercise, misconception, unchanged, values

from .attend_one import attend_one
from .shared import drawn, masked_weights, near_and_far, products, rounded_to, weights_of


def more_keys_than_queries(rng):
    return drawn(rng, (3, 4), (5, 4), (5, 7))


def more_queries_than_keys(rng):
    return drawn(rng, (6, 3), (2, 3), (2, 5))


def a_square_of_each(rng):
    return drawn(rng, (4, 4), (4, 4), (4, 4))


def one_query(rng):
    return drawn(rng, (1, 5), (7, 5), (7, 2))


def single_precision_matrices(rng):
    return rounded_to(np.float32, *drawn(rng, (5, 6), (8, 6), (8, 3)))


def half_precision_matrices(rng):
    return rounded_to(np.float16, *drawn(rng, (3, 4), (6, 4)), rng.uniform(1, 2, size=(6, 2)))


def some_keys_hidden(rng):
    """Query 1 is all zeros, so its scores are: visible or hidden is for `allowed` alone to say."""
    allowed = np.array([[1, 1, 0, 0, 1], [0, 1, 1, 0, 0], [1, 0, 0, 1, 1]], dtype=bool)
    Q, K, V = drawn(rng, (3, 4), (5, 4), (5, 7))
    Q[1] = 0.0
    return Q, K, V, allowed


def the_past_only(rng):
    return *drawn(rng, (4, 3), (4, 3), (4, 6)), np.tri(4, dtype=bool)


def a_query_with_no_key(rng):
    allowed = np.array([[1, 0, 1, 0], [0, 0, 0, 0], [0, 1, 1, 1], [0, 0, 0, 0], [1, 1, 1, 1]], dtype=bool)
    return *drawn(rng, (5, 2), (4, 2)), rng.uniform(1, 2, size=(4, 3)), allowed


def one_row_of_allowed_for_all(rng):
    return *drawn(rng, (3, 5), (6, 5), (6, 2)), np.array([[True, False, True, True, False, False]])


def single_precision_with_a_mask(rng):
    allowed = np.array([[1, 1, 1, 0], [0, 0, 0, 0], [1, 0, 0, 0]], dtype=bool)
    return *rounded_to(np.float32, *drawn(rng, (3, 5), (4, 5), (4, 2))), allowed


def a_batch_of_two(rng):
    return drawn(rng, (2, 3, 4), (2, 5, 4), (2, 5, 7))


def a_batch_as_wide_as_its_keys(rng):
    """Every axis but two of one size: an exchange of the wrong axes does not raise here."""
    return drawn(rng, (3, 2, 3), (3, 3, 3), (3, 3, 4))


def two_leading_axes(rng):
    return drawn(rng, (2, 3, 4, 5), (2, 3, 6, 5), (2, 3, 6, 2))


def padding_by_sequence(rng):
    lengths = np.array([4, 1, 6])
    allowed = (np.arange(6) < lengths[:, None])[:, None, :]
    return *drawn(rng, (3, 2, 4), (3, 6, 4), (3, 6, 5)), allowed


def padding_for_all_heads(rng):
    lengths = np.array([3, 5])
    allowed = (np.arange(5) < lengths[:, None])[:, None, None, :]
    return *drawn(rng, (2, 3, 4, 2), (2, 3, 5, 2), (2, 3, 5, 6)), allowed


def one_mask_for_the_batch(rng):
    return *drawn(rng, (3, 4, 2), (3, 4, 2), (3, 4, 5)), np.tri(4, dtype=bool)


def rows_of_scores_near_a_thousand(rng):
    Q = near_and_far(rng, 5, 4, [1, -1, 1])
    return Q, near_and_far(rng, 7, 4, [1, -1]), rng.normal(size=(7, 3))


def large_scores_with_the_winners_hidden(rng):
    """Rows 0 and 2 may look at keys of score -1000 only, row 1 at nothing."""
    Q, K = near_and_far(rng, 4, 3, [1]), near_and_far(rng, 6, 3, [1, -1])
    allowed = np.array([[0, 1] * 3, [0] * 6, [0, 1, 0, 1, 0, 0], [1] * 6], dtype=bool)
    return Q, K, rng.normal(size=(6, 2)), allowed


def a_batch_with_large_scores(rng):
    """One query's scores near 1000, another's near -1000, in one matrix as well as between the two."""
    Q = np.stack([near_and_far(rng, 3, 5, signs) for signs in ([1, -1], [-1])])
    K = near_and_far(rng, 8, 5, [1])
    return Q, K.reshape(2, 4, 5), rng.normal(size=(2, 4, 2))


@exercise(
    points=5,
    aspects=[
        values(
            1,
            more_keys_than_queries,
            more_queries_than_keys,
            a_square_of_each,
            one_query,
            single_precision_matrices,
            half_precision_matrices,
        ),
        aspect(
            "allowed",
            1,
            some_keys_hidden,
            the_past_only,
            a_query_with_no_key,
            one_row_of_allowed_for_all,
            single_precision_with_a_mask,
        ),
        aspect(
            "batched",
            1,
            a_batch_of_two,
            a_batch_as_wide_as_its_keys,
            two_leading_axes,
            padding_by_sequence,
            padding_for_all_heads,
            one_mask_for_the_batch,
        ),
        aspect(
            "large scores",
            1,
            rows_of_scores_near_a_thousand,
            large_scores_with_the_winners_hidden,
            a_batch_with_large_scores,
        ),
        unchanged(1),
    ],
    examples=[
        example(
            "by hand: votes 1 and 2, and a second query whose votes are 3 and 1",
            [[math.log(2), 0.0, 0.0, 0.0], [0.0, math.log(3), 0.0, 0.0]],
            [[0.0, 2.0, 1.0, 0.0], [2.0, 0.0, 0.0, -1.0]],
            [[3.0, 0.0, 12.0], [0.0, 3.0, 4.0]],
        ),
        example(
            "a batch of two, a query with no key, scores near 1000",
            [[[1.0, -0.5], [0.5, 2.0], [-1.0, 1.0]], [[50.0, 1.0], [-50.0, 0.5], [-50.0, -1.0]]],
            [[[0.5, 1.0], [-1.5, 0.25]], [[30.0, 0.75], [-30.0, -0.5]]],
            [[[1.0, -2.0, 4.0], [3.0, 0.5, -1.0]], [[2.0, 1.0, -3.0], [-1.0, 4.0, 0.5]]],
            [[[True, True], [False, False], [False, True]], [[True, True], [True, True], [True, False]]],
        ),
    ],
)
def scaled_dot_product_attention(Q, K, V, allowed=None):
    """The output of attention for all queries at once.

        O = softmax over keys of (Q Kᵀ / √d_k + Mask) · V

    Q : (…, n_q, d_k)
    K : (…, n_k, d_k), with the same leading axes
    V : (…, n_k, d_v), with the same leading axes
    allowed : boolean, True = may attend; broadcasts against the scores
        (…, n_q, n_k). None: every query may attend to every key.
    Returns O : (…, n_q, d_v). A query that may attend to nothing outputs zeros.
    Scores of 1000 or -1000 must not break it.
    """
    scores = Q @ np.swapaxes(K, -1, -2) / np.sqrt(Q.shape[-1])
    if allowed is not None:
        scores = np.where(allowed, scores, -np.inf)
    largest = scores.max(axis=-1, keepdims=True)
    votes = np.exp(scores - np.where(np.isfinite(largest), largest, 0.0))
    total = votes.sum(axis=-1, keepdims=True)
    return votes / np.where(total == 0.0, 1.0, total) @ V


@alternative(scaled_dot_product_attention)
def query_by_query(Q, K, V, allowed=None):
    may = np.broadcast_to(True if allowed is None else allowed, (*Q.shape[:-1], K.shape[-2]))
    outputs = []
    for *batch, i in np.ndindex(Q.shape[:-1]):
        place, seen = tuple(batch), may[*batch, i]
        one = (
            attend_one(Q[*place, i], K[place][seen], V[place][seen]) if seen.any() else np.zeros(V.shape[-1])
        )
        outputs.append(one)
    return np.reshape(outputs, (*Q.shape[:-1], *np.shape(outputs)[1:]))


@alternative(scaled_dot_product_attention)
def einsum_and_an_additive_mask(Q, K, V, allowed=None):
    scores = np.einsum("...ic,...jc->...ij", Q, K) * Q.shape[-1] ** -0.5
    if allowed is not None:
        scores = scores + np.where(allowed, 0.0, -np.inf)
    with np.errstate(all="ignore"):
        weights = np.nan_to_num(np.exp(scores - np.logaddexp.reduce(scores, axis=-1, keepdims=True)))
    return np.einsum("...ij,...jv->...iv", weights, V)


@alternative(scaled_dot_product_attention)
def divided_after_mixing(Q, K, V, allowed=None):
    scores = (Q / np.sqrt(Q.shape[-1])) @ np.moveaxis(K, -1, -2)
    may = np.ones(scores.shape, bool) if allowed is None else np.broadcast_to(allowed, scores.shape)
    top = np.max(scores, axis=-1, keepdims=True, where=may, initial=-1e300)
    votes = np.exp(np.minimum(scores - top, 0.0)) * may
    return votes @ V / np.maximum(votes.sum(axis=-1, keepdims=True), 1e-300)


@misconception(
    scaled_dot_product_attention,
    hint="For K of shape (2, 5, 4), print the shape of what you multiply Q with: which axes changed places?",
)
def every_axis_reversed(Q, K, V, allowed=None):
    return masked_weights(Q @ K.T / np.sqrt(Q.shape[-1]), allowed) @ V


@misconception(
    scaled_dot_product_attention,
    hint="Which width enters the dot product: that of the values, or that of queries and keys?",
)
def scaled_by_the_root_of_d_v(Q, K, V, allowed=None):
    return masked_weights(products(Q, K) / np.sqrt(V.shape[-1]), allowed) @ V


@misconception(
    scaled_dot_product_attention,
    hint="Row i of A holds the shares of query i. Does row i of your product run over the keys?",
)
def weights_turned_round(Q, K, V, allowed=None):
    A = masked_weights(products(Q, K) / np.sqrt(Q.shape[-1]), allowed)
    return np.swapaxes(A, -1, -2) @ V


@misconception(
    scaled_dot_product_attention, hint="Change V only and call again: what moved, and what should have?"
)
def keys_mixed_instead(Q, K, V, allowed=None):
    return masked_weights(products(Q, K) / np.sqrt(Q.shape[-1]), allowed) @ K


@misconception(
    scaled_dot_product_attention,
    hint="Add up your weights for one query. Over which axis did you share out, queries or keys?",
)
def softmax_over_the_queries(Q, K, V, allowed=None):
    return masked_weights(products(Q, K) / np.sqrt(Q.shape[-1]), allowed, axis=-2) @ V


@misconception(
    scaled_dot_product_attention,
    hint="The variance of a dot product grows as d_k: which power of d_k brings it back to 1?",
)
def scaled_by_d_k(Q, K, V, allowed=None):
    return masked_weights(products(Q, K) / Q.shape[-1], allowed) @ V


@misconception(
    scaled_dot_product_attention,
    hint="Your weights are sharper than they should be: what did lesson 3 do to the dot products?",
)
def unscaled(Q, K, V, allowed=None):
    return masked_weights(products(Q, K), allowed) @ V


@misconception(
    scaled_dot_product_attention,
    hint="Hide one key and add up the weights of that query: who kept the share of the hidden key?",
)
def hidden_after_the_softmax(Q, K, V, allowed=None):
    A = weights_of(products(Q, K) / np.sqrt(Q.shape[-1]))
    return (A if allowed is None else A * allowed) @ V


@misconception(
    scaled_dot_product_attention,
    hint="A query that may attend to nothing: what is a share of nothing, and what should it output?",
)
def nan_where_nothing_is_allowed(Q, K, V, allowed=None):
    scores = products(Q, K) / np.sqrt(Q.shape[-1])
    return weights_of(scores if allowed is None else np.where(allowed, scores, -np.inf)) @ V


@misconception(
    scaled_dot_product_attention,
    hint="A query that may attend to nothing: compare your output with the mean of V. Who let it look?",
)
def a_large_negative_number_for_hidden(Q, K, V, allowed=None):
    scores = products(Q, K) / np.sqrt(Q.shape[-1])
    return weights_of(scores if allowed is None else np.where(allowed, scores, -1e9)) @ V


@misconception(
    scaled_dot_product_attention,
    hint="True means: may attend. Whom does a query with one True look at in yours?",
)
def allowed_turned_round(Q, K, V, allowed=None):
    hidden = None if allowed is None else np.logical_not(allowed)
    return masked_weights(products(Q, K) / np.sqrt(Q.shape[-1]), hidden) @ V


@misconception(
    scaled_dot_product_attention,
    hint="Call it with and without the fourth argument: does your output notice? Should it?",
)
def allowed_not_used(Q, K, V, allowed=None):
    return weights_of(products(Q, K) / np.sqrt(Q.shape[-1])) @ V


@misconception(
    scaled_dot_product_attention,
    hint="A hidden score of 0 is still a vote: what is exp(0)? Which score casts no vote?",
)
def zero_for_hidden(Q, K, V, allowed=None):
    scores = products(Q, K) / np.sqrt(Q.shape[-1])
    return weights_of(scores if allowed is None else np.where(allowed, scores, 0.0)) @ V


@misconception(
    scaled_dot_product_attention,
    hint="What is exp(1000) in NumPy, and how did lesson 5 get the same weights without it?",
)
def no_maximum_taken_off(Q, K, V, allowed=None):
    votes = np.exp(products(Q, K) / np.sqrt(Q.shape[-1]))
    votes = votes if allowed is None else np.where(allowed, votes, 0.0)
    total = votes.sum(axis=-1, keepdims=True)
    return votes / np.where(total == 0.0, 1.0, total) @ V
