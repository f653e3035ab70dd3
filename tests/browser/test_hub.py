"""A class on the hub, once around: release, work, hand in, collect, grade, feedback; and one who attacks it.

The tests are steps of one story, in their order, on the hub that `make hub` starts; screenshots of each step
are kept in build/browser/hub/.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import sqlite3
import stat
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser.conftest import REPOSITORY, SCREENSHOTS, WAIT_MS
from browser.hub_intruder import CANARY, FROM_A_GRADED_NOTEBOOK, Probe, in_the_hub, intrude
from browser.hub_people import LONG_MS, Instructor, Student
from playwright.sync_api import Browser, expect
from sample_class import HandedIn, read_answers
from sample_class.texts import THOROUGH

sys.path.insert(0, str(REPOSITORY / "deploy" / "jupyterhub"))
import sample_hub
import steps

if TYPE_CHECKING:
    from places import Hub

LESSON, NEXT_LESSON = "01_dot_product_similarity", "02_projections"
MISTAKE, HINT = "not_summed", "A score is one number per pair: what shape did you return?"
#: A question that ada gets wrong: no check tells, so that its hint first stands in the feedback.
QUESTION, QUESTION_HINT = "orthogonal_has_zero_influence", "how many votes does the softmax make of a 0?"
FREE_TEXT, COMMENT, GIVEN = "longer_vectors_win", "Well measured. Part (c): which votes stay?", 3
AUTO_GRADED, ATTACKED = 28, 3
ANSWERS = read_answers()

pytestmark = pytest.mark.timeout(900)  # the first test makes the environment


@dataclass(frozen=True)
class Class:
    """A hub that runs, with an instructor and two students in three browsers."""

    hub: Hub
    pid: int
    instructor: Instructor
    ada: Student
    ben: Student

    def notebook(self, student: Student, lesson: str = LESSON) -> Path:
        return Path(self.hub.homes, student.name, "attention", lesson, f"{lesson}.ipynb")

    def handed_in(self, student: Student) -> list[Path]:
        return sorted((self.hub.exchange_course / "inbound").glob(f"{student.name}+{LESSON}+*"))

    def gradebook(self) -> sqlite3.Connection:
        return sqlite3.connect(f"file:{self.hub.repository}/gradebook.db?mode=ro", uri=True)

    def scores(self, student: str) -> dict[str, tuple[float | None, float | None]]:
        """Automatic and manual score of each graded cell, from the gradebook."""
        book = self.gradebook()
        rows = book.execute(
            "select base_cell.name, grade.auto_score, grade.manual_score from grade"
            " join base_cell on base_cell.id = grade.cell_id"
            " join submitted_notebook on submitted_notebook.id = grade.notebook_id"
            " join submitted_assignment on submitted_assignment.id = submitted_notebook.assignment_id"
            " where submitted_assignment.student_id = ?",
            (student,),
        ).fetchall()
        book.close()
        return {name: (auto, manual) for name, auto, manual in rows}

    def comments(self, student: str) -> list[str]:
        """What a person wrote beside this student's cells."""
        book = self.gradebook()
        rows = book.execute(
            "select comment.manual_comment from comment"
            " join submitted_notebook on submitted_notebook.id = comment.notebook_id"
            " join submitted_assignment on submitted_assignment.id = submitted_notebook.assignment_id"
            " where submitted_assignment.student_id = ? and comment.manual_comment is not null",
            (student,),
        ).fetchall()
        book.close()
        return [text for (text,) in rows]

    def points(self, student: str) -> float:
        return sum(auto or 0 for auto, _ in self.scores(student).values())

    def verdict(self, student: str) -> dict[str, object]:
        path = self.hub.repository / "verdicts" / LESSON / f"{student}.json"
        found: dict[str, object] = json.loads(path.read_text())
        return found

    def server_of(self, user: str) -> int:
        """The process number of the user's server."""
        owner = pwd.getpwnam(user).pw_uid
        for path in Path("/proc").glob("[0-9]*"):
            if path.stat().st_uid == owner and b"jupyterhub-singleuser" in (path / "cmdline").read_bytes():
                return int(path.name)
        raise LookupError(f"{user} has no server")

    def token(self, user: str) -> str:
        """The token in the environment of the user's server, which their code can read."""
        environment = Path(f"/proc/{self.server_of(user)}/environ").read_text().split("\0")
        return dict(line.split("=", 1) for line in environment if line)["JUPYTERHUB_API_TOKEN"]


@pytest.fixture(scope="module")
def klass(chromium: Browser) -> Iterator[Class]:
    """The hub with its people. Without root, or where accounts of these names are somebody's, it is skipped,
    or fails if REQUIRE_BROWSER is set."""
    try:
        steps.check_machine()
        sample_hub.clean(keep_programs=True)
        sample_hub.refuse_what_is_not_ours(sample_hub.SAMPLE)
    except steps.CantSetUp as why:
        untested = f"NO HUB IS TESTED HERE: {why}"
        (pytest.fail if os.environ.get("REQUIRE_BROWSER") else pytest.skip)(untested)
    (SCREENSHOTS / "hub").mkdir(parents=True, exist_ok=True)
    try:
        with sample_hub.started() as running:
            contexts = [chromium.new_context(viewport={"width": 1280, "height": 1000}) for _ in range(3)]
            for context in contexts:
                context.set_default_timeout(2 * WAIT_MS)
            people = [
                kind(name, running.passwords[name], running.hub.url, context.new_page(), shoot)
                for kind, name, context in zip(
                    (Instructor, Student, Student), ("instructor", "ada", "ben"), contexts, strict=True
                )
            ]
            yield Class(running.hub, running.process.pid, *people)
            for context in contexts:
                context.close()
    finally:
        sample_hub.clean(keep_programs=True)
    assert not {"ada", "ben", "instructor"} & {user.pw_name for user in pwd.getpwall()}
    assert sorted(path.name for path in Path(sample_hub.SAMPLE.prefix).iterdir()) == [
        "env",
        "made.json",
        "proxy",
    ]
    sample_hub.refuse_if_running(sample_hub.SAMPLE)


def shoot(name: str, page: object) -> None:
    page.screenshot(path=SCREENSHOTS / f"{name}.png")


def fill(notebook: Path, cells: dict[str, str]) -> None:
    """Write these cells of a student's notebook, which stays the student's."""
    work = HandedIn.read(notebook)
    for grade_id, source in cells.items():
        work.fill(grade_id, source)
    notebook.write_text(work.text(), encoding="utf-8")


def test_the_instructor_releases_a_lesson_in_the_formgrader(klass: Class) -> None:
    instructor = klass.instructor
    instructor.log_in(f"{instructor.course}/formgrader/manage_assignments")
    said = instructor.press(LESSON, "release")
    instructor.shoot("01_released")
    assert f"Successfully released '{LESSON}'" in said
    released = klass.hub.exchange_course / "outbound" / LESSON / f"{LESSON}.ipynb"
    assert (
        released.read_bytes()
        == (klass.hub.repository / "notebooks" / LESSON / f"{LESSON}.ipynb").read_bytes()
    )


def test_a_student_has_the_list_of_assignments_and_no_formgrader(klass: Class) -> None:
    klass.ada.open_lab()
    klass.ada.page.wait_for_selector(".jp-LauncherCard")
    klass.ada.shoot("02_lab")
    assert klass.ada.menu() == ["Assignment List"]
    assert klass.ada.page.get_by_text("Create Assignment").count() == 0


def test_a_student_fetches_fails_a_check_reads_the_hint_and_mends_it(klass: Class) -> None:
    ada = klass.ada
    ada.fetch(LESSON)
    ada.shoot("03_fetched")
    others = [name for name in ANSWERS.library.exercises if name != "dot_score"]
    answered = {name: ANSWERS.key(name) for name in ANSWERS.library.questions}
    wrong_question = {QUESTION: ANSWERS.wrong_key(QUESTION)}
    fill(klass.notebook(ada), {name: ANSWERS.right(name) for name in others} | answered | wrong_question)

    ada.open_notebook(LESSON)
    cell, check = ada.cell("def dot_score"), ada.cell('check("dot_score")')
    ada.write(cell, ANSWERS.wrong("dot_score", MISTAKE))
    ada.run_all_above(cell)
    said = ada.check(cell, check)
    ada.shoot("04_hint")
    assert HINT in said
    assert "Off on 2 of 2 public examples." in said

    ada.write(cell, ANSWERS.right("dot_score"))
    said = ada.check(cell, check)
    ada.shoot("05_mended")
    assert said.startswith("dot_score: right on both public examples.")


def test_validate_names_what_is_missing_and_then_nothing(klass: Class) -> None:
    """The button saves the notebook and runs all of its checks."""
    ada = klass.ada
    said = ada.validate()
    ada.shoot("06_not_valid")
    assert "YOUR ANSWER HERE\nYou did not provide a response." in said
    assert "check(" not in said
    ada.close_dialog()

    ada.save()
    ada.submit(LESSON)
    ada.shoot("07_submitted")
    fill(klass.notebook(ada), {FREE_TEXT: THOROUGH})
    ada.open_notebook(LESSON)
    said = ada.validate()
    ada.shoot("08_valid")
    assert "Success! Your notebook passes all the tests." in said
    ada.close_dialog()


def test_a_student_hands_in_again(klass: Class) -> None:
    klass.ada.submit(LESSON)
    klass.ada.shoot("09_submitted_again")
    first, second = klass.handed_in(klass.ada)
    assert "YOUR ANSWER HERE" in (first / f"{LESSON}.ipynb").read_text()
    assert "factor $e^2$" in (second / f"{LESSON}.ipynb").read_text()


def test_what_is_handed_in_is_closed_to_other_students(klass: Class) -> None:
    account = pwd.getpwnam(klass.hub.account)
    for folder in klass.handed_in(klass.ada):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o770
        assert folder.stat().st_gid == account.pw_gid


def test_a_second_student_hands_in_a_hostile_notebook(klass: Class) -> None:
    plant_secrets(klass)
    klass.ben.open_lab()
    klass.ben.fetch(LESSON)
    klass.notebook(klass.ben).write_text(hostile_notebook(klass), encoding="utf-8")
    klass.ben.submit(LESSON)
    klass.ben.shoot("10_hostile")
    assert len(klass.handed_in(klass.ben)) == 1


def plant_secrets(klass: Class) -> None:
    """Files with the canary, readable for all as far as their own mode goes."""
    for folder in secret_folders(klass).values():
        path = Path(folder, "canary.txt")
        path.write_text(CANARY)
        path.chmod(0o644)


def secret_folders(klass: Class) -> dict[str, str]:
    return {
        "home of the account that grades": str(klass.hub.account_home),
        "course": str(klass.hub.repository),
        "solutions": str(klass.hub.repository / "solutions"),
        "home of ada": str(Path(klass.hub.homes, "ada")),
        "home of the instructor": str(Path(klass.hub.homes, "instructor")),
        "state of the hub": klass.hub.state,
    }


def secret_files(klass: Class) -> dict[str, str]:
    found = {f"canary in {name}": f"{folder}/canary.txt" for name, folder in secret_folders(klass).items()}
    found["gradebook"] = str(klass.hub.repository / "gradebook.db")
    found["an answer"] = str(klass.hub.repository / "solutions/exercises/dot_product_similarity/dot_score.py")
    found["hub's database"] = f"{klass.hub.state}/jupyterhub.sqlite"
    found["cookie secret"] = f"{klass.hub.state}/cookie_secret"
    found["submission of ada"] = str(klass.handed_in(klass.ada)[-1] / f"{LESSON}.ipynb")
    for path in found.values():
        assert Path(path).is_file(), path
    return found


def hostile_notebook(klass: Class) -> str:
    """Attacks of tests/hostile on one exercise, and one of its own on what a hub has; the rest is honest."""
    from attacks import ATTACKS, COURSE

    work = HandedIn.read(klass.notebook(klass.ben))
    for name in ANSWERS.library.exercises:
        work.fill(name, ANSWERS.right(name))
    for name in ANSWERS.library.questions:
        work.fill(name, ANSWERS.key(name))
    inbound = klass.hub.exchange_course / "inbound"
    own = FROM_A_GRADED_NOTEBOOK.format(
        names=[
            "JUPYTERHUB_API_TOKEN",
            "JUPYTERHUB_API_URL",
            "JUPYTERHUB_CLIENT_ID",
            "CONFIGPROXY_AUTH_TOKEN",
        ],
        files=list(secret_files(klass).values()),
        folders=[
            *secret_folders(klass).values(),
            klass.hub.exchange,
            str(inbound),
            klass.hub.runtime,
            "/home",
        ],
        new=[
            f"{inbound}/ben+{LESSON}+2030-01-01 00:00:00 UTC+x",
            f"{klass.hub.exchange_course}/feedback/x.html",
        ],
        addresses=[f"http://127.0.0.1:{port}/hub/api/users" for port in (klass.hub.port, klass.hub.hub_port)]
        + [
            f"http://127.0.0.1:{klass.hub.course_port}/",
            f"http://127.0.0.1:{klass.hub.proxy_port}/api/routes",
        ],
        processes=[klass.pid, klass.server_of("ada")],
    )
    for name in (
        "solutions_by_absolute_path",
        "gradebook_read",
        "other_submissions_read",
        "environment_read",
        "memory_of_others_by_system_call",
        "network_used",
    ):
        ATTACKS[name].edit(work)
    work.after("test_cosine_score_matrix", own)
    return work.text().replace(COURSE, str(klass.hub.repository))


@pytest.fixture(scope="module")
def probe(klass: Class) -> Probe:
    """What ben reaches from his account, with his own token."""
    inbound, hub = klass.hub.exchange_course / "inbound", klass.hub
    submission = klass.handed_in(klass.ada)[-1]
    return intrude(
        klass.pid,
        "ben",
        hub.environment / "bin" / "python",
        {
            "name": "ben",
            "victim": "ada",
            "token": klass.token("ben"),
            "api": f"http://127.0.0.1:{hub.hub_port}/hub/api",
            "course": f"{hub.url}/services/{hub.course}",
            "proxy": f"http://127.0.0.1:{hub.proxy_port}/api/routes",
            "promote": f"/groups/{hub.instructors}/users",
            "folders": secret_folders(klass)
            | {
                "inbound": str(inbound),
                "submission of ada": str(submission),
                "released feedback": str(hub.exchange_course / "feedback"),
                "sockets of ada": f"{hub.runtime}/ada",
            },
            "files": secret_files(klass),
            "others": {
                "released lesson": str(hub.exchange_course / "outbound" / LESSON / f"{LESSON}.ipynb"),
                "submission of ada": str(submission / f"{LESSON}.ipynb"),
                "environment": str(hub.environment / "bin" / "jupyterhub-singleuser"),
                "hub's settings": str(Path(hub.prefix, "jupyterhub_config.py")),
            },
            "moved": {
                "submission of ada": str(submission),
                "course in the exchange": str(hub.exchange_course),
            },
            "new": {
                "a file in ada's submission": str(submission / "late.txt"),
                "a lesson": str(hub.exchange_course / "outbound" / "x"),
                "feedback": str(hub.exchange_course / "feedback" / "x.html"),
                "settings for all": str(hub.environment / "etc" / "jupyter" / "x.py"),
            },
            "processes": {
                "the hub": klass.pid,
                "the course's server": klass.server_of(hub.account),
                "ada's server": klass.server_of("ada"),
            },
        },
    )


def test_a_students_account_reaches_nothing_of_others(probe: Probe) -> None:
    own = {"hub: oneself", "hub: users", "hub: groups", "processes of others"}
    assert {name: got for name, got in probe.got.items() if name not in own} == {}
    assert len(probe.refused) > 50


def test_a_students_token_is_worth_what_the_student_may(probe: Probe) -> None:
    assert probe.got["hub: oneself"] == "['nbgrader-attention']"
    assert "ada" not in probe.got.get("hub: users", "")
    assert "instructor" not in probe.got.get("hub: users", "") + probe.got.get("hub: groups", "")
    assert probe.told["hub: become an instructor"] == {"refused": "HTTP 403"}
    assert probe.told["course: files"] == {"refused": "HTTP 403"}


def test_a_student_sees_no_process_of_another(probe: Probe) -> None:
    assert probe.got["processes of others"] == "[]"


def test_kernels_speak_where_only_their_owner_can_listen(klass: Class) -> None:
    """Over a port, what a kernel prints could be listened to by all accounts of this machine."""
    folder = Path(klass.hub.runtime, "ada")
    kernels = [json.loads(path.read_text()) for path in folder.glob("kernel-*.json")]
    assert [kernel["transport"] for kernel in kernels] == ["ipc"]
    assert {str(Path(kernel["ip"]).parent) for kernel in kernels} == {str(folder)}
    assert stat.S_IMODE(folder.stat().st_mode) & 0o077 == 0


def test_the_environment_does_not_lead_to_the_private_repository(klass: Class) -> None:
    named = [*klass.hub.environment.glob("lib/python3*/site-packages/*.pth")]
    named += klass.hub.environment.glob("lib/python3*/site-packages/attention_course-*/*")
    assert [path for path in named if path.is_file() and str(REPOSITORY) in path.read_text()] == []
    packages = next(klass.hub.environment.glob("lib/python3*/site-packages"))
    assert (packages / "attention_lib").is_dir()
    assert list(packages.rglob("solutions")) == []


def test_the_instructor_collects_what_students_handed_in_themselves(klass: Class) -> None:
    """ben also handed in as ada, and later than she did."""
    forge = f"{klass.hub.exchange_course}/inbound/ada+{LESSON}+2030-01-01 00:00:00 UTC+x"
    in_the_hub(klass.pid, "ben", "mkdir", forge)
    assert Path(forge).is_dir()
    klass.instructor.formgrader("manage_assignments")
    said = klass.instructor.press(LESSON, "collect")
    klass.instructor.shoot("11_collected")
    klass.instructor.close_report()
    assert "is not collected: it is not ada's own folder" in said
    submitted = klass.hub.repository / "submitted"
    assert sorted(path.name for path in submitted.iterdir()) == ["ada", "ben"]
    text = (submitted / "ada" / LESSON / f"{LESSON}.ipynb").read_text()
    assert "factor $e^2$" in text


def test_the_formgrader_grades_in_the_sandbox(klass: Class) -> None:
    instructor = klass.instructor
    instructor.formgrader(f"manage_submissions/{LESSON}")
    for student in ("ada", "ben"):
        instructor.page.locator(f"tr:has-text('{student}') td.autograde a").click()
        said = instructor.reported()
        instructor.shoot(f"12_autograded_{student}")
        instructor.close_report()
        assert f"Successfully autograded '{LESSON}' for student '{student}'" in said
    assert klass.points("ada") == AUTO_GRADED - 1
    assert klass.scores("ada")[f"test_{QUESTION}"] == (0, None)
    for student in ("ada", "ben"):
        layers = klass.verdict(student)["sandbox"]
        assert {"limits", "privileges", "landlock", "seccomp"} <= set(layers), layers


def test_the_hostile_notebook_got_nothing(klass: Class) -> None:
    scores = klass.scores("ben")
    assert scores["test_dot_score"] == (0, None)
    assert klass.points("ben") == AUTO_GRADED - ATTACKED
    folder = klass.hub.repository / "autograded" / "ben" / LESSON
    graded = HandedIn.read(folder / f"{LESSON}.ipynb").notebook
    shown = "\n".join(out.get("text", "") for cell in graded.cells for out in cell.get("outputs", []))
    assert [line for line in shown.splitlines() if "LOOT" in line and "LOOT environ" not in line] == []
    refused, tried = map(int, re.search(r"ATTEMPTS REFUSED: (\d+) of (\d+)", shown).groups())
    assert refused == tried > 35
    assert CANARY not in shown
    assert klass.token("ada") not in shown
    assert len(klass.scores("ada")) == len(scores)


def test_the_free_text_is_graded_by_hand_inside_lab(klass: Class) -> None:
    instructor = klass.instructor
    frame = instructor.formgrader_in_lab()
    frame.wait_for_selector(f"tr:has-text('{LESSON}')")
    instructor.shoot("13_formgrader_in_lab")
    frame.get_by_role("link", name="Manual Grading").click()
    frame.get_by_role("link", name=LESSON).click()
    frame.get_by_role("link", name=LESSON).last.click()
    frame.wait_for_selector("table a:has-text('Submission')")
    instructor.shoot("14_submissions_to_grade")
    frame.get_by_role("link", name=f"Submission #{number_of(klass, 'ada')}").click()

    answer = frame.locator(f".nbgrader_cell:has(#{FREE_TEXT}-comment)")
    expect(answer).to_contain_text("The score is the product of the two lengths")
    frame.wait_for_load_state("networkidle")  # what is stored comes after the page, and would overwrite
    comment, score = answer.locator("textarea.comment"), answer.locator("input.score")
    comment.fill(COMMENT)
    comment.press("Tab")
    wait_for(lambda: COMMENT in klass.comments("ada"))
    score.fill(str(GIVEN))
    score.press("Tab")
    wait_for(lambda: klass.scores("ada")[FREE_TEXT][1] == GIVEN)
    instructor.shoot("15_graded_by_hand")
    assert klass.points("ada") == AUTO_GRADED - 1  # the same as before


def wait_for(holds: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not so after {seconds} s"
        time.sleep(0.1)


def number_of(klass: Class, student: str) -> int:
    """The formgrader numbers submissions in the order of their keys, so that names play no part."""
    book = klass.gradebook()
    rows = book.execute(
        "select student_id from submitted_notebook join submitted_assignment"
        " on submitted_assignment.id = submitted_notebook.assignment_id order by submitted_notebook.id"
    ).fetchall()
    book.close()
    return [name for (name,) in rows].index(student) + 1


def test_feedback_is_released_and_read_by_its_student(klass: Class) -> None:
    instructor, ada = klass.instructor, klass.ada
    instructor.formgrader("manage_assignments")
    said = instructor.press(LESSON, "generate-feedback")
    instructor.close_report()
    assert "Success" in said
    said = instructor.press(LESSON, "release-feedback")
    instructor.shoot("16_feedback_released")
    instructor.close_report()
    assert "Success" in said

    ada.fetch_feedback(LESSON)
    ada.shoot("17_feedback_fetched")
    pages = list(klass.notebook(ada).parent.glob("feedback/*/*.html"))
    assert len(pages) == 1
    ada.page.goto(f"{ada.url}/user/ada/files/{pages[0].relative_to(Path(klass.hub.homes, 'ada'))}")
    text = ada.page.inner_text("body")
    assert QUESTION_HINT in text
    assert COMMENT in text
    assert f"(Score: {AUTO_GRADED - 1 + GIVEN}.0 / {AUTO_GRADED + 4}.0)" in text
    ada.shoot("18_feedback")
    ada.page.get_by_text(COMMENT).scroll_into_view_if_needed()
    ada.shoot("19_feedback_comment")


def test_the_next_lesson_finds_the_first(klass: Class) -> None:
    """`bring` looks beside its own notebook, where the hub puts what is fetched."""
    instructor, ada = klass.instructor, klass.ada
    instructor.formgrader("manage_assignments")
    instructor.press(NEXT_LESSON, "release")
    ada.page.goto(f"{ada.url}/user/ada/lab?reset")
    ada.page.wait_for_selector("#jp-main-dock-panel")
    ada.fetch(NEXT_LESSON)
    ada.open_notebook(NEXT_LESSON)
    cell = ada.cell('bring("dot_score"')
    ada.run_all_above(cell)
    cell.locator(".cm-content").click()
    ada.page.keyboard.press("Shift+Enter")
    brought = ada.page.locator(".jp-OutputArea-output", has_text="is now in this cell as you wrote it")
    brought.first.wait_for(timeout=LONG_MS)
    ada.shoot("20_brought")
    expect(ada.cell("def dot_score")).to_have_count(1)
