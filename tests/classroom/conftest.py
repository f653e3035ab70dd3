"""A class on the tiny course."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import nbformat
import pytest
from gradebooks import use_database
from postgresql_server import Server, find_programs, running
from tiny_course import (
    CURSED,
    EXERCISES,
    HALF,
    LESSON,
    MISTAKEN,
    REPOSITORY,
    RIGHT,
    SLOW,
    TITLE,
    FakeGrader,
    released_notebook,
)

from autograder.classroom import worker
from autograder.course import Course
from autograder.grading import Grader
from autograder.judging.restore import grade_id

NO_POSTGRESQL = (
    "NOTHING ABOUT POSTGRESQL IS TESTED HERE: its programs initdb and postgres are missing "
    "(Debian: apt-get install postgresql)"
)


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Course:
    """The tiny course, with nothing handed in and a fake grader."""
    (tmp_path / "solutions" / "lessons").mkdir(parents=True)
    (tmp_path / "solutions" / "lessons" / f"{LESSON}.md").write_text("# Tiny\n")
    (tmp_path / "solutions" / "exercises").mkdir()
    (tmp_path / "solutions" / "exercises" / "tiny.py").write_text(dedent(EXERCISES))
    (tmp_path / "attention_lib").mkdir()
    shutil.copy(REPOSITORY / "nbgrader_config.py", tmp_path)
    (tmp_path / "notebooks" / LESSON).mkdir(parents=True)
    nbformat.write(released_notebook(), tmp_path / "notebooks" / LESSON / f"{LESSON}.ipynb")
    monkeypatch.setattr(worker, "Grader", FakeGrader)
    monkeypatch.setattr(FakeGrader, "graded", [])
    worker.close_grader()
    return Course.find(tmp_path)


@pytest.fixture
def genuine(course: Course, monkeypatch: pytest.MonkeyPatch) -> Iterator[Course]:
    """The tiny course with the true grader and the true student library."""
    monkeypatch.setattr(worker, "Grader", Grader)
    course.library_dir.rmdir()
    course.library_dir.symlink_to(REPOSITORY / "attention_lib")
    yield course
    worker.close_grader()


@pytest.fixture
def hand_in(course: Course) -> Callable[..., Path]:
    """Hand in a notebook: `hand_in("ada", double=RIGHT)`; gives back the submission's folder."""

    def put(student: str, timestamp: str | None = "2025-03-01 12:00:00 UTC", **answers: str) -> Path:
        notebook = released_notebook()
        notebook.cells[0].source = f"{TITLE}{student}"
        for cell in notebook.cells:
            cell.source = answers.get(grade_id(cell) or "", cell.source)
        folder = course.submitted / student / LESSON
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{LESSON}.ipynb").write_text(json.dumps(notebook))
        if timestamp is not None:
            (folder / "timestamp.txt").write_text(timestamp)
        return folder

    return put


@pytest.fixture
def small_class(course: Course, hand_in: Callable[..., Path]) -> Course:
    """Every kind of result: right, partly right, mistaken, blank, late, faults, and damage of all sorts."""
    hand_in("ada", double=RIGHT, sum_of_two="sum_of_two = 4", tell_why="Because.")
    hand_in("ben", double=HALF)
    hand_in("cem", double=MISTAKEN, tell_why="I think so.")
    hand_in("dee", timestamp=None)
    hand_in("eli", double="fault", sum_of_two="sum_of_two = 4")
    hand_in("fay", double=CURSED)
    hand_in("gus", double=SLOW)
    (hand_in("hal") / f"{LESSON}.ipynb").write_text("{ not json")
    (hand_in("ida") / f"{LESSON}.ipynb").unlink()
    folder = hand_in("jon")
    (folder / f"{LESSON}.ipynb").unlink()
    (folder / f"{LESSON}.ipynb").mkdir()
    folder = hand_in("kim", double=RIGHT)
    (folder / f"{LESSON}.ipynb").rename(folder / "tiny (1).ipynb")
    (folder / "helpers.py").write_text("x = 1\n")
    folder = hand_in("lou", double=RIGHT)
    (folder / f"{LESSON}.ipynb").rename(course.root / "elsewhere.ipynb")
    (folder / f"{LESSON}.ipynb").symlink_to(course.root / "elsewhere.ipynb")
    return course


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A PostgreSQL server. Where there is none to start, the test is skipped, or fails if REQUIRE_POSTGRESQL
    is set."""
    programs = find_programs()
    if programs is None:
        (pytest.fail if os.environ.get("REQUIRE_POSTGRESQL") else pytest.skip)(NO_POSTGRESQL)
    with running(programs) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, course: Course) -> str:
    """The course's db_url, for each database that can hold a gradebook."""
    if request.param == "sqlite":
        return f"sqlite:///{course.gradebook}"
    return use_database(course, request.getfixturevalue("postgresql").new_database())
