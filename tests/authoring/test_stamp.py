"""The stamp of a release: in the notebook, its first cell and the examples; it changes with the lesson."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autograder.authoring.build import build
from autograder.authoring.examples import examples_of
from autograder.authoring.stamp import stamp_of
from autograder.course import Course
from autograder.library import Library

from .conftest import LESSON, SOURCE, change, make_course, read

STAMPED = SOURCE.replace("from tiny_lib import show\n", "from tiny_lib import show\n\nshow(RELEASE)\n")


def rebuilt(folder: Path, old: str = "", new: str = "", file: str = "exercises/tiny.py") -> str:
    """The stamp after `old` became `new` in a file of a fresh course's solutions."""
    folder.mkdir()
    course = make_course(folder)
    change(course.solutions / file, old, new)
    build(course)
    return str(read(course.released(LESSON))["metadata"]["course_release"])


def test_notebook_examples_and_first_cell_carry_one_stamp(course: Course) -> None:
    (course.home / "pyproject.toml").write_text('[project]\nversion = "1.4.0"\n')
    (course.solutions / "lessons" / f"{LESSON}.md").write_text(STAMPED.lstrip())
    build(course)

    released = read(course.released(LESSON))
    stamp = released["metadata"]["course_release"]
    version, digest = stamp.split("-")
    assert (version, len(digest)) == ("1.4.0", 8)
    assert read(course.examples / f"{LESSON}.json")["release"] == stamp
    assert read(course.solved(LESSON))["metadata"]["course_release"] == stamp
    setup = next("".join(cell["source"]) for cell in released["cells"] if cell["cell_type"] == "code")
    assert setup.endswith(f'show("{LESSON}", "{stamp}")')


@pytest.mark.parametrize(
    ("old", "new", "file"),
    [
        ("Some words", "Other words", f"lessons/{LESSON}.md"),
        ("Returns G : (n, n).", "Returns G : (n, n), symmetric.", "exercises/tiny.py"),
        ("Features or tokens?", "Tokens or features?", "exercises/tiny.py"),
        ('key="B", points=2', 'key="B", points=4', "exercises/tiny.py"),
    ],
    ids=["prose", "docstring", "hint", "points"],
)
def test_what_students_see_changes_the_stamp(
    built: Course, tmp_path: Path, old: str, new: str, file: str
) -> None:
    assert (
        rebuilt(tmp_path / "other", old, new, file)
        != read(built.released(LESSON))["metadata"]["course_release"]
    )


def test_what_only_the_judge_sees_leaves_the_stamp(built: Course, tmp_path: Path) -> None:
    same = rebuilt(tmp_path / "other", "np.arange(7)", "2 * np.arange(7)")
    assert same == read(built.released(LESSON))["metadata"]["course_release"]


def test_the_last_bits_of_an_example_leave_the_stamp(tiny: Library, built: Course) -> None:
    from autograder.authoring.lesson import solved_notebook

    notebook = solved_notebook(built.solutions / "lessons" / f"{LESSON}.md", tiny)
    examples = examples_of(tiny)
    other = json.loads(json.dumps(examples))
    other["exercises"]["softened"]["examples"][0]["expected"]["data"][1] *= 1 + 1e-15
    assert other != examples
    assert stamp_of(built, notebook, other) == stamp_of(built, notebook, examples)
