"""Feedback and the formgrader's page of a submission in a browser that reaches nothing but this machine."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from course_copy import course_at
from nbgrader.api import Gradebook
from playwright.sync_api import Page, expect
from sample_class import HandedIn, read_answers

from autograder.classroom.feedback import generate_feedback
from autograder.classroom.grade import grade
from autograder.course import Course

REPOSITORY = Path(__file__).resolve().parents[2]
LESSON, STUDENT, FREE_TEXT = "06_output", "ada", "exact_without_the_matrix"
ANSWER = r"Kept are $m$ and $\frac{1}{l}\sum_j e^{\beta_j - m'}$, so $\text{<img src=x onerror=alert(1)>}$."
SECONDS = 60
#: Text with a dollar sign or a command of TeX's, outside code.
RAW_TEX = r"""() => {
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), raw = [];
    while (texts.nextNode()) {
        const node = texts.currentNode;
        if (!node.parentElement.closest("script, style, pre, code, textarea") && /\$|\\[a-z]/.test(node.data))
            raw.push(node.data);
    }
    return raw;
}"""
#: Formulas that are drawn with no size, or reach beyond the page.
LOST = """() => [...document.querySelectorAll("math")].filter(formula => {
    const box = formula.getBoundingClientRect();
    return formula.checkVisibility() && (box.height < 4 || box.right > innerWidth);
}).length"""
#: How far the rubric is below the field for the score; asked at one moment, since the page scrolls by itself.
BELOW_THE_SCORE = """name => {
    const top = selector => document.querySelector(selector).getBoundingClientRect().top;
    return top(".rubric") - top(`input.score#${name}`);
}"""


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """A class of one, graded: a mistake in lesson 6, and a free text with formulas."""
    course, answers = course_at(tmp_path_factory.mktemp("course")), read_answers(lesson=LESSON)
    work = HandedIn.read(course.released(LESSON))
    work.fill("attend_one", answers.right("attend_one"))
    work.fill(FREE_TEXT, ANSWER)
    path = course.submitted / STUDENT / LESSON / f"{LESSON}.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(work.text(), encoding="utf-8")
    grade(course, lessons=[LESSON])
    generate_feedback(course, LESSON)
    return course


@pytest.fixture(scope="module")
def address(course: Course) -> Iterator[str]:
    """The submission's page, from nbgrader's own handler in a Jupyter server of the instructor's."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{probe.getsockname()[1]}"
    variables = {**os.environ, "PYTHONPATH": str(REPOSITORY), "JUPYTER_CONFIG_DIR": str(course.root / "none")}
    options = [
        f"--port={base.rsplit(':', 1)[1]}",
        "--ServerApp.jpserver_extensions={'nbgrader.server_extensions.formgrader': True}",
        "--IdentityProvider.token=",
        "--allow-root",
        "--no-browser",
    ]
    with (course.root / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyter", "server", *options],
            cwd=course.root,
            env=variables,
            stdout=log,
            stderr=log,
        )
    try:
        _await(f"{base}/formgrader/manage_assignments", course.root / "server.log")
        with Gradebook(f"sqlite:///{course.gradebook}", "attention") as gradebook:
            submission = gradebook.find_submission_notebook(LESSON, LESSON, STUDENT).id
        yield f"{base}/formgrader/submissions/{submission}/"
    finally:
        server.terminate()
        server.wait(SECONDS)


def _await(address: str, log: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            urllib.request.urlopen(address).close()
        except (urllib.error.URLError, ConnectionError):
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        else:
            return


def watched(page: Page) -> tuple[list[str], list[str]]:
    """Two lists that fill: the addresses that the page asks for, and what goes wrong in it."""
    asked: list[str] = []
    wrong: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("requestfailed", lambda request: wrong.append(request.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("dialog", lambda dialog: wrong.append(dialog.message))
    return asked, wrong


def outside(asked: list[str], own: str) -> list[str]:
    return [one for one in asked if not one.startswith((own, "data:"))]


def test_feedback_is_whole_without_a_network(course: Course, page: Page, keep: Callable[..., Path]) -> None:
    asked, wrong = watched(page)
    path = course.feedback / STUDENT / LESSON / f"{LESSON}.html"
    page.goto(path.as_uri())
    expect(page.get_by_role("heading", name="Lesson 6. The output")).to_be_visible()
    assert outside(asked, path.as_uri()) == []
    assert wrong == []
    assert page.evaluate(RAW_TEX) == []
    assert page.evaluate(LOST) == 0
    assert page.locator("math mfrac").count() > 5
    assert page.locator(".rubric").count() == 0
    keep("feedback", page, whole=True)


def test_the_formgraders_page_is_whole_without_a_network(
    address: str, page: Page, keep: Callable[..., Path]
) -> None:
    asked, wrong = watched(page)
    page.goto(address)
    page.wait_for_load_state("networkidle")
    assert outside(asked, address.split("/formgrader/")[0]) == []
    assert wrong == []
    assert page.evaluate(RAW_TEX) == []
    assert page.evaluate(LOST) == 0
    assert page.locator("math mfrac").count() > 5
    keep("formgrader-submission", page, whole=True)


def test_a_free_text_is_graded_beside_its_rubric(
    address: str, course: Course, page: Page, keep: Callable[..., Path]
) -> None:
    """The score is saved by the page's own script, which waits for MathJax where there is one."""
    page.goto(address)
    rubric, score = page.locator(".rubric"), page.locator(f"input.score#{FREE_TEXT}")
    expect(rubric).to_have_count(1)
    criteria = read_answers(lesson=LESSON).library.free_texts[FREE_TEXT].rubric
    assert rubric.locator("li").count() == len(criteria)
    rubric.scroll_into_view_if_needed()
    assert 0 < page.evaluate(BELOW_THE_SCORE, FREE_TEXT) < 400
    with page.expect_response(re.compile("/formgrader/api/grade/")):
        score.fill("3")
        score.press("Tab")
    keep("formgrader-rubric", page)
    with Gradebook(f"sqlite:///{course.gradebook}", "attention") as gradebook:
        assert gradebook.find_grade(FREE_TEXT, LESSON, LESSON, STUDENT).manual_score == 3
