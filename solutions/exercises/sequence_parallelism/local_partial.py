"""`local_partial`: cases, the reference, other right solutions, known mistakes."""

import math

import numpy as np

from autograder.exercise import alternative, aspect, example, exercise, misconception, unchanged, values

from .shared import drawn, rounded_to, with_scores


def a_shard_of_five(rng):
    return drawn(rng, 3, (5, 3), (5, 7))


def as_wide_as_long(rng):
    return drawn(rng, 4, (4, 4), (4, 4))


def one_key(rng):
    return *with_scores(rng, rng.uniform(1, 2, size=1), 6), rng.uniform(2, 3, size=(1, 3))


def values_of_one_number(rng):
    return *with_scores(rng, [0.5, 2.0, -1.0, 1.5], 2), rng.uniform(1, 2, size=(4, 1))


def every_score_below_zero(rng):
    scores = rng.permutation([-4.0, -2.5, -3.0]) + rng.uniform(-0.1, 0.1, size=3)
    return *with_scores(rng, scores, 5), rng.normal(size=(3, 8))


def single_precision_shard(rng):
    return rounded_to(np.float32, *drawn(rng, 5, (9, 5), (9, 2)))


def half_precision_shard(rng):
    return rounded_to(np.float16, *drawn(rng, 4, (6, 4)), rng.uniform(1, 2, size=(6, 3)))


def no_key(rng):
    return *drawn(rng, 3), np.zeros((0, 3)), np.zeros((0, 5))


def no_key_and_one_feature(rng):
    return *drawn(rng, 6), np.zeros((0, 6)), np.zeros((0, 1))


def scores_near_two_thousand(rng):
    scores = np.array([-1000.0, 2000.7, 1999.2, 2000.0]) + rng.uniform(-0.1, 0.1, size=4)
    return *with_scores(rng, scores, 4), rng.normal(size=(4, 3))


def scores_near_minus_two_thousand(rng):
    scores = rng.permutation([-2000.0, -2001.2, -1999.5, -2000.4]) + rng.uniform(-0.1, 0.1, size=4)
    return *with_scores(rng, scores, 7), rng.normal(size=(4, 6))


@exercise(
    points=4,
    aspects=[
        values(
            1,
            a_shard_of_five,
            as_wide_as_long,
            one_key,
            values_of_one_number,
            every_score_below_zero,
            single_precision_shard,
            half_precision_shard,
        ),
        aspect("empty shard", 1, no_key, no_key_and_one_feature),
        aspect("large scores", 1, scores_near_two_thousand, scores_near_minus_two_thousand),
        unchanged(1),
    ],
    examples=[
        example(
            "by hand: a shard with the scores 2 and 1",
            [2.0, 0.0, 0.0, 0.0],
            [[2.0, 1.0, 0.0, 0.0], [1.0, 0.0, -1.0, 0.0]],
            [[1.0, 0.0], [0.0, 2.0]],
        ),
        example(
            "every score below 0",
            [1.0, -2.0, 0.5],
            [[-1.0, 2.0, 0.5], [-3.0, 0.5, 1.0], [0.5, 1.5, -1.0]],
            [[1.0, -1.0, 2.0, 0.5], [2.0, 0.5, -0.5, 1.0], [-3.0, 4.0, 1.0, 0.25]],
        ),
        example("an empty shard", [1.0, 2.0, -1.0], np.zeros((0, 3)), np.zeros((0, 2))),
        example(
            "scores near 1000",
            [100.0, 1.0, -1.0, 2.0],
            [[20.0, 2.0, 1.0, 0.5], [20.0, -1.0, 0.5, 1.0], [20.0, 0.0, -1.0, -0.5]],
            [[1.0, -1.0], [2.0, 0.5], [-3.0, 4.0]],
        ),
    ],
)
def local_partial(q, K_u, V_u):
    """What one query finds in one shard: a maximum, and two sums that are not divided yet.

        β_j = q · k_j / √d_k,   m = max_j β_j,   l = Σ_j exp(β_j − m),   o = Σ_j exp(β_j − m) v_j

    q : (d_k,)
    K_u : (n_u, d_k), the keys of shard u
    V_u : (n_u, d_v), the values of shard u
    Returns (m, l, o): two numbers and an array (d_v,). An empty shard, n_u = 0,
    gives (−inf, 0, zeros). Scores of 1000 or -1000 must not break it.
    """
    scores = K_u @ q / np.sqrt(len(q))
    m = scores.max(initial=-np.inf)
    votes = np.exp(scores - m)
    return m, votes.sum(), votes @ V_u


@alternative(local_partial)
def key_by_key(q, K_u, V_u):
    scores = [sum(float(a) * float(b) for a, b in zip(q, k, strict=True)) / math.sqrt(len(q)) for k in K_u]
    m = max(scores, default=-math.inf)
    votes = [math.exp(score - m) for score in scores]
    o = [sum(vote * float(v[c]) for vote, v in zip(votes, V_u, strict=True)) for c in range(V_u.shape[1])]
    return m, sum(votes), o


@alternative(local_partial)
def empty_first(q, K_u, V_u):
    if K_u.shape[0] == 0:
        return -np.inf, 0.0, np.zeros(V_u.shape[1])
    scores = np.einsum("jc,c->j", K_u, q) * len(q) ** -0.5
    votes = np.exp(scores - np.max(scores))
    return np.max(scores), np.sum(votes), (votes[:, None] * V_u).sum(axis=0)


@alternative(local_partial)
def with_a_running_maximum(q, K_u, V_u):
    m, l, o = -math.inf, 0.0, np.zeros(V_u.shape[1])
    for k, v in zip(K_u, V_u, strict=True):
        score = float(k.astype(float) @ q.astype(float)) / math.sqrt(len(q))
        m, before = max(m, score), m
        l = l * math.exp(before - m) + math.exp(score - m)
        o = o * math.exp(before - m) + math.exp(score - m) * v
    return [m, l, o]


@alternative(local_partial)
def values_and_a_column_of_ones(q, K_u, V_u):
    """l is the sum of the votes times 1: one product finds both."""
    scores = (K_u @ q / np.sqrt(q.size))[None]
    m = np.max(scores, initial=-np.inf)
    both = (np.exp(scores - m) @ np.column_stack([V_u, np.ones(len(V_u))]))[0]
    return m, both[-1], both[:-1]


def scaled(q, K_u):
    return K_u @ q / np.sqrt(len(q))


def summed(scores, V_u, reference):
    votes = np.exp(scores - reference)
    return votes.sum(), votes @ V_u


@misconception(
    local_partial,
    hint="Other shards' votes are still to come, above and below the division. Can yours be added to?",
)
def divided_already(q, K_u, V_u):
    scores = scaled(q, K_u)
    m = scores.max(initial=-np.inf)
    l, o = summed(scores, V_u, m)
    return m, l, o / l if len(K_u) else o


@misconception(
    local_partial,
    hint="What is −inf minus −inf? Follow a shard without keys through your lines: where does it come up?",
)
def nan_on_an_empty_shard(q, K_u, V_u):
    scores = scaled(q, K_u)
    m = scores.max(initial=-np.inf)
    lse = np.logaddexp.reduce(scores)
    return m, np.exp(lse - m), np.exp(scores - m) @ V_u


@misconception(
    local_partial,
    hint="A shard whose scores are all below 0: which maximum do you give, and which key scored it?",
)
def maximum_starts_at_zero(q, K_u, V_u):
    scores = scaled(q, K_u)
    m = scores.max(initial=0.0)
    return m, *summed(scores, V_u, m)


@misconception(
    local_partial,
    hint="A shard without keys: which m lets another shard, whose scores are all -5, count as it should?",
)
def zero_as_the_maximum_of_nothing(q, K_u, V_u):
    scores = scaled(q, K_u)
    m = scores.max() if len(scores) else 0.0
    return m, *summed(scores, V_u, m)


@misconception(
    local_partial,
    hint="A shard without keys: how many votes have been cast in it, and what should l say?",
)
def a_vote_from_nobody(q, K_u, V_u):
    scores = scaled(q, K_u)
    m = scores.max(initial=-np.inf)
    l, o = summed(scores, V_u, m)
    return m, l if len(scores) else 1.0, o


@misconception(
    local_partial,
    hint="A score equal to m must add exactly 1 to l: does it in yours? What is taken off before exp?",
)
def maximum_not_taken_off(q, K_u, V_u):
    scores = scaled(q, K_u)
    return scores.max(initial=-np.inf), *summed(scores, V_u, 0.0)


@misconception(
    local_partial,
    hint="Is your second number a sum of votes, or its logarithm? Which of the two can be added up?",
)
def logarithm_of_the_sum(q, K_u, V_u):
    scores = scaled(q, K_u)
    m = scores.max(initial=-np.inf)
    l, o = summed(scores, V_u, m)
    return m, m + np.log(l) if len(scores) else m, o


@misconception(local_partial, hint="Your weights follow the dot products. What did lesson 3 divide them by?")
def not_scaled(q, K_u, V_u):
    scores = K_u @ q
    m = scores.max(initial=-np.inf)
    return m, *summed(scores, V_u, m)


@misconception(
    local_partial, hint="The variance of q · k grows as d_k: which power of d_k brings it back to 1?"
)
def divided_by_d_k(q, K_u, V_u):
    scores = K_u @ q / len(q)
    m = scores.max(initial=-np.inf)
    return m, *summed(scores, V_u, m)


@misconception(local_partial, hint="Change V_u only and call again: what moved, and what should have?")
def keys_summed(q, K_u, V_u):
    scores = scaled(q, K_u)
    m = scores.max(initial=-np.inf)
    return m, *summed(scores, K_u, m)
