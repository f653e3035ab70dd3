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
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

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
WAIT_MS = 30_000


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


@pytest.fixture
def new_page(chromium: Browser) -> Iterator[Callable[[], Page]]:
    """`new_page()` opens a page in a profile of its own: another person's browser."""
    contexts: list[BrowserContext] = []

    def open_one() -> Page:
        contexts.append(chromium.new_context(viewport={"width": 1280, "height": 1000}, accept_downloads=True))
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
    """`keep("login", page)` writes build/browser/login.png; `whole=True`: all that can be scrolled to."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)

    def write(name: str, page: Page, whole: bool = False) -> Path:
        path = SCREENSHOTS / f"{name}.png"
        page.screenshot(path=path, full_page=whole)
        return path

    return write
