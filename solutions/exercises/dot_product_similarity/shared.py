"""What several exercises of this lesson draw their cases with, or are built from."""

import numpy as np


def five_tokens(rng):
    return (rng.normal(size=(5, 3)),)


def more_features_than_tokens(rng):
    return (rng.normal(size=(3, 7)),)


def as_many_tokens_as_features(rng):
    return (rng.normal(size=(4, 4)),)


def one_token(rng):
    return (rng.uniform(1, 2, size=(1, 6)),)


def vectors_of_all_lengths(rng):
    # None is much shorter than 0.01: eps, wherever it enters, must not show.
    X = rng.normal(size=(6, 2))
    return (X / np.linalg.norm(X, axis=1, keepdims=True) * [[0.01], [1], [10], [100], [2], [1000]],)


def single_precision(rng):
    return (rng.normal(size=(5, 4)).astype(np.float32),)
