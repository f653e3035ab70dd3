"""One submission's cells in order, with the sandbox played by functions in this process."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from autograder.exercise import Outcome
from autograder.judging import runner
from autograder.judging.runner import KilledFromOutside, run
from autograder.sandbox.client import CellRun, ChildDied, ChildTimedOut, Limits
from autograder.sandbox.script import Undefined, perform


class FakeChild:
    """Runs cells by exec. `die()` ends it, `hang(alive)` is a time-out, `die_later()` ends the next one."""

    def __init__(self, log):
        self.log = log
        self.namespace = {"die": self._die, "hang": self._hang, "np": __import__("numpy")}

    def _die(self):
        raise ChildDied("the process ended")

    def _hang(self, alive=False):
        raise ChildTimedOut("ran longer than 1 s", alive=alive, outputs=[STREAM])

    def run_cell(self, source):
        self.log.append(source)
        try:
            exec(source, self.namespace)
        except (ChildDied, ChildTimedOut):
            raise
        except Exception as error:
            return CellRun([], type(error).__name__)
        return CellRun([STREAM], None)

    def ask_all(self, scripts):
        return [self.ask(steps) for steps in scripts]

    def ask(self, steps):
        try:
            return perform(steps, self.namespace)
        except KeyboardInterrupt:
            self._hang()

    def look(self, name):
        return self.namespace.get(name, Undefined(name))

    def kill(self):
        self.log.append("killed")


class FakeSandbox:
    def __init__(self):
        self.log = []

    def child(self):
        self.log.append("child")
        return FakeChild(self.log)


STREAM = {"output_type": "stream", "name": "stdout", "text": "shown"}
DOUBLED = "def doubled(X): return 2 * X"


@pytest.fixture
def sandbox():
    return FakeSandbox()


def notebook(*sources):
    cells = [new_code_cell(source, id=f"cell-{at}", metadata={}) for at, source in enumerate(sources)]
    return new_notebook(cells=cells)


def graded_as(cell, name):
    cell.metadata["nbgrader"] = {"grade_id": name}
    return cell


def test_cells_run_in_order_and_checks_are_asked_not_run(sandbox, judge):
    submitted = notebook("x = 1", DOUBLED, "raise RuntimeError('a check cell is never run')")
    graded_as(submitted.cells[2], "test_doubled")
    verdicts = run(submitted, judge, sandbox, Limits())
    assert sandbox.log == ["child", "x = 1", DOUBLED, "killed"]
    assert verdicts.exercises["doubled"].score == 4
    assert submitted.cells[0].outputs[0].text == "shown"
    assert submitted.cells[2].outputs[-1].data["text/plain"] == "4"


def test_experiments_and_empty_cells_are_skipped(sandbox, judge):
    submitted = notebook("x = 1", "y = 2", "  ")
    submitted.cells[1].metadata["tags"] = ["experiment"]
    run(submitted, judge, sandbox, Limits())
    assert sandbox.log == ["child", "x = 1", "killed"]


def test_a_cell_that_is_to_bring_a_function_is_run_only_where_it_says_more():
    calls = {
        'bring("softmax", "05_softmax")': True,
        'bring("softmax", "05_softmax")\nx = 1': False,
        "x": False,
    }
    assert {source: runner._is_skipped(new_code_cell(source)) for source in calls} == calls


def test_after_a_death_a_new_child_runs_the_other_cells_again(sandbox, judge):
    submitted = notebook("x = 1", "die()", DOUBLED, "check")
    graded_as(submitted.cells[3], "test_doubled")
    verdicts = run(submitted, judge, sandbox, Limits())
    assert sandbox.log == ["child", "x = 1", "die()", "killed", "child", "x = 1", DOUBLED, "killed"]
    assert verdicts.exercises["doubled"].outcome is Outcome.PASSED
    assert submitted.cells[1].outputs[0].evalue == "the process ended"


def test_a_cell_that_runs_out_of_time_keeps_what_it_had_shown_and_is_not_run_again(sandbox, judge):
    submitted = notebook("hang(alive=True)", "die()", "z = 3")
    run(submitted, judge, sandbox, Limits())
    assert sandbox.log == ["child", "hang(alive=True)", "die()", "killed", "child", "z = 3", "killed"]
    assert [output.output_type for output in submitted.cells[0].outputs] == ["stream", "error"]


def test_a_cell_that_dies_only_when_it_is_run_again_is_dropped(sandbox, judge):
    seen = []
    sandbox.child = lambda: _with(FakeChild(sandbox.log), first=lambda: not seen and seen.append(1) is None)
    fragile = "if not first(): die()"
    submitted = notebook(fragile, "die()", "z = 3")
    run(submitted, judge, sandbox, Limits())
    assert sandbox.log == [fragile, "die()", "killed", fragile, "killed", "z = 3", "killed"]


def _with(child, **names):
    child.namespace |= names
    return child


def test_past_the_submissions_time_nothing_more_is_run(sandbox, judge, monkeypatch):
    clock = {"now": 0.0}
    monkeypatch.setattr(runner, "time", SimpleNamespace(monotonic=lambda: clock["now"]))
    sandbox.child = lambda: _with(FakeChild(sandbox.log), clock=clock)
    submitted = notebook("clock['now'] = 301.0", "y = 2", "check")
    graded_as(submitted.cells[2], "test_doubled")
    verdicts = run(submitted, judge, sandbox, Limits(submission_seconds=300))
    assert sandbox.log == ["clock['now'] = 301.0", "killed"]
    assert verdicts.exercises["doubled"].outcome is Outcome.TIMED_OUT


def test_a_question_is_looked_up_and_its_failed_cell_is_named(sandbox, judge):
    submitted = notebook("pick = 'B'", "pick", "pair = 1 / 0", "pair")
    for cell, name in zip(submitted.cells, ["pick", "test_pick", "pair", "test_pair"], strict=True):
        graded_as(cell, name)
    verdicts = run(submitted, judge, sandbox, Limits())
    assert verdicts.questions["pick"].score == 1
    assert verdicts.questions["pair"].outcome is Outcome.ERRORED
    assert "ZeroDivisionError" in verdicts.questions["pair"].message


def test_past_the_submissions_time_no_cell_is_run_again(sandbox, judge, monkeypatch):
    clock = {"now": 0.0}
    monkeypatch.setattr(runner, "time", SimpleNamespace(monotonic=lambda: clock["now"]))
    sandbox.child = lambda: _with(FakeChild(sandbox.log), clock=clock)
    slow = "clock['now'] += 90"
    submitted = notebook(slow, slow, "die()", "z = 3")
    run(submitted, judge, sandbox, Limits(submission_seconds=200))
    assert sandbox.log == [slow, slow, "die()", "killed", slow, "killed"]


def _killed():
    raise ChildDied("the process was killed", killed=True)


def test_a_process_killed_from_outside_is_not_blamed_on_the_cell(sandbox, judge):
    sandbox.child = lambda: _with(FakeChild(sandbox.log), strike=_killed)
    with pytest.raises(KilledFromOutside):
        run(notebook("x = 1", "strike()"), judge, sandbox, Limits(), lambda place: False)
    assert sandbox.log[-1] == "killed"


def test_with_the_blame_on_the_student_a_kill_is_a_death_like_any_other(sandbox, judge):
    sandbox.child = lambda: _with(FakeChild(sandbox.log), strike=_killed)
    submitted = notebook("x = 1", "strike()", "y = 2")
    run(submitted, judge, sandbox, Limits(), lambda place: True)
    assert [cell.outputs[0].output_type for cell in submitted.cells] == ["stream", "error", "stream"]


def test_a_kill_while_earlier_cells_run_again_is_not_blamed_on_them_either(sandbox, judge):
    seen = []
    sandbox.child = lambda: _with(
        FakeChild(sandbox.log), later=lambda: _killed() if seen else seen.append("once")
    )
    with pytest.raises(KilledFromOutside):
        run(notebook("later()", "die()", "x = 1"), judge, sandbox, Limits(), lambda place: False)


def test_what_all_cells_show_together_is_limited_and_the_note_says_so(sandbox, judge, monkeypatch):
    monkeypatch.setattr(runner, "MOST_SHOWN", 100)
    submitted = notebook("x = 1", "y = 2", "z = 3")
    run(submitted, judge, sandbox, Limits())
    shown = [cell.outputs[0].text for cell in submitted.cells]
    assert shown == ["shown", runner.TOO_MUCH, runner.TOO_MUCH]


def test_what_an_earlier_question_left_behind_is_not_blamed_on_the_next_cell(sandbox, judge):
    """A child that is caught is followed by a new one, which answers for the cell alone."""
    caught = []

    def find_out():
        if not caught:
            caught.append("once")
            raise ChildDied("more threads than a notebook can need", caught=True)

    sandbox.child = lambda: _with(FakeChild(sandbox.log), find_out=find_out)
    submitted = notebook("x = 1", "find_out()", "y = 2")
    run(submitted, judge, sandbox, Limits())
    assert sandbox.log == ["x = 1", "find_out()", "killed", "x = 1", "find_out()", "y = 2", "killed"]
    assert all(cell.outputs[0].output_type == "stream" for cell in submitted.cells)


def test_what_a_new_child_is_caught_at_is_the_cells_own_doing(sandbox, judge):
    def find_out():
        raise ChildDied("more threads than a notebook can need", caught=True)

    sandbox.child = lambda: _with(FakeChild(sandbox.log), find_out=find_out)
    submitted = notebook("x = 1", "find_out()", "y = 2")
    run(submitted, judge, sandbox, Limits())
    assert [cell.outputs[0].output_type for cell in submitted.cells] == ["stream", "error", "stream"]
    assert sandbox.log.count("find_out()") == 2


def test_the_time_of_the_cells_is_told_apart_from_that_of_the_asking(sandbox, judge, monkeypatch):
    now = 100.0

    class SlowChild(FakeChild):
        def run_cell(self, source):
            nonlocal now
            now += 3.0
            return super().run_cell(source)

        def ask(self, steps):
            nonlocal now
            now += 0.5
            return super().ask(steps)

    monkeypatch.setattr(runner, "time", SimpleNamespace(monotonic=lambda: now))
    sandbox.child = lambda: SlowChild(sandbox.log)
    cells = notebook("a = 1", DOUBLED, "check('doubled')")
    graded_as(cells.cells[2], "test_doubled")
    done = run(cells, judge, sandbox, Limits())
    assert done.cells_seconds == 6.0
    assert done.seconds > done.cells_seconds
