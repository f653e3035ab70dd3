"""The sample class of lesson 1, in the real sandbox: three ways to grade it, one gradebook; then feedback."""

from __future__ import annotations

import html
import shutil
import subprocess
import sys

import numpy as np
import pytest
from processes import alive, descendants, wait_until
from sample_class import LESSON, RECIPES
from sample_course import make_class
from test_same_grades import dump, with_nbgrader_autograde, with_the_formgraders_api

from autograder import library
from autograder.classroom import records, report
from autograder.classroom.feedback import generate_feedback
from autograder.classroom.grade import grade
from autograder.judging import feedback
from autograder.judging.judge import Judge

# nbgrader's own way to add a submission makes SQLAlchemy warn; nbconvert warns of what it will do one day
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    course = make_class(tmp_path_factory.mktemp("ours"))
    (run,) = grade(course, [LESSON])
    return course, run


def test_everyone_has_a_verdict_and_only_unreadable_notebooks_have_no_grade(graded):
    course, run = graded
    unreadable = {recipe.student for recipe in RECIPES if not recipe.readable}
    verdicts = {verdict["student"]: verdict for verdict in records.verdicts(course, LESSON)}
    assert set(verdicts) == {recipe.student for recipe in RECIPES}
    assert {student for student, verdict in verdicts.items() if "error" in verdict} == unreadable
    assert (run.graded, run.ungraded) == (len(RECIPES) - len(unreadable), len(unreadable))


def test_nbgrader_autograde_writes_the_same_gradebook(graded, tmp_path_factory):
    course = make_class(tmp_path_factory.mktemp("nbgrader"))
    with_nbgrader_autograde(course, LESSON)
    assert dump(course).splitlines() == dump(graded[0]).splitlines()


def test_the_formgraders_code_path_writes_the_same_gradebook(graded, tmp_path_factory):
    course = make_class(tmp_path_factory.mktemp("formgrader"))
    with_the_formgraders_api(course, LESSON)
    assert dump(course).splitlines() == dump(graded[0]).splitlines()


def test_feedback_shows_hints_and_no_hidden_expected_value(graded):
    course, _ = graded
    hidden = library.load(course.solutions, LESSON)
    cases = Judge(hidden, course.secret()).cases
    mistaken = [
        (verdict["student"], name, found["misconception"])
        for verdict in records.verdicts(course, LESSON)
        for name, found in verdict.get("exercises", {}).items()
        if found["misconception"]
    ]
    assert len(mistaken) >= 5
    for student, name, misconception in mistaken[:6]:
        assert generate_feedback(course, LESSON, student) > 0
        page = html.unescape((course.feedback / student / LESSON / f"{LESSON}.html").read_text())
        (hint,) = [
            known.hint for known in hidden.exercises[name].misconceptions if known.name == misconception
        ]
        assert hint in page
        wrong = zip(cases.of(name), cases.mistaken(name, misconception), strict=True)
        expected = {
            feedback.show(case.expected[0].value)
            for case, answer in wrong
            if not same(case.expected[0].value, getattr(answer[0], "value", None))
        }
        told = {text for text in expected if sum(letter.isdigit() for letter in text) > 4 and "." in text}
        assert told
        for text in told:
            assert text not in page, f"{student} reads what {name} should have answered"
        assert "BEGIN HIDDEN" not in page


def same(expected, answer):
    return np.shape(expected) == np.shape(answer) and np.allclose(expected, answer)


def test_feedback_without_grades_says_what_to_do_first(tmp_path_factory):
    course = make_class(tmp_path_factory.mktemp("ungraded"))
    with pytest.raises(library.UserError, match="run `autograder grade` first"):
        generate_feedback(course, LESSON)


def test_the_report_on_the_sample_class_names_what_it_found(graded):
    course, _ = graded
    page = report.write(course).read_text()
    for recipe in RECIPES:
        if not recipe.readable:
            assert recipe.student in page
    assert "The mistakes this class made most" in page


def test_a_run_that_is_killed_and_run_again_ends_in_the_same_gradebook_and_leaves_no_process(
    tmp_path_factory,
):
    course = make_class(tmp_path_factory.mktemp("killed"))
    undisturbed = make_class(tmp_path_factory.mktemp("undisturbed"))
    for extra in sorted(course.submitted.iterdir())[8:]:
        shutil.rmtree(extra)
        shutil.rmtree(undisturbed.submitted / extra.name)
    command = [
        sys.executable,
        "-m",
        "autograder.cli",
        "--course",
        str(course.root),
        "grade",
        "--workers",
        "2",
    ]
    for enough in (1, 4):
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as run:
            wait_until(lambda: len(list(records.verdicts(course, LESSON))) >= enough)  # noqa: B023
            family = descendants(run.pid)
            run.kill()
        wait_until(lambda: not any(map(alive, family)), seconds=15)  # noqa: B023
    grade(course, workers=2)
    grade(undisturbed, workers=2)
    assert dump(course).splitlines() == dump(undisturbed).splitlines()
