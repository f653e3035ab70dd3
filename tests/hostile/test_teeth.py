"""The attacks that read files do find the secret where no sandbox holds them: the suite can fail."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from attacks import COURSE, LESSON

REPOSITORY = Path(__file__).parents[2]
PLANTED = "CANARY-planted-for-this-test"
RUN = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
for source in json.load(sys.stdin):
    shell.run_cell(source)
"""


@pytest.mark.parametrize(
    "name", ["solutions_by_absolute_path", "solutions_by_relative_path", "gradebook_read", "magics"]
)
def test_secret_is_found_without_a_sandbox(name: str, tmp_path: Path) -> None:
    for path in (tmp_path / "solutions" / "canary.txt", tmp_path / "gradebook.db"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(PLANTED)
    work = tmp_path / "work"
    work.mkdir()
    printed = subprocess.run(
        [sys.executable, "-c", RUN],
        input=json.dumps(own_cells(name, tmp_path)),
        cwd=work,
        env={**os.environ, "HOME": str(work), "IPYTHONDIR": str(work)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert PLANTED in printed.stdout


def own_cells(name: str, course: Path) -> list[str]:
    """The cells that hold the attack: the student's own, and the one exercise that it is in."""
    kept = REPOSITORY / "tests" / "submissions" / "hostile" / name / f"{LESSON}.ipynb"
    notebook = nbformat.reads(kept.read_text(encoding="utf-8").replace(COURSE, str(course)), as_version=4)
    wanted = ("dot_score", None)
    return [
        cell.source
        for cell in notebook.cells
        if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("grade_id") in wanted
    ]
