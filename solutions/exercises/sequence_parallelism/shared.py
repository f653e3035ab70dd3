"""What several exercises of this lesson draw their cases with, or are built from."""

import numpy as np


def drawn(rng, *shapes):
    return tuple(rng.normal(size=shape) for shape in shapes)


def rounded_to(dtype, *arrays):
    return tuple(array.astype(dtype) for array in arrays)


def with_scores(rng, scores, d_k):
    """q (d_k,) and K (m, d_k) whose scaled scores are `scores`."""
    q = rng.uniform(1, 2, size=d_k) * rng.choice([-1, 1], size=d_k)
    noise = rng.normal(size=(len(scores), d_k))
    noise -= np.outer(noise @ q / (q @ q), q)
    return q, noise + np.outer(np.array(scores) * np.sqrt(d_k) / (q @ q), q)


def rising(rows, width, step):
    """A table of numbers without a pattern that a hand could follow, for examples of many rows."""
    return np.round(np.sin(step * np.arange(1.0, rows * width + 1)).reshape(rows, width), 2)


def scored(Q, K_u):
    return Q @ K_u.T / np.sqrt(Q.shape[1])


def largest(scores):
    return scores.max(axis=1, keepdims=True, initial=-np.inf)
