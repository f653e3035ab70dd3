"""A server on Binder is thrown away. What a student wrote survives it: in the browser, and as a download.

A server that is killed, and a new one on an untouched copy of the bundle, stand for Binder here; its own
start of a server is not tried.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browser import lab
from browser.environments import NAMES, REPOSITORY
from playwright.sync_api import Page
from sample_class.handed_in import HandedIn

LESSON = "01_dot_product_similarity"
SAVED = "def dot_score(x_i, x_j):\n    return x_i @ x_j"
LATER = "def dot_score(x_i, x_j):\n    return np.dot(x_i, x_j)"
UNTOUCHED = "raise NotImplementedError"
TO_BROWSER, FROM_BROWSER = "Save to browser storage", "Restore from browser storage"


@pytest.fixture(params=NAMES)
def server(request: pytest.FixtureRequest, student_bundle: Path, tmp_path: Path) -> Iterator[lab.Server]:
    """A server such as Binder's."""
    shutil.copytree(student_bundle, tmp_path / "course")
    with lab.serving(request.param, tmp_path / "course", tmp_path / "home", lab.ON_BINDER) as running:
        yield running


def test_work_outlives_the_server(
    server: lab.Server,
    student_bundle: Path,
    new_page: Callable[[], Page],
    keep: Callable[..., Path],
    tmp_path: Path,
) -> None:
    """The first cell says that the server forgets. What is saved in the browser, even after the server's end,
    comes back on a new one; and the downloaded file, before and after, gets its points."""
    page = new_page()
    lab.open_lesson(page, server, LESSON)
    notice = lab.run(page, "import numpy as np").get_by_text("This server forgets.")
    notice.wait_for()
    keep(f"keeping-{server.name}-notice", page, around=notice)

    lab.write(page, "def dot_score", SAVED)
    lab.press(page, TO_BROWSER)
    lab.answer(page, "saved to browser storage", "Ok")

    server.kill()
    lab.answer(page, "Server Connection Error", "Close")
    lab.write(page, "def dot_score", LATER)
    lab.press(page, TO_BROWSER)
    lab.answer(page, "saved to browser storage", "Ok")
    downloaded = download(page, tmp_path / "handed_in")

    shutil.copytree(student_bundle, server.bundle, dirs_exist_ok=True)
    server.start()
    again = page.context.new_page()
    page.close()
    lab.open_lesson(again, server, LESSON)
    assert UNTOUCHED in lab.source(again, "def dot_score")
    lab.press(again, FROM_BROWSER)
    lab.answer(again, "replace your current notebook", "OK")
    lab.cell(again, "return np.dot").wait_for()
    assert lab.source(again, "def dot_score").strip() == LATER
    keep(f"keeping-{server.name}-restored", again, around=lab.cell(again, "def dot_score"))
    restored = download(again, tmp_path / "restored")

    for file in (downloaded, restored):
        assert file.name == f"{LESSON}.ipynb"
        assert same_but_for_the_answer(file, student_bundle / "notebooks" / LESSON / file.name)
        assert outcome(file, "dot_score") == "passed"


def download(page: Page, folder: Path) -> Path:
    """What the toolbar's Download button gives."""
    with page.expect_download() as started:
        lab.press(page, "Download visible")
    file = folder / started.value.suggested_filename
    started.value.save_as(file)
    return file


def same_but_for_the_answer(file: Path, released: Path) -> bool:
    """Whether each cell is there with its name and its nbgrader metadata, and only dot_score says else."""
    mine, theirs = HandedIn.read(file).notebook, HandedIn.read(released).notebook
    assert [cell.id for cell in mine.cells] == [cell.id for cell in theirs.cells]
    assert mine.metadata["course_release"] == theirs.metadata["course_release"]
    pairs = list(zip(mine.cells, theirs.cells, strict=True))
    assert all(one.metadata.get("nbgrader") == other.metadata.get("nbgrader") for one, other in pairs)
    changed = [one.id for one, other in pairs if one.source != other.source]
    return changed == ["dot_score"]


def outcome(file: Path, exercise: str) -> str:
    """What grading says of an exercise in a file that was handed in."""
    program = Path(sys.executable).parent / "autograder"
    words = [program, "judge", "--json", file]
    told = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    return str(json.loads(told.stdout)["exercises"][exercise]["outcome"])
