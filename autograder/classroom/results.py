"""One submission's result, in the plain form that crosses processes and that every path records."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from nbformat import NotebookNode

from autograder.classroom.harmless import disarm
from autograder.grading import Graded
from autograder.judging.restore import grade_id

DAMAGED = "damaged"
GRADER_ERROR = "grader_error"
#: What the runner calls the error output of a cell that had to be stopped.
STOPPED = ("TimeLimit", "Stopped")


@dataclass(frozen=True)
class Result:
    """What became of one submission. `notebook` is the graded notebook's text, None where there is
    none: then `verdict` holds `error`, the reason, and `kind`, `damaged` or `grader_error`."""

    student: str
    lesson: str
    verdict: dict[str, Any]
    notebook: str | None = None
    scores: dict[str, float | None] = field(default_factory=dict)
    unanswered: tuple[str, ...] = ()

    @property
    def error(self) -> str | None:
        return self.verdict.get("error")

    @property
    def kind(self) -> str | None:
        return self.verdict.get("kind")


def of_graded(student: str, graded: Graded, released: NotebookNode) -> Result:
    """The result of a submission that was graded."""
    blank = unanswered(graded.notebook, released)
    disarm(graded.notebook, released)
    return Result(
        student,
        graded.lesson,
        {
            "student": student,
            **graded.to_json(),
            "cells_seconds": round(graded.cells_seconds, 3),
            "stopped": stopped(graded.notebook),
        },
        notebook_text(graded.notebook),
        dict(graded.scores()),
        blank,
    )


def notebook_text(notebook: NotebookNode) -> str:
    """The notebook as JSON, a line for each cell. (`nbformat.write` indents, which Python's JSON library does
    ten times as slowly.)"""
    cells = ",\n".join(map(_compact, notebook.cells))
    rest = _compact({key: value for key, value in notebook.items() if key != "cells"})
    return f'{{"cells": [\n{cells}\n],\n{rest[1:]}\n'


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def without_grade(lesson: str, student: str, kind: str, reason: str) -> Result:
    """The result of a submission that has no grade: every score waits for a person."""
    return Result(student, lesson, {"student": student, "lesson": lesson, "error": reason, "kind": kind})


def stopped(notebook: NotebookNode) -> list[dict[str, str]]:
    """The cells that ran out of time or took the process with them, by grade id or position, and why."""
    return [
        {"cell": grade_id(cell) or f"cell {position}", "why": str(output.evalue)}
        for position, cell in enumerate(notebook.cells)
        for output in cell.get("outputs", ())
        if output.output_type == "error" and output.ename in STOPPED
    ]


def unanswered(notebook: NotebookNode, released: NotebookNode) -> tuple[str, ...]:
    """The solution cells whose source is as it was released, which is what nbgrader's checksum tells."""
    sources = {grade_id(cell): cell.source for cell in released.cells}
    return tuple(
        name
        for cell in notebook.cells
        if (name := grade_id(cell))
        and cell.metadata.nbgrader.get("solution")
        and cell.source == sources.get(name)
    )
