"""A process that is killed from outside, or a sandbox that is lost, costs a student nothing."""

from __future__ import annotations

import itertools
import os
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from autograder import grading
from autograder.grading import LOSSES_BORNE, Grader
from autograder.judging import runner
from autograder.sandbox.client import Sandbox, SandboxLost

from .conftest import on_one_lesson

pytestmark = on_one_lesson


def zygote_of(child: int) -> int:
    pid = child
    while Path(f"/proc/{pid}/comm").read_text().strip() != "zygote":
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return pid


def await_end(pid: int) -> None:
    deadline = time.monotonic() + 5
    while is_running(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def strike(monkeypatch):
    """Kill, in the middle of the first submissions, what a function of the child's id names."""

    def plan(victim_of, times: int) -> list[int]:
        struck: list[int] = []
        as_it_is = runner.Session.ask

        def ask(self, steps):
            if len(struck) < times:
                struck.append(victim_of(self._child.pid))
                os.kill(struck[-1], signal.SIGKILL)
                await_end(self._child.pid)
            return as_it_is(self, steps)

        monkeypatch.setattr(runner.Session, "ask_ahead", lambda self, scripts: None)
        monkeypatch.setattr(runner.Session, "ask", ask)
        return struck

    return plan


def test_a_kill_from_outside_costs_no_point(grader: Grader, solved, strike):
    struck = strike(lambda child: child, times=1)
    graded = grader.grade_notebook(solved)
    assert len(struck) == 1
    assert graded.score == graded.max_score


def test_a_submission_that_is_killed_again_and_again_is_blamed_for_that_exercise_alone(
    grader: Grader, solved, hidden, strike
):
    strike(lambda child: child, times=2)
    graded = grader.grade_notebook(solved)
    first = next(iter(hidden.exercises.values()))
    assert graded.exercises[first.name].score == 0
    assert "killed" in graded.exercises[first.name].message
    assert graded.score == graded.max_score - first.points


def test_a_kill_after_the_time_for_a_submission_is_blamed(grader: Grader, solved, strike, monkeypatch):
    times = itertools.chain([0.0], itertools.repeat(grader.limits.submission_seconds + 1))
    monkeypatch.setattr(grading, "time", SimpleNamespace(monotonic=lambda: next(times)))
    struck = strike(lambda child: child, times=1)
    graded = grader.grade_notebook(solved)
    assert len(struck) == 1
    assert graded.score < graded.max_score


def test_a_lost_zygote_costs_no_point_and_the_next_submission_goes_on(grader: Grader, solved, strike):
    strike(zygote_of, times=LOSSES_BORNE - 1)
    graded = grader.grade_notebook(solved)
    assert graded.score == graded.max_score
    assert grader.grade_notebook(solved).score == graded.max_score


def test_zygotes_that_are_lost_time_and_again_are_the_graders_own_fault(grader: Grader, solved, monkeypatch):
    def lost(self: Sandbox) -> None:
        raise SandboxLost("gone")

    with monkeypatch.context() as broken:
        broken.setattr(runner.Session, "ask", lambda self, steps: lost(self))
        with pytest.raises(SandboxLost):
            grader.grade_notebook(solved)
    assert grader.grade_notebook(solved).score == grader.grade_notebook(solved).max_score
