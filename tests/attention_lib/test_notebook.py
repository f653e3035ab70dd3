"""What a cell says while a function that it needs is not written."""

from __future__ import annotations

import pytest

from attention_lib.notebook import made_with


def score_matrix(X):
    raise NotImplementedError


def causal_weights(S):
    return score_matrix(S)


def test_the_function_whose_stub_raised_is_named(capsys):
    with made_with("causal_weights", "score_matrix"):
        causal_weights(1)
    assert capsys.readouterr().out == "Waits for your score_matrix: run this cell again when it is written.\n"


def test_a_function_that_is_not_there_is_named(capsys):
    with made_with("causal_weights", "normalize_scores"):
        normalize_scores(1)  # noqa: F821
    assert capsys.readouterr().out.startswith("Waits for your normalize_scores:")


def test_where_it_can_not_be_told_all_are_named(capsys):
    with made_with("causal_weights", "normalize_scores"):
        raise NotImplementedError
    assert capsys.readouterr().out.startswith("Waits for your causal_weights, normalize_scores:")


@pytest.mark.parametrize("error", [ValueError("of the student's"), NameError("typo", name="typo")])
def test_any_other_error_is_shown_as_it_is(error):
    with pytest.raises(type(error)), made_with("causal_weights"):
        raise error


def test_a_block_that_runs_says_nothing(capsys):
    with made_with("causal_weights"):
        print("drawn")
    assert capsys.readouterr().out == "drawn\n"
