"""A notebook as a student hands it in: the released one, with cells filled, added, copied or lost.

The sample class and the hostile notebooks of the tests are both made with these few edits.
"""

from __future__ import annotations

import copy
import textwrap
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode


@dataclass
class HandedIn:
    """A submission in the making. Cells are named by their grade_id."""

    notebook: NotebookNode
    added: int = 0

    @classmethod
    def read(cls, released: Path) -> HandedIn:
        return cls(nbformat.read(released, as_version=4))

    def position(self, grade_id: str) -> int:
        """Where the first cell of this name is. Raises KeyError when the release has no such cell."""
        for position, cell in enumerate(self.notebook.cells):
            if name_of(cell) == grade_id:
                return position
        raise KeyError(f"the released notebook has no cell {grade_id!r}")

    def cell(self, grade_id: str) -> NotebookNode:
        return self.notebook.cells[self.position(grade_id)]

    def fill(self, grade_id: str, source: str) -> None:
        """Write `source` into the cell, in place of what it held."""
        self.cell(grade_id).source = tidy(source)

    def first(self, source: str) -> None:
        """A code cell of the student's own at the very top."""
        self.notebook.cells.insert(0, self._own("code", source))

    def before(self, grade_id: str, source: str) -> None:
        """A code cell of the student's own in front of the named one."""
        self.notebook.cells.insert(self.position(grade_id), self._own("code", source))

    def after(self, grade_id: str, source: str, kind: str = "code") -> None:
        """A cell of the student's own behind the named one."""
        self.notebook.cells.insert(self.position(grade_id) + 1, self._own(kind, source))

    def drop(self, grade_id: str) -> None:
        """Delete the cell, as a student does by accident."""
        del self.notebook.cells[self.position(grade_id)]

    def duplicate(self, grade_id: str, source: str | None = None, *, ahead: bool = False) -> None:
        """Copy the cell, metadata and all, behind itself (or ahead of it); `source` replaces the copy's."""
        position = self.position(grade_id)
        twin = copy.deepcopy(self.notebook.cells[position])
        twin.id = self._new_id()
        if source is not None:
            twin.source = tidy(source)
        self.notebook.cells.insert(position if ahead else position + 1, twin)

    def keep_only_graded_cells(self) -> None:
        """Drop the prose and the provided code, which grading puts back: answers and checks are left."""
        self.notebook.cells = [
            cell
            for cell in self.notebook.cells
            if any(cell.metadata.get("nbgrader", {}).get(kind) for kind in ("grade", "solution"))
        ]

    def text(self) -> str:
        """The notebook's file, the same bytes each time."""
        return nbformat.writes(self.notebook, version=4) + "\n"

    def _own(self, kind: str, source: str) -> NotebookNode:
        make = nbformat.v4.new_markdown_cell if kind == "markdown" else nbformat.v4.new_code_cell
        return make(tidy(source), id=self._new_id())

    def _new_id(self) -> str:
        self.added += 1
        return f"own-{self.added}"


def name_of(cell: NotebookNode) -> str | None:
    """The cell's grade_id; None for a cell that nbgrader does not know."""
    return cell.metadata.get("nbgrader", {}).get("grade_id")


def tidy(source: str) -> str:
    """`source` without the indentation and blank lines that it has as a literal."""
    return textwrap.dedent(source).strip("\n")
