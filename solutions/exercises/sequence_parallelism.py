"""Lesson 8: sequence parallelism. The rows of K and V lie on P ranks, and attention over all of them is put
together from what each rank finds in its own.

α_ij = exp β_ij / Σ_u Σ_{j' in shard u} exp β_ij',   o_i = Σ_u Σ_{j in shard u} α_ij v_j

with the maximum taken off, shard by shard (Milakov and Gimelshein, 2018). Around a ring: Ring Attention
(Liu, Zaharia and Abbeel, 2023); striped (Brandon et al., 2023); heads instead of rows: DeepSpeed Ulysses
(Jacobs et al., 2023).
"""

import itertools
import math

import numpy as np

from autograder.exercise import (
    Example,
    alternative,
    aspect,
    example,
    exercise,
    misconception,
    raising,
    unchanged,
    values,
)


def drawn(rng, *shapes):
    return tuple(rng.normal(size=shape) for shape in shapes)


def rounded_to(dtype, *arrays):
    return tuple(array.astype(dtype) for array in arrays)


def with_scores(rng, scores, d_k):
    """q (d_k,) and K (m, d_k) whose scaled scores are `scores`."""
    q = rng.uniform(1, 2, size=d_k) * rng.choice([-1, 1], size=d_k)
    noise = rng.normal(size=(len(scores), d_k))
    noise -= np.outer(noise @ q / (q @ q), q)
    return q, noise + np.outer(np.array(scores) * np.sqrt(d_k) / (q @ q), q)


# --- shard_rows ------------------------------------------------------------------------------------------


def two_rows_each(rng):
    return *drawn(rng, (6, 2), (6, 5)), 3


def as_many_rows_as_columns(rng):
    """Every axis of one size: a cut along the wrong one has the right shapes."""
    return *drawn(rng, (4, 4), (4, 4)), 2


def all_on_one_rank(rng):
    return *drawn(rng, (5, 3), (5, 2)), 1


def one_row_each(rng):
    return *drawn(rng, (4, 3), (4, 6)), 4


def single_precision_rows(rng):
    return *rounded_to(np.float32, *drawn(rng, (6, 3), (6, 4))), 2


def ten_rows_on_four(rng):
    """Shards of 3, 3, 2 and 2 rows."""
    return *drawn(rng, (10, 3), (10, 5)), 4


def nine_rows_on_four(rng):
    """Shards of 3, 2, 2 and 2 rows: rounding up would leave the last rank without any."""
    return *drawn(rng, (9, 4), (9, 2)), 4


def seven_rows_on_two(rng):
    return *drawn(rng, (7, 2), (7, 3)), 2


def two_rows_on_three(rng):
    return *drawn(rng, (2, 3), (2, 4)), 3


def one_row_on_five(rng):
    return *drawn(rng, (1, 4), (1, 2)), 5


@exercise(
    points=3,
    aspects=[
        values(
            1,
            two_rows_each,
            as_many_rows_as_columns,
            all_on_one_rank,
            one_row_each,
            single_precision_rows,
        ),
        aspect("ragged shards", 1, ten_rows_on_four, nine_rows_on_four, seven_rows_on_two),
        aspect("empty shards", 1, two_rows_on_three, one_row_on_five),
    ],
    examples=[
        example(
            "by hand: three tokens on two ranks",
            [[2.0, 1.0], [1.0, 0.0], [0.5, 1.5]],
            [[1.0, 0.0, 5.0], [0.0, 2.0, 6.0], [4.0, 4.0, 7.0]],
            2,
        ),
        example(
            "nine tokens on four ranks",
            [[float(i), -0.5 * i, 2.0] for i in range(9)],
            [[10.0 + i, 0.25 * i] for i in range(9)],
            4,
        ),
        example(
            "two tokens on three ranks", [[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0, 7.0], [8.0, 9.0, 10.0]], 3
        ),
    ],
)
def shard_rows(K, V, P):
    """The rows of K and V, cut into P shards of consecutive rows.

    K : (n, d_k), key j is row j
    V : (n, d_v), value j is row j
    P : int, the number of ranks, 1 or more; need not divide n
    Returns (K_shards, V_shards), two lists of P arrays: shard u holds
    (n_u, d_k) keys and (n_u, d_v) values of the same tokens, in order. If P
    does not divide n, the first n mod P shards hold one row more than the others,
    as np.array_split cuts. A shard may be empty: (0, d_k) and (0, d_v).
    """
    return np.array_split(K, P), np.array_split(V, P)


@alternative(shard_rows)
def from_start_to_end(K, V, P):
    each, more = divmod(len(K), P)
    starts = [u * each + min(u, more) for u in range(P + 1)]
    pairs = list(itertools.pairwise(starts))
    return [K[a:b] for a, b in pairs], [V[a:b] for a, b in pairs]


@alternative(shard_rows)
def by_positions(K, V, P):
    positions = np.array_split(np.arange(K.shape[0]), P)
    return [K[i] for i in positions], [V[i] for i in positions]


@alternative(shard_rows)
def dealt_row_by_row(K, V, P):
    sizes = [sum(1 for j in range(len(K)) if j % P == u) for u in range(P)]
    K_left, V_left = list(K), list(V)
    K_shards, V_shards = [], []
    for size in sizes:
        K_shards.append(np.array(K_left[:size]).reshape(size, K.shape[1]))
        V_shards.append(np.array(V_left[:size]).reshape(size, V.shape[1]))
        del K_left[:size], V_left[:size]
    return K_shards, V_shards


@alternative(shard_rows)
def split_at_the_sums_of_the_sizes(K, V, P):
    ends = np.cumsum([(len(K) + P - 1 - u) // P for u in range(P)])[:-1]
    return np.split(K, ends), np.split(V, ends)


def cut_into_both(K, V, cut):
    """The two lists that `cut` makes of K and V."""
    return cut(K), cut(V)


@misconception(
    shard_rows, hint="What does a rank need of a token to score it: some features of its key, or all of them?"
)
def columns_cut(K, V, P):
    return cut_into_both(K, V, lambda M: np.array_split(M, P, axis=1))


@misconception(shard_rows, hint="Add up the rows of your shards: are there n? Who holds the last token?")
def remainder_dropped(K, V, P):
    each = len(K) // P
    return cut_into_both(K, V, lambda M: [M[u * each : (u + 1) * each] for u in range(P)])


@misconception(
    shard_rows,
    hint="11 rows on 4 ranks: how many does your last rank hold, and how long do the others wait for it?",
)
def remainder_on_the_last_rank(K, V, P):
    each = len(K) // P
    ends = [u * each for u in range(P)] + [len(K)]
    return cut_into_both(K, V, lambda M: [M[ends[u] : ends[u + 1]] for u in range(P)])


@misconception(
    shard_rows, hint="9 rows on 4 ranks: what does your last rank hold, and what the first? Is that even?"
)
def sizes_rounded_up(K, V, P):
    each = -(-len(K) // P)
    return cut_into_both(K, V, lambda M: [M[u * each : (u + 1) * each] for u in range(P)])


@misconception(
    shard_rows, hint="Two ranks, three rows: which of the two holds two rows, the first or the last?"
)
def longer_shards_last(K, V, P):
    ends = [u * len(K) // P for u in range(P + 1)]
    return cut_into_both(K, V, lambda M: [M[ends[u] : ends[u + 1]] for u in range(P)])


@misconception(
    shard_rows, hint="Row 0 of a shard of K and row 0 of the same shard of V: do they belong to one token?"
)
def values_cut_elsewhere(K, V, P):
    ends = [u * len(V) // P for u in range(P + 1)]
    return np.array_split(K, P), [V[ends[u] : ends[u + 1]] for u in range(P)]


@misconception(
    shard_rows, hint="Which tokens does rank 0 hold in yours: neighbours, or every P-th? What was asked for?"
)
def rows_dealt_out(K, V, P):
    return cut_into_both(K, V, lambda M: [M[u::P] for u in range(P)])


@misconception(
    shard_rows, hint="A rank without rows takes part as well: how many shards must your lists hold?"
)
def empty_shards_left_out(K, V, P):
    return cut_into_both(K, V, lambda M: [part for part in np.array_split(M, P) if len(part)])


@misconception(
    shard_rows, hint="A row of zeros is a key like any other: which score does it get, and which vote?"
)
def filled_up_with_zeros(K, V, P):
    each = -(-len(K) // P)

    def cut(M):
        return [np.pad(part, ((0, each - len(part)), (0, 0))) for part in np.array_split(M, P)]

    return cut_into_both(K, V, cut)


@misconception(
    shard_rows,
    hint="The caller unpacks two lists, all keys and all values. What does the first of yours hold?",
)
def pairs_of_shards(K, V, P):
    return list(zip(np.array_split(K, P), np.array_split(V, P), strict=True))


# --- local_partial ---------------------------------------------------------------------------------------


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
    hint="Another shard's votes still have to be added, above and below the line. Has yours a line already?",
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


# --- merge_partials --------------------------------------------------------------------------------------


def parts_of(rng, ms, d_v):
    """A partial result for each maximum in `ms`; that of −inf is an empty shard's."""
    return [
        (float(m), rng.uniform(1, 4), rng.normal(size=d_v)) if m > -np.inf else (-np.inf, 0.0, np.zeros(d_v))
        for m in ms
    ]


def around(rng, *ms):
    """`ms`, each moved by less than 0.1, in some order."""
    return rng.permutation(ms) + rng.uniform(-0.1, 0.1, size=len(ms))


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
    return (parts_of(rng, [-np.inf, *around(rng, 0.5, 1.5)], 3),)


def empty_parts_between(rng):
    first, second = around(rng, 2.0, 0.5)
    return (parts_of(rng, [first, -np.inf, -np.inf, second, -np.inf], 2),)


def one_that_is_not_empty(rng):
    return (parts_of(rng, [-np.inf, *around(rng, -3.0), -np.inf], 4),)


def nothing_but_empty_parts(rng):
    return (parts_of(rng, [-np.inf, -np.inf, -np.inf], 4),)


def one_empty_part(rng):
    return (parts_of(rng, [-np.inf], 2),)


def maxima_near_two_thousand(rng):
    return (parts_of(rng, around(rng, 2000.0, 2001.0, 1999.0, -2000.0), 3),)


def maxima_near_minus_two_thousand(rng):
    return (parts_of(rng, around(rng, -2000.0, -2001.0, -2002.0), 2),)


def large_maxima_and_an_empty_part(rng):
    return (parts_of(rng, [*around(rng, 1999.5, 2000.5), -np.inf], 5),)


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
        o, lse = merge_lse(o, lse, o_u, lse_u)
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


# --- merge_lse -------------------------------------------------------------------------------------------


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
        aspect("large scores", 1, near_two_thousand, near_minus_two_thousand, four_thousand_apart),
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


# --- balanced_positions ----------------------------------------------------------------------------------


def eight_in_runs(rng):
    return 8, 4, "contiguous"


def ten_in_runs(rng):
    return 10, 4, "contiguous"


def nine_in_runs(rng):
    return 9, 4, "contiguous"


def two_in_runs_for_three(rng):
    return 2, 3, "contiguous"


def runs_for_one(rng):
    return 5, 1, "contiguous"


def twelve_in_stripes(rng):
    return 12, 3, "striped"


def eleven_in_stripes(rng):
    return 11, 4, "striped"


def stripes_for_five(rng):
    return 7, 5, "striped"


def one_in_stripes_for_three(rng):
    return 1, 3, "striped"


def stripes_for_one(rng):
    return 4, 1, "striped"


def sixteen_in_zigzag(rng):
    return 16, 4, "zigzag"


def twelve_in_zigzag(rng):
    return 12, 3, "zigzag"


def twenty_one_in_zigzag(rng):
    """Ten chunks: of three positions the first, of two the others."""
    return 21, 5, "zigzag"


def seventeen_in_zigzag(rng):
    return 17, 3, "zigzag"


def three_in_zigzag_for_four(rng):
    return 3, 4, "zigzag"


def zigzag_for_one(rng):
    return 6, 1, "zigzag"


def a_scheme_of_another_name(rng):
    return 8, 2, "zigzags"


def an_empty_name(rng):
    return 6, 3, ""


@exercise(
    points=4,
    aspects=[
        aspect(
            "contiguous", 1, eight_in_runs, ten_in_runs, nine_in_runs, two_in_runs_for_three, runs_for_one
        ),
        aspect(
            "striped",
            1,
            twelve_in_stripes,
            eleven_in_stripes,
            stripes_for_five,
            one_in_stripes_for_three,
            stripes_for_one,
        ),
        aspect(
            "zigzag",
            1,
            sixteen_in_zigzag,
            twelve_in_zigzag,
            twenty_one_in_zigzag,
            seventeen_in_zigzag,
            three_in_zigzag_for_four,
            zigzag_for_one,
        ),
        aspect(
            "unknown scheme",
            1,
            raising(ValueError, a_scheme_of_another_name),
            raising(ValueError, an_empty_name),
        ),
    ],
    examples=[
        example("by hand: eight positions in zigzag for two ranks", 8, 2, "zigzag"),
        example("nine positions in runs for four", 9, 4, "contiguous"),
        example("eleven positions in stripes for four", 11, 4, "striped"),
        example("fourteen positions in zigzag for three", 14, 3, "zigzag"),
        example("a scheme that does not exist", 8, 2, "spiral"),
    ],
)
def balanced_positions(n, P, scheme):
    """Which positions of the sequence each rank holds.

        contiguous : P runs, cut as np.array_split cuts
        striped : rank r has r, r + P, r + 2P, ...
        zigzag : 2P runs, cut as np.array_split cuts; rank r has run r, then run
            2P − 1 − r

    n : int, the number of positions
    P : int, the number of ranks
    scheme : str, "contiguous", "striped" or "zigzag"
    Returns a list of P arrays of int: entry r : (n_r,), the positions of rank r, in
    ascending order; it may be empty. Raises ValueError for any other scheme.
    """
    if scheme == "contiguous":
        return np.array_split(np.arange(n), P)
    if scheme == "striped":
        return [np.arange(r, n, P) for r in range(P)]
    if scheme == "zigzag":
        runs = np.array_split(np.arange(n), 2 * P)
        return [np.concatenate([runs[r], runs[2 * P - 1 - r]]) for r in range(P)]
    raise ValueError(f"unknown scheme {scheme!r}: expected contiguous, striped or zigzag")


def runs_of(n, parts):
    """`parts` runs of the positions below `n`, as lists, the longer ones first."""
    each, more = divmod(n, parts)
    starts = [u * each + min(u, more) for u in range(parts + 1)]
    return [list(range(a, b)) for a, b in itertools.pairwise(starts)]


@alternative(balanced_positions)
def as_lists(n, P, scheme):
    runs = runs_of(n, 2 * P)
    found = {
        "contiguous": runs_of(n, P),
        "striped": [[i for i in range(n) if i % P == r] for r in range(P)],
        "zigzag": [runs[r] + runs[-1 - r] for r in range(P)],
    }
    if scheme not in found:
        raise ValueError(f"no scheme {scheme}")
    return found[scheme]


@alternative(balanced_positions)
def by_the_rank_that_owns_it(n, P, scheme):
    """First the owner of each position, then each rank's own."""
    if scheme not in ("contiguous", "striped", "zigzag"):
        raise ValueError(scheme)
    if scheme == "striped":
        owner = np.arange(n) % P
    else:
        parts = P if scheme == "contiguous" else 2 * P
        sizes = [(n + parts - 1 - u) // parts for u in range(parts)]
        part = np.repeat(np.arange(parts), sizes)
        owner = np.minimum(part, 2 * P - 1 - part)
    return [np.flatnonzero(owner == r) for r in range(P)]


@alternative(balanced_positions)
def by_slices(n, P, scheme):
    i = np.arange(n)
    match scheme:
        case "contiguous":
            return np.array_split(i, P)
        case "striped":
            return [i[r::P] for r in range(P)]
        case "zigzag":
            first, second = (np.array_split(i, 2 * P)[half] for half in (slice(P), slice(P, None)))
            return [np.append(a, b) for a, b in zip(first, second[::-1], strict=True)]
        case _:
            raise ValueError("which scheme?")


def positions_but_for(n, P, scheme, **replaced):
    """The right positions, of a scheme that is not in `replaced`; there its function makes them."""
    if scheme in replaced:
        return replaced[scheme](n, P)
    return as_lists(n, P, scheme)


def mirrored(runs, P):
    return [[*runs[r], *runs[2 * P - 1 - r]] for r in range(P)]


@misconception(
    balanced_positions, hint="Count the positions that you give out: are there n? Which ones has nobody?"
)
def remainder_left_out(n, P, scheme):
    def even(parts):
        return [list(range(u * (n // parts), (u + 1) * (n // parts))) for u in range(parts)]

    return positions_but_for(
        n,
        P,
        scheme,
        contiguous=lambda n, P: even(P),
        striped=lambda n, P: [list(range(r, n // P * P, P)) for r in range(P)],
        zigzag=lambda n, P: mirrored(even(2 * P), P),
    )


@misconception(
    balanced_positions,
    hint="9 positions for 4 ranks: how many does your last rank get, and how many the others?",
)
def runs_rounded_up(n, P, scheme):
    def up(parts):
        each = -(-n // parts)
        return [list(range(n))[u * each : (u + 1) * each] for u in range(parts)]

    return positions_but_for(
        n, P, scheme, contiguous=lambda n, P: up(P), zigzag=lambda n, P: mirrored(up(2 * P), P)
    )


@misconception(
    balanced_positions,
    hint="Rank 0 has the first run, where queries look at little. Which run makes up for that?",
)
def not_mirrored(n, P, scheme):
    def shifted(n, P):
        runs = runs_of(n, 2 * P)
        return [runs[r] + runs[P + r] for r in range(P)]

    return positions_but_for(n, P, scheme, zigzag=shifted)


@misconception(
    balanced_positions, hint="Which run belongs to the last rank besides its own: is it a neighbour of it?"
)
def mirror_off_by_one(n, P, scheme):
    def off(n, P):
        runs = runs_of(n, 2 * P)
        return [runs[r] + runs[(2 * P - r) % (2 * P)] for r in range(P)]

    return positions_but_for(n, P, scheme, zigzag=off)


@misconception(
    balanced_positions,
    hint="Does a position belong to one rank only in yours? Into how many runs does a zigzag cut?",
)
def mirrored_among_p_runs(n, P, scheme):
    def halves(n, P):
        runs = runs_of(n, P)
        return [runs[r] + runs[P - 1 - r] for r in range(P)]

    return positions_but_for(n, P, scheme, zigzag=halves)


@misconception(
    balanced_positions,
    hint="Position by position, to and fro: how long is a run in yours, and how long as asked?",
)
def dealt_to_and_fro(n, P, scheme):
    def snake(n, P):
        return [[i for i in range(n) if min(i % (2 * P), 2 * P - 1 - i % (2 * P)) == r] for r in range(P)]

    return positions_but_for(n, P, scheme, zigzag=snake)


@misconception(
    balanced_positions,
    hint="A rank's rows stay in the order of the sequence: do the positions of yours rise?",
)
def second_run_backwards(n, P, scheme):
    def turned(n, P):
        runs = runs_of(n, 2 * P)
        return [runs[r] + runs[2 * P - 1 - r][::-1] for r in range(P)]

    return positions_but_for(n, P, scheme, zigzag=turned)


@misconception(
    balanced_positions,
    hint="Stripes for 4 ranks: which position follows r on rank r, and how far apart are yours?",
)
def stripes_too_far_apart(n, P, scheme):
    return positions_but_for(
        n, P, scheme, striped=lambda n, P: [list(range(r, n, max(1, n // P))) for r in range(P)]
    )


@misconception(
    balanced_positions,
    hint="Ask for a scheme that does not exist: who finds out that the name was misspelt?",
)
def any_other_name_accepted(n, P, scheme):
    return as_lists(n, P, scheme if scheme in ("striped", "zigzag") else "contiguous")


@misconception(
    balanced_positions,
    hint="What does entry r of your list say: which positions rank r holds, or who holds position r?",
)
def owners_instead_of_positions(n, P, scheme):
    held = as_lists(n, P, scheme)
    return [next(r for r in range(P) if i in held[r]) for i in range(n)]
