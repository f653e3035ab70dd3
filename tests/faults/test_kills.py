"""A sample of the soak: whatever is killed, the gradebook, the notebooks and the verdicts end as they would
have without, what a person scored is there, and no process is left. `make soak` does it 200 times."""

from __future__ import annotations

import re
import signal

import pytest
from soaking.classes import MANUAL_COMMENT, MANUAL_SCORES, by_hand
from soaking.rounds import VICTIMS, Blow

# nbgrader's and SQLAlchemy's own, when a gradebook is opened to be compared
pytestmark = pytest.mark.filterwarnings("ignore")

STOPPED_BY_HAND = 130


def unharmed(outcome) -> bool:
    """Nothing to tell apart from the undisturbed run; the message of a failure shows what there is."""
    assert outcome.differences == []
    assert outcome.left_processes == []
    assert outcome.left_sandboxes == []
    return True


@pytest.mark.parametrize("victims", [("child", "zygote's parent"), ("zygote", "first zygote")])
def test_what_dies_while_it_is_needed_is_replaced_in_the_same_run(strike, states, victims):
    there = [VICTIMS[name] for name in victims if VICTIMS[name].kind in states["fresh"].windows.seen]
    blows = [Blow(victim, verdicts=verdicts) for victim, verdicts in zip(there, (1, 3), strict=False)]
    outcome = strike("fresh", *blows)
    assert unharmed(outcome)
    assert outcome.codes == [0]


def test_scores_and_comments_by_hand_survive_a_regrade_in_which_workers_are_killed(strike, states):
    """So does the run when the process is dead that its new workers would have been forked from."""
    server, worker = VICTIMS["forkserver"], VICTIMS["worker"]
    outcome = strike("regraded", Blow(server, verdicts=1), Blow(worker, verdicts=1), Blow(worker, verdicts=3))
    assert unharmed(outcome)
    assert outcome.codes == [0], "batches of lost workers are graded again in the same run"
    kept = by_hand(states["regraded"].state.expected.rows)
    for cell, score in MANUAL_SCORES:
        assert f"amara.okafor: {cell} {score}" in kept
    assert f"amara.okafor: {MANUAL_COMMENT[0]} {MANUAL_COMMENT[1]}" in kept


def test_a_run_that_is_killed_goes_on_where_it_was_when_it_is_run_again(strike, place):
    outcome = strike("fresh", Blow(VICTIMS["run"], verdicts=1))
    assert unharmed(outcome)
    assert outcome.codes == [-signal.SIGKILL, 0]
    (unchanged,) = re.findall(r"(\d+) unchanged", (place / "log").read_text())
    assert int(unchanged) >= 1, "what was recorded is not graded again"


def test_a_run_that_is_stopped_with_ctrl_c_before_anything_is_graded_leaves_nothing_behind(strike, states):
    first_worker = states["fresh"].windows.seen["worker"][0]
    outcome = strike("fresh", Blow(VICTIMS["run by Ctrl-C"], at=first_worker))
    assert unharmed(outcome)
    assert outcome.codes[0] != 0
    assert outcome.codes[-1] == 0


def test_a_run_that_is_stopped_with_ctrl_c_says_that_it_goes_on_and_does(strike, place):
    outcome = strike("fresh", Blow(VICTIMS["run by Ctrl-C"], verdicts=1))
    assert unharmed(outcome)
    assert outcome.codes == [STOPPED_BY_HAND, 0]
    assert "the same command goes on from here" in (place / "log").read_text()
