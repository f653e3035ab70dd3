"""`attend_one`: cases, the reference, other right solutions, known mistakes."""

import math

import numpy as np

from autograder.exercise import alternative, aspect, example, exercise, misconception, unchanged, values

from .shared import drawn, rounded_to, weights_of


def with_scores(rng, scores, d_k):
    """q (d_k,) and K (m, d_k) whose scaled scores are `scores`."""
    q = rng.uniform(1, 2, size=d_k) * rng.choice([-1, 1], size=d_k)
    noise = rng.normal(size=(len(scores), d_k))
    noise -= np.outer(noise @ q / (q @ q), q)
    return q, noise + np.outer(np.array(scores) * np.sqrt(d_k) / (q @ q), q)


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
