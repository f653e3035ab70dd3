"""`blockwise_attention`: cases, the reference, other right solutions, known mistakes."""

import math

import numpy as np

from autograder.exercise import alternative, aspect, example, exercise, misconception, unchanged, values

from .attend_one import attend_one
from .scaled_dot_product_attention import scaled_dot_product_attention
from .shared import drawn, masked_weights, near_and_far, rounded_to


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
