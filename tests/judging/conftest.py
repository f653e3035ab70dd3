"""A course of two composed exercises, small enough to reason about in a test."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder import library
from autograder.judging.judge import Judge

EXERCISES = '''
import numpy as np

from autograder.exercise import (
    alternative, example, exercise, free_text, misconception, question, raising, unchanged, values, aspect,
)
from autograder.sandbox.script import Call, Let


def ragged(rng):
    return (rng.normal(size=(5, 3)),)


def square(rng):
    return (rng.normal(size=(4, 4)),)


def one_row(rng):
    return (rng.normal(size=(1, 3)),)


@exercise(
    points=4,
    aspects=[values(2, ragged, square), aspect("one row", 1, one_row), unchanged(1)],
    examples=[example("by hand", [[1.0, 2.0]])],
)
def doubled(X):
    """Twice X (n, d)."""
    return 2 * X


@misconception(doubled, hint="Is that twice, or squared?")
def squares(X):
    return X**2


@misconception(doubled, hint="Which way round is it?")
def transposed(X):
    return 2 * X.T


@misconception(doubled, hint="Which row is first?")
def upside_down(X):
    return 2 * X[::-1]


@misconception(doubled, hint="Which row is first, and what if there is one?")
def upside_down_or_tripled(X):
    return 2 * X[::-1] if len(X) > 1 else 3 * X


@misconception(doubled, hint="Whose array is that?")
def tripled_in_place(X):
    X *= 3
    return X


@exercise(points=3, aspects=[values(3, ragged, square)], examples=[example("by hand", [[1.0, 2.0]])])
def doubled_sums(X):
    """Row sums of twice X (n, d) -> (n,)."""
    return doubled(X).sum(axis=1)


@misconception(doubled_sums, hint="Which axis?")
def column_sums(X):
    return doubled(X).sum(axis=0)


@alternative(doubled_sums)
def sums_then_doubles(X):
    return 2 * X.sum(axis=1)


def no_row(rng):
    return (np.zeros((0, 3)),)


@exercise(
    points=3,
    aspects=[values(2, ragged, square), aspect("refuses", 1, raising(ValueError, no_row))],
    examples=[example("by hand", [[1.0, 2.0]])],
)
def doubled_largest(X):
    """The largest number in each row of twice X (n, d) -> (n,); ValueError where there is no row."""
    if len(X) == 0:
        raise ValueError("no row")
    return doubled(X).max(axis=1)


@exercise(points=2, aspects=[values(2, ragged)], examples=[example("by hand", [[1.0, 2.0]])])
def doubled_less(X):
    """Twice X (n, d), less X: of no use where that has another shape."""
    return doubled(X) - X


@exercise(points=1, aspects=[values(1, ragged, square)], examples=[example("by hand", [[1.0, 2.0]])])
def doubled_total(X):
    """Sum of twice X (n, d) -> a number."""
    return doubled_sums(X).sum()


@exercise(points=1, aspects=[values(1, ragged)], examples=[example("by hand", [[1.0, 2.0]])])
def shifted(X, by=1.0):
    """X (n, d) plus a number."""
    return X + by


@exercise(points=1, aspects=[values(1, ragged)], examples=[example("by hand", [[1.0, 2.0]])])
def clipped(X):
    """X (n, d) with its negative numbers set to 0."""
    return np.maximum(X, 0)


@exercise(points=1, aspects=[values(1, ragged)], examples=[example("by hand", [[1.0, 2.0]])])
def clipped_sums(X):
    """Row sums of X (n, d), negative numbers left out -> (n,)."""
    return clipped(X).sum(axis=1)


def negative(rng):
    return (-abs(rng.normal()),)


def positive(rng):
    return (abs(rng.normal()),)


@exercise(
    points=2,
    aspects=[values(1, positive), aspect("refuses", 1, raising(ValueError, negative))],
    examples=[example("by hand", 4.0)],
)
def root(x):
    """Square root; ValueError below zero."""
    if x < 0:
        raise ValueError("negative")
    return x**0.5


def seeds_for(function):
    def seeds(rng):
        drawn = [Let("n", 10_000), Let("one", 1), Let("other", 2)]
        return [*drawn, *(Call(function, ("n", seed)) for seed in ("one", "one", "other"))]

    return seeds


@exercise(
    points=1,
    aspects=[values(1, seeds_for("mean_of_normals"))],
    examples=[example("by hand", 10_000, 3)],
    tolerance=(0, 0.1),
    repeatable=True,
)
def mean_of_normals(n, seed):
    """The mean of n normal numbers drawn from seed."""
    return np.random.default_rng(seed).normal(size=n).mean()


@exercise(
    points=1,
    aspects=[values(1, seeds_for("mean_and_variance"))],
    examples=[example("by hand", 10_000, 3)],
    tolerance=(0, 0.1),
    repeatable=True,
)
def mean_and_variance(n, seed):
    """The mean and the variance of n normal numbers drawn from seed."""
    drawn = np.random.default_rng(seed).normal(size=n)
    return drawn.mean(), drawn.var()


@exercise(points=1, aspects=[values(1, ragged, square)], examples=[example("by hand", [[1.0, 2.0]])])
def twice_and_sums(X):
    """Twice X (n, d), and its row sums (n,)."""
    return 2 * X, 2 * X.sum(axis=1)


@exercise(points=1, aspects=[values(1, ragged, square)], examples=[example("by hand", [[1.0, 2.0]])])
def twice_over_sums(X):
    """Twice X (n, d), each row divided by its sum."""
    twice, sums = twice_and_sums(X)
    return twice / sums[:, None]


pick = question("pick", "choice", key="B", prompt="Which?", options={"A": "a", "B": "b"},
                hints=[("A", "Look at the second.")])
pair = question("pair", "numbers", key=[0.7884, 2.0], prompt="Which?", hints=[([2.0, 0.7884], "Order.")])
small = question("small", "number", key=0.1402, prompt="Which?")
one = question("one", "number", key=1.0, prompt="Which?")
truth = question("truth", "bool", key=False, prompt="Is it?")
order = question("order", "order", key="BAC", prompt="Order?")
roles = question("roles", "match", key={"query": "A", "key": "B"}, prompt="Match.")
essay = free_text("essay", prompt="Why?", rubric=[(2, "says why")], model_answer="Because.")
'''


@pytest.fixture(scope="session")
def solutions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("course") / "solutions"
    (folder / "lessons").mkdir(parents=True)
    (folder / "exercises").mkdir()
    (folder / "lessons" / "01_tiny.md").write_text("# Tiny\n")
    (folder / "exercises" / "tiny.py").write_text(EXERCISES)
    return folder


@pytest.fixture
def tiny(solutions: Path) -> library.Library:
    return library.load(solutions, "01_tiny")


@pytest.fixture
def judge(tiny: library.Library) -> Judge:
    return Judge(tiny, b"secret")
