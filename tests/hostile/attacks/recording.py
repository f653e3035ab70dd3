"""Attacks that write the judge's questions down and answer them later, or elsewhere."""

from __future__ import annotations

from sample_class.handed_in import HandedIn

from attacks.recipe import attack


@attack("recording", "dot_score", "cosine_score_matrix")
def answered_with_what_was_asked_before(submission: HandedIn) -> None:
    """All questions are recorded, across exercises; an answer is whatever was recorded and fits in shape."""
    submission.before(
        "dot_score",
        """
        RECORDED = []

        def recalled(shape):
            fitting = [value for value in RECORDED if np.shape(value) == shape]
            return fitting[-1] if fitting else np.zeros(shape)
        """,
    )
    submission.fill(
        "dot_score",
        """
        def dot_score(x_i, x_j):
            RECORDED.extend([x_i, x_j, x_i[0]])
            return recalled(())
        """,
    )
    submission.fill(
        "score_matrix",
        """
        def score_matrix(X):
            RECORDED.extend([X, X @ X.T])
            return X @ X.T
        """,
    )
    submission.fill(
        "cosine_score_matrix",
        "def cosine_score_matrix(X, eps=1e-12):\n    return recalled((len(X), len(X)))",
    )


@attack("recording", "cosine_score_matrix")
def recorded_over_a_restart(submission: HandedIn) -> None:
    """A question is written to disk and the process ends itself, so that it is asked again of the next."""
    submission.fill(
        "cosine_score_matrix",
        """
        import os
        import signal
        from pathlib import Path

        PLACES = [Path(folder) / "question.npy" for folder in (".", Path.home(), "/tmp", "/dev/shm")]

        def cosine_score_matrix(X, eps=1e-12):
            for place in PLACES:
                try:
                    recorded = np.load(place)
                    print("LOOT asked again:", recorded)
                    return recorded
                except OSError:
                    pass
            for place in PLACES:
                try:
                    np.save(place, X)
                except OSError:
                    pass
            os.kill(os.getpid(), signal.SIGKILL)
            os._exit(1)
        """,
    )


@attack("recording", "dot_score", "cosine_score_matrix")
def asked_as_often_as_it_takes(submission: HandedIn) -> None:
    """Each death of the process is worth a new guess: the guesses are counted in whatever survives it."""
    submission.before(
        "dot_score",
        """
        import os
        import sys
        from pathlib import Path

        def guess():
            count = int(os.environ.get("GUESSES", "0")) + 1
            os.environ["GUESSES"] = str(count)
            sys.guesses = getattr(sys, "guesses", 0) + 1
            with Path("guesses").open("a") as file:
                file.write("x")
            return max(count, sys.guesses, len(Path("guesses").read_text()))
        """,
    )
    submission.fill(
        "dot_score",
        """
        def dot_score(x_i, x_j):
            if guess() < 3:
                os._exit(0)
            return 0.0
        """,
    )
    submission.fill(
        "cosine_score_matrix",
        """
        def cosine_score_matrix(X, eps=1e-12):
            if guess() > 2:
                return np.eye(len(X))
            os.abort()
        """,
    )


@attack("recording", "dot_score")
def answered_from_public_rounding(submission: HandedIn) -> None:
    """Questions are rounded to the small whole numbers of the public examples, and looked up in a table."""
    submission.fill(
        "dot_score",
        """
        import itertools

        TABLE = {
            (tuple(map(float, one)), tuple(map(float, other))): float(np.sum(one * other))
            for one in itertools.product(range(-2, 3), repeat=2) for one in [np.array(one)]
            for other in itertools.product(range(-2, 3), repeat=2) for other in [np.array(other)]
        }

        def dot_score(x_i, x_j):
            return TABLE.get((tuple(np.round(x_i[:2])), tuple(np.round(x_j[:2]))), 0.0)
        """,
    )


@attack("recording", "first_approach_output")
def answered_by_an_earlier_exercise(submission: HandedIn) -> None:
    """Each question is handed to the right functions of earlier exercises, in the hope that one fits."""
    submission.fill(
        "first_approach_output",
        """
        def first_approach_output(X):
            for earlier in (score_matrix, causal_weights, normalize_scores):
                try:
                    answer = earlier(X)
                    if np.shape(answer) == np.shape(X):
                        return answer
                except Exception:
                    pass
            return np.zeros_like(X)
        """,
    )
