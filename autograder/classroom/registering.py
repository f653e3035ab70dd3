"""A released lesson's rows in the gradebook, as `nbgrader generate_assignment` would have written them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from nbformat import NotebookNode
from nbgrader.api import (
    Assignment,
    BaseCell,
    Course,
    GradeCell,
    Notebook,
    SolutionCell,
    SourceCell,
    SubmittedNotebook,
    TaskCell,
)
from nbgrader.utils import is_grade, is_locked, is_solution, is_task
from sqlalchemy import Table, delete, exists, select
from sqlalchemy.engine import Connection

from autograder.classroom.database import insert
from autograder.library import UserError

COURSE, ASSIGNMENT, NOTEBOOK = Course.__table__, Assignment.__table__, Notebook.__table__
CELL, SOURCE = BaseCell.__table__, SourceCell.__table__
#: nbgrader keeps a cell in two tables: what all kinds have, and what its kind has besides.
KINDS = {kind.__name__: kind.__table__ for kind in (GradeCell, SolutionCell, TaskCell)}

Row = dict[str, Any]


def is_registered(connection: Connection, lesson: str, released: NotebookNode) -> bool:
    """Whether the gradebook holds just these cells; a checksum covers source, points and kind."""
    query = (
        select(SOURCE.c.name, SOURCE.c.checksum)
        .join(NOTEBOOK, SOURCE.c.notebook_id == NOTEBOOK.c.id)
        .join(ASSIGNMENT, NOTEBOOK.c.assignment_id == ASSIGNMENT.c.id)
        .where(NOTEBOOK.c.name == lesson, ASSIGNMENT.c.name == lesson)
    )
    known = {row.name: row.checksum for row in connection.execute(query)}
    return bool(known) and known == {row["name"]: row["checksum"] for row in _sources(released)}


def register(connection: Connection, course_id: str, lesson: str, released: NotebookNode) -> None:
    """Enter the lesson's assignment, notebook and cells; cells that are there already keep their rows.

    Raises UserError when cells came or went and submissions were already recorded.
    """
    if is_registered(connection, lesson, released):
        return  # another grader was here first
    notebook = _notebook(connection, course_id, lesson)
    if not connection.scalar(select(exists().where(SubmittedNotebook.notebook_id == notebook))):
        _drop_other_cells(connection, notebook, released)
        kernel = json.dumps(released.metadata.get("kernelspec", {}))
        connection.execute(NOTEBOOK.update().where(NOTEBOOK.c.id == notebook).values(kernelspec=kernel))
    elif not _has_same_cells(connection, notebook, released):
        raise UserError(
            f"{lesson}: cells were added or removed since submissions were recorded. Build the notebook "
            "that the class was given, or grade this class in a folder of its own (--course DIR)"
        )
    _write_cells(connection, notebook, released)


def _notebook(connection: Connection, course_id: str, lesson: str) -> str:
    """The id of the lesson's notebook, which is made where it is not there, with its assignment."""
    _add(connection, COURSE, [{"id": course_id}])
    _add(connection, ASSIGNMENT, [{"name": lesson, "course_id": course_id}])
    assignment = connection.scalar(select(ASSIGNMENT.c.id).where(ASSIGNMENT.c.name == lesson))
    _add(connection, NOTEBOOK, [{"name": lesson, "assignment_id": assignment}])
    found: str = connection.execute(
        select(NOTEBOOK.c.id).where(NOTEBOOK.c.name == lesson, NOTEBOOK.c.assignment_id == assignment)
    ).scalar_one()
    return found


def _has_same_cells(connection: Connection, notebook: str, released: NotebookNode) -> bool:
    sources = select(SOURCE.c.name).where(SOURCE.c.notebook_id == notebook)
    return set(_cell_ids(connection, notebook)) == {_key(row) for row, _ in _cells(released)} and set(
        connection.scalars(sources)
    ) == {row["name"] for row in _sources(released)}


def _drop_other_cells(connection: Connection, notebook: str, released: NotebookNode) -> None:
    """Take out what the lesson no longer has. The other rows stay: another grader may know their ids."""
    wanted = {_key(row) for row, _ in _cells(released)}
    gone = [row_id for key, row_id in _cell_ids(connection, notebook).items() if key not in wanted]
    for table in (*KINDS.values(), CELL):
        connection.execute(delete(table).where(table.c.id.in_(gone)))
    sources = [row["name"] for row in _sources(released)]
    connection.execute(delete(SOURCE).where(SOURCE.c.notebook_id == notebook, SOURCE.c.name.not_in(sources)))


def _write_cells(connection: Connection, notebook: str, released: NotebookNode) -> None:
    cells = list(_cells(released))
    _add(connection, CELL, [{**row, "notebook_id": notebook} for row, _ in cells])
    ids = _cell_ids(connection, notebook)
    for kind, table in KINDS.items():
        rows = [{"id": ids[_key(row)], **more} for row, more in cells if row["type"] == kind]
        _add_or_change(connection, table, rows, ("id",))
    sources = [{**row, "notebook_id": notebook} for row in _sources(released)]
    _add_or_change(connection, SOURCE, sources, ("name", "notebook_id"))


def _cells(released: NotebookNode) -> Iterator[tuple[Row, Row]]:
    """What nbgrader's SaveCells takes from a notebook: for each role of a cell its row in the table of all
    kinds, and what it adds in the table of its kind."""
    roles = ((GradeCell, is_grade), (SolutionCell, is_solution), (TaskCell, is_task))
    for cell in released.cells:
        for kind, has_role in roles:
            if has_role(cell):
                row = {"type": kind.__name__, "name": cell.metadata.nbgrader["grade_id"]}
                yield row, {} if kind is SolutionCell else _points(cell)


def _points(cell: NotebookNode) -> Row:
    return {"max_score": float(cell.metadata.nbgrader["points"]), "cell_type": cell.cell_type}


def _sources(released: NotebookNode) -> list[Row]:
    return [
        {
            "name": cell.metadata.nbgrader["grade_id"],
            "cell_type": cell.cell_type,
            "locked": is_locked(cell),
            "source": cell.source,
            "checksum": cell.metadata.nbgrader.get("checksum"),
        }
        for cell in released.cells
        if is_grade(cell) or is_solution(cell) or is_locked(cell) or is_task(cell)
    ]


def _key(row: Row) -> tuple[str, str]:
    return row["type"], row["name"]


def _cell_ids(connection: Connection, notebook: str) -> dict[tuple[str, str], str]:
    rows = connection.execute(
        select(CELL.c.type, CELL.c.name, CELL.c.id).where(CELL.c.notebook_id == notebook)
    )
    return {(kind, name): row_id for kind, name, row_id in rows}


def _add(connection: Connection, table: Table, rows: list[Row]) -> None:
    if rows:
        connection.execute(insert(connection.dialect.name, table).on_conflict_do_nothing(), rows)


def _add_or_change(connection: Connection, table: Table, rows: list[Row], key: tuple[str, ...]) -> None:
    if rows:
        adding = insert(connection.dialect.name, table)
        changed = {name: adding.excluded[name] for name in rows[0] if name not in key}
        how = (
            adding.on_conflict_do_update(index_elements=key, set_=changed)
            if changed
            else adding.on_conflict_do_nothing()
        )
        connection.execute(how, rows)
