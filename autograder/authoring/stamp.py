"""The stamp of a released lesson: `0.1.0-3f2a9c81`, the course's version and a digest of what students get.

The notebook carries it in its metadata, as `course_release`, and where its source says `(RELEASE)`; the
lesson's public examples carry it as `release`. So the student library can tell a notebook of another
release, and grading a submission of one.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from nbformat.notebooknode import NotebookNode

from autograder.authoring.project import version
from autograder.course import Course
from autograder.judging.restore import RELEASE

#: What a lesson's source says where its name and its stamp belong: `begin(RELEASE)`.
PLACEHOLDER = "(RELEASE)"
DIGITS = 8


def stamp_of(course: Course, released: NotebookNode, examples: Mapping[str, Any]) -> str:
    """The stamp of a lesson by its `released` notebook, not stamped yet, and its public `examples`.

    Real numbers in the examples don't count: their last bits differ between processors.
    """
    cells = [(cell.cell_type, cell.source, cell.metadata) for cell in released.cells]
    public = json.dumps([cells, _without_floats(examples)], sort_keys=True)
    return f"{version(course)}-{hashlib.sha256(public.encode()).hexdigest()[:DIGITS]}"


def stamped(notebook: NotebookNode, lesson: str, stamp: str) -> NotebookNode:
    """A copy of `notebook` that carries the `stamp`."""
    made = copy.deepcopy(notebook)
    made.metadata[RELEASE] = stamp
    for cell in made.cells:
        if cell.cell_type == "code":
            cell.source = cell.source.replace(PLACEHOLDER, f'("{lesson}", "{stamp}")')
    return made


def _without_floats(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_floats(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_floats(item) for item in value]
    return "a real number" if isinstance(value, float) else value
