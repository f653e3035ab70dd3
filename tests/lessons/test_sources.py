"""What must hold for the source of every lesson: its cells run, its pictures can be read, its seed items
have their place."""

from __future__ import annotations

import ast
import itertools

import jupytext
import nbformat
import numpy as np
import pytest

from attention_lib.bring import CALL
from attention_lib.public import release_of
from autograder.authoring.stamp import PLACEHOLDER

from .conftest import ROOT, SOLUTIONS, library

#: The seed items that the syllabus gives to each lesson; one that came later has none.
SEED_ITEMS = {
    "01_dot_product_similarity": {
        *("S0.4", "S3.1", "S3.16", "S3.32", "S3.33", "S3.34"),
        # the links of the map of the field
        *("S3.3", "S3.4", "S3.5", "S3.6", "S3.7", "S3.8", "S3.9", "S3.10", "S3.11", "S3.14"),
        *("S3.18", "S3.19", "S3.20", "S3.21", "S3.22"),
    },
    "02_projections": {
        *("S0.7", "S1.1", "S1.2", "S1.4", "S1.7", "S1.8", "S1.9", "S1.10", "S3.30", "S3.31"),
    },
    "03_scaling": {"S2.1", "S2.2", "S2.3", "S2.8", "S2.10"},
    "04_masking": {"S0.3", "S2.7", "S2.9", "S3.17", "S4.3", "S4.6"},
    "05_softmax": {"S0.2", "S0.9", "S0.10", "S2.6", "S4.1", "S4.4", "S4.7"},
    "06_output": {"S0.1", "S0.5", "S0.6", "S0.11", "S2.4", "S3.12", "S4.2"},
    "07_kv_cache": {"S1.5", "S1.6", "S3.13"},
    "08_sequence_parallelism": {"S0.13", "S0.14", "S3.12", "S3.15", "S3.16"},
}


def cells_of(lesson):
    return jupytext.read(SOLUTIONS / "lessons" / f"{lesson}.md", fmt="md:myst").cells


def items_of(lesson):
    at = library(lesson)
    return {**at.exercises, **at.questions, **at.free_texts}


def provided(lesson):
    """The code cells that students find in the notebook as they are."""
    names = items_of(lesson)
    return [
        cell
        for cell in cells_of(lesson)
        if cell.cell_type == "code" and cell.source.strip() not in names and not _brought(cell)
    ]


def provided_code(lesson):
    """The code that students find in the notebook, in one text."""
    return "\n".join(cell.source for cell in provided(lesson))


def _brought(cell):
    """The exercise of an earlier lesson that is brought into `cell`, None for any other cell."""
    found = CALL.fullmatch(cell.source.strip())
    return library(found[2]).exercises[found[1]] if found else None


def run(lesson, function_of):
    """Run the lesson from top to bottom, with `function_of(exercise)` in place of each exercise's cell."""
    world = {"__name__": "__main__"}
    exercises = library(lesson).exercises
    for cell in cells_of(lesson):
        name = cell.source.strip()
        exercise = exercises.get(name) or _brought(cell)
        if cell.cell_type == "code" and exercise:
            world[exercise.name] = function_of(exercise)
        elif cell.cell_type == "code" and name not in items_of(lesson):
            with np.printoptions():
                source = cell.source.replace(PLACEHOLDER, f'("{lesson}", "{release_of(lesson)}")')
                exec(compile(source, f"<{lesson}>", "exec"), world)
    return world


def unwritten(exercise):
    def stub(*arguments, **keywords):
        raise NotImplementedError

    stub.__code__ = stub.__code__.replace(co_name=exercise.name)
    return stub


def test_every_item_has_one_cell(lesson):
    """Fails when an exercise or question is written and never asked, or asked twice."""
    asked = [c.source.strip() for c in cells_of(lesson) if c.cell_type == "code"]
    assert {name: asked.count(name) for name in items_of(lesson)} == dict.fromkeys(items_of(lesson), 1)


def test_every_provided_cell_runs_on_right_functions(lesson, capsys):
    """Fails when an experiment is broken for the student who did everything right."""
    run(lesson, lambda exercise: exercise.reference)
    assert "Waits for your" not in capsys.readouterr().out


def test_every_provided_cell_runs_on_right_functions_that_return_lists(lesson, capsys):
    """Fails when an experiment counts on arrays, where a list of floats gets full marks too."""

    def listed(exercise):
        return lambda *arguments, **named: _as_lists(exercise(*arguments, **named))

    run(lesson, listed)
    assert "Waits for your" not in capsys.readouterr().out


def _as_lists(value):
    several = isinstance(value, tuple) or (isinstance(value, list) and isinstance(value[0], np.ndarray))
    return [_as_lists(item) for item in value] if several else np.asarray(value).tolist()


def test_every_provided_cell_waits_for_functions_not_yet_written(lesson, capsys):
    """Fails when a picture of an unwritten function ends in a traceback instead of saying what it needs."""
    run(lesson, unwritten)
    assert "Waits for your" in capsys.readouterr().out


def test_every_picture_has_a_text(lesson):
    """Fails when a reader who can't see a picture would find nothing in its place."""
    calls = [
        node
        for cell in provided(lesson)
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and getattr(node.func.value, "id", None) == "plotting"
    ]
    assert calls
    for call in calls:
        assert {"alt", "title"} <= {keyword.arg for keyword in call.keywords}, ast.unparse(call)[:80]


def test_every_experiment_asks_for_a_prediction_first(lesson):
    """Fails when a measurement is shown before the student was asked what to expect."""
    cells = cells_of(lesson)
    for before, cell in itertools.pairwise(cells):
        if "experiment" in cell.metadata.get("tags", []):
            assert "**Predict" in before.source, cell.source.splitlines()[0]


def test_every_seed_item_has_a_cell(lesson):
    """Fails when an item of the course's seeds is lost from what students get."""
    released = nbformat.read(ROOT / "notebooks" / lesson / f"{lesson}.ipynb", as_version=4)
    tags = {tag for cell in released.cells for tag in cell.metadata.get("tags", [])}
    assert {f"seed:{item}" for item in SEED_ITEMS.get(lesson, ())} <= tags


@pytest.mark.parametrize(
    "part", ["When you have finished, you can", "minutes", "## Beyond", "## Recap", "What comes next"]
)
def test_lesson_has_its_parts(lesson, part):
    """Fails when a lesson lacks goals, its time, a Beyond section, a recap or what comes next."""
    assert any(part in c.source for c in cells_of(lesson) if c.cell_type == "markdown")


def test_prose_keeps_its_tone(lesson):
    """Fails on exclamation marks and on words that the course's style does without."""
    prose = "\n".join(c.source for c in cells_of(lesson) if c.cell_type == "markdown")
    at = library(lesson)
    prose += "\n".join(known.hint for e in at.exercises.values() for known in e.misconceptions)
    prose += "\n".join(q.prompt + "\n".join(hint for _, hint in q.hints) for q in at.questions.values())
    for unwanted in ("!", "simply", "obviously", "trivial", "Great"):
        assert unwanted not in prose, unwanted
