"""A browser that nobody sees: Debian's Chromium, driven by Playwright.

Run by `make test-browser`, not by `make test`. A page has a profile of its own, no network but this machine,
and its screenshots are kept in build/browser/, to be looked at.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, FloatRect, Locator, Page, sync_playwright

from autograder.authoring.bundle import fill
from autograder.course import Course

REPOSITORY = Path(__file__).resolve().parents[2]
SCREENSHOTS = REPOSITORY / "build" / "browser"
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
NO_BROWSER = (
    "NOTHING IN A BROWSER IS TESTED HERE: Chromium is missing (Debian: apt-get install chromium), "
    f"looked for {', '.join(PROGRAMS)}"
)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A page that asks for anything beyond this machine gets what a machine without a network gives.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]
WAIT_MS = 60_000
WINDOW = 1000


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The browser. Where there is none, the test is skipped, or fails if REQUIRE_BROWSER is set."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        (pytest.fail if os.environ.get("REQUIRE_BROWSER") else pytest.skip)(NO_BROWSER)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def student_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository that students get, not read for leaks here, which takes long. For reading only."""
    folder = tmp_path_factory.mktemp("bundle")
    fill(Course.find(REPOSITORY), folder)
    return folder


@pytest.fixture
def new_page(chromium: Browser) -> Iterator[Callable[[], Page]]:
    """`new_page()` opens a page in a profile of its own: another person's browser."""
    contexts: list[BrowserContext] = []

    def open_one() -> Page:
        contexts.append(
            chromium.new_context(viewport={"width": 1280, "height": WINDOW}, accept_downloads=True)
        )
        contexts[-1].set_default_timeout(WAIT_MS)
        return contexts[-1].new_page()

    yield open_one
    for context in contexts:
        context.close()


@pytest.fixture
def page(new_page: Callable[[], Page]) -> Page:
    """A page in a new profile, where one is enough."""
    return new_page()


@pytest.fixture
def keep() -> Callable[..., Path]:
    """`keep("login", page)` writes build/browser/login.png. `whole=True`: all that can be scrolled to;
    `around=LOCATOR`: a window's height of a tall page, with that element in the middle."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)

    def write(name: str, page: Page, whole: bool = False, around: Locator | None = None) -> Path:
        path = SCREENSHOTS / f"{name}.png"
        window = _window_around(page, around) if around is not None else None
        page.screenshot(path=path, full_page=whole, clip=window)
        return path

    return write


def _window_around(page: Page, element: Locator) -> FloatRect:
    """The part of the page with `element` in the middle."""
    box, size = element.bounding_box(), page.viewport_size
    assert box is not None, f"not in the page: {element}"
    assert size is not None
    top = min(max(0, box["y"] + box["height"] / 2 - WINDOW / 2), size["height"] - WINDOW)
    return {"x": 0, "y": top, "width": size["width"], "height": WINDOW}
