"""The student repository: complete, the same each time, and whole or not there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from autograder.authoring.build import StaleBuild, build
from autograder.authoring.bundle import bundle
from autograder.authoring.leaks import files_below
from autograder.cli import main
from autograder.course import Course
from autograder.library import UserError

from .conftest import LESSON, change, needs_git

PLAIN = {
    ".gitignore",
    "README.md",
    "environment.yml",
    "pyproject.toml",
    f"notebooks/{LESSON}/{LESSON}.ipynb",
    "tiny_lib/__init__.py",
    "tiny_lib/showing.py",
    f"tiny_lib/examples/{LESSON}.json",
}


def contents(folder: Path) -> dict[str, bytes]:
    """Every file's bytes. git's index is left out: it holds the files' times."""
    return {
        name: path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and (name := str(path.relative_to(folder))) != ".git/index"
    }


@pytest.fixture(scope="module")
def bundled(built: Course, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny course's bundle: for reading only."""
    (built.home / "environment.yml").write_text("name: tiny\n")
    destination = tmp_path_factory.mktemp("bundle") / "students"
    bundle(built, destination)
    return destination


def test_it_holds_notebooks_library_and_what_it_takes_to_run_them(bundled: Path) -> None:
    assert contents(bundled).keys() == PLAIN


def test_the_students_guide_and_the_licences_come_along(course: Course) -> None:
    for name in ("docs/students.md", "LICENSE", "LICENSE-PROSE", "NOTICE"):
        (course.home / name).parent.mkdir(exist_ok=True)
        (course.home / name).write_text(f"# {name}\n")
    (course.home / "docs" / "instructors.md").write_text("Not for students.\n")
    build(course)

    bundle(course, course.home / "students")

    found = contents(course.home / "students")
    assert found["docs/students.md"] == b"# docs/students.md\n"
    assert {"LICENSE", "LICENSE-PROSE", "NOTICE"} < found.keys()
    assert "docs/instructors.md" not in found
    assert b"[docs/students.md](docs/students.md)" in found["README.md"]
    assert b"- What comes from others: [NOTICE](NOTICE)" in found["README.md"]


def test_self_study_adds_a_folder_and_changes_nothing_but_the_readme(
    built: Course, bundled: Path, tmp_path: Path
) -> None:
    bundle(built, tmp_path / "full", self_study=True)

    plain, full = contents(bundled), contents(tmp_path / "full")
    assert full.keys() - plain.keys() == {"explained/README.md", f"explained/{LESSON}.ipynb"}
    assert {name for name in plain if full[name] != plain[name]} == {"README.md"}
    assert b"It holds the answers" in full["README.md"]
    assert b"explained" not in plain["README.md"]


@needs_git
def test_bundling_again_elsewhere_gives_the_same_bytes_and_the_same_commit(
    built: Course, tmp_path: Path
) -> None:
    """In another process: another order of sets and dicts, another time zone, other rights for new files."""
    here = bundle(built, tmp_path / "here", "owner/name", git=True, self_study=True)
    program = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from autograder.authoring.bundle import bundle\n"
        "from autograder.course import Course\n"
        "os.umask(0o077)\n"
        "course = Course(Path(sys.argv[1]), Path(sys.argv[1]), 'tiny_lib')\n"
        "print(bundle(course, Path(sys.argv[2]), 'owner/name', git=True, self_study=True).commit)\n"
    )
    command = [sys.executable, "-c", program, str(built.home), str(tmp_path / "there")]
    elsewhere = {**os.environ, "PYTHONHASHSEED": "4711", "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    done = subprocess.run(command, env=elsewhere, capture_output=True, text=True)

    assert done.stdout.strip() == here.commit, done.stderr
    assert contents(tmp_path / "here") == contents(tmp_path / "there")
    modes = {
        folder: {
            str(p.relative_to(tmp_path / folder)): p.stat().st_mode for p in files_below(tmp_path / folder)
        }
        for folder in ("here", "there")
    }
    assert modes["here"] == modes["there"]


def test_everyone_may_read_it(bundled: Path) -> None:
    assert {oct(path.stat().st_mode & 0o777) for path in files_below(bundled)} == {"0o644"}
    assert oct((bundled / "notebooks").stat().st_mode & 0o777) == "0o755"


def test_a_folder_that_holds_something_is_refused_and_left_alone(built: Course, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")

    with pytest.raises(UserError, match="not an empty folder"):
        bundle(built, tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_empty_folder_is_filled(built: Course, tmp_path: Path) -> None:
    assert Path("README.md") in bundle(built, tmp_path).files
    assert (tmp_path / "README.md").is_file()


def test_a_folder_inside_what_is_bundled_is_refused(built: Course) -> None:
    with pytest.raises(UserError, match="which the bundle is made from"):
        bundle(built, built.library_dir / "students")


def test_a_stale_build_is_not_bundled(course: Course) -> None:
    build(course)
    change(course.released(LESSON), "Some words", "Other words")

    with pytest.raises(StaleBuild):
        bundle(course, course.home / "students")

    assert not (course.home / "students").exists()
    assert not [path for path in course.home.iterdir() if path.name.startswith(".students")]


def test_a_bad_address_stops_before_anything_is_made(built: Course, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected OWNER/NAME on GitHub"):
        bundle(built, tmp_path / "students", "ftp://somewhere/else")
    assert not (tmp_path / "students").exists()


@needs_git
def test_the_command_says_what_was_made_and_warns_of_answers(
    built: Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autograder.cli._course", lambda root: built)

    plain = CliRunner().invoke(main, ["bundle", str(tmp_path / "plain")])
    full = CliRunner().invoke(main, ["bundle", str(tmp_path / "full"), "--git", "--self-study"])

    assert plain.output == f"{tmp_path / 'plain'}: {len(contents(tmp_path / 'plain'))} files\n"
    commit = (tmp_path / "full" / ".git" / "refs" / "heads" / "main").read_text().strip()
    assert f"one commit on main: {commit}" in full.output
    assert "explained/ HOLDS THE ANSWERS" in full.output
    assert "not for a class" in full.output
