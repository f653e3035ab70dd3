"""What the student reads under a check cell: the judge's words as notebook outputs.

Every text that a student could have written is escaped here. Expected values of hidden cases are not
known to this module: a verdict does not carry them.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import nbformat
import numpy as np
from nbformat import NotebookNode

from attention_lib.compare import Opaque
from autograder.exercise import Outcome
from autograder.judging.showing import array_in_short, in_short
from autograder.judging.verdict import Evidence, ExerciseVerdict, QuestionVerdict, Verdict

SHOWN_CHARACTERS = 600
_CELL = "text-align:left; padding:2px 16px 2px 0"
_WORDS = {
    Outcome.PASSED: "right",
    Outcome.PARTIAL: "partly right",
    Outcome.FAILED: "not right yet",
    Outcome.ERRORED: "raised an error",
    Outcome.TIMED_OUT: "ran out of time",
    Outcome.MISSING: "not attempted",
    Outcome.GRADER_ERROR: "to be graded by a person",
}


def outputs(verdict: Verdict) -> list[NotebookNode]:
    """The outputs of the check cell: what was off, then the score.

    The score is an execute_result whose text is the bare number, because that is what nbgrader reads as
    the cell's points; without one it would give full marks.
    """
    lines = _lines(verdict)
    shown = _output("display_data", {"text/plain": "\n".join(lines), "text/html": _page(verdict)})
    if verdict.score is None:
        return [shown]
    number = f"{verdict.score:g}"
    points = f"{number} of {verdict.max_score:g} points"
    score = {"text/plain": number, "text/html": f"<b>{points}</b>"}
    return [shown, _output("execute_result", score, execution_count=None)]


def _output(kind: str, data: dict[str, str], **more: None) -> NotebookNode:
    """An nbformat v4 output; nbformat's own `new_output` holds each against its schema, which takes longer
    than all the rest of a verdict."""
    return nbformat.from_dict({"output_type": kind, "data": data, "metadata": {}, **more})


def show(value: Any) -> str:
    """A value in a few lines of text: arrays with their shape, long ones shortened."""
    if isinstance(value, Opaque):
        return f"an object of type {value.type_name}"
    if isinstance(value, np.ndarray):
        text = array_in_short(value)
        text = text if value.ndim == 0 else f"{text}   shape {value.shape}, {value.dtype}"
    else:
        text = in_short(value)
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + " …"


def _lines(verdict: Verdict) -> list[str]:
    lines = [f"{verdict.name}: {_WORDS[verdict.outcome]}"]
    if isinstance(verdict, QuestionVerdict):
        return [*lines, verdict.message] if verdict.message else lines
    if verdict.carried_from or not verdict.aspects or verdict.outcome is Outcome.MISSING:
        lines += [verdict.message] if verdict.message else []
    else:
        lines += [
            _aspect_line(aspect.name, aspect.score, aspect.max_score, aspect.message)
            for aspect in verdict.aspects
        ]
    if verdict.hint:
        lines.append(f"Hint: {verdict.hint}")
    return lines + _evidence_lines(verdict.evidence)


def _aspect_line(name: str, score: float, max_score: float, message: str) -> str:
    return f"  {name}: {score:g} of {max_score:g}" + (f" ({message})" if message else "")


def _evidence_lines(evidence: Evidence | None) -> list[str]:
    if evidence is None:
        return []
    lines = [f"For example ({evidence.aspect}):"]
    lines += [f"  {name} = {_indented(show(value))}" for name, value in evidence.inputs]
    if evidence.raised:
        return [*lines, f"  yours: {evidence.raised}"]
    if evidence.on_ranks and isinstance(evidence.answer, list):
        answers = [(f"yours on rank {rank}", answer) for rank, answer in enumerate(evidence.answer)]
    else:
        answers = [("yours", evidence.answer)]
    return lines + [f"  {name}: {_indented(show(answer))}" for name, answer in answers]


def _indented(text: str) -> str:
    return text.replace("\n", "\n      ")


def _page(verdict: Verdict) -> str:
    """The same as HTML. It needs no style sheet, so that the feedback page shows it as it is."""
    head = f"<p><b>{_escape(verdict.name)}</b>: {_WORDS[verdict.outcome]}</p>"
    if isinstance(verdict, QuestionVerdict):
        return head + (f"<p>{_escape(verdict.message)}</p>" if verdict.message else "")
    parts = [head]
    if verdict.carried_from or not verdict.aspects or verdict.outcome is Outcome.MISSING:
        parts += [f"<p>{_escape(verdict.message)}</p>"] if verdict.message else []
    else:
        parts.append(_aspect_table(verdict))
    if verdict.hint:
        parts.append(f"<p><b>Hint.</b> {_escape(verdict.hint)}</p>")
    evidence = _evidence_lines(verdict.evidence)
    if evidence:
        parts.append(f"<p>{_escape(evidence[0])}</p><pre>{_escape(chr(10).join(evidence[1:]))}</pre>")
    return "".join(parts)


def _aspect_table(verdict: ExerciseVerdict) -> str:
    rows = [
        (aspect.name, f"{aspect.score:g} of {aspect.max_score:g}", aspect.message or _WORDS[aspect.outcome])
        for aspect in verdict.aspects
    ]
    return "<table>" + "".join(_row(row) for row in rows) + "</table>"


def _row(cells: Sequence[str]) -> str:
    return "<tr>" + "".join(f'<td style="{_CELL}">{_escape(cell)}</td>' for cell in cells) + "</tr>"


def _escape(text: str) -> str:
    printable = "".join(c for c in text if c in "\n\t" or c.isprintable())
    return html.escape(printable)
