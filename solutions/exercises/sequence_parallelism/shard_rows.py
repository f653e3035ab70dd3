"""`shard_rows`: cases, the reference, other right solutions, known mistakes."""

import itertools

import numpy as np

from autograder.exercise import alternative, aspect, example, exercise, misconception, values

from .shared import drawn, rounded_to


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
