"""A PostgreSQL server of the tests' own: made anew, reached by a socket only, gone afterwards."""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import psycopg

#: Everyone gets in as they are, but `locked_out`, who needs a password.
WHO_GETS_IN = "local all locked_out scram-sha-256\nlocal all all trust\n"
START_SECONDS = 60
PR_SET_PDEATHSIG = 1


class Server:
    """A server in a folder that is its alone. Start it, make databases in it, stop it."""

    def __init__(self, programs: Path, folder: Path, owner: dict[str, object]):
        self.folder = folder
        self._programs, self._owner = programs, owner
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0

    def url(self, database: str, user: str = "teacher") -> str:
        """What nbgrader calls db_url. `user` may be USER:PASSWORD."""
        return f"postgresql+psycopg://{user}@/{database}?host={self.folder}"

    def new_database(self) -> str:
        """The URL of a database with nothing in it."""
        self._databases += 1
        name = f"class{self._databases}"
        self.run(f"CREATE DATABASE {name}")
        return self.url(name)

    def run(self, *statements: str, database: str = "postgres") -> None:
        with psycopg.connect(
            host=str(self.folder), dbname=database, user="teacher", autocommit=True
        ) as connection:
            for statement in statements:
                connection.execute(statement)

    def make(self) -> None:
        words = ("-U", "teacher", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
        with self._log() as log:
            subprocess.run(
                [self._programs / "initdb", "-D", self.folder / "data", *words],
                check=True,
                cwd=self.folder,
                stdout=log,
                stderr=log,
                **self._owner,
            )
        (self.folder / "data" / "pg_hba.conf").write_text(WHO_GETS_IN)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = {"listen_addresses": "", "unix_socket_directories": self.folder, "fsync": "off"}
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with self._log() as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self.folder / "data", *words],
                cwd=self.folder,
                stdout=log,
                stderr=log,
                preexec_fn=_end_with_parent,
                **self._owner,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            told = (self.folder / "log").read_text()
            assert self._process.poll() is None, told
            assert time.monotonic() < deadline, told
            time.sleep(0.05)

    @property
    def runs(self) -> bool:
        return self._process is not None

    def stop(self) -> None:
        """Stop it as a crash would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(START_SECONDS)
            self._process = None

    def _answers(self) -> bool:
        try:
            self.run("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _log(self) -> IO[bytes]:
        return open(self.folder / "log", "ab")


@contextmanager
def running(programs: Path) -> Iterator[Server]:
    """A server that runs. Its folder is not one of pytest's: those are closed to the account that PostgreSQL
    must have where this one is root."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    server = Server(programs, folder, _owner(folder))
    try:
        server.make()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


def find_programs() -> Path | None:
    """The folder with PostgreSQL's programs, which Debian keeps off the PATH; None without any."""
    found = shutil.which("initdb")
    places = [Path(found).resolve().parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "postgres").exists()), None)


def _owner(folder: Path) -> dict[str, object]:
    """Who PostgreSQL runs as: it refuses to be root."""
    if os.geteuid():
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    account = names.get("postgres") or names["nobody"]
    os.chown(folder, account.pw_uid, account.pw_gid)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _end_with_parent() -> None:
    """Tests that are killed leave no server behind."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)
