"""Notebooks with one answer changed, for tests that grade them."""

from __future__ import annotations

import json

import nbformat
from nbformat import NotebookNode

from autograder.judging.restore import grade_id


def with_cell(notebook: NotebookNode, name: str, source: str) -> NotebookNode:
    """A copy of `notebook` in which the cell `name` holds `source`."""
    changed = nbformat.from_dict(json.loads(json.dumps(notebook)))
    cell = next(cell for cell in changed.cells if name in (grade_id(cell), cell.id))
    cell.source = source
    return changed
