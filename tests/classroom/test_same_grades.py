"""Three ways to grade a class, one gradebook."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import nbformat
import pytest
from nbgrader.apps.api import NbGraderAPI
from nbgrader.converters import Autograde, NbGraderException
from nbgrader.coursedir import CourseDirectory
from tiny_course import LESSON, InThisProcess, released_notebook, solved_notebook

from autograder.classroom import records
from autograder.classroom.grade import grade
from autograder.classroom.gradebook import canonical_dump, open_book
from autograder.classroom.settings import nbgrader_config
from autograder.course import Course

#: nbgrader's own way to add a submission makes SQLAlchemy warn.
pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")


def dump(course: Course) -> str:
    return canonical_dump(f"sqlite:///{course.gradebook}")


def copy_of(course: Course, target) -> Course:
    shutil.copytree(course.root, target, symlinks=True)
    return Course.find(target)


def with_nbgrader_autograde(course: Course, lesson: str = LESSON) -> None:
    config = nbgrader_config(course)
    directory = CourseDirectory(config=config, assignment_id=lesson)
    with pytest.raises(NbGraderException):  # nbgrader grades on and complains of the damaged ones at the end
        Autograde(coursedir=directory, config=config).start()


def with_the_formgraders_api(course: Course, lesson: str = LESSON) -> dict[str, dict]:
    config = nbgrader_config(course)
    before = os.getcwd()
    os.chdir(course.root)
    try:
        api = NbGraderAPI(config=config)
        return {
            student.name: api.autograde(lesson, student.name)
            for student in sorted(course.submitted.iterdir())
        }
    finally:
        os.chdir(before)


def test_nbgrader_autograde_the_formgrader_and_our_command_write_the_same_gradebook(
    small_class, tmp_path_factory
):
    elsewhere = tmp_path_factory.mktemp("copies")
    second, third = (copy_of(small_class, elsewhere / name) for name in ("second", "third"))
    grade(small_class, make_workers=InThisProcess)
    with_nbgrader_autograde(second)
    answers = with_the_formgraders_api(third)
    expected = dump(small_class)
    assert '["grade", "ada", "01_tiny", "01_tiny", "test_double", 3.0, null, null, false]' in expected
    assert dump(second).splitlines() == expected.splitlines()
    assert dump(third).splitlines() == expected.splitlines()
    failed = {student for student, answer in answers.items() if not answer["success"]}
    assert failed == {"fay", "hal", "ida", "jon", "kim", "lou"}


def content(path):
    """A file's text; of a notebook what it says, however it is laid out in lines."""
    return nbformat.read(path, as_version=4) if path.suffix == ".ipynb" else path.read_text()


def test_both_leave_the_same_notebooks_and_verdicts(small_class, tmp_path_factory):
    second = copy_of(small_class, tmp_path_factory.mktemp("copies") / "second")
    grade(small_class, make_workers=InThisProcess)
    with_nbgrader_autograde(second)
    ours = {
        str(p.relative_to(small_class.autograded)): p
        for p in small_class.autograded.rglob("*")
        if p.is_file()
    }
    theirs = {str(p.relative_to(second.autograded)): p for p in second.autograded.rglob("*") if p.is_file()}
    assert set(ours) == set(theirs)
    assert f"ada/{LESSON}/{LESSON}.ipynb" in ours
    for name, path in ours.items():
        assert content(path) == content(theirs[name]), name
        assert path.stat().st_mode == theirs[name].stat().st_mode
    for verdict in records.verdicts(second, LESSON):
        mine = records.read_verdict(records.verdict_path(small_class, LESSON, verdict["student"]))
        assert {key: value for key, value in mine.items() if key != "digest"} == verdict


def test_registering_a_lesson_is_what_generate_assignment_does(course, tmp_path_factory):
    other = copy_of(course, tmp_path_factory.mktemp("copies") / "other")
    other.solved(LESSON).parent.mkdir(parents=True)
    nbformat.write(solved_notebook(), other.solved(LESSON))
    shutil.rmtree(other.released(LESSON).parent)
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", "generate_assignment", LESSON],
        cwd=other.root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert nbformat.read(other.released(LESSON), as_version=4) == released_notebook()
    with open_book(course) as book:
        book.register(course.released(LESSON))
        book.register(course.released(LESSON))
    assert dump(course) == dump(other)
