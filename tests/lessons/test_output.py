"""Lesson 6: its questions' keys from scratch, its numerics contract, and every measured number that its
prose states."""

from __future__ import annotations

import math

import numpy as np
import pytest

from attention_lib import measure, real_model

from .conftest import SECRETS, SOLUTIONS, library, oracle
from .test_sources import provided_code
from .verdicts import verdict_on

LESSON = "06_output"
TEXT = (SOLUTIONS / "lessons" / f"{LESSON}.md").read_text(encoding="utf-8")
RIVER_BANK, LOAN_BANK = real_model.SENTENCES[:2]


@pytest.fixture(scope="module")
def right():
    """The lesson's references by name."""
    return {name: exercise.reference for name, exercise in library(LESSON).exercises.items()}


def key(name):
    return library(LESSON).questions[name].key


# --- the questions' keys ---------------------------------------------------------------------------------


def test_weighted_output_is_the_loop_oracles():
    weights = oracle(LESSON).softmax([2.0, 1.0, 0.5])
    output = oracle(LESSON).mixed(weights, [[1, 0], [0, 2], [4, 4]])
    assert key("weighted_output") == pytest.approx(output)
    assert [round(number, 3) for number in output] == [1.190, 1.023]


def test_attention_shapes_are_those_of_the_products(right):
    Q, K, V = np.zeros((3, 4)), np.zeros((5, 4)), np.zeros((5, 7))
    scores, output = Q @ K.T, right["scaled_dot_product_attention"](Q, K, V)
    assert key("attention_shapes") == [*scores.shape, *output.shape]


def test_order_is_products_scale_mask_softmax_sum():
    options = library(LESSON).questions["order_of_attention"].options
    steps = [options[letter] for letter in key("order_of_attention")]
    telling = ["Dot products", "sqrt", "infty", "Softmax", "weighted sum"]
    assert [word in step for word, step in zip(telling, steps, strict=True)] == [True] * 5


def test_mixing_keys_loses_what_the_values_hold(right):
    """With K in place of V, no change of V reaches the output."""
    chosen = library(LESSON).questions["values_swapped_for_keys"]
    assert "never" in chosen.options[chosen.key]
    rng = np.random.default_rng(0)
    Q, K = rng.normal(size=(3, 4)), rng.normal(size=(5, 4))
    weights = right["scaled_dot_product_attention"](Q, K, np.eye(5))
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    np.testing.assert_allclose(right["scaled_dot_product_attention"](Q, K, K), weights @ K)


# --- the numerics contract -------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (2, 5, 3, 7), (8, 3, 2, 1), (6, 6, 6, 6)])
def test_references_agree_with_the_oracles_on_more_inputs(right, shape):
    n_q, n_k, d_k, d_v = shape
    rng = np.random.default_rng(sum(shape))
    Q, K, V, dO = (rng.normal(size=s) for s in ((n_q, d_k), (n_k, d_k), (n_k, d_v), (n_q, d_v)))
    slow = oracle(LESSON)
    attention = right["scaled_dot_product_attention"](Q, K, V)
    np.testing.assert_allclose(attention, slow.scaled_dot_product_attention(Q, K, V), rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(right["attend_one"](Q[0], K, V), attention[0], rtol=1e-11)
    for ours, theirs in zip(
        right["sdpa_backward"](dO, Q, K, V), slow.sdpa_backward(dO, Q, K, V), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-13)


def test_a_query_that_may_attend_to_nothing_gives_zeros(right):
    rng = np.random.default_rng(0)
    allowed = np.array([[True, False], [False, False], [True, True]])
    Q, K, V = rng.normal(size=(3, 4)), rng.normal(size=(2, 4)), rng.normal(size=(2, 5))
    with np.errstate(all="raise"):
        output = right["scaled_dot_product_attention"](Q, K, V, allowed)
    assert np.array_equal(output[1], np.zeros(5))
    np.testing.assert_allclose(output[0], V[0])


@pytest.mark.parametrize("size", [1e3, 1e5])
def test_large_scores_neither_overflow_nor_vanish(right, size):
    """Scores of ±size: the output is the mean of the values of the best keys."""
    Q = np.array([[size], [-size]])
    K, V = np.array([[1.0], [-1.0], [1.0]]), np.array([[2.0], [6.0], [4.0]])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        np.testing.assert_allclose(right["scaled_dot_product_attention"](Q, K, V), [[3.0], [6.0]])
        np.testing.assert_allclose(right["attend_one"](Q[0], K, V), [3.0])
        repeated = np.repeat(Q[:1], 3, axis=0)
        np.testing.assert_allclose(right["blockwise_attention"](repeated, K, V, 2, False), [[3.0]] * 3)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("block", [1, 2, 3, 7, 10, 11, 100])
def test_every_block_gives_the_output_of_the_whole(right, block, causal):
    rng = np.random.default_rng(block)
    Q, K, V = (rng.normal(size=(10, width)) for width in (4, 4, 3))
    allowed = np.tri(10, dtype=bool) if causal else None
    whole = right["scaled_dot_product_attention"](Q, K, V, allowed)
    np.testing.assert_allclose(right["blockwise_attention"](Q, K, V, block, causal), whole, rtol=1e-11)


def test_one_mask_serves_all_heads(right):
    X, *matrices = (np.random.default_rng(1).normal(size=(6, 6)) for _ in range(5))
    mask = np.tri(6, dtype=bool)
    one = right["multi_head_attention"](X, *matrices, 3, mask)
    each = right["multi_head_attention"](X, *matrices, 3, np.stack([mask] * 3))
    np.testing.assert_allclose(one, each)


def test_grouped_heads_are_multi_head_and_multi_query_at_the_ends(right):
    rng = np.random.default_rng(2)
    Q, K, V = (rng.normal(size=(4, 5, 3)) for _ in range(3))
    attention, grouped = right["scaled_dot_product_attention"], right["grouped_query_attention"]
    np.testing.assert_allclose(grouped(Q, K, V), attention(Q, K, V))
    np.testing.assert_allclose(grouped(Q, K[:1], V[:1]), attention(Q, *(M[:1].repeat(4, 0) for M in (K, V))))


def test_row_of_score_derivatives_adds_up_to_zero(right):
    """So a vector added to every key moves nothing: its derivative, the sum of dK's rows, is 0."""
    rng = np.random.default_rng(3)
    dO, Q, K, V = (rng.normal(size=s) for s in ((4, 2), (4, 3), (6, 3), (6, 2)))
    _, dK, _ = right["sdpa_backward"](dO, Q, K, V)
    np.testing.assert_allclose(dK.sum(axis=0), 0.0, atol=1e-14)


# --- answers that are nobody's misconception -------------------------------------------------------------


def one_maximum_for_each_matrix(Q, K, V, allowed=None):
    scores = Q @ np.swapaxes(K, -1, -2) / np.sqrt(Q.shape[-1])
    if allowed is not None:
        scores = np.where(allowed, scores, -np.inf)
    m = scores.max(axis=-1 if Q.ndim < 3 else (-2, -1), keepdims=True)
    votes = np.exp(scores - np.where(np.isfinite(m), m, 0.0))
    return votes @ V / np.maximum(votes.sum(axis=-1, keepdims=True), 1e-300)


def heads_with_one_maximum_each(X, W_q, W_k, W_v, W_o, h, allowed=None):
    Q, K, V = (np.stack(np.split(X @ W, h, axis=1)) for W in (W_q, W_k, W_v))
    return np.concatenate(list(one_maximum_for_each_matrix(Q, K, V, allowed)), axis=1) @ W_o


def groups_with_one_maximum_for_each_head(Q, K, V):
    g = len(Q) // len(K)
    return one_maximum_for_each_matrix(Q, np.repeat(K, g, axis=0), np.repeat(V, g, axis=0))


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("scaled_dot_product_attention", one_maximum_for_each_matrix),
        ("multi_head_attention", heads_with_one_maximum_each),
        ("grouped_query_attention", groups_with_one_maximum_for_each_head),
    ],
)
def test_one_maximum_for_a_matrix_loses_the_large_scores_and_nothing_else(name, function, secret):
    verdict = verdict_on(LESSON, name, function, secret)
    lost = {aspect.name for aspect in verdict.aspects if aspect.score == 0}
    assert lost == {"large scores", "leaves its inputs alone"}


@pytest.mark.parametrize("step", [1e-3, 1e-5, 1e-7])
def test_derivatives_by_finite_differences_are_right_in_every_class(right, step):
    """A derivative right to six digits is right, whatever the secret: only arrays left in single precision
    are too coarse to take a step in."""

    def by_differences(dO, Q, K, V):
        arguments = [np.array(M, dtype=float) for M in (Q, K, V)]

        def moved(M, place, by):
            before = M[place]
            M[place] = before + by
            loss = np.sum(dO * right["scaled_dot_product_attention"](*arguments))
            M[place] = before
            return loss

        return [
            [
                [(moved(M, (i, c), step) - moved(M, (i, c), -step)) / (2 * step) for c in range(M.shape[1])]
                for i in range(M.shape[0])
            ]
            for M in arguments
        ]

    for secret in SECRETS:
        verdict = verdict_on(LESSON, "sdpa_backward", by_differences, secret)
        assert verdict.score == verdict.max_score, verdict.message


# --- what the lesson measures ----------------------------------------------------------------------------


def head_4(sentence):
    X, head = real_model.with_one(real_model.layer_input(sentence)), real_model.head(4)
    return tuple(X @ W for W in (head.W_q, head.W_k, head.W_v))


def heads_of(sentence):
    X, layer = real_model.layer_input(sentence), real_model.weights()
    pairs = ((layer.W_q, layer.b_q), (layer.W_k, layer.b_k), (layer.W_v, layer.b_v))
    return tuple(np.stack(np.split(X @ W + b, layer.h, axis=1)) for W, b in pairs)


def written(found):
    layer = real_model.weights()
    return np.concatenate(list(found), axis=1) @ layer.W_o + layer.b_o


def cosine(a, b):
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


def relative(found, wanted):
    return np.linalg.norm(found - wanted) / np.linalg.norm(wanted)


def filler_costs(right):
    """What 17 rows of zeros do to the short sentence when they are not hidden."""
    attention, short = right["scaled_dot_product_attention"], head_4("the dog chased the cat")
    filled = (np.pad(M, ((0, 24 - len(M)), (0, 0))) for M in short)
    return relative(attention(*filled)[: len(short[0])], attention(*short))


def moved_without(right, silenced, sentence):
    layer, X = real_model.weights(), real_model.layer_input(sentence)
    kept = layer.W_o.copy()
    kept[32 * silenced : 32 * silenced + 32] = 0.0
    rest, whole = (
        right["multi_head_attention"](X, layer.W_q, layer.W_k, layer.W_v, W_o, layer.h)
        for W_o in (kept, layer.W_o)
    )
    bank = real_model.tokens(sentence).index("bank")
    return relative(rest[bank], whole[bank])


def off_when_shared(right, shared):
    Q, K, V = heads_of(RIVER_BANK)
    means = (M.reshape(shared, -1, *M.shape[1:]).mean(axis=1) for M in (K, V))
    grouped = right["grouped_query_attention"]
    return relative(written(grouped(Q, *means)), written(grouped(Q, K, V)))


def kinds_looked_at(right):
    """(12, 6): mean shares of the word itself, the one before, the one after, [CLS], [SEP], others."""
    rows = []
    for sentence in real_model.SENTENCES:
        Q, K, _ = heads_of(sentence)
        n = Q.shape[1]
        A = right["scaled_dot_product_attention"](Q, K, np.stack([np.eye(n)] * 12))
        for i in range(1, n - 1):
            nothing = np.zeros(12)
            before = A[:, i, i - 1] if i > 1 else nothing
            after = A[:, i, i + 1] if i < n - 2 else nothing
            kinds = [A[:, i, i], before, after, A[:, i, 0], A[:, i, -1]]
            rows.append(np.stack([*kinds, 1 - sum(kinds)], axis=1))
    assert f"the {len(rows)} words of the eight sentences" in plain(TEXT)
    return np.mean(rows, axis=0)


def plain(text):
    return " ".join(text.replace("\n> ", "\n").split())


def stated(right):
    """Words of the lesson that hold a number, and the number as measured here."""
    words = real_model.tokens(RIVER_BANK)
    bank, river, boat = (words.index(word) for word in ("bank", "river", "boat"))
    Q, K, V = head_4(RIVER_BANK)
    weights = right["scaled_dot_product_attention"](Q, K, np.eye(9))[bank]
    output = right["attend_one"](Q[bank], K, V)
    by_river = [moved_without(right, k, RIVER_BANK) for k in range(12)]
    by_loan = [moved_without(right, k, LOAN_BANK) for k in range(12)]
    kinds = kinds_looked_at(right)
    return [
        (
            "*River* has {:.2f}. The other eight share {:.2f}, *bank* itself gets {:.2f}.",
            weights[river],
            1 - weights[river],
            weights[bank],
        ),
        ("*river*'s value, to {:.3f}", cosine(output, V[river])),
        (
            "second with {:.2f}, and not by its weight, which is {:.2f}",
            cosine(output, V[boat]),
            weights[boat],
        ),
        ("*bank*'s own value the cosine is {:.2f}", cosine(output, V[bank])),
        ("a cosine of −{:.2f}", -cosine(output, K[river])),
        ("is off by {:.2f}. A score of 0 is a vote", filler_costs(right)),
        ("\\approx {:.2f}$ of its length", math.sqrt(1 / 12)),
        ("without it the output moves by {:.2f}", by_river[4]),
        ("with {:.2f}, and head 7 comes first with {:.2f}", by_loan[4], max(by_loan)),
        ("{:.2f} at 6 heads. At one head it is {:.2f}", off_when_shared(right, 6), off_when_shared(right, 1)),
        ("Head 2 gives {:.2f} to the word before, and the missing {:.2f}", kinds[2, 1], kinds[2, 3]),
        ("Head 8 keeps {:.2f} for the word itself", kinds[8, 0]),
        ("Head 3, with {:.2f}, spends most", kinds[3, 5]),
        ("`[CLS]` alone draws {:.2f} in head 9", kinds[9, 3]),
        ("together take {:.0f} MiB in float64", 2 * 32768 * 64 * 8 / 2**20),
        ("matrix of weights takes {:.0f} GiB", 32768**2 * 8 / 2**30),
    ]


def test_numbers_in_the_prose_are_measured(right):
    """Fails when the text says another number than the cell beside it prints."""
    for text, *numbers in stated(right):
        assert text.format(*numbers) in plain(TEXT)


def test_which_heads_matter_and_where_they_look(right):
    """What the prose says in words about the twelve heads."""
    by_river = [moved_without(right, k, RIVER_BANK) for k in range(12)]
    by_loan = [moved_without(right, k, LOAN_BANK) for k in range(12)]
    assert (np.argmax(by_river), np.argmax(by_loan)) == (4, 7)
    assert by_river[4] > 2 * np.median(by_river)
    kinds = kinds_looked_at(right).round(2)
    assert kinds[:, 5].argmax() == 3
    assert kinds[:, 0].argmax() == 8
    assert kinds[:, 3].argmax() == 9
    assert np.argsort(kinds[:, 1])[-2] == 5
    assert (kinds[:, 3] >= 0.17).sum() == 10


def test_filler_that_is_hidden_changes_nothing(right):
    attention, short = right["scaled_dot_product_attention"], head_4("the dog chased the cat")
    assert len(short[0]) == 7
    assert len(real_model.tokens(real_model.SENTENCES[-1])) == 24
    filled = [np.pad(M, ((0, 17), (0, 0))) for M in short]
    hidden = attention(*filled, np.array([[True] * 7 + [False] * 17]))[:7]
    np.testing.assert_allclose(hidden, attention(*short), rtol=1e-12)


def test_derivatives_agree_with_finite_differences_to_ten_digits(right):
    """The valley's floor, about 5e-11 at the step 1e-5."""
    rng = np.random.default_rng(0)
    dO, Q, K, V = (rng.normal(size=shape) for shape in ((4, 5), (4, 3), (6, 3), (6, 5)))
    assert Q.size + K.size + V.size == 60

    def slope(M, place, step):
        before, at = M[place], []
        for moved in (before + step, before - step):
            M[place] = moved
            at.append(np.sum(dO * right["scaled_dot_product_attention"](Q, K, V)))
        M[place] = before
        return (at[0] - at[1]) / (2 * step)

    derivatives = right["sdpa_backward"](dO, Q, K, V)
    largest = {
        step: max(
            abs(slope(M, place, step) - d[place])
            for M, d in zip((Q, K, V), derivatives, strict=True)
            for place in np.ndindex(M.shape)
        )
        for step in (1e-3, 1e-4, 1e-5, 1e-9)
    }
    assert largest[1e-3] / largest[1e-4] == pytest.approx(100, rel=0.1)
    assert 1e-11 < largest[1e-5] < 2e-10
    assert largest[1e-9] > 100 * largest[1e-5]


def test_blockwise_memory_grows_with_n_and_the_naive_one_with_its_square(right):
    """24 MiB against a tenth of it at n = 1024; fourfold and twofold for a doubling. That the naive peak
    holds three matrices depends on NumPy's temporaries, hence the room."""
    rng = np.random.default_rng(0)
    inputs = {n: [rng.normal(size=(n, 64)) for _ in range(3)] for n in (512, 1024)}
    naive, blockwise = (
        [measure.peak_bytes(way, *inputs[n]) / 2**20 for n in inputs]
        for way in (
            right["scaled_dot_product_attention"],
            lambda Q, K, V: right["blockwise_attention"](Q, K, V, 64, False),
        )
    )
    assert naive[1] == pytest.approx(24, abs=1)
    assert naive[1] / naive[0] == pytest.approx(4, abs=0.2)
    assert blockwise[1] / blockwise[0] == pytest.approx(2, abs=0.1)
    assert naive[1] / blockwise[1] == pytest.approx(10, abs=1)


def test_worked_table_of_two_blocks(right):
    """The table of section 7: votes 1, 2, 6 and 1 in blocks of two."""
    K = np.log([[1.0], [2.0], [6.0], [1.0]])
    weights = right["blockwise_attention"](np.ones((4, 1)), K, np.eye(4), 2, False)
    np.testing.assert_allclose(weights[0], [1 / 10, 1 / 5, 3 / 5, 1 / 10])


def test_the_references_reproduce_a_real_layer(right):
    """2e-7 says the lesson, 1e-4 is what the course promises."""
    for sentence in real_model.SENTENCES:
        output = written(right["scaled_dot_product_attention"](*heads_of(sentence)))
        assert np.abs(output - real_model.attention_output(sentence)).max() < 2.5e-7


def test_provided_cells_compute_no_exercise():
    """Fails when a cell that students are given shows a matrix product, a softmax or a mask."""
    code = provided_code(LESSON)
    for telling in (" @ ", "np.exp", "np.tril", "np.dot", "einsum", "np.repeat", "swapaxes", "np.where"):
        assert telling not in code
