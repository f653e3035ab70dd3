"""The hidden solution library: a file or a folder for each lesson, loaded as it is on disk now."""

from __future__ import annotations

import pytest

from autograder import library
from autograder.judging.judge import Judge
from autograder.judging.on_ranks import perform

SHARED = """
import numpy as np


def ragged(rng):
    return (rng.normal(size=(3, 2)),)


def doubled_rows(X):
    return 2 * X
"""
DOUBLED = '''
from autograder.exercise import example, exercise, misconception, values

from .shared import doubled_rows, ragged


@exercise(points=1, aspects=[values(1, ragged)], examples=[example("by hand", [[1.0]])])
def doubled(X):
    """Twice X."""
    return doubled_rows(X)


@misconception(doubled, hint="Is that twice?")
def tripled(X):
    return 3 * X
'''
SUMMED = '''
from autograder.exercise import example, exercise, question, values

from .doubled import doubled
from .shared import ragged


def rows(X):
    return X.sum(axis=1)


@exercise(points=1, aspects=[values(1, ragged)], examples=[example("by hand", [[1.0]])])
def a_sum(X):
    """Row sums of twice X."""
    return rows(doubled(X))


asked = question("asked", "bool", key=True, prompt="Is it?")
'''
INIT = """
from .doubled import doubled
from .summed import a_sum, asked
"""


@pytest.fixture
def solutions(tmp_path):
    (tmp_path / "lessons").mkdir()
    (tmp_path / "lessons" / "01_sums.md").write_text("# Sums\n")
    folder = tmp_path / "exercises" / "sums"
    folder.mkdir(parents=True)
    for name, text in (("__init__", INIT), ("shared", SHARED), ("doubled", DOUBLED), ("summed", SUMMED)):
        (folder / f"{name}.py").write_text(text)
    return tmp_path


def test_a_lessons_folder_is_loaded_in_the_order_that_it_names(solutions):
    loaded = library.load(solutions, "01_sums")
    assert list(loaded.exercises) == ["doubled", "a_sum"]
    assert list(loaded.questions) == ["asked"]
    assert [path.name for path in library.exercise_files(solutions, "01_sums")] == [
        "__init__.py",
        "doubled.py",
        "shared.py",
        "summed.py",
    ]


def test_each_load_reads_every_file_anew(solutions):
    library.load(solutions, "01_sums")
    path = solutions / "exercises" / "sums" / "doubled.py"
    path.write_text(DOUBLED.replace("points=1, aspects=[values(1", "points=20, aspects=[values(20"))
    assert library.load(solutions, "01_sums").exercises["doubled"].points == 20


def test_a_mistake_is_carried_from_one_file_into_another(solutions):
    loaded = library.load(solutions, "01_sums")
    sitting = Judge(loaded, b"secret").sitting()
    functions = {"doubled": lambda X: 3 * X, "a_sum": lambda X: (3 * X).sum(axis=1)}
    verdicts = [
        sitting.exercise(name, lambda steps, name=name, f=f: perform(steps, {name: f}))
        for name, f in functions.items()
    ]
    assert [verdict.score for verdict in verdicts] == [0, 1]
    assert verdicts[1].carried_from == "doubled"


def test_a_lesson_without_exercises_is_told(solutions):
    (solutions / "lessons" / "02_empty.md").write_text("# Empty\n")
    with pytest.raises(library.UserError, match="no lesson '02_empty'"):
        library.load(solutions, "02_empty")
