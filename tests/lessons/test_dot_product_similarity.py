"""Lesson 1: its questions' keys from scratch, and every measured number that its prose states."""

from __future__ import annotations

import math

import numpy as np
import pytest

from attention_lib import words

from .conftest import SOLUTIONS, library, oracle
from .test_sources import provided_code

LESSON = "01_dot_product_similarity"
TEXT = (SOLUTIONS / "lessons" / f"{LESSON}.md").read_text(encoding="utf-8")
SENTENCE = ["the", "boat", "was", "near", "the", "river", "bank"]
OTHER = ["the", "loan", "was", "paid", "by", "the", "bank"]


def key(name):
    return library(LESSON).questions[name].key


def test_third_output_is_the_loop_oracles(right):
    y = oracle(LESSON).first_approach_output([(1, 0), (0, 1), (1, 1)])[2]
    assert key("third_output") == pytest.approx(y)
    assert [round(value, 3) for value in y] == [0.788, 0.788]


def test_an_orthogonal_vector_has_influence():
    weight = oracle(LESSON).normalize_scores([0.0, 1.0])[0]
    assert weight == pytest.approx(0.2689, abs=5e-5)
    assert key("orthogonal_has_zero_influence") is (weight == 0)


def test_order_is_scores_then_weights_then_mix():
    options = library(LESSON).questions["order_of_first_approach"].options
    steps = [options[letter] for letter in key("order_of_first_approach")]
    assert ["dot product" in steps[0], "softmax" in steps[1], "add the results" in steps[2]] == [True] * 3


def test_attention_trades_one_hop_for_quadratic_cost():
    text = library(LESSON).questions["recurrent_or_attention"].options[key("recurrent_or_attention")]
    assert "one step" in text
    assert "square of the length" in text


@pytest.mark.parametrize("shape", [(1, 1), (2, 5), (8, 3), (13, 13)])
def test_references_agree_with_the_oracles_on_more_inputs(right, shape):
    X = np.random.default_rng(sum(shape)).normal(size=shape)
    slow = oracle(LESSON)
    for name in ("score_matrix", "first_approach_output", "cosine_score_matrix"):
        np.testing.assert_allclose(right[name](X), getattr(slow, name)(X), rtol=1e-12, atol=1e-13)
    S = right["score_matrix"](X)
    np.testing.assert_allclose(right["causal_weights"](S), slow.causal_weights(S), rtol=1e-12)
    np.testing.assert_allclose(right["normalize_scores"](S[0]), slow.normalize_scores(S[0]), rtol=1e-12)
    assert right["dot_score"](X[0], X[-1]) == pytest.approx(slow.dot_score(X[0], X[-1]))


def weights(right, sentence, scores="score_matrix"):
    return right["causal_weights"](right[scores](words.vectors(sentence)))


def stretched(right, factor, scores):
    X = words.vectors(SENTENCE)
    X[5] *= factor
    return right["causal_weights"](right[scores](X))[6, 5]


def closeness(right, bank, theme):
    known = set(SENTENCE + OTHER)
    others = words.vectors([word for word in words.groups()[theme] if word not in known])
    return right["cosine_score_matrix"](np.vstack([bank, others]))[0, 1:].mean()


def received(right, scores, kept):
    vocabulary = words.vocabulary()
    table = words.vectors(vocabulary)
    shares = np.array([right["normalize_scores"](row) for row in right[scores](table)])
    np.fill_diagonal(shares, 0)
    chosen = [kept(word) for word in vocabulary]
    return np.corrcoef(np.linalg.norm(table, axis=1)[chosen], shares.sum(axis=0)[chosen])[0, 1]


def stated(right):
    """Words of the lesson that hold a number, and the number as measured here."""
    S = right["score_matrix"](words.vectors(SENTENCE))
    A = weights(right, SENTENCE)
    y = right["first_approach_output"](np.array([[2.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))[2]
    after = [right["first_approach_output"](words.vectors(s))[-1] for s in (SENTENCE, OTHER)]
    close = {
        theme: [closeness(right, bank, theme) for bank in (words.vector("bank"), *after)]
        for theme in ("water and landscape", "money")
    }
    water, money = close.values()
    function_words = set(words.groups()["function words"])
    q, X = words.vector("bank"), words.vectors(SENTENCE)
    nearby = right["normalize_scores"](np.array([-np.sum((q - k) ** 2) / 2 for k in X]))
    norms = {word: np.linalg.norm(words.vector(word)) for word in words.vocabulary()}
    return [
        ("({:.2f}, {:.2f}, {:.2f})", S[1, 5], S[5, 6], S[1, 6]),
        ("*Bank* scored itself {:.2f}, *river* {:.2f}", S[6, 6], S[6, 5]),
        ("$\\exp({:.3f}) = {:.2f}$", S[6, 0], math.exp(S[6, 0])),
        ("Itself {:.2f}, *river* {:.2f}, *boat* {:.2f}, and {:.2f}", A[6, 6], A[6, 5], A[6, 1], A[6, 0]),
        ("with the first, {:.2f} each", A[4, 0]),
        ("*Was* ({:.2f}), *river* ({:.2f}) and *bank* ({:.2f})", A[2, 2], A[5, 5], A[6, 6]),
        ("= ({:.3f},\\ {:.3f})", y[0], y[1]),
        ("closer to water ({:.2f} → {:.2f})", water[0], water[1]),
        ("further from money ({:.2f} → {:.2f})", money[0], money[1]),
        ("({:.2f} → {:.2f} and {:.2f} → {:.2f})", water[0], water[2], money[0], money[2]),
        (
            "Watching: {:+.2f} with dot products, −{:.2f} with cosines",
            received(right, "score_matrix", bool),
            -received(right, "cosine_score_matrix", bool),
        ),
        ("drops to {:+.2f}", received(right, "score_matrix", lambda word: word not in function_words)),
        ("the {} function words", len(function_words)),
        ("{:.2f} for *to*, {:.2f} for *cookies*", norms["to"], norms["cookies"]),
        (
            "{:.3f} as it is, {:.3f} at twice the length, {:.3f} at four times",
            *(stretched(right, factor, "score_matrix") for factor in (1, 2, 4)),
        ),
        ("With cosines: {:.3f} throughout", stretched(right, 3, "cosine_score_matrix")),
        ("*bank* falls from {:.2f} to {:.2f}", A[6, 6], nearby[6]),
        ("All {} words", len(words.vocabulary())),
    ]


def test_numbers_in_the_prose_are_measured(right):
    """Fails when the text says another number than the cell beside it prints."""
    for text, *numbers in stated(right):
        assert text.format(*numbers) in TEXT.replace("\n", " ")


def test_cosine_weight_does_not_move_with_length(right):
    by_cosine = [stretched(right, factor, "cosine_score_matrix") for factor in (0.25, 1, 4)]
    assert by_cosine == pytest.approx([by_cosine[0]] * 3)


def test_every_word_scores_itself_highest(right):
    """The recap says so."""
    S = right["score_matrix"](words.vectors(words.vocabulary()))
    assert np.array_equal(S.argmax(axis=1), np.arange(len(S)))


def test_distance_and_dot_product_less_half_the_squared_norm_weigh_alike(right):
    """The identity of the Beyond section, on ragged random vectors."""
    rng = np.random.default_rng(0)
    q, K = rng.normal(size=5), rng.normal(size=(9, 5))
    by_distance = right["normalize_scores"](-np.sum((q - K) ** 2, axis=1) / 2)
    by_dot = right["normalize_scores"](K @ q - np.sum(K**2, axis=1) / 2)
    np.testing.assert_allclose(by_distance, by_dot, rtol=1e-12)


def test_seeing_everything_forgets_the_order_and_the_mask_does_not(right):
    """The last section's two numbers: 0.000 and 0.468."""
    layer = right["first_approach_output"]
    one, two = ["the", "dog", "ran", "to", "the", "man"], ["the", "man", "ran", "to", "the", "dog"]
    last = [layer(words.vectors([*(w for w in s if w != "dog"), "dog"]))[-1] for s in (one, two)]
    there = [layer(words.vectors(s))[s.index("dog")] for s in (one, two)]
    assert np.linalg.norm(last[0] - last[1]) == pytest.approx(0, abs=1e-12)
    assert f"{np.linalg.norm(there[0] - there[1]):.3f}" == "0.468"
    assert "0.000 and 0.468" in TEXT


def test_provided_cells_compute_no_exercise():
    """Fails when a cell that students are given shows a matrix product, a softmax or a mask."""
    code = provided_code(LESSON).replace("@contextmanager", "")
    for telling in (" @ ", ".T", "np.exp", "np.tril", "np.dot", "einsum", "softmax("):
        assert telling not in code
