"""The hostile notebooks that are kept in the repository are what their recipes write."""

from __future__ import annotations

from pathlib import Path

import pytest
from attacks import ATTACKS, FAMILIES, LESSON, attacks_by, index, text, written
from sample_class import read_answers
from sample_class.answers import Answers

REPOSITORY = Path(__file__).parents[2]
SUBMISSIONS = REPOSITORY / "tests" / "submissions" / "hostile"
RELEASED = REPOSITORY / "notebooks" / LESSON / f"{LESSON}.ipynb"


@pytest.fixture(scope="module")
def answers() -> Answers:
    return read_answers()


def test_every_attack_has_its_notebook_and_no_notebook_is_left_over() -> None:
    assert {path.parent.name for path in SUBMISSIONS.glob(f"*/{LESSON}.ipynb")} == set(ATTACKS)


def test_the_index_lists_them_all() -> None:
    assert (SUBMISSIONS / "README.md").read_text(encoding="utf-8") == index()


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_attacks(family: str) -> None:
    assert len(attacks_by(family)) >= 3


def test_every_attack_is_of_a_family() -> None:
    assert {attack.family for attack in ATTACKS.values()} <= set(FAMILIES)


def test_there_are_as_many_attacks_as_were_promised() -> None:
    assert len(ATTACKS) >= 40


def test_every_attack_says_its_idea() -> None:
    assert [attack.name for attack in ATTACKS.values() if len(attack.idea.split()) < 4] == []


@pytest.mark.parametrize("name", sorted(ATTACKS))
def test_notebook_is_in_step_with_its_recipe(name: str, answers: Answers) -> None:
    """Mend with: python tests/hostile/write_notebooks.py"""
    kept = (SUBMISSIONS / name / f"{LESSON}.ipynb").read_text(encoding="utf-8")
    assert kept == text(written(ATTACKS[name], RELEASED, answers))
