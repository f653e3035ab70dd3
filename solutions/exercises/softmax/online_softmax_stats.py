"""`online_softmax_stats`: cases, the reference, other right solutions, known mistakes."""

import math

import numpy as np

from autograder.exercise import alternative, aspect, example, exercise, misconception, unchanged, values


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
