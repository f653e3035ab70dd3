"""Weights of a head of the real model, from the formulas: what the lessons' prose is held to."""

from __future__ import annotations

import math

import numpy as np

from attention_lib import real_model


def scores_of(vectors, k=4):
    """The scaled scores (n, n) of head `k` for what enters the layer, (n, 384)."""
    X, head = real_model.with_one(vectors), real_model.head(k)
    return (X @ head.W_q) @ (X @ head.W_k).T / math.sqrt(32)


def softmax(row):
    """One row of moderate scores, with Python's floats; at least one is finite."""
    votes = [math.exp(float(score)) for score in row]
    return [vote / sum(votes) for vote in votes]


def weights_of(scores):
    """Each row of `scores` as weights."""
    return np.array([softmax(row) for row in scores])
