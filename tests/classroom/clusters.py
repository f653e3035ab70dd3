"""Clusters for tests: a scheduler and workers that are programs of their own, or threads of this process."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
from distributed import LocalCluster
from processes import alive, descendants, wait_until

LOOPBACK = "127.0.0.1"


class Programs:
    """A scheduler and its workers, started in a folder that has nothing to do with any class."""

    def __init__(self, folder: Path, **environment: str):
        self.folder = folder
        self.temporary = folder / "temporary"
        self.temporary.mkdir(parents=True)
        self._environment = {**os.environ, "TMPDIR": str(self.temporary), **environment}
        self._started: list[subprocess.Popen] = []

    def scheduler(self, *options: str) -> str:
        """Start a scheduler; its address."""
        told = self.folder / "scheduler.json"
        quiet = ["--no-dashboard", "--dashboard-address", f"{LOOPBACK}:0"]
        self.run(
            "scheduler", "--host", LOOPBACK, "--port", "0", "--scheduler-file", str(told), *quiet, *options
        )
        wait_until(lambda: _address(told) is not None)
        return _address(told)

    def worker(self, address: str, *options: str, **environment: str) -> subprocess.Popen:
        return self.run("worker", address, "--nthreads", "1", "--no-dashboard", *options, **environment)

    def run(self, *arguments: str, **environment: str) -> subprocess.Popen:
        """Start a program of dask's; what it says is in a log of its own."""
        with open(self.folder / f"{len(self._started)}.log", "wb") as log:
            program = subprocess.Popen(
                [sys.executable, "-m", "dask", *arguments],
                cwd=self.folder,
                env={**self._environment, **environment},
                stdout=log,
                stderr=log,
            )
        self._started.append(program)
        return program

    def close(self) -> None:
        family = {pid for program in self._started for pid in descendants(program.pid)}
        for pid in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for program in self._started:
            program.wait()
        wait_until(lambda: not any(map(alive, family)))


def _address(told: Path) -> str | None:
    try:
        return json.loads(told.read_text())["address"]
    except (OSError, ValueError):  # not there yet, or half written
        return None


@contextlib.contextmanager
def in_this_process(workers: int = 1, threads: int = 1, **options) -> Iterator[LocalCluster]:
    """A cluster whose workers are threads, so that a test can replace the grader."""
    with LocalCluster(
        n_workers=workers,
        threads_per_worker=threads,
        processes=False,
        dashboard_address=None,
        scheduler_kwargs={"dashboard_address": f"{LOOPBACK}:0"},
        silence_logs=logging.CRITICAL,
        **options,
    ) as made:
        yield made


def listening(pid: int) -> set[str]:
    """The addresses at which a process and those below it take connections."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return {
        connection.laddr.ip
        for process in family
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
