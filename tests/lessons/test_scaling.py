"""Lesson 3: its questions' keys from scratch, the numerics it promises, and every measured number that its
prose states."""

from __future__ import annotations

import math

import numpy as np
import pytest

from attention_lib import real_model

from .conftest import SECRETS, SOLUTIONS, library, oracle
from .test_sources import provided_code
from .verdicts import in_single_precision, verdict_on

LESSON = "03_scaling"
TEXT = (SOLUTIONS / "lessons" / f"{LESSON}.md").read_text(encoding="utf-8")
SENTENCE = "the boat was near the river bank"
WIDTHS = [4, 16, 64, 256, 1024]
#: What the dot products are divided by, as a power of d_k.
POWERS = {"undivided": 0.0, "root": 0.5, "width": 1.0}


def key(name):
    return library(LESSON).questions[name].key


def softmax(scores):
    votes = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return votes / votes.sum(axis=-1, keepdims=True)


def real_head(k=4):
    """Queries and keys of one head for the running sentence, (7, 32) each."""
    X = real_model.with_one(real_model.layer_input(SENTENCE, separators=False))
    head = real_model.head(k)
    return X @ head.W_q, X @ head.W_k


def random_rows(d_k):
    rng = np.random.default_rng(6)
    return rng.normal(size=(32, d_k)), rng.normal(size=(64, d_k))


def random_weights(right, d_k, power):
    return softmax(right["scaled_scores"](*random_rows(d_k)) * d_k ** (0.5 - power))


# --- questions -------------------------------------------------------------------------------------------


def test_scaled_score_is_the_loop_oracles():
    assert key("scaled_score") == oracle(LESSON).attention_score([3, 1, -2, 4], [1, 2, 0.5, 1]) == 4


def test_score_by_hand_is_the_loop_oracles():
    worked_out = oracle(LESSON).attention_score([2.0, 0.5, 1.0, -1.5], [1.0, 1.0, -0.5, 2.0])
    assert key("score_by_hand") == worked_out == -0.5


def test_variance_grows_as_the_width_and_the_root_brings_it_back():
    asked = library(LESSON).questions["why_sqrt_d_k"]
    text = asked.options[key("why_sqrt_d_k")]
    assert "grows as $d_k$" in text
    assert "saturates" in text
    assert "dividing the scores by $\\sqrt{d_k}$" in text
    lengths = {letter: len(option) for letter, option in asked.options.items()}
    assert lengths[key("why_sqrt_d_k")] < 1.15 * np.mean(list(lengths.values()))


# --- numerics --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 5, 3), (8, 3, 7), (4, 4, 4)])
def test_references_agree_with_the_oracles_on_more_inputs(right, shape):
    n_q, n_k, d_k = shape
    rng = np.random.default_rng(sum(shape))
    Q, K = rng.normal(size=(n_q, d_k)), rng.normal(size=(n_k, d_k))
    slow = oracle(LESSON)
    np.testing.assert_allclose(right["scaled_scores"](Q, K), slow.scaled_scores(Q, K), rtol=1e-12, atol=1e-13)
    assert right["attention_score"](Q[0], K[0], -2.5) == pytest.approx(slow.attention_score(Q[0], K[0], -2.5))
    A = softmax(rng.normal(size=(n_q, n_k)))
    np.testing.assert_allclose(
        right["attention_entropy"](A), slow.attention_entropy(A), rtol=1e-12, atol=1e-15
    )
    np.testing.assert_allclose(right["softmax_jacobian"](A[0]), slow.softmax_jacobian(A[0]), atol=1e-14)
    keys, u = rng.normal(size=(n_q, d_k)), rng.normal(size=2 * n_q - 1)
    for inside in (True, False):
        np.testing.assert_allclose(
            right["relative_bias_scores"](Q, keys, u, inside),
            slow.relative_bias_scores(Q, keys, u, inside),
            rtol=1e-12,
            atol=1e-13,
        )


def test_hidden_pair_scores_minus_infinity(right):
    assert right["attention_score"](np.ones(3), np.ones(3), -np.inf) == -np.inf


def test_a_row_of_zeros_and_a_one_hot_row_have_no_entropy(right):
    A = np.array([[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1 / 3, 1 / 3, 1 / 3]])
    np.testing.assert_allclose(right["attention_entropy"](A), [0, 0, math.log(3)], atol=1e-15)


def test_jacobian_is_the_softmaxs_slope(right):
    """The formula against finite differences of a softmax."""
    scores, step = np.random.default_rng(3).normal(size=5), 1e-6
    slopes = np.array([softmax(scores + step * e) - softmax(scores - step * e) for e in np.eye(5)]).T
    np.testing.assert_allclose(right["softmax_jacobian"](softmax(scores)), slopes / (2 * step), atol=1e-9)


@pytest.mark.parametrize("d_k", [2, 3, 5, 8])
def test_variance_is_within_half_of_its_tolerance(right, d_k):
    """A right answer differs from the reference by more than 8% less than once in a million times."""
    raw, scaled = right["score_variance"](d_k, 28_000, seed=d_k)
    assert raw == pytest.approx(d_k, rel=0.04)
    assert scaled == pytest.approx(1, rel=0.04)


def test_variance_is_the_width_for_coins():
    """The table of section 2: the sum of four coins of ±1."""
    chances = {-4: 1, -2: 4, 0: 6, 2: 4, 4: 1}
    assert sum(count * score**2 for score, count in chances.items()) / 16 == 4


# --- answers that are nobody's misconception -------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["attention_score", "scaled_scores", "softmax_jacobian", "relative_bias_scores"]
)
def test_single_precision_loses_in_every_class(right, name):
    """Fails when rounding to seven digits is right or wrong by luck of the numbers that a secret draws."""
    for number in range(12):
        verdict = verdict_on(
            LESSON, name, lambda *given: right[name](*in_single_precision(given)), f"class {number}".encode()
        )
        assert verdict.score == 0


@pytest.mark.parametrize(("least", "is_right"), [(1e-2, False), (1e-3, False), (1e-6, True), (1e-9, True)])
@pytest.mark.parametrize("secret", SECRETS)
def test_a_floor_under_the_logarithm_is_right_only_where_it_is_low(least, is_right, secret):
    verdict = verdict_on(
        LESSON, "attention_entropy", lambda A: -np.sum(A * np.log(np.maximum(A, least)), axis=1), secret
    )
    assert (verdict.score == verdict.max_score) == is_right


@pytest.mark.parametrize("secret", SECRETS)
def test_a_diagonal_found_by_equal_weights_is_wrong(secret):
    verdict = verdict_on(
        LESSON, "softmax_jacobian", lambda a: np.where(a[:, None] == a, a * (1 - a), -a[:, None] * a), secret
    )
    assert verdict.score == 0


@pytest.mark.parametrize("secret", SECRETS)
def test_a_jacobian_by_central_differences_is_right(secret):
    def by_differences(a):
        scores, step = np.log(a.astype(float)), 1e-5
        return np.array(
            [(softmax(scores + step * e) - softmax(scores - step * e)) / (2 * step) for e in np.eye(len(a))]
        ).T

    verdict = verdict_on(LESSON, "softmax_jacobian", by_differences, secret)
    assert verdict.score == verdict.max_score, verdict.message


def variances(d_k, n_samples, seed):
    Q, K = np.random.RandomState(seed).normal(size=(2, n_samples, d_k))
    raw = np.sum(Q * K, axis=1)
    return raw.var(), (raw / np.sqrt(d_k)).var()


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "not_measured",
    [
        lambda d_k, n_samples, seed: (d_k, 1.0),
        lambda d_k, n_samples, seed: (variances(d_k, n_samples, seed)[0], 1.0),
        lambda d_k, n_samples, seed: variances(d_k, 30_000, seed),
    ],
    ids=["known beforehand", "one of two known beforehand", "another number of samples"],
)
def test_variances_that_were_not_measured_as_asked_lose_half(secret, not_measured):
    assert verdict_on(LESSON, "score_variance", variances, secret).score == 4
    assert verdict_on(LESSON, "score_variance", not_measured, secret).score == 2


# --- the prose -------------------------------------------------------------------------------------------


def stated_of_the_head(right):
    Q, K = real_head()
    scaled = right["scaled_scores"](Q, K)
    raw = scaled * 32**0.5
    A, one_hot, even = softmax(scaled), softmax(raw), softmax(raw / 32)
    entropy = {
        name: right["attention_entropy"](weights)
        for name, weights in (("raw", one_hot), ("root", A), ("width", even))
    }
    looked_at = np.exp(entropy["root"])
    J = right["softmax_jacobian"](A[1])
    second, first = np.sort(raw[6])[-2:]
    lead = (first - second) / 32**0.5
    head_2 = right["scaled_scores"](*real_head(2))
    return [
        ("| {:.1f} | {:.1f} | {:.1f} | {:.1f} | {:.1f} | {:.1f} | {:.1f} |", *raw[6]),
        ("*Boat* and *bank* give *river* {:.2f}", one_hot[1, 5]),
        ("*Boat* and *bank* give *river* {:.2f}", one_hot[6, 5]),
        ("standard deviation of {:.1f}", raw.std()),
        ("had {:.1f}.", raw.std()),
        ("*boat* gives *river* {:.2f}", A[1, 5]),
        ("*the*, *was* and *river* ({:.2f}, {:.2f}, {:.2f})", A[3, 4], A[3, 2], A[3, 5]),
        ("*Bank* still gives *river* {:.2f}", A[6, 5]),
        (
            "A lead of {:.0f} points has become one of {:.1f}, worth {:.0f} votes",
            lead * 32**0.5,
            lead,
            np.exp(lead),
        ),
        ("between {:.2f} and {:.2f}, where an even share is {:.2f}", even.min(), even.max(), 1 / 7),
        ("deviation of {:.0f}, and its weights are one-hot", (head_2 * 32**0.5).std()),
        (
            "Mean entropies: {:.2f} undivided, {:.2f} with $\\sqrt{{d_k}}$, {:.2f} with $d_k$",
            *(values.mean() for values in entropy.values()),
        ),
        ("over seven has {:.2f}", math.log(7)),
        ("*bank* looks at {:.1f} words and *boat* at {:.1f}", looked_at[6], looked_at[1]),
        ("Scaled: {:.2f} on the diagonal for *river*, and −{:.2f}", J[5, 5], -J.min()),
        ("the second word, gives {:.2f} to *river*", A[1, 5]),
    ]


def stated_of_random_rows(right):
    first_key = {
        name: [random_weights(right, d_k, POWERS[name]).max(axis=1).mean() for d_k in (4, 64, 1024)]
        for name in ("undivided", "root")
    }
    entropy, trace, response = {}, {}, {}
    for name, power in POWERS.items():
        for d_k in WIDTHS:
            weights, K = random_weights(right, d_k, power), random_rows(d_k)[1]
            jacobians = [right["softmax_jacobian"](row) for row in weights]
            entropy[name, d_k] = right["attention_entropy"](weights).mean()
            trace[name, d_k] = np.mean([np.trace(J) for J in jacobians])
            response[name, d_k] = np.median([np.linalg.norm(J @ K) / d_k**power for J in jacobians])
    return [
        ("gets {:.2f}, {:.2f} and {:.2f} at widths", *first_key["root"]),
        ("Undivided it gets {:.2f}, {:.2f} and {:.2f}.", *first_key["undivided"]),
        *(
            (
                before + ": entropy {:.2f} → {:.2f}, trace {:.3f} → {:.3f}",
                *(measured[name, d_k] for measured in (entropy, trace) for d_k in (4, 1024)),
            )
            for name, before in (
                ("undivided", "undivided"),
                ("root", "$\\sqrt{{d_k}}$"),
                ("width", "With $d_k$"),
            )
        ),
        ("it stay: {:.3f} at a width of 4, {:.3f} at 1024", response["root", 4], response["root", 1024]),
        ("from {:.3f} to {:.3f}: the weights are even", response["width", 4], response["width", 1024]),
        (
            "then collapses: {:.3f} at 64, {:.3f} at 1024",
            response["undivided", 64],
            response["undivided", 1024],
        ),
        ("$\\ln 64 = {:.2f}$", math.log(64)),
    ]


def stated_of_the_bias(right):
    Q, K = real_head()
    u = -0.5 * np.abs(np.arange(-6, 7))
    inside = right["relative_bias_scores"](Q, K, u, True)
    outside = right["relative_bias_scores"](Q, K, u, False)
    none = right["scaled_scores"](Q, K)
    boat = [softmax(scores)[1, 5] for scores in (outside, none, inside, inside * 32**0.5)]
    return [
        ("*Boat* gives *river* {:.2f} with the bias outside", boat[0]),
        ("and {:.2f} only falls to {:.2f}", boat[1], boat[2]),
        ("*boat* gives *river* {:.2f}. T5", boat[3]),
    ]


def holds(text, *numbers):
    return text.format(*numbers) in " ".join(TEXT.split())


def test_numbers_of_the_real_head_are_measured(right):
    """Fails when the text says another number than the cell beside it prints."""
    for line in stated_of_the_head(right):
        assert holds(*line), line


def test_numbers_of_random_queries_are_measured(right):
    for line in stated_of_random_rows(right):
        assert holds(*line), line


def test_numbers_of_the_bias_are_measured(right):
    for line in stated_of_the_bias(right):
        assert holds(*line), line


def test_undivided_head_is_nearly_a_choice(right):
    """Section 1: five of seven rows put 0.75 or more on one word; bank's second choice gets two billionths.
    Section 4: scaled, all but bank and boat look at more than four words, by d_k all at more than six."""
    raw = right["scaled_scores"](*real_head()) * 32**0.5
    assert np.sum(softmax(raw).max(axis=1) >= 0.75) == 5
    assert round(np.sort(softmax(raw)[6])[-2] * 1e9) == 2
    looked_at = np.exp(right["attention_entropy"](softmax(raw / 32**0.5)))
    assert (np.delete(looked_at, [1, 6]) > 4).all()
    assert (np.exp(right["attention_entropy"](softmax(raw / 32))) > 6).all()


def test_head_2_is_one_hot_even_when_scaled(right):
    assert (softmax(right["scaled_scores"](*real_head(2))).max(axis=1) > 0.99).all()


def test_a_few_undivided_queries_respond_and_the_rest_hardly_do(right):
    """Why the response is a median: at 1024 the mean of the undivided rows is many times their median."""
    K = random_rows(1024)[1]
    rows = random_weights(right, 1024, POWERS["undivided"])
    responses = [np.linalg.norm(right["softmax_jacobian"](row) @ K) for row in rows]
    assert np.mean(responses) > 50 * np.median(responses)


def test_bias_inside_is_the_root_of_the_width_smaller(right):
    Q, K = real_head()
    u = np.random.default_rng(0).normal(size=13)
    larger = right["relative_bias_scores"](Q, K, u * 32**0.5, True)
    np.testing.assert_allclose(larger, right["relative_bias_scores"](Q, K, u, False), rtol=1e-12)


def test_model_answer_says_what_was_measured(right):
    """Its numbers at widths of 64 and 1024, undivided, and those that it shares with the prose."""
    answer = library(LESSON).free_texts["diagnose_instability"].model_answer
    numbers = ["4.16", "0.004", "0.175"]
    for d_k in (64, 1024):
        weights = random_weights(right, d_k, POWERS["undivided"])
        traces = [np.trace(right["softmax_jacobian"](row)) for row in weights]
        numbers += [f"{right['attention_entropy'](weights).mean():.2f}", f"{np.mean(traces):.3f}"]
    assert [number for number in numbers if number not in answer] == []
    assert [number for number in numbers[:3] if number not in TEXT] == []


def test_provided_cells_compute_no_exercise():
    """Fails when a cell that students are given shows how an exercise is done."""
    code = provided_code(LESSON)
    for telling in (".T", "np.outer", "np.diag", "np.log(A", "einsum", "softmax(", "@ K", "np.exp(raw"):
        assert telling not in code, telling
