"""`autograder new`: what it writes is a lesson that holds every promise, and nobody's file is touched."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from autograder.authoring.build import build
from autograder.authoring.prove import prove
from autograder.authoring.template import TEMPLATES, new_exercise, new_lesson
from autograder.course import Course
from autograder.library import UserError, load

from .conftest import LESSON, change, make_course

REPOSITORY = Path(__file__).parents[2]
TESTS = ("test_exercises.py", "test_questions.py", "test_sources.py")


@pytest.fixture
def course(tmp_path: Path) -> Course:
    """A course without any lesson."""
    (tmp_path / "solutions" / "lessons").mkdir(parents=True)
    return Course(tmp_path, tmp_path)


@pytest.fixture
def with_lesson(course: Course) -> Course:
    new_lesson(course, "01_spread")
    return course


def everything_in(course: Course) -> dict[Path, str]:
    return {path: path.read_text(encoding="utf-8") for path in course.home.rglob("*.*") if path.is_file()}


def of(course: Course, name: str) -> Path:
    return course.solutions / "exercises" / "spread" / name


def test_a_new_lesson_and_exercise_hold_every_promise_of_the_lessons_tests(course: Course) -> None:
    """Fails when the template no longer builds, proves, or runs under the repository's own tests."""
    for part in ("attention_lib", "tests/lessons"):
        kept = shutil.ignore_patterns("__pycache__", "examples", "oracles", "test_[!eqsr]*", "test_s[!o]*")
        shutil.copytree(REPOSITORY / part, course.home / part, ignore=kept)
    shutil.copy(REPOSITORY / "pyproject.toml", course.home)
    new_lesson(course, "01_spread", "Spread")
    assert new_exercise(course, "01_spread", "row_widths").left == ()

    build(course)
    assert [proof.findings for proof in prove(course)] == [(), (), ()]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            *(f"tests/lessons/{t}" for t in TESTS),
        ],
        cwd=course.home,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(course.home), str(REPOSITORY)])},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert " skipped" not in done.stdout


def test_a_new_lesson_says_which_files_it_wrote(course: Course) -> None:
    made = new_lesson(course, "01_spread", "Spread", "widths")

    assert [str(path.relative_to(course.home)) for path in made.files] == [
        "solutions/lessons/01_spread.md",
        "solutions/exercises/spread/__init__.py",
        "solutions/exercises/spread/widths.py",
        "solutions/exercises/spread/questions.py",
        "tests/lessons/oracles/spread.py",
    ]
    assert "# Lesson 1. Spread\n" in made.files[0].read_text(encoding="utf-8")
    library = load(course.solutions, "01_spread")
    assert (*library.exercises, *library.questions, *library.free_texts) == (
        "widths",
        "widths_by_hand",
        "what_widths_hides",
    )


def test_no_placeholder_is_left_and_the_student_library_is_the_courses(tmp_path: Path) -> None:
    course = make_course(tmp_path)
    made = new_lesson(course, "02_spread")

    texts = [path.read_text(encoding="utf-8") for path in made.files]
    assert not any("{{" in text for text in texts)
    assert "from tiny_lib import check, plotting" in texts[0]
    assert not any("attention" in text.lower() for text in texts)


def test_an_exercise_goes_before_the_questions_and_before_what_ends_the_lesson(with_lesson: Course) -> None:
    new_exercise(with_lesson, "01_spread", "row_widths")

    assert list(load(with_lesson.solutions, "01_spread").exercises) == ["row_ranges", "row_widths"]
    text = (with_lesson.solutions / "lessons" / "01_spread.md").read_text(encoding="utf-8")
    assert text.index("\nwhat_row_ranges_hides\n") < text.index("\nrow_widths\n") < text.index("## Beyond")
    oracle = (with_lesson.home / "tests/lessons/oracles/spread.py").read_text(encoding="utf-8")
    assert oracle.index("def row_ranges") < oracle.index("def row_widths")


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("lesson", "## ", "# ", "give it a code cell that holds just `more`"),
        (
            "lesson",
            "## Beyond",
            '+++ {"tags": ["x"]}\n\n## Beyond',
            "give it a code cell that holds just `more`",
        ),
        ("init", "from .row_ranges", "print()\nfrom .row_ranges", "write `from .more import more` there"),
        ("oracle", None, None, "write more there once more, with loops"),
    ],
    ids=["no ending", "tags at the ending", "a program in __init__", "no oracles"],
)
def test_what_is_not_safe_is_said_and_left(
    with_lesson: Course, file: str, old: str | None, new: str | None, told: str
) -> None:
    path = {
        "lesson": with_lesson.solutions / "lessons" / "01_spread.md",
        "init": of(with_lesson, "__init__.py"),
        "oracle": with_lesson.home / "tests/lessons/oracles/spread.py",
    }[file]
    if old is None or new is None:
        path.unlink()
    else:
        change(path, old, new)
    before = path.read_text(encoding="utf-8") if path.exists() else None

    assert new_exercise(with_lesson, "01_spread", "more").left == (f"{path}: {told}",)
    assert (path.read_text(encoding="utf-8") if path.exists() else None) == before


@pytest.mark.parametrize(
    ("lesson", "exercise", "words"),
    [
        ("1_more", "more", "expected two digits"),
        ("02_class", "more", "expected two digits"),
        ("../02_x", "more", "expected two digits"),
        ("01_spread", "more", "is there already: autograder new exercise 01_spread NAME"),
        ("01_more", "more", "shares its number with 01_spread: choose another (the next free number is 02)"),
        ("02_spread", "more", "shares its topic with 01_spread"),
        ("02_more", "row_ranges", "01_spread has a row_ranges"),
        ("02_more", "2nd", "can't be an exercise's name"),
        ("02_more", "np", "means something else in a notebook"),
        ("02_more", "sorted", "means something else in a notebook"),
        ("02_more", "questions", "means something else in a notebook"),
    ],
)
def test_a_bad_name_is_refused_and_nothing_written(
    with_lesson: Course, lesson: str, exercise: str, words: str
) -> None:
    before = everything_in(with_lesson)

    with pytest.raises(UserError) as refused:
        new_lesson(with_lesson, lesson, None, exercise)
    assert words in str(refused.value)
    assert everything_in(with_lesson) == before


def test_nothing_is_overwritten(with_lesson: Course) -> None:
    """Fails when a file that somebody left there is lost, or half of a lesson is written."""
    left = of(with_lesson, "more.py")
    left.write_text("mine", encoding="utf-8")
    oracle = with_lesson.home / "tests/lessons/oracles/width.py"
    oracle.write_text("mine", encoding="utf-8")
    before = everything_in(with_lesson)

    with pytest.raises(UserError, match=r"more\.py is there already"):
        new_exercise(with_lesson, "01_spread", "more")
    with pytest.raises(UserError, match=r"width\.py is there already"):
        new_lesson(with_lesson, "02_width", None, "other")
    assert everything_in(with_lesson) == before


def test_a_lesson_of_one_file_is_not_added_to(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="stand in one file"):
        new_exercise(make_course(tmp_path), LESSON, "more")


def test_the_wheel_holds_the_templates() -> None:
    """Fails when an installed autograder would lack them: hatch takes each file of a package that git has."""
    config = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = config["tool"]["hatch"]["build"]["targets"]["wheel"]
    tracked = subprocess.run(
        ["git", "ls-files", str(TEMPLATES)], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout.split()

    assert wheel == {"packages": ["attention_lib", "autograder"]}
    assert {Path(name).name for name in tracked} == {path.name for path in TEMPLATES.iterdir()}
