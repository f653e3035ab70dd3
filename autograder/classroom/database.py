"""The database behind the gradebook, as nbgrader's `db_url` names it: SQLite or PostgreSQL.

Others use it at the same time: a second grader, the formgrader, a person with a database browser. Work
that meets a lock begins again until it gets through or `PATIENCE_SECONDS` are over, so work must bear
being done twice. Whatever the database refuses becomes a UserError of one line.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Table, create_engine
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from autograder.classroom.refusals import passes, refusal
from autograder.library import UserError

#: How long to try where somebody else holds a lock; `?timeout=SECONDS` in an SQLite db_url says otherwise.
PATIENCE_SECONDS = 30.0
#: How long the database itself waits for a lock, each time: no longer, so that Ctrl-C gets through.
ATTEMPT_SECONDS = 1.0
PAUSE_SECONDS = 0.02

#: Whose errors this program can read, by database.
DRIVERS = {"sqlite": ("pysqlite",), "postgresql": ("psycopg", "psycopg2")}
#: What begins work that writes. SQLite: the write lock comes first, since two who read and then both want
#: to write would wait for each other.
BEGIN = {
    "sqlite": ("BEGIN IMMEDIATE",),
    "postgresql": (f"SET LOCAL lock_timeout = {ATTEMPT_SECONDS * 1000:.0f}",),
}
#: What else begins work that nobody else may do at the same time; the number is this project's own.
BEGIN_ALONE = {"sqlite": (), "postgresql": ("SELECT pg_advisory_xact_lock(5135467102)",)}
#: What begins work that sees the database at one moment, whoever writes meanwhile.
BEGIN_SNAPSHOT = {
    "sqlite": ("BEGIN",),
    "postgresql": ("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",),
}

T = TypeVar("T")
Work = Callable[[Connection], T]


class Database:
    """An open database. Raises UserError where `url` names none, and wherever the database refuses."""

    def __init__(self, url: str):
        self._url = parsed(url)
        self._kind = self._url.get_backend_name()
        self._patience = _patience(self._url)
        self._engine = _engine(self._url, min(ATTEMPT_SECONDS, self._patience))

    def close(self) -> None:
        self._engine.dispose()

    def read(self, work: Work[T]) -> T:
        """What `work` makes of the database."""
        return self._patiently(work, ())

    def snapshot(self, work: Work[T]) -> T:
        """The same for work that asks several times and wants answers that fit together."""
        return self._patiently(work, BEGIN_SNAPSHOT[self._kind])

    def write(self, work: Work[T]) -> T:
        """Do `work` in one transaction: all of it is there afterwards, or nothing."""
        return self._patiently(work, BEGIN[self._kind])

    def write_alone(self, work: Work[T]) -> T:
        """The same for work that two graders must not do at once."""
        return self._patiently(work, BEGIN[self._kind] + BEGIN_ALONE[self._kind])

    def _patiently(self, work: Work[T], begin: tuple[str, ...]) -> T:
        deadline = time.monotonic() + self._patience
        lost = False
        while True:
            try:
                return self._once(work, begin)
            except DBAPIError as error:
                # a server that is started anew refuses connections before it takes them
                lost = lost or bool(error.connection_invalidated)
                if not (lost or passes(error)) or time.monotonic() > deadline:
                    raise refusal(error, self.place, self._patience) from error
            time.sleep(PAUSE_SECONDS)

    def _once(self, work: Work[T], begin: tuple[str, ...]) -> T:
        with self._engine.connect() as connection:
            for statement in begin:
                connection.exec_driver_sql(statement)
            done = work(connection)
            connection.commit()
        return done

    @property
    def place(self) -> str:
        """What to call the database in a message: no password."""
        if self._kind == "sqlite":
            return str(self._url.database)
        return str(self._url.difference_update_query(["password"]).render_as_string(hide_password=True))


def parsed(url: str) -> URL:
    """An nbgrader `db_url` in its parts. Raises UserError for one that can't be a gradebook's."""
    try:
        found = make_url(url)
    except ArgumentError as error:
        raise UserError(f"c.CourseDirectory.db_url is no URL: expected {_EXPECTED}") from error
    drivers = DRIVERS.get(found.get_backend_name())
    if drivers is None or found.get_driver_name() not in drivers:
        raise UserError(f"c.CourseDirectory.db_url begins with {found.drivername}: expected {_EXPECTED}")
    if found.get_backend_name() == "sqlite" and found.database in (None, "", ":memory:"):
        raise UserError("c.CourseDirectory.db_url names no file, so every grade would be lost at once")
    return found


def is_missing(url: str) -> bool:
    """Whether `url` names an SQLite file that is not there yet."""
    found = parsed(url)
    return found.get_backend_name() == "sqlite" and not Path(found.database).exists()


def insert(dialect: str, table: Table) -> Any:
    """An INSERT that knows ON CONFLICT, which SQLAlchemy has for each database apart."""
    return {"sqlite": sqlite.insert, "postgresql": postgresql.insert}[dialect](table)


_EXPECTED = "sqlite:///FILE or postgresql+psycopg://USER@HOST/DATABASE"


def _patience(url: URL) -> float:
    if url.get_backend_name() != "sqlite":
        return PATIENCE_SECONDS
    asked = url.query.get("timeout", PATIENCE_SECONDS)
    try:
        return float(asked)
    except (TypeError, ValueError) as error:
        raise UserError(f"c.CourseDirectory.db_url has timeout={asked}, expected seconds") from error


def _engine(url: URL, attempt_seconds: float) -> Engine:
    sqlite_options, server_options = {"timeout": attempt_seconds}, {"client_encoding": "utf8"}
    options = sqlite_options if url.get_backend_name() == "sqlite" else server_options
    try:
        return create_engine(url, connect_args=options)
    except ModuleNotFoundError as error:
        raise UserError(
            f"a gradebook at {url.drivername}:// needs the package {error.name}, which is not installed: "
            "for postgresql+psycopg:// it comes with `pip install 'psycopg[binary]'`"
        ) from error
