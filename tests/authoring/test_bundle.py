"""The student repository: complete, and nothing hidden in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder.authoring.build import StaleBuild, build
from autograder.authoring.bundle import bundle, check_folder
from autograder.authoring.leaks import Leak, files_below
from autograder.course import Course
from autograder.library import UserError

from .conftest import LESSON, change


@pytest.fixture(scope="module")
def bundled(built: Course, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny course's bundle: for reading only."""
    (built.home / "environment.yml").write_text("name: tiny\n")
    destination = tmp_path_factory.mktemp("bundle") / "students"
    bundle(built, destination)
    return destination


def test_it_holds_notebooks_library_and_what_it_takes_to_run_them(bundled: Path) -> None:
    assert {str(path.relative_to(bundled)) for path in files_below(bundled)} == {
        "README.md",
        "environment.yml",
        "pyproject.toml",
        f"notebooks/{LESSON}/{LESSON}.ipynb",
        "tiny_lib/__init__.py",
        "tiny_lib/showing.py",
        f"tiny_lib/examples/{LESSON}.json",
    }
    assert f"[A tiny lesson](notebooks/{LESSON}/{LESSON}.ipynb)" in (bundled / "README.md").read_text()


def test_bundling_twice_gives_the_same_bytes(built: Course, bundled: Path, tmp_path: Path) -> None:
    bundle(built, tmp_path / "again")

    first, second = (
        {path.relative_to(folder): path.read_bytes() for path in files_below(folder)}
        for folder in (bundled, tmp_path / "again")
    )
    assert first == second


def test_a_folder_that_holds_something_is_refused_and_left_alone(built: Course, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")

    with pytest.raises(UserError, match="not an empty folder"):
        bundle(built, tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_empty_folder_is_filled(built: Course, tmp_path: Path) -> None:
    assert Path("README.md") in bundle(built, tmp_path)
    assert (tmp_path / "README.md").is_file()


def test_a_folder_inside_what_is_bundled_is_refused(built: Course) -> None:
    with pytest.raises(UserError, match="which the bundle is made from"):
        bundle(built, built.library_dir / "students")


def test_a_stale_build_is_not_bundled(course: Course, tmp_path: Path) -> None:
    build(course)
    change(course.released(LESSON), "Some words", "Other words")

    with pytest.raises(StaleBuild):
        bundle(course, course.home / "students")

    assert not (course.home / "students").exists()
    assert not [path for path in course.home.iterdir() if path.name.startswith(".students")]


def test_a_hidden_file_in_the_bundle_is_caught(built: Course, bundled: Path, tmp_path: Path) -> None:
    exercises = (built.solutions / "exercises" / "tiny.py").read_bytes()
    (tmp_path / "tiny_lib").mkdir()
    (tmp_path / "tiny_lib" / "__init__.py").write_text("")
    (tmp_path / "cases.bin").write_bytes(exercises)

    with pytest.raises(Leak, match=r"cases\.bin"):
        check_folder(built, tmp_path)


def test_the_courses_secret_in_the_bundle_is_caught(course: Course, tmp_path: Path) -> None:
    secret = course.secret().hex()
    folder = tmp_path / "students"
    (folder / "tiny_lib").mkdir(parents=True)
    (folder / "tiny_lib" / "__init__.py").write_text("")
    (folder / "notes.txt").write_text(f"seed: {secret}")

    with pytest.raises(Leak, match=r"notes\.txt"):
        check_folder(course, folder)
