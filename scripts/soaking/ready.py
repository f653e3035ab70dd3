"""The states of a class that runs of the soak start from, each with what an undisturbed run leaves of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from soaking.classes import MEMBERS, State, grade_by_hand, hand_in_again, make_class
from soaking.rounds import Windows, undisturbed


@dataclass(frozen=True)
class Ready:
    """A state, which knows what an undisturbed run of it leaves, and when such a run has which processes."""

    state: State
    windows: Windows


def prepare(folder: Path, workers: int, members: Sequence[str] = MEMBERS) -> Iterator[Ready]:
    """Nothing graded yet; graded, scored by hand and to be graded again; and that with new work handed in.
    Each is graded when it is asked for."""
    make_class(folder / "fresh", members)
    yield _ready(State("fresh", folder / "fresh"), folder / "fresh-run", workers)
    graded = State("graded", folder / "fresh-run" / "class")
    grade_by_hand(graded.copy_to(folder / "regraded"))
    regraded = State("regraded", folder / "regraded", force=True)
    yield _ready(regraded, folder / "regraded-run", workers)
    hand_in_again(regraded.copy_to(folder / "again"))
    yield _ready(State("handed in again", folder / "again"), folder / "again-run", workers)


def _ready(state: State, folder: Path, workers: int) -> Ready:
    record, windows = undisturbed(state, folder, workers)
    return Ready(dataclasses.replace(state, expected=record), windows)
