"""Building: the same sources, the same bytes; what is stale is named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.authoring.build import StaleBuild, build
from autograder.authoring.leaks import files_below
from autograder.course import Course
from autograder.files import write_whole
from autograder.library import UserError

from .conftest import LESSON, change, make_course, read


def contents(course: Course) -> dict[str, bytes]:
    found = [*files_below(course.notebooks), *files_below(course.source), *files_below(course.library_dir)]
    return {str(path.relative_to(course.home)): path.read_bytes() for path in found}


def test_building_twice_gives_the_same_bytes(course: Course, built: Course) -> None:
    build(course)
    first = contents(course)

    build(course)

    assert contents(course) == first
    assert first == contents(built)


def test_another_process_with_another_hash_seed_gives_the_same_bytes(built: Course, tmp_path: Path) -> None:
    course = make_course(tmp_path)
    program = (
        "import sys; from pathlib import Path; from autograder.course import Course; "
        "from autograder.authoring.build import build; "
        "build(Course(Path(sys.argv[1]), Path(sys.argv[1]), 'tiny_lib'))"
    )
    environment = {"PYTHONHASHSEED": "4242", "PATH": "/usr/bin:/bin"}
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, env=environment)

    assert contents(course) == contents(built)


def test_a_fresh_build_passes_the_check_and_the_check_writes_nothing(built: Course) -> None:
    before = contents(built)

    assert build(built, check=True) == []

    assert contents(built) == before


def test_the_check_names_a_stale_notebook_and_what_to_run(course: Course) -> None:
    build(course)
    change(course.released(LESSON), "Some words", "Other words")

    with pytest.raises(StaleBuild, match=rf"notebooks/{LESSON}/{LESSON}\.ipynb.*Run: autograder build"):
        build(course, check=True)
    assert StaleBuild.exit_code == 1


def test_the_check_names_a_source_that_has_moved_on(course: Course) -> None:
    build(course)
    change(course.solutions / "lessons" / "01_tiny.md", "Some words", "Other words")

    with pytest.raises(StaleBuild, match=r"\.ipynb"):
        build(course, check=True)
    assert "Some words" in course.released(LESSON).read_text()


def test_the_check_tolerates_the_last_bits_of_an_example(course: Course) -> None:
    build(course)
    path = course.examples / f"{LESSON}.json"
    document = read(path)
    data = document["exercises"]["softened"]["examples"][0]["expected"]["data"]
    data[1] *= 1 + 2e-16 * 4
    path.write_text(json.dumps(document))

    assert build(course, check=True) == []


def test_the_check_notices_an_example_that_differs_by_more(course: Course) -> None:
    build(course)
    path = course.examples / f"{LESSON}.json"
    document = read(path)
    document["exercises"]["softened"]["examples"][0]["expected"]["data"][1] *= 1 + 1e-6
    path.write_text(json.dumps(document))

    with pytest.raises(StaleBuild, match=rf"examples/{LESSON}\.json is not what its sources give"):
        build(course, check=True)


def test_the_check_notices_missing_files_and_files_of_no_lesson(course: Course) -> None:
    build(course)
    course.released(LESSON).unlink()
    (course.examples / "02_gone.json").write_text("{}")

    with pytest.raises(StaleBuild, match=r"is missing; .*02_gone\.json belongs to no lesson"):
        build(course, check=True)


def test_a_build_removes_what_belongs_to_no_lesson(course: Course) -> None:
    build(course)
    (course.examples / "02_gone.json").write_text("{}")

    build(course)

    assert [path.name for path in course.examples.iterdir()] == [f"{LESSON}.json"]


def test_a_missing_lesson_is_named(course: Course) -> None:
    with pytest.raises(UserError, match="02_none"):
        build(course, ["02_none"])


def test_a_library_that_does_not_load_is_named_and_leaves_the_old_files(course: Course) -> None:
    build(course)
    before = contents(course)
    change(course.solutions / "exercises" / "tiny.py", "import numpy as np", "import numpy as np\n1 / 0")

    with pytest.raises(UserError, match="exercises of 01_tiny can't be loaded: ZeroDivisionError"):
        build(course)

    assert contents(course) == before


def test_examples_hold_what_the_reference_and_each_mistake_answer(built: Course) -> None:
    entry = read(built.examples / f"{LESSON}.json")["exercises"]["gram"]

    [example] = entry["examples"]
    assert example["expected"]["data"] == [5.0, 11.0, 2.0, 11.0, 25.0, 4.0, 2.0, 4.0, 1.0]
    assert example["mistakes"]["between_features"]["shape"] == [2, 2]
    assert example["mistakes"]["later_rows_only"]["data"] == [5.0, 11.0, 2.0, 0.0, 25.0, 4.0, 0.0, 0.0, 1.0]
    assert entry["parameters"] == ["X"]
    assert entry["hints"]["between_features"] == "Features or tokens?"


def test_examples_say_the_form_of_a_questions_answer_and_nothing_of_its_key(built: Course) -> None:
    assert read(built.examples / f"{LESSON}.json")["questions"] == {
        "how_many": {"form": "a number", "kind": "number", "letters": []},
        "which_axis": {"form": 'a letter in quotes, such as "A"', "kind": "choice", "letters": ["A", "B"]},
    }


def test_examples_that_do_not_tell_two_mistakes_apart_fail_the_build(course: Course) -> None:
    twin = (
        '\n\n@misconception(gram, hint="Below the diagonal?")\n'
        "def upper_triangle(X):\n    n = len(X)\n    G = np.array([[x @ y for y in X] for x in X])\n"
        "    return np.where(np.arange(n) < np.arange(n)[:, None], 0.0, G)\n"
    )
    path = course.solutions / "exercises" / "tiny.py"
    path.write_text(path.read_text() + twin)

    with pytest.raises(UserError, match=r"gram: .*don't tell later_rows_only and upper_triangle apart"):
        build(course)


def test_examples_on_which_a_mistake_is_right_fail_the_build(course: Course) -> None:
    change(
        course.solutions / "exercises" / "tiny.py",
        "[[1.0, 2.0], [3.0, 4.0], [0.0, 1.0]])],\n)\ndef gram",
        "[[1.0, 0.0], [0.0, 1.0]])],\n)\ndef gram",
    )

    with pytest.raises(UserError, match="don't tell the reference and between_features apart"):
        build(course)


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "notebook.ipynb"
    write_whole(path, "old")

    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "new \ud800")

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_nbgrader_generates_the_same_release(course: Course) -> None:
    build(course)
    config = course.home / "nbgrader_config.py"
    config.write_text(
        "from autograder.authoring import release\n"
        "c = get_config()\n"
        f"c.CourseDirectory.root = {str(course.home)!r}\n"
        "c.CourseDirectory.source_directory = 'build/source'\n"
        "c.CourseDirectory.release_directory = 'generated'\n"
        "c.CourseDirectory.course_id = 'tiny'\n"
        "c.GenerateAssignment.preprocessors = release.GENERATE\n"
    )
    command = [sys.executable, "-m", "nbgrader", "generate_assignment", LESSON]

    # nbgrader runs `alembic` by its bare name.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

    done = subprocess.run(
        command, cwd=course.home, env={**os.environ, "PATH": path}, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    generated = course.home / "generated" / LESSON / f"{LESSON}.ipynb"
    assert generated.read_bytes() == course.released(LESSON).read_bytes()
