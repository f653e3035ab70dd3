"""From the bundle alone each lesson opens, runs and checks: as it comes, and when all answers are written."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import LESSONS, ROOT, NewUser

Executed = Callable[[Path], dict[str, Any]]

lessons = pytest.mark.parametrize("lesson", LESSONS)


def code_cells(path: Path) -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = json.loads(path.read_text())["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def is_solution(cell: dict[str, Any]) -> bool:
    return bool(cell["metadata"].get("nbgrader", {}).get("solution"))


def own_cells(path: Path) -> set[str]:
    """The cells that are the student's to write, or that bring what is."""
    return {
        cell["id"]
        for cell in code_cells(path)
        if is_solution(cell) or "brought" in cell["metadata"].get("tags", ())
    }


def is_question(cell: dict[str, Any]) -> bool:
    return "question" in cell["metadata"].get("tags", ())


def checks(path: Path) -> dict[str, str]:
    """What each check of a solved notebook has to say, by its cell."""
    said = {}
    for cell in filter(is_solution, code_cells(path)):
        answered = "answered. Whether it is right is known after handing in."
        said[f"test_{cell['id']}"] = f"{cell['id']}: {answered if is_question(cell) else 'right on '}"
    return said


def test_the_repository_is_behind_a_wall(new_user: NewUser) -> None:
    """Else the other tests would not show that the bundle stands alone."""
    for code in (f"open({str(ROOT / 'README.md')!r})", f"import os; os.listdir({str(ROOT / 'solutions')!r})"):
        done = new_user.run("-c", code)
        assert "is in the private repository" in done.stderr


def test_nothing_but_the_bundle_and_what_it_needs_is_installed(new_user: NewUser) -> None:
    done = new_user.run("-c", "import autograder")
    assert "No module named 'autograder'" in done.stderr


@lessons
def test_the_library_is_the_bundles_own(new_user: NewUser, executed: Executed, lesson: str) -> None:
    run = executed(new_user.released(lesson))
    assert Path(run["library"]) == new_user.bundle / "attention_lib" / "__init__.py"
    assert [file for file in run["files"] if Path(file).is_relative_to(ROOT)] == []


@lessons
def test_as_it_comes_only_what_is_to_be_written_is_missing(
    new_user: NewUser, executed: Executed, lesson: str
) -> None:
    path = new_user.released(lesson)
    errors, own = executed(path)["errors"], own_cells(path)
    assert errors.keys() - own - {f"test_{name}" for name in own} == set()
    asked = {f"test_{cell['id']}" for cell in filter(is_solution, code_cells(path))}
    assert asked <= errors.keys()
    assert all("not written yet" in errors[name] or "not answered yet" in errors[name] for name in asked)


@lessons
def test_when_all_is_written_every_check_passes(solved: NewUser, executed: Executed, lesson: str) -> None:
    """Functions of earlier lessons are brought from the notebooks beside it."""
    path = solved.released(lesson)
    run = executed(path)
    assert run["errors"] == {}
    said = checks(path)
    assert {name: run["printed"][name][: len(start)] for name, start in said.items()} == said


@lessons
def test_the_explained_edition_runs_and_its_checks_pass(
    new_user: NewUser, executed: Executed, lesson: str
) -> None:
    run = executed(new_user.explained(lesson))
    assert run["errors"] == {}
    said = checks(new_user.released(lesson))
    assert {name: run["printed"][name][: len(start)] for name, start in said.items()} == said


def test_nothing_is_written_outside_the_users_home_and_notebooks(
    new_user: NewUser, executed: Executed
) -> None:
    for lesson in LESSONS:
        executed(new_user.released(lesson))
    listed = subprocess.run(
        ["git", "-C", new_user.bundle, "status", "--porcelain", "--ignored"], check=True, capture_output=True
    )
    assert listed.stdout.decode().splitlines() == ["!! attention_lib/__pycache__/"]
