"""Lesson 3 once more, written from the formulas with nothing but Python's floats and loops."""

from __future__ import annotations

import math


def attention_score(q, k, mask_ij=0.0):
    d_k = len(k)
    product = 0.0
    for c in range(d_k):
        product += float(q[c]) * float(k[c])
    return product / math.sqrt(d_k) + float(mask_ij)


def scaled_scores(Q, K):
    scores = []
    for q in Q:
        row = []
        for k in K:
            product = 0.0
            for c in range(len(k)):
                product += float(q[c]) * float(k[c])
            row.append(product / math.sqrt(len(k)))
        scores.append(row)
    return scores


def score_variance(d_k, n_samples, seed):
    """In closed form. With independent entries of mean 0 and variance 1, a product of two of them has mean 0
    and variance E[q²] E[k²] = 1; a sum of d_k of these has variance d_k; dividing it by √d_k divides its
    variance by d_k."""
    variance_of_a_product = 1.0 * 1.0
    raw = d_k * variance_of_a_product
    return raw, raw / math.sqrt(d_k) ** 2


def attention_entropy(A):
    entropies = []
    for row in A:
        spread = 0.0
        for a in row:
            if a > 0:
                spread += float(a) * math.log(1.0 / float(a))
        entropies.append(spread)
    return entropies


def softmax_jacobian(a):
    """By the quotient rule on α_i = e_i / s, with scores ln α_i, so that e_i = α_i and s is their sum."""
    n = len(a)
    votes = [float(x) for x in a]
    total = sum(votes)
    J = [[0.0] * n for _ in range(n)]
    for i in range(n):
        for j in range(n):
            own = votes[i] if i == j else 0.0
            J[i][j] = (own * total - votes[i] * votes[j]) / total**2
    return J


def relative_bias_scores(Q, K, u, inside_scale):
    n, d_k = len(Q), len(Q[0])
    by_distance = {distance: float(u[distance + n - 1]) for distance in range(-(n - 1), n)}
    scores = []
    for i in range(n):
        row = []
        for j in range(n):
            product = sum(float(a) * float(b) for a, b in zip(Q[i], K[j], strict=True))
            bias = by_distance[i - j]
            if inside_scale:
                row.append((product + bias) / math.sqrt(d_k))
            else:
                row.append(product / math.sqrt(d_k) + bias)
        scores.append(row)
    return scores
