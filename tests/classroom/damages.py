"""Damaged submissions of the tiny course: what happened to each file, and what the grader must say of it.

`python tests/classroom/damages.py` writes them to tests/submissions/damaged/, with a list of them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from tiny_course import RIGHT, TITLE, released_notebook

from autograder.judging.restore import grade_id

FOLDER = Path(__file__).parents[1] / "submissions" / "damaged"
#: The answers of every submission here, as far as its damage leaves them.
ANSWERS = {"double": RIGHT, "sum_of_two": "sum_of_two = 4", "tell_why": "Because 2 · x = x + x."}


@dataclass(frozen=True)
class Damage:
    """What happened to a file, its bytes, and what is said of it: None where it is graded all the same."""

    name: str
    idea: str
    content: bytes
    said: str | None

    @property
    def path(self) -> Path:
        return FOLDER / f"{self.name}.ipynb"


def notebook(student: str = "somebody", **changes: Any) -> dict[str, Any]:
    """A submission that is right, with `changes` to its top level."""
    document = json.loads(json.dumps(released_notebook()))
    for cell in document["cells"]:
        cell["source"] = ANSWERS.get(grade_id(cell) or "", cell["source"])
    document["cells"][0]["source"] = f"{TITLE}{student}"
    return {**document, **changes}


def text(indent: int | None = 1, ascii_only: bool = False, **changes: Any) -> str:
    return json.dumps(notebook(**changes), indent=indent, ensure_ascii=ascii_only) + "\n"


def in_worksheets() -> dict[str, Any]:
    """The submission as format 3 has it."""
    cells = [{**cell, "input": cell["source"].splitlines(True)} for cell in notebook()["cells"]]
    for cell in cells:
        if cell["cell_type"] == "code":
            del cell["source"]
    return {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": cells}]}


def with_cells(change: Callable[[dict[str, Any]], Any]) -> str:
    return text(cells=[change(cell) for cell in notebook()["cells"]])


def spelled(**changes: Any) -> bytes:
    return text(**changes).encode()


def _kernel(name: str, language: str) -> dict[str, Any]:
    return {
        "kernelspec": {"name": name, "display_name": name, "language": language},
        "language_info": {"name": language},
    }


def _in_r(cell: dict[str, Any]) -> dict[str, Any]:
    return {**cell, "source": "double <- function(x) 2 * x"} if grade_id(cell) == "double" else cell


def damages() -> Iterator[Damage]:
    """All of them."""
    whole, end = spelled(), "hand it in again"
    middle = whole.index(b'"double"') + 4
    for name, idea, content, said in [
        ("empty", "Nothing at all.", b"", "the file is empty"),
        ("blank", "Blank lines.", b"\n \r\n\t\n", "the file is empty"),
        (
            "zero_bytes",
            "As long as it should be, and all of it zero: a disk was full.",
            bytes(512),
            "zero bytes",
        ),
        ("truncated", "An upload broke off.", whole[: len(whole) // 2], "ends in the middle"),
        ("truncated_in_a_name", "An upload broke off within a string.", whole[:middle], "ends in the middle"),
        (
            "not_json",
            "A Python file under the name of a notebook.",
            b"import numpy as np\n",
            "begins with 'import numpy as np'",
        ),
        (
            "web_page",
            "The page that a browser showed in place of the file.",
            b"<!DOCTYPE html>\n<html>",
            "begins with '<!DOCTYPE html>",
        ),
        ("archive", "A ZIP archive.", b"PK\x03\x04\x14\x00\x08\x00" + bytes(40), "it begins with 'PK"),
        (
            "large_file_pointer",
            "What git leaves in place of a large file.",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n",
            "it begins with 'version https",
        ),
        (
            "conflict",
            "Two versions that git could not merge.",
            whole[:middle] + b"\n<<<<<<< HEAD\n" + whole[middle:],
            "Invalid control character in line",
        ),
        ("twice", "The file, and the file again.", whole * 2, "Extra data in line"),
        (
            "zero_bytes_within",
            "Zero bytes in the middle.",
            whole[:middle] + bytes(3) + whole[middle:],
            "Invalid control character",
        ),
        ("json_list", "JSON, and no object.", b"[1, 2, 3]", "no nbformat number"),
        ("json_object", "JSON, and no notebook.", b'{"name": "ada", "points": 28}', "no nbformat number"),
        (
            "format_1",
            "An nbformat that was never in use.",
            spelled(nbformat=1),
            f"nbformat is 1, expected 4: open it in Jupyter, save it and {end}",
        ),
        (
            "format_2",
            "An old nbformat, without its worksheets.",
            spelled(nbformat=2),
            "nbformat is 2 and has no worksheets",
        ),
        (
            "format_3_without_sheets",
            "A number changed by hand.",
            spelled(nbformat=3),
            "nbformat is 3 and has no worksheets",
        ),
        ("format_5", "An nbformat of the future.", spelled(nbformat=5), "nbformat is 5, expected 4"),
        ("format_99", "An nbformat of no future.", spelled(nbformat=99), "nbformat is 99, expected 4"),
        (
            "format_of_4000_digits",
            "A number that fills a screen.",
            spelled(nbformat=0).replace(b'"nbformat": 0', b'"nbformat": ' + b"9" * 4000),
            "nbformat is 999",
        ),
        (
            "format_of_9000_digits",
            "A number that Python will not read.",
            spelled(nbformat=0).replace(b'"nbformat": 0', b'"nbformat": ' + b"9" * 9000),
            "a number of thousands of digits",
        ),
        ("format_in_quotes", "A string for a number.", spelled(nbformat="4"), "nbformat is '4', expected 4"),
        ("format_below_zero", "A negative number.", spelled(nbformat=-4), "nbformat is -4, expected 4"),
        (
            "format_and_a_half",
            "A number with a fraction.",
            spelled(nbformat=4.5),
            "nbformat is 4.5, expected 4",
        ),
        (
            "format_with_an_escape",
            "A string that clears the terminal of whoever reads it.",
            spelled(nbformat="\x1b[2J\x1b]0;owned\x07"),
            "expected 4",
        ),
        ("no_cells", "No cells.", spelled(cells=None), "no list of cells"),
        ("cells_in_an_object", "Cells by name.", spelled(cells={"double": RIGHT}), "no list of cells"),
        (
            "cell_of_nothing",
            "A cell that is null.",
            spelled(cells=[None]),
            "cell 0 of the notebook is damaged",
        ),
        (
            "source_of_numbers",
            "Sources that are no text.",
            with_cells(lambda cell: {**cell, "source": [1, [2]]}).encode(),
            "cell 0 of the notebook is damaged",
        ),
        (
            "too_many_cells",
            "More cells than anybody writes.",
            b'{"nbformat": 4, "cells": [' + b"0," * 6000 + b"0]}",
            "6,001 cells, the limit is 5,000",
        ),
        ("latin_1", "Saved in Latin-1.", text().encode("latin-1"), "not text in UTF-8"),
        (
            "invalid_utf_8",
            "A byte that no UTF-8 has.",
            whole.replace(b"Because", b"Bec\xffause"),
            "not text in UTF-8",
        ),
        ("nested", "Brackets without end.", b"[" * 20_000, "nested too deeply"),
        ("nested_objects", "Braces without end.", b'{"a":' * 4_000, "nested too deeply"),
        (
            "byte_order_mark",
            "UTF-8 with a byte order mark, as Windows editors save it.",
            text().encode("utf-8-sig"),
            None,
        ),
        ("utf_16", "UTF-16, as a Windows shell saves it.", text().encode("utf-16"), None),
        ("utf_32", "UTF-32 without a byte order mark.", text().encode("utf-32-le"), None),
        ("windows_lines", "Lines that end as on Windows.", text().replace("\n", "\r\n").encode(), None),
        ("one_line", "All of it on one line, in ASCII.", text(None, True).encode(), None),
        (
            "half_characters",
            "Halves of characters, where nothing is graded.",
            spelled(metadata={"\ud800": "\udfff"}, ascii_only=True),
            None,
        ),
        (
            "junk_beside",
            "Fields that nobody knows, and wrong ones.",
            spelled(nbformat_minor="x", metadata=None, comments=[[[[[{}]]]]]),
            None,
        ),
        ("format_3", "Format 3, as an old editor saves it.", json.dumps(in_worksheets()).encode(), None),
        ("another_kernel", "Python cells under a kernel of R.", spelled(metadata=_kernel("ir", "R")), None),
    ]:
        yield Damage(name, idea, content, said)


#: R code is graded as what it is: Python that does not run. Its other answers keep their points.
IN_ANOTHER_LANGUAGE = json.dumps(
    {**notebook(), "metadata": _kernel("ir", "R"), "cells": [_in_r(cell) for cell in notebook()["cells"]]}
).encode()


def written() -> dict[Path, bytes]:
    """The folder's files."""
    rows = "".join(f"- `{damage.name}`: {damage.idea}\n" for damage in damages())
    files = {damage.path: damage.content for damage in damages()}
    files[FOLDER / "README.md"] = (
        "# Damaged submissions of the tests' tiny course\n\n"
        "Written by `python tests/classroom/damages.py`, graded by `tests/classroom/test_damaged.py`.\n\n"
        + rows
    ).encode()
    files[FOLDER / ".gitattributes"] = b"# byte for byte, line ends too\n* -text\n"
    return files


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path, content in written().items():
        path.write_bytes(content)
