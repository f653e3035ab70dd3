"""Notebooks with one answer changed, for tests that grade them."""

from __future__ import annotations

import inspect
import json
import textwrap
from collections.abc import Callable
from typing import Any

import nbformat
from nbformat import NotebookNode

from autograder.judging.restore import grade_id


def with_cell(notebook: NotebookNode, name: str, source: str) -> NotebookNode:
    """A copy of `notebook` in which the answer cell `name` holds `source`."""
    changed = nbformat.from_dict(json.loads(json.dumps(notebook)))
    cell = next(cell for cell in changed.cells if grade_id(cell) == name)
    cell.source = source
    return changed


def as_answer(function: Callable[..., Any], name: str) -> str:
    """The source of a hidden implementation, renamed to the exercise and with the imports it needs."""
    lines = textwrap.dedent(inspect.getsource(function)).splitlines()
    start = next(position for position, line in enumerate(lines) if line.startswith("def "))
    body = "\n".join(lines[start:])
    return f"import math\n{body}\n\n{name} = {function.__name__}\n"
