"""Lesson 6 once more, written from the formulas with nothing but Python's floats and loops."""

from __future__ import annotations

import math


def softmax(scores):
    """The weights of a list of scores; a score of None may not be looked at."""
    seen = [score for score in scores if score is not None]
    if not seen:
        return [0.0] * len(scores)
    largest = max(seen)
    votes = [0.0 if score is None else math.exp(score - largest) for score in scores]
    total = math.fsum(votes)
    return [vote / total for vote in votes]


def score(q, k):
    return math.fsum(float(a) * float(b) for a, b in zip(q, k, strict=True)) / math.sqrt(len(q))


def mixed(weights, V):
    return [math.fsum(w * float(v[c]) for w, v in zip(weights, V, strict=True)) for c in range(len(V[0]))]


def times(X, W):
    """The product of two matrices, as lists of rows."""
    columns = range(len(W[0]))
    return [[math.fsum(float(x[r]) * float(W[r][c]) for r in range(len(W))) for c in columns] for x in X]


def attend_one(q, K, V):
    return mixed(softmax([score(q, k) for k in K]), V)


def is_allowed(allowed, place):
    """Whether `allowed`, broadcast as NumPy does, is True at the index `place` of the scores."""
    shape = []
    inner = allowed
    while hasattr(inner, "__len__"):
        shape.append(len(inner))
        inner = inner[0]
    found = allowed
    for size, index in zip(shape, place[len(place) - len(shape) :], strict=True):
        found = found[0 if size == 1 else index]
    return bool(found)


def scaled_dot_product_attention(Q, K, V, allowed=None, outside=()):
    if hasattr(Q[0][0], "__len__"):
        return [scaled_dot_product_attention(Q[b], K[b], V[b], allowed, (*outside, b)) for b in range(len(Q))]
    output = []
    for i, q in enumerate(Q):
        scores = [
            score(q, k) if allowed is None or is_allowed(allowed, (*outside, i, j)) else None
            for j, k in enumerate(K)
        ]
        output.append(mixed(softmax(scores), V))
    return output


def multi_head_attention(X, W_q, W_k, W_v, W_o, h, allowed=None):
    Q, K, V = times(X, W_q), times(X, W_k), times(X, W_v)
    d_head = len(X[0]) // h
    found = [[] for _ in X]
    for head in range(h):
        columns = range(head * d_head, (head + 1) * d_head)
        for i in range(len(X)):
            scores = []
            for j in range(len(X)):
                if allowed is not None and not is_allowed(allowed, (head, i, j)):
                    scores.append(None)
                else:
                    scores.append(math.fsum(Q[i][c] * K[j][c] for c in columns) / math.sqrt(d_head))
            weights = softmax(scores)
            found[i] += [math.fsum(w * V[j][c] for j, w in enumerate(weights)) for c in columns]
    return times(found, W_o)


def grouped_query_attention(Q, K, V):
    in_a_group = len(Q) // len(K)
    output = []
    for shared in range(len(K)):
        for member in range(in_a_group):
            head = Q[shared * in_a_group + member]
            output.append([attend_one(q, K[shared], V[shared]) for q in head])
    return output


def sdpa_backward(dO, Q, K, V):
    """By the chain rule, one derivative of one weight by one score at a time."""
    n_q, n_k, d_k, d_v = len(Q), len(K), len(Q[0]), len(V[0])
    dQ = [[0.0] * d_k for _ in range(n_q)]
    dK = [[0.0] * d_k for _ in range(n_k)]
    dV = [[0.0] * d_v for _ in range(n_k)]
    for i in range(n_q):
        a = softmax([score(Q[i], k) for k in K])
        for j in range(n_k):
            by_weight = math.fsum(float(dO[i][c]) * float(V[j][c]) for c in range(d_v))
            for c in range(d_v):
                dV[j][c] += a[j] * float(dO[i][c])
            for k in range(n_k):
                weight_by_score = a[j] * ((1.0 if j == k else 0.0) - a[k])
                by_score = by_weight * weight_by_score / math.sqrt(d_k)
                for c in range(d_k):
                    dQ[i][c] += by_score * float(K[k][c])
                    dK[k][c] += by_score * float(Q[i][c])
    return dQ, dK, dV


def blockwise_attention(Q, K, V, block, causal):
    """What the blocks must add up to: the whole row, one query at a time."""
    return [attend_one(q, K[: i + 1] if causal else K, V[: i + 1] if causal else V) for i, q in enumerate(Q)]
