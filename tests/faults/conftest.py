"""A small class in two states, each graded once undisturbed, and rounds that strike a run of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from soaking.classes import FEW_MEMBERS
from soaking.processes import adopting_orphans
from soaking.ready import Ready, prepare
from soaking.rounds import Blow, Round, play

Strike = Callable[..., Round]


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Ready]]:
    """By name: "fresh", and "regraded": scored by hand, to be graded again with --force."""
    with adopting_orphans():
        made = prepare(tmp_path_factory.mktemp("soak"), workers=2, members=FEW_MEMBERS)
        yield {one.state.name: one for one in itertools.islice(made, 2)}


@pytest.fixture
def strike(states: dict[str, Ready], tmp_path: Path) -> Strike:
    """`strike("fresh", Blow(...), ...)`: a run that is struck, and runs until nothing is open."""

    def play_one(state: str, *blows: Blow) -> Round:
        outcome = play(states[state].state, tmp_path / "round", blows)
        assert len(outcome.struck) == len(blows), f"struck {outcome.struck}"
        return outcome

    return play_one
