"""What people do on the hub, in their browsers: a student in JupyterLab, an instructor in the formgrader."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Frame, Locator, Page, expect

#: A server that starts, a notebook that is validated, a submission that is graded: on a loaded machine.
LONG_MS = 90_000


@dataclass
class Person:
    """Somebody with a browser and an account on the hub at `url`."""

    name: str
    password: str
    url: str
    page: Page
    keep: Callable[..., object]

    def log_in(self, towards: str = "") -> None:
        """By the login form, and on to the path `towards`, or else to the person's own server."""
        self.page.goto(f"{self.url}/hub/login" + (f"?next={towards}" if towards else ""))
        self.page.fill("#username_input", self.name)
        self.page.fill("#password_input", self.password)
        self.page.click("#login_submit")

    def shoot(self, step: str) -> None:
        self.keep(f"hub/{step}", self.page)


class Student(Person):
    """A student, with JupyterLab."""

    def open_lab(self) -> None:
        self.log_in()
        self.page.wait_for_selector("#jp-main-dock-panel", timeout=LONG_MS)

    def menu(self) -> list[str]:
        """What nbgrader's menu offers."""
        self.page.click(".lm-MenuBar-item:has-text('Nbgrader')")
        offered = [text.strip() for text in self.page.locator(".lm-Menu-item").all_inner_texts()]
        self.page.keyboard.press("Escape")
        return [text for text in offered if text]

    def assignments(self) -> Locator:
        """nbgrader's list of assignments, opened or brought up to date."""
        listed = self.page.locator("#released_assignments_list")
        if not listed.is_visible():
            self.page.click(".lm-MenuBar-item:has-text('Nbgrader')")
            self.page.click(".lm-Menu-item:has-text('Assignment List')")
        else:
            self.page.click("#refresh_assignments_list")
        listed.wait_for()
        return self.page.locator(".lm-DockPanel-widget:not(.lm-mod-hidden)")

    def fetch(self, lesson: str) -> None:
        row = self.assignments().locator(f".list_item:has-text('{lesson}')")
        row.get_by_role("button", name="Fetch").click()
        self.downloaded(lesson).wait_for()

    def downloaded(self, lesson: str) -> Locator:
        return self.page.locator(f"#fetched_assignments_list .list_item:has-text('{lesson}')").first

    def submit(self, lesson: str) -> None:
        """Hand in, and wait until the list has it."""
        self.assignments()
        handed_in = self.page.locator("#submitted_assignments_list >> text=/^\\d.* UTC$/")
        before = handed_in.count()
        self.downloaded(lesson).get_by_role("button", name="Submit").click()
        expect(handed_in).not_to_have_count(before)

    def fetch_feedback(self, lesson: str) -> None:
        row = self.assignments().locator(f"#submitted_assignments_list .list_item:has-text('{lesson}')")
        row.get_by_role("button", name="Fetch Feedback").click()
        self.page.locator("#submitted_assignments_list >> text=view feedback").first.wait_for()

    def open_notebook(self, lesson: str) -> None:
        self.page.goto(f"{self.url}/user/{self.name}/lab/tree/attention/{lesson}/{lesson}.ipynb?reset")
        self.page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=LONG_MS)
        self.page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=LONG_MS)

    def cell(self, holding: str) -> Locator:
        """The first code cell whose source holds this text."""
        return self.page.locator(
            ".jp-CodeCell", has=self.page.locator(".jp-InputArea", has_text=holding)
        ).first

    def write(self, cell: Locator, source: str) -> None:
        cell.locator(".cm-content").click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(source)

    def run_all_above(self, cell: Locator) -> None:
        cell.locator(".cm-content").click()
        self.page.click(".lm-MenuBar-item:has-text('Run')")
        self.page.click("text=Run All Above Selected Cell")

    def check(self, cell: Locator, check: Locator) -> str:
        """Run the cell and its check; what the check says."""
        cell.locator(".cm-content").click()
        self.page.keyboard.press("Shift+Enter")
        before = check.locator(".jp-InputPrompt").inner_text()
        self.page.keyboard.press("Shift+Enter")
        expect(check.locator(".jp-InputPrompt")).not_to_have_text(before)
        expect(check.locator(".jp-InputPrompt")).not_to_have_text("[*]:", timeout=LONG_MS)
        output = check.locator(".jp-OutputArea-output")
        output.first.wait_for()
        return "\n".join(output.all_inner_texts())

    def save(self) -> None:
        self.page.keyboard.press("Control+s")
        expect(self.page.locator(".jp-Dialog")).to_have_count(0)

    def validate(self) -> str:
        """Press Lab's Validate; what the dialog says."""
        self.page.locator(".jp-NotebookPanel-toolbar >> text=Validate").click()
        dialog = self.page.locator(".jp-Dialog .jp-Dialog-content")
        dialog.wait_for(timeout=LONG_MS)
        return dialog.inner_text()

    def close_dialog(self) -> None:
        self.page.locator(".jp-Dialog .jp-mod-accept").click()


class Instructor(Person):
    """An instructor, with the formgrader of the course's own server."""

    @property
    def course(self) -> str:
        return "/services/attention"

    def formgrader(self, part: str) -> None:
        self.page.goto(f"{self.url}{self.course}/formgrader/{part}")

    def press(self, lesson: str, column: str) -> str:
        """Press what an assignment's row offers in `column`; what the dialog reports."""
        self.page.locator(f"tr:has-text('{lesson}') td.{column} a").click()
        return self.reported()

    def reported(self) -> str:
        dialog = self.page.locator(".modal.in .modal-content", has_text="Log Output")
        dialog.wait_for(timeout=LONG_MS)
        said = dialog.inner_text()
        self.page.wait_for_timeout(400)  # it fades in, and a screenshot may be taken
        return said

    def close_report(self) -> None:
        self.page.locator(".modal.in .modal-footer button").first.click()
        expect(self.page.locator(".modal.in")).to_have_count(0)

    def formgrader_in_lab(self) -> Frame:
        """The formgrader as JupyterLab shows it: a frame."""
        self.page.goto(f"{self.url}{self.course}/lab?reset")
        self.page.wait_for_selector("#jp-main-dock-panel", timeout=LONG_MS)
        self.page.click(".lm-MenuBar-item:has-text('Nbgrader')")
        self.page.click(".lm-Menu-item:has-text('Formgrader')")
        frame = self.page.wait_for_selector("#jp-main-dock-panel iframe").content_frame()
        assert frame is not None
        return frame
