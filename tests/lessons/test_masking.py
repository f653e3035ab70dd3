"""Lesson 4: its questions' keys from scratch, every measured number that its prose states, its museum."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from attention_lib import real_model

from .conftest import SECRETS, SOLUTIONS, library, oracle
from .real_head import scores_of, softmax, weights_of
from .test_sources import run
from .verdicts import verdict_on

LESSON = "04_masking"
TEXT = (SOLUTIONS / "lessons" / f"{LESSON}.md").read_text(encoding="utf-8")
SENTENCE, DOG = "the boat was near the river bank", "the dog chased the cat"


def key(name):
    return library(LESSON).questions[name].key


def vectors_of(sentence):
    return real_model.layer_input(sentence, separators=False)


# --- questions ---


def test_position_500_attends_to_four_keys():
    assert sum(oracle(LESSON).sparse_mask(501, 3, 1)[500]) == key("sparse_key_count") == 4


def test_row_i_of_the_right_matrix_keeps_i_plus_one_scores():
    def kept(option):
        rows = re.search(r"pmatrix} (.*) \\end", option)[1].split("\\\\")
        return [[r"\bullet" in entry for entry in row.split("&")] for row in rows]

    options = library(LESSON).questions["causal_mask_matrix"].options
    wanted = [[entry == 0 for entry in row] for row in oracle(LESSON).causal_mask(4)]
    assert [letter for letter, option in options.items() if kept(option) == wanted] == [
        key("causal_mask_matrix")
    ]


def test_masked_weights_are_the_softmax_over_the_survivors():
    assert key("masked_weights") == pytest.approx(softmax([2.5, 1.0, -math.inf]))
    assert [round(weight, 4) for weight in key("masked_weights")] == [0.8176, 0.1824, 0]
    without = softmax([2.5, 1.0, 4.0])
    assert [round(weight, 4) for weight in without] == [0.1753, 0.0391, 0.7856]
    assert without[0] / without[1] == pytest.approx(key("masked_weights")[0] / key("masked_weights")[1])


def test_translation_needs_an_open_encoder_a_causal_decoder_and_open_cross_attention():
    text = library(LESSON).questions["translation_attention"].options[key("translation_attention")]
    assert "encoder sees the whole" in text
    assert "decoder is causal among its own words" in text
    assert "sees all of the German ones" in text


# --- the contract ---


def test_a_query_that_may_look_at_nobody_has_a_row_of_minus_infinity(right):
    masked = right["apply_mask"](np.ones((2, 3)), np.array([[False] * 3, [True] * 3]))
    assert masked.tolist() == [[-math.inf] * 3, [1.0] * 3]


def test_one_query_sees_all_keys(right):
    assert right["causal_mask_rect"](1, 6).tolist() == [[0.0] * 6]


@pytest.mark.parametrize(("n_q", "n_k"), [(1, 1), (2, 5), (4, 4), (3, 11)])
def test_a_rectangle_is_the_last_rows_of_the_square(right, n_q, n_k):
    assert np.array_equal(right["causal_mask_rect"](n_q, n_k), right["causal_mask"](n_k)[n_k - n_q :])


@pytest.mark.parametrize("h", [1, 2, 6, 8, 12])
def test_alibi_slopes_are_geometric_and_end_at_one_256th(right, h):
    slopes = -right["alibi_bias"](h, 2)[:, 1, 0]
    assert slopes[-1] == pytest.approx(2**-8)
    assert slopes[1:] / slopes[:-1] == pytest.approx([2 ** (-8 / h)] * (h - 1))


def test_a_sparse_mask_with_a_wide_window_is_the_causal_one(right):
    assert np.array_equal(right["sparse_mask"](9, 9, 0), right["causal_mask"](9) == 0)


def test_no_row_of_a_sparse_mask_is_empty_while_it_has_a_window(right):
    assert right["sparse_mask"](20, 1, 0).any(axis=1).all()


@pytest.mark.parametrize("case", range(6))
def test_references_agree_with_the_oracles_on_more_inputs(right, case):
    rng, slow = np.random.default_rng(case), oracle(LESSON)
    n, window, n_global, n_q = (int(number) for number in rng.integers(1, 9, size=4))
    assert np.array_equal(right["causal_mask"](n), slow.causal_mask(n))
    assert np.array_equal(right["causal_mask_rect"](n_q, n_q + n), slow.causal_mask_rect(n_q, n_q + n))
    assert np.array_equal(right["sparse_mask"](n, window, n_global), slow.sparse_mask(n, window, n_global))
    lengths = rng.integers(0, n + 1, size=n_q)
    allowed = right["padding_mask"](lengths, n)
    assert np.array_equal(allowed, slow.padding_mask(lengths, n))
    scores = rng.normal(size=(n_q, window, n))
    assert np.array_equal(right["apply_mask"](scores, allowed), slow.apply_mask(scores, allowed))
    np.testing.assert_allclose(right["alibi_bias"](n_q, n), slow.alibi_bias(n_q, n), rtol=1e-12)


# --- answers that are nobody's misconception ---


def transposed_where_square(scores, allowed):
    square = allowed.ndim > 1 and allowed.shape[-1] == allowed.shape[-2]
    return np.where(np.swapaxes(allowed, -1, -2) if square else allowed, scores, -np.inf)


def untouched_where_nothing_is_allowed(scores, allowed):
    return np.where(allowed, scores, -np.inf) if allowed.any() else scores


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("function", [transposed_where_square, untouched_where_nothing_is_allowed])
def test_a_mask_wrong_in_one_case_alone_loses(function, secret):
    verdict = verdict_on(LESSON, "apply_mask", function, secret)
    assert verdict.score == verdict.max_score - 3


# --- numbers in the prose ---


def on_padding(n):
    """What each of the dog's words gives to the padding of a row of n."""
    rows = np.vstack([vectors_of(DOG), np.zeros((n - 5, 384))])
    return weights_of(scores_of(rows))[:5, 5:].sum(axis=1)


def halved_after(right, head):
    weights = softmax(right["alibi_bias"](8, 64)[head - 1, -1])[::-1]
    return next(distance for distance, weight in enumerate(weights) if weight <= weights[0] / 2)


def stated(right, world):
    """Words of the lesson that hold a number, and the number as measured here."""
    beta = scores_of(vectors_of(SENTENCE))
    A = weights_of(beta)
    C = weights_of(beta + right["causal_mask"](7))
    all_three, two = softmax([1, 0, 1.5]), softmax([1, 0, -math.inf])
    few, many = right["sparse_mask"](1000, 64, 4).sum(), right["sparse_mask"](2000, 64, 4).sum()
    leaks = {name: world["leak"](D) for name, D in world["maps"].items()}
    return [
        ("*Boat* gives {:.2f} to *river*", A[1, 5]),
        (
            "*Boat* takes {:.2f} from its future, the first *the* {:.2f}, *river* {:.2f}",
            *(A[i, i + 1 :].sum() for i in (1, 0, 5)),
        ),
        ("| weights | {:.3f} | {:.3f} | {:.3f} | 1 |", *all_three),
        ("| weights | {:.3f} | {:.3f} | 0 | 1 |", *two[:2]),
        ("| votes | {:.3f} | 1 | 0 | {:.3f} |", math.e, 1 + math.e),
        ("${:.3f} / {:.3f} = {:.3f} / {:.3f} = e$", *all_three[:2], *two[:2]),
        ("who gets the {:.2f}?", A[1, 5]),
        ("*River* gave *boat* {:.2f}", A[5, 1]),
        ("*the* ({:.2f}) and itself ({:.2f}). Before, they had {:.2f} and {:.2f}", *C[1, :2], *A[1, :2]),
        ("*River* gives *boat* {:.2f} instead of {:.2f}", C[5, 1], A[5, 1]),
        ("its row does not change: {:.2f} on *river*", C[6, 5]),
        ("*Dog* gives {:.2f} to two tokens of padding", on_padding(7)[1]),
        ("and {:.2f} to eighteen", on_padding(23)[1]),
        ("for *chased*, the third word, it is {:.2f}", on_padding(23)[2]),
        ("At $n = 1000$ the mask keeps {:,} of {:,} pairs", few, 500500),
        ("at $n = 2000$ it is {:,} of {:,}", many, 2001000),
        (
            "half after {} tokens, head 2 after {}, head 4 after {};",
            *(halved_after(right, k) for k in (1, 2, 4)),
        ),
        ("one diagonal too many, with up to {:.1g}", leaks["one token ahead"]),
        ("*Zeros*: {:.1g}", leaks["zeros"]),
        ("*−10*: only {:.0e}", leaks["−10"]),
        ("*After the softmax*: {:.1g}", leaks["after the softmax"]),
    ]


def test_numbers_in_the_prose_are_measured(right, world):
    """Fails when the text says another number than the cell beside it prints."""
    prose = re.sub(r"\s+(> )?", " ", TEXT)
    for text, *numbers in stated(right, world):
        assert text.format(*numbers) in prose


def test_bank_sees_the_same_with_and_without_the_causal_mask(right):
    beta = scores_of(vectors_of(SENTENCE))
    assert np.array_equal(weights_of(beta)[6], weights_of(beta + right["causal_mask"](7))[6])


def test_five_of_seven_words_take_four_tenths_from_their_future():
    A = weights_of(scores_of(vectors_of(SENTENCE)))
    assert sum(A[i, i + 1 :].sum() >= 0.4 for i in range(7)) == 5


def test_head_8_does_not_fall_to_half_within_64_tokens(right):
    with pytest.raises(StopIteration):
        halved_after(right, 8)


def test_the_right_mask_leaks_nothing_to_the_last_bit(world):
    leaks = {name: world["leak"](D) for name, D in world["maps"].items()}
    assert leaks.pop("right") == 0
    assert all(leak > 0 for leak in leaks.values())


def test_influence_under_a_sparse_mask_is_where_it_is_allowed(world):
    assert np.array_equal(world["D"] > 0, world["few"].T)


def test_the_map_shows_a_mask_that_hides_too_much(right, world):
    """The free text's part (d): nothing leaks, and outputs rest that should move."""
    own_alone = np.eye(7, dtype=bool)
    D = world["influence_map"](lambda beta: weights_of(right["apply_mask"](beta, own_alone)))
    assert world["leak"](D) == 0
    assert np.array_equal(D > 0, own_alone)


# --- the museum ---


def exhibits():
    return re.split(r"\n### Exhibit \d", TEXT.split("## Beyond: a museum of masks")[1].split("## Recap")[0])[
        1:
    ]


def test_museum_has_exhibits_with_their_sources():
    """Fails when an exhibit lacks the repository and number of its report, a prediction or its answer."""
    assert len(exhibits()) >= 5
    for exhibit in exhibits():
        source = r"\[([\w.-]+/[\w.-]+) #(\d+)\]\(https://github\.com/\1/(issues|pull)/\2\)"
        assert re.search(source, exhibit), exhibit[:60]
        assert "**Predict, then run.**" in exhibit
        assert "<summary>Which line?</summary>" in exhibit


def test_no_line_begins_with_the_number_of_a_report():
    """Fails when a line break turns such a number into a heading."""
    assert not re.search(r"^#\d", TEXT, re.MULTILINE)


def test_exhibits_show_what_they_say(capsys):
    run(LESSON, lambda exercise: exercise.reference)
    printed = capsys.readouterr().out
    for line in (
        "theirs: [1 0 0 0 0]  yours: [1 1 1 1 1]",
        "theirs: [0.  0.  0.5 0.5]",
        " -inf -3.40",
        "weights of row 0, all scores equal: [0.25 0.   0.25 0.25 0.25]",
        "after layer 1: [nan  2.  3.  4.  5.]",
        "after layer 2: [nan nan nan nan nan]",
        "layers: 1, token 15 reaches back to token 13",
        "layers: 2, token 15 reaches back to token 11",
        "layers: 4, token 15 reaches back to token 7",
        "nobody to look at: [nan nan nan]",
    ):
        assert line in printed


def test_exhibit_2_allows_everything_and_exhibit_3_the_far_future():
    lowest = np.finfo(np.float32).min
    assert np.all(np.where(np.tri(6, dtype=bool), 0.0, lowest) * np.tri(6, k=-2) == 0)
    cut = np.tril(np.triu(np.full((10, 10), -1e9), k=1), k=3)
    assert np.argwhere(cut[0] == 0).ravel().tolist() == [0, 4, 5, 6, 7, 8, 9]
