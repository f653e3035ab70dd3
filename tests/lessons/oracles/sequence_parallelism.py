"""Lesson 8 once more, written from F9 with nothing but Python's floats and loops: however the keys are
shared out, the output is that of attention over all of them.

    α_ij = exp β_ij / Σ_u Σ_{j' in shard u} exp β_ij',   o_i = Σ_u Σ_{j in shard u} α_ij v_j
"""

from __future__ import annotations

import math

import numpy as np  # for shapes that lists cannot have: no row, but a width


def sizes(n, parts):
    """How long the parts are when n things are shared out, the first ones getting what is left over."""
    return [n // parts + (1 if part < n % parts else 0) for part in range(parts)]


def runs(n, parts):
    """The numbers 0 to n − 1 as consecutive runs."""
    found, start = [], 0
    for size in sizes(n, parts):
        found.append(list(range(start, start + size)))
        start += size
    return found


def score(q, k):
    return math.fsum(float(a) * float(b) for a, b in zip(q, k, strict=True)) / math.sqrt(len(q))


def attended(q, K, V):
    """The output for one query over all keys: the two sums of F9."""
    scores = [score(q, k) for k in K]
    votes = [math.exp(one - max(scores)) for one in scores]
    return [
        math.fsum(vote * float(v[c]) for vote, v in zip(votes, V, strict=True)) / math.fsum(votes)
        for c in range(len(V[0]))
    ]


def rows_of(M, places, width):
    """Rows of a matrix at the given places; with none, still a matrix of that width."""
    return np.array([[float(x) for x in M[i]] for i in places]).reshape(len(places), width)


def shard_rows(K, V, P):
    d_k, d_v = K.shape[1], V.shape[1]
    return (
        [rows_of(K, run, d_k) for run in runs(len(K), P)],
        [rows_of(V, run, d_v) for run in runs(len(V), P)],
    )


def local_partial(q, K_u, V_u):
    d_v = V_u.shape[1]
    scores = [score(q, k) for k in K_u]
    if not scores:
        return -math.inf, 0.0, [0.0] * d_v
    m = max(scores)
    votes = [math.exp(one - m) for one in scores]
    mixed = [math.fsum(vote * float(v[c]) for vote, v in zip(votes, V_u, strict=True)) for c in range(d_v)]
    return m, math.fsum(votes), mixed


def merge_partials(parts):
    seen = [(float(m), float(l), [float(x) for x in o]) for m, l, o in parts if l > 0]
    if not seen:
        return [0.0] * len(parts[0][2])
    reference = max(m for m, _, _ in seen)
    votes = math.fsum(math.exp(m - reference) * l for m, l, _ in seen)
    return [
        math.fsum(math.exp(m - reference) * o[c] for m, _, o in seen) / votes for c in range(len(seen[0][2]))
    ]


def merge_lse(o_a, lse_a, o_b, lse_b):
    """Two shards with votes exp(lse): what is shared out between them."""
    if lse_a == lse_b == -math.inf:
        return [0.0] * len(o_a), -math.inf
    largest = max(lse_a, lse_b)
    a, b = math.exp(lse_a - largest), math.exp(lse_b - largest)
    mixed = [(a * float(x) + b * float(y)) / (a + b) for x, y in zip(o_a, o_b, strict=True)]
    return mixed, largest + math.log(a + b)


def stacked(shards):
    return [row for shard in shards for row in shard]


def as_rows(rows, width):
    return rows_of(rows, range(len(rows)), width)


def sequence_parallel_attention(comm, Q, K_u, V_u):
    output = []
    for q in Q:
        scores = [score(q, k) for k in K_u]
        largest = max(comm.allgather(max(scores, default=-math.inf)))
        votes = [math.exp(one - largest) for one in scores]
        below = math.fsum(comm.allgather(math.fsum(votes)))
        above = [
            math.fsum(vote * float(v[c]) for vote, v in zip(votes, V_u, strict=True))
            for c in range(V_u.shape[1])
        ]
        output.append([math.fsum(column) / below for column in zip(*comm.allgather(above), strict=True)])
    return output


def ring_attention(comm, Q_u, K_u, V_u, causal):
    K, V, before = stacked(comm.allgather(K_u)), stacked(comm.allgather(V_u)), comm.allgather(len(Q_u))
    output = []
    for i, q in enumerate(Q_u):
        seen = sum(before[: comm.rank]) + i + 1 if causal else len(K)
        output.append(attended(q, K[:seen], V[:seen]))
    return as_rows(output, V_u.shape[1])


def ulysses_all_to_all(comm, X_u):
    """Token by token, in the order of the ranks: this rank's own heads and no others."""
    h = X_u.shape[1]
    if h % comm.size != 0:
        raise ValueError("heads left over")
    own = range(comm.rank * (h // comm.size), (comm.rank + 1) * (h // comm.size))
    return np.array([[token[head] for head in own] for shard in comm.allgather(X_u) for token in shard])


def balanced_positions(n, P, scheme):
    if scheme == "contiguous":
        return runs(n, P)
    if scheme == "striped":
        return [[i for i in range(n) if i % P == rank] for rank in range(P)]
    if scheme == "zigzag":
        chunks = runs(n, 2 * P)
        return [chunks[rank] + chunks[2 * P - 1 - rank] for rank in range(P)]
    raise ValueError(scheme)
