"""Lesson 1 once more, written from the formulas with nothing but Python's floats and loops."""

from __future__ import annotations

import math


def dot_score(x_i, x_j):
    total = 0.0
    for c in range(len(x_i)):
        total += float(x_i[c]) * float(x_j[c])
    return total


def score_matrix(X):
    n = len(X)
    S = [[0.0] * n for _ in range(n)]
    for i in range(n):
        for j in range(n):
            for c in range(len(X[i])):
                S[i][j] += float(X[i][c]) * float(X[j][c])
    return S


def normalize_scores(scores):
    votes = []
    total = 0.0
    for score in scores:
        vote = math.exp(float(score))
        votes.append(vote)
        total += vote
    return [vote / total for vote in votes]


def causal_weights(S):
    n = len(S)
    A = [[0.0] * n for _ in range(n)]
    for i in range(n):
        total = 0.0
        for k in range(i + 1):
            total += math.exp(float(S[i][k]))
        for j in range(i + 1):
            A[i][j] = math.exp(float(S[i][j])) / total
    return A


def first_approach_output(X):
    n, d = len(X), len(X[0])
    Y = [[0.0] * d for _ in range(n)]
    for i in range(n):
        total = 0.0
        for j in range(i + 1):
            vote = math.exp(sum(float(X[i][c]) * float(X[j][c]) for c in range(d)))
            total += vote
            for c in range(d):
                Y[i][c] += vote * float(X[j][c])
        Y[i] = [y / total for y in Y[i]]
    return Y


def cosine_score_matrix(X):
    n = len(X)
    C = [[0.0] * n for _ in range(n)]
    for i in range(n):
        for j in range(n):
            product = squares_i = squares_j = 0.0
            for a, b in zip(X[i], X[j], strict=True):
                product += float(a) * float(b)
                squares_i += float(a) ** 2
                squares_j += float(b) ** 2
            if squares_i > 0 and squares_j > 0:
                C[i][j] = product / math.sqrt(squares_i * squares_j)
    return C
