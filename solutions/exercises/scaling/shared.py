"""What several exercises of this lesson draw their cases with, or are built from."""


def weights_of(rng, rows, keys):
    """Rows of weights, all positive, each adding up to 1."""
    votes = rng.uniform(0.2, 3, size=(rows, keys))
    return votes / votes.sum(axis=1, keepdims=True)
