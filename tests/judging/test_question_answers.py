"""What a verdict says that a student answered, for the class report to count."""

from __future__ import annotations

import json

import numpy as np
import pytest

from attention_lib.compare import Opaque
from autograder.exercise import Kind, question
from autograder.judging.questions import MOST_CHARACTERS, judge_question, known_answers

CHOICE = question(
    "pick",
    "choice",
    key="B",
    prompt="?",
    options={"A": "one", "B": "two", "C": "three"},
    hints=[("A", "Not one."), ("C", "Not three.")],
)
NUMBER = question("number", "number", key=4, prompt="?", hints=[(1 / 3, "Count.")])
NUMBERS = question("numbers", "numbers", key=[1, 0.5], prompt="?", hints=[([0.5, 1], "Order.")])
ORDER = question("order", "order", key="BCA", prompt="?", hints=[("CBA", "First?")])
TRUTH = question("truth", "bool", key=False, prompt="?", hints=[(True, "Why?")])
MATCH = question("match", "match", key={"query": "A", "key": "B"}, prompt="?")
QUESTIONS = (CHOICE, NUMBER, NUMBERS, ORDER, TRUTH, MATCH)


@pytest.mark.parametrize(
    ("asked", "given", "said"),
    [
        (CHOICE, " b ", "B"),
        (CHOICE, "F", "F"),
        (NUMBER, 4.0001, "4"),
        (NUMBER, 0.3334, "0.333333"),
        (NUMBER, 17.25, "17.25"),
        (NUMBERS, [0.5, 1.0], "[0.5, 1]"),
        (NUMBERS, np.arange(100.0), "[0, 1, 2, 3, 4, 5, 6, 7, …]"),
        (ORDER, ["b", "c", "a"], "BCA"),
        (TRUTH, True, "True"),
        (MATCH, {"Key": "b", " query": "a"}, "key B, query A"),
    ],
)
def test_the_answer_is_said_in_short_and_equal_answers_alike(asked, given, said):
    assert judge_question(asked, given).answer == said


def test_each_known_answer_is_said_as_the_question_lists_it():
    assert known_answers(CHOICE) == ["B", "A", "C"]
    assert known_answers(NUMBER) == ["4", "0.333333"]
    assert known_answers(MATCH) == ["key B, query A"]
    for asked in QUESTIONS:
        given = [asked.key, *(wrong for wrong, _ in asked.hints)]
        assert [judge_question(asked, answer).answer for answer in given] == known_answers(asked)


@pytest.mark.parametrize("given", [None, Opaque("ellipsis"), Opaque("Right"), {1, 2}])
def test_nothing_of_the_form_that_was_asked_for_is_no_answer(given):
    for asked in QUESTIONS:
        assert judge_question(asked, given).answer is None


def test_an_answer_of_any_length_is_a_short_line_without_control_characters():
    names = {f"<b>\x1b[31m\n{'x' * 10_000}{number}": "A" for number in range(5)}
    for asked, given in ((MATCH, names), (ORDER, "ABC" * 10_000), (NUMBERS, np.full(10_000, 1e300))):
        answer = judge_question(asked, given).answer
        assert len(answer) <= MOST_CHARACTERS
        assert answer.replace("\ufffd", "").isprintable()


def test_the_verdict_file_holds_the_answer():
    assert json.loads(json.dumps(judge_question(CHOICE, "C").to_json()))["answer"] == "C"
    assert judge_question(CHOICE, 3).to_json()["answer"] is None


def test_every_kind_of_question_is_tried_here():
    assert {asked.kind for asked in QUESTIONS} == set(Kind)
