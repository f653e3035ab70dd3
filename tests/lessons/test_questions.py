"""What must hold for every question of every lesson."""

from __future__ import annotations

import itertools

from autograder.exercise import Kind, Outcome
from autograder.judging.questions import judge_question


def test_the_key_gets_full_marks(question):
    """Fails when the right answer would be marked wrong."""
    assert judge_question(question, question.key).score == question.points


def test_each_known_wrong_answer_is_wrong_and_gets_its_hint(question):
    """Fails when a hint's answer lies within the key's tolerance, or two hints claim one answer."""
    for wrong, hint in question.hints:
        verdict = judge_question(question, wrong)
        assert (verdict.outcome, verdict.score) == (Outcome.FAILED, 0)
        assert verdict.message == hint
        assert "?" in hint


def test_options_are_lettered_from_a(question):
    """Fails when the list in the notebook would skip a letter."""
    letters = list(question.options)
    assert letters == list("ABCDEF"[: len(letters)])
    assert len(set(question.options.values())) == len(letters)
    if question.kind in (Kind.CHOICE, Kind.ORDER, Kind.MATCH):
        assert len(letters) >= 3


def test_every_wrong_answer_that_can_be_listed_has_a_hint(question):
    """Fails when a student who picked a wrong option would learn nothing from it."""
    possible = {
        Kind.CHOICE: list(question.options),
        Kind.BOOL: [True, False],
        Kind.ORDER: ["".join(letters) for letters in itertools.permutations(question.options)],
    }.get(question.kind, [])
    wrong = [answer for answer in possible if answer != question.key]
    if len(wrong) <= 5:
        hinted = [answer for answer, _ in question.hints]
        assert [answer for answer in wrong if answer not in hinted] == []


def test_numbers_expect_typical_slips(question):
    """Fails when a numeric question has no hint for a wrong number."""
    if question.kind in (Kind.NUMBER, Kind.NUMBERS):
        assert len(question.hints) >= 3
