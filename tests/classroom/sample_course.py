"""The sample class of lesson 1, in a class folder of its own on this repository's lesson."""

from __future__ import annotations

from pathlib import Path

from sample_class import LESSON, write_sample_class
from soaking.classes import class_folder

from autograder.course import Course


def make_class(folder: Path) -> Course:
    """A class folder in which the sample class has handed in."""
    course = class_folder(folder)
    write_sample_class(course.released(LESSON), course.submitted)
    return course
