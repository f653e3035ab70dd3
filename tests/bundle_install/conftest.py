"""The student bundle as a new user has it: copied elsewhere, installed into an empty environment from which
the instructor's repository can't be read."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from autograder.authoring.bundle import bundle
from autograder.course import Course
from autograder.library import lesson_names

ROOT = Path(__file__).resolve().parents[2]
LESSONS = lesson_names(ROOT / "solutions")
RUNNER = "run_notebook.py"
WALL = Path(__file__).with_name("wall.py")
#: The Python to install for: another one than this by BUNDLE_PYTHON=/path/to/python.
PYTHON = os.environ.get("BUNDLE_PYTHON", sys.executable)
AT_ONCE = 2
SECONDS_PER_NOTEBOOK = 240


@dataclass(frozen=True)
class NewUser:
    """Someone's folder with the bundle, the environment that they installed it into, and an empty home."""

    bundle: Path
    environment: Path
    home: Path

    @property
    def python(self) -> Path:
        return self.environment / "bin" / "python"

    def released(self, lesson: str) -> Path:
        return self.bundle / "notebooks" / lesson / f"{lesson}.ipynb"

    def explained(self, lesson: str) -> Path:
        return self.bundle / "explained" / f"{lesson}.ipynb"

    def run(self, *arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run their Python. Of this process's environment it is told nothing."""
        environment = {
            "PATH": f"{self.environment / 'bin'}:/usr/bin:/bin",
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "OMP_NUM_THREADS": "1",
            "PRIVATE_REPOSITORY": str(ROOT),
        }
        return subprocess.run(
            [self.python, *arguments],
            env=environment,
            cwd=cwd or self.home,
            capture_output=True,
            text=True,
            timeout=SECONDS_PER_NOTEBOOK,
        )


@pytest.fixture(scope="session")
def new_user(tmp_path_factory: pytest.TempPathFactory) -> NewUser:
    """The self-study edition is installed: it is the plain one and a folder more."""
    folder = tmp_path_factory.mktemp("new_user")
    bundle(Course.find(ROOT), folder / "made", "owner/name", git=True, self_study=True)
    shutil.copytree(folder / "made", folder / "downloads" / "students")
    shutil.rmtree(folder / "made")
    (folder / "home").mkdir()
    shutil.copy(Path(__file__).with_name(RUNNER), folder / "home")
    user = NewUser(folder / "downloads" / "students", folder / "environment", folder / "home")
    _install(user)
    return user


def _install(user: NewUser) -> None:
    uv = Path(sys.executable).with_name("uv")
    outside = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    for command in (
        ["venv", "--quiet", "--python", PYTHON, user.environment],
        ["pip", "install", "--quiet", "--python", user.python, "--editable", "."],
    ):
        subprocess.run([uv, *command], check=True, env=outside, cwd=user.bundle)
    shutil.copyfile(WALL, next(user.environment.glob("lib/python*/site-packages")) / "sitecustomize.py")


@pytest.fixture(scope="session")
def solved(new_user: NewUser) -> NewUser:
    """The same user, in another folder, when every cell is written."""
    folder = new_user.bundle.with_name("solved")
    shutil.copytree(new_user.bundle / "notebooks", folder / "notebooks")
    user = NewUser(folder, new_user.environment, new_user.home)
    for lesson in LESSONS:
        _write_answers(user.released(lesson), new_user.explained(lesson))
    return user


def _write_answers(released: Path, explained: Path) -> None:
    answers = {cell["id"]: cell["source"] for cell in json.loads(explained.read_text())["cells"]}
    document = json.loads(released.read_text())
    for cell in document["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("solution"):
            cell["source"] = answers[cell["id"]]
    released.write_text(json.dumps(document))


@pytest.fixture(scope="session")
def executed(
    new_user: NewUser, solved: NewUser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[Path], dict[str, Any]]]:
    """What became of a notebook when it was run: all of them, two at a time, from the start."""
    results = tmp_path_factory.mktemp("executed")
    runs: dict[Path, Future[dict[str, Any]]] = {}

    def run(path: Path, *left_out: str) -> dict[str, Any]:
        result = results / f"{path.parent.parent.parent.name}-{path.parent.name}-{path.name}.json"
        done = new_user.run(new_user.home / RUNNER, path, result, *left_out, cwd=path.parent)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(result.read_text())
        return found

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for lesson in LESSONS:
            runs[new_user.released(lesson)] = pool.submit(run, new_user.released(lesson))
            # the explained edition has the same experiments on the same functions
            runs[solved.released(lesson)] = pool.submit(run, solved.released(lesson), "experiment")
            runs[new_user.explained(lesson)] = pool.submit(run, new_user.explained(lesson))
        yield lambda path: runs[path].result()
