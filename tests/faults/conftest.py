"""A small class in two states, each graded once undisturbed, and rounds that strike a run of it."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from soaking.classes import FEW_MEMBERS, remove
from soaking.processes import adopting_orphans
from soaking.ready import Ready, prepare
from soaking.rounds import Blow, Round, play

Strike = Callable[..., Round]


@pytest.fixture(scope="module")
def states() -> Iterator[dict[str, Ready]]:
    """By name: "fresh", and "regraded": scored by hand, to be graded again with --force."""
    with adopting_orphans(), short_folder() as folder:
        made = prepare(folder, workers=2, members=FEW_MEMBERS)
        yield {one.state.name: one for one in itertools.islice(made, 2)}


@pytest.fixture
def place() -> Iterator[Path]:
    """Where a round is played."""
    with short_folder() as folder:
        yield folder / "round"


@contextmanager
def short_folder() -> Iterator[Path]:
    """A run's temporary folder lies in it, and sockets lie there, whose paths must be short."""
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    try:
        yield folder
    finally:
        remove(folder)


@pytest.fixture
def strike(states: dict[str, Ready], place: Path) -> Strike:
    """`strike("fresh", Blow(...), ...)`: a run that is struck, and runs until nothing is open."""

    def play_one(state: str, *blows: Blow) -> Round:
        outcome = play(states[state].state, place, blows)
        assert len(outcome.struck) == len(blows), f"struck {outcome.struck}"
        return outcome

    return play_one
