"""Lesson 5: its questions' keys from scratch, the numerics that its text promises, every measured number
that its prose states."""

from __future__ import annotations

import math
import re
from fractions import Fraction

import numpy as np
import pytest

from attention_lib import real_model

from . import real_head
from .conftest import SECRETS, SOLUTIONS, library, oracle
from .real_head import softmax
from .verdicts import verdict_on

LESSON = "05_softmax"
TEXT = (SOLUTIONS / "lessons" / f"{LESSON}.md").read_text(encoding="utf-8")
SENTENCE = "the boat was near the river bank"
THE, BOAT, WAS, NEAR, THE_AGAIN, RIVER, BANK = range(7)


def key(name):
    return library(LESSON).questions[name].key


def scores_of(sentence, k, separators=False):
    return real_head.scores_of(real_model.layer_input(sentence, separators=separators), k)


def weights_of(sentence, k, separators=False):
    return real_head.weights_of(scores_of(sentence, k, separators))


def on_separators(sentence):
    """What a token gives to the two separators together: the mean of each head, (12,)."""
    weights = np.array([weights_of(sentence, k, separators=True) for k in range(12)])
    return (weights[:, :, 0] + weights[:, :, -1]).mean(axis=1)


# --- questions ---


def test_first_weight_is_the_formulas():
    assert [round(weight, 4) for weight in softmax([2.0, 1.0, 0.5])] == [0.6285, 0.2312, 0.1402]
    assert key("first_weight") == pytest.approx(softmax([2.0, 1.0, 0.5])[0])


def test_middle_weight_is_the_formulas():
    assert key("middle_weight") == pytest.approx(softmax([1.0, 2.0, 3.0])[1])
    assert round(key("middle_weight"), 4) == 0.2447


def test_shifted_scores_keep_their_weights():
    assert softmax([11.5, 10.5, 9.0]) == pytest.approx(softmax([1.5, 0.5, -1.0]))
    assert [round(weight, 4) for weight in softmax([1.5, 0.5, -1.0])] == [0.6897, 0.2537, 0.0566]
    assert library(LESSON).questions["shifted_scores"].options[key("shifted_scores")].startswith("Identical")


def test_the_right_option_is_not_the_longest():
    lengths = {
        letter: len(text) for letter, text in library(LESSON).questions["shifted_scores"].options.items()
    }
    assert lengths[key("shifted_scores")] < max(lengths.values())


def test_a_constant_does_not_change_the_weights(right):
    z = np.array([0.25, -1.5, 3.0])
    assert key("constant_changes_weights") is not np.allclose(right["softmax"](z + 7.5), right["softmax"](z))


# --- numerics ---


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_references_give_finite_weights_for_any_finite_scores(right, kind):
    """In each format, up to its largest number, without a warning."""
    top = float(np.finfo(kind).max) / 4
    z = np.array([[top, 0.0, -top], [-top, -top, -top], [1.0, 2.0, 3.0]], dtype=kind)
    for weights in (right["softmax"](z), right["attention_weights"](z)):
        assert np.isfinite(weights).all()
        np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=float(np.finfo(kind).eps) * 4)
    assert np.isfinite(right["logsumexp"](z)).all()


def test_a_row_of_nothing_gets_zeros_without_a_warning(right):
    """pytest is set to raise on warnings."""
    nothing = np.full((2, 3), -np.inf)
    assert np.array_equal(right["attention_weights"](nothing), np.zeros((2, 3)))
    assert np.array_equal(
        right["attention_weights"](np.ones((2, 3)), np.zeros((1, 3), bool)), np.zeros((2, 3))
    )
    assert right["logsumexp"](nothing).tolist() == [-np.inf, -np.inf]
    assert right["online_softmax_stats"]([nothing[0], np.array([]), nothing[1]]) == (-np.inf, 0.0)


def test_what_is_hidden_has_no_say_whatever_it_holds(right):
    """Garbage behind the mask: even nan and inf there change nothing."""
    scores, allowed = np.array([[1.0, -0.5, 0.25]]), np.array([[True, False, True]])
    expected = right["attention_weights"](scores, allowed)
    for garbage in (np.nan, np.inf, -np.inf, 1e300):
        scores[0, 1] = garbage
        assert np.array_equal(right["attention_weights"](scores, allowed), expected)


@pytest.mark.parametrize("case", range(8))
def test_online_stats_are_the_same_for_every_way_of_cutting(right, case):
    rng = np.random.default_rng(case)
    row = rng.normal(scale=50.0, size=40)
    row[rng.random(40) < 0.2] = -np.inf
    cuts = np.sort(rng.integers(0, 41, size=case))
    m, votes = right["online_softmax_stats"](np.split(row, cuts))
    assert m == row.max()
    assert m + math.log(votes) == pytest.approx(right["logsumexp"](row), rel=1e-13)
    np.testing.assert_allclose(np.exp(row - m) / votes, right["softmax"](row), rtol=1e-12)


def test_one_pass_with_exact_fractions(right):
    """Scores that are logarithms of whole numbers, so that votes can be counted exactly: 3, 5 | 8, 2 | 4."""
    chunks = [np.log([3.0, 5.0]), np.log([8.0, 2.0]), np.log([4.0])]
    m, votes = right["online_softmax_stats"](chunks)
    assert m == math.log(8)
    assert votes == pytest.approx(float(Fraction(3 + 5 + 8 + 2 + 4, 8)))


def test_softmax_is_the_gradient_of_logsumexp(right):
    z, step = np.array([0.5, -1.25, 2.0, 0.0]), 1e-6
    slopes = [(right["logsumexp"](z + e) - right["logsumexp"](z - e)) / (2 * step) for e in np.eye(4) * step]
    np.testing.assert_allclose(slopes, right["softmax"](z), rtol=1e-8)


def test_scaling_is_a_temperature(right):
    beta = scores_of(SENTENCE, 4)[BOAT]
    raw = beta * math.sqrt(32)
    np.testing.assert_allclose(
        right["temperature_softmax"](raw, math.sqrt(32)), right["softmax"](beta), rtol=1e-12
    )


def test_low_temperatures_approach_the_one_hot(right):
    z = np.array([0.3, 1.2, 1.1, -4.0])
    np.testing.assert_allclose(
        right["temperature_softmax"](z, 1e-3), right["temperature_softmax"](z, 0), atol=1e-12
    )


@pytest.mark.parametrize("shape", [(1,), (5,), (2, 7), (3, 1, 4), (2, 3, 4, 2)])
def test_references_agree_with_the_oracles_on_more_inputs(right, shape):
    z, slow = np.random.default_rng(len(shape)).normal(scale=300, size=shape), oracle(LESSON)
    for axis in range(-len(shape), len(shape)):
        for name in ("softmax", "logsumexp"):
            np.testing.assert_allclose(
                right[name](z, axis), getattr(slow, name)(z, axis), rtol=1e-11, atol=1e-300
            )
    allowed = z < 200
    np.testing.assert_allclose(
        right["attention_weights"](z, allowed), slow.attention_weights(z, allowed), rtol=1e-11, atol=1e-300
    )


# --- answers that are nobody's misconception ---


def shares(z, m, axis=-1):
    """The weights of scores z, with m taken off; zeros where there are no votes."""
    votes = np.exp(z - np.where(np.isfinite(m), m, 0.0))
    total = votes.sum(axis=axis, keepdims=True)
    return votes / np.where(total > 0, total, 1.0)


def hiding(scores, allowed):
    return scores if allowed is None else np.where(allowed, scores, -np.inf)


def one_maximum_for_each_batch(z, axis=-1):
    return shares(z, z.max(axis=axis if z.ndim < 3 else None, keepdims=True), axis)


def a_number_for_minus_infinity(z, axis=-1):
    z = np.maximum(z, -1e4)
    return shares(z, z.max(axis=axis, keepdims=True), axis)


def one_maximum_for_each_matrix(scores, allowed=None):
    z = hiding(scores, allowed)
    return shares(z, z.max(axis=-1 if z.ndim < 3 else (-2, -1), keepdims=True))


def a_score_of_0_is_hidden(scores, allowed=None):
    z = hiding(np.where(scores == 0, -np.inf, scores), allowed)
    return shares(z, z.max(axis=-1, keepdims=True))


def a_finite_mask_added(scores, allowed=None):
    if allowed is None:
        return shares(scores, scores.max(axis=-1, keepdims=True))
    z = scores + np.where(allowed, 0.0, -1e9)
    return shares(z, z.max(axis=-1, keepdims=True)) * allowed


def all_axes_of_length_1_gone(z, axis=-1):
    return np.squeeze(np.logaddexp.reduce(z, axis=axis))


def the_first_score_taken_off(z, axis=-1):
    first = np.take(z, 0, axis=axis)
    shifted = first + np.log(np.exp(z - np.expand_dims(first, axis)).sum(axis=axis))
    return np.where(np.isfinite(first), shifted, np.logaddexp.reduce(z, axis=axis))


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("softmax", one_maximum_for_each_batch),
        ("softmax", a_number_for_minus_infinity),
        ("attention_weights", one_maximum_for_each_matrix),
        ("attention_weights", a_score_of_0_is_hidden),
        ("attention_weights", a_finite_mask_added),
        ("logsumexp", all_axes_of_length_1_gone),
        ("logsumexp", the_first_score_taken_off),
    ],
)
@pytest.mark.parametrize("secret", SECRETS)
def test_a_wrong_answer_that_no_misconception_describes_loses_points(name, function, secret):
    verdict = verdict_on(LESSON, name, function, secret)
    assert 0 < verdict.score < verdict.max_score, verdict.message


# --- numbers in the prose ---


FORMATS = [
    (np.float16, "65504", 11.09, 0.5, 11, 12),
    (np.float32, r"$3.4\cdot10^{38}$", 88.72, 6e-5, 88, 89),
    (np.float64, r"$1.8\cdot10^{308}$", 709.78, 1e-13, 709, 710),
]


@pytest.mark.parametrize(("kind", "largest", "above", "apart", "fits", "overflows"), FORMATS)
def test_the_table_of_formats_is_numpys(kind, largest, above, apart, fits, overflows):
    """And exp overflows between the last score that the lesson measures and the next."""
    top = float(np.finfo(kind).max)
    mantissa, _, exponent = largest.strip("$").replace("}", "").partition(r"\cdot10^{")
    assert math.log10(top) == pytest.approx(math.log10(float(mantissa)) + float(exponent or 0), abs=0.005)
    assert math.log(top) == pytest.approx(above, abs=0.005)
    assert float(np.spacing(kind(999))) == pytest.approx(apart, rel=0.2)
    assert f"| {np.dtype(kind).name} | {np.dtype(kind).itemsize} | {largest} | {above} |" in TEXT
    with np.errstate(over="ignore"):
        assert np.isinf(np.exp(np.array([fits, overflows], dtype=kind))).tolist() == [False, True]


def stated(right, world):
    """Words of the lesson that hold a number, and the number as measured here."""
    A = weights_of(SENTENCE, 4)
    beta = scores_of(SENTENCE, 4)
    causal = np.array([softmax(row[: i + 1]) for i, row in enumerate(beta[:6])], dtype=object)
    by_hand = [1, math.exp(-1), math.exp(-3)]
    first = 1 + math.exp(-1)
    votes = 1 / A.max(axis=1)
    at = {T: softmax(beta[BOAT] / T)[RIVER] for T in (0.25, 5, 5.66)}
    head_8, nine = weights_of(SENTENCE, 8), weights_of(SENTENCE, 4, separators=True)
    given = nine[:, 0] + nine[:, -1]
    shares = {sentence: on_separators(sentence) for sentence in real_model.SENTENCES}
    dog = shares["the dog chased the cat"]
    longest = shares[real_model.SENTENCES[-1]].mean()
    X = real_model.with_one(real_model.layer_input(SENTENCE))
    lengths = np.mean([np.linalg.norm(X @ real_model.head(k).W_v, axis=1) for k in range(12)], axis=0)
    was = softmax(beta[WAS])
    in_half = (beta[WAS] + (1000 - beta[WAS].max())).astype(np.float16)
    rounded = softmax(in_half.astype(float) - 1000)
    assert in_half[[THE, WAS, NEAR, THE_AGAIN]].tolist() == [1000.0] * 4
    assert max(weights_of(SENTENCE, 7).ravel()) == pytest.approx(0.31, abs=0.005)
    assert [head_8[i, [THE, THE_AGAIN]].sum() > 0.8 for i in (THE, THE_AGAIN)] == [True, True]
    assert [head_8[i].argmax() for i in (BOAT, NEAR, RIVER, BANK)] == [BOAT, NEAR, RIVER, BANK]
    np.testing.assert_allclose(weights_of(SENTENCE, 2), np.eye(7)[[0, *range(6)]], atol=0.01)
    return [
        ("| votes | 1 | {:.4f} | {:.4f} | {:.4f} |", *by_hand[1:], sum(by_hand)),
        ("| weight | {:.3f} | {:.3f} | {:.3f} | 1 |", *(vote / sum(by_hand) for vote in by_hand)),
        (
            "*river* {:.2f}, the second *the* {:.2f}, {:.2f} for each of the rest",
            *A[BANK, [RIVER, THE_AGAIN, THE]],
        ),
        ("*bank* gives *river* {:.2f}, and *river* gives *bank* {:.2f}", A[BANK, RIVER], A[RIVER, BANK]),
        ("{:.2f} and *boat* {:.2f}. The column of *river*", A[RIVER, BANK], A[RIVER, BOAT]),
        ("adds up to {:.2f}, more than two", A[:, RIVER].sum()),
        ("that of *bank* to {:.2f}.", A[:, BANK].sum()),
        ("what that had, {:.2f}, is shared", A[RIVER, BANK]),
        ("*boat* goes from {:.2f} to {:.2f}", A[RIVER, BOAT], causal[RIVER][BOAT]),
        ("them {:.2f}; now *was*", causal[NEAR][THE] + causal[NEAR][BOAT]),
        ("keep their ratio of {:.1f} to 1", causal[NEAR][WAS] / causal[NEAR][NEAR]),
        ("\\ln(3\\,e^{{1000}}) = 1000 + \\ln 3 = {:.4f}", 1000 + math.log(3)),
        ("From {:.2f} for *bank*", votes[BANK]),
        ("to {:.2f} for *was*", votes[WAS]),
        ("$1/{:.2f} = {:.2f}$", votes[BANK], A[BANK, RIVER]),
        *[(f"| {T} | {a} | {{:.3f}}, {{:.3f}} |", *softmax([2 / T, 0])) for T, a in TEMPERATURES],
        ("*Boat* gives *river* {:.2f} at $T = 1$", A[BOAT, RIVER]),
        ("{:.2f} at $T = 0.25$, {:.2f} at 5, {:.2f} at 5.66", *at.values()),
        ("an even share is {:.2f}", 1 / 7),
        ("$l = e^{{0}} + e^{{-1}} = {:.3f}$", first),
        ("$e^{{1-3}} = {:.3f}$", math.exp(-2)),
        ("\\cdot {:.3f} + 1 = {:.3f}$", math.exp(-2), first * math.exp(-2) + 1),
        ("$e^{{-2}} + e^{{-3}} + e^{{0}} = {:.3f}$", math.exp(-2) + math.exp(-3) + 1),
        ("the error jumps to {:.2f}", max(was)),
        ("leave with {:.3f} each", rounded[WAS]),
        ("run from {:.3f} to {:.3f}", was[NEAR], was[WAS]),
        ("*Bank* gives them {:.2f}, *boat* {:.2f}", given[1 + BANK], given[1 + BOAT]),
        ("with {:.2f}. *Near* gives {:.2f}", given[1 + RIVER], given[1 + NEAR]),
        ("*the* {:.2f} and {:.2f}, *was* {:.2f}", *given[[1 + THE, 1 + THE_AGAIN, 1 + WAS]]),
        ("would have {:.2f} of each row", 2 / 9),
        ("from {:.2f} at 7 tokens to {:.2f} at 24", dog.mean(), longest),
        ("{:.2f} times as much at 7 tokens, {:.2f} times at 24", dog.mean() * 7 / 2, longest * 24 / 2),
        ("one gives the separators {:.2f}, while head 2 gives them {:.2f}", max(dog), dog[2]),
        ("{:.2f} for `[CLS]` and {:.2f} for `[SEP]`", lengths[0], lengths[-1]),
        ("against {:.2f} to {:.2f} for the words", min(lengths[1:-1]), max(lengths[1:-1])),
    ]


TEMPERATURES = [(0.5, "4, 0"), (1, "2, 0"), (2, "1, 0"), (20, "0.1, 0")]


def test_numbers_in_the_prose_are_measured(right, world):
    """Fails when the text says another number than the cell beside it prints."""
    prose = re.sub(r"\s+(> )?", " ", TEXT)
    said = [text.format(*numbers) for text, *numbers in stated(right, world)]
    assert [words for words in said if words not in prose] == []


def test_separators_get_about_twice_an_even_share_in_every_sentence():
    """The recap says so."""
    for sentence in real_model.SENTENCES:
        n = len(real_model.tokens(sentence))
        assert 1.8 < on_separators(sentence).mean() * n / 2 < 2.4


def test_the_plain_formula_ends_where_the_lesson_says_and_the_stable_one_never(world):
    """The two charts of section 7: gaps are nan, and one step before the end every weight is 0."""
    largest, errors = world["largest"].tolist(), world["errors"]
    for kind, last in (("float16", 11), ("float32", 88), ("float64", 709)):
        plain, stable = (np.array(errors[name][kind]) for name in ("the plain formula", "your softmax"))
        assert largest[int(np.isfinite(plain).sum()) - 1] == last
        assert plain[largest.index(last)] == pytest.approx(world["true"].max(), rel=1e-3)
        assert np.isfinite(stable).all()
        before = slice(0, largest.index(last))
        np.testing.assert_array_less(stable[before], 10 * plain[before])


def test_the_stable_error_grows_with_the_scores(world):
    """ "Ten times the score, about ten times the error": from 8 to 8000, between 300 and 3000 times."""
    largest, errors = world["largest"].tolist(), world["errors"]["your softmax"]
    for kind in ("float16", "float32", "float64"):
        growth = errors[kind][largest.index(8000)] / errors[kind][largest.index(8)]
        assert 300 < growth < 3000, kind


def test_memory_shrinks_with_the_chunks(world):
    """The chart of section 6: about a tenth each time, down to what every call needs."""
    one, ten, hundred, thousand = world["peaks"]
    assert 8 < one / ten < 12
    assert 8 < ten / hundred < 12
    assert thousand < hundred
