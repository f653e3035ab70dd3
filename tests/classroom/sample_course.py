"""The sample class of lesson 1, in a class folder of its own on this repository's lesson."""

from __future__ import annotations

import shutil
from pathlib import Path

from sample_class import LESSON, write_sample_class
from tiny_course import REPOSITORY

from autograder.course import Course

#: Endless loops are part of the class: short limits keep the tests short.
LIMITS = "c.Limits.cell_seconds = 2\nc.Limits.question_seconds = 1\n"


def make_class(folder: Path) -> Course:
    """A class folder of its own on this repository's lesson."""
    for name in ("solutions", "notebooks", "attention_lib"):
        (folder / name).symlink_to(REPOSITORY / name)
    shutil.copy(REPOSITORY / "nbgrader_config.py", folder)
    with (folder / "nbgrader_config.py").open("a") as config:
        config.write(LIMITS)
    (folder / ".course_secret").write_text("5e" * 32)
    course = Course.find(folder)
    write_sample_class(course.released(LESSON), course.submitted)
    return course
