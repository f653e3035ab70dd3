"""nbgrader's pages with notebooks on them, feedback and the formgrader's, so that they need no network.

`c.HTMLExporter.preprocessors` in nbgrader_config.py names `Offline` and `ShowRubrics`; nbgrader makes an
HTMLExporter for its feedback and one for its formgrader.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context
from nbconvert.filters import Highlight2HTML
from nbconvert.preprocessors import Preprocessor
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

from autograder import library
from autograder.classroom import markdown
from autograder.course import Course
from autograder.exercise import FreeText
from autograder.library import UserError

Resources = dict[str, Any]

#: How much Markdown is rendered, in one cell and on one page; what is more is shown as it was written.
#: In characters, of which a dollar sign counts as many as a formula takes to draw. A parser's time can grow
#: with the square of a cell's length. The longest lesson has 43,000, in cells of up to 5,000.
LONGEST_CELL = 20_000
LONGEST_PAGE = 150_000
DOLLAR = 30
_SPENT = "markdown_rendered"
#: Parts of a style sheet that load something.
_LOADS = re.compile(r"@font-face\s*\{[^}]*\}|@import[^;]*;|url\((?!\s*[\"']?data:)[^)]*\)")


class Offline(Preprocessor):
    """Formulas are drawn by the browser itself, and nothing is loaded from elsewhere."""

    def __init__(self, parent: Any = None, **more: Any) -> None:
        """`parent` is the exporter: its filters for Markdown and code, and its template for formulas, are
        replaced."""
        super().__init__(parent=parent, **more)
        templates = Path(__file__).parent / "page_templates"
        parent.extra_template_basedirs = [str(templates), *parent.extra_template_basedirs]
        ours = {"markdown2html": markdown2html, "highlight_code": highlight_code}
        parent.filters = {**parent.filters, **ours}

    def preprocess(self, nb: NotebookNode, resources: Resources) -> tuple[NotebookNode, Resources]:
        if "include_css" in resources:
            resources["include_css"] = _loading_nothing(resources["include_css"])
        return nb, resources


def _loading_nothing(include: Callable[[str], str]) -> Callable[[str], str]:
    """The exporter's function that writes a style sheet into the page, without fonts of Bootstrap's that
    lie beside it."""
    return lambda name: type(include(name))(_LOADS.sub("", include(name)))


@pass_context
def markdown2html(context: Context, source: str) -> str:
    """The template's filter for a Markdown cell or a comment."""
    resources, cell = context.get("resources", {}), context.get("cell", {})
    weight = len(source) + DOLLAR * source.count("$")
    if weight > LONGEST_CELL or resources.get(_SPENT, 0) + weight > LONGEST_PAGE:
        return markdown.plain(source)
    resources[_SPENT] = resources.get(_SPENT, 0) + weight
    return markdown.render(source, cell.get("attachments", {}))


def highlight_code(source: str, language: str | None = None, metadata: object = None) -> str:
    """The template's filter for a code cell: as Python, whatever the notebook says that it is."""
    return _highlighted(source) if len(source) <= LONGEST_CELL else _highlighted.__wrapped__(source)


@functools.lru_cache(maxsize=1024)
def _highlighted(source: str) -> str:
    """Most of a class's cells are the lesson's own, the same for each student."""
    return str(Highlight2HTML(pygments_lexer="ipython3")(source))


class ShowRubrics(Preprocessor):
    """The rubric below each free text on the formgrader's page, for who grades; never on a student's.

    Of nbgrader's two exporters the formgrader's alone is told of a submission's id.
    """

    def preprocess(self, nb: NotebookNode, resources: Resources) -> tuple[NotebookNode, Resources]:
        if "submission_id" in resources:
            rubrics = _rubrics(Path(resources["metadata"]["path"]), resources["assignment_id"])
            nb.cells = [shown for cell in nb.cells for shown in (cell, *_below(cell, rubrics))]
        return nb, resources


def _rubrics(folder: Path, lesson: str) -> dict[str, FreeText] | str:
    """The lesson's free texts by grade id, or why there are none."""
    try:
        return library.load(Course.find(folder).solutions, lesson).free_texts
    except UserError as error:
        return str(error)


def _below(cell: NotebookNode, rubrics: dict[str, FreeText] | str) -> list[NotebookNode]:
    marks = cell.metadata.get("nbgrader", {})
    if cell.cell_type != "markdown" or not (marks.get("grade") and marks.get("solution")):
        return []
    if isinstance(rubrics, str):
        return [_aside(f"No rubric: {rubrics}")]
    return [_aside(_rubric(rubrics[marks.grade_id]))] if marks.grade_id in rubrics else []


def _rubric(text: FreeText) -> str:
    criteria = "\n".join(f"- {points:g}: {criterion}" for points, criterion in text.rubric)
    return f"**Rubric** of `{text.name}`, {text.points:g} points; students do not see it\n\n{criteria}"


def _aside(text: str) -> NotebookNode:
    return new_markdown_cell(f'<div class="rubric">\n\n{text}\n\n</div>')
