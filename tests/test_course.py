"""Where a course keeps its files, and its secret."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from autograder.course import Course
from autograder.library import UserError, lesson_names, load


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "solutions" / "lessons").mkdir(parents=True)
    return tmp_path


def test_a_class_in_a_folder_below_finds_the_repository_above(home: Path) -> None:
    (home / "demo" / "inner").mkdir(parents=True)
    course = Course.find(home / "demo" / "inner")
    assert (course.root, course.home) == (home / "demo" / "inner", home)
    assert course.submitted == home / "demo" / "inner" / "submitted"
    assert course.solutions == home / "solutions"


def test_without_solutions_it_says_where_to_go(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="run this in the instructor's repository"):
        Course.find(tmp_path)
    with pytest.raises(UserError, match="is not a folder"):
        Course.find(tmp_path / "none")


def test_the_secret_is_made_once_and_is_the_owners_alone(home: Path) -> None:
    secret = Course.find(home).secret()
    assert len(secret) == 32
    assert Course.find(home).secret() == secret
    assert stat.S_IMODE((home / ".course_secret").stat().st_mode) == 0o600
    assert [path.name for path in home.iterdir() if "secret" in path.name] == [".course_secret"]


def test_those_who_come_at_once_get_one_secret(home: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        secrets = set(pool.map(lambda _: Course.find(home).secret(), range(16)))
    assert len(secrets) == 1


@pytest.mark.parametrize(
    ("content", "said"), [("", "0 bytes"), ("abcd", "2 bytes"), ("no hex", "can't be read")]
)
def test_a_damaged_secret_is_named_and_never_replaced(home: Path, content: str, said: str) -> None:
    (home / ".course_secret").write_text(content)
    with pytest.raises(UserError, match=said):
        Course.find(home).secret()
    assert (home / ".course_secret").read_text() == content


def test_a_secret_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    course = Course(tmp_path / "none", tmp_path)
    with pytest.raises(UserError, match=r"course_secret can't be written: No such file"):
        course.secret()


def test_an_unknown_lesson_names_the_known_ones(home: Path) -> None:
    (home / "solutions" / "lessons" / "01_one.md").write_text("# One")
    assert lesson_names(home / "solutions") == ["01_one"]
    with pytest.raises(UserError, match=r"no lesson '02_two'.*01_one"):
        load(home / "solutions", "02_two")
