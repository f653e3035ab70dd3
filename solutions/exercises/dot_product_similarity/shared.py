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
    return (rng.normal(size=(6, 2)) * np.array([[0.01], [1], [10], [100], [1], [1000]]),)


def single_precision(rng):
    return (rng.normal(size=(5, 4)).astype(np.float32),)
