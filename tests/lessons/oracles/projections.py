"""Lesson 2 once more, written from the formulas with nothing but Python's floats and loops."""

from __future__ import annotations


def project(X, W):
    n, d_model, width = len(X), len(W), len(W[0])
    Q = [[0.0] * width for _ in range(n)]
    for i in range(n):
        for c in range(width):
            for r in range(d_model):
                Q[i][c] += float(X[i][r]) * float(W[r][c])
    return Q


def qkv_projections(X, W_q, W_k, W_v):
    results = []
    for W in (W_q, W_k, W_v):
        rows = []
        for x in X:
            row = []
            for c in range(len(W[0])):
                row.append(sum(float(x[r]) * float(W[r][c]) for r in range(len(W))))
            rows.append(row)
        results.append(rows)
    return tuple(results)


def fused_qkv(X, W_qkv, d_k, d_v):
    Q, K, V = [], [], []
    for x in X:
        columns = []
        for c in range(2 * d_k + d_v):
            columns.append(sum(float(x[r]) * float(W_qkv[r][c]) for r in range(len(W_qkv))))
        Q.append([columns[c] for c in range(d_k)])
        K.append([columns[d_k + c] for c in range(d_k)])
        V.append([columns[d_k + d_k + c] for c in range(d_v)])
    return Q, K, V


def split_heads(X, h):
    n, d_head = len(X), len(X[0]) // h
    Z = []
    for head in range(h):
        tokens = []
        for i in range(n):
            tokens.append([float(X[i][head * d_head + c]) for c in range(d_head)])
        Z.append(tokens)
    return Z


def merge_heads(Z):
    h, n, d_head = len(Z), len(Z[0]), len(Z[0][0])
    X = [[0.0] * (h * d_head) for _ in range(n)]
    for head in range(h):
        for i in range(n):
            for c in range(d_head):
                X[i][head * d_head + c] = float(Z[head][i][c])
    return X


def qk_bilinear(W_q, W_k):
    d_model, d_k = len(W_q), len(W_q[0])
    M = [[0.0] * d_model for _ in range(d_model)]
    for a in range(d_model):
        for b in range(d_model):
            for c in range(d_k):
                M[a][b] += float(W_q[a][c]) * float(W_k[b][c])
    return M
