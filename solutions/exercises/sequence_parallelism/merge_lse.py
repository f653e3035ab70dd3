"""`merge_lse`: cases, the reference, other right solutions, known mistakes."""

import math

import numpy as np

from autograder.exercise import alternative, aspect, example, exercise, misconception, unchanged, values


def two_outputs(rng, lse_a, lse_b, d_v, dtype=float):
    """Two outputs whose entries differ by 1 and more, with about these log-sum-exps."""
    o_a = rng.normal(size=d_v)
    o_b = o_a + rng.uniform(1, 2, size=d_v) * rng.choice([-1, 1], size=d_v)
    lse_a, lse_b = (float(lse + rng.uniform(-0.1, 0.1)) for lse in (lse_a, lse_b))
    return o_a.astype(dtype), dtype(lse_a), o_b.astype(dtype), dtype(lse_b)


def first_larger(rng):
    return two_outputs(rng, 2.5, 1.5, 4)


def second_larger(rng):
    return two_outputs(rng, 0.5, 2.0, 3)


def both_below_zero(rng):
    return two_outputs(rng, -3.0, -2.0, 5)


def of_either_sign(rng):
    return two_outputs(rng, 1.0, -1.5, 1)


def single_precision_outputs(rng):
    return two_outputs(rng, 1.5, 2.5, 6, np.float32)


def half_precision_outputs(rng):
    return two_outputs(rng, 1.25, 0.25, 2, np.float16)


def nothing_in_the_first(rng):
    o_a, _, o_b, lse_b = two_outputs(rng, 0.0, 1.5, 3)
    return np.zeros_like(o_a), -np.inf, o_b, lse_b


def nothing_in_the_second(rng):
    o_a, lse_a, o_b, _ = two_outputs(rng, -2.5, 0.0, 4)
    return o_a, lse_a, np.zeros_like(o_b), -np.inf


def nothing_in_either(rng):
    return np.zeros(3), -np.inf, np.zeros(3), -np.inf


def near_two_thousand(rng):
    return two_outputs(rng, 2000.0, 2001.0, 3)


def near_minus_two_thousand(rng):
    return two_outputs(rng, -2001.0, -2000.0, 2)


def four_thousand_apart(rng):
    return two_outputs(rng, 2000.0, -2000.0, 4)


def four_thousand_apart_the_second_larger(rng):
    return two_outputs(rng, -2000.0, 2000.0, 3)


@exercise(
    points=4,
    aspects=[
        values(
            1,
            first_larger,
            second_larger,
            both_below_zero,
            of_either_sign,
            single_precision_outputs,
            half_precision_outputs,
        ),
        aspect("empty shards", 1, nothing_in_the_first, nothing_in_the_second, nothing_in_either),
        aspect(
            "large scores",
            1,
            near_two_thousand,
            near_minus_two_thousand,
            four_thousand_apart,
            four_thousand_apart_the_second_larger,
        ),
        unchanged(1),
    ],
    examples=[
        example("by hand: 3 votes and 1 vote", [4.0, 0.0], math.log(3), [0.0, 8.0], 0.0),
        example("the second weighs more", [1.0, -2.0, 0.5], 0.5, [3.0, 1.0, -1.0], 1.75),
        example("nothing in either", [0.0, 0.0], -np.inf, [0.0, 0.0], -np.inf),
        example("near 1000", [2.0, -1.0], 1000.0, [0.5, 3.0], 1001.5),
    ],
)
def merge_lse(o_a, lse_a, o_b, lse_b):
    """Two outputs over different keys, merged into the output over both.

        lse = ln(exp lse_a + exp lse_b),   o = exp(lse_a − lse) o_a + exp(lse_b − lse) o_b

    o_a : (d_v,), divided by its own sum of votes
    lse_a : float, the log-sum-exp of the scores behind o_a, m + ln l; −inf when
        there are none
    o_b : (d_v,), likewise
    lse_b : float, likewise
    Returns (o, lse): an array (d_v,) and a number, in the form in which the inputs
    came, so that a third may be merged with it. Two times −inf gives
    (zeros, −inf). A log-sum-exp of 1000 or -1000 must not break it.
    """
    lse = np.logaddexp(lse_a, lse_b)
    if lse == -np.inf:
        return np.zeros(len(o_a)), lse
    return np.exp(lse_a - lse) * o_a + np.exp(lse_b - lse) * o_b, lse


@alternative(merge_lse)
def by_the_larger_of_the_two(o_a, lse_a, o_b, lse_b):
    m = max(lse_a, lse_b)
    if m == -math.inf:
        return 0 * o_a, m
    a, b = math.exp(lse_a - m), math.exp(lse_b - m)
    return (a * o_a + b * o_b) / (a + b), m + math.log(a + b)


@alternative(merge_lse)
def by_the_share_of_the_second(o_a, lse_a, o_b, lse_b):
    """The logistic function of the difference."""
    if lse_b == -np.inf:
        return list(o_a), lse_a
    difference = min(float(lse_a) - float(lse_b), 700.0)
    share = 1.0 / (1.0 + math.exp(difference))
    merged = [float(x) + share * (float(y) - float(x)) for x, y in zip(o_a, o_b, strict=True)]
    return merged, max(lse_a, lse_b) + np.log1p(np.exp(-abs(float(lse_a) - float(lse_b))))


@alternative(merge_lse)
def as_partials_with_one_vote(o_a, lse_a, o_b, lse_b):
    """An output with its log-sum-exp is a partial result whose votes add up to 1."""
    m, l, o = -math.inf, 0.0, [0.0] * len(o_a)
    for m_u, o_u in ((float(lse_a), o_a), (float(lse_b), o_b)):
        if m_u > -math.inf:
            before, m = m, max(m, m_u)
            shrink, vote = math.exp(before - m), math.exp(m_u - m)
            l = shrink * l + vote
            o = [shrink * x + vote * float(y) for x, y in zip(o, o_u, strict=True)]
    return ([x / l for x in o], m + math.log(l)) if l else (o, m)


@alternative(merge_lse)
def softmax_of_the_two(o_a, lse_a, o_b, lse_b):
    both = np.array([lse_a, lse_b], dtype=float)
    with np.errstate(all="ignore"):
        votes = np.nan_to_num(np.exp(both - both.max()))
        lse = both.max() + np.log(votes.sum()) if votes.any() else -np.inf
    return votes @ np.array([o_a, o_b]) / max(votes.sum(), 1e-300), lse


def merged_rightly(o_a, lse_a, o_b, lse_b):
    """(o, lse), for the mistakes that lie in one of the two."""
    lse = np.logaddexp(lse_a, lse_b)
    if lse == -np.inf:
        return np.zeros(len(o_a)), lse
    return np.exp(lse_a - lse) * o_a + np.exp(lse_b - lse) * o_b, lse


@misconception(
    merge_lse,
    hint="What is exp(1000) in NumPy, and the logarithm of exp(-1000)? What can be taken off first?",
)
def overflow(o_a, lse_a, o_b, lse_b):
    a, b = np.exp(float(lse_a)), np.exp(float(lse_b))
    if lse_a == lse_b == -np.inf:
        return np.zeros(len(o_a)), -np.inf
    return (a * o_a + b * o_b) / (a + b), np.log(a + b)


@misconception(merge_lse, hint="Nothing in either: what is −inf minus −inf, and what should come out?")
def nan_of_two_empty_shards(o_a, lse_a, o_b, lse_b):
    lse = np.logaddexp(lse_a, lse_b)
    return np.exp(lse_a - lse) * o_a + np.exp(lse_b - lse) * o_b, lse


@misconception(
    merge_lse, hint="Merge a third output with what you give back: do the votes of the second still count?"
)
def lse_of_the_first_kept(o_a, lse_a, o_b, lse_b):
    return merged_rightly(o_a, lse_a, o_b, lse_b)[0], lse_a


@misconception(
    merge_lse,
    hint="Two shards with one vote each, lse 0 and 0: how many votes are there together? And in yours?",
)
def larger_lse_kept(o_a, lse_a, o_b, lse_b):
    return merged_rightly(o_a, lse_a, o_b, lse_b)[0], np.maximum(lse_a, lse_b)


@misconception(
    merge_lse,
    hint="Adding two logarithms does something to the sums behind them: what? And what should happen?",
)
def logarithms_added(o_a, lse_a, o_b, lse_b):
    return merged_rightly(o_a, lse_a, o_b, lse_b)[0], lse_a + lse_b


@misconception(
    merge_lse, hint="lse_a is much larger than lse_b: which of the two outputs should the result be close to?"
)
def weights_exchanged(o_a, lse_a, o_b, lse_b):
    return merged_rightly(o_b, lse_a, o_a, lse_b)


@misconception(
    merge_lse, hint="One shard holds a hundred times the votes of the other: do both still weigh one half?"
)
def average_of_both(o_a, lse_a, o_b, lse_b):
    return (o_a + o_b) / 2, np.logaddexp(lse_a, lse_b)


@misconception(
    merge_lse, hint="A weight is a share of the votes. Is lse the number of votes, and may it be below 0?"
)
def lse_as_a_weight(o_a, lse_a, o_b, lse_b):
    if -np.inf in (lse_a, lse_b):
        return merged_rightly(o_a, lse_a, o_b, lse_b)
    return (lse_a * o_a + lse_b * o_b) / (lse_a + lse_b), np.logaddexp(lse_a, lse_b)


@misconception(
    merge_lse, hint="Merge an output with itself: it must stay as it is. What do your two weights add up to?"
)
def weights_not_shared_out(o_a, lse_a, o_b, lse_b):
    lse, m = np.logaddexp(lse_a, lse_b), max(lse_a, lse_b)
    if m == -np.inf:
        return np.zeros(len(o_a)), lse
    return np.exp(lse_a - m) * o_a + np.exp(lse_b - m) * o_b, lse
