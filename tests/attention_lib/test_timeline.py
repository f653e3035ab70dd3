"""What ranks do when: intervals, the critical path, the picture."""

from __future__ import annotations

import itertools

import pytest
from matplotlib.colors import to_rgb

from attention_lib import timeline
from attention_lib.timeline import Interval

#: Rank 1 is late in the first step, rank 0 in the second.
WORK = [[1.0, 3.0], [2.0, 0.0]]


def bars(figure):
    """(rank, start, end) of each bar."""
    return [
        (round(bar.get_y() + bar.get_height() / 2), bar.get_x(), bar.get_x() + bar.get_width())
        for bar in figure.axes[0].patches
    ]


def test_a_step_ends_for_all_when_the_slowest_is_done():
    assert timeline.in_lockstep(WORK) == [
        Interval(0, 0.0, 1.0, "computing"),
        Interval(0, 1.0, 3.0, "waiting"),
        Interval(1, 0.0, 3.0, "computing"),
        Interval(0, 3.0, 5.0, "computing"),
        Interval(1, 3.0, 5.0, "waiting"),
    ]


def test_the_critical_path_is_the_sum_of_the_longest():
    assert timeline.critical_path(timeline.in_lockstep(WORK)) == 5.0
    assert timeline.critical_path([]) == 0.0


def test_shares_are_of_all_ranks_time():
    """Fails when a rank that is done early counts as if its time ended there."""
    intervals = timeline.in_lockstep(WORK)
    assert timeline.share(intervals, "computing") == pytest.approx(6 / 10)
    assert timeline.share(intervals, "waiting") == pytest.approx(4 / 10)
    assert timeline.share([Interval(0, 0, 1), Interval(1, 0, 4)], "computing") == pytest.approx(5 / 8)
    assert timeline.share([], "computing") == 0.0


def test_every_interval_is_a_bar_in_its_ranks_row():
    figure = timeline.draw(timeline.in_lockstep(WORK), title="Two ranks", alt="Both.", across="time (s)")
    axes = figure.axes[0]
    assert bars(figure) == [(0, 0, 1), (0, 1, 3), (1, 0, 3), (0, 3, 5), (1, 3, 5)]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["rank 0", "rank 1"]
    assert (axes.get_title(), axes.get_xlabel(), figure.alt) == ("Two ranks", "time (s)", "Both.")
    low, high = axes.get_ylim()
    assert low > high, "rank 0 stands at the top"


def test_kinds_differ_in_hatch_and_in_lightness_and_are_named_below():
    kinds = ["computing", "sending", "waiting"]
    figure = timeline.draw([Interval(0, start, start + 1, kind) for start, kind in enumerate(kinds)])
    drawn = figure.axes[0].patches
    assert len({bar.get_hatch() for bar in drawn}) == 3
    lightness = sorted(sum(to_rgb(bar.get_facecolor())) for bar in drawn)
    assert min(b - a for a, b in itertools.pairwise(lightness)) > 0.2
    [legend] = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == kinds


def test_what_does_not_occur_is_not_named():
    [legend] = timeline.draw([Interval(0, 0, 1)]).legends
    assert [text.get_text() for text in legend.get_texts()] == ["computing"]


def test_two_pictures_can_share_an_axis_of_time():
    assert timeline.draw([Interval(0, 0, 1)], room=10).axes[0].get_xlim()[1] >= 10
    assert timeline.draw([Interval(0, 0, 20)], room=10).axes[0].get_xlim()[1] >= 20


def test_rows_may_have_other_names():
    axes = timeline.draw(timeline.in_lockstep(WORK), names=["in turn", "at once"]).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["in turn", "at once"]
    with pytest.raises(ValueError, match="1 names for 2 ranks"):
        timeline.draw(timeline.in_lockstep(WORK), names=["one"])


def test_wrong_input_is_named():
    with pytest.raises(ValueError, match="doing is 'sleeping': expected one of computing, sending, waiting"):
        Interval(0, 0, 1, "sleeping")
    with pytest.raises(ValueError, match=r"rank 2 ends at 1, before its 3"):
        Interval(2, 3, 1)
    with pytest.raises(ValueError, match=r"work has shape \(3,\)"):
        timeline.in_lockstep([1, 2, 3])
    with pytest.raises(ValueError, match="no interval"):
        timeline.draw([])
