"""Whatever was done to a submitted notebook, it is graded in the released shape."""

from __future__ import annotations

import json

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from autograder.judging.restore import MAX_BYTES, Unreadable, grade_id, parse, read, restore


def locked(name, source, points=2):
    meta = {"grade": True, "solution": False, "locked": True, "grade_id": name, "points": points}
    return new_code_cell(source, id=name, metadata={"nbgrader": meta, "editable": False})


def answer(name, source="raise NotImplementedError()"):
    meta = {"grade": False, "solution": True, "locked": False, "grade_id": name, "schema_version": 3}
    return new_code_cell(source, id=name, metadata={"nbgrader": meta})


@pytest.fixture
def released():
    cells = [
        new_markdown_cell("# Lesson", id="title"),
        answer("one"),
        locked("test_one", 'check("one")'),
        answer("two"),
        locked("test_two", 'check("two")', points=3),
    ]
    return new_notebook(cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})


def names(notebook):
    return [grade_id(cell) for cell in notebook.cells if grade_id(cell)]


def source(notebook, name):
    return next(cell.source for cell in notebook.cells if grade_id(cell) == name)


def test_answers_are_kept_and_locked_cells_come_from_the_release(released):
    submitted = nbformat.from_dict(released)
    submitted = json_copy(submitted)
    submitted.cells[1].source = "one = 1"
    submitted.cells[2].source = "1000"
    submitted.cells[4].metadata.nbgrader.points = 1000
    restored = restore(submitted, released)
    assert source(restored, "one") == "one = 1"
    assert source(restored, "test_one") == 'check("one")'
    assert restored.cells[4].metadata.nbgrader.points == 3


def test_outputs_metadata_and_attachments_of_the_student_are_gone(released):
    submitted = json_copy(released)
    submitted.metadata["huge"] = "x" * 1000
    submitted.cells[1].outputs = [new_output("execute_result", {"text/plain": "100"})]
    submitted.cells[0]["attachments"] = {"a.png": {"image/png": "AAAA"}}
    submitted.cells[0].metadata["nbgrader"] = {"grade_id": "forged", "grade": True, "points": 50}
    restored = restore(submitted, released)
    assert restored.metadata == released.metadata
    assert restored.cells[1].outputs == []
    assert restored.cells[0] == {"cell_type": "markdown", "id": "own-0", "metadata": {}, "source": "# Lesson"}


def test_deleted_cells_come_back_in_their_place(released):
    submitted = json_copy(released)
    del submitted.cells[1:4]
    assert names(restore(submitted, released)) == ["one", "test_one", "two", "test_two"]


def test_of_two_cells_with_one_id_the_first_keeps_it(released):
    submitted = json_copy(released)
    submitted.cells[1].source = "one = 'first'"
    submitted.cells.append(answer("one", "one = 'second'"))
    restored = restore(submitted, released)
    assert source(restored, "one") == "one = 'first'"
    assert restored.cells[-1].metadata == {}
    assert restored.cells[-1].source == "one = 'second'"


def test_a_check_moved_before_its_answer_is_moved_back(released):
    submitted = json_copy(released)
    submitted.cells.insert(0, submitted.cells.pop(2))
    assert names(restore(submitted, released)) == ["one", "test_one", "two", "test_two"]


def test_an_answer_turned_into_markdown_becomes_code_again(released):
    submitted = json_copy(released)
    submitted.cells[1] = new_markdown_cell("one = 1", metadata=submitted.cells[1].metadata)
    assert restore(submitted, released).cells[1].cell_type == "code"


def test_own_cells_stay_where_they_were(released):
    submitted = json_copy(released)
    submitted.cells.insert(2, new_code_cell("helper = 3"))
    restored = restore(submitted, released)
    assert [cell.source for cell in restored.cells][2] == "helper = 3"
    nbformat.validate(restored)


def test_half_a_character_in_a_cell_does_not_keep_the_notebook_from_being_written(released):
    submitted = json_copy(released)
    submitted.cells[1].source = "one = '\ud800'"
    assert nbformat.writes(restore(submitted, released)).encode("utf-8")


def test_restoring_twice_is_restoring_once(released):
    submitted = json_copy(released)
    own, doubled = [new_code_cell("x = 1"), new_code_cell("y")], [answer("one"), answer("one")]
    submitted.cells = [own[0], *submitted.cells[3:], *doubled, own[1]]
    once = restore(submitted, released)
    assert restore(once, released) == once


def test_restoring_leaves_both_notebooks_as_they_were(released):
    submitted = json_copy(released)
    before = json.dumps(submitted), json.dumps(released)
    restore(submitted, released).cells[1].source = "changed"
    assert (json.dumps(submitted), json.dumps(released)) == before


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not valid JSON"),
        (b'{"cells": [', "not valid JSON"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"[1, 2]", "no nbformat"),
        (b'{"nbformat": "4"}', "no nbformat"),
        (b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}}', "no list of cells"),
        (b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [3]}', "cell 0"),
        (b'{"nbformat": 99, "metadata": {}, "cells": []}', "nbformat 99"),
        (b"[" * 200_000, "nested too deeply"),
    ],
)
def test_a_damaged_file_is_named_for_what_is_wrong_with_it(content, said):
    with pytest.raises(Unreadable, match=said):
        parse(content)


def test_a_folder_a_link_and_nothing_in_place_of_a_file_are_named(tmp_path):
    (tmp_path / "folder.ipynb").mkdir()
    (tmp_path / "link.ipynb").symlink_to("/etc/passwd")
    for name, found in [("folder.ipynb", "a folder"), ("link.ipynb", "a link"), ("none.ipynb", "nothing")]:
        with pytest.raises(Unreadable, match=found):
            read(tmp_path / name)


def test_an_oversized_file_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "big.ipynb"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(Unreadable, match="clear its outputs"):
        read(path)


def json_copy(notebook):
    return nbformat.from_dict(json.loads(json.dumps(notebook)))
