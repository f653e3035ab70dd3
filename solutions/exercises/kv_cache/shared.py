"""What several exercises of this lesson draw their cases with, or are built from."""

import math

import numpy as np


def drawn(rng, *shapes):
    return tuple(rng.normal(size=shape) for shape in shapes)


def rounded_to(dtype, *arrays):
    """The arrays in another precision, also those within a tuple."""
    return tuple(rounded_to(dtype, *a) if isinstance(a, tuple) else a.astype(dtype) for a in arrays)


def softmax_of(scores):
    """The softmax of the last axis; a row of −inf alone, and a row of no scores, gives zeros."""
    top = scores.max(axis=-1, keepdims=True, initial=-np.inf)
    votes = np.exp(scores - np.where(np.isfinite(top), top, 0.0))
    total = votes.sum(axis=-1, keepdims=True)
    return votes / np.where(total == 0.0, 1.0, total)


def matrices(rng, d_model, d_k, d_v):
    """W_q, W_k, W_v that keep scores of the order of 1."""
    shapes = ((d_model, d_k), (d_model, d_k), (d_model, d_v))
    return tuple(1.5 * W / math.sqrt(d_model) for W in drawn(rng, *shapes))


def loud_matrices(rng, d_model, d_k, d_v, keys=1.0):
    """W_q, W_k, W_v by which a token whose feature 0 is ±1 has a query and a key that begin with ±`loud`:
    two of them score ±1000. `keys` −1 turns the keys round."""
    W_q, W_k, W_v = matrices(rng, d_model, d_k, d_v)
    for W, sign in ((W_q, 1.0), (W_k, keys)):
        W *= 0.5
        W[:, 0] = 0.0
        W[0] = 0.0
        W[0, 0] = sign * loud(d_k)
    return W_q, W_k, W_v


def loud(d_k):
    return math.sqrt(1000 * math.sqrt(d_k))


def loud_tokens(rng, signs, d_model):
    X = rng.normal(size=(len(signs), d_model))
    X[:, 0] = signs
    return X


def loud_past(rng, signs, d_k, d_v):
    K, V = drawn(rng, (len(signs), d_k), (len(signs), d_v))
    K[:, 0] = np.array(signs) * loud(d_k)
    return K, V


def grown(X, cache, W_k, W_v):
    """The cache with the keys and values of the rows of X at its end."""
    return np.concatenate([cache[0], X @ W_k]), np.concatenate([cache[1], X @ W_v])


def mixed(Q, K, V, allowed=True, scale=None):
    """Attention of Q (n_q, d_k) where `allowed`, for the mistakes that are made around it."""
    scores = np.where(allowed, Q @ K.T / (scale or np.sqrt(Q.shape[1])), -np.inf)
    return softmax_of(scores) @ V


def causal(X, W_q, W_k, W_v, k=0, scale=None):
    """Causal attention, with the triangle moved by `k`."""
    allowed = np.tri(len(X), k=k, dtype=bool)
    return mixed(X @ W_q, X @ W_k, X @ W_v, allowed, scale)
