"""Bringing a student's own function into a later notebook."""

from __future__ import annotations

import json
import types

import pytest

from attention_lib import notebook
from attention_lib.bring import NothingToBring, bring

LESSON = "01_numbers"
WRITTEN = "def helper(x):\n    return 2 * x\n\ndef double(x):\n    return helper(x)\n"
STUB = "def double(x):\n    # YOUR CODE HERE\n    raise NotImplementedError()\n"


def cell(source, grade_id="double", **changes):
    kept = {"cell_type": "code", "source": source, "outputs": [], "execution_count": None}
    about = {"grade_id": grade_id, "solution": True, "grade": False, "locked": False}
    return {**kept, "metadata": {"nbgrader": {**about, **changes}}}


@pytest.fixture
def shell(monkeypatch, tmp_path):
    """A running notebook in course/02_more, its names, and what was written into the calling cell."""
    here = tmp_path / "course" / "02_more"
    here.mkdir(parents=True)
    monkeypatch.chdir(here)
    running = types.SimpleNamespace(user_ns={}, execution_count=1, written=[], folder=here.parent)
    running.set_next_input = lambda source, replace: running.written.append((source, replace))
    monkeypatch.setattr(notebook, "shell", lambda: running)
    return running


def save(path, *cells):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"cells": list(cells), "nbformat": 4, "nbformat_minor": 5, "metadata": {}}))


@pytest.mark.parametrize(
    "place", [f"{LESSON}/{LESSON}.ipynb", f"02_more/{LESSON}/{LESSON}.ipynb", f"02_more/{LESSON}.ipynb"]
)
def test_the_whole_cell_replaces_the_calling_one(shell, place):
    save(shell.folder / place, cell(WRITTEN))
    bring("double", LESSON)
    assert shell.written == [(WRITTEN, True)]


def test_a_cell_stored_as_lines_is_put_together(shell):
    save(shell.folder / LESSON / f"{LESSON}.ipynb", cell(WRITTEN.splitlines(keepends=True)))
    bring("double", LESSON)
    assert shell.written == [(WRITTEN, True)]


def test_what_the_cell_defines_is_defined_at_once(shell):
    save(shell.folder / LESSON / f"{LESSON}.ipynb", cell(WRITTEN))
    bring("double", LESSON)
    assert shell.user_ns["double"](4) == 8


def test_a_missing_notebook_says_where_it_was_looked_for(shell):
    with pytest.raises(NothingToBring) as caught:
        bring("double", LESSON)
    assert f"no notebook {LESSON}.ipynb" in str(caught.value)
    for place in (f"{LESSON}/{LESSON}.ipynb", f"02_more/{LESSON}/{LESSON}.ipynb", f"02_more/{LESSON}.ipynb"):
        assert str(shell.folder / place) in str(caught.value)


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        ([], "has no cell in which you wrote double."),
        ([cell(WRITTEN, "triple")], "It has cells for triple."),
        ([cell(STUB)], "double is not written yet"),
        ([cell("  \n")], "double is not written yet"),
        ([cell(WRITTEN, solution=False, locked=True)], "has no cell in which you wrote double"),
        ([{**cell(WRITTEN), "cell_type": "markdown"}], "has no cell in which you wrote double"),
        ([{"cell_type": "code", "source": WRITTEN, "metadata": {}}], "has no cell in which you wrote double"),
        ([{"cell_type": "code", "source": "", "metadata": {"nbgrader": None}}], "has no cell in which"),
    ],
)
def test_only_a_cell_that_the_student_wrote_is_brought(shell, kept, message):
    save(shell.folder / LESSON / f"{LESSON}.ipynb", *kept)
    with pytest.raises(NothingToBring) as caught:
        bring("double", LESSON)
    assert message in str(caught.value)
    assert shell.written == []
    assert shell.user_ns == {}


def test_of_two_cells_of_one_name_the_first_is_brought(shell):
    save(shell.folder / LESSON / f"{LESSON}.ipynb", cell(WRITTEN), cell("def double(x): return 0"))
    bring("double", LESSON)
    assert shell.written == [(WRITTEN, True)]


def test_a_damaged_notebook_is_named(shell):
    path = shell.folder / LESSON / f"{LESSON}.ipynb"
    path.parent.mkdir()
    path.write_text("{")
    with pytest.raises(NothingToBring, match="can't be read as a notebook"):
        bring("double", LESSON)


def test_a_cell_that_does_not_run_is_brought_with_a_word_about_it(shell):
    save(shell.folder / LESSON / f"{LESSON}.ipynb", cell("def double(x) return x"))
    with pytest.raises(NothingToBring, match="Your cell is here now, but running it raises SyntaxError"):
        bring("double", LESSON)
    assert shell.written == [("def double(x) return x", True)]


def test_outside_a_notebook_there_is_no_cell_to_write(monkeypatch):
    monkeypatch.setattr(notebook, "shell", lambda: None)
    with pytest.raises(NothingToBring, match="call it in a notebook"):
        bring("double", LESSON)


def test_the_message_says_how_to_bring_a_newer_version(shell, capsys):
    save(shell.folder / LESSON / f"{LESSON}.ipynb", cell(WRITTEN))
    bring("double", LESSON)
    assert f'write bring("double", "{LESSON}") here' in capsys.readouterr().out
