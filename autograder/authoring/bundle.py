"""`autograder bundle DIR`: the repository that students get.

It holds the released notebooks, the student library and what it takes to run them. It is made beside
its destination, proved by the leak check as it lies on disk, and put in place whole.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from autograder import library as libraries
from autograder.authoring import leaks
from autograder.authoring.build import build
from autograder.course import Course
from autograder.files import writing
from autograder.library import UserError

#: Taken as they are, where the course has them.
_COPIED = ("LICENSE", "LICENSE-PROSE", "NOTICE", "environment.yml")
_PYTHON = ">=3.11"
_DEPENDENCIES = ["numpy>=2.0", "matplotlib>=3.9", "jupyterlab>=4.4"]


def bundle(course: Course, destination: Path) -> list[Path]:
    """Write the student repository to `destination` and give back its files, relative to it.

    Raises UserError when `destination` holds something already or lies in a folder that is bundled
    itself, StaleBuild when the build is not what the sources give, Leak when a file would give
    an answer away, and CantWrite where the system refuses. Then nothing is written.
    """
    destination = destination.resolve()
    _require_free(course, destination)
    build(course, check=True)
    with writing(destination):
        destination.parent.mkdir(parents=True, exist_ok=True)
        # In the same folder, so that putting it in place is one rename.
        work = Path(tempfile.mkdtemp(dir=destination.parent, prefix=f".{destination.name}."))
        try:
            fill(course, work)
            check_folder(course, work)
            work.chmod(0o755)
            os.replace(work, destination)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return [path.relative_to(destination) for path in leaks.files_below(destination)]


def check_folder(course: Course, folder: Path) -> None:
    """Raise Leak when anything below `folder` gives away what is in the course's solutions."""
    loaded = [libraries.load(course.solutions, lesson) for lesson in libraries.lesson_names(course.solutions)]
    texts = {str(path.relative_to(folder)): text for path, text in leaks.texts_below(folder).items()}
    misplaced = _misplaced(course, folder)
    if misplaced:
        raise leaks.Leak("not for students: " + ", ".join(misplaced))
    leaks.require_none(loaded, texts, folder / course.library_dir.name)


def _misplaced(course: Course, folder: Path) -> list[str]:
    """Files that are the same as one of the hidden ones, or hold the course's secret."""
    hidden = {path.read_bytes() for path in leaks.files_below(course.solutions)} - {b""}
    secret_file = course.root / ".course_secret"
    secret = secret_file.read_bytes().strip() if secret_file.is_file() else b""
    return [
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        for content in [path.read_bytes()]
        if content in hidden or (secret and secret in content)
    ]


def _require_free(course: Course, destination: Path) -> None:
    if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
        raise UserError(f"{destination} is not an empty folder: name one that is empty or does not exist")
    for source in (course.notebooks, course.library_dir, course.solutions):
        if destination.is_relative_to(source.resolve()):
            raise UserError(
                f"{destination} lies in {source}, which the bundle is made from: name another folder"
            )


def fill(course: Course, folder: Path) -> None:
    """Write the bundle's files into the empty `folder`: the same course gives the same bytes."""
    lessons = libraries.lesson_names(course.solutions)
    for lesson in lessons:
        _copy(course.released(lesson), folder / "notebooks" / lesson / f"{lesson}.ipynb")
    for path in leaks.files_below(course.library_dir):
        inside = Path(course.library_dir.name) / path.relative_to(course.library_dir)
        _copy(path, folder / inside)
    for name in _COPIED:
        if (course.home / name).is_file():
            _copy(course.home / name, folder / name)
    titles = {lesson: _title(course.released(lesson)) for lesson in lessons}
    written = {
        "README.md": _readme(course, titles),
        "pyproject.toml": _pyproject(course),
        ".gitignore": "__pycache__/\n.ipynb_checkpoints/\n*.egg-info/\n.venv/\n",
    }
    for name, text in written.items():
        (folder / name).write_text(text, encoding="utf-8")


def _copy(source: Path, destination: Path) -> None:
    destination.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, destination)


def _title(notebook: Path) -> str:
    """The first heading of a released notebook."""
    document = json.loads(notebook.read_text(encoding="utf-8"))
    lines = (line for cell in document["cells"] for line in "".join(cell["source"]).splitlines())
    return next((line.lstrip("# ").strip() for line in lines if line.startswith("#")), notebook.stem)


def _project(course: Course) -> dict[str, Any]:
    """The course's own project table, as far as it has one."""
    path = course.home / "pyproject.toml"
    table: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    project: dict[str, Any] = table.get("project", {})
    return project


def _pyproject(course: Course) -> str:
    project = _project(course)
    dependencies = "".join(f'    "{package}",\n' for package in project.get("dependencies", _DEPENDENCIES))
    return (
        '[build-system]\nrequires = ["hatchling>=1.27"]\nbuild-backend = "hatchling.build"\n\n'
        f'[project]\nname = "{project.get("name", "course")}-student"\n'
        f'version = "{project.get("version", "0.1.0")}"\n'
        f'description = "Notebooks and library for students"\n'
        f'requires-python = "{project.get("requires-python", _PYTHON)}"\n'
        f"dependencies = [\n{dependencies}]\n\n"
        f'[tool.hatch.build.targets.wheel]\npackages = ["{course.library_dir.name}"]\n'
    )


def _readme(course: Course, titles: dict[str, str]) -> str:
    rows = [
        f"| [{title}](notebooks/{lesson}/{lesson}.ipynb) | `{lesson}` |" for lesson, title in titles.items()
    ]
    return f"""# Attention in NumPy: notebooks

You write attention yourself, function by function, in NumPy. Each notebook explains one step, asks you
to predict before you run, and checks what you wrote.

## Set up

With conda:

    conda env create -f environment.yml
    conda activate attention-course
    jupyter lab notebooks

With Python {_project(course).get("requires-python", _PYTHON).lstrip(">=")} or later alone:

    python -m venv .venv
    .venv/bin/pip install -e .
    .venv/bin/jupyter lab notebooks

On Windows the last two begin with `.venv\\Scripts\\` in place of `.venv/bin/`.

## Lessons

| lesson | folder |
|---|---|
{chr(10).join(rows)}

## How to work

Write your solution where a cell says `YOUR CODE HERE`, then run the `check(...)` cell below it. The
check tries examples that you can read, works offline, and says what is off: a shape, a value, an input
that was changed. Your grade comes from other inputs as well, so a function that knows the examples by
heart passes the check and nothing else.

A question's check tells whether your answer has the right form. Whether it is right, you learn once you
have handed in. Cells without `YOUR CODE HERE` are provided: change them as you like to try things out,
they are put back before grading.

A cell with `bring(...)` writes a function of yours from an earlier lesson's notebook into itself; keep the
notebooks where they are, so that it finds them. Pictures that need a function say so until it is there.

Hand in the notebook under the name that it has.
"""
