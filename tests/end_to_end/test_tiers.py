"""Grading on lesser kernels: the base tier is enough, below it grading refuses unless told otherwise."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.course import Course
from autograder.grading import Grader
from autograder.library import UserError
from autograder.sandbox import isolation

from .conftest import on_one_lesson

pytestmark = on_one_lesson

BASE = {"limits", "privileges", "landlock", "seccomp"}
LESSER_KERNEL = Path(__file__).parents[1] / "lesser_kernel.py"


@pytest.fixture
def judge_on(course, lesson):
    """Run `autograder judge --json` on the solved notebook, on such a kernel: exit code and JSON."""

    def run(kernel, *options):
        judge = [
            sys.executable,
            "-m",
            "autograder.cli",
            "judge",
            str(course.solved(lesson)),
            "--json",
            *options,
        ]
        command = [sys.executable, str(LESSER_KERNEL), kernel, *judge]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    return run


def test_an_unprivileged_container_grades_on_the_base_tier(judge_on, hidden):
    code, graded = judge_on("container")
    assert (code, graded["score"]) == (0, hidden.max_score)
    assert set(graded["sandbox"]) == BASE


@pytest.mark.parametrize("layer", ["landlock", "seccomp"])
def test_below_the_base_tier_grading_refuses_and_says_what_is_missing(judge_on, layer):
    code, answer = judge_on(f"no-{layer}")
    assert (code, set(answer)) == (2, {"error"})
    assert layer in answer["error"]
    assert "--unsafe" in answer["error"]


def test_unsafe_grades_all_the_same_and_says_so(judge_on, hidden):
    code, graded = judge_on("no-landlock", "--unsafe")
    assert (code, graded["score"]) == (0, hidden.max_score)
    assert "landlock" not in graded["sandbox"]
    assert "seccomp" in graded["sandbox"]


@pytest.mark.parametrize("part", ["the class", "the answers"])
def test_a_course_that_lies_where_children_can_read_is_refused(part, course, lesson, tmp_path, monkeypatch):
    """The sandbox shows the libraries of the system and of Python, whatever else lies there."""
    shown = tmp_path / "lib"
    (shown / "deep").mkdir(parents=True)
    monkeypatch.setattr(isolation, "_SYSTEM_FILES", (str(shown),))
    exposed = Course(shown / "deep", course.home) if part == "the class" else Course(tmp_path, shown / "deep")
    with pytest.raises(UserError, match=f"lies in {shown}, where student code may read"):
        Grader(exposed, lesson)
