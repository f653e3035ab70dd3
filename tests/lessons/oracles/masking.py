"""Lesson 4 once more, written from the definitions with nothing but Python's numbers and loops."""

from __future__ import annotations

import itertools
import math

import numpy as np


def causal_mask(n):
    mask = []
    for i in range(n):
        row = []
        for j in range(n):
            row.append(-math.inf if j > i else 0.0)
        mask.append(row)
    return mask


def causal_mask_rect(n_q, n_k):
    mask = []
    for i in range(n_q):
        position = (n_k - n_q) + i  # where query i stands among the keys
        row = []
        for j in range(n_k):
            row.append(-math.inf if j > position else 0.0)
        mask.append(row)
    return mask


def apply_mask(scores, allowed):
    """Scores as they are where `allowed` has True at the same place, counted from the last axis."""
    masked = np.array(scores)
    for place in itertools.product(*(range(size) for size in masked.shape)):
        mine = place[masked.ndim - np.ndim(allowed) :]
        there = tuple(p if size > 1 else 0 for p, size in zip(mine, np.shape(allowed), strict=True))
        if not bool(allowed[there]):
            masked[place] = -math.inf
    return masked


def padding_mask(lengths, n):
    return [[[j < int(length) for j in range(n)]] for length in lengths]


def sparse_mask(n, window, n_global):
    allowed = [[False] * n for _ in range(n)]
    for i in range(n):
        for j in range(i + 1):
            near = i - j in range(window)
            allowed[i][j] = near or j in range(n_global)
    return allowed


def alibi_bias(h, n):
    bias = []
    for head in range(1, h + 1):
        slope = math.exp(-8 * head / h * math.log(2))
        bias.append([[-slope * (i - j) for j in range(n)] for i in range(n)])
    return np.array(bias)
