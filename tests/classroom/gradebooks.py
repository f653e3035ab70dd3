"""Grading the tiny course into a gradebook of one's choice, alone or beside another grader."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import nbformat
from nbformat.v4 import new_markdown_cell
from nbgrader.api import Gradebook
from nbgrader.preprocessors import ComputeChecksums
from sqlalchemy import create_engine, text
from tiny_course import LESSON, InThisProcess, released_notebook

from autograder.classroom.dump import canonical_dump
from autograder.classroom.grade import MakeProgress, grade
from autograder.classroom.gradebook import open_book
from autograder.classroom.progress import Progress
from autograder.classroom.results import Result
from autograder.classroom.settings import CONFIG_FILE, link_class
from autograder.course import Course

SECONDS = 60


def use_database(course: Course, db_url: str) -> str:
    """Let the class have its gradebook at `db_url`, as an instructor would."""
    link_class(course)
    with (course.root / CONFIG_FILE).open("a") as settings:
        settings.write(f"c.CourseDirectory.db_url = {db_url!r}\n")
    return db_url


def run(course: Course, **options):
    """Grade the class in this process, with the fake grader."""
    (done,) = grade(course, make_workers=InThisProcess, **options)
    return done


def release(course, notebook):
    """Release another notebook in place of the tiny one, as `autograder build` would."""
    notebook, _ = ComputeChecksums().preprocess(notebook, {})
    nbformat.write(notebook, course.released(LESSON))


def register(course):
    with open_book(course) as book:
        book.register(course.released(LESSON))


def enter(course, student="ada", scores=None, blank=(), timestamp=None, lesson=LESSON):
    with open_book(course) as book:
        book.register(course.released(LESSON))
        book.enter(Result(student, lesson, {}, "{}", scores or {}, blank), timestamp)


def with_another_cell():
    notebook = released_notebook()
    marks = {**notebook.cells[1].metadata.nbgrader, "grade_id": "drawing", "task": True, "points": 4}
    notebook.cells.append(new_markdown_cell("Draw it.", id="draw", metadata={"nbgrader": marks}))
    return notebook


def watch(student: str | None, then: Callable[[], object]) -> MakeProgress:
    """A progress that does `then` when `student` is recorded, or with None when the first one is."""
    waiting = [then]

    class Watched(Progress):
        def advance(self, name, trouble=None):
            super().advance(name, trouble)
            if waiting and student in (None, name):
                waiting.pop()()

    return lambda lesson, total: Watched(lesson, total, io.StringIO())


def open_formgrader(db_url: str) -> Gradebook:
    """The gradebook as the formgrader has it: open all the time, read in a session that does not end."""
    gradebook = Gradebook(db_url, "attention")
    for submission in gradebook.assignment_submissions(LESSON):
        assert submission.notebooks[0].grades[0].auto_score is not None
    return gradebook


def give(gradebook: Gradebook, student: str, cell: str, score: float, extra: float | None = None) -> None:
    """Enter a score as the formgrader does."""
    grade = gradebook.find_grade(cell, LESSON, LESSON, student)
    grade.manual_score, grade.extra_credit, grade.needs_manual_grade = score, extra, False
    gradebook.db.commit()


def say(gradebook: Gradebook, student: str, cell: str, comment: str) -> None:
    """Enter a comment as the formgrader does."""
    gradebook.find_comment(cell, LESSON, LESSON, student).manual_comment = comment
    gradebook.db.commit()


def counts(db_url: str) -> dict[str, int]:
    """How many rows the tables of submissions hold."""
    engine = create_engine(db_url)
    tables = ("student", "submitted_assignment", "submitted_notebook", "grade", "comment")
    with engine.connect() as connection:
        found = {table: connection.scalar(text(f"SELECT count(*) FROM {table}")) for table in tables}
    engine.dispose()
    return found


def lines(db_url: str, *kinds: str) -> list[str]:
    """The dump's lines of some kinds."""
    return [
        line
        for line in canonical_dump(db_url).splitlines()
        if line.startswith(tuple(f'["{k}",' for k in kinds))
    ]


class OtherGrader:
    """A grader in a process of its own: it says when it is ready, and starts when it is told to."""

    def __init__(self, root: Path, *words: str):
        script = Path(__file__).parent / "other_grader.py"
        self._process = subprocess.Popen(
            [sys.executable, script, root, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout.readline() == "ready\n", self._process.communicate()[1]

    def start(self) -> None:
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def end(self) -> tuple[int, str, str]:
        """Its exit code, and what it said."""
        out, err = self._process.communicate(timeout=SECONDS)
        return self._process.returncode, out, err

    def stop(self) -> None:
        self._process.kill()
        self._process.communicate()


def class_folder(course, name, students):
    """A second folder of the same course, with the work of `students`."""
    root = course.root / name
    for student in students:
        shutil.copytree(course.submitted / student, root / "submitted" / student)
    return Course.find(root)


class InThread(threading.Thread):
    """Does something beside the test, and hands its error over."""

    def __init__(self, work):
        super().__init__(daemon=True)
        self._work, self._error = work, None
        self.start()

    def run(self):
        try:
            self._work()
        except BaseException as error:
            self._error = error

    def finish(self):
        self.join(20)
        assert not self.is_alive()
        if self._error:
            raise self._error
