"""`merge_partials`: cases, the reference, other right solutions, known mistakes."""

import math

import numpy as np

from autograder.exercise import Example, alternative, aspect, exercise, misconception, unchanged, values

from .local_partial import local_partial
from .shard_rows import shard_rows
from .shared import drawn


def parts_of(rng, ms, d_v):
    """A partial result for each maximum in `ms`; that of −inf is an empty shard's."""
    return [
        (float(m), rng.uniform(1, 4), rng.normal(size=d_v)) if m > -np.inf else (-np.inf, 0.0, np.zeros(d_v))
        for m in ms
    ]


def around(rng, *ms):
    """`ms`, each moved by less than 0.1, in some order."""
    return in_this_order(rng, *rng.permutation(ms))


def in_this_order(rng, *ms):
    """`ms`, each moved by less than 0.1: what is kept while the parts come in must shrink where they rise,
    and what comes where they fall."""
    return np.array(ms) + rng.uniform(-0.1, 0.1, size=len(ms))


def three_parts(rng):
    return (parts_of(rng, around(rng, 0.5, 2.0, -1.0), 4),)


def two_parts(rng):
    return (parts_of(rng, around(rng, 1.0, 2.0), 1),)


def one_part(rng):
    return (parts_of(rng, around(rng, 1.5), 3),)


def five_parts(rng):
    return (parts_of(rng, around(rng, -2.0, 0.3, 1.0, -0.5, 1.8), 2),)


def as_many_parts_as_features(rng):
    return (parts_of(rng, around(rng, 0.0, 1.0, 2.5), 3),)


def shards_as_they_come(rng):
    """What local_partial gives for real shards."""
    q, K, V = drawn(rng, 4, (9, 4), (9, 5))
    shards = zip(*shard_rows(K, V, 4), strict=True)
    return ([local_partial(q, K_u, V_u) for K_u, V_u in shards],)


def single_precision_parts(rng):
    parts = parts_of(rng, around(rng, 0.2, -1.2, 1.1), 3)
    return ([(np.float32(m), np.float32(l), o.astype(np.float32)) for m, l, o in parts],)


def an_empty_part_first(rng):
    return (parts_of(rng, [-np.inf, *in_this_order(rng, 0.5, 1.5)], 3),)


def empty_parts_between(rng):
    first, second = in_this_order(rng, 2.0, 0.5)
    return (parts_of(rng, [first, -np.inf, -np.inf, second, -np.inf], 2),)


def one_that_is_not_empty(rng):
    return (parts_of(rng, [-np.inf, *around(rng, -3.0), -np.inf], 4),)


def nothing_but_empty_parts(rng):
    return (parts_of(rng, [-np.inf, -np.inf, -np.inf], 4),)


def one_empty_part(rng):
    return (parts_of(rng, [-np.inf], 2),)


def maxima_near_two_thousand(rng):
    """Neither the first maximum nor the last one is fit to be taken off."""
    return (parts_of(rng, in_this_order(rng, -2000.0, 2000.0, 2001.0, 1999.0, -2000.0), 3),)


def maxima_near_minus_two_thousand(rng):
    return (parts_of(rng, in_this_order(rng, -2002.0, -2001.0, -2000.0), 2),)


def large_maxima_and_an_empty_part(rng):
    return (parts_of(rng, [*in_this_order(rng, 2000.5, 1999.5), -np.inf], 5),)


def small_maxima_and_an_empty_part(rng):
    """An empty part whose maximum counts as 0 would leave the others without a vote."""
    return (parts_of(rng, [-np.inf, *in_this_order(rng, -2000.5, -1999.5)], 4),)


@exercise(
    points=5,
    aspects=[
        values(
            2,
            three_parts,
            two_parts,
            one_part,
            five_parts,
            as_many_parts_as_features,
            shards_as_they_come,
            single_precision_parts,
        ),
        aspect(
            "empty shards",
            1,
            an_empty_part_first,
            empty_parts_between,
            one_that_is_not_empty,
            nothing_but_empty_parts,
            one_empty_part,
        ),
        aspect(
            "large scores",
            1,
            maxima_near_two_thousand,
            maxima_near_minus_two_thousand,
            large_maxima_and_an_empty_part,
            small_maxima_and_an_empty_part,
        ),
        unchanged(1),
    ],
    examples=[
        Example(
            "by hand: the scores 2 and 1 in one shard, 0.5 in the other",
            (
                [
                    (2.0, 1.0 + math.exp(-1.0), np.array([1.0, 2.0 * math.exp(-1.0)])),
                    (0.5, 1.0, np.array([4.0, 4.0])),
                ],
            ),
        ),
        Example(
            "three shards",
            (
                [
                    (0.5, 1.5, np.array([1.0, -2.0, 0.5])),
                    (2.0, 2.5, np.array([3.0, 1.0, -1.0])),
                    (-1.0, 4.0, np.array([-2.0, 8.0, 4.0])),
                ],
            ),
        ),
        Example(
            "scores near 1000, an empty shard",
            (
                [
                    (1000.0, 2.0, np.array([2.0, -1.0])),
                    (-np.inf, 0.0, np.zeros(2)),
                    (1001.5, 1.25, np.array([0.5, 3.0])),
                ],
            ),
        ),
        Example("nothing but empty shards", ([(-np.inf, 0.0, np.zeros(3)), (-np.inf, 0.0, np.zeros(3))],)),
    ],
)
def merge_partials(parts):
    """The output over all shards, from what each of them found.

        m = max_u m_u,   output = Σ_u exp(m_u − m) o_u / Σ_u exp(m_u − m) l_u

    parts : list of (m_u, l_u, o_u), one for each shard, 1 or more: two numbers and
        an array (d_v,), as local_partial gives them; an empty shard has
        (−inf, 0, zeros)
    Returns the output : (d_v,). Nothing but empty shards gives zeros. Maxima of
    1000 or -1000 must not break it.
    """
    m, l, o = (np.array(column) for column in zip(*parts, strict=True))
    if m.max() == -np.inf:
        return np.zeros(o.shape[1])
    shrink = np.exp(m - m.max())
    return shrink @ o / (shrink @ l)


@alternative(merge_partials)
def part_after_part(parts):
    m, l, o = -math.inf, 0.0, 0.0
    for m_u, l_u, o_u in parts:
        larger = max(m, m_u)
        if larger > -math.inf:
            l = l * math.exp(m - larger) + l_u * math.exp(m_u - larger)
            o = o * math.exp(m - larger) + o_u * math.exp(m_u - larger)
            m = larger
    return o / l if l else np.zeros(len(parts[0][2]))


@alternative(merge_partials)
def without_the_empty_ones(parts):
    seen = [part for part in parts if part[1] > 0]
    top = max((part[0] for part in seen), default=0.0)
    votes = sum(np.exp(m_u - top) * l_u for m_u, l_u, _ in seen)
    return [
        sum(np.exp(m_u - top) * o_u[c] for m_u, _, o_u in seen) / votes if seen else 0.0
        for c in range(len(parts[0][2]))
    ]


@alternative(merge_partials)
def shares_of_normalised_outputs(parts):
    """The share of each shard is the softmax of its log-sum-exp."""
    seen = [(m_u + math.log(l_u), o_u / l_u) for m_u, l_u, o_u in parts if l_u > 0]
    if not seen:
        return 0.0 * parts[0][2]
    lse = np.array([one for one, _ in seen], dtype=float)
    shares = np.exp(lse - np.logaddexp.reduce(lse))
    return np.einsum("u,uc->c", shares, np.array([output for _, output in seen]))


@alternative(merge_partials)
def two_by_two(parts):
    (o, lse), *others = [
        (o_u / l_u, m_u + np.log(l_u)) if l_u > 0 else (o_u, -np.inf) for m_u, l_u, o_u in parts
    ]
    for o_u, lse_u in others:
        both = np.logaddexp(lse, lse_u)
        if both > -np.inf:
            o, lse = np.exp(lse - both) * o + np.exp(lse_u - both) * o_u, both
    return o


def columns(parts):
    """m, l and o of all parts, as arrays (P,), (P,) and (P, d_v)."""
    return (np.array(column) for column in zip(*parts, strict=True))


def shrunk(m):
    """What each part's votes are worth against the largest maximum; with nothing but empty parts, nothing."""
    return np.exp(m - m.max()) if m.max() > -np.inf else np.zeros(len(m))


def quotient(above, below):
    """`above` over `below`; over no vote at all, zeros."""
    return above / below if below != 0.0 else np.zeros(np.shape(above))


@misconception(
    merge_partials,
    hint="A shard whose scores are all low: should it weigh as much as the one with the best match?",
)
def average_of_the_shards(parts):
    _, l, o = columns(parts)
    outputs = [o_u / l_u for o_u, l_u in zip(o, l, strict=True) if l_u > 0]
    return np.mean(outputs, axis=0) if outputs else np.zeros(o.shape[1])


@misconception(
    merge_partials, hint="Different shards took off different m: may votes in two currencies be added?"
)
def nothing_rescaled(parts):
    _, l, o = columns(parts)
    return quotient(o.sum(axis=0), l.sum())


@misconception(merge_partials, hint="Above the line all votes are in one currency now. And below it?")
def votes_not_rescaled(parts):
    m, l, o = columns(parts)
    return quotient(shrunk(m) @ o, l.sum())


@misconception(merge_partials, hint="Below the line all votes are in one currency now. And above it?")
def values_not_rescaled(parts):
    m, l, o = columns(parts)
    return quotient(o.sum(axis=0), shrunk(m) @ l)


@misconception(
    merge_partials,
    hint="What is exp(1000) in NumPy, and exp(-1000)? Which of the maxima do all shards share?",
)
def exp_of_the_maximum(parts):
    m, l, o = columns(parts)
    votes = np.exp(m)
    return votes @ o / (votes @ l) if m.max() > -np.inf else np.zeros(o.shape[1])


@misconception(
    merge_partials,
    hint="Of two shards, which must lose when one reference is chosen: the larger m or the smaller?",
)
def weights_swapped(parts):
    m, l, o = columns(parts)
    seen = m > -np.inf
    if not seen.any():
        return np.zeros(o.shape[1])
    grown = np.exp(m[seen].min() - m[seen])
    return grown @ o[seen] / (grown @ l[seen])


@misconception(
    merge_partials, hint="Is o_u divided by l_u when it comes in? How often does a vote count in yours, then?"
)
def weighted_by_l_once_more(parts):
    m, l, o = columns(parts)
    weights = shrunk(m) * l
    return quotient(weights @ o, weights.sum())


@misconception(
    merge_partials,
    hint="Two shards with the same maximum, one with a vote of 1, one with 100 of them: which weighs more?",
)
def softmax_of_the_maxima(parts):
    m, l, o = columns(parts)
    outputs = np.array([quotient(o_u, l_u) for o_u, l_u in zip(o, l, strict=True)])
    weights = shrunk(m)
    return quotient(weights @ outputs, weights.sum())


@misconception(
    merge_partials,
    hint="The shard with the largest maximum has the floor in yours. Do the others get nothing?",
)
def winner_takes_all(parts):
    m, l, o = columns(parts)
    return quotient(o[m.argmax()], l[m.argmax()])


@misconception(
    merge_partials, hint="You hold votes times values, all in one currency. What do those votes add up to?"
)
def not_divided_at_the_end(parts):
    m, _, o = columns(parts)
    return shrunk(m) @ o


@misconception(
    merge_partials, hint="Nothing but empty shards: what is −inf minus −inf, and what should come out?"
)
def nan_of_nothing(parts):
    m, l, o = columns(parts)
    shrink = np.exp(m - m.max())
    return shrink @ o / (shrink @ l)
