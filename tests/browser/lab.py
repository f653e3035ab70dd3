"""JupyterLab for the browser tests: a server in one of the environments, and a notebook in a page."""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from browser.environments import environment
from playwright.sync_api import Locator, Page

#: What Binder sets on its servers.
ON_BINDER = {
    "BINDER_LAUNCH_HOST": "https://binder.example.org/",
    "BINDER_REPO_URL": "https://git.example.org/school/course",
    "BINDER_REF_URL": "https://git.example.org/school/course/tree/main",
    "BINDER_PERSISTENT_REQUEST": "v2/gh/school/course/main",
}
TOKEN = "only-for-this-test"
START_SECONDS = 60
RUN_MS = 120_000
PR_SET_PDEATHSIG = 1


# --- a server -------------------------------------------------------------------------------------------


@dataclass
class Server:
    """JupyterLab on a student bundle. `kill` it and `start` it again: same address, nothing remembered."""

    name: str
    bundle: Path
    home: Path
    extra: Mapping[str, str]
    port: int
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir(parents=True)
        with open(self.home / "log", "wb") as log:
            self.process = subprocess.Popen(
                self._command(),
                env=self._variables(),
                cwd=self.bundle,
                stdout=log,
                stderr=log,
                preexec_fn=_end_with_parent,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.1)

    def kill(self) -> None:
        """End it as Binder does, with its kernels: nothing can be saved any more."""
        if self.process is not None:
            for child in _children(self.process.pid):
                os.kill(child, signal.SIGKILL)
            self.process.kill()
            self.process.wait()
            self.process = None

    def notebook(self, lesson: str) -> Path:
        """The student's file of a lesson."""
        return self.bundle / "notebooks" / lesson / f"{lesson}.ipynb"

    def address(self, lesson: str) -> str:
        """Where JupyterLab opens a lesson, and nothing else that it remembers."""
        where = self.notebook(lesson).relative_to(self.bundle).as_posix()
        return f"http://127.0.0.1:{self.port}/lab/tree/{where}?reset&token={TOKEN}"

    def log(self) -> str:
        return (self.home / "log").read_text(encoding="utf-8", errors="replace")

    def _command(self) -> list[str]:
        return [
            str(environment(self.name) / "jupyter-lab"),
            *("--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={self.port}"),
            *("--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}"),
            f"--ServerApp.root_dir={self.bundle}",
        ]

    def _variables(self) -> dict[str, str]:
        # The bundle's library is found before any other.
        ours = {"PYTHONPATH": str(self.bundle), "HOME": str(self.home), "LANG": "C.UTF-8"}
        path = f"{environment(self.name)}:/usr/local/bin:/usr/bin:/bin"
        return {"PATH": path, "OMP_NUM_THREADS": "1", **ours, **self.extra}

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api?token={TOKEN}", timeout=5).close()
        except (urllib.error.URLError, OSError):
            return False
        return True


@contextmanager
def serving(name: str, bundle: Path, home: Path, extra: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A server of the environment `name` on `bundle`, with a home of its own in the folder `home`."""
    server = Server(name, bundle, home, extra or {}, _free_port())
    try:
        server.start()
        yield server
    finally:
        server.kill()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listed.read_text().split()] if listed.exists() else []


def _end_with_parent() -> None:
    """Tests that are killed leave no server behind."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


# --- a page ---------------------------------------------------------------------------------------------


def trouble_of(page: Page) -> list[str]:
    """What goes wrong in the page from now on: errors of its scripts, and what it could not fetch."""
    trouble: list[str] = []
    page.on("pageerror", lambda error: trouble.append(f"script: {error}"))
    page.on("console", lambda line: trouble.append(f"console: {line.text}") if line.type == "error" else None)
    page.on("requestfailed", lambda request: trouble.append(f"not fetched: {request.url}"))
    return trouble


def open_lesson(page: Page, server: Server, lesson: str) -> None:
    """Open a lesson and wait until its kernel is ready. The page is so tall that JupyterLab, which draws only
    what is in sight, draws all that a test looks at."""
    page.set_viewport_size({"width": 1280, "height": 9_000})
    page.goto(server.address(lesson))
    page.wait_for_selector("#jp-main-dock-panel")
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    wait_for_kernel(page)


def wait_for_kernel(page: Page) -> None:
    """Until the kernel has done what it was asked."""
    page.wait_for_selector(r"text=/\(ipykernel\) \| Idle/", timeout=RUN_MS)


def choose(page: Page, menu: str, item: str) -> None:
    """Choose an item of JupyterLab's menu bar."""
    page.locator(".lm-MenuBar-item", has_text=re.compile(f"^{menu}$")).click()
    page.locator(".lm-Menu-item", has_text=re.compile(f"^{item}")).first.click()


def run(page: Page, text: str) -> Locator:
    """Run the cell with `text` in it. Returns the cell."""
    cell(page, text).locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    return cell(page, text)


def run_up_to(page: Page, text: str) -> Locator:
    """Run all cells before the one with `text` in it, and that one. Returns the cell."""
    cell(page, text).locator(".cm-content").click()
    choose(page, "Run", "Run All Above Selected Cell")
    return run(page, text)


def cell(page: Page, text: str) -> Locator:
    """The first code cell with `text` in it."""
    return page.locator(".jp-CodeCell").filter(has=page.locator(".cm-content", has_text=text)).first


def output(cell: Locator) -> Locator:
    """What is shown below a cell."""
    return cell.locator(".jp-Cell-outputArea")


def source(page: Page, text: str) -> str:
    """What the cell with `text` in it says."""
    return cell(page, text).locator(".cm-content").inner_text()


def write(page: Page, text: str, code: str) -> None:
    """Put `code` in place of what the cell with `text` in it says, with the keyboard."""
    cell(page, text).locator(".cm-content").click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(code)


def press(page: Page, title: str) -> None:
    """Press the button of the notebook's toolbar whose tooltip is `title`."""
    page.locator(f".jp-NotebookPanel-toolbar [title='{title}']").first.click()


def answer(page: Page, said: str, button: str) -> None:
    """Wait for the dialog that says `said`, ask not to see it again where that is offered, press a button."""
    dialog = page.locator(".jp-Dialog", has_text=said)
    pressed = dialog.locator("button", has_text=re.compile(f"^{button}$"))
    pressed.wait_for()
    for offered in dialog.locator("input[type=checkbox]").all():
        offered.check()
    pressed.click()
    dialog.wait_for(state="detached")


def version(page: Page) -> str:
    """The version of JupyterLab that the page says it is."""
    return str(json.loads(page.locator("#jupyter-config-data").text_content() or "{}")["appVersion"])


def formulas(page: Page) -> int:
    """How many formulas are typeset; an AssertionError names those that are raw or wrong."""
    raw = page.evaluate(
        r"""() => [...document.querySelectorAll('.jp-RenderedHTMLCommon')].flatMap(text => {
            const bad = [...text.querySelectorAll('mjx-merror')].map(node => node.textContent);
            const walk = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
            while (walk.nextNode())
                if (/\$[^$]+\$/.test(walk.currentNode.data)
                    && !walk.currentNode.parentElement.closest('code, pre'))
                    bad.push(walk.currentNode.data);
            return bad;
        })"""
    )
    assert raw == []
    return page.locator(".jp-RenderedHTMLCommon mjx-container").count()
