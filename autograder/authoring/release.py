"""From the solved notebook to the student's, with nbgrader's own preprocessors.

Importing this module imports nbgrader, which takes seconds: do so late. For `nbgrader
generate_assignment` to release the same bytes, nbgrader_config.py says
`c.GenerateAssignment.preprocessors = release.GENERATE`.
"""

from __future__ import annotations

import copy
from typing import Any

import nbformat
from nbformat.notebooknode import NotebookNode
from nbgrader.preprocessors import (
    CheckCellMetadata,
    ClearHiddenTests,
    ClearMarkScheme,
    ClearOutput,
    ClearSolutions,
    ComputeChecksums,
    LockCells,
    SaveCells,
)
from nbgrader.preprocessors.base import NbGraderPreprocessor

from autograder.authoring import tags


class BlankAnswers(NbGraderPreprocessor):
    """Releases a question's answer cell as `NAME = None`, below the comment that says what to assign, and a
    cell for a function of an earlier lesson as the call of `bring` that its comment holds. Must come right
    after ClearSolutions, which leaves a stub that raises in the former.
    """

    def preprocess_cell(self, cell: NotebookNode, resources: Any, index: int) -> tuple[NotebookNode, Any]:
        comment = cell.source.split("\n")[0]
        if tags.QUESTION in cell.metadata.get("tags", []):
            cell.source = f"{comment}\n{cell.metadata.nbgrader['grade_id']} = None"
        elif tags.BROUGHT in cell.metadata.get("tags", []):
            cell.source = comment.removeprefix("# ")
        return cell, resources


#: What `nbgrader generate_assignment` runs, in order; SaveCells writes the assignment into the gradebook.
GENERATE: list[Any] = [
    LockCells,
    ClearSolutions,
    BlankAnswers,
    ClearOutput,
    CheckCellMetadata,
    ComputeChecksums,
    SaveCells,
    ClearHiddenTests,
    ClearMarkScheme,
    ComputeChecksums,
    CheckCellMetadata,
]
_WITHOUT_DATABASE = [step for step in GENERATE if step is not SaveCells]


def released(solved: NotebookNode) -> NotebookNode:
    """The student's notebook of the `solved` one, which is left as it is."""
    notebook: NotebookNode = copy.deepcopy(solved)
    resources: dict[str, Any] = {}
    for step in _WITHOUT_DATABASE:
        notebook, resources = step().preprocess(notebook, resources)
    nbformat.validate(notebook)
    return notebook
