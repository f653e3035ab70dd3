"""The student README says what is so for this course, and the pyproject.toml installs it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from autograder.authoring.bundle import fill
from autograder.authoring.repository import repository
from autograder.authoring.student_readme import pyproject, readme
from autograder.course import Course

from .conftest import LESSON

REAL = Course.find(Path(__file__).parents[2])
PROJECT = """
[project]
name = "tiny-course"
version = "2.5"
requires-python = ">=3.12"
license = "Apache-2.0"
license-files = ["LICENSE", "GONE"]
dependencies = ["numpy>=2.0", "odd; sys_platform == \\"linux\\""]

[project.optional-dependencies]
mpi = ["mpi4py>=4.1; sys_platform != 'win32'"]
instructor = ["nbgrader"]

[tool.autograder]
title = "Rows and rows"
about = "All about rows."
"""


@pytest.fixture
def described(built: Course, tmp_path: Path) -> Course:
    """The tiny course with a project table, a licence and an environment."""
    home = tmp_path / "course"
    for name in ("solutions", "notebooks", "tiny_lib"):
        (home / name).parent.mkdir(exist_ok=True)
        (home / name).symlink_to(built.home / name)
    (home / "pyproject.toml").write_text(PROJECT)
    (home / "LICENSE").write_text("Do as you like.\n")
    (home / "environment.yml").write_text("name: tiny\ndependencies:\n  - jupyter-offlinenotebook\n")
    return Course(home, home, "tiny_lib")


def test_it_begins_with_the_courses_own_words_and_lists_the_lessons(described: Course) -> None:
    text = readme(described)
    assert text.startswith("# Rows and rows\n\nAll about rows.\n\n## Set up\n")
    assert f"| [A tiny lesson](notebooks/{LESSON}/{LESSON}.ipynb) | `notebooks/{LESSON}` |" in text


def test_an_address_gives_a_badge_with_alt_text_and_the_line_to_clone(described: Course) -> None:
    text = readme(described, repository("some-course/rows"))
    assert (
        "[![Open the notebooks on Binder](https://mybinder.org/badge_logo.svg)]"
        "(https://mybinder.org/v2/gh/some-course/rows/HEAD?urlpath=lab%2Ftree%2Fnotebooks)"
    ) in text
    assert "    git clone https://github.com/some-course/rows.git\n    cd rows\n" in text


def test_without_an_address_it_says_how_to_add_one(described: Course) -> None:
    text = readme(described)
    assert "autograder bundle DIR --repository OWNER/NAME" in text
    assert "badge_logo" not in text
    assert "git clone" not in text


def test_set_up_is_by_conda_and_by_pip_with_what_the_course_needs(described: Course) -> None:
    text = readme(described)
    assert "    conda env create -f environment.yml\n    conda activate tiny\n" in text
    assert "With Python 3.12 or later alone:" in text
    assert '    .venv/bin/pip install -e ".[mpi]"\n' in text


def test_what_a_course_does_not_have_is_not_spoken_of(built: Course, described: Course) -> None:
    (described.home / "environment.yml").unlink()
    (described.home / "LICENSE").unlink()
    (described.home / "pyproject.toml").unlink()
    text = readme(described)
    assert not [word for word in ("conda", "MPI", "## Licence", "## Keep your work") if word in text]
    assert text.startswith("# Notebooks\n\n## Set up\n")


def test_the_buttons_that_keep_work_are_named_where_the_environment_has_them(described: Course) -> None:
    assert "the toolbar above it has a button that downloads it" in readme(described)
    (described.home / "environment.yml").write_text("name: tiny\n")
    text = readme(described)
    assert "toolbar" not in text
    assert "## Keep your work on Binder" in text


def test_handing_in_is_for_a_class_and_the_explained_edition_for_the_others(described: Course) -> None:
    a_class, alone = readme(described), readme(described, self_study=True)
    assert "## Hand in" in a_class
    assert "**A passed check is not full marks.**" in a_class
    assert "## Hand in" not in alone
    assert "](explained/README.md)" in alone
    assert "graded gives out the edition without this folder" in alone


@pytest.mark.parametrize("self_study", [False, True])
def test_the_text_has_no_gaps_and_nothing_unfilled(described: Course, self_study: bool) -> None:
    text = readme(described, repository("a/b"), self_study)
    assert "\n\n\n" not in text
    assert not re.search(r"\{[{%]|None|undefined", text, re.IGNORECASE)
    assert [line for line in text.splitlines() if line != line.rstrip()] == []


def test_pyproject_has_the_courses_needs_the_students_extra_and_the_licences_that_are_there(
    described: Course,
) -> None:
    assert tomllib.loads(pyproject(described)) == {
        "build-system": {"requires": ["hatchling>=1.27"], "build-backend": "hatchling.build"},
        "project": {
            "name": "tiny-course-student",
            "version": "2.5",
            "description": "Notebooks and library for students",
            "readme": "README.md",
            "requires-python": ">=3.12",
            "license": "Apache-2.0",
            "license-files": ["LICENSE"],
            "dependencies": ["numpy>=2.0", 'odd; sys_platform == "linux"'],
            "optional-dependencies": {"mpi": ["mpi4py>=4.1; sys_platform != 'win32'"]},
        },
        "tool": {"hatch": {"build": {"targets": {"wheel": {"packages": ["tiny_lib"]}}}}},
    }


@pytest.mark.parametrize("self_study", [False, True])
def test_every_link_of_the_real_bundle_leads_somewhere(tmp_path: Path, self_study: bool) -> None:
    fill(REAL, tmp_path, repository("a/b"), self_study)
    links = [
        (page, target.partition("#"))
        for page in tmp_path.rglob("*.md")
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text())
        if "://" not in target
    ]
    assert len(links) >= 12
    assert [(page.name, to[0]) for page, to in links if not (page.parent / to[0]).exists()] == []
    headings = (tmp_path / "README.md").read_text()
    places = {"-".join(found.lower().split()) for found in re.findall(r"^#+ (.+)$", headings, re.MULTILINE)}
    assert {to[2] for _, to in links if to[1]} <= places
