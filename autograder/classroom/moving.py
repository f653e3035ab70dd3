"""A gradebook copied into another database, table by table: from SQLite to PostgreSQL, or to a file."""

from __future__ import annotations

from nbgrader.api import Base
from sqlalchemy import Table, func, select
from sqlalchemy.engine import Connection

from autograder.classroom.database import Database, insert, is_missing
from autograder.classroom.schema import VERSION, prepare, recorded_version
from autograder.library import UserError

#: Rows that are held in memory at a time.
ROWS_AT_ONCE = 1000
#: nbgrader's own commands put a row into this one when they open a gradebook.
FILLED_BY_NBGRADER = "course"

Counts = dict[str, int]


def move(source_url: str, target_url: str) -> Counts:
    """Copy the gradebook at `source_url` into the empty database at `target_url`, all of it or nothing;
    gives back the number of rows by table. The source stays as it is.

    Raises UserError where there is no gradebook, where it is another version's, or where the target holds
    grades already.
    """
    if is_missing(source_url):
        raise UserError(
            f"there is no gradebook at {source_url}: expected the db_url of one that holds grades"
        )
    source, target = Database(source_url), Database(target_url)
    try:
        require_current(source)
        prepare(target)
        return source.snapshot(
            lambda reading: target.write_alone(lambda writing: _copy(reading, writing, target.place))
        )
    finally:
        source.close()
        target.close()


def require_current(source: Database) -> None:
    """Raises UserError when `source` is no gradebook of the nbgrader that is installed."""
    found = source.read(recorded_version)
    if found is None:
        raise UserError(f"{source.place} holds no gradebook: expected the db_url of one that holds grades")
    if found != VERSION:
        raise UserError(
            f"the gradebook {source.place} has tables of revision {found}, expected {VERSION}: "
            "run `nbgrader db upgrade` in the class's folder first"
        )


def _copy(reading: Connection, writing: Connection, place: str) -> Counts:
    tables = Base.metadata.sorted_tables
    for table in tables:
        if table.name != FILLED_BY_NBGRADER and _count(writing, table):
            raise UserError(f"{place} holds a gradebook already (table {table.name}): name an empty database")
    return {table.name: _copy_table(reading, writing, table) for table in tables}


def _count(connection: Connection, table: Table) -> int:
    found: int = connection.execute(select(func.count()).select_from(table)).scalar_one()
    return found


def _copy_table(reading: Connection, writing: Connection, table: Table) -> int:
    copied = 0
    adding = insert(writing.dialect.name, table)
    adding = adding.on_conflict_do_nothing() if table.name == FILLED_BY_NBGRADER else adding
    rows = reading.execute(select(table).execution_options(yield_per=ROWS_AT_ONCE)).mappings()
    for part in rows.partitions():
        writing.execute(adding, [dict(row) for row in part])
        copied += len(part)
    return copied
