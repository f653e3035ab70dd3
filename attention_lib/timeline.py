"""What each rank does when: computing, sending, waiting.

from attention_lib import timeline

work = [[3, 1], [2, 2]]                        # units of work: a row per step, a column per rank
timeline.draw(timeline.in_lockstep(work), title="Two ranks, two steps", alt="…")
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from attention_lib.picture import SERIES_COLOURS, Picture, picture, shown, without_box

#: Bright for nothing done, dark for work; each kind has a hatch of its own.
_STYLES: dict[str, dict[str, Any]] = {
    "computing": {"facecolor": SERIES_COLOURS[0], "hatch": ""},
    "sending": {"facecolor": SERIES_COLOURS[1], "hatch": "///"},
    "waiting": {"facecolor": "white", "hatch": "..."},
}
_WIDTH = 7.6  # inches


@dataclass(frozen=True)
class Interval:
    """From `start` to `end` rank `rank` was `doing` one of: computing, sending, waiting."""

    rank: int
    start: float
    end: float
    doing: str = "computing"

    def __post_init__(self) -> None:
        if self.doing not in _STYLES:
            raise ValueError(f"doing is {self.doing!r}: expected one of {', '.join(_STYLES)}")
        if self.end < self.start:
            raise ValueError(f"an interval of rank {self.rank} ends at {self.end}, before its {self.start}")


def in_lockstep(work: Any) -> list[Interval]:
    """Intervals of ranks that take every step together: `work` (steps, P) units, each for one unit of time.

    A step ends for all when the slowest rank is done; the others wait for it. Raises ValueError unless
    `work` has two axes.
    """
    units = np.asarray(work, dtype=float)
    if units.ndim != 2:
        raise ValueError(f"work has shape {units.shape}: expected (steps, P), a row per step")
    longest = units.max(axis=1, initial=0.0)
    intervals = []
    for start, step, end in zip(np.cumsum(longest) - longest, units, np.cumsum(longest), strict=True):
        for rank, own in enumerate(step):
            parts = ((start, start + own, "computing"), (start + own, end, "waiting"))
            intervals += [Interval(rank, *part) for part in parts if part[1] > part[0]]
    return intervals


def critical_path(intervals: Sequence[Interval]) -> float:
    """When the last rank is done: the time from 0 to the end of the last interval; 0 for none."""
    return max((interval.end for interval in intervals), default=0.0)


def share(intervals: Sequence[Interval], doing: str) -> float:
    """The share of all ranks' time, from 0 to the critical path's end, spent on `doing`; 0 for no time."""
    ranks = {interval.rank for interval in intervals}
    time = critical_path(intervals) * len(ranks)
    spent = sum(interval.end - interval.start for interval in intervals if interval.doing == doing)
    return spent / time if time else 0.0


def draw(
    intervals: Sequence[Interval],
    title: str = "",
    alt: str = "",
    *,
    across: str = "time",
    room: float = 0.0,
    names: Sequence[str] | None = None,
) -> Picture:
    """Draw a bar per rank along the time, rank 0 at the top, each stretch in the colour of what was done.

    `across` names the axis of time, with its unit, `names` the bars instead of rank 0, rank 1, … With
    `room`, the axis reaches at least so far: two pictures can be compared. Raises ValueError when there is
    no interval, or not one name for each rank.
    """
    if not intervals:
        raise ValueError("there is no interval to draw")
    P = 1 + max(interval.rank for interval in intervals)
    names = [f"rank {rank}" for rank in range(P)] if names is None else names
    if len(names) != P:
        raise ValueError(f"{len(names)} names for {P} ranks: expected one for each")
    figure = picture(_WIDTH, 1.5 + 0.36 * P, alt or title or f"What {P} ranks do along the time")
    axes = figure.add_subplot()
    for interval in intervals:
        style = {"edgecolor": "black", "linewidth": 0.6, **_STYLES[interval.doing]}
        axes.barh(interval.rank, interval.end - interval.start, 0.72, interval.start, **style)
    axes.set(title=title, xlabel=across, xlim=(0, max(room, critical_path(intervals)) * 1.02 or 1))
    axes.set_yticks(range(P), names)
    axes.invert_yaxis()
    without_box(axes)
    _legend(figure, axes, {interval.doing for interval in intervals})
    return shown(figure)


def _legend(figure: Picture, axes: Axes, drawn: set[str]) -> None:
    """Name the kinds that were drawn below the axes, in the order of their styles."""
    names = [name for name in _STYLES if name in drawn]
    patches = [Patch(edgecolor="black", linewidth=0.6, label=name, **_STYLES[name]) for name in names]
    figure.legend(handles=patches, loc="outside lower center", ncols=len(names), fontsize=9)
