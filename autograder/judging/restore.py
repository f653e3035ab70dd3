"""A submitted notebook, read and put back into the shape that was released.

What a student may change is what is in their answer cells and their own extra cells; everything else
comes from the release: locked cells, points, cell types, metadata, the kernel, and every output.
"""

from __future__ import annotations

import json
import os
import re
import reprlib
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from autograder.wording import counted, one_line

#: Well above a notebook with every figure kept. Parsed, a file can take thirty times its length.
MAX_BYTES = 32 << 20
#: A lesson has fewer than a hundred.
MAX_CELLS = 5_000
#: Formats whose cells are known; those before 4 keep them in worksheets.
FORMATS = (2, 3, 4)
#: How often a file is read that changes meanwhile.
TRIES = 3
#: Where a released notebook's metadata say which release it is, and what can stand there.
RELEASE = "course_release"
_STAMP = re.compile(r"[\w.+-]{1,60}", re.ASCII)
HAND_IN_AGAIN = "open it in Jupyter, save it and hand it in again"


Cell = dict[str, Any]


class Unreadable(Exception):
    """A submission that can't be graded as it is; `reason` says why, for the student and the report: one
    line of bounded length."""

    def __init__(self, reason: str):
        self.reason = one_line(reason)
        super().__init__(self.reason)


def read(path: Path) -> NotebookNode:
    """The notebook at `path`, as `parse` gives it. Raises Unreadable, naming what is wrong with the file."""
    return parse(content(path))


def content(path: Path) -> bytes:
    """The bytes of the notebook at `path`, as they were at one moment.

    Raises Unreadable for what is no ordinary file, too large, closed to us, or never the same twice.
    """
    try:
        for _ in range(TRIES):
            found, steady = _read_once(path)
            if steady:
                return found
    except FileNotFoundError as error:
        raise Unreadable(
            f"{path.name}: expected a notebook file, found nothing of that name{_beside(path)}"
        ) from error
    except OSError as error:
        raise Unreadable(f"{path.name} can't be read: {error.strerror}") from error
    raise Unreadable(f"{path.name} is being changed while it is read: grade again when it is complete")


def parse(content: bytes) -> NotebookNode:
    """The notebook that `content` spells, of each cell what restoring goes by: kind, source and grade id;
    and the stamp of the release that it says it is.

    Raises Unreadable.
    """
    document = _document(content)
    cells = [_slim(position, cell) for position, cell in enumerate(_cells(document))]
    return nbformat.from_dict(
        {"cells": cells, "metadata": _stamp(document), "nbformat": 4, "nbformat_minor": 5}
    )


def release_of(notebook: NotebookNode) -> str | None:
    """The stamp of the release that a notebook says it is, None where it says none."""
    stamp = notebook.metadata.get(RELEASE)
    return stamp if isinstance(stamp, str) else None


def grade_id(cell: Mapping[str, Any]) -> str | None:
    """The nbgrader id of a cell, or None for an ordinary one."""
    metadata = cell.get("metadata")
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    found = nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None
    return found if isinstance(found, str) else None


def restore(submitted: NotebookNode, released: NotebookNode) -> NotebookNode:
    """The submitted notebook in the released one's shape; neither argument is changed.

    Of two cells with one grade id the first keeps it, the others become ordinary cells. Cells that
    were deleted come back as released. A check cell stands after its answer cell. Restoring twice
    gives the same as once.
    """
    originals = {name: cell for cell in released.cells if (name := grade_id(cell))}
    cells: list[Cell] = []
    seen: set[str] = set()
    for cell in submitted.cells:
        name = grade_id(cell)
        if name in originals and name not in seen:
            seen.add(name)
            cells.append(_with_answer_of(cell, originals[name]))
        else:
            cells.append(_own(cell, len(cells) - len(seen)))
    _insert_missing(cells, originals, seen)
    _move_checks_behind_answers(cells)
    return nbformat.from_dict(
        {
            "cells": cells,
            "metadata": released.metadata,
            "nbformat": 4,
            "nbformat_minor": released.nbformat_minor,
        }
    )


def _read_once(path: Path) -> tuple[bytes, bool]:
    """The file's bytes, and whether it stayed as it was while they were read. Raises OSError, Unreadable."""
    _require_file(path.name, path.lstat())  # what is no file is not opened: that alone can do things
    with open(path, "rb", opener=_open_file) as file:
        before = os.fstat(file.fileno())
        _require_file(path.name, before)
        found = file.read(MAX_BYTES)
        after = os.fstat(file.fileno())
    steady = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
    return found, steady and len(found) == after.st_size


def _open_file(path: str, flags: int) -> int:
    """Open what should be a file: a link is not followed, a pipe not waited for."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _require_file(name: str, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise Unreadable(f"{name}: expected a notebook file, found {_kind(found.st_mode)}")
    if found.st_size > MAX_BYTES:
        raise Unreadable(
            f"{name} has {found.st_size:,} bytes, the limit is {MAX_BYTES:,}: "
            "clear its outputs and hand it in again"
        )


def _kind(mode: int) -> str:
    kinds = {stat.S_IFLNK: "a link", stat.S_IFDIR: "a folder", stat.S_IFIFO: "a named pipe"}
    return {**kinds, stat.S_IFSOCK: "a socket"}.get(stat.S_IFMT(mode), "a device")


def _beside(path: Path) -> str:
    """The notebooks beside a place where one is missing: the student may have renamed it."""
    names = sorted(other.name for other in path.parent.glob("*.ipynb"))
    return f", but {one_line(names[0], 100)}: give it that name if it is the one" if names else ""


def _document(content: bytes) -> dict[str, Any]:
    """The JSON object in a file. Raises Unreadable with what a person may recognise the file by."""
    if not content.strip(b"\0 \t\r\n"):
        raise Unreadable(
            "the file is empty" if not content.strip() else "the file holds nothing but zero bytes"
        )
    try:
        document = json.loads(content)
    except UnicodeDecodeError as error:
        raise Unreadable("the file is not text in UTF-8: save it as a notebook from Jupyter") from error
    except RecursionError as error:
        raise Unreadable("the file is nested too deeply to be a notebook") from error
    except ValueError as error:
        raise Unreadable(f"the file is no notebook: it is not valid JSON ({_fault(error)})") from error
    if not isinstance(document, dict) or "nbformat" not in document:
        raise Unreadable("the file is JSON but no notebook: it has no nbformat number")
    return document


def _fault(error: ValueError) -> str:
    """Where JSON ends to be JSON."""
    if not isinstance(error, json.JSONDecodeError):
        return "it holds a number of thousands of digits"
    rest = error.doc[error.pos :].strip()
    cut_escape = error.msg.startswith("Invalid \\u") and len(rest) < len(r"\uXXXX")
    if not rest or cut_escape or error.msg.startswith("Unterminated string"):
        return f"it ends in the middle, after {counted(len(error.doc), 'character')}"
    if error.pos == 0:
        return f"it begins with '{one_line(rest[:20])}'"
    return f"{error.msg.removesuffix(' at')} in line {error.lineno}"


def _cells(document: Mapping[str, Any]) -> list[Any]:
    """The cells of a notebook document, whatever they are. Raises Unreadable."""
    version = document["nbformat"]
    if not isinstance(version, int) or version not in FORMATS:
        shown = one_line(reprlib.repr(version), 30)
        raise Unreadable(f"the file says that its nbformat is {shown}, expected 4: {HAND_IN_AGAIN}")
    sheets = [document] if version >= 4 else document.get("worksheets")
    if not isinstance(sheets, list) or not all(isinstance(sheet, dict) for sheet in sheets):
        raise Unreadable(
            f"the file says that its nbformat is {version} and has no worksheets: {HAND_IN_AGAIN}"
        )
    if not all(isinstance(sheet.get("cells"), list) for sheet in sheets):
        raise Unreadable("the notebook has no list of cells")
    cells = [cell for sheet in sheets for cell in sheet["cells"]]
    if len(cells) > MAX_CELLS:
        raise Unreadable(f"the notebook has {len(cells):,} cells, the limit is {MAX_CELLS:,}")
    return cells


def _stamp(document: Mapping[str, Any]) -> dict[str, str]:
    metadata = document.get("metadata")
    stamp = metadata.get(RELEASE) if isinstance(metadata, dict) else None
    return {RELEASE: stamp} if isinstance(stamp, str) and _STAMP.fullmatch(stamp) else {}


def _slim(position: int, cell: Any) -> dict[str, Any]:
    """A cell's kind, source and grade id. Raises Unreadable where there is no source text."""
    source = cell.get("source", cell.get("input", "")) if isinstance(cell, dict) else None
    lines: list[Any] = source if isinstance(source, list) else [source]
    if not all(isinstance(line, str) for line in lines):
        raise Unreadable(f"cell {position} of the notebook is damaged: it has no source text")
    name, kind = grade_id(cell), cell.get("cell_type")
    return {
        "cell_type": kind if kind in ("code", "raw") else "markdown",
        "metadata": {"nbgrader": {"grade_id": name}} if name else {},
        "source": "".join(lines),
    }


def _source(cell: NotebookNode) -> str:
    source = cell.get("source", "")
    text = source if isinstance(source, str) else "".join(str(line) for line in source)
    # lone surrogates are valid JSON and invalid UTF-8: they would stop the notebook from being written
    return text.encode("utf-8", "replace").decode("utf-8")


def _with_answer_of(cell: NotebookNode, original: NotebookNode) -> Cell:
    restored = _copy(original)
    if not original.metadata.nbgrader.get("locked", False):
        restored["source"] = _source(cell)
    return restored


def _copy(original: NotebookNode) -> Cell:
    copied: Cell = json.loads(json.dumps(original))
    if copied["cell_type"] == "code":
        copied["outputs"], copied["execution_count"] = [], None
    return copied


def _own(cell: NotebookNode, position: int) -> Cell:
    """A student's own cell: its source and whether it is code, nothing else."""
    kind = cell.get("cell_type")
    made: dict[str, Any] = {"id": f"own-{position}", "metadata": {}, "source": _source(cell)}
    if kind == "code":
        return {**made, "cell_type": "code", "outputs": [], "execution_count": None}
    return {**made, "cell_type": "raw" if kind == "raw" else "markdown"}


def _insert_missing(cells: list[Cell], originals: dict[str, NotebookNode], seen: Iterable[str]) -> None:
    """Put every deleted cell back behind the released cell that came before it."""
    present = set(seen)
    before: str | None = None
    for name, original in originals.items():
        if name not in present:
            position = 0 if before is None else _position(cells, before) + 1
            cells.insert(position, _copy(original))
            present.add(name)
        before = name


def _move_checks_behind_answers(cells: list[Cell]) -> None:
    places = {name: position for position, cell in enumerate(cells) if (name := grade_id(cell))}
    early = [
        name
        for name, check in places.items()
        if name.startswith("test_") and places.get(name.removeprefix("test_"), -1) > check
    ]
    for name in early:
        check, answer = _position(cells, name), _position(cells, name.removeprefix("test_"))
        if answer > check:
            cells.insert(answer, cells.pop(check))


def _position(cells: list[Cell], name: str) -> int:
    return next((position for position, cell in enumerate(cells) if grade_id(cell) == name), -1)
