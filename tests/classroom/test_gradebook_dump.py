"""Two gradebooks with the same dump are the same: nothing that a gradebook says is left out of it."""

from __future__ import annotations

from datetime import datetime, timedelta

import nbformat
import pytest
from gradebooks import enter, release, with_another_cell
from nbgrader.api import Base, Gradebook
from sqlalchemy import Boolean, DateTime, Enum, Float, Interval, create_engine, delete, select, update
from tiny_course import LESSON

from autograder.classroom.dump import canonical_dump

#: The courses' table is left out, and ids, which are drawn anew for each row; rows stand under their names.
LEFT_OUT = {"course"}
OTHER_VALUES = {
    Boolean: lambda old: not old,
    Float: lambda old: (old or 0.0) + 0.5,
    DateTime: lambda old: (old or datetime(2025, 3, 1)) + timedelta(seconds=1),
    Interval: lambda old: (old or timedelta()) + timedelta(seconds=1),
    Enum: lambda old: {"code": "markdown", "markdown": "code"}[old],
}
TABLES = {table.name: table for table in Base.metadata.sorted_tables if table.name not in LEFT_OUT}
SAID = [
    (table.name, column.name)
    for table in TABLES.values()
    for column in table.columns
    if not column.foreign_keys and (column.name != "id" or table.name == "student")
]


@pytest.fixture
def filled(course, database):
    """A gradebook with a row in every table, a task cell among them."""
    release(course, with_another_cell())
    enter(course, scores={"test_double": 3.0}, blank=("double",), timestamp=datetime(2025, 3, 1))
    return database


def changed_dump(db_url, *statements):
    engine = create_engine(db_url)
    with engine.begin() as connection:
        for statement in statements:
            assert connection.execute(statement).rowcount
    engine.dispose()
    return canonical_dump(db_url)


def other(column, old):
    change = OTHER_VALUES.get(type(column.type), lambda old: f"{old} and more")
    return change(old)


def first(db_url, table):
    engine = create_engine(db_url)
    with engine.connect() as connection:
        row = connection.execute(select(table)).mappings().first()
    engine.dispose()
    return row


def test_every_table_has_a_row_to_change(filled):
    assert {name for name, table in TABLES.items() if first(filled, table) is None} == set()


@pytest.mark.parametrize(("table", "column"), [said for said in SAID if said != ("student", "id")])
def test_a_change_of_any_value_changes_the_dump(filled, table, column):
    before, target = canonical_dump(filled), TABLES[table]
    row = first(filled, target)
    value = other(target.c[column], row[column])
    assert (
        changed_dump(filled, update(target).where(target.c.id == row["id"]).values({column: value})) != before
    )


@pytest.mark.parametrize("table", sorted(TABLES))
def test_a_row_less_changes_the_dump(course, table):
    release(course, with_another_cell())
    enter(course, scores={"test_double": 3.0})
    db_url, target = (
        f"sqlite:///{course.gradebook}",
        TABLES[table],
    )  # it lets a row that others need be deleted
    before = canonical_dump(db_url)
    gone = delete(target).where(target.c.id == first(db_url, target)["id"])
    assert changed_dump(db_url, gone) != before


def test_whose_a_grade_is_shows(course, database):
    enter(course, "ada", {"test_double": 3.0})
    enter(course, "ben", {"test_double": 1.5})
    one = canonical_dump(database)
    with Gradebook(database, "attention") as gradebook:
        ada, ben = (gradebook.find_grade("test_double", LESSON, LESSON, name) for name in ("ada", "ben"))
        ada.auto_score, ben.auto_score = ben.auto_score, ada.auto_score
        gradebook.db.commit()
    assert canonical_dump(database) != one


def test_a_gradebook_that_was_not_begun_says_nothing_and_is_not_made(course, postgresql):
    assert canonical_dump(f"sqlite:///{course.gradebook}") == ""
    assert not course.gradebook.exists()
    course.gradebook.touch()
    assert canonical_dump(f"sqlite:///{course.gradebook}") == ""
    assert canonical_dump(postgresql.new_database()) == ""


def test_order_and_row_ids_do_not_show(course, database, tmp_path):
    enter(course, "ada", {"test_double": 3.0})
    enter(course, "ben", {"test_double": 1.5})
    one = canonical_dump(database)
    with (course.root / "nbgrader_config.py").open("a") as settings:
        settings.write(f"c.CourseDirectory.db_url = 'sqlite:///{tmp_path}/other.db'\n")
    enter(course, "ben", {"test_double": 1.5})
    enter(course, "ada", {"test_double": 3.0})
    assert canonical_dump(f"sqlite:///{tmp_path}/other.db") == one
    assert nbformat.read(course.released(LESSON), as_version=4).metadata.kernelspec.name in one
