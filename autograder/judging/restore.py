"""A submitted notebook, read and put back into the shape that was released.

What a student may change is what is in their answer cells and their own extra cells; everything else
comes from the release: locked cells, points, cell types, metadata, the kernel, and every output.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

#: Well above a notebook with every figure kept, well below what would stop a class.
MAX_BYTES = 64 << 20


class Unreadable(Exception):
    """A submission that can't be graded as it is; `reason` says why, for the student and the report."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


def read(path: Path) -> NotebookNode:
    """The notebook at `path` in nbformat 4. Raises Unreadable, naming what is wrong with the file."""
    return parse(content(path))


def content(path: Path) -> bytes:
    """The bytes of the notebook at `path`. Raises Unreadable for what is no file, or too large a one."""
    if path.is_symlink() or not path.is_file():
        raise Unreadable(f"{path.name}: expected a notebook file, found {_what_is_at(path)}")
    if path.stat().st_size > MAX_BYTES:
        raise Unreadable(
            f"{path.name} has {path.stat().st_size:,} bytes, the limit is {MAX_BYTES:,}: "
            "clear its outputs and hand it in again"
        )
    try:
        return path.read_bytes()
    except OSError as error:
        raise Unreadable(f"{path.name} can't be read: {error.strerror}") from error


def parse(content: bytes) -> NotebookNode:
    """The notebook that `content` spells. Raises Unreadable."""
    try:
        document = json.loads(content)
    except UnicodeDecodeError as error:
        raise Unreadable("the file is not text in UTF-8: save it as a notebook from Jupyter") from error
    except RecursionError as error:
        raise Unreadable("the file is nested too deeply to be a notebook") from error
    except ValueError as error:
        raise Unreadable(f"the file is no notebook: it is not valid JSON ({error})") from error
    if not isinstance(document, dict) or not isinstance(document.get("nbformat"), int):
        raise Unreadable("the file is JSON but no notebook: it has no nbformat number")
    try:
        notebook = nbformat.convert(nbformat.from_dict(document), 4)
    except (
        Exception
    ) as error:  # the file is a stranger's: whatever its structure breaks, it is the file's fault
        raise Unreadable(f"nbformat {document['nbformat']} can't be read as version 4: {error}") from error
    _require_cells(notebook)
    return notebook


def grade_id(cell: NotebookNode) -> str | None:
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
    cells: list[NotebookNode] = []
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


def _what_is_at(path: Path) -> str:
    if path.is_symlink():
        return "a link"
    return "a folder" if path.is_dir() else "something else" if path.exists() else "nothing"


def _require_cells(notebook: NotebookNode) -> None:
    cells = notebook.get("cells")
    if not isinstance(cells, list):
        raise Unreadable("the notebook has no list of cells")
    for position, cell in enumerate(cells):
        if not isinstance(cell, dict) or not isinstance(cell.get("source", ""), str | list):
            raise Unreadable(f"cell {position} of the notebook is damaged: it has no source text")


def _source(cell: NotebookNode) -> str:
    source = cell.get("source", "")
    text = source if isinstance(source, str) else "".join(str(line) for line in source)
    # lone surrogates are valid JSON and invalid UTF-8: they would stop the notebook from being written
    return text.encode("utf-8", "replace").decode("utf-8")


def _with_answer_of(cell: NotebookNode, original: NotebookNode) -> NotebookNode:
    restored = _copy(original)
    if not original.metadata.nbgrader.get("locked", False):
        restored["source"] = _source(cell)
    return restored


def _copy(original: NotebookNode) -> NotebookNode:
    copied = nbformat.from_dict(json.loads(json.dumps(original)))
    if copied.cell_type == "code":
        copied["outputs"], copied["execution_count"] = [], None
    return copied


def _own(cell: NotebookNode, position: int) -> NotebookNode:
    """A student's own cell: its source and whether it is code, nothing else."""
    kind = cell.get("cell_type")
    made: dict[str, Any] = {"id": f"own-{position}", "metadata": {}, "source": _source(cell)}
    if kind == "code":
        return nbformat.from_dict({**made, "cell_type": "code", "outputs": [], "execution_count": None})
    return nbformat.from_dict({**made, "cell_type": "raw" if kind == "raw" else "markdown"})


def _insert_missing(
    cells: list[NotebookNode], originals: dict[str, NotebookNode], seen: Iterable[str]
) -> None:
    """Put every deleted cell back behind the released cell that came before it."""
    present = set(seen)
    before: str | None = None
    for name, original in originals.items():
        if name not in present:
            position = 0 if before is None else _position(cells, before) + 1
            cells.insert(position, _copy(original))
            present.add(name)
        before = name


def _move_checks_behind_answers(cells: list[NotebookNode]) -> None:
    for name in [name for cell in cells if (name := grade_id(cell)) and name.startswith("test_")]:
        check, answer = _position(cells, name), _position(cells, name.removeprefix("test_"))
        if answer > check:
            cells.insert(answer, cells.pop(check))


def _position(cells: list[NotebookNode], name: str) -> int:
    return next((position for position, cell in enumerate(cells) if grade_id(cell) == name), -1)
