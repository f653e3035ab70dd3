"""Lesson 7 once more, written from the formulas with Python's floats and loops."""

from __future__ import annotations

import math


def listed(rows):
    """A copy of an array's rows as lists of floats."""
    return [[float(number) for number in row] for row in rows]


def times(x, W):
    """The row vector x times the matrix W."""
    return [math.fsum(float(x[r]) * float(W[r][c]) for r in range(len(W))) for c in range(len(W[0]))]


def attend(q, K, V):
    """softmax(q Kᵀ / √d_k) V, for one query and lists of rows."""
    scores = [math.fsum(float(a) * float(b) for a, b in zip(q, k, strict=True)) for k in K]
    scores = [score / math.sqrt(len(q)) for score in scores]
    votes = [math.exp(score - max(scores)) for score in scores]
    total = math.fsum(votes)
    return [
        math.fsum(vote / total * float(v[c]) for vote, v in zip(votes, V, strict=True))
        for c in range(len(V[0]))
    ]


def kv_append(K, V, k_new, v_new):
    return listed(K) + listed(k_new), listed(V) + listed(v_new)


def decode_step(x_t, cache, W_q, W_k, W_v):
    K, V = listed(cache[0]), listed(cache[1])
    K.append(times(x_t, W_k))
    V.append(times(x_t, W_v))
    return attend(times(x_t, W_q), K, V), (K, V)


def prefill(X, W_q, W_k, W_v):
    """Row i from the tokens 0 to i alone."""
    K, V = [times(x, W_k) for x in X], [times(x, W_v) for x in X]
    return [attend(times(X[i], W_q), K[: i + 1], V[: i + 1]) for i in range(len(X))], (K, V)


def chunked_prefill(X, cache, W_q, W_k, W_v):
    """Token i of the chunk sees the n cached rows and the first i + 1 of the chunk."""
    n = len(cache[0])
    K = listed(cache[0]) + [times(x, W_k) for x in X]
    V = listed(cache[1]) + [times(x, W_v) for x in X]
    output = [attend(times(X[i], W_q), K[: n + i + 1], V[: n + i + 1]) for i in range(len(X))]
    return output, (K, V)


def kv_cache_bytes(n_layers, n_kv_heads, d_head, seq_len, batch=1, itemsize=2):
    """Counted head by head: a key and a value of d_head numbers for each token of each sequence."""
    count = 0
    for _ in range(n_layers):
        for _ in range(n_kv_heads):
            count += (d_head + d_head) * itemsize * seq_len * batch
    return count


def preallocated_write(buf_K, buf_V, length, k_new, v_new):
    free = len(buf_K) - length
    if free < 1:
        raise ValueError("no slot is free")
    for c in range(len(k_new)):
        buf_K[length][c] = k_new[c]
    for c in range(len(v_new)):
        buf_V[length][c] = v_new[c]
    return length + 1


def preallocated_attend(q, buf_K, buf_V, length):
    return attend(q, listed(buf_K)[:length], listed(buf_V)[:length])


def gather_pages(pages, table, length):
    """Slot by slot through the pages, until `length` rows are there."""
    rows = []
    for page in table:
        for slot in range(len(pages[0])):
            if len(rows) < length:
                rows.append([float(number) for number in pages[page][slot]])
    return rows
