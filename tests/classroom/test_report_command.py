"""The class report's pages and the command that writes them."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from tiny_course import LESSON, RIGHT, InThisProcess

from autograder.classroom import report
from autograder.classroom.grade import grade
from autograder.cli import main
from autograder.library import UserError


def test_a_class_without_grades_is_told_what_to_do(course):
    with pytest.raises(UserError, match="run `autograder grade` first"):
        report.write(course)
    with pytest.raises(UserError, match=f"run `autograder grade {LESSON}` first"):
        report.write_lessons(course, [LESSON])


def test_a_lesson_has_a_page_of_its_own(course, hand_in):
    hand_in("ada", double=RIGHT)
    grade(course, make_workers=InThisProcess)
    (path,) = report.write_lessons(course, [LESSON, LESSON])
    assert path == course.report / f"{LESSON}.html"
    assert f"<title>Class report: {LESSON}</title>" in path.read_text()
    (other,) = report.write_lessons(course, [LESSON], anonymous=True, to=course.root / "elsewhere.html")
    assert other == course.root / "elsewhere.html"
    with pytest.raises(UserError, match="no lesson 'nope'"):
        report.write_lessons(course, ["nope"])
    with pytest.raises(UserError, match="name one"):
        report.write_lessons(course, [LESSON, "02_other"], to=course.root / "elsewhere.html")


def test_who_handed_in_and_is_not_graded_yet_is_named(course, hand_in):
    hand_in("ada", double=RIGHT)
    grade(course, make_workers=InThisProcess)
    hand_in("zoe", double=RIGHT)
    page = report.write(course).read_text()
    assert "1 submission handed in and not graded yet" in page
    assert "<code>zoe</code>" in page


def test_the_command_writes_the_pages_that_are_asked_for(course, hand_in):
    hand_in("ada", double=RIGHT)
    grade(course, make_workers=InThisProcess)

    def asked(*arguments):
        done = CliRunner().invoke(main, ["--course", str(course.root), "report", *arguments])
        return done.exit_code, done.output.split()

    assert asked() == (0, [str(course.report / "index.html")])
    assert asked("--anonymous") == (0, [str(course.report / "index-anonymous.html")])
    assert asked(LESSON) == (0, [str(course.report / f"{LESSON}.html")])
    elsewhere = course.root / "page.html"
    assert asked(LESSON, "--anonymous", "--to", str(elsewhere)) == (0, [str(elsewhere)])
    assert "Class report, anonymous" in elsewhere.read_text()
    assert asked("nope")[0] == 2
