"""A class on a PostgreSQL server: the same gradebook as on SQLite, and two graders at once."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest
from gradebooks import InThread, counts, enter, lines, register, run, use_database, watch
from nbgrader.api import Gradebook
from sqlalchemy import create_engine, text
from test_same_grades import copy_of, with_nbgrader_autograde, with_the_formgraders_api
from tiny_course import LESSON, RIGHT

from autograder.classroom import database as database_module
from autograder.classroom.dump import canonical_dump

#: nbgrader's own way to add a submission makes SQLAlchemy warn.
pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
STUDENTS = 30


def on_sqlite(course):
    return canonical_dump(f"sqlite:///{course.gradebook}")


def test_every_way_to_grade_gives_the_gradebook_that_sqlite_has(small_class, postgresql, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("copies")
    ours, nbgraders, formgraders = (copy_of(small_class, elsewhere / name) for name in "abc")
    urls = [use_database(course, postgresql.new_database()) for course in (ours, nbgraders, formgraders)]
    run(small_class)
    run(ours)
    with_nbgrader_autograde(nbgraders)
    with_the_formgraders_api(formgraders)
    expected = on_sqlite(small_class).splitlines()
    assert len([line for line in expected if line.startswith('["grade", ')]) == 33
    for url in urls:
        assert canonical_dump(url).splitlines() == expected
    assert not ours.gradebook.exists()


def wait_until_somebody_waits(db_url):
    """Until a lock in this database is waited for."""
    engine = create_engine(db_url)
    query = text(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    deadline = time.monotonic() + 10
    with engine.connect() as connection:
        while not connection.scalar(query):
            connection.rollback()
            assert time.monotonic() < deadline, "nobody waits for a lock"
            time.sleep(0.01)
    engine.dispose()


@pytest.fixture
def url(course, postgresql):
    return use_database(course, postgresql.new_database())


def test_a_submission_that_another_grader_is_just_adding_is_waited_for_and_changed(course, url):
    register(course)
    engine = create_engine(url)
    with engine.connect() as other:
        other.execute(text("INSERT INTO student (id) VALUES ('ada')"))
        other.execute(
            text(
                "INSERT INTO submitted_assignment (id, student_id, assignment_id) "
                "SELECT 'other', 'ada', id FROM assignment"
            )
        )
        entering = InThread(lambda: enter(course, "ada", {"test_double": 3.0}))
        wait_until_somebody_waits(url)
        other.commit()
    engine.dispose()
    entering.finish()
    assert counts(url)["submitted_assignment"] == 1
    assert sum("3.0" in line for line in lines(url, "grade")) == 1


def test_a_score_that_a_person_is_just_entering_counts(course, url):
    """The row is locked by the person's change while the grader wants to change it."""
    enter(course, "ada", {"test_double": 1.5})
    with Gradebook(url, "attention") as formgrader:
        grade = formgrader.find_grade("test_double", LESSON, LESSON, "ada")
        grade.manual_score, grade.needs_manual_grade = 2.5, False
        formgrader.db.flush()
        entering = InThread(lambda: enter(course, "ada", {"test_double": 3.0}))
        wait_until_somebody_waits(url)
        formgrader.db.commit()
        entering.finish()
        formgrader.db.expire_all()
        assert (grade.auto_score, grade.manual_score, grade.needs_manual_grade) == (3.0, 2.5, True)


def test_two_graders_of_one_submission_do_not_mix_their_scores(course, url):
    enter(course, "ada", {"test_double": 0.0, "test_sum_of_two": 0.0})
    engine = create_engine(url)
    with engine.connect() as other:
        other.execute(text("SELECT id FROM submitted_assignment FOR UPDATE"))
        entering = InThread(lambda: enter(course, "ada", {"test_double": 3.0, "test_sum_of_two": 1.0}))
        wait_until_somebody_waits(url)
        assert not any("3.0" in line for line in lines(url, "grade"))
        other.execute(text("UPDATE grade SET auto_score = 0.5"))
        other.commit()
    engine.dispose()
    entering.finish()
    assert sorted(line.split(", ")[5] for line in lines(url, "grade")) == ["1.0", "3.0", "null"]


def test_two_who_open_an_empty_database_make_one_gradebook(course, url):
    engine = create_engine(url)
    with engine.connect() as other:
        other.execute(text("SELECT pg_advisory_xact_lock(5135467102)"))
        first, second = (InThread(lambda: register(course)) for _ in range(2))
        wait_until_somebody_waits(url)
        other.commit()
    engine.dispose()
    first.finish()
    second.finish()
    assert len(lines(url, "assignment")) == 1
    assert len(lines(url, "cell")) == 6


def test_a_server_that_is_started_anew_costs_no_grade(course, hand_in, postgresql, url, monkeypatch):
    for student in ("ada", "ben", "cem"):
        hand_in(student, double=RIGHT)

    def start_between_two_tries(seconds):
        if not postgresql.runs:
            postgresql.start()

    clock = SimpleNamespace(monotonic=time.monotonic, sleep=start_between_two_tries)
    monkeypatch.setattr(database_module, "time", clock)
    assert run(course, make_progress=watch("ada", postgresql.stop)).graded == 3
    assert counts(url)["grade"] == 9
