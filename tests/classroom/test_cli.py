"""The command line: one clear line and exit 2 for whatever the user can mend."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner
from tiny_course import LESSON, RIGHT, FakeGrader, InThisProcess

import autograder.grading
from autograder.classroom import grade as grading
from autograder.classroom.summary import Kind
from autograder.cli import main


@pytest.fixture
def command(course, monkeypatch):
    """Run `autograder` in the tiny course with the fake grader."""
    monkeypatch.setattr(autograder.grading, "Grader", FakeGrader)
    monkeypatch.setattr(
        grading.grade, "__kwdefaults__", {**grading.grade.__kwdefaults__, "make_workers": InThisProcess}
    )

    def run(*arguments):
        return CliRunner().invoke(main, ["--course", str(course.root), *map(str, arguments)])

    return run


def assert_one_line(done, *words):
    assert done.exit_code == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    for word in words:
        assert word in line


def notebook_of(hand_in, **answers):
    return hand_in("ada", **answers) / f"{LESSON}.ipynb"


def test_judge_prints_one_json_object(command, hand_in):
    done = command("judge", notebook_of(hand_in, double=RIGHT), "--json")
    assert done.exit_code == 0
    printed = json.loads(done.stdout)
    assert (printed["lesson"], printed["score"], printed["max_score"]) == (LESSON, 3.0, 4.0)


def test_judge_tells_a_person_score_and_outcomes(command, hand_in):
    done = command("judge", notebook_of(hand_in, double=RIGHT, tell_why="So."))
    assert done.exit_code == 0
    assert "3 of 4 points" in done.stdout
    assert "passed" in done.stdout
    assert "to be graded by a person: tell_why" in done.stdout


def test_judge_of_a_broken_notebook_is_an_error_object_and_exit_2(command, hand_in):
    path = notebook_of(hand_in)
    path.write_text("{ not json")
    done = command("judge", path, "--json")
    assert done.exit_code == 2
    assert "not valid JSON" in json.loads(done.stdout)["error"]
    assert_one_line(command("judge", path), str(path), "not valid JSON", "ask for the file again")


def test_a_fault_of_the_graders_own_is_an_error_object_too(command, hand_in):
    done = command("judge", notebook_of(hand_in, double="# the grader itself fails on this"), "--json")
    assert done.exit_code == 2
    assert json.loads(done.stdout) == {"error": "MemoryError: no room"}


def test_judge_of_a_file_that_is_not_there_or_named_after_no_lesson(command, course):
    assert_one_line(command("judge", course.root / f"{LESSON}.ipynb"), f"{LESSON}.ipynb")
    (course.root / "mine.ipynb").write_text("{}")
    assert_one_line(command("judge", course.root / "mine.ipynb"), "named after no lesson", "--lesson")


def test_grade_says_what_it_did(command, hand_in, course):
    hand_in("ada", double=RIGHT)
    done = command("grade")
    assert done.exit_code == 0
    assert done.stdout == f"{LESSON}: 1 graded, 0 unchanged\n"
    assert command("grade").stdout == f"{LESSON}: 0 graded, 1 unchanged\n"
    assert course.gradebook.is_file()


def test_a_second_run_still_says_who_has_no_grade_and_why(command, hand_in):
    """Fails when a damaged notebook is counted as unchanged and never mentioned again."""
    hand_in("ada", double=RIGHT)
    path = hand_in("ben") / f"{LESSON}.ipynb"
    path.write_text("hello")
    why = "the file is no notebook: it is not valid JSON (it begins with 'hello')"
    named = f"  {Kind.DAMAGED.value}\n    ben: {why}\n"
    assert command("grade").stdout == f"{LESSON}: 1 graded, 0 unchanged, 1 without a grade\n{named}"
    again = command("grade").stdout
    assert again == f"{LESSON}: 0 graded, 2 unchanged (1 of them without a grade)\n{named}"


def test_grade_says_what_lies_in_the_wrong_place(command, hand_in, course):
    hand_in("ada", double=RIGHT)
    (course.submitted / "ada" / f"{LESSON} ").mkdir()
    (course.submitted / "notes.txt").write_text("")
    assert command("grade").stdout.splitlines()[1:] == [
        "not graded: 2 files and folders in the wrong place",
        "    submitted/notes.txt: a file, expected one folder for each student",
        f"    submitted/ada/{LESSON} : named after no lesson, expected submitted/ada/{LESSON}/{LESSON}.ipynb",
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["grade"], ["nothing handed in"]),
        (["grade", "99_nowhere"], ["no lesson '99_nowhere'", LESSON]),
        (["grade", "--student", "zoe"], ["nothing handed in of student 'zoe'"]),
        (["grade", LESSON, "--student", "zoe\x1b"], ["submitted"]),
        (["report"], ["autograder grade"]),
    ],
)
def test_what_is_missing_is_named(command, arguments, words):
    assert_one_line(command(*arguments), *words)


def test_an_unknown_student_is_named_where_others_handed_in(command, hand_in):
    hand_in("ada")
    assert_one_line(command("grade", LESSON, "--student", "zoe"), "'zoe'", "expected the folder")


def test_a_lesson_that_was_not_built_is_named(command, course, hand_in):
    hand_in("ada")
    course.released(LESSON).unlink()
    assert_one_line(command("grade"), "autograder build")


def test_a_folder_without_solutions_is_named(command, course):
    (course.root / "solutions").rename(course.root / "gone")
    for arguments in (["grade"], ["report"], ["build"], ["judge", course.released(LESSON)]):
        assert_one_line(command(*arguments), "no solutions/lessons", "--course DIR")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--scheduler", "tcp://10.0.0.1:8786"], "--executor dask"),
        (["--executor", "dask", "--scheduler", "tcp://10.0.0.1:8786", "--workers", "2"], "--workers"),
    ],
)
def test_options_of_a_cluster_that_do_not_go_together_are_named(command, hand_in, options, words):
    hand_in("ada")
    done = command("grade", *options)
    assert done.exit_code == 2
    assert words in done.stderr


def test_dask_grades_on_its_own_cluster_or_on_the_one_that_is_named(command, hand_in, monkeypatch):
    asked = []

    class Cluster(InThisProcess):
        def __init__(self, count=None, scheduler=None):
            asked.append((count, scheduler))

    monkeypatch.setattr("autograder.classroom.cluster.DaskWorkers", Cluster)
    hand_in("ada")
    assert command("grade", "--executor", "dask", "--workers", "3").exit_code == 0
    assert command("grade", "--executor", "dask", "--scheduler", "tcp://10.0.0.1:8786").exit_code == 0
    assert asked == [(3, None), (None, "tcp://10.0.0.1:8786")]


def test_help_imports_nothing_heavy():
    probe = (
        "import sys; from autograder.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'numpy', 'nbformat', 'nbgrader', 'jinja2', 'traitlets'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert "judge" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def test_doctor_names_each_layer_and_says_whether_grading_works(command, monkeypatch):
    from autograder.sandbox import client, isolation

    layers = [
        isolation.Layer("limits", True, "memory"),
        isolation.Layer("landlock", False, "the kernel is\nold"),
    ]
    monkeypatch.setattr(client, "doctor", lambda: layers)
    done = command("doctor")
    assert done.exit_code == 1
    assert "in force  limits" in done.stdout
    assert "the kernel is old" in done.stdout
    assert "refused" in done.stdout
