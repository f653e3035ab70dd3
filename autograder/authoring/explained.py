"""The explained edition of a lesson, for learners with no instructor: the released notebook with every answer
in it, and below each what is behind the wrong ones.

It is not executed: pictures and measured times differ from machine to machine, and the bytes are to be the
same. It holds nothing of nbgrader's, since nobody grades it.
"""

from __future__ import annotations

import ast
import copy
import textwrap
from pathlib import Path
from typing import Any

import nbformat
from nbformat import v4
from nbformat.notebooknode import NotebookNode

from autograder.authoring import cells, tags
from autograder.authoring.lesson import Item, items
from autograder.authoring.source import source_of
from autograder.authoring.student_readme import title
from autograder.course import Course
from autograder.exercise import Exercise, FreeText, Question
from autograder.library import Library, UserError, load

FOLDER = "explained"
_NOTICE = (
    "> **Explained edition: this notebook holds all the answers.** Do the lesson in "
    "[`notebooks/{lesson}`](../notebooks/{lesson}/{lesson}.ipynb) first, and come here where you are stuck "
    "or done. Folds below the answers say what lies behind wrong ones. No outputs are stored: run the cells."
)
_README = """# The explained edition

**These notebooks hold all the answers.** They are for learning without a teacher, and not for a class that is
graded. Each is a lesson of `notebooks/` once more, with

- every function written, and below it the known mistakes, each with the question that helps to see it;
- every question answered, with what to think about for each wrong answer;
- for every text that you write yourself, a model answer and what a reader looks for.

Write your own in `notebooks/` first: a function that you have read is soon forgotten, one that you have
mended stays.

| lesson | notebook |
|---|---|
{rows}
"""


def explained_files(course: Course, lessons: list[str]) -> dict[str, str]:
    """The texts of the edition's files, by their paths in it."""
    rows = [f"| {title(course.released(lesson))} | [{lesson}.ipynb]({lesson}.ipynb) |" for lesson in lessons]
    notebooks = {
        f"{lesson}.ipynb": _text(explained(course.released(lesson), load(course.solutions, lesson)))
        for lesson in lessons
    }
    return {"README.md": _README.format(rows="\n".join(rows)), **notebooks}


def explained(released: Path, library: Library) -> NotebookNode:
    """The `released` notebook of the library's lesson with its answers, and what is behind the wrong ones."""
    reads: Any = nbformat.read
    notebook: NotebookNode = reads(released, as_version=4)
    answers = items(library)
    made = [_prose(f"{FOLDER}-edition", _NOTICE.format(lesson=library.lesson))]
    for cell in notebook.cells:
        made += _explained(cell, answers, library)
    notebook.cells = made
    return notebook


def _explained(cell: NotebookNode, answers: dict[str, Item], library: Library) -> list[NotebookNode]:
    """The cell, answered where it asks; what there is to say of an answer follows the last of its cells."""
    item = answers.get(cell.id)
    is_brought = tags.BROUGHT in cell.metadata.get("tags", [])
    source = _answer(item) if item else _brought(cell, library) if is_brought else cell.source
    done = item if isinstance(item, FreeText) else answers.get(_checked(cell))
    below = [_prose(f"about-{done.name}", "\n\n".join(_about(done)))] if done else []
    return [_with_source(cell, source), *below]


def _checked(cell: NotebookNode) -> str:
    """The name of what a check cell checks; nothing's for any other."""
    return cell.id.removeprefix("test_") if cell.id.startswith("test_") else ""


def _with_source(cell: NotebookNode, source: str) -> NotebookNode:
    made = copy.deepcopy(cell)
    made.source = source
    made.metadata = {}
    return made


def _prose(cell_id: str, source: str) -> NotebookNode:
    new_markdown_cell: Any = v4.new_markdown_cell
    cell: NotebookNode = new_markdown_cell(source, id=cell_id)
    return cell


def _answer(item: Item) -> str:
    match item:
        case Exercise():
            return _unmarked(cells.solution_source(item))
        case Question():
            return f"# {item.name}: {item.kind.form}\n{item.name} = {_shown(item.key)}"
        case FreeText():
            return f"*A model answer.* {item.model_answer.strip()}"


def _unmarked(source: str) -> str:
    """A solution without nbgrader's marks."""
    lines = source.splitlines()
    return "\n".join(line for line in lines if line.strip() not in (cells.BEGIN, cells.END))


def _brought(cell: NotebookNode, library: Library) -> str:
    """The function that the cell brings from an earlier lesson, below a line that says so."""
    call = ast.parse(cell.source, mode="eval").body
    if not isinstance(call, ast.Call):
        raise UserError(f"{library.lesson}: cell {cell.id} is expected to call bring: build the lesson again")
    name, lesson = (ast.literal_eval(argument) for argument in call.args)
    source = _unmarked(cells.solution_source(load(library.solutions, lesson).exercises[name]))
    return f"# from {lesson}\n{source}"


def _about(item: Item) -> list[str]:
    match item:
        case Exercise():
            return _about_exercise(item)
        case Question():
            return _about_question(item)
        case FreeText():
            rubric = [f"- {_count(points, 'point')}: {criterion}" for points, criterion in item.rubric]
            return _fold("What a reader of your answer looks for", ["\n".join(rubric)])


def _about_exercise(exercise: Exercise) -> list[str]:
    points = ", ".join(f"{aspect.name} {aspect.points:g}" for aspect in exercise.aspects)
    mistakes = [
        _point(f"**{_words(known.name)}.** {known.hint}", known.function) for known in exercise.misconceptions
    ]
    ways = [_point(f"**{_words(function.__name__)}**", function) for function in exercise.alternatives]
    return [
        f"*In a class, `{exercise.name}` is worth {_count(exercise.points, 'point')}: {points}.*",
        *_fold(f"{_count(len(mistakes), 'known mistake')}, each with the question to ask", mistakes),
        *_fold("Other right ways to write it", ways),
    ]


def _about_question(question: Question) -> list[str]:
    chosen = question.options.get(question.key, "") if isinstance(question.key, str) else ""
    answer = f"The answer is **{_shown(question.key)}**" + (f": {chosen.strip()}" if chosen else ".")
    wrong = [f"- **{_shown(given)}**: {hint}" for given, hint in question.hints]
    return _fold("The answer, and what to think about for each wrong one", [answer, "\n".join(wrong)])


def _fold(summary: str, parts: list[str]) -> list[str]:
    """Parts that show when their summary is clicked; nothing where there are none."""
    kept = [part for part in parts if part]
    return [f"<details>\n<summary>{summary}</summary>", *kept, "</details>"] if kept else []


def _count(number: float, what: str) -> str:
    return f"{number:g} {what}{'' if number == 1 else 's'}"


def _words(name: str) -> str:
    """`not_summed` → `Not summed`."""
    spaced = name.replace("_", " ")
    return spaced[:1].upper() + spaced[1:]


def _point(said: str, function: Any) -> str:
    """An item of a list in Markdown: what is `said`, and the function as its author wrote it, undecorated."""
    found = source_of(function)
    if found is None:
        raise UserError(
            f"{getattr(function, '__name__', function)!r} has no source to show: write it as a `def`"
        )
    text, node = found
    code = textwrap.dedent("\n".join(text.splitlines()[node.lineno - 1 : node.end_lineno]))
    return "- " + textwrap.indent(f"{said}\n\n```python\n{code}\n```", "  ").lstrip()


def _shown(value: Any) -> str:
    """An answer as a student would write it: numbers to six digits."""
    plain = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(plain, float):
        return f"{plain:.6g}"
    if isinstance(plain, list | tuple):
        return f"[{', '.join(map(_shown, plain))}]"
    return repr(plain).replace("'", '"') if isinstance(plain, str | dict) else repr(plain)


def _text(notebook: NotebookNode) -> str:
    nbformat.validate(notebook)
    writes: Any = nbformat.writes
    return f"{writes(notebook)}\n"
