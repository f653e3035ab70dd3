"""A class whose names and notebooks are aimed at the instructor: at the terminal while it is graded, at the
browser in the report, the feedback and the formgrader."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from attacks import ATTACKS, LESSON, attacks_by
from course_copy import course_at
from sample_class import HandedIn, read_answers

from autograder.classroom import records
from autograder.classroom.submissions import Submission
from autograder.course import Course

REPOSITORY = Path(__file__).parents[2]
SUBMISSIONS = REPOSITORY / "tests" / "submissions" / "hostile"
HONEST = "ada.lovelace"

#: Names that are strange and can be graded under.
STRANGE = (
    "\x1b[31mred\x1b]0;PWNED\x07",
    "\u202egnp.exe",
    "zero\u200bwidth\u2066",
    "a..",
    "-rf",
    "--help",
    "$(touch PWNED)",
    "`touch PWNED`",
    "%s%n{0}",
    "'; DROP TABLE grade; --",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:PWNED",
    " leading",
    "trailing ",
    "*",
    "[ab]?",
    "~",
    "name.json",
    "a&lt;b>",
    "\U0001f600 élise",
    "k" * 128,
    "é" * 127,
)
#: Names that no page, gradebook or file can hold, and a word of the reason.
REFUSED = {
    "<img src=x onerror=document.title='PWNED'>": "markup",
    "<script>document.title='PWNED'": "markup",
    'quote" onmouseover="PWNED': "markup",
    "back\\slash": "program",
    "new\nline": "markup",
    "n" * 255: "255 characters",
    "x" * 129: "129 characters",
}
PASSED_OVER = "..like"


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """The class before it is graded: honest work under every name, and the attacks on the instructor."""
    course = course_at(tmp_path_factory.mktemp("course"))
    honest = _solved(course)
    for name in (HONEST, PASSED_OVER, *STRANGE, *REFUSED):
        _hand_in(course, name, honest)
    for name in attacks_by("escaping"):
        _hand_in(course, name, (SUBMISSIONS / name / f"{LESSON}.ipynb").read_text(encoding="utf-8"))
    return course


def _solved(course: Course) -> str:
    answers = read_answers(course.solutions)
    work = HandedIn.read(course.released(LESSON))
    for name in answers.library.exercises:
        work.fill(name, answers.right(name))
    work.fill("longer_vectors_win", "A longer vector has a larger product.")
    return work.text()


def _hand_in(course: Course, student: str, notebook: str) -> None:
    folder = course.submitted / student / LESSON
    folder.mkdir(parents=True)
    (folder / f"{LESSON}.ipynb").write_text(notebook, encoding="utf-8")


def _on_a_terminal(course: Course, *command: str) -> str:
    """Everything that the command writes to its terminal."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "TERM": "xterm", "COLUMNS": "200"}
    running = subprocess.Popen(
        [sys.executable, "-m", "autograder.cli", *command],
        cwd=course.root,
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    written = b""
    try:
        while part := os.read(ours, 1 << 16):
            written += part
    except OSError:  # that is how a terminal ends
        pass
    os.close(ours)
    assert running.wait(60) == 0, written
    return written.decode()


@pytest.fixture(scope="module")
def terminal(course: Course) -> str:
    """What the instructor's terminal got while the class was graded and reported on."""
    return _on_a_terminal(course, "grade") + _on_a_terminal(course, "report")


def test_every_name_that_can_be_is_graded_under(terminal: str, course: Course) -> None:
    graded = {verdict["student"]: verdict.get("score") for verdict in records.verdicts(course, LESSON)}
    assert {name: graded[name] for name in (HONEST, *STRANGE)} == dict.fromkeys(
        (HONEST, *STRANGE), graded[HONEST]
    )
    assert graded[HONEST] > 20


def test_every_other_name_is_refused_with_the_reason_and_the_class_goes_on(
    terminal: str, course: Course
) -> None:
    errors = {verdict["student"]: verdict.get("error", "") for verdict in records.verdicts(course, LESSON)}
    for name, word in REFUSED.items():
        assert word in errors[name], name
        assert "rename the folder" in errors[name]


def test_a_name_that_begins_with_a_dot_is_told_of(terminal: str) -> None:
    assert f"submitted/{PASSED_OVER}: names that begin with a dot are passed over" in terminal


def test_the_terminal_gets_text_and_line_ends_alone(terminal: str) -> None:
    assert "PWNED" in terminal
    assert re.findall(r"[^\n\r]*[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f].{0,40}", terminal) == []
    assert re.findall("[\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]", terminal) == []


@pytest.mark.parametrize("name", ["escapes_in_messages", "markup_in_messages"])
def test_one_notebooks_verdict_on_a_terminal_is_text_too(
    name: str, course: Course, terminal: str, tmp_path: Path
) -> None:
    notebook = tmp_path / f"{LESSON}.ipynb"
    shutil.copy(course.submitted / name / LESSON / notebook.name, notebook)
    shown = _on_a_terminal(course, "judge", str(notebook))
    assert "points" in shown
    assert re.findall("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown) == []


def test_no_command_in_a_name_was_run(terminal: str, course: Course) -> None:
    assert list(course.root.rglob("PWNED")) == []
    assert {path.name for path in course.root.iterdir()} >= {"submitted", "autograded", "report"}
    assert not (course.root.parent / "PWNED").exists()


# --- pages -----------------------------------------------------------------------------------------------

#: Tags that run, load, send or redraw.
ACTIVE = {
    *("script", "style", "link", "meta", "base", "iframe", "frame", "object", "embed", "applet", "portal"),
    *("form", "input", "button", "textarea", "select", "svg", "math", "video", "audio", "source", "template"),
}
ADDRESSES = ("href", "src", "srcset", "srcdoc", "action", "formaction", "xlink:href", "data", "background")


class Page(HTMLParser):
    """What of a page could act: active tags with their attributes and contents, handlers, addresses."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.acts: set[tuple[str, ...]] = set()
        self._inside = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        if tag in ACTIVE:
            self.acts.add((tag, *(f"{name}={value}" for name, value in attrs)))
        for name, value in attrs:
            if name.startswith("on") or (name == "style" and re.search(r"url|position", value or "")):
                self.acts.add((tag, name, value or ""))
            if name in ADDRESSES and not re.match(r"#|data:image/(png|jpeg);base64,", value or ""):
                self.acts.add((tag, name, value or ""))

    def handle_data(self, data: str) -> None:
        if self._inside in ("script", "style"):
            self.acts.add((self._inside, data))

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""


FORMGRADER = """
import json, sys
from pathlib import Path
import nbgrader.server_extensions.formgrader.handlers as formgrader
from nbconvert.exporters import HTMLExporter
from autograder.classroom.settings import nbgrader_config
from autograder.course import Course

settings = nbgrader_config(Course.find(Path()))
settings.HTMLExporter.template_name = "formgrade"
settings.HTMLExporter.extra_template_basedirs = [formgrader.template_path]
exporter = HTMLExporter(config=settings)
asked, pages = json.load(sys.stdin), {}
for student, path in asked.items():
    about = dict(assignment_id="a", notebook_id="n", submission_id="s", index=0, total=1, base_url="")
    about |= dict(student=student, last_name=None, first_name=None, notebook_path="path")
    pages[student] = exporter.from_filename(path, resources=about)[0]
json.dump(pages, sys.stdout)
"""
FEEDBACK = f"""
import json, sys
from pathlib import Path
from autograder.classroom.feedback import generate_feedback
from autograder.course import Course

course, pages = Course.find(Path()), dict()
for student in json.load(sys.stdin):
    generate_feedback(course, "{LESSON}", student)
    pages[student] = (course.feedback / student / "{LESSON}/{LESSON}.html").read_text()
json.dump(pages, sys.stdout)
"""
#: Whose pages are made: each takes half a second. (nbgrader takes *, ? and [ in a name for a pattern.)
SHOWN = (HONEST, *attacks_by("escaping"), "{{ 7 * 7 }}{% raw %}", "a&lt;b>")


def _pages(course: Course, program: str, asked: object) -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        cwd=course.root,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    pages: dict[str, str] = json.loads(done.stdout[done.stdout.index("{") :])
    return pages


@pytest.fixture(scope="module")
def feedback(terminal: str, course: Course) -> dict[str, str]:
    """nbgrader's feedback pages, as the instructor makes and opens them."""
    return _pages(course, FEEDBACK, SHOWN)


@pytest.fixture(scope="module")
def formgrader(terminal: str, course: Course) -> dict[str, str]:
    """The formgrader's pages of the same submissions."""
    return _pages(
        course,
        FORMGRADER,
        {name: str(course.autograded / name / LESSON / f"{LESSON}.ipynb") for name in SHOWN},
    )


@pytest.mark.parametrize("student", SHOWN[1:])
def test_a_feedback_page_acts_no_more_than_an_honest_students(student: str, feedback: dict[str, str]) -> None:
    assert Page(feedback[student]).acts - Page(feedback[HONEST]).acts == set()


@pytest.mark.parametrize("student", SHOWN[1:])
def test_a_formgraders_page_acts_no_more_than_an_honest_students(
    student: str, formgrader: dict[str, str]
) -> None:
    assert Page(formgrader[student]).acts - Page(formgrader[HONEST]).acts == set()


def test_what_students_wrote_is_still_there_to_read(feedback: dict[str, str]) -> None:
    assert "&lt;script&gt;document.title=" in feedback["markup_in_outputs"]
    assert "PWNED" in feedback["markup_in_prose"]


def test_the_class_report_runs_nothing_and_loads_nothing(terminal: str, course: Course) -> None:
    page = (course.report / "index.html").read_text(encoding="utf-8")
    acts = {act for act in Page(page).acts if act[0] not in ("svg", "style", "meta")}
    assert acts - {("math",), ("math", "display=block")} == set()
    assert "default-src 'none'" in page
    assert "onerror=document.title" in page
    assert (
        set(re.findall("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]", page)) == set()
    )


@pytest.mark.parametrize(
    ("text", "act"),
    [
        ("<p>nothing</p>", set()),
        ("<script>f()</script>", {("script",), ("script", "f()")}),
        ("<img src=x onerror=f()>", {("img", "onerror", "f()"), ("img", "src", "x")}),
        ("<a href='javascript:f()'>", {("a", "href", "javascript:f()")}),
        ("&lt;script&gt;", set()),
    ],
)
def test_what_acts_is_seen(text: str, act: set[tuple[str, ...]]) -> None:
    assert Page(text).acts == act


def test_the_attacks_would_act_where_nothing_is_escaped() -> None:
    for name in ("markup_in_outputs", "markup_in_prose", "markup_in_code"):
        notebook = json.loads((SUBMISSIONS / name / f"{LESSON}.ipynb").read_text(encoding="utf-8"))
        source = "".join("".join(cell["source"]) for cell in notebook["cells"])
        assert {act[0] for act in Page(source).acts} >= {"script", "img", "iframe", "a"}, name


def test_the_problem_of_a_name_is_told_before_anything_is_run() -> None:
    problem: Callable[[str], str | None] = lambda name: Submission(name, LESSON, Path()).name_problem  # noqa: E731
    assert [name for name in STRANGE if problem(name)] == []
    assert [name for name in REFUSED if not problem(name)] == []
    assert ATTACKS.keys() >= set(attacks_by("escaping"))
