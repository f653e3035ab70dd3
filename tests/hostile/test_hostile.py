"""No attack earns what it did not answer, costs anyone else anything, learns a secret or stays behind.

On each tier one grader, with one zygote, grades them all, each followed by an honest submission; those
that write are graded twice, and look for what the first time left.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import lesser_kernel
import pytest
from attacks import ATTACKS, COURSE, LESSON, Attack
from course_copy import course_at
from sample_class import HandedIn, read_answers

from autograder.course import Course
from autograder.exercise import Outcome
from autograder.grading import Graded, Grader
from autograder.sandbox.client import Limits
from autograder.sandbox.isolation import BASE

REPOSITORY = Path(__file__).parents[2]
SUBMISSIONS = REPOSITORY / "tests" / "submissions" / "hostile"

#: Planted where no student may read. The notebooks know how a canary begins, not how it goes on.
CANARY = "0123456789abcdef"[::-1]
PLANTED = f"CANARY-{CANARY}"

LIMITS = Limits(cell_seconds=1, question_seconds=0.5, submission_seconds=30)


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """A class folder with something secret in every place that the attacks look at."""
    course = course_at(tmp_path_factory.mktemp("course"))
    home = course.root
    neighbour = home / "submitted" / "neighbour" / LESSON / f"{LESSON}.ipynb"
    for path in (home / "solutions" / "canary.txt", home / "gradebook.db", neighbour):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(PLANTED)
    return course


@pytest.fixture(scope="module")
def sources(course: Course) -> dict[str, bytes]:
    """The student library's files before anything is graded."""
    return _sources(course.library_dir)


@pytest.fixture(scope="session", params=["namespaces", "container"])
def tier(request: pytest.FixtureRequest) -> str:
    """As this machine is, and as an unprivileged container would be: all attacks on one, then the other."""
    return str(request.param)


@pytest.fixture(scope="module")
def grader(
    tier: str,
    course: Course,
    sources: dict[str, bytes],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Grader]:
    """A running grader on the tier."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_CANARY", PLANTED)
        if tier == "container":
            folder = tmp_path_factory.mktemp("kernel")
            patch.setattr(sys, "executable", lesser_kernel.interpreter("container", folder))
        with Grader(course, LESSON, limits=LIMITS) as grader:
            layers = set(grader.grade(course.released(LESSON)).sandbox)
            if tier == "namespaces" and layers == set(BASE):
                pytest.skip("this kernel or container has no namespaces to give")
            assert (layers == set(BASE)) == (tier == "container")
            yield grader


@pytest.fixture(scope="module")
def honest(course: Course) -> Path:
    """A submission with everything right."""
    answers = read_answers(course.solutions)
    work = HandedIn.read(course.released(LESSON))
    for name in answers.library.exercises:
        work.fill(name, answers.right(name))
    for name in answers.library.questions:
        work.fill(name, answers.key(name))
    path = course.root / f"{LESSON}.ipynb"
    path.write_text(work.text())
    return path


@dataclass(frozen=True)
class Aftermath:
    """What an attack came to, and what it left."""

    attack: Attack
    graded: Graded
    again: Graded | None
    next_one: Graded
    left_behind: set[int]

    def scores(self) -> dict[str, float | None]:
        verdicts = {**self.graded.exercises, **self.graded.questions}
        return {name: verdict.score for name, verdict in verdicts.items()}

    def shown(self) -> str:
        """Everything that comes out of grading, as text."""
        return "\n".join(
            json.dumps([graded.to_json(), *(cell.get("outputs", []) for cell in graded.notebook.cells)])
            for graded in (self.graded, self.again)
            if graded is not None
        )


@pytest.fixture(scope="module", params=sorted(ATTACKS))
def aftermath(
    request: pytest.FixtureRequest,
    course: Course,
    grader: Grader,
    honest: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Aftermath:
    attack = ATTACKS[request.param]
    path = tmp_path_factory.mktemp(attack.name) / f"{LESSON}.ipynb"
    source = (SUBMISSIONS / attack.name / path.name).read_text(encoding="utf-8")
    path.write_text(source.replace(COURSE, str(course.root)), encoding="utf-8")
    _adopt_orphans()
    before = _descendants()
    graded = grader.grade(path)
    again = grader.grade(path) if attack.family == "writing" else None
    left_behind = _descendants_later_than(before)
    return Aftermath(attack, graded, again, grader.grade(honest), left_behind)


def test_attacked_parts_earn_nothing(aftermath: Aftermath) -> None:
    scores = aftermath.scores()
    assert {name: scores[name] for name in aftermath.attack.attacked} == dict.fromkeys(
        aftermath.attack.attacked, 0
    )


def test_honest_parts_keep_their_points(aftermath: Aftermath) -> None:
    verdicts = {**aftermath.graded.exercises, **aftermath.graded.questions}
    lost = {
        name: (verdict.outcome.value, verdict.message)
        for name, verdict in verdicts.items()
        if name not in aftermath.attack.attacked and verdict.score != verdict.max_score
    }
    assert lost == {}


def test_no_attack_is_blamed_on_the_grader(aftermath: Aftermath) -> None:
    verdicts = [*aftermath.graded.exercises.values(), *aftermath.graded.questions.values()]
    assert [verdict.name for verdict in verdicts if verdict.outcome is Outcome.GRADER_ERROR] == []


def test_no_secret_is_shown(aftermath: Aftermath, course: Course) -> None:
    shown = aftermath.shown()
    secrets = [CANARY, course.secret().hex(), "from autograder.exercise import"]
    assert [secret for secret in secrets if secret in shown] == []


def test_no_wall_gave_way(aftermath: Aftermath) -> None:
    """Attacks print LOOT with what they could read, write or reach; all may see their own environment."""
    loot = re.findall(r"LOOT (?!environ)[^\\]{0,200}", aftermath.shown())
    assert [*loot, *re.findall("LIFTED", aftermath.shown())] == []


def test_the_points_there_are_stay_as_released(aftermath: Aftermath) -> None:
    assert aftermath.graded.max_score == aftermath.next_one.max_score
    assert aftermath.graded.scores().keys() == aftermath.next_one.scores().keys()


def test_the_check_cells_outputs_are_the_judges(aftermath: Aftermath) -> None:
    """nbgrader reads a score off the first execute_result: it must be the judge's, under every check."""
    for name, score in aftermath.scores().items():
        cell = next(
            cell
            for cell in aftermath.graded.notebook.cells
            if cell.metadata.get("nbgrader", {}).get("grade_id") == f"test_{name}"
        )
        results = [output for output in cell.outputs if output.output_type == "execute_result"]
        assert [float(result.data["text/plain"]) for result in results] == [score]
        assert {output.output_type for output in cell.outputs} <= {"display_data", "execute_result"}


def test_the_graded_notebook_stays_small(aftermath: Aftermath) -> None:
    assert len(aftermath.shown()) < 8_000_000


def test_no_process_is_left_behind(aftermath: Aftermath) -> None:
    assert {pid: _command(pid) for pid in aftermath.left_behind} == {}


def test_the_next_submission_gets_full_marks(aftermath: Aftermath) -> None:
    assert aftermath.next_one.score == aftermath.next_one.max_score


def test_files_of_the_course_stay_as_they_were(
    aftermath: Aftermath, course: Course, sources: dict[str, bytes]
) -> None:
    assert (course.root / "gradebook.db").read_text() == PLANTED
    assert sorted(path.name for path in course.root.iterdir()) == [
        ".course_secret",
        f"{LESSON}.ipynb",
        "attention_lib",
        "gradebook.db",
        "nbgrader_config.py",
        "notebooks",
        "solutions",
        "submitted",
    ]
    assert _sources(course.library_dir) == sources


def _sources(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.py")}


def _adopt_orphans() -> None:
    """Processes whose parents end become children of this one, so that none escapes being counted."""
    PR_SET_CHILD_SUBREAPER = 36
    assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0


def _descendants_later_than(before: set[int]) -> set[int]:
    """The processes that were not there before and do not end within a second."""
    deadline = time.monotonic() + 1
    while (left := _descendants() - before) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


def _descendants() -> set[int]:
    parents = {pid: parent for pid in _all_pids() if (parent := _living_parent(pid)) is not None}
    found, waiting = set(), [os.getpid()]
    while waiting:
        above = waiting.pop()
        below = [pid for pid, parent in parents.items() if parent == above]
        found.update(below)
        waiting += below
    return found


def _all_pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _living_parent(pid: int) -> int | None:
    """The parent's id; None for a process that is gone or waits to be reaped."""
    try:
        state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    except OSError:
        return None
    return None if state == "Z" else int(parent)


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return "gone by now"
