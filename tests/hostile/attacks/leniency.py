"""Attacks on what the judge forgives: mistakes carried forward, and stand-ins for what could not be run."""

from __future__ import annotations

from sample_class.handed_in import HandedIn

from attacks.recipe import attack

#: A mistake of a kind that is known, in an exercise that others build on.
VOTES_NOT_SHARED_OUT = """
def causal_weights(S):
    return np.tril(np.exp(S))
"""


@attack("leniency", "causal_weights", "first_approach_output")
def nothing_carried_forward(submission: HandedIn) -> None:
    """A known mistake upstream, and nothing downstream, in the hope that this follows from that."""
    submission.fill("causal_weights", VOTES_NOT_SHARED_OUT)
    submission.fill(
        "first_approach_output",
        "def first_approach_output(X):\n    causal_weights(X @ X.T)\n    return np.zeros_like(X)",
    )


@attack("leniency", "normalize_scores", "causal_weights", "first_approach_output")
def everything_upstream_raises(submission: HandedIn) -> None:
    """What others build on raises, so that stand-ins come, and the rest returns what a stand-in gave."""
    submission.fill("normalize_scores", "def normalize_scores(scores):\n    raise ValueError('not today')")
    submission.fill(
        "causal_weights",
        "def causal_weights(S):\n    return [normalize_scores(row) for row in S]",
    )
    submission.fill(
        "first_approach_output",
        """
        def first_approach_output(X):
            causal_weights
            try:
                return normalize_scores(X)
            except Exception:
                return X
        """,
    )


@attack("leniency", "score_matrix", "first_approach_output")
def mentioned_and_not_called(submission: HandedIn) -> None:
    """An exercise that could not be run is only mentioned: its stand-in is to excuse what does not use it."""
    submission.fill("score_matrix", "def score_matrix(X):\n    raise RuntimeError")
    submission.fill(
        "first_approach_output",
        """
        # score_matrix causal_weights normalize_scores dot_score
        def first_approach_output(X):
            return np.cumsum(X, axis=0) / np.arange(1, len(X) + 1)[:, None]
        """,
    )
