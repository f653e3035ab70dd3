"""What several exercises of this lesson draw their cases with, or are built from."""

import math

import numpy as np


def near_and_far(rng, n, d_k, signs, size=1000):
    """Rows (n, d_k), the first feature so large that two rows score about ±`size` by their `signs`."""
    rows = rng.normal(size=(n, d_k))
    rows[:, 0] = np.resize(signs, n) * math.sqrt(size * math.sqrt(d_k))
    return rows


def drawn(rng, *shapes):
    return tuple(rng.normal(size=shape) for shape in shapes)


def rounded_to(dtype, *arrays):
    return tuple(array.astype(dtype) for array in arrays)


def weights_of(scores):
    """The softmax of the last axis, for the mistakes whose weights are not what is wrong with them."""
    votes = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return votes / votes.sum(axis=-1, keepdims=True)


def masked_weights(scores, allowed, axis=-1):
    """The right weights for these scores, for the mistakes that are made before or after them."""
    if allowed is not None:
        scores = np.where(allowed, scores, -np.inf)
    top = scores.max(axis=axis, keepdims=True)
    votes = np.exp(scores - np.where(np.isfinite(top), top, 0.0))
    total = votes.sum(axis=axis, keepdims=True)
    return votes / np.where(total == 0.0, 1.0, total)


def products(Q, K):
    return Q @ np.swapaxes(K, -1, -2)


VOTES = [math.exp(score) for score in (2.0, 1.0, 0.5)]


W_0, W_1, W_2 = (vote / sum(VOTES) for vote in VOTES)
