"""`grouped_query_attention`: cases, the reference, other right solutions, known mistakes."""

import math

import numpy as np

from autograder.exercise import alternative, aspect, example, exercise, misconception, unchanged, values

from .scaled_dot_product_attention import scaled_dot_product_attention
from .shared import drawn, near_and_far, products, rounded_to, weights_of


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
