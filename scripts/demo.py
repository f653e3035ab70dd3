"""`make demo`: a sample class hands in every lesson and is graded, from the sources to the class report.

Everything that the demo makes is in demo/, a course folder with a gradebook of its own; it is made anew
each time.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sample_class import LESSON, RECIPES, write_sample_class

from autograder.authoring.build import StaleBuild, build
from autograder.classroom import report
from autograder.classroom.feedback import generate_feedback
from autograder.classroom.grade import grade
from autograder.classroom.settings import link_class, nbgrader_config
from autograder.course import Course
from autograder.library import UserError, lesson_names

REPOSITORY = Path(__file__).resolve().parents[1]


def main() -> int:
    started = time.monotonic()
    course = Course(REPOSITORY / "demo", REPOSITORY)
    try:
        lessons = lesson_names(course.solutions)
        with step(f"{len(lessons)} lessons, from their sources to the students' notebooks"):
            build_if_stale(course, lessons)
        with step(f"A class of {len(RECIPES)} hands in"):
            hand_in(course, lessons)
        with step("Grading"):
            grade(course, lessons)
            name_students(course)
        with step("Feedback for each student"):
            for lesson in lessons:
                generate_feedback(course, lesson)
        with step("The class report"):
            page = report.write(course)
    except UserError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    print(what_to_open(course, page))
    print(f"\nAll of it took {time.monotonic() - started:.0f} s.")
    return 0


@contextmanager
def step(title: str) -> Iterator[None]:
    """Say what is done now, and how long it took."""
    print(f"== {title}", flush=True)
    started = time.monotonic()
    yield
    print(f"   {time.monotonic() - started:.1f} s", flush=True)


def build_if_stale(course: Course, lessons: list[str]) -> None:
    try:
        build(course, check=True)
    except StaleBuild:
        build(course)
    if missing := [lesson for lesson in lessons if not course.solved(lesson).is_file()]:
        build(course, missing)


def hand_in(course: Course, lessons: list[str]) -> None:
    """A fresh class folder with every student's notebooks."""
    shutil.rmtree(course.root, ignore_errors=True)
    course.root.mkdir()
    link_class(course)
    for lesson in lessons:
        write_sample_class(course.released(lesson), course.submitted, lesson=lesson)


def name_students(course: Course) -> None:
    """Give the gradebook the students' names, which the formgrader shows."""
    from nbgrader.api import Gradebook
    from nbgrader.coursedir import CourseDirectory

    directory = CourseDirectory(config=nbgrader_config(course))
    with Gradebook(directory.db_url, directory.course_id) as gradebook:
        for student in RECIPES:
            gradebook.update_or_create_student(
                student.student, first_name=student.first_name, last_name=student.last_name
            )


def what_to_open(course: Course, page: Path) -> str:
    """The paths to look at, most interesting first."""
    shown = {recipe.make.__name__: recipe.student for recipe in RECIPES}
    feedback = course.feedback / shown["several_mistakes"] / LESSON / f"{LESSON}.html"
    lines = [
        ("the class report", page),
        ("the feedback of a student with several mistakes", feedback),
        ("the notebooks that students get", course.notebooks),
        ("what the class handed in", course.submitted),
        ("the gradebook", course.gradebook),
    ]
    listed = [f"  {title}:\n    {path.relative_to(REPOSITORY)}" for title, path in lines]
    formgrader = (
        "  To grade the free texts by hand: cd demo && ../.venv/bin/jupyter lab, then Nbgrader, Formgrader."
    )
    return "\n".join(["\nOpen:", *listed, formgrader])


if __name__ == "__main__":
    sys.exit(main())
