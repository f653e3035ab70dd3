"""nbgrader's tables: made where there are none, and known to be those of this nbgrader where there are."""

from __future__ import annotations

import nbgrader.api
from nbgrader import __version__ as NBGRADER
from nbgrader.api import Base
from nbgrader.dbutil import ALEMBIC_DIR
from sqlalchemy import Column, MetaData, String, Table, inspect, select
from sqlalchemy.engine import Connection

from autograder.classroom.database import Database
from autograder.library import UserError

#: The revision of nbgrader 0.9.6's tables. Asking alembic takes 0.1 s, and nbgrader, which starts it as a
#: program of its own, 2 s; a test compares.
VERSION = "e43177bfe90b"
#: As `Gradebook.__init__` makes it.
VERSIONS = Table("alembic_version", MetaData(), Column("version_num", String(32), nullable=False))


def _version() -> str:
    return VERSION


nbgrader.api.get_alembic_version = _version


def prepare(database: Database) -> None:
    """Make nbgrader's tables, all or none, where they are missing.

    Raises UserError when they are there, but another version's, and when the database can't hold every name.
    """
    encoding = database.read(_encoding)
    if encoding != "UTF8":
        raise UserError(
            f"the gradebook {database.place} has encoding {encoding}, expected UTF8, which holds every "
            "student's name: make the database with ENCODING 'UTF8' TEMPLATE template0"
        )
    if database.read(recorded_version) != VERSION:
        database.write_alone(lambda connection: _prepare(connection, database.place))


def recorded_version(connection: Connection) -> str | None:
    """The revision that the database says its tables have, None where it says nothing."""
    if not inspect(connection).has_table(VERSIONS.name):
        return None
    found: str | None = connection.scalar(select(VERSIONS.c.version_num))
    return found


def _encoding(connection: Connection) -> str:
    """SQLite's is always one of Unicode's."""
    if connection.dialect.name == "sqlite":
        return "UTF8"
    found: str = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
    return found


def _prepare(connection: Connection, place: str) -> None:
    found = recorded_version(connection)
    if found == VERSION:
        return  # another grader has made them meanwhile
    if found is not None:
        raise UserError(_other_version(found, place))
    Base.metadata.create_all(connection)
    if lacking := _missing_columns(connection):
        raise UserError(
            f"the gradebook {place} has no column {lacking[0]}: an older nbgrader made it. "
            "Run `nbgrader db upgrade` in the class's folder"
        )
    # a gradebook of nbgrader's that was killed while it was made has tables and no version
    VERSIONS.create(connection, checkfirst=True)
    connection.execute(VERSIONS.insert(), {"version_num": VERSION})


def _missing_columns(connection: Connection) -> list[str]:
    inspector = inspect(connection)
    return [
        f"{table.name}.{column.name}"
        for table in Base.metadata.sorted_tables
        for known in [{found["name"] for found in inspector.get_columns(table.name)}]
        for column in table.columns
        if column.name not in known
    ]


def _other_version(found: str, place: str) -> str:
    from alembic.script import ScriptDirectory

    revisions = {script.revision for script in ScriptDirectory(ALEMBIC_DIR).walk_revisions()}
    if found in revisions:
        return (
            f"the gradebook {place} was made by an older nbgrader (its tables have revision {found}, "
            f"nbgrader {NBGRADER} wants {VERSION}): run `nbgrader db upgrade` in the class's folder"
        )
    return (
        f"the gradebook {place} was made by another program or a newer nbgrader (its tables have revision "
        f"{found}, nbgrader {NBGRADER} knows {VERSION}): grade with that one, or name another db_url"
    )
