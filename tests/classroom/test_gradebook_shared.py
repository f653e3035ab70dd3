"""A gradebook that others use at the same time: nothing is lost, doubled or half-written, and a run that
can't go on says why."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner
from gradebooks import (
    OtherGrader,
    class_folder,
    counts,
    give,
    lines,
    open_formgrader,
    run,
    say,
    use_database,
    watch,
)
from sqlalchemy import create_engine, text
from test_same_grades import copy_of
from tiny_course import HALF, LESSON, MISTAKEN, RIGHT, InThisProcess

from autograder.classroom import database as databases
from autograder.classroom import grade as grading
from autograder.classroom.dump import canonical_dump
from autograder.cli import main
from autograder.library import UserError

STUDENTS = 30
#: Seconds; a run gives up after the first, and goes on after the second.
PATIENCE, A_WHILE = 0.4, 0.3
HOLD = {
    "a program that writes": ("BEGIN EXCLUSIVE",),
    "a database browser with unsaved changes": ("BEGIN IMMEDIATE",),
    "a reader in the middle": ("BEGIN", "SELECT * FROM grade"),
}


class Holder:
    """Another program that holds a lock on an SQLite file, for some seconds or until it is stopped."""

    def __init__(self, path, statements, seconds=None):
        script = (
            "import sqlite3, sys, time\n"
            f"connection = sqlite3.connect({str(path)!r}, isolation_level=None, timeout=20)\n"
            f"for statement in {statements!r}: connection.execute(statement).fetchone()\n"
            "print('held', flush=True)\n"
            f"time.sleep({seconds}) if {seconds} else sys.stdin.read()\n"
        )
        self._process = subprocess.Popen(
            [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout.readline() == "held\n"

    def let_go(self):
        self._process.communicate(timeout=20)


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(databases, "PATIENCE_SECONDS", PATIENCE)


@pytest.fixture
def command(course, monkeypatch):
    """Run `autograder` in the tiny course with the fake grader."""
    kept = {**grading.grade.__kwdefaults__, "make_workers": InThisProcess}
    monkeypatch.setattr(grading.grade, "__kwdefaults__", kept)
    return lambda *words: CliRunner().invoke(main, ["--course", str(course.root), *words])


def test_a_run_that_is_killed_before_it_commits_leaves_nothing_of_that_submission(
    course, hand_in, database, tmp_path_factory
):
    undisturbed = copy_of(course, tmp_path_factory.mktemp("copies") / "undisturbed")
    for student, answer in (("ada", RIGHT), ("ben", HALF), ("cem", MISTAKEN)):
        hand_in(student, double=answer)
    shutil.copytree(course.submitted, undisturbed.submitted)
    use_database(undisturbed, f"sqlite:///{undisturbed.gradebook}")
    run(undisturbed)
    killed = OtherGrader(course.root, "ben")
    killed.start()
    assert killed.end()[0] == -9
    found = counts(database)
    assert "ben" not in canonical_dump(database)
    assert (found["grade"], found["comment"]) == (3 * found["student"], 3 * found["student"])
    assert run(course).graded == 3 - found["student"]
    assert canonical_dump(database) == canonical_dump(f"sqlite:///{undisturbed.gradebook}")


@pytest.mark.parametrize("share", ["different students", "the same students"])
def test_two_graders_at_once_lose_nothing_and_double_nothing(course, hand_in, database, tmp_path, share):
    names = [f"s{number:02}" for number in range(STUDENTS)]
    for number, student in enumerate(names):
        hand_in(student, double=(RIGHT, HALF, MISTAKEN)[number % 3], tell_why="So." if number % 2 else "")
    halves = (names[::2], names[1::2]) if share == "different students" else (names, names)
    folders = [class_folder(course, name, half) for name, half in zip("ab", halves, strict=True)]
    for folder in folders:
        use_database(folder, database)
    graders = [OtherGrader(folder.root) for folder in folders]
    for grader in graders:
        grader.start()
    for grader, half in zip(graders, halves, strict=True):
        assert grader.end()[:2] == (0, f"{LESSON}: {len(half)} graded, 0 unchanged\n")
    assert counts(database) == {
        "student": STUDENTS,
        "submitted_assignment": STUDENTS,
        "submitted_notebook": STUDENTS,
        "grade": 3 * STUDENTS,
        "comment": 3 * STUDENTS,
    }
    use_database(course, f"sqlite:///{tmp_path}/alone.db")
    run(course)
    assert canonical_dump(database) == canonical_dump(f"sqlite:///{tmp_path}/alone.db")


def class_of_three(hand_in, answer):
    for student in ("ada", "ben", "cem"):
        hand_in(student, double=answer)


@pytest.mark.parametrize("held", HOLD)
def test_a_lock_that_goes_is_waited_for(course, hand_in, held):
    class_of_three(hand_in, HALF)
    run(course)
    class_of_three(hand_in, RIGHT)
    holder = Holder(course.gradebook, HOLD[held], seconds=A_WHILE)
    assert run(course).graded == 3
    holder.let_go()
    assert sum('"test_double", 3.0' in line for line in lines(f"sqlite:///{course.gradebook}", "grade")) == 3


@pytest.mark.parametrize("held", HOLD)
def test_a_lock_that_stays_is_one_line_and_the_next_run_goes_on(course, hand_in, command, impatient, held):
    db_url = f"sqlite:///{course.gradebook}"
    class_of_three(hand_in, HALF)
    assert command("grade").exit_code == 0
    before = canonical_dump(db_url)
    class_of_three(hand_in, RIGHT)
    holder = Holder(course.gradebook, HOLD[held])
    done = command("grade")
    holder.let_go()
    told = done.stderr.splitlines()[-1]
    assert done.exit_code == 2
    assert told.startswith(f"autograder: the gradebook {course.gradebook} has been locked by another program")
    assert "close what holds it" in told
    assert "Traceback" not in done.stderr
    assert canonical_dump(db_url) == before
    done = command("grade")
    assert (done.exit_code, done.stdout) == (0, f"{LESSON}: 3 graded, 0 unchanged\n")
    assert sum('"test_double", 3.0' in line for line in lines(db_url, "grade")) == 3


def test_a_lock_that_comes_in_the_middle_of_a_run_costs_nothing_that_was_recorded(
    course, hand_in, impatient, tmp_path_factory
):
    db_url = f"sqlite:///{course.gradebook}"
    class_of_three(hand_in, RIGHT)
    undisturbed = copy_of(course, tmp_path_factory.mktemp("copies") / "undisturbed")
    run(undisturbed)
    holders = []
    hold = watch(None, lambda: holders.append(Holder(course.gradebook, HOLD["a program that writes"])))
    with pytest.raises(UserError, match=r"locked by another program for 0\.4 seconds .*goes on from here"):
        run(course, make_progress=hold)
    holders[0].let_go()
    assert (counts(db_url)["student"], counts(db_url)["grade"]) == (1, 3)
    assert run(course).graded == 2
    assert canonical_dump(db_url) == canonical_dump(f"sqlite:///{undisturbed.gradebook}")


def test_how_long_to_wait_can_be_said_in_the_url(course, hand_in):
    hand_in("ada", double=RIGHT)
    run(course)
    use_database(course, f"sqlite:///{course.gradebook}?timeout=0.2")
    holder = Holder(course.gradebook, HOLD["a program that writes"])
    with pytest.raises(UserError, match=r"locked by another program for 0\.2 seconds"):
        run(course)
    holder.let_go()


def test_a_locked_table_of_a_server_is_waited_for_and_then_named(course, hand_in, impatient, postgresql):
    url = use_database(course, postgresql.new_database())
    hand_in("ada", double=HALF)
    run(course)
    before = canonical_dump(url)
    hand_in("ada", double=RIGHT)
    engine = create_engine(url)
    with engine.connect() as other:
        other.execute(text("LOCK TABLE grade IN EXCLUSIVE MODE"))
        with pytest.raises(UserError, match=r"postgresql\+psycopg://teacher@/\S+ has been locked by another"):
            run(course)
    engine.dispose()
    assert canonical_dump(url) == before
    assert run(course).graded == 1


def test_a_person_and_the_formgrader_work_while_a_run_grades(course, hand_in, database):
    for student in ("ada", "ben", "cem"):
        hand_in(student, double=HALF)
    run(course)
    formgrader = open_formgrader(database)
    for student in ("ada", "ben", "cem"):
        hand_in(student, double=RIGHT)

    def mark():
        give(formgrader, "ada", "test_double", 2.0)
        give(formgrader, "cem", "test_double", 2.5)
        say(formgrader, "cem", "double", "See me.")

    done = run(course, make_progress=watch("ada", mark))
    formgrader.close()
    assert done.graded == 3
    found = {
        json.loads(line)[1]: json.loads(line)[5:]
        for line in lines(database, "grade")
        if "test_double" in line
    }
    assert found == {
        "ada": [3.0, 2.0, None, False],
        "ben": [3.0, None, None, False],
        "cem": [3.0, 2.5, None, True],
    }
    assert [json.loads(line)[-1] for line in lines(database, "comment") if "cem" in line] == [
        "See me.",
        None,
        None,
    ]
