"""`sequence_parallel_attention`: cases, the reference, other right solutions, known mistakes."""

import math

import numpy as np

from attention_lib.ranks import MAX, SUM
from autograder.exercise import (
    alternative,
    aspect,
    example,
    exercise,
    misconception,
    thrifty,
    unchanged,
    values,
)

from .local_partial import local_partial
from .merge_partials import merge_partials
from .shared import drawn, largest, rising, rounded_to, scored, with_scores


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
    return np.array([merge_partials(comm.allgather(local_partial(q, K_u, V_u))) for q in Q])


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
    hint="What are exp(1000) and exp(-1000) in NumPy? Which number can all ranks take off, and who knows it?",
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
    hint="A rank without keys has cast no vote: what do you divide by there? What becomes of NaN in a sum?",
)
def nan_from_a_rank_without_keys(comm, Q, K_u, V_u):
    scores = scored(Q, K_u)
    m = largest(scores)
    votes = np.exp(scores - m)
    l = votes.sum(axis=1, keepdims=True)
    own, lse = votes @ V_u / l, m + np.log(l)
    together = np.logaddexp.reduce(comm.allgather(lse))
    return comm.allreduce(np.exp(lse - together) * own, op=SUM)


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
