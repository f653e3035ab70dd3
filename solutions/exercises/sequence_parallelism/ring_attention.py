"""`ring_attention`: cases, the reference, other right solutions, known mistakes."""

import math

import numpy as np

from autograder.exercise import alternative, aspect, example, exercise, misconception, thrifty, values

from .local_partial import local_partial
from .merge_partials import merge_partials
from .shared import drawn, largest, rising, rounded_to, scored


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
    score so far, l = Σ_j exp(β_ij − m) and o = Σ_j exp(β_ij − m) v_j. Between two
    steps it passes the block on to rank r + 1 (mod P). At the end the output is o / l.

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
def query_by_query_from_partial_results(comm, Q_u, K_u, V_u, causal):
    """What a query finds in each block is merged at the end; keys and values travel one after the other."""
    P, r = comm.size, comm.rank
    lengths = comm.allgather(len(K_u))
    parts = [[] for _ in Q_u]
    for s in range(P):
        before = sum(lengths[: (r - s) % P])
        for i, q in enumerate(Q_u):
            seen = max(0, sum(lengths[:r]) + i + 1 - before) if causal else len(K_u)
            parts[i].append(local_partial(q, K_u[:seen], V_u[:seen]))
        if s < P - 1:
            K_u = comm.sendrecv(K_u, (r + 1) % P, sendtag=1, source=(r - 1) % P, recvtag=1)
            V_u = comm.sendrecv(V_u, (r + 1) % P, sendtag=2, source=(r - 1) % P, recvtag=2)
    return np.array([merge_partials(found) for found in parts]).reshape(len(Q_u), V_u.shape[1])


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
    """The blocks go the other way round, and say themselves which tokens they hold."""
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
            source, to = (comm.rank + 1) % comm.size, (comm.rank + comm.size - 1) % comm.size
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
    hint="P blocks, one on each rank already: how many does a rank hand on in yours? Who looks at it all?",
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
    hint="A rank without rows has nothing to compute. Its neighbour on the right waits: for whose blocks?",
)
def ranks_without_rows_leave(comm, Q_u, K_u, V_u, causal):
    if len(Q_u) == 0:
        return np.zeros((0, V_u.shape[1]))
    return accumulated(ring_scores(comm, Q_u, K_u, V_u, causal), Q_u, V_u)


@misconception(
    ring_attention,
    hint="A rank may have nothing to compute with a later block. Does the rank behind it need that block?",
)
def later_blocks_not_handed_on(comm, Q_u, K_u, V_u, causal):
    blocks = blocks_of_a_ring(comm, K_u, V_u, steps=comm.rank + 1 if causal else None)
    return accumulated(ring_scores(comm, Q_u, K_u, V_u, causal, blocks), Q_u, V_u)


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
