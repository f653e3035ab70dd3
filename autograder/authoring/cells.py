"""The cells of a lesson's notebook, in nbgrader's source form (solved), with their metadata.

nbgrader's cell metadata (schema 3) is written here and nowhere else.
"""

from __future__ import annotations

import ast
import textwrap
from typing import Any

from nbformat import v4
from nbformat.notebooknode import NotebookNode

from autograder.authoring import tags
from autograder.authoring.source import source_of, statements
from autograder.exercise import Exercise, FreeText, Question
from autograder.library import UserError

SCHEMA_VERSION = 3
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"


def prose(source: str, cell_id: str, metadata: dict[str, Any]) -> NotebookNode:
    """A cell of prose: not graded, not locked."""
    return _cell("markdown", source, cell_id, metadata)


def provided(source: str, cell_id: str, metadata: dict[str, Any]) -> NotebookNode:
    """A code cell that students run as it is; `metadata` is what the lesson's source says of it."""
    return _cell("code", source, cell_id, {**metadata, "nbgrader": _nbgrader(cell_id, locked=True)})


def of_exercise(exercise: Exercise) -> list[NotebookNode]:
    """The solution cell (solved) and the check cell."""
    name = exercise.name
    metadata = {"nbgrader": _nbgrader(name, solution=True)}
    return [_cell("code", solution_source(exercise), name, metadata), _check(name, exercise.points)]


def of_brought(exercise: Exercise, lesson: str) -> NotebookNode:
    """The cell that the student's own function of the earlier `lesson` is written into (solved: the
    reference). It is released as the call in the comment of its first line. Nothing is graded in it, so
    nbgrader is not told of it: it would say "No response." there."""
    lines = solution_source(exercise).splitlines()
    call = f'# bring("{exercise.name}", "{lesson}")'
    source = "\n".join([call, *(line for line in lines if line.strip() not in (BEGIN, END))])
    return _cell("code", source, f"bring_{exercise.name}", {"tags": [tags.BROUGHT]})


def of_question(question: Question) -> list[NotebookNode]:
    """The prompt, the answer cell (solved) and the check cell."""
    name = question.name
    source = f"# {name}: {question.kind.form}\n{BEGIN}\n{name} = {_literal(question)}\n{END}"
    metadata = {"tags": [tags.QUESTION], "nbgrader": _nbgrader(name, solution=True)}
    prompt = _prompt(name, question_text(question), question.seed_item)
    return [prompt, _cell("code", source, name, metadata), _check(name, question.points)]


def of_free_text(free_text: FreeText) -> list[NotebookNode]:
    """The prompt and the answer cell (solved: model answer and rubric), which a person grades."""
    name = free_text.name
    source = f"{BEGIN}\n{_graders_copy(free_text)}\n{END}"
    metadata = {"nbgrader": _nbgrader(name, solution=True, points=free_text.points)}
    prompt = _prompt(name, free_text_prompt(free_text), free_text.seed_item)
    return [prompt, _cell("markdown", source, name, metadata)]


def solution_source(exercise: Exercise) -> str:
    """The reference as the solved notebook shows it: without decorators, its body marked as solution.

    Raises UserError when the reference can't serve as a stub: no docstring, or a body on one line with it.
    """
    found = source_of(exercise.reference)
    text, node = found or ("", None)
    if node is None or isinstance(node, ast.Lambda):
        raise UserError(f"exercise {exercise.name}: its reference must be a `def` in the lesson's file")
    body = statements(node)
    if len(body) == len(node.body) or not body:
        raise UserError(f"exercise {exercise.name}: its reference needs a docstring, then a body")
    documented_until = node.body[0].end_lineno or node.body[0].lineno
    if body[0].lineno == documented_until:
        raise UserError(f"exercise {exercise.name}: put the body on lines of its own below the docstring")
    lines = textwrap.dedent("\n".join(text.splitlines()[node.lineno - 1 : node.end_lineno])).splitlines()
    head = documented_until - node.lineno + 1
    indent = " " * (body[0].col_offset - node.col_offset)
    solution = "\n".join(lines[head:]).strip("\n")
    return "\n".join([*lines[:head], f"{indent}{BEGIN}", solution, f"{indent}{END}"])


def question_text(question: Question) -> str:
    """The prompt, the options by letter, and what to assign."""
    options = [f"- **{letter}.** {text.strip()}" for letter, text in question.options.items()]
    asked = f"Assign your answer to `{question.name}`: {question.kind.form}."
    # Markdown gives the items of a list room where blank lines lie between them: matrices need it.
    tall = any("\\begin{" in option for option in options)
    listed = ("\n\n" if tall else "\n").join(options)
    return "\n\n".join(part for part in (question.prompt.strip(), listed, asked) if part)


def free_text_prompt(free_text: FreeText) -> str:
    """The prompt and the points. The rubric stays with the grader: its criteria say what to answer."""
    points = f"{free_text.points:g} {'point' if free_text.points == 1 else 'points'}"
    return f"{free_text.prompt.strip()}\n\nA person reads your answer; it is worth up to {points}."


def _graders_copy(free_text: FreeText) -> str:
    """What the solved notebook says: a model answer, and the rubric."""
    rubric = "\n".join(f"- {points:g}: {criterion}" for points, criterion in free_text.rubric)
    return f"{free_text.model_answer.strip()}\n\nRubric:\n\n{rubric}"


def _literal(question: Question) -> str:
    key = question.key.tolist() if hasattr(question.key, "tolist") else question.key
    try:
        ast.literal_eval(repr(key))
    except (ValueError, SyntaxError) as error:
        raise UserError(f"question {question.name}: its key {key!r} can't be written as a literal") from error
    return repr(key)


def _prompt(name: str, source: str, seed_item: str | None) -> NotebookNode:
    seed = {"tags": [f"seed:{seed_item}"]} if seed_item else {}
    grade_id = f"prompt_{name}"
    return _cell("markdown", source, grade_id, {**seed, "nbgrader": _nbgrader(grade_id, locked=True)})


def _check(name: str, points: float) -> NotebookNode:
    grade_id = f"test_{name}"
    metadata = {"nbgrader": _nbgrader(grade_id, locked=True, points=points)}
    return _cell("code", f'check("{name}")', grade_id, metadata)


def _cell(kind: str, source: str, cell_id: str, metadata: dict[str, Any]) -> NotebookNode:
    made: Any = v4  # nbformat has no types of its own
    make = made.new_code_cell if kind == "code" else made.new_markdown_cell
    cell: NotebookNode = make(source, id=cell_id, metadata=metadata)
    return cell


def _nbgrader(
    grade_id: str, *, solution: bool = False, locked: bool = False, points: float | None = None
) -> dict[str, Any]:
    """nbgrader's metadata of one cell; a cell with points is graded."""
    graded = {} if points is None else {"points": points}
    return {
        "schema_version": SCHEMA_VERSION,
        "grade_id": grade_id,
        "grade": points is not None,
        "solution": solution,
        "locked": locked,
        "task": False,
        **graded,
    }
