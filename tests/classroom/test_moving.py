"""A gradebook that moves to another database says there what it said before."""

from __future__ import annotations

import move_gradebook
import pytest
from gradebooks import give, run, say
from nbgrader.api import Gradebook
from sqlalchemy import create_engine, text
from tiny_course import LESSON

from autograder.classroom import moving
from autograder.classroom.dump import canonical_dump
from autograder.classroom.moving import move
from autograder.library import UserError

#: nbgrader's own way to add a submission makes SQLAlchemy warn.
pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")


@pytest.fixture
def kept(small_class):
    """A gradebook with something of everything in it: its db_url."""
    url = f"sqlite:///{small_class.gradebook}"
    run(small_class)
    with Gradebook(url, "attention") as gradebook:
        gradebook.update_or_create_student("ada", first_name="Ada", last_name="Löf", lms_user_id="17")
        gradebook.update_or_create_assignment(LESSON, duedate="2025-03-01 09:00 UTC")
        gradebook.grant_extension(LESSON, "ada", days=1, hours=2)
        give(gradebook, "ada", "tell_why", 1.5, extra=0.25)
        say(gradebook, "ada", "tell_why", "„Gut“ — weiter so.\nDanke")
    return url


@pytest.mark.parametrize("there", ["sqlite", "postgresql"])
def test_all_of_it_is_there_and_the_old_one_is_as_it_was(request, kept, there, tmp_path, monkeypatch):
    monkeypatch.setattr(moving, "ROWS_AT_ONCE", 5)
    postgresql = there == "postgresql"
    target = (
        request.getfixturevalue("postgresql").new_database()
        if postgresql
        else f"sqlite:///{tmp_path / 'new.db'}"
    )
    before = canonical_dump(kept)
    copied = move(kept, target)
    assert (copied["grade"], copied["student"], copied["assignment"]) == (33, 11, 1)
    assert canonical_dump(target).splitlines() == before.splitlines()
    assert canonical_dump(kept) == before


def test_grading_goes_on_in_the_new_one(small_class, kept, postgresql, hand_in):
    target = postgresql.new_database()
    move(kept, target)
    with (small_class.root / "nbgrader_config.py").open("a") as settings:
        settings.write(f"c.CourseDirectory.db_url = {target!r}\n")
    before = canonical_dump(target)
    assert run(small_class).graded == 0
    assert canonical_dump(target) == before
    hand_in("new")
    assert run(small_class).graded == 1
    with Gradebook(target, "attention") as gradebook:
        assert len(gradebook.students) == 12
        assert gradebook.find_grade("tell_why", LESSON, LESSON, "ada").score == 1.75


def test_a_database_that_holds_grades_is_not_written(kept, tmp_path):
    other = f"sqlite:///{tmp_path / 'other.db'}"
    with Gradebook(other, "attention") as gradebook:
        gradebook.update_or_create_student("zoe")
    before = canonical_dump(other)
    with pytest.raises(UserError, match="holds a gradebook already"):
        move(kept, other)
    assert canonical_dump(other) == before


def test_a_database_that_nbgrader_has_opened_is_still_empty(kept, tmp_path):
    opened = f"sqlite:///{tmp_path / 'opened.db'}"
    with Gradebook(opened, "attention"):
        pass
    move(kept, opened)
    assert canonical_dump(opened) == canonical_dump(kept)


def test_a_move_that_fails_half_way_leaves_the_new_one_empty(kept, postgresql):
    """PostgreSQL takes no row that belongs to nothing; SQLite does."""
    engine = create_engine(kept)
    with engine.begin() as connection:
        connection.execute(text("UPDATE comment SET notebook_id = substr('gone' || id, 1, 32)"))
    engine.dispose()
    target = postgresql.new_database()
    with pytest.raises(UserError, match="foreign key"):
        move(kept, target)
    assert canonical_dump(target) == ""


@pytest.mark.parametrize(
    ("prepared", "words"),
    [
        (None, "there is no gradebook at"),
        ("CREATE TABLE thing (id INTEGER)", "holds no gradebook"),
        (
            "CREATE TABLE alembic_version (version_num TEXT); INSERT INTO alembic_version VALUES ('old')",
            "nbgrader db upgrade",
        ),
    ],
)
def test_what_is_no_gradebook_is_named(course, tmp_path, prepared, words):
    path = tmp_path / "odd.db"
    if prepared:
        engine = create_engine(f"sqlite:///{path}")
        with engine.begin() as connection:
            for statement in prepared.split(";"):
                connection.execute(text(statement))
        engine.dispose()
    with pytest.raises(UserError, match=words):
        move(f"sqlite:///{path}", f"sqlite:///{tmp_path / 'new.db'}")
    assert not (tmp_path / "new.db").exists()


def test_the_command_moves_the_classs_own_and_says_what_to_tell_nbgrader(
    small_class, kept, postgresql, capsys
):
    target = postgresql.new_database()
    assert move_gradebook.main([target, "--course", str(small_class.root)]) == 0
    told = capsys.readouterr().out.splitlines()
    assert "      33 grade" in told
    assert told[-1] == f"c.CourseDirectory.db_url = {target!r}"
    assert canonical_dump(target) == canonical_dump(kept)
    assert move_gradebook.main([target, "--course", str(small_class.root)]) == 2
    assert "holds a gradebook already" in capsys.readouterr().err


def test_the_command_says_when_somebody_graded_meanwhile(small_class, kept, tmp_path, monkeypatch, capsys):
    def move_and_grade(source, target):
        copied = move(source, target)
        with Gradebook(kept, "attention") as gradebook:
            give(gradebook, "ben", "tell_why", 2.0)
        return copied

    monkeypatch.setattr(move_gradebook, "move", move_and_grade)
    words = [f"sqlite:///{tmp_path / 'new.db'}", "--course", str(small_class.root)]
    assert move_gradebook.main(words) == 1
    assert "the two differ" in capsys.readouterr().out
