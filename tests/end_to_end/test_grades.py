"""What a lesson's notebook is graded, from the file to the verdict, in the sandbox."""

from __future__ import annotations

import json
import subprocess
import sys

import nbformat
import pytest
from answers import with_cell
from sample_class.answers import defined_as

from autograder.exercise import Outcome

from .conftest import LESSONS, on_one_lesson

CONTRACT = {"lesson", "score", "max_score", "needs_manual", "exercises", "questions", "sandbox", "seconds"}


def judge_command(path, *options):
    command = [sys.executable, "-m", "autograder.cli", "judge", str(path), "--json", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_solved_notebook_gets_the_full_score(grader, solved, hidden):
    graded = grader.grade_notebook(solved)
    assert {name: v.score for name, v in graded.exercises.items()} == {
        name: exercise.points for name, exercise in hidden.exercises.items()
    }
    assert {name: v.score for name, v in graded.questions.items()} == {
        name: question.points for name, question in hidden.questions.items()
    }
    assert graded.score == graded.max_score == hidden.max_score


def test_released_notebook_untouched_gets_nothing_and_is_nobodys_error(grader, released, hidden):
    graded = grader.grade_notebook(released)
    verdicts = [*graded.exercises.values(), *graded.questions.values()]
    assert len(verdicts) == len(hidden.exercises) + len(hidden.questions)
    assert {verdict.outcome for verdict in verdicts} == {Outcome.MISSING}
    assert (graded.score, graded.needs_manual) == (0, ())


def test_a_written_answer_waits_for_a_person_and_a_blank_one_is_worth_nothing(
    grader, solved, released, hidden
):
    assert hidden.free_texts
    answered, blank = grader.grade_notebook(solved), grader.grade_notebook(released)
    assert set(answered.needs_manual) == set(hidden.free_texts)
    for name in hidden.free_texts:
        assert (answered.scores()[name], blank.scores()[name]) == (None, 0)


def test_each_misconception_costs_its_own_exercise_alone_and_is_named(mistaken, hidden):
    for (name, known), graded in mistaken.items():
        assert graded.exercises[name].misconception == known
        assert graded.exercises[name].score < hidden.exercises[name].points
        others = {n: v.score for n, v in graded.exercises.items() if n != name}
        full = {n: e.points for n, e in hidden.exercises.items() if n != name}
        assert others == full, f"{name} as {known} cost others too"


def test_errors_carried_forward_say_from_where(mistaken, hidden):
    carried = {
        (name, n, verdict.carried_from)
        for (name, _), graded in mistaken.items()
        for n, verdict in graded.exercises.items()
        if verdict.carried_from
    }
    assert all(mistaken_one == source for mistaken_one, _, source in carried)
    if hidden.lesson.startswith("01_"):
        pairs = {(source, downstream) for _, downstream, source in carried}
        assert pairs == {
            ("score_matrix", "first_approach_output"),
            ("causal_weights", "first_approach_output"),
        }


def test_every_other_right_solution_gets_full_points(grader, solved, hidden):
    for name, exercise in hidden.exercises.items():
        assert len(exercise.alternatives) >= 3
        for function in exercise.alternatives:
            graded = grader.grade_notebook(with_cell(solved, name, defined_as(name, function)))
            assert graded.score == graded.max_score, (name, function.__name__, graded.exercises[name].message)


def test_warnings_and_printing_cost_nothing(grader, solved, hidden):
    for name, exercise in hidden.exercises.items():
        noisy = defined_as(name, exercise.reference) + (
            "\nimport sys, warnings\n"
            f"quiet = {name}\n"
            f"def {name}(*arguments):\n"
            "    print('working', arguments)\n"
            "    print('still working', file=sys.stderr)\n"
            "    warnings.warn('careful', RuntimeWarning)\n"
            "    np.log(np.zeros(2))\n"
            "    return quiet(*arguments)\n"
        )
        assert grader.grade_notebook(with_cell(solved, name, noisy)).score == hidden.max_score


def test_judge_command_prints_the_contract(course, lesson, tmp_path, hidden):
    path = tmp_path / f"{lesson}.ipynb"
    path.write_bytes(course.solved(lesson).read_bytes())
    done = judge_command(path)
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert set(printed) == CONTRACT
    assert (printed["lesson"], printed["score"], printed["max_score"]) == (
        lesson,
        hidden.max_score,
        hidden.max_score,
    )
    for verdict in printed["exercises"].values():
        assert set(verdict) == {
            "outcome",
            "score",
            "max_score",
            "misconception",
            "carried_from",
            "message",
            "aspects",
        }


def test_judge_command_reads_the_lesson_from_an_option(course, lesson, tmp_path):
    path = tmp_path / "renamed by a student.ipynb"
    path.write_bytes(course.released(lesson).read_bytes())
    assert judge_command(path).returncode == 2
    printed = json.loads(judge_command(path, "--lesson", lesson).stdout)
    assert printed["score"] == 0


@on_one_lesson
def test_a_notebook_that_cannot_be_read_is_one_clear_line_and_exit_2(lesson, tmp_path):
    path = tmp_path / f"{lesson}.ipynb"
    path.write_text("{ not json")
    done = judge_command(path)
    assert done.returncode == 2
    assert "not valid JSON" in json.loads(done.stdout)["error"]


TROUBLES = [
    ("while True:\n        pass", Outcome.TIMED_OUT),
    ("return np.ones(8 << 30)", Outcome.ERRORED),
    ("while True:\n        print('x' * 10_000)", Outcome.TIMED_OUT),
]
ENDS_PYTHON = ("import os\n    os._exit(0)", Outcome.ERRORED)


@pytest.mark.parametrize(
    ("lesson", "trouble", "outcome"),
    [
        *((LESSONS[0], *trouble) for trouble in TROUBLES),
        *((lesson, *ENDS_PYTHON) for lesson in LESSONS),
    ],
    indirect=["lesson"],
    scope="session",
)
def test_trouble_in_one_function_costs_that_exercise_alone(quick_grader, solved, hidden, trouble, outcome):
    for name, exercise in hidden.exercises.items():
        broken = f"def {name}(*arguments, **named):\n    {trouble}\n"
        graded = quick_grader.grade_notebook(with_cell(solved, name, broken))
        assert (graded.exercises[name].outcome, graded.exercises[name].score) == (outcome, 0)
        lost = {n: v.message for n, v in graded.exercises.items() if v.score < v.max_score and n != name}
        assert graded.score == hidden.max_score - exercise.points, (name, lost)


@on_one_lesson
@pytest.mark.parametrize(
    ("trouble", "outcome"),
    [
        ("while True: pass", Outcome.TIMED_OUT),
        ("while True: print('x' * 10_000)", Outcome.TIMED_OUT),
        ("import os; os._exit(0)", Outcome.ERRORED),
        ("x = bytearray(64 << 30)", Outcome.ERRORED),
        ("def (", Outcome.ERRORED),
    ],
)
def test_trouble_in_one_cell_costs_what_that_cell_defines(quick_grader, solved, hidden, trouble, outcome):
    for name, exercise in hidden.exercises.items():
        graded = quick_grader.grade_notebook(with_cell(solved, name, trouble))
        assert (graded.exercises[name].outcome, graded.exercises[name].score) == (outcome, 0)
        assert graded.score == hidden.max_score - exercise.points, name


def test_grading_writes_a_valid_notebook(grader, solved):
    graded = grader.grade_notebook(solved).notebook
    nbformat.validate(graded)
    judged = [cell.id for cell in graded.cells if cell.id.startswith("test_") and not cell.outputs]
    assert judged == []


@on_one_lesson
def test_a_submission_of_another_release_is_graded_and_says_so(grader, solved):
    digest = solved.metadata.course_release.partition("-")[2]
    told = {}
    for stamp in ("0.0.1-00000000", f"0.0.1-{digest}", None):
        solved.metadata["course_release"] = stamp
        told[stamp] = grader.grade_notebook(solved)
    assert [graded.other_release for graded in told.values()] == ["0.0.1-00000000", None, None]
    assert {graded.score for graded in told.values()} == {told[None].max_score}
    assert told["0.0.1-00000000"].to_json()["other_release"] == "0.0.1-00000000"
    assert set(told[None].to_json()) == CONTRACT
