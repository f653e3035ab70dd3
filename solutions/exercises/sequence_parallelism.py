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

from attention_lib.ranks import MAX, SUM
from autograder.exercise import (
    Example,
    alternative,
    aspect,
    example,
    exercise,
    free_text,
    misconception,
    question,
    raising,
    thrifty,
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


# --- sequence_parallel_attention -------------------------------------------------------------------------


def shared_out(P, Q, K, V):
    """What each of P ranks is given: the whole Q, and its rows of K and V."""
    return [(Q, K_u, V_u) for K_u, V_u in zip(np.array_split(K, P), np.array_split(V, P), strict=True)]


def queries_and_keys(rng, P, n_q, n_k, d_k, d_v):
    return shared_out(P, *drawn(rng, (n_q, d_k), (n_k, d_k), (n_k, d_v)))


def one_rank_alone(rng):
    return queries_and_keys(rng, 1, 3, 5, 4, 2)


def ten_keys_on_four_ranks(rng):
    return queries_and_keys(rng, 4, 3, 10, 4, 6)


def twelve_keys_on_five_ranks(rng):
    return queries_and_keys(rng, 5, 4, 12, 3, 1)


def squares_on_three_ranks(rng):
    """Every axis of a rank's arrays of one size: an exchange of the wrong axes does not raise here."""
    return queries_and_keys(rng, 3, 3, 9, 3, 3)


def single_precision_on_two_ranks(rng):
    return shared_out(2, *rounded_to(np.float32, *drawn(rng, (1, 6), (7, 6), (7, 3))))


def two_keys_on_three_ranks(rng):
    return queries_and_keys(rng, 3, 2, 2, 4, 3)


def one_key_on_four_ranks(rng):
    return queries_and_keys(rng, 4, 3, 1, 5, 2)


def scores_near_two_thousand_on_three_ranks(rng):
    """The largest score of each rank differs by about 1 from the next one's."""
    scores = np.array([2000.0, 1998.7, 1999.2, 2001.0, -2000.0, 1999.8]) + rng.uniform(-0.1, 0.1, size=6)
    q, K = with_scores(rng, scores, 4)
    return shared_out(3, np.stack([q, -q, 0.1 * q]), K, rng.normal(size=(6, 3)))


def scores_near_minus_two_thousand_on_four_ranks(rng):
    scores = -2000.0 - np.arange(5) / 2 + rng.uniform(-0.1, 0.1, size=5)
    q, K = with_scores(rng, scores, 3)
    return shared_out(4, np.stack([q, q]), K, rng.normal(size=(5, 2)))


def many_keys_for_two_queries(rng):
    return queries_and_keys(rng, 4, 2, 201, 6, 3)


def many_keys_on_five_ranks(rng):
    return queries_and_keys(rng, 5, 3, 302, 3, 4)


def bytes_for_partial_results(size, Q, K_u, V_u):
    """What it takes to hand every rank's m, l and o for each query to all others, and twice that to spare."""
    return 8 * size * len(Q) * (V_u.shape[1] + 4) + 128


def rising(rows, width, step):
    """A table of numbers without a pattern that a hand could follow, for examples of many rows."""
    return np.round(np.sin(step * np.arange(1.0, rows * width + 1)).reshape(rows, width), 2)


@exercise(
    points=5,
    aspects=[
        values(
            1,
            one_rank_alone,
            ten_keys_on_four_ranks,
            twelve_keys_on_five_ranks,
            squares_on_three_ranks,
            single_precision_on_two_ranks,
        ),
        aspect("empty shards", 1, two_keys_on_three_ranks, one_key_on_four_ranks),
        aspect(
            "large scores",
            1,
            scores_near_two_thousand_on_three_ranks,
            scores_near_minus_two_thousand_on_four_ranks,
        ),
        thrifty(1, many_keys_for_two_queries, many_keys_on_five_ranks),
        unchanged(1),
    ],
    budget=bytes_for_partial_results,
    examples=[
        example(
            "by hand: the scores 2 and 1 on one rank, 0.5 on the other",
            (
                [[2.0, 0.0, 0.0, 0.0]],
                [[2.0, 1.0, 0.0, 0.0], [1.0, 0.0, -1.0, 0.0]],
                [[1.0, 0.0], [0.0, 2.0]],
            ),
            ([[2.0, 0.0, 0.0, 0.0]], [[0.5, 0.0, 2.0, 0.0]], [[4.0, 4.0]]),
        ),
        example(
            "three ranks, one of them without keys",
            (
                [[1.0, -0.5, 2.0], [0.5, 1.0, -1.0]],
                [[0.5, 1.0, 0.25]],
                [[2.0, -1.0, 0.5, 1.0]],
            ),
            (
                [[1.0, -0.5, 2.0], [0.5, 1.0, -1.0]],
                [[-1.0, 0.5, 1.5]],
                [[-1.0, 3.0, 1.0, 0.25]],
            ),
            (
                [[1.0, -0.5, 2.0], [0.5, 1.0, -1.0]],
                np.zeros((0, 3)),
                np.zeros((0, 4)),
            ),
        ),
        example(
            "scores near 1000",
            (
                [[100.0, 1.0, -1.0, 2.0]],
                [[20.0, 2.0, 1.0, 0.5], [20.0, -1.0, 0.5, 1.0]],
                [[1.0, -1.0], [2.0, 0.5]],
            ),
            ([[100.0, 1.0, -1.0, 2.0]], [[20.0, 0.0, -1.0, -0.5]], [[-3.0, 4.0]]),
        ),
        example(
            "two ranks with many keys for one query",
            ([[1.5, -1.0, 0.5]], rising(13, 3, 1.7), rising(13, 2, 2.3)),
            ([[1.5, -1.0, 0.5]], rising(12, 3, 2.9), rising(12, 2, 1.3)),
        ),
    ],
)
def sequence_parallel_attention(comm, Q, K_u, V_u):
    """Attention of all queries over keys and values that lie on P ranks, a shard on each.

        m = max over all ranks,   l = Σ_u Σ_j exp(β_ij − m),   o = Σ_u Σ_j exp(β_ij − m) v_j
        output_i = o / l,   β_ij = q_i · k_j / √d_k

    Every rank calls it, each with the same Q and its own shard.

    comm : communicator; comm.allreduce(x, op=MAX), with MAX or SUM, works
        elementwise on arrays
    Q : (n_q, d_k), all queries
    K_u : (n_u, d_k), the keys of this rank; n_u may be 0, but not on all ranks
    V_u : (n_u, d_v), the values of this rank
    Returns the output : (n_q, d_v), the whole of it on every rank. No key and no
    value leaves its rank: what is sent depends on n_q and not on n_u. Scores of
    1000 or -1000 must not break it.
    """
    scores = Q @ K_u.T / np.sqrt(Q.shape[1])
    m = comm.allreduce(scores.max(axis=1, keepdims=True, initial=-np.inf), op=MAX)
    votes = np.exp(scores - m)
    l = comm.allreduce(votes.sum(axis=1, keepdims=True), op=SUM)
    o = comm.allreduce(votes @ V_u, op=SUM)
    return o / l


@alternative(sequence_parallel_attention)
def query_by_query_from_partial_results(comm, Q, K_u, V_u):
    rows = []
    for q in Q:
        parts = comm.allgather(local_partial(q, K_u, V_u))
        m = max(m_u for m_u, _, _ in parts)
        l = sum(np.exp(m_u - m) * l_u for m_u, l_u, _ in parts)
        rows.append(sum(np.exp(m_u - m) * o_u for m_u, _, o_u in parts) / l)
    return np.array(rows)


@alternative(sequence_parallel_attention)
def shrunk_after_the_maximum_is_known(comm, Q, K_u, V_u):
    """Sums against the own maximum, brought to the common one afterwards."""
    scores = np.einsum("ic,jc->ij", Q, K_u) * Q.shape[1] ** -0.5
    own = scores.max(axis=1, initial=-np.inf)
    votes = np.exp(scores - own[:, None])
    m = comm.allreduce(own, MAX)
    both = np.column_stack([votes @ V_u, votes.sum(axis=1)]) * np.exp(own - m)[:, None]
    both = comm.allreduce(both)
    return both[:, :-1] / both[:, -1:]


@alternative(sequence_parallel_attention)
def merged_by_the_root(comm, Q, K_u, V_u):
    scores = Q @ K_u.T / math.sqrt(Q.shape[1])
    lse = np.logaddexp.reduce(scores, axis=1)[:, None] if len(K_u) else np.full((len(Q), 1), -np.inf)
    own = np.exp(scores - lse) @ V_u if len(K_u) else np.zeros((len(Q), V_u.shape[1]))
    gathered = comm.gather({"lse": lse, "output": own}, root=0)
    merged = None
    if comm.rank == 0:
        together = np.logaddexp.reduce([part["lse"] for part in gathered])
        merged = sum(np.exp(part["lse"] - together) * part["output"] for part in gathered)
    return comm.bcast(merged, root=0)


@alternative(sequence_parallel_attention)
def from_rank_to_rank(comm, Q, K_u, V_u):
    """A chain: each rank adds its keys to what came from the one before."""
    rank, last = comm.Get_rank(), comm.Get_size() - 1
    scores = Q @ K_u.T / np.sqrt(Q.shape[1])
    m = scores.max(axis=1, keepdims=True, initial=-1e300)
    l, o = np.exp(scores - m).sum(axis=1, keepdims=True), np.exp(scores - m) @ V_u
    if rank > 0:
        m_0, l_0, o_0 = comm.recv(source=rank - 1)
        larger = np.maximum(m, m_0)
        l = np.exp(m - larger) * l + np.exp(m_0 - larger) * l_0
        o = np.exp(m - larger) * o + np.exp(m_0 - larger) * o_0
        m = larger
    if rank < last:
        comm.send((m, l, o), dest=rank + 1)
    return comm.bcast(o / l if rank == last else None, root=last)


@alternative(sequence_parallel_attention)
def in_lists_of_floats(comm, Q, K_u, V_u):
    rows = []
    for q in Q:
        scores = [float(q.astype(float) @ k.astype(float)) / math.sqrt(len(q)) for k in K_u]
        m = max(comm.allgather(max(scores, default=-math.inf)))
        votes = [math.exp(score - m) for score in scores]
        l = sum(comm.allgather(sum(votes)))
        row = []
        for c in range(V_u.shape[1]):
            own = sum(vote * float(v[c]) for vote, v in zip(votes, V_u, strict=True))
            row.append(comm.allreduce(own) / l)
        rows.append(row)
    return rows


def scored(Q, K_u):
    return Q @ K_u.T / np.sqrt(Q.shape[1])


def largest(scores):
    return scores.max(axis=1, keepdims=True, initial=-np.inf)


def shares_summed(comm, votes, votes_below, V_u):
    """o / l with l from `votes_below`, both over all ranks."""
    l = comm.allreduce(votes_below.sum(axis=1, keepdims=True), op=SUM)
    return comm.allreduce(votes @ V_u, op=SUM) / l


def own_output(Q, K_u, V_u):
    """Attention over the keys of this rank alone; without any, zeros."""
    if len(K_u) == 0:
        return np.zeros((len(Q), V_u.shape[1]))
    scores = scored(Q, K_u)
    votes = np.exp(scores - largest(scores))
    return votes @ V_u / votes.sum(axis=1, keepdims=True)


@misconception(
    sequence_parallel_attention,
    hint="Each rank's l was added up before anyone knew the common maximum: in which currency is the sum?",
)
def summed_before_the_maximum(comm, Q, K_u, V_u):
    scores = scored(Q, K_u)
    own = largest(scores)
    m = comm.allreduce(own, op=MAX)
    return shares_summed(comm, np.exp(scores - m), np.exp(scores - own), V_u)


@misconception(
    sequence_parallel_attention,
    hint="Each rank took off a maximum of its own. May votes in different currencies be added?",
)
def own_maximum_kept(comm, Q, K_u, V_u):
    scores = scored(Q, K_u)
    votes = np.exp(scores - largest(scores))
    return shares_summed(comm, votes, votes, V_u)


@misconception(
    sequence_parallel_attention,
    hint="What does allreduce do with the ranks' maxima unless you say otherwise: compare them, or add them?",
)
def maxima_added_up(comm, Q, K_u, V_u):
    scores = scored(Q, K_u)
    votes = np.exp(scores - comm.allreduce(largest(scores)))
    return shares_summed(comm, votes, votes, V_u)


@misconception(
    sequence_parallel_attention,
    hint="What is exp(1000) in NumPy? Which number can all ranks take off, and who knows it?",
)
def no_maximum_at_all(comm, Q, K_u, V_u):
    votes = np.exp(scored(Q, K_u))
    return shares_summed(comm, votes, votes, V_u)


@misconception(
    sequence_parallel_attention,
    hint="The others wait in allreduce until every rank has come. Does a rank without keys come in yours?",
)
def only_ranks_with_keys_take_part(comm, Q, K_u, V_u):
    if len(K_u) == 0:
        return np.zeros((len(Q), V_u.shape[1]))
    scores = scored(Q, K_u)
    votes = np.exp(scores - comm.allreduce(largest(scores), op=MAX))
    return shares_summed(comm, votes, votes, V_u)


@misconception(
    sequence_parallel_attention,
    hint="A rank whose keys all match badly: should it have as large a say as the one with the best match?",
)
def average_over_the_ranks(comm, Q, K_u, V_u):
    return comm.allreduce(own_output(Q, K_u, V_u), op=SUM) / comm.size


@misconception(
    sequence_parallel_attention,
    hint="Two ranks with as many keys, one whose keys match and one whose do not: should they weigh alike?",
)
def average_by_number_of_keys(comm, Q, K_u, V_u):
    n = comm.allreduce(len(K_u), op=SUM)
    return comm.allreduce(own_output(Q, K_u, V_u) * len(K_u), op=SUM) / n


@misconception(
    sequence_parallel_attention,
    hint="How many bytes does a rank send in yours when it holds ten times as many keys? Which could stay?",
)
def keys_and_values_gathered(comm, Q, K_u, V_u):
    K, V = np.concatenate(comm.allgather(K_u)), np.concatenate(comm.allgather(V_u))
    return own_output(Q, K, V)


@misconception(
    sequence_parallel_attention,
    hint="The weights are shares of the whole now. And the values: whose are in your output, and whose not?",
)
def own_values_only(comm, Q, K_u, V_u):
    scores = scored(Q, K_u)
    votes = np.exp(scores - comm.allreduce(largest(scores), op=MAX))
    return votes @ V_u / comm.allreduce(votes.sum(axis=1, keepdims=True), op=SUM)


@misconception(
    sequence_parallel_attention,
    hint="Your weights are sharper than they should be: what did lesson 3 do to the dot products?",
)
def dot_products_not_scaled(comm, Q, K_u, V_u):
    scores = Q @ K_u.T
    votes = np.exp(scores - comm.allreduce(largest(scores), op=MAX))
    return shares_summed(comm, votes, votes, V_u)


@misconception(
    sequence_parallel_attention,
    hint="Over all ranks you hold votes times values. What do those votes add up to?",
)
def never_divided(comm, Q, K_u, V_u):
    scores = scored(Q, K_u)
    votes = np.exp(scores - comm.allreduce(largest(scores), op=MAX))
    return comm.allreduce(votes @ V_u, op=SUM)


# --- ring_attention --------------------------------------------------------------------------------------


def around_the_ring(P, causal, Q, K, V):
    """What each of P ranks is given: its rows of all three, and whether the future is hidden."""
    shards = [np.array_split(M, P) for M in (Q, K, V)]
    return [(*rows, causal) for rows in zip(*shards, strict=True)]


def tokens_on_ranks(rng, P, n, d_k, d_v, causal):
    return around_the_ring(P, causal, *drawn(rng, (n, d_k), (n, d_k), (n, d_v)))


def with_a_matrix_of_scores(rng, scores, d_k):
    """Q and K (n, d_k) whose scaled scores are `scores` (n, n); n is at most d_k."""
    n = len(scores)
    across, _ = np.linalg.qr(rng.normal(size=(d_k, n)))
    lengths = rng.uniform(1, 2, size=(n, 1))
    return across.T * lengths, (across @ (scores / lengths) * math.sqrt(d_k)).T


def farther_is_larger(rng, n, level=0.0):
    """Scores (n, n) near `level` that rise towards earlier keys: each block that comes round to a rank in a
    causal ring brings a larger one."""
    i, j = np.indices((n, n))
    return level + 0.7 * (i - j) + rng.uniform(-0.1, 0.1, size=(n, n))


def all_on_one_rank_in_a_ring(rng):
    return tokens_on_ranks(rng, 1, 4, 3, 5, False)


def eleven_tokens_on_four(rng):
    return tokens_on_ranks(rng, 4, 11, 5, 3, False)


def thirteen_tokens_on_five(rng):
    return tokens_on_ranks(rng, 5, 13, 3, 1, False)


def squares_around_the_ring(rng):
    return tokens_on_ranks(rng, 3, 9, 3, 3, False)


def causal_on_three(rng):
    return tokens_on_ranks(rng, 3, 9, 4, 2, True)


def causal_on_four(rng):
    return tokens_on_ranks(rng, 4, 10, 2, 5, True)


def causal_on_five(rng):
    return tokens_on_ranks(rng, 5, 14, 6, 4, True)


def single_precision_causal(rng):
    return around_the_ring(2, True, *rounded_to(np.float32, *drawn(rng, (7, 5), (7, 5), (7, 3))))


def two_tokens_on_three(rng):
    scores = farther_is_larger(rng, 2)
    return around_the_ring(3, False, *with_a_matrix_of_scores(rng, scores, 4), rng.normal(size=(2, 3)))


def three_tokens_on_five(rng):
    scores = farther_is_larger(rng, 3)
    return around_the_ring(5, True, *with_a_matrix_of_scores(rng, scores, 4), rng.normal(size=(3, 2)))


def one_token_on_four(rng):
    return tokens_on_ranks(rng, 4, 1, 2, 5, True)


def large_scores_around_the_ring(rng):
    """Of token 3's keys one that comes round late is larger by 1500 than those on its own rank."""
    scores = farther_is_larger(rng, 5, level=2000.0)
    scores[1] -= 4000.0
    scores[3, :2] += 1500.0
    return around_the_ring(3, False, *with_a_matrix_of_scores(rng, scores, 6), rng.normal(size=(5, 3)))


def large_scores_and_causal(rng):
    """Later keys would win every row by far if they could be seen; for the last token early ones win."""
    scores = farther_is_larger(rng, 7, level=2000.0)
    scores[6, :3] += 1500.0
    scores[np.triu_indices(7, k=1)] += 500.0
    scores[4] -= 4000.0
    return around_the_ring(4, True, *with_a_matrix_of_scores(rng, scores, 8), rng.normal(size=(7, 2)))


def many_tokens_on_four(rng):
    return tokens_on_ranks(rng, 4, 101, 13, 11, False)


def many_tokens_on_five(rng):
    return tokens_on_ranks(rng, 5, 148, 14, 10, False)


def bytes_for_passing_on(size, Q_u, K_u, V_u, causal):
    """size − 1 blocks, each perhaps a row longer than the own one, with a position beside each row; and two
    numbers for each rank, such as the lengths of all blocks."""
    row = 8 * (K_u.shape[1] + V_u.shape[1] + 1)
    return (size - 1) * (len(K_u) + 1) * row + 16 * size


@exercise(
    points=5,
    aspects=[
        values(
            1,
            all_on_one_rank_in_a_ring,
            eleven_tokens_on_four,
            thirteen_tokens_on_five,
            squares_around_the_ring,
        ),
        aspect(
            "causal",
            1,
            causal_on_three,
            causal_on_four,
            causal_on_five,
            single_precision_causal,
        ),
        aspect("empty shards", 1, two_tokens_on_three, three_tokens_on_five, one_token_on_four),
        aspect("large scores", 1, large_scores_around_the_ring, large_scores_and_causal),
        thrifty(1, many_tokens_on_four, many_tokens_on_five),
    ],
    budget=bytes_for_passing_on,
    examples=[
        example(
            "by hand: three tokens on two ranks, causal; every query scores 2, 1 and 0.5",
            (
                [[2.0, 0.0, 0.0, 0.0], [2.0, 0.0, 0.0, 0.0]],
                [[2.0, 1.0, 0.0, 0.0], [1.0, 0.0, -1.0, 0.0]],
                [[1.0, 0.0], [0.0, 2.0]],
                True,
            ),
            ([[2.0, 0.0, 0.0, 0.0]], [[0.5, 0.0, 2.0, 0.0]], [[4.0, 4.0]], True),
        ),
        example(
            "five tokens on three ranks, not causal",
            *around_the_ring(3, False, rising(5, 2, 1.1), rising(5, 2, 2.3), rising(5, 3, 1.9)),
        ),
        example(
            "seven tokens on four ranks, causal",
            *around_the_ring(4, True, 2 * rising(7, 2, 2.6), 2 * rising(7, 2, 1.4), rising(7, 3, 0.8)),
        ),
        example(
            "two tokens on three ranks, scores near 1000",
            *around_the_ring(
                3,
                True,
                np.array([[100.0, 1.0, -1.0, 2.0], [100.0, -1.0, 0.5, 1.0]]),
                np.array([[20.0, 2.0, 1.0, 0.5], [20.0, 0.5, 0.0, -1.0]]),
                np.array([[1.0, -1.0], [2.0, 0.5]]),
            ),
        ),
        example(
            "eleven tokens on two ranks: what is sent",
            *around_the_ring(2, False, rising(11, 3, 1.7), rising(11, 3, 2.1), rising(11, 2, 1.3)),
        ),
    ],
)
def ring_attention(comm, Q_u, K_u, V_u, causal):
    """Attention over P ranks in a ring: queries stay, blocks of keys and values go round.

    In step s = 0, ..., P − 1 rank r holds the block that rank (r − s) mod P began
    with, and adds its keys to what it keeps for each of its queries: m, the largest
    score so far, l = Σ_j exp(β_ij − m) and o = Σ_j exp(β_ij − m) v_j. Then it
    passes the block on to rank r + 1 (mod P). At the end the output is o / l.

    Every rank calls it, each with its own shards.

    comm : communicator of P ranks
    Q_u : (n_u, d_k), the queries of this rank
    K_u : (n_u, d_k), the keys of the same tokens; rows are shared out as shard_rows
        does, so that n_u may differ between ranks and be 0 on some
    V_u : (n_u, d_v), their values
    causal : bool; True: a query attends to the tokens up to its own, counted in
        the whole sequence. False: to all
    Returns the output for the queries of this rank : (n_u, d_v). Each rank sends
    P − 1 blocks of keys and values and none more, in one message each or in two;
    all lengths may be exchanged besides. Scores of 1000 or -1000 must not break it.
    """
    right, left = (comm.rank + 1) % comm.size, (comm.rank - 1) % comm.size
    starts = np.cumsum([0, *comm.allgather(len(K_u))])
    i = starts[comm.rank] + np.arange(len(Q_u))[:, None]
    m, l, o = np.full(i.shape, -np.inf), 0.0, 0.0
    for s in range(comm.size):
        if s > 0:
            K_u, V_u = comm.sendrecv((K_u, V_u), dest=right, source=left)
        scores = Q_u @ K_u.T / np.sqrt(Q_u.shape[1])
        if causal:
            j = starts[(comm.rank - s) % comm.size] + np.arange(len(K_u))
            scores = np.where(j <= i, scores, -np.inf)
        before, m = m, np.maximum(m, scores.max(axis=1, keepdims=True, initial=-np.inf))
        votes, shrink = np.exp(scores - m), np.exp(before - m)
        l = shrink * l + votes.sum(axis=1, keepdims=True)
        o = shrink * o + votes @ V_u
    return o / l


@alternative(ring_attention)
def query_by_query_to_the_left(comm, Q_u, K_u, V_u, causal):
    """The blocks go the other way round, and a query's partial results are merged at the end."""
    P, r = comm.size, comm.rank
    lengths = comm.allgather(len(K_u))
    parts = [[] for _ in Q_u]
    for s in range(P):
        before = sum(lengths[: (r + s) % P])
        for i, q in enumerate(Q_u):
            seen = max(0, sum(lengths[:r]) + i + 1 - before) if causal else len(K_u)
            parts[i].append(local_partial(q, K_u[:seen], V_u[:seen]))
        if s < P - 1:
            K_u = comm.sendrecv(K_u, (r - 1) % P, sendtag=1, source=(r + 1) % P, recvtag=1)
            V_u = comm.sendrecv(V_u, (r - 1) % P, sendtag=2, source=(r + 1) % P, recvtag=2)
    rows = np.zeros((len(Q_u), V_u.shape[1]))
    for i, found in enumerate(parts):
        m = max(m_u for m_u, _, _ in found)
        l = sum(math.exp(m_u - m) * l_u for m_u, l_u, _ in found)
        rows[i] = sum(math.exp(m_u - m) * o_u for m_u, _, o_u in found) / l
    return rows


@alternative(ring_attention)
def even_ranks_send_first(comm, Q_u, K_u, V_u, causal):
    P, r = comm.Get_size(), comm.Get_rank()
    n = comm.allreduce(len(K_u))
    positions = np.array_split(np.arange(n), P)
    output, lse = np.zeros((len(Q_u), V_u.shape[1])), np.full((len(Q_u), 1), -np.inf)
    block = (K_u, V_u)
    for s in range(P):
        K, V = block
        scores = Q_u @ K.T / np.sqrt(Q_u.shape[1])
        if causal:
            scores[positions[r][:, None] < positions[(r - s) % P]] = -np.inf
        part = np.logaddexp.reduce(scores, axis=1, keepdims=True, initial=-np.inf)
        both = np.logaddexp(lse, part)
        output, lse = np.exp(lse - both) * output + np.exp(scores - both) @ V, both
        if s == P - 1:
            break
        if r % 2 == 0:
            comm.send(block, dest=(r + 1) % P)
            block = comm.recv(source=(r - 1) % P)
        else:
            received = comm.recv(source=(r - 1) % P)
            comm.send(block, dest=(r + 1) % P)
            block = received
    return output


@alternative(ring_attention)
def with_the_positions_beside_the_keys(comm, Q_u, K_u, V_u, causal):
    start = sum(comm.allgather(len(K_u))[: comm.rank])
    i = np.arange(start, start + len(Q_u))
    block, j = np.hstack([K_u, V_u]), i
    m, both = np.full(len(Q_u), -1e300), np.zeros((len(Q_u), V_u.shape[1] + 1))
    for step in range(comm.size):
        K, V = np.split(block, [K_u.shape[1]], axis=1)
        may = j[None] <= i[:, None] if causal else np.ones((len(i), len(j)), bool)
        scores = np.einsum("ic,jc->ij", Q_u, K) / np.sqrt(K_u.shape[1])
        larger = np.maximum(m, np.max(scores, axis=1, where=may, initial=-1e300))
        votes = np.where(may, np.exp(np.minimum(scores - larger[:, None], 0.0)), 0.0)
        both = np.exp(m - larger)[:, None] * both + votes @ np.column_stack([V, np.ones(len(V))])
        m = larger
        if step + 1 < comm.size:
            to, source = (comm.rank + 1) % comm.size, (comm.rank + comm.size - 1) % comm.size
            block, j = comm.sendrecv([block, j], dest=to, source=source)
    return both[:, :-1] / both[:, -1:]


@alternative(ring_attention)
def blocks_kept_until_all_are_there(comm, Q_u, K_u, V_u, causal):
    """Exact and within the budget, though a rank needs memory for all blocks."""
    held = {comm.rank: (K_u, V_u)}
    for s in range(1, comm.size):
        block = held[(comm.rank - s + 1) % comm.size]
        held[(comm.rank - s) % comm.size] = comm.sendrecv(block, (comm.rank + 1) % comm.size)
    K, V = (np.concatenate([held[u][part] for u in range(comm.size)]) for part in (0, 1))
    start = sum(len(held[u][0]) for u in range(comm.rank))
    rows = [
        attended_by_one(q, K[: start + t + 1], V[: start + t + 1]) if causal else attended_by_one(q, K, V)
        for t, q in enumerate(Q_u)
    ]
    return np.array(rows).reshape(len(Q_u), V_u.shape[1])


def attended_by_one(q, K, V):
    scores = K @ q / np.sqrt(len(q))
    votes = np.exp(scores - scores.max())
    return votes @ V / votes.sum()


def blocks_of_a_ring(comm, K_u, V_u, steps=None, own_again=False, one_more=False):
    """(s, K, V) for each step of a ring that sends to the right."""
    block = K_u, V_u
    right, left = (comm.rank + 1) % comm.size, (comm.rank - 1) % comm.size
    steps = comm.size if steps is None else steps
    for s in range(steps):
        yield s, *block
        if s < steps - 1 or one_more:
            block = comm.sendrecv((K_u, V_u) if own_again else block, dest=right, source=left)


def ring_scores(comm, Q_u, K_u, V_u, causal, blocks=None, block_of=None, start_of=None, hides=None):
    """(scores, V) for each step: what a causal query must not see is −inf in them. `block_of(r, s, P)` says
    whose block it is, `start_of(starts, u, rows)` where it begins, `hides(i, j, r, u)` what is hidden."""
    starts = np.cumsum([0, *comm.allgather(len(K_u))])
    start_of = start_of or (lambda starts, u, rows: starts[u])
    hides = hides or (lambda i, j, r, u: j > i)
    i = start_of(starts, comm.rank, len(Q_u)) + np.arange(len(Q_u))[:, None]
    for s, K, V in blocks or blocks_of_a_ring(comm, K_u, V_u):
        u = (block_of or (lambda r, s, P: (r - s) % P))(comm.rank, s, comm.size)
        scores = scored(Q_u, K)
        if causal:
            j = start_of(starts, u, len(K)) + np.arange(len(K))
            scores = np.where(hides(i, j, comm.rank, u), -np.inf, scores)
        yield scores, V


def accumulated(found, Q_u, V_u, shrink_l=True, shrink_o=True, shift=True):
    """o / l after all steps; without a vote, nan."""
    m = np.full((len(Q_u), 1), -np.inf)
    l, o = np.zeros((len(Q_u), 1)), np.zeros((len(Q_u), V_u.shape[1]))
    for scores, V in found:
        before, m = m, np.maximum(m, largest(scores))
        still = np.where(m > -np.inf, m, 0.0)
        votes, shrink = np.exp(scores - (still if shift else 0.0)), np.exp(before - still)
        l = (shrink if shift and shrink_l else 1.0) * l + votes.sum(axis=1, keepdims=True)
        o = (shrink if shift and shrink_o else 1.0) * o + votes @ V
    return o / l


@misconception(
    ring_attention,
    hint="P ranks, P blocks, your own among them: how many does a rank add in yours? Which is missing?",
)
def last_block_never_added(comm, Q_u, K_u, V_u, causal):
    blocks = blocks_of_a_ring(comm, K_u, V_u, steps=max(1, comm.size - 1))
    return accumulated(ring_scores(comm, Q_u, K_u, V_u, causal, blocks), Q_u, V_u)


@misconception(
    ring_attention,
    hint="A block moves to the right. After one step, does rank 2 hold what rank 1 began with, or rank 3?",
)
def blocks_from_the_other_side(comm, Q_u, K_u, V_u, causal):
    found = ring_scores(comm, Q_u, K_u, V_u, causal, block_of=lambda r, s, P: (r + s) % P)
    return accumulated(found, Q_u, V_u)


@misconception(
    ring_attention,
    hint="In step 0 every rank holds its own block. Which number does yours give it on rank 2?",
)
def block_numbered_by_the_step(comm, Q_u, K_u, V_u, causal):
    found = ring_scores(comm, Q_u, K_u, V_u, causal, block_of=lambda r, s, P: s)
    return accumulated(found, Q_u, V_u)


@misconception(
    ring_attention,
    hint="The first key of another rank's block: what is its position in the whole text, and in your mask?",
)
def mask_within_each_block(comm, Q_u, K_u, V_u, causal):
    found = ring_scores(comm, Q_u, K_u, V_u, causal, start_of=lambda starts, u, rows: 0)
    return accumulated(found, Q_u, V_u)


@misconception(
    ring_attention,
    hint="In your own block the future is hidden. May a query look at the block of a later rank?",
)
def only_the_own_block_masked(comm, Q_u, K_u, V_u, causal):
    found = ring_scores(comm, Q_u, K_u, V_u, causal, hides=lambda i, j, r, u: (j > i) & (r == u))
    return accumulated(found, Q_u, V_u)


@misconception(
    ring_attention,
    hint="Later blocks are hidden. In your own block, may the first query look at the second token?",
)
def whole_blocks_masked_only(comm, Q_u, K_u, V_u, causal):
    found = ring_scores(comm, Q_u, K_u, V_u, causal, hides=lambda i, j, r, u: np.full(len(j), u > r))
    return accumulated(found, Q_u, V_u)


@misconception(
    ring_attention,
    hint="10 tokens on 4 ranks, 3, 3, 2 and 2: where does the last rank's block begin? And in yours?",
)
def every_block_as_long_as_this_one(comm, Q_u, K_u, V_u, causal):
    found = ring_scores(comm, Q_u, K_u, V_u, causal, start_of=lambda starts, u, rows: u * rows)
    return accumulated(found, Q_u, V_u)


@misconception(
    ring_attention, hint="Call it with causal True and then False: does your output notice? Should it?"
)
def causal_not_used(comm, Q_u, K_u, V_u, causal):
    return accumulated(ring_scores(comm, Q_u, K_u, V_u, False), Q_u, V_u)


@misconception(
    ring_attention,
    hint="A block brings a larger score. Do l and o shrink, or stay? What does yours do with them?",
)
def nothing_shrinks(comm, Q_u, K_u, V_u, causal):
    found = ring_scores(comm, Q_u, K_u, V_u, causal)
    return accumulated(found, Q_u, V_u, shrink_l=False, shrink_o=False)


@misconception(
    ring_attention,
    hint="When a later block brings a larger score, l is counted anew. In which currency is o still kept?",
)
def values_do_not_shrink(comm, Q_u, K_u, V_u, causal):
    found = ring_scores(comm, Q_u, K_u, V_u, causal)
    return accumulated(found, Q_u, V_u, shrink_o=False)


@misconception(
    ring_attention,
    hint="Each block shares out a whole of its own in yours. How many wholes does a query share out?",
)
def average_over_the_blocks(comm, Q_u, K_u, V_u, causal):
    output = np.zeros((len(Q_u), V_u.shape[1]))
    for scores, V in ring_scores(comm, Q_u, K_u, V_u, causal):
        top = largest(scores)
        votes = np.exp(scores - np.where(top > -np.inf, top, 0.0))
        output += votes @ V / np.maximum(votes.sum(axis=1, keepdims=True), 1e-300)
    return output / comm.size


@misconception(
    ring_attention,
    hint="In step 2 a rank must get the block of the rank before the last. Which block does yours hand on?",
)
def own_block_sent_every_time(comm, Q_u, K_u, V_u, causal):
    starts = np.cumsum([0, *comm.allgather(len(K_u))])
    i = starts[comm.rank] + np.arange(len(Q_u))[:, None]
    found = []
    for s, K, V in blocks_of_a_ring(comm, K_u, V_u, own_again=True):
        scores = scored(Q_u, K)
        j = starts[(comm.rank - s) % comm.size] + np.arange(len(K))
        found.append((np.where(j > i, -np.inf, scores) if causal else scores, V))
    return accumulated(found, Q_u, V_u)


@misconception(
    ring_attention,
    hint="Who looks at the block that you hand on after the last step? How many bytes does it take?",
)
def one_block_sent_too_many(comm, Q_u, K_u, V_u, causal):
    blocks = blocks_of_a_ring(comm, K_u, V_u, one_more=True)
    return accumulated(ring_scores(comm, Q_u, K_u, V_u, causal, blocks), Q_u, V_u)


@misconception(
    ring_attention,
    hint="A send waits until its receiver receives. If every rank begins with a send, who receives first?",
)
def every_rank_sends_first(comm, Q_u, K_u, V_u, causal):
    def blocks():
        block = K_u, V_u
        for s in range(comm.size):
            yield s, *block
            if s < comm.size - 1:
                comm.send(block, dest=(comm.rank + 1) % comm.size)
                block = comm.recv(source=(comm.rank - 1) % comm.size)

    return accumulated(ring_scores(comm, Q_u, K_u, V_u, causal, blocks()), Q_u, V_u)


@misconception(
    ring_attention,
    hint="A rank may have nothing to compute with a later block. Does the rank behind it need that block?",
)
def later_blocks_not_handed_on(comm, Q_u, K_u, V_u, causal):
    def blocks():
        block = K_u, V_u
        for s in range(comm.size):
            if causal and s > comm.rank:
                return
            yield s, *block
            if s < comm.size - 1:
                right, left = (comm.rank + 1) % comm.size, (comm.rank - 1) % comm.size
                block = comm.sendrecv(block, dest=right, source=left)

    return accumulated(ring_scores(comm, Q_u, K_u, V_u, causal, blocks()), Q_u, V_u)


@misconception(
    ring_attention,
    hint="Your weights are sharper than they should be: what did lesson 3 do to the dot products?",
)
def ring_not_scaled(comm, Q_u, K_u, V_u, causal):
    found = ring_scores(comm, Q_u * np.sqrt(Q_u.shape[1]), K_u, V_u, causal)
    return accumulated(found, Q_u, V_u)


@misconception(
    ring_attention,
    hint="What is exp(1000) in NumPy? Which number is taken off every score of a query, step by step?",
)
def no_maximum_in_the_ring(comm, Q_u, K_u, V_u, causal):
    return accumulated(ring_scores(comm, Q_u, K_u, V_u, causal), Q_u, V_u, shift=False)


# --- ulysses_all_to_all ----------------------------------------------------------------------------------


def heads_of_all_ranks(rng, P, rows, h, d, dtype=float):
    """What each of P ranks is given: `rows` tokens with all their heads."""
    return [(rng.normal(size=(rows, h, d)).astype(dtype),) for _ in range(P)]


def one_rank_with_three_heads(rng):
    return heads_of_all_ranks(rng, 1, 4, 3, 2)


def three_ranks_with_six_heads(rng):
    return heads_of_all_ranks(rng, 3, 2, 6, 4)


def four_ranks_with_eight_heads(rng):
    return heads_of_all_ranks(rng, 4, 5, 8, 1)


def five_ranks_with_ten_heads(rng):
    return heads_of_all_ranks(rng, 5, 1, 10, 3)


def as_many_of_everything(rng):
    """P = h = d, and as many tokens on each rank: an exchange of the wrong axes does not raise here."""
    return heads_of_all_ranks(rng, 3, 3, 3, 3)


def single_precision_heads(rng):
    return heads_of_all_ranks(rng, 2, 4, 6, 3, np.float32)


def three_heads_for_two_ranks(rng):
    return heads_of_all_ranks(rng, 2, 3, 3, 4)


def two_heads_for_three_ranks(rng):
    return heads_of_all_ranks(rng, 3, 2, 2, 5)


def numbered(P, rows, h):
    """What each of P ranks is given, of one feature that is 10 times the token, plus the head."""
    X = 10.0 * np.arange(P * rows)[:, None, None] + np.arange(h)[None, :, None]
    return [(X_u,) for X_u in np.split(X, P)]


@exercise(
    points=4,
    aspects=[
        values(
            2,
            one_rank_with_three_heads,
            three_ranks_with_six_heads,
            four_ranks_with_eight_heads,
            five_ranks_with_ten_heads,
            as_many_of_everything,
            single_precision_heads,
        ),
        aspect(
            "heads left over",
            1,
            raising(ValueError, three_heads_for_two_ranks),
            raising(ValueError, two_heads_for_three_ranks),
        ),
        unchanged(1),
    ],
    examples=[
        example(
            "by hand: two tokens with two heads on two ranks; 10 times the token, plus the head",
            ([[[0.0, 0.5], [1.0, 1.5]]],),
            ([[[10.0, 10.5], [11.0, 11.5]]],),
        ),
        example("four tokens with four heads on two ranks", *numbered(2, 2, 4)),
        example("six tokens with six heads on three ranks", *numbered(3, 2, 6)),
        example("two tokens with three heads on two ranks", *numbered(2, 1, 3)),
    ],
)
def ulysses_all_to_all(comm, X_u):
    """From some tokens with all heads to all tokens with some heads, by one all-to-all.

    Every rank calls it, each with its own tokens; then each can compute the
    attention of its heads without a word to the others.

    comm : communicator of P ranks
    X_u : (n/P, h, d), the tokens of this rank, consecutive ones; P divides n
    Returns an array (n, h/P, d): all tokens in the order of the sequence, with
    heads r·h/P to (r + 1)·h/P − 1 on rank r. Raises ValueError on every rank when
    P does not divide h.
    """
    if X_u.shape[1] % comm.size != 0:
        raise ValueError(f"{X_u.shape[1]} heads can't be shared out evenly among {comm.size} ranks")
    return np.concatenate(comm.alltoall(np.split(X_u, comm.size, axis=1)))


@alternative(ulysses_all_to_all)
def by_slices_of_heads(comm, X_u):
    P, (rows, h, d) = comm.Get_size(), X_u.shape
    each, over = divmod(h, P)
    if over:
        raise ValueError("heads left over")
    output = np.empty((P * rows, each, d))
    for u, part in enumerate(comm.alltoall([X_u[:, j * each : (j + 1) * each] for j in range(P)])):
        output[u * rows : (u + 1) * rows] = part
    return output


@alternative(ulysses_all_to_all)
def gathered_and_cut(comm, X_u):
    """Every rank gets everything, and keeps its own heads: right, though it sends more than it must."""
    if X_u.shape[1] % comm.size:
        raise ValueError
    each = X_u.shape[1] // comm.size
    X = np.vstack(comm.allgather(X_u))
    return X[:, comm.rank * each :][:, :each]


@alternative(ulysses_all_to_all)
def reshaped_before_and_after(comm, X_u):
    P, (rows, h, d) = comm.size, X_u.shape
    if h != h // P * P:
        raise ValueError(h)
    by_rank = X_u.reshape(rows, P, h // P, d).transpose(1, 0, 2, 3)
    return np.array(comm.alltoall(list(by_rank))).reshape(P * rows, h // P, d)


@alternative(ulysses_all_to_all)
def pair_by_pair(comm, X_u):
    P, r = comm.size, comm.rank
    parts = np.split(X_u, P, axis=1)
    received = {r: parts[r]}
    for s in range(1, P):
        to, source = (r + s) % P, (r - s) % P
        received[source] = comm.sendrecv(parts[to], dest=to, source=source)
    return [row for u in range(P) for row in received[u].tolist()]


@alternative(ulysses_all_to_all)
def one_gathers_after_the_other(comm, X_u):
    parts = np.split(X_u, comm.size, axis=1)
    found = [comm.gather(parts[root], root=root) for root in range(comm.size)]
    return np.concatenate(found[comm.rank], axis=0)


def heads_for_each(comm, X_u):
    """The heads of each rank, (n/P, h/P, d) each. Raises ValueError when P does not divide h."""
    if X_u.shape[1] % comm.size:
        raise ValueError("heads left over")
    return np.split(X_u, comm.size, axis=1)


@misconception(
    ulysses_all_to_all,
    hint="On rank 1, whose tokens stand first in yours: its own, or those of rank 0?",
)
def own_tokens_first(comm, X_u):
    received = comm.alltoall(heads_for_each(comm, X_u))
    return np.concatenate([received[(comm.rank - s) % comm.size] for s in range(comm.size)])


@misconception(
    ulysses_all_to_all,
    hint="Which heads has rank 0 in the end: the first h/P, or every P-th? Which were asked for?",
)
def every_pth_head(comm, X_u):
    heads_for_each(comm, X_u)
    return np.concatenate(comm.alltoall([X_u[:, j :: comm.size] for j in range(comm.size)]))


@misconception(
    ulysses_all_to_all,
    hint="Three heads on two ranks: what does each rank hold in the end? Is that what the caller counts on?",
)
def uneven_shares_of_heads(comm, X_u):
    return np.concatenate(comm.alltoall(np.array_split(X_u, comm.size, axis=1)))


@misconception(
    ulysses_all_to_all,
    hint="Three heads on two ranks, one head each: where has the third one gone, and who noticed?",
)
def last_heads_dropped(comm, X_u):
    each = X_u.shape[1] // comm.size
    return np.concatenate(comm.alltoall([X_u[:, j * each :][:, :each] for j in range(comm.size)]))


@misconception(
    ulysses_all_to_all,
    hint="Print the result on two ranks: do both hold the same heads? Who has the others?",
)
def the_same_heads_everywhere(comm, X_u):
    return np.concatenate(comm.allgather(heads_for_each(comm, X_u)[0]))


@misconception(
    ulysses_all_to_all,
    hint="A rank is to end with all tokens. How many has yours, and along which axis did the parts meet?",
)
def joined_along_the_heads(comm, X_u):
    return np.concatenate(comm.alltoall(heads_for_each(comm, X_u)), axis=1)


@misconception(
    ulysses_all_to_all,
    hint="How many axes has your result? Should the rank that a token came from have one of its own?",
)
def a_new_axis_for_the_ranks(comm, X_u):
    return np.stack(comm.alltoall(heads_for_each(comm, X_u)))


@misconception(
    ulysses_all_to_all,
    hint="Tokens 0 and 1 both lie on rank 0. In your result, does token 1 follow token 0?",
)
def a_token_of_each_rank_in_turn(comm, X_u):
    parts = np.stack(comm.alltoall(heads_for_each(comm, X_u)), axis=1)
    return parts.reshape(-1, *parts.shape[2:])


@misconception(
    ulysses_all_to_all,
    hint="Each rank is to keep some heads of every token. What did you cut before sending, heads or tokens?",
)
def tokens_cut(comm, X_u):
    heads_for_each(comm, X_u)
    return np.concatenate(comm.alltoall(np.array_split(X_u, comm.size, axis=0)), axis=1)


@misconception(
    ulysses_all_to_all,
    hint="Your rank keeps its own heads. Of how many tokens: its own, or all n? Who has the others?",
)
def nothing_exchanged(comm, X_u):
    return heads_for_each(comm, X_u)[comm.rank]


@misconception(
    ulysses_all_to_all,
    hint="A send waits until its receiver receives. If every rank begins with its sends, who receives first?",
)
def all_sends_before_any_receive(comm, X_u):
    parts = heads_for_each(comm, X_u)
    others = [u for u in range(comm.size) if u != comm.rank]
    for u in others:
        comm.send(parts[u], dest=u)
    received = {u: comm.recv(source=u) for u in others} | {comm.rank: parts[comm.rank]}
    return np.concatenate([received[u] for u in range(comm.size)])


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


# --- questions -------------------------------------------------------------------------------------------

#: exp of the seed's scores 2.0 and 1.0, which one machine holds, and 0.5, which another holds.
VOTES = [math.exp(score) for score in (2.0, 1.0, 0.5)]
LOCAL = VOTES[0] / (VOTES[0] + VOTES[1])

distributed_weight = question(
    "distributed_weight",
    "number",
    points=2,
    seed_item="S0.13",
    prompt=(
        "A sequence of three keys is spread over two machines. A query's scaled scores are 2.0 and 1.0 for "
        "the two keys on machine 0, and 0.5 for the one on machine 1. By hand, with a calculator for "
        "$\\exp$: which weight does the first key (score 2.0) get in the attention of the whole sequence? "
        "Three decimals or more."
    ),
    key=VOTES[0] / sum(VOTES),
    hints=[
        (LOCAL / 2, "You halved its share on machine 0. Does machine 1 deserve half of all the attention?"),
        (LOCAL, "That is its share among the keys of machine 0. Who else casts a vote in this query?"),
        (
            2 * LOCAL / 3,
            "You gave machine 0 two thirds, for two keys of three. Do all keys match equally well?",
        ),
        (
            1 / (1 + math.exp(-1) + 1),
            "Each machine took off a largest score of its own. In which currency is each vote, then?",
        ),
        (
            LOCAL * VOTES[0] / (VOTES[0] + VOTES[2]),
            "You weighed the machines by their best score alone. How many votes has machine 0 in all?",
        ),
        (
            VOTES[0] / (VOTES[0] + VOTES[2]),
            "Two votes are in your sum. How many keys does the sequence have?",
        ),
        (2 / 3.5, "You shared out by the scores 2, 1 and 0.5. By what does the softmax share out?"),
        (VOTES[0], "That is its vote. What do all three votes add up to?"),
    ],
)

averaged_local_softmax = question(
    "averaged_local_softmax",
    "choice",
    prompt=(
        "Three GPUs hold the keys and values of one sequence, a third each. For a query, each takes the "
        "softmax over the scores of its own keys and mixes its own values by it. Then the three outputs are "
        "averaged. What has been computed?"
    ),
    options={
        "A": (
            "The attention over the whole sequence: each GPU's weights add up to 1, and so do their means, "
            "as they should."
        ),
        "B": (
            "The attention over the whole sequence, as long as each GPU has equally many keys; otherwise "
            "weigh by their number."
        ),
        "C": (
            "Attention within each third: every GPU gets a third of the say, however well or badly its keys "
            "match."
        ),
        "D": (
            "The attention over the whole sequence, if all GPUs take off the same largest score before "
            "they use $\\exp$."
        ),
    },
    key="C",
    hints=[
        (
            "A",
            "Shares that add up to 1 need not be the right ones. What did GPU 0 know of the others' scores?",
        ),
        ("B", "One GPU's keys all score 0, another's all score 9. Should equal numbers mean equal shares?"),
        ("D", "Each GPU divides by its own sum. Does what was taken off before still show after that?"),
    ],
)

quadratic_limit = question(
    "quadratic_limit",
    "choice",
    seed_item="S3.15",
    prompt=(
        "A Transformer whose tokens all attend to each other is to read 1,000,000 tokens instead of 10,000, "
        "on 100 times as many machines. Which statement names the core limitation of its attention, and "
        "what the machines do about it?"
    ),
    options={
        "A": (
            "Its matrices $W^q$, $W^k$, $W^v$ grow with the text, so every machine must hold 100 times as "
            "many parameters as before."
        ),
        "B": (
            "The work for each token stays what it was, so the whole grows 100-fold, and 100 times the "
            "machines make up for it."
        ),
        "C": (
            "It reads token after token, and a text 100 times as long takes 100 times as many steps on any "
            "number of machines."
        ),
        "D": (
            "Every token meets every other: 10,000 times the work. Each machine's share of it still grows "
            "100-fold."
        ),
    },
    key="D",
    hints=[
        ("A", "What are the shapes of those three matrices? Does n occur in any of them?"),
        ("B", "How many keys does one query meet in the short text, and how many in the long one?"),
        ("C", "Which approach hands a state from token to token? Must a score wait for another score?"),
    ],
)

review_a_parallel_plan = free_text(
    "review_a_parallel_plan",
    prompt=(
        'A team reports: *"We cut the text over 8 machines, in order. Each computes attention over its own '
        "keys; we then take the mean of the eight outputs, weighted by the number of keys. With the causal "
        "mask our ring's last machine is busy all the time while the others wait, so we will buy 64. There "
        'we switch to Ulysses; the model has 32 heads."* Review the plan, in six to ten sentences: (a) what '
        "must each machine hand over for a query, how is it merged, and why is the order of merging free; "
        "(b) how long is the causal ring's critical path over the ideal at 8 and at 64 machines, and what "
        "evens it out; (c) what does Ulysses exchange, and why is 64 impossible here; (d) one number that "
        "you measured in this lesson and that speaks for one of your points."
    ),
    rubric=[
        (
            1,
            "(a) Hand over m, l and the un-normalised o (or the output with its lse). Bring all to one "
            "largest score by exp(m − m'), add the l and the o, divide once at the end: global sums, so "
            "exact; the merge is associative, so any order or tree gives the same up to rounding.",
        ),
        (
            1,
            "(b) 2 − 1/P: 1.875 at 8 and 1.98 at 64, so more machines do not cure it. Striped or zigzag "
            "positions give every rank early and late tokens: about 1.00.",
        ),
        (
            1,
            "(c) An all-to-all trades slices of tokens for slices of heads, so that a rank has all tokens "
            "of h/P heads; h = 32 is not divisible by 64: there would be ranks without a head.",
        ),
        (
            1,
            "(d) A number of the lesson, used as evidence: the error of averaging against that of merging, "
            "a measured critical path, bytes sent, time or memory per rank.",
        ),
    ],
    model_answer=(
        "(a) A mean of outputs that were normalised locally is local attention: a machine whose keys match "
        "badly gets as much say as the number of its keys. Each machine must hand over its largest score m, "
        "the sum l of exp(score − m), and o, its values summed with the same votes, before any division. To "
        "merge two, take the larger m, multiply the other's l and o by exp(m − m'), add, and divide o by l "
        "once at the end. These are sums over all keys, so the result is that of one machine up to "
        "rounding, and since adding is associative, any order or tree of merging will do. (b) With "
        "contiguous shards and a causal mask the last machine has work in every step and the first only in "
        "its own: critical path over ideal is 2 − 1/P, 1.875 at 8 machines and 1.98 at 64, so buying more "
        "does not help. Striped or zigzag positions give each machine early and late tokens and bring it to "
        "about 1. (c) Ulysses exchanges by all-to-all: each machine gives away its tokens' other heads and "
        "receives all tokens of its own heads. With 32 heads there are at most 32 shares, so 64 machines "
        "cannot all get one; the ring, which passes keys and values around, knows no such limit, and the two "
        "can be combined. (d) In my run merging was off by 1e-15, averaging by 0.1 to 0.4."
    ),
)
