"""A course of one small lesson, so that these tests don't depend on what the real lessons say."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from autograder import library as libraries
from autograder.authoring.build import build
from autograder.course import Course
from autograder.library import Library

LESSON = "01_tiny"
#: Skipped where git is missing; with REQUIRE_GIT=1 it must be there.
needs_git = pytest.mark.skipif(
    shutil.which("git") is None and os.environ.get("REQUIRE_GIT") != "1", reason="git is not installed"
)

EXERCISES = '''
"""The hidden library of a tiny lesson."""

import numpy as np

from autograder.exercise import (
    alternative, example, exercise, free_text, misconception, question, unchanged, values,
)


def tall(rng):
    X = rng.normal(size=(5, 3))
    return (X,)


def wide(rng):
    return (rng.normal(size=(2, 7)) + np.arange(7),)


@exercise(
    points=3,
    aspects=[values(2, tall, wide), unchanged(1)],
    examples=[example("by hand", [[1.0, 2.0], [3.0, 4.0], [0.0, 1.0]])],
)
def gram(X):
    """All dot products of the rows of X.

    X : (n, d)
    Returns G : (n, n).
    """
    return X @ X.T


@alternative(gram)
def row_by_row(X):
    rows = [[float(sum(a * b for a, b in zip(x, y))) for y in X] for x in X]
    return np.array(rows)


@misconception(gram, hint="Features or tokens?")
def between_features(X):
    flipped = X.T
    return flipped @ X


@misconception(gram, hint="Which pairs are missing?")
def later_rows_only(X):
    products = X @ X.T
    return np.triu(products)


@exercise(
    points=2,
    aspects=[values(2, tall, wide)],
    examples=[example("by hand", [[1.0, 2.0], [3.0, 4.0], [0.0, 1.0]])],
)
def softened(X):
    """Each row of gram(X), divided by the sum of its exponentials, after exponentiation.

    X : (n, d)
    Returns W : (n, n), rows that add up to 1.
    """
    # the sum stands last, so that it divides each row
    powers = np.exp(gram(X) - gram(X).max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


@misconception(softened, hint="Which axis adds up to 1?")
def columns_add_up(X):
    powers = np.exp(gram(X) - gram(X).max())
    return powers / powers.sum(axis=0)


how_many = question(
    "how_many", "number", prompt="How many rows has $G$ for three rows of $X$?", key=3, seed_item="S3.1"
)

which_axis = question(
    "which_axis", "choice", prompt="Which axis of $X$ goes?", key="B", points=2,
    options={"A": "rows", "B": "columns"}, hints=[("A", "Rows stay.")],
)

in_words = free_text(
    "in_words",
    prompt="Say what gram computes.",
    rubric=[(1, "Says that every entry is a dot product of two rows.")],
    model_answer="Every entry of the result says how much two of the rows point the same way.",
)
'''

SOURCE = """
# A tiny lesson

Some words about rows.

```{code-cell}
:tags: [setup]

import numpy as np
from tiny_lib import show
```

## Rows and rows

```{code-cell}
gram
```

```{code-cell}
softened
```

+++ {"tags": ["seed:S3.12"]}

## Think

```{code-cell}
how_many
```

```{code-cell}
which_axis
```

```{code-cell}
in_words
```

## Measure

```{code-cell}
:tags: [experiment]

def largest(X):
    return gram(X).max()

show(largest(np.eye(3)))
```
"""

LIBRARY = {
    "__init__.py": '"""The student library."""\n\nfrom tiny_lib.showing import show\n',
    "showing.py": 'def show(value):\n    """Print a value."""\n    print(value)\n\n\n'
    "def _same(value):\n    return value\n",
}


@pytest.fixture
def course(tmp_path: Path) -> Course:
    """The tiny course, not built yet."""
    return make_course(tmp_path)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """The tiny course, built: for reading only."""
    course = make_course(tmp_path_factory.mktemp("built"))
    build(course)
    return course


@pytest.fixture(scope="session")
def tiny(built: Course) -> Library:
    """The hidden library of the tiny lesson."""
    return libraries.load(built.solutions, LESSON)


def make_course(folder: Path) -> Course:
    files = {
        "solutions/lessons/01_tiny.md": SOURCE.lstrip(),
        "solutions/exercises/tiny.py": EXERCISES.lstrip(),
        **{f"tiny_lib/{name}": text for name, text in LIBRARY.items()},
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return Course(folder, folder, "tiny_lib")


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def cells(path: Path) -> dict[str, dict[str, Any]]:
    """The cells of a notebook by id, each source as one string."""
    return {cell["id"]: {**cell, "source": "".join(cell["source"])} for cell in read(path)["cells"]}


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
