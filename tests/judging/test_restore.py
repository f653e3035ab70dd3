"""Whatever was done to a submitted notebook, it is graded in the released shape."""

from __future__ import annotations

import json
import os
import signal
import socket
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from autograder.judging import restore as restoring
from autograder.judging.restore import (
    MAX_BYTES,
    MAX_CELLS,
    Unreadable,
    content,
    grade_id,
    parse,
    read,
    release_of,
    restore,
)
from autograder.wording import MOST_CHARACTERS


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


NINES = b"9" * 4000


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b" \n\t", "the file is empty"),
        (bytes(3000), "nothing but zero bytes"),
        (b'{"cells": [', "ends in the middle, after 11 characters"),
        (b'{"cells": "half a str', "ends in the middle"),
        (b'{"cells": "half an escape \\u20', "ends in the middle"),
        (b'{"cells": []}}', "Extra data in line 1"),
        (b"<!DOCTYPE html>", "it begins with '<!DOCTYPE html>'"),
        (b"PK\x03\x04", "it begins with 'PK\ufffd\ufffd'"),
        (b"\xff\xfe\x00", "UTF-8"),
        ('{"nbformat": "é"}'.encode("latin-1"), "UTF-8"),
        (b"[1, 2]", "no nbformat"),
        (b"{}", "no nbformat"),
        (b'{"nbformat": "4"}', "nbformat is '4', expected 4"),
        (b'{"nbformat": -4}', "nbformat is -4, expected 4"),
        (b'{"nbformat": 4.5}', "nbformat is 4.5, expected 4"),
        (b'{"nbformat": 4.0, "cells": []}', "nbformat is 4.0, expected 4"),
        (b'{"nbformat": true}', "nbformat is True, expected 4"),
        (b'{"nbformat": 1, "cells": []}', "nbformat is 1, expected 4"),
        (b'{"nbformat": 2, "cells": []}', "no worksheets"),
        (b'{"nbformat": 3, "worksheets": [3]}', "no worksheets"),
        (b'{"nbformat": 5, "cells": []}', "nbformat is 5, expected 4"),
        (b'{"nbformat": 99, "cells": []}', "nbformat is 99, expected 4"),
        (b'{"nbformat": ' + NINES + b"}", r"nbformat is 9+\.\.\.9+…, expected 4"),
        (b'{"nbformat": ' + NINES + NINES + b"}", "a number of thousands of digits"),
        (b'{"nbformat": ' + b"[" * 500 + b"]" * 500 + b"}", r"nbformat is \[+\.\.\.\]+, expected 4"),
        (b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}}', "no list of cells"),
        (b'{"nbformat": 4, "cells": [3]}', "cell 0"),
        (b'{"nbformat": 4, "cells": [{"source": "x"}, {"source": null}]}', "cell 1"),
        (b'{"nbformat": 4, "cells": [{"source": ["x", [[]]]}]}', "cell 0"),
        (b'{"nbformat": 4, "cells": [' + b"0," * MAX_CELLS + b"0]}", "has 5,001 cells, the limit is 5,000"),
        (b"[" * 200_000, "nested too deeply"),
    ],
)
def test_a_damaged_file_is_named_for_what_is_wrong_with_it(content, said):
    with pytest.raises(Unreadable, match=said) as damage:
        parse(content)
    assert len(damage.value.reason) <= 200
    assert damage.value.reason.isprintable() or "\ufffd" in damage.value.reason


@pytest.mark.parametrize("length", [10, 10_000])
def test_a_reason_is_one_line_of_bounded_length(length):
    reason = Unreadable("a\nb\x1b[31m\u202e" + "c" * length).reason
    assert reason.startswith("a b\ufffd[31m\ufffdccc")
    assert len(reason) <= MOST_CHARACTERS


def spelled(notebook, indent=None):
    return json.dumps(notebook, indent=indent, ensure_ascii=False)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_every_encoding_that_json_knows_is_read(released, encoding):
    submitted = json_copy(released)
    submitted.cells[1].source = "α = '√2'"
    restored = restore(parse(spelled(submitted).encode(encoding)), released)
    assert source(restored, "one") == "α = '√2'"


@pytest.mark.parametrize("line_end", ["\r\n", "\r", "\n\n"])
def test_line_ends_of_any_kind_between_the_cells_are_read(released, line_end):
    submitted = json_copy(released)
    submitted.cells[1].source = "one = 1"
    restored = restore(parse(spelled(submitted, 1).replace("\n", line_end).encode()), released)
    assert source(restored, "one") == "one = 1"


def test_what_a_tool_added_to_a_notebook_does_not_make_it_damaged(released):
    submitted = json_copy(released)
    submitted.cells[1].source = "one = 1"
    submitted.update(nbformat_minor="x", metadata=None, comments=[[[[]]]], extra="\ud800")
    submitted.cells[3]["id"] = submitted.cells[3]["cell_type"] = {}
    restored = restore(parse(json.dumps(submitted).encode()), released)
    assert source(restored, "one") == "one = 1"
    assert names(restored) == ["one", "test_one", "two", "test_two"]


def test_a_notebook_of_format_3_is_read_with_its_worksheets(released):
    """An old editor, or one that was told to, saves answers as `input` in a worksheet."""
    sheet = [{**cell, "input": ["one = 1\n", "two = 2"]} for cell in json_copy(released).cells]
    for cell in sheet:
        del cell["source"]
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": sheet[:3]}]}
    restored = restore(parse(json.dumps(old).encode()), released)
    assert source(restored, "one") == "one = 1\ntwo = 2"
    assert source(restored, "two") == "raise NotImplementedError()"


@pytest.mark.parametrize("language", ["python", "R", None])
def test_the_kernel_that_a_notebook_names_decides_nothing(released, language):
    submitted = json_copy(released)
    submitted.metadata = {"kernelspec": {"name": "ir", "language": language}, "language_info": 3}
    submitted.cells[1].source = "one <- 1"
    restored = restore(parse(json.dumps(submitted).encode()), released)
    assert restored.metadata == released.metadata
    assert source(restored, "one") == "one <- 1"


def test_what_is_no_file_is_named_for_what_it_is(tmp_path, monkeypatch):
    (tmp_path / "folder.ipynb").mkdir()
    (tmp_path / "link.ipynb").symlink_to("/etc/passwd")
    (tmp_path / "dangling.ipynb").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe.ipynb")
    with socket.socket(socket.AF_UNIX) as end:
        monkeypatch.chdir(tmp_path)  # a socket's path has 107 bytes at most
        end.bind("socket.ipynb")
        for name, found in [
            ("folder.ipynb", "found a folder"),
            ("link.ipynb", "found a link"),
            ("dangling.ipynb", "found a link"),
            ("pipe.ipynb", "found a named pipe"),
            ("socket.ipynb", "found a socket"),
        ]:
            with pytest.raises(Unreadable, match=found):
                read(tmp_path / name)
    with pytest.raises(Unreadable, match="found a device"):
        read(Path("/dev/full"))


def test_a_missing_notebook_is_told_with_the_one_that_may_have_been_meant(tmp_path):
    with pytest.raises(Unreadable, match=r"found nothing of that name$"):
        read(tmp_path / "one.ipynb")
    (tmp_path / "one (1)\x1b.ipynb").write_text("{}")
    with pytest.raises(Unreadable, match=r"but one \(1\)\ufffd.ipynb: give it that name"):
        read(tmp_path / "one.ipynb")


def test_a_file_that_is_closed_to_us_is_named(tmp_path, monkeypatch):
    """As root no file is closed, so the refusal is made up here; tests/classroom has a real one."""
    (tmp_path / "one.ipynb").write_text("{}")

    def refuse(path, flags):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(restoring, "_open_file", refuse)
    with pytest.raises(Unreadable, match=r"^one.ipynb can't be read: Permission denied$"):
        read(tmp_path / "one.ipynb")


@pytest.mark.parametrize(
    ("put", "said"),
    [
        (lambda path: path.symlink_to("/etc/passwd"), "Too many levels of symbolic links"),
        (os.mkfifo, "found a named pipe"),
    ],
)
def test_what_takes_a_files_place_at_the_last_moment_is_neither_followed_nor_waited_for(
    tmp_path, monkeypatch, put, said
):
    path = tmp_path / "one.ipynb"
    path.write_text("{}")
    look, open_file = restoring._require_file, restoring._open_file

    def look_and_change(name, found):
        look(name, found)
        path.unlink()
        put(path)

    monkeypatch.setattr(restoring, "_require_file", look_and_change)
    monkeypatch.setattr(restoring, "_open_file", lambda *opened: opener(*opened))

    def opener(name, flags):
        monkeypatch.setattr(restoring, "_require_file", look)
        signal.signal(signal.SIGALRM, lambda *_: pytest.fail("it waits for the pipe"))
        signal.alarm(10)
        try:
            return open_file(name, flags)
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)

    with pytest.raises(Unreadable, match=said):
        read(path)


def changes_while_it_is_read(monkeypatch, path, times):
    """`path` grows behind the reader's back, the first `times` times that it is read."""
    left, fstat = iter(range(times)), os.fstat

    def changing(descriptor):
        found = fstat(descriptor)
        if next(left, None) is not None:
            path.write_text(path.read_text() + " ")
        return found

    monkeypatch.setattr(restoring.os, "fstat", changing)


def test_a_file_that_changed_while_it_was_read_is_read_again(tmp_path, monkeypatch):
    path = tmp_path / "one.ipynb"
    path.write_text("{}")
    changes_while_it_is_read(monkeypatch, path, 1)
    assert content(path) == b"{} "


def test_a_file_that_keeps_changing_is_said_to(tmp_path, monkeypatch):
    path = tmp_path / "one.ipynb"
    path.write_text("{}")
    changes_while_it_is_read(monkeypatch, path, 100)
    with pytest.raises(Unreadable, match="being changed while it is read"):
        content(path)


def test_an_oversized_file_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "big.ipynb"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(Unreadable, match="clear its outputs"):
        read(path)


def json_copy(notebook):
    return nbformat.from_dict(json.loads(json.dumps(notebook)))


@pytest.mark.parametrize(
    ("metadata", "release"),
    [
        ({"course_release": "0.1.0-3f2a9c81"}, "0.1.0-3f2a9c81"),
        ({"course_release": "0.1.0\n<b>"}, None),
        ({"course_release": "9" * 61}, None),
        ({"course_release": ["0.1.0"]}, None),
        ({}, None),
        ("none", None),
    ],
)
def test_the_release_that_a_notebook_says_it_is_is_kept_where_it_can_be_one(metadata, release):
    submitted = {"nbformat": 4, "metadata": metadata, "cells": []}
    assert release_of(parse(json.dumps(submitted).encode())) == release
