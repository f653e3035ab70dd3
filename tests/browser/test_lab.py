"""Lessons in JupyterLab, as students have them: with the versions of Binder's base, and with the newest."""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browser import lab
from browser.environments import NAMES, binder_versions
from PIL import Image
from playwright.sync_api import Page
from sample_class import HandedIn, read_answers

FIRST, WITH_SLIDER = "01_dot_product_similarity", "02_projections"
SOLVED = ("dot_score", "score_matrix", "normalize_scores")
MISTAKE, HINT = "zeroed_after_softmax", "who kept the missing mass?"
MENDED = (
    "def causal_weights(S):\n    votes = np.tril(np.exp(S))\n    return votes / votes.sum(1, keepdims=True)\n"
)


@pytest.fixture(scope="module", params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    """Each of the environments."""
    return str(request.param)


@pytest.fixture(scope="module")
def server(name: str, student_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[lab.Server]:
    """JupyterLab on a student's bundle: lessons 1 and 2 worked at, with a mistake in lesson 1."""
    folder = tmp_path_factory.mktemp("student")
    shutil.copytree(student_bundle, folder / "course")
    first, second = read_answers(), read_answers(lesson=WITH_SLIDER)
    fill(folder / "course", FIRST, {exercise: first.right(exercise) for exercise in SOLVED})
    fill(folder / "course", FIRST, {"causal_weights": first.wrong("causal_weights", MISTAKE)})
    answered = {name: second.key(name) for name in ("match_roles", "query_vector")}
    fill(folder / "course", WITH_SLIDER, {**answered, "project": second.right("project")})
    with lab.serving(name, folder / "course", folder / "home") as running:
        yield running


def fill(bundle: Path, lesson: str, cells: dict[str, str]) -> None:
    notebook = bundle / "notebooks" / lesson / f"{lesson}.ipynb"
    work = HandedIn.read(notebook)
    for grade_id, source in cells.items():
        work.fill(grade_id, source)
    notebook.write_text(work.text(), encoding="utf-8")


def test_a_lesson_is_worked_at(server: lab.Server, name: str, page: Page, keep: Callable[..., Path]) -> None:
    """A mistake stops the notebook at its check, which asks the question that belongs to it. Mended with the
    keyboard, it passes, and the picture that waited for it is drawn. Nothing goes wrong in the page."""
    trouble = lab.trouble_of(page)

    lab.open_lesson(page, server, FIRST)
    assert version_fits(name, lab.version(page))
    check = lab.run_up_to(page, 'check("causal_weights")')
    check.get_by_text(HINT).first.wait_for()
    lab.wait_for_kernel(page)
    assert colours_in(lab.output(check).screenshot()) > 50
    keep(f"lab-{name}-hint", page, around=check)

    lab.write(page, "def causal_weights", MENDED)
    lab.run(page, "def causal_weights")
    lab.run(page, 'check("causal_weights")').get_by_text("right on both public examples").wait_for()
    drawn = lab.run(page, 'title="Causal weights"')
    picture = drawn.get_by_alt_text(re.compile("^Heat map of the causal weights"))
    picture.wait_for()
    assert colours_in(picture.screenshot()) > 50
    keep(f"lab-{name}-mended", page, around=picture)

    assert lab.formulas(page) > 50
    assert trouble == []


def test_a_slider_changes_its_picture(
    server: lab.Server, name: str, page: Page, keep: Callable[..., Path]
) -> None:
    """The still picture that is there for pages without widgets is hidden while the moving one works."""
    trouble = lab.trouble_of(page)

    lab.open_lesson(page, server, WITH_SLIDER)
    cell = lab.run_up_to(page, "turned_queries,")
    handle = cell.get_by_role("slider").first
    handle.wait_for()
    lab.wait_for_kernel(page)
    pictures = cell.locator("img:visible")
    assert pictures.count() == 1
    assert "degrees = 60" in (pictures.get_attribute("alt") or "")
    before = pictures.screenshot()

    handle.press("ArrowRight")
    cell.get_by_alt_text(re.compile("degrees = 90")).wait_for()
    assert pictures.screenshot() != before
    keep(f"lab-{name}-slider", page, around=pictures)
    assert trouble == []


def version_fits(name: str, version: str) -> bool:
    """The base's own version; a newer one in the newest."""
    of_binder = binder_versions()["jupyterlab"]
    newer = [int(part) for part in version.split(".")] > [int(part) for part in of_binder.split(".")]
    return newer if name == "newest" else version == of_binder


def colours_in(png: bytes) -> int:
    """How many colours a picture has: one that is blank or broken has a few."""
    return len(Image.open(io.BytesIO(png)).convert("RGB").getcolors(2**24) or [])
