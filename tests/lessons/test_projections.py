"""Lesson 2: its questions' keys from scratch, and every measured number that its prose states."""

from __future__ import annotations

import math

import numpy as np
import pytest

from attention_lib import real_model, words

from .conftest import SECRETS, SOLUTIONS, library, oracle
from .test_sources import provided_code
from .verdicts import in_single_precision, verdict_on

LESSON = "02_projections"
TEXT = (SOLUTIONS / "lessons" / f"{LESSON}.md").read_text(encoding="utf-8")
SENTENCE = "the boat was near the river bank"
BOAT, WAS, RIVER, BANK = 1, 2, 5, 6


@pytest.fixture(scope="module")
def right():
    """The lesson's references by name, and the two functions that it brings."""
    brought = library("01_dot_product_similarity").exercises
    return {**library(LESSON).exercises, **{n: brought[n] for n in ("dot_score", "normalize_scores")}}


def key(name):
    return library(LESSON).questions[name].key


def option(name):
    """The text of the right option of a choice."""
    return library(LESSON).questions[name].options[key(name)]


def test_query_vector_is_the_loop_oracles():
    assert key("query_vector") == oracle(LESSON).project([[1, 2, 3]], [[1, 0], [0, 1], [1, 1]])[0]


def test_roles_are_asking_being_matched_and_contributing():
    options = library(LESSON).questions["match_roles"].options
    roles = {role: options[letter] for role, letter in key("match_roles").items()}
    assert roles["query"].startswith("Bank's vector that is held against")
    assert roles["key"].startswith("River's vector that bank's is held against")
    assert roles["value"].startswith("River's vector that goes into the mix")


def test_a_query_and_a_key_are_made_from_their_own_token_and_matrix_alone(right):
    """q1_and_k2: change everything else, and neither moves."""
    rng = np.random.default_rng(0)
    X, W_q, W_k, W_v = rng.normal(size=(2, 5)), *rng.normal(size=(3, 5, 4))
    Q, K, _ = right["qkv_projections"](X, W_q, W_k, W_v)
    other_Q, _, _ = right["qkv_projections"](X * [[1], [7]], W_q, -W_k, -W_v)
    _, other_K, _ = right["qkv_projections"](X * [[7], [1]], -W_q, W_k, -W_v)
    np.testing.assert_array_equal(Q[0], other_Q[0])
    np.testing.assert_array_equal(K[1], other_K[1])
    assert "$x_1$ alone by $W^q$" in option("q1_and_k2")
    assert "$x_2$ alone by $W^k$" in option("q1_and_k2")


def test_identical_matrices_make_the_scores_symmetric_and_the_roles_one(right):
    rng = np.random.default_rng(1)
    X, W = rng.normal(size=(6, 5)), rng.normal(size=(5, 3))
    Q, K, V = right["qkv_projections"](X, W, W, W)
    np.testing.assert_array_equal(Q, K)
    np.testing.assert_array_equal(K, V)
    np.testing.assert_allclose(Q @ K.T, K @ Q.T)
    assert "the raw scores are symmetric" in option("identical_matrices")


def test_why_project_names_one_sided_learned_relevance():
    assert "learned apart" in option("why_project")
    assert "one-sided" in option("why_project")


@pytest.mark.parametrize("sizes", [(1, 2, 1, 3), (5, 3, 4, 2), (4, 6, 2, 7), (7, 7, 7, 7)])
def test_references_agree_with_the_oracles_on_more_inputs(right, sizes):
    n, d_model, d_k, d_v = sizes
    rng = np.random.default_rng(sum(sizes))
    X, W_q, W_k, W_v = (rng.normal(size=s) for s in ((n, d_model), *((d_model, d) for d in (d_k, d_k, d_v))))
    slow = oracle(LESSON)
    close = {"rtol": 1e-12, "atol": 1e-13}
    np.testing.assert_allclose(right["project"](X, W_v), slow.project(X, W_v), **close)
    np.testing.assert_allclose(right["qk_bilinear"](W_q, W_k), slow.qk_bilinear(W_q, W_k), **close)
    fused = np.hstack([W_q, W_k, W_v])
    for made, worked_out in (
        (right["qkv_projections"](X, W_q, W_k, W_v), slow.qkv_projections(X, W_q, W_k, W_v)),
        (right["fused_qkv"](X, fused, d_k, d_v), slow.fused_qkv(X, fused, d_k, d_v)),
        (right["fused_qkv"](X, fused, d_k, d_v), right["qkv_projections"](X, W_q, W_k, W_v)),
    ):
        for one, other in zip(made, worked_out, strict=True):
            np.testing.assert_allclose(one, other, **close)


@pytest.mark.parametrize(("n", "h", "d_head"), [(1, 1, 1), (3, 4, 2), (5, 2, 3), (4, 4, 4)])
def test_merging_undoes_splitting(right, n, h, d_head):
    X = np.random.default_rng(n + h).normal(size=(n, h * d_head))
    Z = right["split_heads"](X, h)
    np.testing.assert_array_equal(Z, oracle(LESSON).split_heads(X, h))
    np.testing.assert_array_equal(right["merge_heads"](Z), X)
    assert Z.shape == (h, n, d_head)


def test_bilinear_form_gives_the_scores_and_turns_round_with_the_roles(right):
    rng = np.random.default_rng(3)
    X, W_q, W_k = rng.normal(size=(4, 6)), *rng.normal(size=(2, 6, 3))
    M = right["qk_bilinear"](W_q, W_k)
    np.testing.assert_allclose(X @ M @ X.T, (X @ W_q) @ (X @ W_k).T)
    np.testing.assert_allclose(right["qk_bilinear"](W_k, W_q), M.T)
    assert np.linalg.matrix_rank(M) == 3


def test_head_is_a_slice_of_the_layers_projection(right):
    """The bias trick and the slices of section 5, head by head."""
    layer, X = real_model.weights(), real_model.layer_input(SENTENCE)
    by_head = right["split_heads"](X @ layer.W_q + layer.b_q, layer.h)
    for a in range(layer.h):
        alone = right["project"](real_model.with_one(X), real_model.head(a).W_q)
        np.testing.assert_allclose(by_head[a], alone, rtol=1e-12, atol=1e-12)


# --- answers that are nobody's misconception -------------------------------------------------------------


@pytest.mark.parametrize("name", ["project", "qkv_projections", "fused_qkv", "qk_bilinear"])
def test_products_in_single_precision_lose_in_every_class(right, name):
    """Fails when rounding to seven digits is right or wrong by luck of the numbers that a secret draws."""
    for number in range(12):
        verdict = verdict_on(
            LESSON, name, lambda *given: right[name](*in_single_precision(given)), f"class {number}".encode()
        )
        assert verdict.score == 0


@pytest.mark.parametrize("name", ["project", "qkv_projections", "fused_qkv", "split_heads", "merge_heads"])
@pytest.mark.parametrize("secret", SECRETS)
def test_answers_rounded_to_single_precision_at_the_end_are_right(right, name, secret):
    verdict = verdict_on(LESSON, name, lambda *given: in_single_precision(right[name](*given)), secret)
    assert verdict.score == verdict.max_score


# --- what the prose says that was measured ------------------------------------------------------------------


def scores(right, a, sentence=SENTENCE, keys=None):
    X, head = real_model.with_one(real_model.layer_input(sentence, separators=False)), real_model.head(a)
    Q, K = right["project"](X, head.W_q), right["project"](X, head.W_k if keys is None else keys)
    return np.array([[right["dot_score"](q, k) for k in K] for q in Q])


def asymmetry(beta):
    return np.linalg.norm(beta - beta.T) / np.linalg.norm(beta)


def self_argmax_rate(beta):
    return np.mean(beta.argmax(axis=1) == np.arange(len(beta)))


def mean_over_sentences(pairs):
    inputs = [real_model.with_one(real_model.layer_input(s, separators=False)) for s in real_model.SENTENCES]
    found = [(X @ W_q) @ (X @ W_k).T for W_q, W_k in pairs for X in inputs]
    return np.mean([asymmetry(b) for b in found]), np.mean([self_argmax_rate(b) for b in found])


def turned(right, degrees):
    """The scores bank → river, river → bank, and of bank for itself, with the queries turned and longer."""
    angle, X = math.radians(degrees), np.array([[2, 0.5], [0.5, 2]])
    turn = 1.5 * np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    beta = right["project"](X, turn) @ X.T
    return beta[0, 1], beta[1, 0], beta[0, 0]


def favourites(right, a, directions=32):
    """Whom each token of each sentence scores highest, with so many directions of M kept."""
    head = real_model.head(a)
    left, values, kept = np.linalg.svd(right["qk_bilinear"](head.W_q, head.W_k))
    M = (left[:, :directions] * values[:directions]) @ kept[:directions]
    found = []
    for sentence in real_model.SENTENCES:
        X = real_model.with_one(real_model.layer_input(sentence, separators=False))
        found.append((X @ M @ X.T).argmax(axis=1))
    return found


def survives(right, a, directions):
    return np.mean(np.concatenate(favourites(right, a, directions)) == np.concatenate(favourites(right, a)))


def spectrum(right, a):
    head = real_model.head(a)
    found = np.linalg.svd(right["qk_bilinear"](head.W_q, head.W_k), compute_uv=False)
    return found / found[0]


def stated(right):
    """Words of the lesson that hold a number, and the number as measured here."""
    river, bank = words.vector("river"), words.vector("bank")
    beta = scores(right, 4)
    others = np.sort(beta[BANK])[-2]
    weights = np.array([right["normalize_scores"](row) for row in beta])
    rng = np.random.default_rng(0)
    pairs = rng.normal(size=(12, 2, 385, 32))
    heads = [real_model.head(a) for a in range(12)]
    model = mean_over_sentences([(one.W_q, one.W_k) for one in heads])
    model_tied = mean_over_sentences([(one.W_q, one.W_q) for one in heads])
    chance, random = mean_over_sentences(pairs), mean_over_sentences([(W, W) for W, _ in pairs])
    head_8 = mean_over_sentences([(heads[8].W_q, heads[8].W_k)])
    one_back = [found[1:] == np.arange(len(found) - 1) for found in favourites(right, 2)]
    head_size = heads[4].W_q.size
    return [
        ("*Bank* scored *river* {:.2f}", right["dot_score"](bank, river)),
        ("*bank* scored itself {:.2f}", right["dot_score"](bank, bank)),
        ("At 60° *bank* scores *river* {:.2f}", turned(right, 60)[0]),
        ("*river* scores *bank* −{:.2f}", -turned(right, 60)[1]),
        ("the two scores are equal, {:.2f}", turned(right, 0)[0]),
        ("*Bank* scores *river* {:.1f}, far", beta[BANK, RIVER]),
        ("and itself {:.1f}", beta[BANK, BANK]),
        ("*River* scores *bank* {:.1f}", beta[RIVER, BANK]),
        ("looks for *river* with {:.1f}, and gets {:.1f} back", beta[BOAT, RIVER], beta[RIVER, BOAT]),
        ("With two matrices it is {:.2f} in the model and {:.2f} at random", model[0], chance[0]),
        ("at random {:.2f} of the tokens", chance[1]),
        ("and in the model {:.2f}", model[1]),
        ("it is {:.2f} in the model and {:.2f} at random", model_tied[1], random[1]),
        ("In head 8 the asymmetry is {:.2f}", head_8[0]),
        ("in half of all cases ({:.2f})", head_8[1]),
        ("{:.2f} of the tokens are in the model, {:.2f} with tied matrices", model[1], model_tied[1]),
        ("{} out of {}", sum(map(sum, one_back)), sum(map(len, one_back))),
        ("$M$ has {:,} entries, but only {:,} numbers", 385 * 385, 2 * head_size),
        ("*Bank* scores *river* {:.1f}; next comes *the* with {:.1f}", beta[BANK, RIVER], others),
        ("{:.1f} against {:.1f}, and softmax", beta[BANK, RIVER], others),
        ("${:.0f}\\cdot10^{{-9}}$", 1e9 * (1 - weights[BANK, RIVER])),
        ("with {:.2f} and {:.2f} for their first choice", weights[BOAT].max(), weights[RIVER].max()),
        ("still having {:.2f} of the largest", spectrum(right, 4)[31]),
        ("it keeps {:.2f} of its favourites", survives(right, 4, 28)),
        ("fewer than half, {:.2f}", survives(right, 4, 24)),
    ]


def test_numbers_in_the_prose_are_measured(right):
    """Fails when the text says another number than the cell beside it prints."""
    text = " ".join(TEXT.split())
    for said, *numbers in stated(right):
        assert said.format(*numbers) in text


def test_turned_queries_are_opposite_at_90_degrees_and_reversed_at_180(right):
    there, back, itself = turned(right, 90)
    assert (there + back, itself) == pytest.approx((0, 0), abs=1e-12)
    assert turned(right, 180) == pytest.approx([-score for score in turned(right, 0)])


def test_only_was_scores_itself_highest(right):
    assert np.flatnonzero(scores(right, 4).argmax(axis=1) == np.arange(7)).tolist() == [WAS]


def test_tied_matrices_are_symmetric_and_untied_ones_need_not_be(right):
    assert asymmetry(scores(right, 4, keys=real_model.head(4).W_q)) == pytest.approx(0, abs=1e-12)
    assert asymmetry(scores(right, 4)) > 0.5


def test_chance_of_scoring_oneself_highest_is_what_random_matrices_do():
    """Section 4 says of random matrices: which is chance."""
    lengths = [len(real_model.tokens(s, separators=False)) for s in real_model.SENTENCES]
    assert f"{np.mean([1 / n for n in lengths]):.2f}" == "0.11"


def test_heads_look_where_the_text_says(right):
    """Seven of twelve send bank to river; head 2 looks one back; head 8 at itself in five rows of seven."""
    highest = [scores(right, a).argmax(axis=1) for a in range(12)]
    assert sum(found[BANK] == RIVER for found in highest) == 7
    assert highest[2][1:].tolist() == [0, 1, 2, 3, 4, 5]
    assert np.sum(highest[8] == np.arange(7)) == 5
    assert (highest[2][BOAT], highest[4][BOAT]) == (BOAT - 1, RIVER)


def test_every_head_has_rank_32_and_head_2_needs_6_directions(right):
    for a in range(12):
        head = real_model.head(a)
        assert np.linalg.matrix_rank(right["qk_bilinear"](head.W_q, head.W_k)) == 32
    for directions in (6, 8, 16, 28):
        found = favourites(right, 2, directions)
        assert all(np.array_equal(one[1:], np.arange(len(one) - 1)) for one in found)
        assert sum(one[0] != whole[0] for one, whole in zip(found, favourites(right, 2), strict=True)) == 2
    assert any(not np.array_equal(one[1:], np.arange(len(one) - 1)) for one in favourites(right, 2, 4))
    assert spectrum(right, 2)[1] > 0.9 > 0.7 > spectrum(right, 2)[2]


def test_provided_cells_compute_no_exercise():
    """Fails when a cell that students are given shows a projection, a cut or a turn of axes."""
    code = provided_code(LESSON)
    for telling in (" @ ", ".T", "np.exp", "reshape", "np.split", "hstack", "np.dot", "einsum", "softmax("):
        assert telling not in code
