"""Lesson 6: the output of attention. Mix the values by the weights, for one query, many, many heads; the way
back; and the same without ever holding the matrix of weights.

Att(q_i, K, V) = Σ_j α_ij v_j,   α_ij = softmax over j of q_i · k_j / √d_k + Mask(i, j)
(Vaswani et al., 2017.)
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
    unchanged,
    values,
)


def with_scores(rng, scores, d_k):
    """q (d_k,) and K (m, d_k) whose scaled scores are `scores`."""
    q = rng.uniform(1, 2, size=d_k) * rng.choice([-1, 1], size=d_k)
    noise = rng.normal(size=(len(scores), d_k))
    noise -= np.outer(noise @ q / (q @ q), q)
    return q, noise + np.outer(np.array(scores) * np.sqrt(d_k) / (q @ q), q)


def near_and_far(rng, n, d_k, signs, size=1000):
    """Rows (n, d_k), the first feature so large that two rows score about ±`size` by their `signs`."""
    rows = rng.normal(size=(n, d_k))
    rows[:, 0] = np.resize(signs, n) * math.sqrt(size * math.sqrt(d_k))
    return rows


def drawn(rng, *shapes):
    return tuple(rng.normal(size=shape) for shape in shapes)


def rounded_to(dtype, *arrays):
    return tuple(array.astype(dtype) for array in arrays)


# --- attend_one ------------------------------------------------------------------------------------------


def five_keys(rng):
    return drawn(rng, 3, (5, 3), (5, 7))


def as_many_of_each(rng):
    return drawn(rng, 4, (4, 4), (4, 4))


def one_key(rng):
    return rng.normal(size=6), rng.normal(size=(1, 6)), rng.uniform(2, 3, size=(1, 3))


def values_of_one_number(rng):
    return rng.normal(size=2), rng.normal(size=(6, 2)), rng.uniform(1, 2, size=(6, 1))


def key_opposed_to_the_query(rng):
    q = rng.uniform(1, 2, size=5)
    return q, np.outer([-1.0, 1.0, 0.5], q), rng.normal(size=(3, 8))


def single_precision_query(rng):
    return rounded_to(np.float32, *drawn(rng, 5, (9, 5), (9, 2)))


def half_precision_query(rng):
    return rounded_to(np.float16, *drawn(rng, 4, (6, 4)), rng.uniform(1, 2, size=(6, 3)))


def scores_near_a_thousand(rng):
    scores = np.array([-1000.0, 1000.7, 999.2, 1000.0, -999.0]) + rng.uniform(-0.1, 0.1, size=5)
    return *with_scores(rng, scores, 4), rng.normal(size=(5, 3))


def scores_near_minus_a_thousand(rng):
    scores = rng.permutation([-1000.0, -1001.2, -999.5, -1000.4]) + rng.uniform(-0.1, 0.1, size=4)
    return *with_scores(rng, scores, 7), rng.normal(size=(4, 6))


@exercise(
    points=4,
    aspects=[
        values(
            2,
            five_keys,
            as_many_of_each,
            one_key,
            values_of_one_number,
            key_opposed_to_the_query,
            single_precision_query,
            half_precision_query,
        ),
        aspect("large scores", 1, scores_near_a_thousand, scores_near_minus_a_thousand),
        unchanged(1),
    ],
    examples=[
        example(
            "by hand: votes 1, 2 and 3",
            [2.0, 0.0, 0.0, 0.0],
            [[0.0, 1.0, 0.0, 0.0], [math.log(2), 0.0, 5.0, 0.0], [math.log(3), 0.0, 0.0, -2.0]],
            [[6.0, 0.0], [0.0, 6.0], [6.0, 6.0]],
        ),
        example(
            "scores near 1000",
            [100.0, 1.0, -1.0, 2.0],
            [[20.0, 2.0, 1.0, 0.5], [20.0, -1.0, 0.5, 1.0], [20.0, 0.0, -1.0, -0.5]],
            [[1.0, -1.0], [2.0, 0.5], [-3.0, 4.0]],
        ),
    ],
)
def attend_one(q, K, V):
    """The output of attention for one query: the values, mixed by the weights.

        Att(q, K, V) = Σ_j α_j v_j,   α = softmax over j of q · k_j / √d_k

    q : (d_k,)
    K : (m, d_k), key j is row j
    V : (m, d_v), value j is row j
    Returns the output : (d_v,). Scores of 1000 or -1000 must not break it.
    """
    scores = K @ q / np.sqrt(len(q))
    votes = np.exp(scores - scores.max())
    return votes / votes.sum() @ V


@alternative(attend_one)
def key_by_key(q, K, V):
    scores = [sum(float(a) * float(b) for a, b in zip(q, k, strict=True)) / math.sqrt(len(q)) for k in K]
    votes = [math.exp(score - max(scores)) for score in scores]
    return [
        sum(vote * float(v[c]) for vote, v in zip(votes, V, strict=True)) / sum(votes)
        for c in range(len(V[0]))
    ]


@alternative(attend_one)
def einsum_for_one(q, K, V):
    scores = np.einsum("c,jc->j", q, K) * len(q) ** -0.5
    log_weights = scores - np.logaddexp.reduce(scores)
    return np.einsum("j,jc->c", np.exp(log_weights), V)


@alternative(attend_one)
def values_added_up_as_they_come(q, K, V):
    largest, total, mixed = -np.inf, 0.0, np.zeros(V.shape[1])
    for k, v in zip(K, V, strict=True):
        score = float(k.astype(float) @ q.astype(float)) / math.sqrt(len(q))
        largest, before = max(largest, score), largest
        total = total * math.exp(before - largest) + math.exp(score - largest)
        mixed = mixed * math.exp(before - largest) + math.exp(score - largest) * v
    return mixed / total


def weights_of(scores):
    """The softmax of the last axis, for the mistakes whose weights are not what is wrong with them."""
    votes = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return votes / votes.sum(axis=-1, keepdims=True)


@misconception(attend_one, hint="Change V only and call again: what moved, and what should have?")
def keys_mixed(q, K, V):
    return weights_of(K @ q / np.sqrt(len(q))) @ K


@misconception(attend_one, hint="Change q only and call again: does your output notice which key matches?")
def mean_of_the_values(q, K, V):
    return V.mean(axis=0)


@misconception(
    attend_one,
    hint="How many numbers did you return: one for each key, or one for each feature of a value?",
)
def summed_over_the_features(q, K, V):
    return (weights_of(K @ q / np.sqrt(len(q)))[:, None] * V).sum(axis=1)


@misconception(attend_one, hint="Your weights follow the dot products. What did lesson 3 divide them by?")
def not_scaled(q, K, V):
    return weights_of(K @ q) @ V


@misconception(attend_one, hint="The variance of q · k grows as d_k: which power of d_k brings it back to 1?")
def divided_by_d_k(q, K, V):
    return weights_of(K @ q / len(q)) @ V


@misconception(attend_one, hint="Which width enters the dot product: that of a value, or that of a query?")
def divided_by_the_root_of_d_v(q, K, V):
    return weights_of(K @ q / np.sqrt(V.shape[1])) @ V


@misconception(attend_one, hint="What do the numbers that you mix with add up to, and what should they?")
def scores_mix(q, K, V):
    return K @ q / np.sqrt(len(q)) @ V


@misconception(
    attend_one, hint="What is exp(1000) in NumPy, and how did lesson 5 get the same weights without it?"
)
def overflow(q, K, V):
    votes = np.exp(K @ q / np.sqrt(len(q)))
    return votes / votes.sum() @ V


@misconception(
    attend_one,
    hint="Each value is weighted and listed by itself. What does the Σ in the formula still ask for?",
)
def values_weighted_not_added(q, K, V):
    return weights_of(K @ q / np.sqrt(len(q)))[:, None] * V


# --- scaled_dot_product_attention ------------------------------------------------------------------------


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


def masked_weights(scores, allowed, axis=-1):
    """The right weights for these scores, for the mistakes that are made before or after them."""
    if allowed is not None:
        scores = np.where(allowed, scores, -np.inf)
    top = scores.max(axis=axis, keepdims=True)
    votes = np.exp(scores - np.where(np.isfinite(top), top, 0.0))
    total = votes.sum(axis=axis, keepdims=True)
    return votes / np.where(total == 0.0, 1.0, total)


def products(Q, K):
    return Q @ np.swapaxes(K, -1, -2)


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


# --- multi_head_attention --------------------------------------------------------------------------------


def layer_of(rng, n, h, d_head):
    """X, W_q, W_k, W_v, W_o, h: weights that keep scores of the order of 1."""
    d_model = h * d_head
    square = (d_model, d_model)
    return (
        rng.normal(size=(n, d_model)),
        *(rng.normal(size=square) / math.sqrt(d_model) * 1.5 for _ in range(4)),
        h,
    )


def three_heads(rng):
    return layer_of(rng, 5, 3, 2)


def two_heads(rng):
    return layer_of(rng, 4, 2, 3)


def one_head(rng):
    return layer_of(rng, 3, 1, 5)


def heads_of_one_feature(rng):
    return layer_of(rng, 6, 4, 1)


def one_token_only(rng):
    return layer_of(rng, 1, 3, 4)


def as_many_heads_as_tokens(rng):
    """n = h = d_head: an exchange of the wrong axes does not raise here."""
    return layer_of(rng, 3, 3, 3)


def single_precision_layer(rng):
    *arrays, h = layer_of(rng, 5, 2, 4)
    return *rounded_to(np.float32, *arrays), h


def causal_layer(rng):
    return *layer_of(rng, 5, 2, 3), np.tri(5, dtype=bool)


def a_token_that_sees_nothing(rng):
    allowed = np.array([[1, 0, 1, 1], [0, 0, 0, 0], [0, 1, 0, 1], [1, 1, 1, 0]], dtype=bool)
    return *layer_of(rng, 4, 3, 2), allowed


def padded_layer(rng):
    return *layer_of(rng, 6, 2, 2), np.array([[True, True, True, True, False, False]])


def a_mask_for_each_head(rng):
    allowed = np.stack([np.tri(4, dtype=bool), np.tri(4, dtype=bool).T, np.eye(4, dtype=bool)])
    return *layer_of(rng, 4, 3, 3), allowed


def a_layer_with_large_scores(rng):
    """Scores of about ±1000 in each head, whose queries and keys have one large feature of either sign;
    those of tokens 2 and 4 lie below 250."""
    n, h, d_head = 5, 2, 3
    X, W_q, W_k, W_v, W_o, h = layer_of(rng, n, h, d_head)
    X[:, 0] = [1.0, -1.0, 0.2, 1.0, -0.2]
    large = math.sqrt(1000 * math.sqrt(d_head))
    for W in (W_q, W_k):
        W *= 0.3
        W[:, ::d_head] = 0.0
        W[0, ::d_head] = large
    return X, W_q, W_k, W_v, W_o, h


@exercise(
    points=5,
    aspects=[
        values(
            2,
            three_heads,
            two_heads,
            one_head,
            heads_of_one_feature,
            one_token_only,
            as_many_heads_as_tokens,
            single_precision_layer,
        ),
        aspect("allowed", 1, causal_layer, a_token_that_sees_nothing, padded_layer, a_mask_for_each_head),
        aspect("large scores", 1, a_layer_with_large_scores),
        unchanged(1),
    ],
    examples=[
        example(
            "by hand: two heads of one feature, W_q = 0, so every weight is one half",
            [[1.0, 0.0], [3.0, 2.0]],
            [[0.0, 0.0], [0.0, 0.0]],
            [[1.0, 0.0], [0.0, 1.0]],
            [[1.0, 0.0], [0.0, 1.0]],
            [[0.0, 10.0], [1.0, 0.0]],
            2,
        ),
        example(
            "three tokens, two heads of two features, causal",
            [[1.0, -0.5, 2.0, 0.5], [-1.0, 1.5, 0.25, -2.0], [0.5, 1.0, -1.5, 1.0]],
            [[1.0, 0.5, -0.5, 0.0], [0.0, -1.0, 1.0, 0.5], [0.5, 0.0, 1.0, -1.0], [-0.5, 1.0, 0.0, 1.5]],
            [[0.5, -1.0, 1.0, 0.0], [1.0, 0.5, 0.0, -0.5], [-1.0, 0.0, 0.5, 1.0], [0.0, 1.0, -0.5, 0.5]],
            [[1.0, 0.0, 0.5, -1.0], [0.5, 1.0, -1.0, 0.0], [0.0, -0.5, 1.0, 2.0], [-1.0, 0.5, 0.0, 1.0]],
            [[0.5, 1.0, 0.0, -0.5], [1.0, -1.0, 0.5, 0.0], [0.0, 0.5, -1.0, 1.0], [2.0, 0.0, 0.5, 1.0]],
            2,
            [[True, False, False], [True, True, False], [True, True, True]],
        ),
    ],
)
def multi_head_attention(X, W_q, W_k, W_v, W_o, h, allowed=None):
    """Self-attention with h heads, side by side, and a matrix that mixes what they found.

        head_a = attention of X W_q, X W_k, X W_v, each cut to its a-th slice of d_head columns
        O = [head_0, …, head_{h-1}] W_o,   d_head = d_model / h

    X : (n, d_model), token i is row i
    W_q : (d_model, d_model)
    W_k : (d_model, d_model)
    W_v : (d_model, d_model)
    W_o : (d_model, d_model)
    h : int, the number of heads; divides d_model
    allowed : boolean, True = may attend; broadcasts against the scores
        (h, n, n), so that one (n, n) serves all heads. None: all may attend.
    Returns O : (n, d_model). A token that may attend to nothing gets zeros.
    Scores of 1000 or -1000 must not break it. You may build it from
    scaled_dot_product_attention.
    """

    def heads(Z):
        return Z.reshape(len(X), h, -1).swapaxes(0, 1)

    mixed = scaled_dot_product_attention(heads(X @ W_q), heads(X @ W_k), heads(X @ W_v), allowed)
    return mixed.swapaxes(0, 1).reshape(X.shape) @ W_o


@alternative(multi_head_attention)
def head_by_head(X, W_q, W_k, W_v, W_o, h, allowed=None):
    masks = [None] * h if allowed is None else np.broadcast_to(allowed, (h, len(X), len(X)))
    cut = [np.split(X @ W, h, axis=1) for W in (W_q, W_k, W_v)]
    found = [scaled_dot_product_attention(*qkv, mask) for *qkv, mask in zip(*cut, masks, strict=True)]
    return np.concatenate(found, axis=1) @ W_o


@alternative(multi_head_attention)
def what_each_head_writes_added_up(X, W_q, W_k, W_v, W_o, h, allowed=None):
    n, d_head = len(X), X.shape[1] // h
    may = np.broadcast_to(True if allowed is None else allowed, (h, n, n))
    output = np.zeros(X.shape)
    for k, part in enumerate(np.split(np.arange(X.shape[1]), h)):
        scores = (X @ W_q[:, part]) @ (X @ W_k[:, part]).T / math.sqrt(d_head)
        output += masked_weights(scores, may[k]) @ (X @ W_v[:, part]) @ W_o[part]
    return output


@alternative(multi_head_attention)
def einsum_over_heads(X, W_q, W_k, W_v, W_o, h, allowed=None):
    d_model = X.shape[1]
    cut = (np.einsum("nm,mhc->hnc", X, W.reshape(d_model, h, d_model // h)) for W in (W_q, W_k, W_v))
    Q, K, V = cut
    A = masked_weights(np.einsum("hic,hjc->hij", Q, K) / np.sqrt(d_model // h), allowed)
    return np.einsum("hij,hjc,hcm->im", A, V, W_o.reshape(h, d_model // h, d_model))


@alternative(multi_head_attention)
def token_by_token_and_head_by_head(X, W_q, W_k, W_v, W_o, h, allowed=None):
    n, d_head = len(X), X.shape[1] // h
    may = np.broadcast_to(True if allowed is None else allowed, (h, n, n))
    rows = []
    for i in range(n):
        found = []
        for k, columns in enumerate(np.split(np.arange(X.shape[1]), h)):
            seen = X[may[k, i]]
            q, K, V = X[i] @ W_q[:, columns], seen @ W_k[:, columns], seen @ W_v[:, columns]
            found.append(attend_one(q, K, V) if len(seen) else np.zeros(d_head))
        rows.append(np.concatenate(found, axis=-1))
    return np.array(rows) @ W_o


def cut(Z, h):
    return Z.reshape(len(Z), h, -1).swapaxes(0, 1)


def heads_found(X, W_q, W_k, W_v, h, allowed, scale=None):
    """What the heads found, (h, n, d_head)."""
    Q, K, V = (cut(X @ W, h) for W in (W_q, W_k, W_v))
    return masked_weights(products(Q, K) / (scale or np.sqrt(Q.shape[-1])), allowed) @ V


def side_by_side(Z):
    return Z.swapaxes(0, 1).reshape(Z.shape[1], -1)


@misconception(
    multi_head_attention,
    hint="How many products does one head's dot product add up: d_model of them, or d_head?",
)
def scaled_by_the_root_of_d_model(X, W_q, W_k, W_v, W_o, h, allowed=None):
    return side_by_side(heads_found(X, W_q, W_k, W_v, h, allowed, np.sqrt(X.shape[1]))) @ W_o


@misconception(
    multi_head_attention,
    hint="Your weights are sharper than they should be: what did lesson 3 do to the dot products?",
)
def heads_not_scaled(X, W_q, W_k, W_v, W_o, h, allowed=None):
    return side_by_side(heads_found(X, W_q, W_k, W_v, h, allowed, 1.0)) @ W_o


@misconception(
    multi_head_attention,
    hint="After merging, row 0 must hold what every head found for token 0. Whose numbers stand in yours?",
)
def merged_without_exchanging_axes(X, W_q, W_k, W_v, W_o, h, allowed=None):
    return heads_found(X, W_q, W_k, W_v, h, allowed).reshape(X.shape) @ W_o


@misconception(
    multi_head_attention,
    hint="Head 0 of token 1 must be the first d_head numbers of row 1: what does your split put there?",
)
def split_without_exchanging_axes(X, W_q, W_k, W_v, W_o, h, allowed=None):
    Q, K, V = ((X @ W).reshape(h, len(X), -1) for W in (W_q, W_k, W_v))
    return side_by_side(masked_weights(products(Q, K) / np.sqrt(Q.shape[-1]), allowed) @ V) @ W_o


@misconception(
    multi_head_attention,
    hint="The heads stand side by side. Which matrix lets a feature of the output use all of them?",
)
def no_output_matrix(X, W_q, W_k, W_v, W_o, h, allowed=None):
    return side_by_side(heads_found(X, W_q, W_k, W_v, h, allowed))


@misconception(
    multi_head_attention,
    hint="How wide is your output? Are the heads' findings averaged, or set side by side?",
)
def heads_averaged(X, W_q, W_k, W_v, W_o, h, allowed=None):
    return heads_found(X, W_q, W_k, W_v, h, allowed).mean(axis=0)


@misconception(
    multi_head_attention,
    hint="Which columns of X W belong to head 0: the first d_head of them, or every h-th one?",
)
def heads_of_every_hth_column(X, W_q, W_k, W_v, W_o, h, allowed=None):
    Q, K, V = (np.moveaxis((X @ W).reshape(len(X), -1, h), -1, 0) for W in (W_q, W_k, W_v))
    found = masked_weights(products(Q, K) / np.sqrt(Q.shape[-1]), allowed) @ V
    return np.moveaxis(found, 0, -1).reshape(X.shape) @ W_o


@misconception(
    multi_head_attention,
    hint="How many matrices of weights does a token have in yours: one, or one for each head?",
)
def one_head_as_wide_as_the_model(X, W_q, W_k, W_v, W_o, h, allowed=None):
    mask = allowed if allowed is None or np.ndim(allowed) == 2 else allowed[0]
    return masked_weights(products(X @ W_q, X @ W_k) / np.sqrt(X.shape[1]), mask) @ (X @ W_v) @ W_o


@misconception(
    multi_head_attention,
    hint="Change the last feature of a token: does head 0 notice? Is it X that is cut, or X W?",
)
def each_head_sees_its_slice_of_x(X, W_q, W_k, W_v, W_o, h, allowed=None):
    own = np.kron(np.eye(h), np.ones((X.shape[1] // h,) * 2))
    return side_by_side(heads_found(X, W_q * own, W_k * own, W_v * own, h, allowed)) @ W_o


@misconception(
    multi_head_attention,
    hint="Row vectors are multiplied from the right, W_o included. Which way round does yours stand?",
)
def output_matrix_turned_round(X, W_q, W_k, W_v, W_o, h, allowed=None):
    return side_by_side(heads_found(X, W_q, W_k, W_v, h, allowed)) @ W_o.T


@misconception(
    multi_head_attention,
    hint="Call it with and without the last argument: does your output notice? Should it?",
)
def allowed_forgotten(X, W_q, W_k, W_v, W_o, h, allowed=None):
    return side_by_side(heads_found(X, W_q, W_k, W_v, h, None)) @ W_o


# --- grouped_query_attention -----------------------------------------------------------------------------


def heads_in_groups(rng, h_q, h_kv, n, d):
    return drawn(rng, (h_q, n, d), (h_kv, n, d), (h_kv, n, d))


def six_heads_on_two(rng):
    return heads_in_groups(rng, 6, 2, 5, 3)


def eight_heads_on_four(rng):
    return heads_in_groups(rng, 8, 4, 3, 2)


def nine_heads_on_three(rng):
    return heads_in_groups(rng, 9, 3, 4, 5)


def all_on_one(rng):
    return heads_in_groups(rng, 4, 1, 6, 3)


def each_on_its_own(rng):
    return heads_in_groups(rng, 3, 3, 5, 4)


def as_many_heads_as_features(rng):
    """h_q = n = d: an exchange of the wrong axes does not raise here."""
    return heads_in_groups(rng, 4, 2, 4, 4)


def as_many_shared_heads_as_features(rng):
    return heads_in_groups(rng, 6, 3, 3, 3)


def a_single_token(rng):
    return heads_in_groups(rng, 4, 2, 1, 3)


def single_precision_heads(rng):
    return rounded_to(np.float32, *heads_in_groups(rng, 6, 3, 4, 5))


def half_precision_heads(rng):
    Q, K, V = heads_in_groups(rng, 4, 2, 3, 5)
    return rounded_to(np.float16, Q, K, 1.5 + 0.1 * V)


def heads_with_large_scores(rng):
    Q = np.stack([near_and_far(rng, 5, 3, signs) for signs in ([1], [-1], [1, -1], [-1, 1])])
    K = np.stack([near_and_far(rng, 5, 3, signs) for signs in ([1, 1, -1], [1])])
    return Q, K, rng.normal(size=(2, 5, 3))


@exercise(
    points=4,
    aspects=[
        values(
            2,
            six_heads_on_two,
            eight_heads_on_four,
            nine_heads_on_three,
            all_on_one,
            each_on_its_own,
            as_many_heads_as_features,
            as_many_shared_heads_as_features,
            a_single_token,
            single_precision_heads,
            half_precision_heads,
        ),
        aspect("large scores", 1, heads_with_large_scores),
        unchanged(1),
    ],
    examples=[
        example(
            "by hand: four query heads, two heads of values, one token",
            [[[1.0, 0.0]], [[0.0, 1.0]], [[2.0, 0.0]], [[0.0, 2.0]]],
            [[[1.0, 1.0]], [[-1.0, 2.0]]],
            [[[3.0, 4.0]], [[5.0, 6.0]]],
        ),
        example(
            "four query heads on two, two tokens, three features",
            [
                [[1.0, -0.5, 2.0], [0.5, 1.5, -1.0]],
                [[-1.0, 1.0, 0.5], [2.0, 0.25, 1.0]],
                [[0.5, -2.0, 1.0], [1.0, 1.0, -0.5]],
                [[1.5, 0.5, -1.0], [-0.5, 1.0, 2.0]],
            ],
            [[[1.0, 0.5, -1.0], [-0.5, 2.0, 1.0]], [[2.0, -1.0, 0.5], [0.25, 1.0, -1.5]]],
            [[[3.0, -1.0, 0.5], [1.0, 2.0, -2.0]], [[-1.0, 4.0, 1.5], [0.5, -3.0, 2.5]]],
        ),
    ],
)
def grouped_query_attention(Q, K, V):
    """Attention of h_q query heads that share h_kv heads of keys and values.

        Query heads 0 … g-1 use key and value head 0, the next g use head 1, and so
        on: query head a uses head a // g, with g = h_q / h_kv.

    Q : (h_q, n, d)
    K : (h_kv, n, d), h_kv divides h_q
    V : (h_kv, n, d)
    Returns the output : (h_q, n, d), scaled by √d, no mask. Scores of 1000 or
    -1000 must not break it. You may build it from scaled_dot_product_attention.
    """
    g = len(Q) // len(K)
    return scaled_dot_product_attention(Q, np.repeat(K, g, axis=0), np.repeat(V, g, axis=0))


@alternative(grouped_query_attention)
def one_query_head_at_a_time(Q, K, V):
    g = len(Q) // len(K)
    return np.array([scaled_dot_product_attention(Q[a], K[a // g], V[a // g]) for a in range(len(Q))])


@alternative(grouped_query_attention)
def a_group_as_more_queries(Q, K, V):
    stacked = Q.reshape(len(K), -1, Q.shape[-1])
    return scaled_dot_product_attention(stacked, K, V).reshape(Q.shape)


@alternative(grouped_query_attention)
def broadcast_over_the_group(Q, K, V):
    h_q, n, d = Q.shape
    grouped = Q.reshape(len(K), h_q // len(K), n, d)
    A = weights_of(np.einsum("kgic,kjc->kgij", grouped, K) / np.sqrt(d))
    return (A @ V[:, None]).reshape(h_q, n, d)


@alternative(grouped_query_attention)
def everything_in_loops(Q, K, V):
    output = np.zeros(Q.shape)
    for a, i in np.ndindex(Q.shape[:2]):
        shared = a * len(K) // len(Q)
        scores = [float(np.sum(Q[a, i].astype(float) * k)) / math.sqrt(Q.shape[2]) for k in K[shared]]
        votes = [math.exp(score - max(scores)) for score in scores]
        output[a, i] = sum(vote * v for vote, v in zip(votes, V[shared], strict=True)) / sum(votes)
    return output


def attended(Q, K, V):
    return weights_of(products(Q, K) / np.sqrt(Q.shape[-1])) @ V


@misconception(
    grouped_query_attention,
    hint="Six query heads on two: which head of keys does query head 1 use, and which should it?",
)
def cycled_through_the_heads(Q, K, V):
    g = len(Q) // len(K)
    return attended(Q, np.tile(K, (g, 1, 1)), np.tile(V, (g, 1, 1)))


@misconception(
    grouped_query_attention,
    hint="How many different tokens does one head see in yours? Which axis should have grown?",
)
def tokens_repeated(Q, K, V):
    g = len(Q) // len(K)
    return attended(Q, np.repeat(K, g, axis=1).reshape(Q.shape), np.repeat(V, g, axis=1).reshape(Q.shape))


@misconception(
    grouped_query_attention,
    hint="A query head finds its keys in one head. Does it take the values of that same head in yours?",
)
def keys_grouped_values_cycled(Q, K, V):
    g = len(Q) // len(K)
    return attended(Q, np.repeat(K, g, axis=0), np.tile(V, (g, 1, 1)))


@misconception(
    grouped_query_attention,
    hint="Do all your query heads look at the same keys? How many heads of keys were given?",
)
def first_head_for_all(Q, K, V):
    return attended(Q, K[:1], V[:1])


@misconception(
    grouped_query_attention,
    hint="Did you make one head out of several? Change the last head of V: whose outputs should move?",
)
def shared_heads_averaged(Q, K, V):
    return attended(Q, K.mean(axis=0), V.mean(axis=0))


@misconception(
    grouped_query_attention,
    hint="Your weights are sharper than they should be: what did lesson 3 do to the dot products?",
)
def groups_not_scaled(Q, K, V):
    g = len(Q) // len(K)
    return weights_of(products(Q, np.repeat(K, g, axis=0))) @ np.repeat(V, g, axis=0)


@misconception(
    grouped_query_attention,
    hint="Query heads go in; how many outputs should come out? What became of the others?",
)
def only_as_many_as_shared_heads(Q, K, V):
    return attended(Q[: len(K)], K, V)


# --- sdpa_backward ---------------------------------------------------------------------------------------


def way_back(rng, n_q, n_k, d_k, d_v):
    return drawn(rng, (n_q, d_v), (n_q, d_k), (n_k, d_k), (n_k, d_v))


def back_over_more_keys(rng):
    return way_back(rng, 3, 5, 4, 7)


def back_over_more_queries(rng):
    return way_back(rng, 6, 2, 3, 5)


def back_over_a_square(rng):
    return way_back(rng, 4, 4, 3, 2)


def back_where_all_is_square(rng):
    return way_back(rng, 3, 3, 3, 3)


def back_from_one_query(rng):
    return way_back(rng, 1, 6, 2, 3)


def back_to_one_key(rng):
    """One key gets all the weight, whatever its score: no gradient for queries and keys."""
    return way_back(rng, 4, 1, 3, 2)


def back_in_single_precision(rng):
    return rounded_to(np.float32, *way_back(rng, 5, 4, 6, 3))


def back_from_large_scores(rng):
    """Scores near 1000 for every other query and near -1000 for the rest. The large feature is the keys',
    and the same in all of them, so that the derivatives are of ordinary size."""
    dO, Q, K, V = way_back(rng, 4, 6, 3, 2)
    Q[:, 0], K[:, 0] = [1.0, -1.0, 1.0, -1.0], 1000 * math.sqrt(3)
    return dO, Q, K, V


# 1e-4: in float64 finite differences with any sensible step are right to that, whatever the secret draws (to
# 6e-5 at worst, one-sided with a step of 1e-4), and no mistake of algebra is.
@exercise(
    points=5,
    tolerance=(1e-4, 1e-4),
    aspects=[
        values(
            3,
            back_over_more_keys,
            back_over_more_queries,
            back_over_a_square,
            back_where_all_is_square,
            back_from_one_query,
            back_to_one_key,
            back_in_single_precision,
        ),
        aspect("large scores", 1, back_from_large_scores),
        unchanged(1),
    ],
    examples=[
        example(
            "by hand: one query of zeros, so both weights are one half",
            [[1.0, 0.0]],
            [[0.0, 0.0, 0.0, 0.0]],
            [[2.0, 0.0, 0.0, 4.0], [0.0, 2.0, 0.0, 4.0]],
            [[8.0, 1.0], [0.0, 3.0]],
        ),
        example(
            "two queries, two keys, signs mixed",
            [[1.0, -0.5], [0.25, 2.0]],
            [[1.0, 0.5, -1.0], [-0.5, 2.0, 0.75]],
            [[0.5, -1.0, 1.0], [1.5, 1.0, 0.25]],
            [[2.0, 1.0], [-1.0, 0.5]],
        ),
    ],
)
def sdpa_backward(dO, Q, K, V):
    """The way back through O = softmax(Q Kᵀ / √d_k) V, with no mask.

        L is a number computed from O, and dO[i, c] = ∂L/∂O[i, c].

    dO : (n_q, d_v)
    Q : (n_q, d_k)
    K : (n_k, d_k)
    V : (n_k, d_v)
    Returns dQ, dK, dV : (n_q, d_k), (n_k, d_k), (n_k, d_v), the derivatives of L
    by each number of Q, K and V. Scores of 1000 or -1000 must not break it.
    """
    scale = 1 / np.sqrt(Q.shape[1])
    scores = Q @ K.T * scale
    votes = np.exp(scores - scores.max(axis=1, keepdims=True))
    A = votes / votes.sum(axis=1, keepdims=True)
    dA = dO @ V.T
    dS = A * (dA - np.sum(A * dA, axis=1, keepdims=True))
    return dS @ K * scale, dS.T @ Q * scale, A.T @ dO


@alternative(sdpa_backward)
def one_query_at_a_time(dO, Q, K, V):
    dQ, dK, dV = np.zeros(Q.shape), np.zeros(K.shape), np.zeros(V.shape)
    for i, q in enumerate(Q):
        a = weights_of(K @ q / np.sqrt(len(q)))
        jacobian = np.diag(a) - np.outer(a, a)
        d_scores = jacobian @ (V @ dO[i]) / np.sqrt(len(q))
        dQ[i] = d_scores @ K
        dK += np.outer(d_scores, q)
        dV += np.outer(a, dO[i])
    return dQ, dK, dV


@alternative(sdpa_backward)
def einsum_throughout(dO, Q, K, V):
    A = weights_of(np.einsum("ic,jc->ij", Q, K) / np.sqrt(Q.shape[1]))
    jacobians = np.einsum("ij,jk->ijk", A, np.eye(len(K))) - np.einsum("ij,ik->ijk", A, A)
    dS = np.einsum("ijk,iv,kv->ij", jacobians, dO, V) / np.sqrt(Q.shape[1])
    return np.einsum("ij,jc->ic", dS, K), np.einsum("ij,ic->jc", dS, Q), np.einsum("ij,iv->jv", A, dO)


@alternative(sdpa_backward)
def row_term_from_the_output(dO, Q, K, V):
    """As FlashAttention does it: Σ_j A dA is dO · O."""
    A = weights_of(Q @ K.T / np.sqrt(Q.shape[1]))
    row_term = np.sum(dO * (A @ V), axis=1)[:, None]
    dS = A * (dO @ V.T - row_term) / np.sqrt(Q.shape[1])
    return [dS @ K, dS.T @ Q, A.T @ dO]


@alternative(sdpa_backward)
def a_step_in_the_imaginary_direction(dO, Q, K, V):
    """Derivatives with no formula for them: Im f(x + iε) / ε, which does not cancel."""
    arguments = [np.array(M, dtype=complex) for M in (Q, K, V)]
    derivatives = []
    for M in arguments:
        d = np.zeros(M.shape)
        for place in np.ndindex(M.shape):
            M[place] += 1e-30j
            q, k, v = arguments
            scores = q @ k.T / np.sqrt(q.shape[1])
            votes = np.exp(scores - scores.real.max(axis=1, keepdims=True))
            d[place] = np.sum(dO * (votes / votes.sum(axis=1, keepdims=True) @ v).imag) / 1e-30
            M[place] = M[place].real
        derivatives.append(d)
    return tuple(derivatives)


def forward_weights(Q, K):
    return weights_of(Q @ K.T / np.sqrt(Q.shape[1]))


def through_the_softmax(A, dA):
    return A * (dA - np.sum(A * dA, axis=1, keepdims=True))


def back_to_queries_and_keys(dS, Q, K):
    return dS @ K / np.sqrt(Q.shape[1]), dS.T @ Q / np.sqrt(Q.shape[1])


@misconception(
    sdpa_backward,
    hint="Value j went to every query i with weight A[i, j]. Over which index does dV[j] add up?",
)
def values_not_turned_round(dO, Q, K, V):
    A = forward_weights(Q, K)
    dQ, dK = back_to_queries_and_keys(through_the_softmax(A, dO @ V.T), Q, K)
    return dQ, dK, A @ dO


@misconception(
    sdpa_backward,
    hint="Raise all scores of a row by 1: the weights stay. What must the derivatives of a row add up to?",
)
def row_term_missing(dO, Q, K, V):
    A = forward_weights(Q, K)
    return *back_to_queries_and_keys(A * (dO @ V.T), Q, K), A.T @ dO


@misconception(
    sdpa_backward,
    hint="On the way there you divided by the root of d_k. Where does that factor come in on the way back?",
)
def scale_missing(dO, Q, K, V):
    A = forward_weights(Q, K)
    dS = through_the_softmax(A, dO @ V.T)
    return dS @ K, dS.T @ Q, A.T @ dO


@misconception(
    sdpa_backward,
    hint="dQ has the factor from the scores. Q and K enter the score in the same way: what of dK?",
)
def scale_missing_in_dk(dO, Q, K, V):
    A = forward_weights(Q, K)
    dS = through_the_softmax(A, dO @ V.T)
    return dS @ K / np.sqrt(Q.shape[1]), dS.T @ Q, A.T @ dO


@misconception(
    sdpa_backward,
    hint="Only the diagonal of the softmax's Jacobian is in yours. Does one score move the other weights?",
)
def diagonal_of_the_jacobian_only(dO, Q, K, V):
    A = forward_weights(Q, K)
    return *back_to_queries_and_keys(A * (1 - A) * (dO @ V.T), Q, K), A.T @ dO


@misconception(
    sdpa_backward,
    hint="Each query has a softmax of its own. Along which axis does your sum run: its keys, or the queries?",
)
def sums_over_the_queries(dO, Q, K, V):
    A = forward_weights(Q, K)
    dA = dO @ V.T
    dS = A * (dA - np.sum(A * dA, axis=0, keepdims=True))
    return *back_to_queries_and_keys(dS, Q, K), A.T @ dO


@misconception(
    sdpa_backward,
    hint="Key j meets every query. Over which index does dK[j] add up, and which index has your sum?",
)
def keys_not_turned_round(dO, Q, K, V):
    A = forward_weights(Q, K)
    dS = through_the_softmax(A, dO @ V.T) / np.sqrt(Q.shape[1])
    return dS @ K, dS @ Q, A.T @ dO


@misconception(
    sdpa_backward,
    hint="Where is the softmax on your way back? The derivative by a weight is not yet that by a score: why?",
)
def softmax_left_out(dO, Q, K, V):
    return *back_to_queries_and_keys(dO @ V.T, Q, K), forward_weights(Q, K).T @ dO


@misconception(sdpa_backward, hint="In which order does the docstring name the three results?")
def values_first(dO, Q, K, V):
    A = forward_weights(Q, K)
    dQ, dK = back_to_queries_and_keys(through_the_softmax(A, dO @ V.T), Q, K)
    return A.T @ dO, dK, dQ


# --- blockwise_attention ---------------------------------------------------------------------------------


def tokens(rng, n, d_k, d_v):
    return drawn(rng, (n, d_k), (n, d_k), (n, d_v))


def louder_towards_the_end(rng, n, d_k, d_v):
    """Each key scores higher with each query than the key before it."""
    Q, K, V = tokens(rng, n, d_k, d_v)
    Q[:, 0] = rng.uniform(1, 2, size=n)
    K[:, 0] += 3.0 * np.arange(n)
    return Q, K, V


def a_ragged_tail(rng):
    return *louder_towards_the_end(rng, 7, 4, 5), 3, False


def blocks_that_fit(rng):
    return *tokens(rng, 8, 3, 2), 4, False


def blocks_of_one(rng):
    return *tokens(rng, 5, 2, 3), 1, False


def one_block_of_all(rng):
    return *tokens(rng, 6, 5, 4), 6, False


def a_block_larger_than_all(rng):
    return *tokens(rng, 5, 3, 6), 16, False


def quieter_towards_the_end(rng):
    Q, K, V = louder_towards_the_end(rng, 9, 3, 4)
    return Q, K[::-1].copy(), V, 4, False


def blockwise_in_single_precision(rng):
    return *rounded_to(np.float32, *tokens(rng, 10, 4, 3)), 3, False


def causal_with_a_ragged_tail(rng):
    return *louder_towards_the_end(rng, 8, 3, 5), 3, True


def causal_in_blocks_that_fit(rng):
    return *tokens(rng, 6, 4, 3), 2, True


def causal_blocks_of_one(rng):
    return *tokens(rng, 4, 2, 6), 1, True


def causal_in_a_block_larger_than_all(rng):
    return *tokens(rng, 5, 4, 2), 8, True


def causal_with_one_token(rng):
    return *tokens(rng, 1, 3, 2), 2, True


def causal_in_single_precision(rng):
    return *rounded_to(np.float32, *tokens(rng, 7, 5, 4)), 4, True


def large_scores_late(rng):
    """Block 1 is louder than block 0 by 2000 for some rows, quieter for the others."""
    Q, K = near_and_far(rng, 7, 4, [1, -1]), near_and_far(rng, 7, 4, [-1, -1, -1, 1, 1, 1, 1])
    return Q, K, rng.normal(size=(7, 3)), 3, False


def large_scores_all_negative(rng):
    Q, K = near_and_far(rng, 6, 3, [1]), near_and_far(rng, 6, 3, [-1])
    return Q, K, rng.normal(size=(6, 5)), 4, False


def large_scores_causal(rng):
    Q, K = near_and_far(rng, 8, 4, [1]), near_and_far(rng, 8, 4, [-1, -1, -1, 1, 1, -1])
    return Q, K, rng.normal(size=(8, 2)), 3, True


@exercise(
    points=5,
    aspects=[
        values(
            2,
            a_ragged_tail,
            blocks_that_fit,
            blocks_of_one,
            one_block_of_all,
            a_block_larger_than_all,
            quieter_towards_the_end,
            blockwise_in_single_precision,
        ),
        aspect(
            "causal",
            1,
            causal_with_a_ragged_tail,
            causal_in_blocks_that_fit,
            causal_blocks_of_one,
            causal_in_a_block_larger_than_all,
            causal_with_one_token,
            causal_in_single_precision,
        ),
        aspect("large scores", 1, large_scores_late, large_scores_all_negative, large_scores_causal),
        unchanged(1),
    ],
    examples=[
        example(
            "by hand: votes 1, 2 and 3 for every query, in blocks of two",
            [[1.0], [1.0], [1.0]],
            [[0.0], [math.log(2)], [math.log(3)]],
            [[6.0, 0.0], [0.0, 6.0], [6.0, 6.0]],
            2,
            False,
        ),
        example(
            "five tokens in blocks of two, causal, scores near -1000 and 1000",
            [[50.0, 1.0], [49.0, 0.5], [51.0, -1.0], [50.0, 2.0], [48.0, 1.5]],
            [[-30.0, 1.0], [-30.02, 0.5], [-29.98, 2.0], [30.0, -1.0], [30.01, 0.25]],
            [[1.0, -1.0, 2.0], [0.5, 2.0, -1.0], [-2.0, 3.0, 1.0], [4.0, 0.0, -0.5], [1.5, -3.0, 0.75]],
            2,
            True,
        ),
    ],
)
def blockwise_attention(Q, K, V, block, causal):
    """Attention that never holds the whole (n, n) matrix of scores.

        O = softmax(Q Kᵀ / √d_k + Mask) V, the keys (or the queries) taken `block`
        at a time, so that no more than n · block scores exist at once

    Q : (n, d_k)
    K : (n, d_k)
    V : (n, d_v)
    block : int, 1 or more; need not divide n and may be larger than n
    causal : bool, True: query i may attend to keys 0 … i only
    Returns O : (n, d_v). Scores of 1000 or -1000 must not break it.
    """
    n, scale = len(Q), np.sqrt(Q.shape[1])
    m, l, o = np.full((n, 1), -np.inf), np.zeros((n, 1)), np.zeros((n, V.shape[1]))
    for start in range(0, n, block):
        scores = Q @ K[start : start + block].T / scale
        if causal:
            j = start + np.arange(scores.shape[1])
            scores = np.where(j <= np.arange(n)[:, None], scores, -np.inf)
        before, m = m, np.maximum(m, scores.max(axis=1, keepdims=True))
        votes, shrink = np.exp(scores - m), np.exp(before - m)
        l = shrink * l + votes.sum(axis=1, keepdims=True)
        o = shrink * o + votes @ V[start : start + block]
    return o / l


@alternative(blockwise_attention)
def blocks_of_queries(Q, K, V, block, causal):
    rows = []
    for start in range(0, len(Q), block):
        part = Q[start : start + block]
        allowed = np.arange(len(K)) <= start + np.arange(len(part))[:, None] if causal else None
        rows.append(scaled_dot_product_attention(part, K, V, allowed))
    return np.concatenate(rows)


@alternative(blockwise_attention)
def blocks_of_queries_and_of_keys(Q, K, V, block, causal):
    n, output = len(Q), np.zeros((len(Q), V.shape[1]))
    for top in range(0, n, block):
        q = Q[top : top + block]
        i = top + np.arange(len(q))[:, None]
        m, l, o = -np.inf, 0.0, 0.0
        for left in range(0, top + block if causal else n, block):
            k, v = K[left : left + block], V[left : left + block]
            scores = q @ k.T / np.sqrt(Q.shape[1])
            if causal:
                scores[i < left + np.arange(len(k))] = -np.inf
            larger = np.maximum(m, scores.max(axis=1, keepdims=True))
            p = np.exp(scores - larger)
            l = np.exp(m - larger) * l + p.sum(axis=1, keepdims=True)
            o = np.exp(m - larger) * o + p @ v
            m = larger
        output[top : top + block] = o / l
    return output


@alternative(blockwise_attention)
def one_query_after_the_other(Q, K, V, block, causal):
    seen = [i + 1 if causal else len(K) for i in range(len(Q))]
    return np.array([attend_one(q, K[:m], V[:m]) for q, m in zip(Q, seen, strict=True)])


@alternative(blockwise_attention)
def merged_by_logarithms_of_the_sums(Q, K, V, block, causal):
    n = len(Q)
    output, lse = np.zeros((n, V.shape[1])), np.full((n, 1), -np.inf)
    for j in np.split(np.arange(n), range(block, n, block)):
        scores = Q @ K[j].T / np.sqrt(Q.shape[1]) + (
            np.where(j[None] > np.arange(n)[:, None], -np.inf, 0.0) if causal else 0.0
        )
        part_lse = np.logaddexp.reduce(scores, axis=1)[:, None]
        part = np.exp(scores - np.where(np.isfinite(part_lse), part_lse, 0.0)) @ V[j]
        both = np.logaddexp(lse, part_lse)
        output, lse = np.exp(lse - both) * output + np.exp(part_lse - both) * part, both
    return output


def key_blocks(Q, K, V, block, causal, tail=True, local=False):
    """Slices of keys with their scores, (n, at most `block`), masked where they should be."""
    n = len(Q)
    for start in range(0, n if tail else n - n % block, block):
        part = slice(start, min(start + block, n))
        scores = Q @ K[part].T / np.sqrt(Q.shape[1])
        if causal:
            j = np.arange(scores.shape[1]) + (0 if local else start)
            scores = np.where(j <= np.arange(n)[:, None], scores, -np.inf)
        yield scores, V[part]


def accumulated(blocks, n, d_v, shrink_l=True, shrink_o=True, first_m=-np.inf):
    """l and o after all blocks."""
    m, l, o = np.full((n, 1), first_m), np.zeros((n, 1)), np.zeros((n, d_v))
    for scores, v in blocks:
        before, m = m, np.maximum(m, scores.max(axis=1, keepdims=True))
        votes, shrink = np.exp(scores - m), np.exp(before - m)
        l = (shrink if shrink_l else 1.0) * l + votes.sum(axis=1, keepdims=True)
        o = (shrink if shrink_o else 1.0) * o + votes @ v
    return l, o


def in_blocks(Q, K, V, block, causal, tail=True, local=False, **kept):
    """The output from blocks of keys; `kept` says what `accumulated` gets wrong."""
    l, o = accumulated(key_blocks(Q, K, V, block, causal, tail, local), len(Q), V.shape[1], **kept)
    return o / l


@misconception(
    blockwise_attention,
    hint="When a later block brings a larger score, l is counted anew. In which currency is o still kept?",
)
def output_not_rescaled(Q, K, V, block, causal):
    return in_blocks(Q, K, V, block, causal, shrink_o=False)


@misconception(
    blockwise_attention,
    hint="A block brings a larger score. Do l and o shrink, or stay? What does yours do with them?",
)
def nothing_rescaled(Q, K, V, block, causal):
    return in_blocks(Q, K, V, block, causal, shrink_l=False, shrink_o=False)


@misconception(
    blockwise_attention,
    hint="Seven tokens in blocks of three: which keys does your loop look at, and which not?",
)
def tail_dropped(Q, K, V, block, causal):
    return in_blocks(Q, K, V, block, causal, tail=False)


@misconception(
    blockwise_attention,
    hint="Take one block as large as n: are your weights those of scaled_dot_product_attention, or sharper?",
)
def blocks_not_scaled(Q, K, V, block, causal):
    return in_blocks(Q * np.sqrt(Q.shape[1]), K, V, block, causal)


@misconception(
    blockwise_attention,
    hint="The first key of the second block: what is its position in the sequence? May query 0 look at it?",
)
def key_position_within_its_block(Q, K, V, block, causal):
    return in_blocks(Q, K, V, block, causal, local=True)


@misconception(
    blockwise_attention,
    hint="The first query of the second block: what is its position in the sequence? What may it look at?",
)
def query_position_within_its_block(Q, K, V, block, causal):
    rows = []
    for start in range(0, len(Q), block):
        part = Q[start : start + block]
        allowed = np.tri(len(part), len(K), dtype=bool) if causal else None
        rows.append(masked_weights(part @ K.T / np.sqrt(Q.shape[1]), allowed) @ V)
    return np.concatenate(rows)


@misconception(
    blockwise_attention,
    hint="Call it with causal True and then False: does your output notice? Should it?",
)
def causal_not_used(Q, K, V, block, causal):
    return in_blocks(Q, K, V, block, False)


@misconception(
    blockwise_attention,
    hint="Each block shares out a whole of its own in yours. How many wholes does a query share out?",
)
def average_of_the_blocks(Q, K, V, block, causal):
    parts = [masked_weights(scores, None) @ v for scores, v in key_blocks(Q, K, V, block, causal)]
    return np.mean(parts, axis=0)


@misconception(
    blockwise_attention,
    hint="What is the largest score before any key was seen? Try a row whose scores are all -1000.",
)
def maximum_starts_at_zero(Q, K, V, block, causal):
    return in_blocks(Q, K, V, block, causal, first_m=0.0)


@misconception(
    blockwise_attention,
    hint="What is exp(1000) in NumPy? Which number is taken off every score of a row, block by block?",
)
def no_maximum_at_all(Q, K, V, block, causal):
    l, o = 0.0, 0.0
    for scores, v in key_blocks(Q, K, V, block, causal):
        l = l + np.exp(scores).sum(axis=1, keepdims=True)
        o = o + np.exp(scores) @ v
    return o / l


@misconception(
    blockwise_attention,
    hint="What o holds at the end is votes times values. What do the votes of a row add up to?",
)
def not_divided_at_the_end(Q, K, V, block, causal):
    _, o = accumulated(key_blocks(Q, K, V, block, causal), len(Q), V.shape[1])
    return o


# --- questions -------------------------------------------------------------------------------------------

VOTES = [math.exp(score) for score in (2.0, 1.0, 0.5)]
W_0, W_1, W_2 = (vote / sum(VOTES) for vote in VOTES)

weighted_output = question(
    "weighted_output",
    "numbers",
    points=2,
    seed_item="S0.11",
    prompt=(
        "A query has the scaled scores $[2.0,\\ 1.0,\\ 0.5]$ with three keys. Their values are "
        "$v_0 = (1, 0)$, $v_1 = (0, 2)$, $v_2 = (4, 4)$. By hand, with a calculator for $\\exp$: what is the "
        "output for this query? Give its two numbers, to three decimals."
    ),
    key=[W_0 + 4 * W_2, 2 * W_1 + 4 * W_2],
    hints=[
        ([4.0, 4.0], "You mixed with the scores themselves. What must happen to them first?"),
        ([5 / 3, 2.0], "That is the plain mean of the values. Do the three keys match equally well?"),
        ([1.0, 0.0], "That is the value of the best match alone. Do the other two get nothing?"),
        ([W_0, W_1], "Those are two of the weights. Each is a share: of which vector?"),
        ([W_0, 2 * W_1], "Two of the three values are in there. What became of the third?"),
        (
            [VOTES[0] + 4 * VOTES[2], 2 * VOTES[1] + 4 * VOTES[2]],
            "You mixed with exp of the scores. What do those three add up to, and what should they?",
        ),
        (
            [4 / 3.5, 4 / 3.5],
            "You shared out by the scores 2, 1 and 0.5. By what does the softmax share out?",
        ),
        (
            [W_0 + 4 * W_2 + 2 * W_1 + 4 * W_2],
            "One number came out. How many features does a value have, and so an output?",
        ),
    ],
)

order_of_attention = question(
    "order_of_attention",
    "order",
    seed_item="S2.4",
    prompt="Put the steps of scaled dot-product attention with a causal mask in order.",
    options={
        "A": "Softmax along each row.",
        "B": "Divide by $\\sqrt{d_k}$.",
        "C": "Mix the rows of $V$: a weighted sum for each query.",
        "D": "Dot products of every query with every key.",
        "E": "Add $-\\infty$ where a query must not look.",
    },
    key="DBEAC",
    hints=[
        ("DBAEC", "Masked after the softmax: do the weights that are left add up to 1?"),
        ("DABEC", "Softmax of numbers that are not scaled yet: does dividing the weights undo that?"),
        ("DAEBC", "What would dividing weights by the root of d_k do to their sum?"),
        ("DBECA", "A weighted sum needs weights. Which step makes weights out of scores?"),
        ("DBACE", "The output has no column for a key. What would minus infinity hide in it?"),
        ("BDEAC", "Divide what? Which numbers exist before the first step?"),
        ("EDBAC", "Add minus infinity to what? Which numbers exist before the first step?"),
        (
            "DEBAC",
            "Minus infinity stays what it is. But a mask may hold a finite bias: does lesson 3's formula "
            "divide that as well?",
        ),
        ("CDBEA", "A weighted sum needs weights: where would they come from at the start?"),
    ],
)

attention_shapes = question(
    "attention_shapes",
    "numbers",
    seed_item="S0.6",
    prompt=(
        "$Q$ has shape $(3, 4)$, $K$ has $(5, 4)$, $V$ has $(5, 7)$. Which shape has the matrix of scores, "
        "and which the output? Give the four numbers: first the shape of the scores, then that of the "
        "output."
    ),
    key=[3, 5, 3, 7],
    hints=[
        ([5, 3, 5, 7], "Rows of your scores are keys. Who asks, and so has a row of its own?"),
        ([5, 3, 3, 7], "Rows of your scores are keys. Who asks, and so has a row of its own?"),
        ([3, 5, 3, 4], "Each output is a mix of what: of keys, or of values? How wide are those?"),
        ([3, 5, 3, 5], "One more product follows the weights. Of what are they the shares?"),
        ([3, 5, 5, 7], "How many outputs does attention give: one for each query, or one for each key?"),
        ([3, 4, 3, 7], "What becomes of the width 4 when two vectors are multiplied and added up?"),
        ([4, 4, 4, 7], "Which axes meet in a score: do you compare tokens, or features?"),
    ],
)

values_swapped_for_keys = question(
    "values_swapped_for_keys",
    "choice",
    seed_item="S0.5",
    prompt=(
        "With $A$ for the matrix of weights, someone writes $A K$ where $A V$ should stand; the widths "
        "agree, so nothing raises. What is the gravest consequence?"
    ),
    options={
        "A": (
            "The weights come out wrong, since $K$ now enters the softmax twice, and the rows no longer "
            "add up to 1."
        ),
        "B": (
            "The output mixes the features that serve for matching; what the tokens hold in $V$ never "
            "reaches it."
        ),
        "C": "Little: $K$ and $V$ come from the same tokens, so that their mixes hold the same content.",
        "D": (
            "Each token returns its own key, since a key matches itself best, and no other token's "
            "content is mixed in."
        ),
    },
    key="B",
    hints=[
        ("A", "At which step was the K exchanged: before the softmax, or after it?"),
        ("C", "Two matrices made K and V from X. What was each of them learned for?"),
        ("D", "Do queries meet keys, or keys each other? And bank's largest weight: whose was it?"),
    ],
)

exact_without_the_matrix = free_text(
    "exact_without_the_matrix",
    prompt=(
        'A colleague says: *"Blockwise attention cannot be exact: a softmax needs the whole row, and it '
        "never has one. That is the price for saving memory; at least it is linear in n, so it is faster "
        'too."* In five to eight sentences, answer: (a) what is kept for each query between two blocks, '
        "and what happens to it when a block brings a larger score; (b) why the result is that of the "
        "whole row; (c) what grows how with $n$, time and memory, in both ways of computing, and what you "
        "measured."
    ),
    rubric=[
        (
            1,
            "(a) Kept: the largest score m so far, the sum l of exp(score − m), and o, the values summed "
            "with the same votes. A larger m' multiplies both l and o by exp(m − m').",
        ),
        (
            1,
            "(b) Numerator and denominator are sums over keys and can be added block by block; the "
            "reference m cancels in o / l. So it is exact up to rounding.",
        ),
        (1, "(c) Time is proportional to n² d in both: every query still meets every key."),
        (
            1,
            "(c) Memory: n² against n · block for the scores; with a number from the experiment that "
            "shows it.",
        ),
    ],
    model_answer=(
        "For each query three things are kept: m, the largest score so far, l, the sum of exp(score − m), "
        "and o, the sum of exp(score − m) times the value. If a block brings a larger m', then l and o "
        "are multiplied by exp(m − m'), which is what they would have been with m' from the beginning. "
        "The output is a quotient of two sums over the keys, and a sum may be taken block by block; "
        "whatever m is, it is taken off above and below the line and cancels. So nothing is approximated: "
        "the two results differ by rounding only. The colleague is right about memory and wrong about "
        "time. Every query still meets every key, so both ways take time proportional to n² d, and what "
        "I measured grew about fourfold when n doubled, in both. The naive way holds n² scores: its peak "
        "memory grew about fourfold with each doubling, that of the blockwise way about twofold."
    ),
)
