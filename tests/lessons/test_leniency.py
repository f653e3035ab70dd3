"""What is forgiven downstream of a mistake or of a function that could not be run, on lesson 1: code that
uses the function earns its points, code that only looks as if it did earns none."""

from __future__ import annotations

import textwrap
import warnings

import numpy as np
import pytest

from autograder.judging.judge import Judge
from autograder.judging.on_ranks import perform
from autograder.judging.scoring import Written
from autograder.sandbox.script import standing_in

from .conftest import SECRETS, library

LESSON = "01_dot_product_similarity"

HONEST = {
    "dot_score": "def dot_score(a, b): return a @ b",
    "score_matrix": "def score_matrix(X): return X @ X.T",
    "normalize_scores": "def normalize_scores(scores): return np.exp(scores) / np.exp(scores).sum()",
    "causal_weights": """
        def causal_weights(S):
            A = np.zeros(S.shape)
            for i in range(len(S)):
                A[i, : i + 1] = normalize_scores(S[i, : i + 1])
            return A""",
    "first_approach_output": "def first_approach_output(X): return causal_weights(score_matrix(X)) @ X",
}
#: Known mistakes, and an exercise that can't be run.
RAISES = "def {0}(*given): raise ValueError('no')"
ZERO_TIMES_INFINITY = """
    def causal_weights(S):
        votes = np.exp(S + np.triu(np.ones(S.shape), k=1) * -np.inf)
        return votes / votes.sum(axis=1, keepdims=True)"""
MINUS_INFINITY = """
    def score_matrix(X):
        return np.where(np.tri(len(X), dtype=bool), X @ X.T, -np.inf)"""
PAST_HIDDEN = """
    def causal_weights(S):
        votes = np.triu(np.exp(S))
        return votes / votes.sum(axis=1, keepdims=True)"""
ZEROS = "def score_matrix(X): return np.zeros((len(X), len(X)))"

READ_FROM_THE_STAND_IN = """
    def first_approach_output(X):
        'normalize_scores'
        seen, waiting, found = set(), [normalize_scores], []
        while waiting:
            one = waiting.pop()
            if id(one) in seen:
                continue
            seen.add(id(one))
            if isinstance(one, np.ndarray) and one.ndim == 1:
                found.append(one)
            if isinstance(one, (list, tuple)):
                waiting.extend(one)
            waiting.extend(vars(one).values() if hasattr(one, '__dict__') else ())
            waiting.extend(cell.cell_contents for cell in getattr(one, '__closure__', None) or ())
        rows = {len(weights): weights for weights in found}
        return np.array([rows[i] @ X[:i] if i in rows else X[0] for i in range(1, len(X) + 1)])"""
ASKED_WITH_ANYTHING = """
    def first_approach_output(X):
        return np.array([normalize_scores(np.zeros(i + 1)) @ X[: i + 1] for i in range(len(X))])"""
NOT_A_NUMBER = """
    def first_approach_output(X):
        'score_matrix causal_weights'
        return X * np.nan"""
ECHO = """
    def first_approach_output(X):
        'score_matrix causal_weights'
        return X"""
LOOPED = """
    def first_approach_output(X):
        return np.array([normalize_scores(X[: i + 1] @ X[i]) @ X[: i + 1] for i in range(len(X))])"""


def scores(**written):
    """What the judge gives for HONEST, changed as `written` says."""
    sources = {name: textwrap.dedent(source) for name, source in {**HONEST, **written}.items()}
    functions = {"np": np}
    for source in sources.values():
        exec(source, functions)

    def ask(steps):
        with standing_in(steps, functions), warnings.catch_warnings(action="ignore"):
            return perform(steps, functions)

    sitting = Judge(library(LESSON), SECRETS[0]).sitting()
    return {name: sitting.exercise(name, ask, Written(source)).score for name, source in sources.items()}


FULL = {name: library(LESSON).exercises[name].points for name in HONEST}


def test_honest_code_gets_full_marks():
    assert scores() == FULL


@pytest.mark.parametrize(
    ("upstream", "dishonest"),
    [
        ({"score_matrix": RAISES, "causal_weights": ZERO_TIMES_INFINITY}, NOT_A_NUMBER),
        ({"score_matrix": MINUS_INFINITY, "causal_weights": PAST_HIDDEN}, ECHO),
        ({"score_matrix": ZEROS, "normalize_scores": RAISES}, READ_FROM_THE_STAND_IN),
        ({"score_matrix": ZEROS, "normalize_scores": RAISES}, ASKED_WITH_ANYTHING),
        ({"score_matrix": ZEROS, "normalize_scores": RAISES, "dot_score": RAISES}, ASKED_WITH_ANYTHING),
    ],
    ids=[
        "nan by way of two mistakes",
        "echo",
        "stand-in read",
        "stand-in asked",
        "stand-in asked, two raise",
    ],
)
def test_an_answer_without_what_it_builds_on_earns_nothing(upstream, dishonest):
    upstream = {name: source.format(name) for name, source in upstream.items()}
    assert scores(**upstream, first_approach_output=dishonest)["first_approach_output"] == 0


@pytest.mark.parametrize(
    ("upstream", "honest"),
    [
        ({"score_matrix": RAISES, "causal_weights": ZERO_TIMES_INFINITY}, HONEST["first_approach_output"]),
        ({"score_matrix": MINUS_INFINITY, "causal_weights": PAST_HIDDEN}, HONEST["first_approach_output"]),
        ({"score_matrix": RAISES}, HONEST["first_approach_output"]),
        ({"causal_weights": PAST_HIDDEN}, HONEST["first_approach_output"]),
        ({"normalize_scores": RAISES}, LOOPED),
        ({"normalize_scores": RAISES}, HONEST["first_approach_output"]),
    ],
)
def test_code_that_uses_it_loses_nothing(upstream, honest):
    upstream = {name: source.format(name) for name, source in upstream.items()}
    found = scores(**upstream, first_approach_output=honest)
    assert found["first_approach_output"] == FULL["first_approach_output"]
