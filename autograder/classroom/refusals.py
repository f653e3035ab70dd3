"""What a database says when it refuses, in words that a person can act on."""

from __future__ import annotations

from typing import Any

from sqlalchemy.exc import DBAPIError

from autograder.library import UserError

MAX_REASON_CHARACTERS = 300
RUN_AGAIN = "What is recorded stays: the same command goes on from here"

#: What is wrong, and what to do about it.
Reason = tuple[str, str]
LOCKED: Reason = (
    "has been locked by another program for {seconds:g} seconds",
    "close what holds it, such as a database browser with unsaved changes or a suspended run",
)
READ_ONLY: Reason = ("can't be written", "make the file and its folder writable for you")
FULL: Reason = ("has no room left on its disk", "make some")
UNKNOWN: Reason = ("can't be used", "mend what it says")
#: A connection that was refused has no code.
UNREACHABLE: Reason = (
    "can't be reached",
    "see that the server runs, and that user, password and database are right in c.CourseDirectory.db_url",
)

#: By SQLite's names for its errors, which may go on after another underscore.
SQLITE: dict[str, Reason] = {
    "SQLITE_BUSY": LOCKED,
    "SQLITE_LOCKED": LOCKED,
    "SQLITE_READONLY": READ_ONLY,
    "SQLITE_PERM": READ_ONLY,
    "SQLITE_FULL": FULL,
    "SQLITE_IOERR": ("can't be read or written", "see that its disk is there and has room"),
    "SQLITE_CANTOPEN": ("can't be opened", "its folder must be there and writable for you"),
    "SQLITE_CORRUPT": ("is damaged", "restore it from your backup"),
    "SQLITE_NOTADB": (
        "is no SQLite database",
        "restore it from your backup, or move it away to grade all again into a new one",
    ),
}
#: By PostgreSQL's codes ("PostgreSQL Error Codes" in its manual).
POSTGRESQL: dict[str, Reason] = {
    "55P03": LOCKED,
    "25006": ("can't be written, its server being read-only", "name the one that takes writes in db_url"),
    "42501": ("refuses the user that db_url names", "give it the right to make tables and write them"),
    "53100": FULL,
}
#: What passes by itself: a lock, a deadlock, two changes of one row, a server that is starting.
PASSING = {"SQLITE_BUSY", "SQLITE_LOCKED", "55P03", "40P01", "40001", "57P03"}


def passes(error: DBAPIError) -> bool:
    """Whether the same work may go through when it is done again."""
    return code(error.orig) in PASSING


def refusal(error: DBAPIError, place: str, seconds: float) -> UserError:
    """The error for the person who grades into the database `place`, after `seconds` of trying."""
    what, advice = _reason(code(error.orig))
    said = " ".join(str(error.orig).split())[:MAX_REASON_CHARACTERS]
    return UserError(f"the gradebook {place} {what.format(seconds=seconds)} ({said}): {advice}. {RUN_AGAIN}")


def code(refused: Any) -> str:
    """SQLite's name for an error, up to its second underscore, or PostgreSQL's code; empty without either."""
    if name := getattr(refused, "sqlite_errorname", None):
        return "_".join(name.split("_")[:2])
    return getattr(refused, "sqlstate", None) or getattr(refused, "pgcode", None) or ""


def _reason(found: str) -> Reason:
    return (SQLITE | POSTGRESQL).get(found, UNKNOWN) if found else UNREACHABLE
