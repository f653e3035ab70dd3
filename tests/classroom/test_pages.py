"""nbgrader's pages with a notebook on them: whole with no network, formulas drawn, rubrics for the grader."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from gradebooks import run, say
from nbconvert.exporters import HTMLExporter
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell
from nbgrader.api import Gradebook
from nbgrader.server_extensions.formgrader.formgrader import FormgradeExtension
from tiny_course import LESSON, RIGHT

from autograder.classroom import pages
from autograder.classroom.feedback import generate_feedback
from autograder.course import Course
from autograder.judging.restore import grade_id

FORMULA = r"Scores are $\frac{q \cdot k}{\sqrt{d_k}}$, it costs $5, and `$x$` is code."
HALF_DRAWN = "<mfrac><mrow><mi>q</mi><mo>·</mo><mi>k</mi></mrow><msqrt>"
DRAWN = "<code>$x$</code> is code."
CRITERION = "names a reason"
HandIn = Callable[..., Path]


class Loads(HTMLParser):
    """What a page would run or fetch: scripts, style sheets, pictures, frames; and its addresses."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self.fetched: list[str] = []
        self.styles = ""
        self._inside = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        given = {name: value or "" for name, value in attrs}
        if tag == "script":
            self.scripts.append(given.get("src", "inline"))
        elif tag != "a":
            self.fetched += [given[name] for name in ("src", "href", "data", "srcset") if name in given]
        self.styles += given.get("style", "")

    def handle_data(self, data: str) -> None:
        if self._inside == "style":
            self.styles += data

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""


@pytest.fixture
def graded(course: Course, hand_in: HandIn) -> Course:
    """A class whose ada gave a reason, graded; the lesson ends with a formula."""
    hand_in("ada", double=RIGHT, tell_why=r"Since $\sqrt{2}$.")
    run(course)
    rewrite(course, lambda cells: cells.append(new_markdown_cell(FORMULA, id="formula")))
    return course


def rewrite(course: Course, change: Callable[[list[NotebookNode]], object]) -> None:
    """Let the cells of ada's autograded notebook be others, as if grading had changed nothing in them."""
    path = autograded(course)
    path.chmod(0o644)
    notebook = nbformat.read(path, as_version=4)
    change(notebook.cells)
    nbformat.write(notebook, path)


def answer_with(course: Course, text: str) -> None:
    """Let ada's free text be `text`."""

    def change(cells: list[NotebookNode]) -> None:
        next(cell for cell in cells if grade_id(cell) == "tell_why").source = text

    rewrite(course, change)


def feedback_of(course: Course, student: str = "ada") -> str:
    generate_feedback(course, LESSON, student)
    return (course.feedback / student / LESSON / f"{LESSON}.html").read_text(encoding="utf-8")


def autograded(course: Course, student: str = "ada") -> Path:
    return course.autograded / student / LESSON / f"{LESSON}.ipynb"


def formgraders_page(course: Course, monkeypatch: pytest.MonkeyPatch, student: str = "ada") -> str:
    """What the formgrader's own exporter makes of a submission, from the resources of its handler."""
    monkeypatch.chdir(course.root)
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(course.root / "none"))
    extension = FormgradeExtension()
    extension.initialize([])
    resources = {
        "assignment_id": LESSON,
        "notebook_id": LESSON,
        "submission_id": "5ub",
        "index": 0,
        "total": 1,
        "base_url": "/base",
        "student": student,
        "last_name": None,
        "first_name": None,
        "notebook_path": "path",
    }
    page, _ = HTMLExporter(config=extension.config).from_filename(str(autograded(course)), resources)
    return page


def body(page: str) -> str:
    return page[page.index("<body") :]


# --- without a network -------------------------------------------------------------------------------------


def test_a_feedback_page_runs_nothing_and_loads_nothing(graded: Course) -> None:
    page = feedback_of(graded)
    loads = Loads(page)
    assert loads.scripts == []
    assert loads.fetched == []
    assert re.findall(r"@import|@font-face|url\(|image-set", loads.styles) == []
    assert "default-src 'none'" in page


def test_a_feedback_page_draws_its_formulas(graded: Course) -> None:
    page = body(feedback_of(graded))
    assert HALF_DRAWN in page
    assert DRAWN in page
    assert "Since <math><msqrt><mn>2</mn></msqrt></math>" in page
    assert "it costs $5" in page


def test_a_formula_in_a_graders_comment_is_drawn(graded: Course) -> None:
    with Gradebook(f"sqlite:///{graded.gradebook}") as book:
        say(book, "ada", "tell_why", "Not $x^2$?")
    assert "Not <math><msup><mi>x</mi><mn>2</mn></msup></math>?" in feedback_of(graded)


def test_the_formgraders_page_loads_what_its_own_server_has(
    graded: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = formgraders_page(graded, monkeypatch)
    loads = Loads(page)
    assert len(loads.scripts) > 5
    assert [one for one in loads.scripts if not re.match("inline|/base/formgrader/", one)] == []
    assert [one for one in loads.fetched if not one.startswith("/base/formgrader/")] == []
    assert re.findall(r"@import|//", re.sub(r"/\*.*?\*/", "", loads.styles, flags=re.DOTALL)) == []
    assert "default-src 'self'" in page


def test_the_formgraders_page_draws_its_formulas(graded: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    page = body(formgraders_page(graded, monkeypatch))
    assert HALF_DRAWN in page
    assert "Since <math><msqrt><mn>2</mn></msqrt></math>" in page


# --- what a student wrote ----------------------------------------------------------------------------------

ATTACKS = {
    r"$\text{<script>f()</script>}$": "script",
    r"$<img src=x onerror=f()>$": "img",
    "$$\\style{x}{</math><iframe src=x>}$$": "iframe",
    "```mermaid\n<script>f()</script>\n```": "script",
}


@pytest.mark.parametrize("answer", ATTACKS)
def test_a_hostile_answer_is_text(answer: str, graded: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the student wrote it: these pages are the second wall, behind classroom/harmless.py."""
    honest = [formgraders_page(graded, monkeypatch), feedback_of(graded)]
    answer_with(graded, answer)
    for before, after in zip(
        honest, [formgraders_page(graded, monkeypatch), feedback_of(graded)], strict=True
    ):
        tag = ATTACKS[answer]
        assert after.count(f"<{tag}") == before.count(f"<{tag}")
        letters = "".join(f"<mi>{letter}</mi>" for letter in tag)
        assert f"&lt;{tag}" in after or f"<mo>&lt;</mo>{letters}" in after


@pytest.mark.parametrize(
    "text",
    [
        "\\begin{a}" * (pages.LONGEST_CELL // 9 + 1),
        "$x$ " * (pages.LONGEST_CELL // 60),
        "> " * (pages.LONGEST_CELL // 2 + 1),
    ],
)
def test_an_answer_beyond_reading_is_shown_as_it_was_written(text: str, graded: Course) -> None:
    answer_with(graded, text)
    page = feedback_of(graded)
    assert page.count('<pre class="markdown">') == 1
    assert HALF_DRAWN in page


def test_a_page_beyond_reading_ends_as_it_was_written(graded: Course) -> None:
    long = "word " * (pages.LONGEST_CELL // 5 - 10)
    rendered = pages.LONGEST_PAGE // len(long)
    rewrite(
        graded,
        lambda cells: cells.extend(new_markdown_cell(f"{n} {long}", id=f"n{n}") for n in range(rendered + 2)),
    )
    page = feedback_of(graded)
    assert page.count('<pre class="markdown">') == 2
    assert HALF_DRAWN in page


# --- the rubric --------------------------------------------------------------------------------------------


def test_the_rubric_stands_below_the_answer_that_is_graded(
    graded: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = body(formgraders_page(graded, monkeypatch))
    assert page.index('id="tell_why-comment"') < page.index('class="rubric"') < page.index(DRAWN)
    rubric = page[page.index('class="rubric"') : page.index(DRAWN)]
    assert f"<li>1: {CRITERION}</li>" in rubric
    assert "2 points" in rubric
    assert page.count('class="rubric"') == 1


def test_no_student_sees_the_rubric(graded: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    formgraders_page(graded, monkeypatch)
    page = feedback_of(graded)
    assert CRITERION not in page
    assert 'class="rubric"' not in page
    assert CRITERION not in autograded(graded).read_text()


def test_where_there_are_no_solutions_the_page_says_so(
    graded: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(graded.solutions)
    page = body(formgraders_page(graded, monkeypatch))
    assert "No rubric: no solutions/lessons in" in page
    assert HALF_DRAWN in page
