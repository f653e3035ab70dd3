"""What is wrong with a gradebook is said in one line with the remedy, and nothing is half-written."""

from __future__ import annotations

import os
import pwd
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg.errors
import pytest
from alembic.script import ScriptDirectory
from gradebooks import counts, register, run, use_database
from nbgrader.coursedir import CourseDirectory
from nbgrader.dbutil import ALEMBIC_DIR
from sqlalchemy.exc import DBAPIError
from tiny_course import HALF, LESSON, RIGHT
from traitlets.config import Config

from autograder.classroom import schema
from autograder.classroom.database import Database
from autograder.classroom.dump import canonical_dump
from autograder.classroom.gradebook import Book, open_book
from autograder.classroom.refusals import passes, refusal
from autograder.classroom.results import Result
from autograder.library import UserError

OLDER = "50a4d84c131a"


def refused(course) -> str:
    """What grading the class says, in one line."""
    with pytest.raises(UserError) as raised:
        run(course)
    (line,) = str(raised.value).splitlines()
    return line


def assert_says(line, *words):
    for word in words:
        assert word in line, line


@pytest.fixture
def handed_in(course, hand_in):
    hand_in("ada", double=RIGHT)
    hand_in("ben", double=HALF)
    return course


def test_a_file_that_is_no_database_is_left_as_it_is(handed_in):
    handed_in.gradebook.write_text("name,score\nada,3\n" * 100)
    line = refused(handed_in)
    assert_says(line, str(handed_in.gradebook), "is no SQLite database", "restore it from your backup")
    assert handed_in.gradebook.read_text().startswith("name,score\n")
    handed_in.gradebook.unlink()
    assert run(handed_in).graded == 2


def test_a_damaged_gradebook_is_named(handed_in):
    run(handed_in)
    whole = handed_in.gradebook.read_bytes()
    handed_in.gradebook.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    assert_says(refused(handed_in), str(handed_in.gradebook), "is damaged", "restore it from your backup")
    handed_in.gradebook.write_bytes(whole)
    assert run(handed_in).unchanged == 2


def test_a_folder_in_its_place_is_named(handed_in):
    handed_in.gradebook.mkdir()
    assert_says(refused(handed_in), str(handed_in.gradebook), "can't be opened")


def test_a_folder_that_is_not_there_is_named(handed_in):
    use_database(handed_in, "sqlite:///nowhere/gradebook.db")
    assert_says(refused(handed_in), f"{handed_in.root}/nowhere/gradebook.db", "can't be opened", "its folder")


@pytest.fixture
def own_folder():
    """A folder of an account without privileges, which this process has until the test ends."""
    folder = Path(tempfile.mkdtemp(prefix="own-"))
    account = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else os.geteuid()
    os.chown(folder, account, -1)
    before = os.geteuid()
    os.seteuid(account)
    yield folder
    os.seteuid(before)
    shutil.rmtree(folder)


def book_in(folder):
    config = Config(CourseDirectory={"root": str(folder), "course_id": "attention"})
    return Book(CourseDirectory(config=config), config)


@pytest.mark.parametrize(
    ("closed", "words"), [("gradebook.db", "can't be written"), (".", "can't be")], ids=["file", "folder"]
)
def test_a_gradebook_that_must_not_be_written_is_read_and_not_changed(course, own_folder, closed, words):
    os.seteuid(os.getuid())
    shutil.copy(course.released(LESSON), own_folder)
    (own_folder / f"{LESSON}.ipynb").chmod(0o644)
    os.seteuid(own_folder.stat().st_uid)
    with book_in(own_folder) as book:
        book.register(own_folder / f"{LESSON}.ipynb")
        book.enter(Result("ada", LESSON, {}, "{}", {"test_double": 1.5}), None)
    before = canonical_dump(f"sqlite:///{own_folder}/gradebook.db")
    mode = (own_folder / closed).stat().st_mode
    (own_folder / closed).chmod(mode & 0o555)
    with book_in(own_folder) as book:
        assert book.waiting(LESSON) == {("ada", "tell_why"), ("ada", "test_sum_of_two")}
        with pytest.raises(UserError, match=words) as raised:
            book.enter(Result("ada", LESSON, {}, "{}", {"test_double": 3.0}), None)
    (own_folder / closed).chmod(mode)
    assert_says(str(raised.value), f"{own_folder}/gradebook.db", "writable for you", "goes on from here")
    assert canonical_dump(f"sqlite:///{own_folder}/gradebook.db") == before


def test_a_disk_that_runs_full_stops_the_run_and_the_next_one_finishes(course, hand_in, tmp_path):
    """On a small disk of its own, half of it taken up until the run has stopped."""
    for number in range(60):
        hand_in(f"s{number:02}", double=RIGHT if number % 2 else HALF)
    run(course)
    undisturbed = canonical_dump(f"sqlite:///{course.gradebook}")
    disk = course.root / "disk"
    disk.mkdir()
    use_database(course, f"sqlite:///{disk}/gradebook.db")
    grade = f"echo go | '{sys.executable}' '{Path(__file__).parent / 'other_grader.py'}' '{course.root}'"
    steps = (
        f"mount -t tmpfs -o size=600k none '{disk}'",
        f"head -c 350k /dev/zero > '{disk}/ballast'",
        f"{grade} && exit 3",
        f"cp '{disk}/gradebook.db' '{tmp_path}/full.db'",
        f"rm '{disk}/ballast'",
        grade,
        f"cp '{disk}/gradebook.db' '{tmp_path}/finished.db'",
    )
    if subprocess.run(["unshare", "-Urm", "true"], capture_output=True).returncode:
        pytest.skip("NO FULL DISK IS TESTED HERE: mounting a small one is not allowed")
    done = subprocess.run(
        ["unshare", "-Urm", "sh", "-c", "\n".join(("set -e", *steps))], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert_says(done.stderr, f"autograder: the gradebook {disk}/gradebook.db has no room left on its disk")
    full = counts(f"sqlite:///{tmp_path}/full.db")
    assert 0 < full["student"] < 60
    assert (full["grade"], full["comment"]) == (3 * full["student"], 3 * full["student"])
    assert canonical_dump(f"sqlite:///{tmp_path}/finished.db") == undisturbed


def set_version(path, version):
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("DELETE FROM alembic_version")
        if version:
            connection.execute("INSERT INTO alembic_version VALUES (?)", (version,))
    connection.close()


@pytest.mark.parametrize(
    ("version", "words"),
    [(OLDER, ("an older nbgrader", "nbgrader db upgrade")), ("ffffffffffff", ("a newer nbgrader", "0.9.6"))],
)
def test_tables_of_another_nbgrader_are_not_written(handed_in, version, words):
    run(handed_in)
    set_version(handed_in.gradebook, version)
    before = handed_in.gradebook.read_bytes()
    assert_says(refused(handed_in), str(handed_in.gradebook), version, *words)
    assert handed_in.gradebook.read_bytes() == before


def test_a_gradebook_that_nbgrader_was_killed_over_while_it_made_it_is_used(handed_in):
    """nbgrader makes the tables first and notes their version two seconds later."""
    run(handed_in)
    whole = canonical_dump(f"sqlite:///{handed_in.gradebook}")
    set_version(handed_in.gradebook, None)
    assert run(handed_in, force=True).graded == 2
    assert canonical_dump(f"sqlite:///{handed_in.gradebook}") == whole
    connection = sqlite3.connect(handed_in.gradebook)
    assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(schema.VERSION,)]
    connection.close()


def test_an_old_gradebook_that_tells_no_version_is_refused_as_it_is(handed_in):
    connection = sqlite3.connect(handed_in.gradebook)
    with connection:
        connection.execute("CREATE TABLE assignment (id VARCHAR(32) PRIMARY KEY, name VARCHAR(128))")
    connection.close()
    before = handed_in.gradebook.read_bytes()
    assert_says(refused(handed_in), "has no column assignment.duedate", "nbgrader db upgrade")
    assert handed_in.gradebook.read_bytes() == before


def test_the_version_of_the_tables_is_that_of_the_nbgrader_that_is_installed():
    assert ScriptDirectory(ALEMBIC_DIR).get_current_head() == schema.VERSION


@pytest.mark.parametrize(
    ("db_url", "words"),
    [
        ("gradebook.db", "is no URL"),
        ("mysql://ada@host/class", "begins with mysql"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite:///gradebook.db?timeout=long", "timeout=long, expected seconds"),
        ("postgresql+carrier://ada@host/class", "begins with postgresql+carrier"),
    ],
)
def test_a_url_that_names_no_gradebook_is_told_what_was_expected(handed_in, db_url, words):
    use_database(handed_in, db_url)
    assert_says(refused(handed_in), "c.CourseDirectory.db_url", words)


def test_a_driver_that_is_not_installed_is_named(handed_in, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    use_database(handed_in, "postgresql+psycopg://ada@host/class")
    assert_says(refused(handed_in), "needs the package psycopg", "pip install 'psycopg[binary]'")


@pytest.mark.parametrize(
    ("user", "database", "said"),
    [
        ("locked_out:wrong", "postgres", 'password authentication failed for user "locked_out"'),
        ("teacher", "nowhere", 'database "nowhere" does not exist'),
        ("stranger", "postgres", 'role "stranger" does not exist'),
    ],
)
def test_a_server_that_lets_nobody_in_is_named_without_the_password(
    handed_in, postgresql, user, database, said
):
    postgresql.run("DROP ROLE IF EXISTS locked_out", "CREATE ROLE locked_out LOGIN PASSWORD 'right'")
    use_database(handed_in, postgresql.url(database, user))
    line = refused(handed_in)
    assert_says(
        line, "the gradebook postgresql+psycopg://", "can't be reached", said, "c.CourseDirectory.db_url"
    )
    assert "wrong" not in line


def test_a_server_that_is_not_there_is_named(handed_in, tmp_path):
    use_database(handed_in, f"postgresql+psycopg://ada@/class?host={tmp_path}")
    assert_says(refused(handed_in), "can't be reached", "see that the server runs")


def test_a_user_who_may_not_make_tables_is_told(handed_in, postgresql):
    url = postgresql.new_database()
    name = url.split("/")[3].split("?")[0]
    postgresql.run("DROP ROLE IF EXISTS reader", "CREATE ROLE reader LOGIN")
    postgresql.run("REVOKE CREATE ON SCHEMA public FROM PUBLIC", database=name)
    use_database(handed_in, postgresql.url(name, "reader"))
    assert_says(refused(handed_in), "permission denied for schema public", "give it the right")


def test_a_server_that_only_reads_is_told_and_the_next_run_goes_on(handed_in, postgresql):
    url = use_database(handed_in, postgresql.new_database())
    name = url.split("/")[3].split("?")[0]
    register(handed_in)
    before = canonical_dump(url)
    postgresql.run(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    assert_says(refused(handed_in), "its server being read-only", "cannot execute")
    assert canonical_dump(url) == before
    postgresql.run(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    assert run(handed_in).graded == 2


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_that_can_not_hold_every_name_is_refused(handed_in, postgresql, encoding):
    name = encoding.lower()
    postgresql.run(f"CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0")
    use_database(handed_in, postgresql.url(name))
    assert_says(refused(handed_in), f"has encoding {encoding}, expected UTF8", "ENCODING 'UTF8'")


def test_a_name_that_is_longer_than_nbgraders_column_is_that_students_trouble_alone(
    handed_in, hand_in, database
):
    hand_in("x" * 128, double=RIGHT)
    hand_in("y" * 129, double=RIGHT)
    done = run(handed_in)
    assert (done.graded, done.ungraded) == (3, 1)
    ((student, reason),) = done.troubled
    assert (student, "128" in reason) == ("y" * 129, True)
    assert run(handed_in).unchanged == 4


@pytest.mark.parametrize(
    ("error", "words", "again"),
    [
        (psycopg.errors.DiskFull, "has no room left on its disk", False),
        (psycopg.errors.LockNotAvailable, "has been locked by another program for 7 seconds", True),
        (psycopg.errors.DeadlockDetected, "can't be used", True),
        (psycopg.errors.SerializationFailure, "can't be used", True),
        (psycopg.errors.CannotConnectNow, "can't be used", True),
        (psycopg.errors.UndefinedTable, "can't be used", False),
    ],
)
def test_what_a_server_refuses_is_told_by_its_code(error, words, again):
    refused_ = DBAPIError("INSERT", {}, error("first line\n  second line"))
    assert passes(refused_) == again
    assert_says(
        str(refusal(refused_, "HERE", 7.0)), f"the gradebook HERE {words}", "(first line second line)"
    )


def open_files():
    return {os.path.realpath(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd")}


def test_a_gradebook_that_was_refused_is_not_kept_open(handed_in):
    handed_in.gradebook.write_text("no database at all" * 100)
    with pytest.raises(UserError):
        open_book(handed_in)
    assert str(handed_in.gradebook) not in open_files()


def test_work_that_fails_is_undone(handed_in):
    register(handed_in)
    database = Database(f"sqlite:///{handed_in.gradebook}")

    def half(connection):
        connection.exec_driver_sql("INSERT INTO student (id) VALUES ('ada')")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        database.write(half)
    database.close()
    assert counts(f"sqlite:///{handed_in.gradebook}")["student"] == 0
