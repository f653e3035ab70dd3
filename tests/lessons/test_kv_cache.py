"""Lesson 7: its questions' keys from scratch, its numerics contract, and every measured number that its
prose states."""

from __future__ import annotations

import numpy as np
import pytest

from attention_lib import measure, real_model

from .conftest import SECRETS, SOLUTIONS, library, oracle
from .test_sources import provided_code
from .verdicts import verdict_on

LESSON = "07_kv_cache"
TEXT = (SOLUTIONS / "lessons" / f"{LESSON}.md").read_text(encoding="utf-8")


def key(name):
    return library(LESSON).questions[name].key


# --- questions' keys from scratch ------------------------------------------------------------------------


def test_key_of_the_new_cache_is_appended_row_by_row():
    K, _ = oracle(LESSON).kv_append([[0.1, 0.5], [0.9, 0.2]], [], [[0.4, 0.8]], [])
    assert key("update_the_cache") == [number for row in K for number in row]


def test_key_of_the_llama_sum_is_exactly_one_gib():
    """Counted head by head; the factor 4 between query heads and heads of keys is the typical slip."""
    count = oracle(LESSON).kv_cache_bytes
    assert count(32, 8, 128, 8192) == key("llama_cache_gib") * 2**30
    assert count(32, 32, 128, 8192) == 4 * 2**30


@pytest.mark.parametrize("name", ["one_step_with_a_cache", "cost_without_a_cache", "why_no_query_cache"])
def test_the_right_option_is_not_the_longest(name):
    """Fails when a student could pick it by its looks."""
    question = library(LESSON).questions[name]
    lengths = {letter: len(text) for letter, text in question.options.items()}
    assert max(lengths, key=lengths.get) != question.key


# --- the numerics contract -------------------------------------------------------------------------------


def drawn(rng, n, d_model=5, d_k=4, d_v=3):
    return rng.normal(size=(n, d_model)), [rng.normal(size=(d_model, width)) / 2 for width in (d_k, d_k, d_v)]


def empty(d_k=4, d_v=3):
    return np.zeros((0, d_k)), np.zeros((0, d_v))


def causal_at_once(X, W):
    output, _ = oracle(LESSON).prefill(X, *W)
    return np.array(output)


@pytest.mark.parametrize("seed", range(20))
def test_every_schedule_gives_causal_attention(right, seed):
    """Prefill, chunks, steps and buffers, in any order, against loops over plain floats."""
    rng = np.random.default_rng(seed)
    X, W = drawn(rng, n=int(rng.integers(3, 15)))
    buffers = rng.normal(size=(20, 4)), np.full((20, 3), np.nan)
    rows, cache, length = [], empty(), 0
    while length < len(X):
        s = int(rng.integers(1, len(X) - length + 1))
        piece = X[length : length + s]
        if length == 0 and rng.random() < 0.5:
            output, cache = right["prefill"](piece, *W)
        elif s == 1:
            row, cache = right["decode_step"](piece[0], cache, *W)
            output = [row]
        else:
            output, cache = right["chunked_prefill"](piece, cache, *W)
        rows += list(output)
        for k, v in zip(cache[0][length:], cache[1][length:], strict=True):
            length = right["preallocated_write"](*buffers, length, k, v)
    expected = causal_at_once(X, W)
    np.testing.assert_allclose(rows, expected, rtol=1e-12, atol=1e-14)
    newest = right["preallocated_attend"](X[-1] @ W[0], *buffers, length)
    np.testing.assert_allclose(newest, expected[-1], rtol=1e-12, atol=1e-14)


def test_one_chunk_of_all_is_prefill_and_a_chunk_of_one_is_a_step(right):
    X, W = drawn(np.random.default_rng(0), 6)
    chunk, prompt = right["chunked_prefill"](X, empty(), *W), right["prefill"](X, *W)
    np.testing.assert_allclose(chunk[0], prompt[0], rtol=1e-13)
    _, cache = right["prefill"](X[:5], *W)
    [row], grown = right["chunked_prefill"](X[5:], cache, *W)
    step, also = right["decode_step"](X[5], cache, *W)
    np.testing.assert_allclose(row, step, rtol=1e-13)
    assert [part.shape for part in grown] == [part.shape for part in also] == [(6, 4), (6, 3)]


@pytest.mark.parametrize("size", [1e3, 1e5])
def test_large_scores_neither_overflow_nor_vanish(right, size):
    """Keys 1, −1 and, of the new token, 1: the query takes the mean of the two best, in each function."""
    K, V = np.array([[1.0], [-1.0]]), np.array([[2.0], [6.0]])
    W = [np.array([[size]]), np.array([[1.0]]), np.array([[4.0]])]
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        o, _ = right["decode_step"](np.ones(1), (K, V), *W)
        [[chunk]], _ = right["chunked_prefill"](np.ones((1, 1)), (K, V), *W)
        prompt, _ = right["prefill"](np.array([[1.0], [-1.0], [1.0]]), *W)
        kept = right["preallocated_attend"](
            np.array([size]), np.append(K, [[1.0]], 0), np.append(V, [[4.0]], 0), 3
        )
    np.testing.assert_allclose([*o, chunk, *kept], [3.0] * 3)
    np.testing.assert_allclose(prompt[:, 0], [4.0, -4.0, 4.0])


def test_full_buffer_raises_and_changes_nothing(right):
    K, V = np.ones((2, 3)), np.full((2, 4), 5.0)
    with pytest.raises(ValueError, match="2 slots"):
        right["preallocated_write"](K, V, 2, np.zeros(3), np.zeros(4))
    assert (K == 1).all()
    assert (V == 5).all()


@pytest.mark.parametrize("left_there", [0.0, 1e30, np.inf, -np.inf, np.nan])
def test_what_the_free_slots_hold_does_not_matter(right, left_there):
    rng = np.random.default_rng(1)
    q, K, V = rng.normal(size=3), rng.normal(size=(6, 3)), rng.normal(size=(6, 2))
    before = right["preallocated_attend"](q, K, V, 4)
    K[4:], V[4:] = left_there, left_there
    with np.errstate(all="raise"):
        assert np.array_equal(right["preallocated_attend"](q, K, V, 4), before)


def test_gather_pages_undoes_any_paging(right):
    rng = np.random.default_rng(2)
    for size in (1, 2, 3, 7):
        for length in range(1, 12):
            rows = rng.normal(size=(length, 4))
            table = rng.permutation(12)[: -(-length // size) + 1]
            pages = np.full((12, size, 4), np.nan)
            for t, row in enumerate(rows):
                pages[table[t // size], t % size] = row
            found = right["gather_pages"](pages, table, length)
            assert found.shape == (length, 4)
            assert np.array_equal(found, rows)


# --- answers that are nobody's misconception -------------------------------------------------------------


def recomputing():
    """A decode step, and a chunk, that remember the tokens they were given and compute everything anew."""
    seen = []

    def chunk(X, cache, W_q, W_k, W_v):
        if len(cache[0]) == 0:
            seen.clear()
        seen.extend(X)
        output, whole = oracle(LESSON).prefill(np.array(seen), W_q, W_k, W_v)
        return output[-len(X) :], whole

    def step(x_t, cache, W_q, W_k, W_v):
        output, whole = chunk([x_t], cache, W_q, W_k, W_v)
        return output[0], whole

    return {"decode_step": step, "chunked_prefill": chunk}


def test_recomputing_the_prefix_looks_right_in_an_honest_session():
    X, W = drawn(np.random.default_rng(3), 6)
    step, cache, rows = recomputing()["decode_step"], empty(), []
    for x in X:
        row, cache = step(x, cache, *W)
        rows.append(row)
    np.testing.assert_allclose(rows, causal_at_once(X, W))


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("name", ["decode_step", "chunked_prefill"])
def test_recomputing_the_prefix_earns_nothing(name, secret):
    """Its past is the one it has seen, and the cache holds another."""
    assert verdict_on(LESSON, name, recomputing()[name], secret).score == 0


def sharing_one_buffer():
    """The lesson's functions with rows kept in one buffer for all texts, and views of it handed out."""
    room = {}

    def kept(which, old, new):
        buffer = room.setdefault((which, old.shape[1]), np.zeros((64, old.shape[1])))
        buffer[: len(old)] = old
        buffer[len(old) : len(old) + len(new)] = new
        return buffer[: len(old) + len(new)]

    def append(K, V, k_new, v_new):
        return kept("K", K, k_new), kept("V", V, v_new)

    def prompt(X, W_q, W_k, W_v):
        output, _ = oracle(LESSON).prefill(X, W_q, W_k, W_v)
        return output, append(*empty(W_k.shape[1], W_v.shape[1]), X @ W_k, X @ W_v)

    def chunk(X, cache, W_q, W_k, W_v):
        output, _ = oracle(LESSON).chunked_prefill(X, cache, W_q, W_k, W_v)
        return output, append(*cache, X @ W_k, X @ W_v)

    def step(x_t, cache, W_q, W_k, W_v):
        [output], cache = chunk(x_t[None], cache, W_q, W_k, W_v)
        return output, cache

    return {"kv_append": append, "prefill": prompt, "chunked_prefill": chunk, "decode_step": step}


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("name", ["kv_append", "decode_step", "prefill", "chunked_prefill"])
def test_a_buffer_shared_by_all_texts_costs_points(name, secret):
    """Fails when an answer may change while another text is worked on."""
    verdict = verdict_on(LESSON, name, sharing_one_buffer()[name], secret)
    lost = {aspect.name for aspect in verdict.aspects if aspect.score == 0}
    assert lost == {"a cache of its own" if name == "kv_append" else "values", "leaves its inputs alone"}


def remembering():
    """A chunk and a step that go on with a cache of their own, as long as its length is the one they get."""
    own = {}

    def chunk(X, cache, W_q, W_k, W_v):
        mine = own.get((W_k.shape, W_v.shape), cache)
        output, grown = oracle(LESSON).chunked_prefill(
            X, mine if len(mine[0]) == len(cache[0]) else cache, W_q, W_k, W_v
        )
        own[W_k.shape, W_v.shape] = tuple(map(np.array, grown))
        return output, grown

    def step(x_t, cache, W_q, W_k, W_v):
        [output], cache = chunk(x_t[None], cache, W_q, W_k, W_v)
        return output, cache

    return {"chunked_prefill": chunk, "decode_step": step}


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("name", ["decode_step", "chunked_prefill"])
def test_a_cache_remembered_beside_the_one_given_costs_the_values(name, secret):
    verdict = verdict_on(LESSON, name, remembering()[name], secret)
    lost = {aspect.name for aspect in verdict.aspects if aspect.score == 0}
    assert lost == {"values", "leaves its inputs alone"}


SHIFTS = {
    "first": lambda scores: scores[0],
    "last": lambda scores: scores[-1],
    "mean": np.mean,
    "all but the last": lambda scores: scores[:-1].max() if len(scores) > 1 else scores[0],
}


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    ("name", "shift"),
    [
        *(("decode_step", shift) for shift in SHIFTS),
        *(("preallocated_attend", shift) for shift in ("first", "last", "mean")),
    ],
)
def test_another_shift_than_the_maximum_loses_the_large_scores(name, shift, secret):
    """Fails when the highest score stands where a shift by something else does not overflow."""

    def attend(q, K, V, length):
        scores = K[:length] @ q / np.sqrt(len(q))
        votes = np.exp(scores - SHIFTS[shift](scores))
        return votes / votes.sum() @ V[:length]

    def step(x_t, cache, W_q, W_k, W_v):
        K, V = np.vstack([cache[0], x_t @ W_k]), np.vstack([cache[1], x_t @ W_v])
        return attend(x_t @ W_q, K, V, len(K)), (K, V)

    verdict = verdict_on(LESSON, name, step if name == "decode_step" else attend, secret)
    lost = {aspect.name for aspect in verdict.aspects if aspect.score == 0}
    assert lost == {"large scores", "leaves its inputs alone"}


@pytest.mark.parametrize("secret", SECRETS)
def test_a_view_costs_the_cache_of_its_own_and_nothing_else(secret):
    def reshaped(K, V, k_new, v_new):
        if not len(K):
            return k_new.reshape(-1, k_new.shape[1]), v_new[:]
        return np.vstack([K, k_new]), np.vstack([V, v_new])

    verdict = verdict_on(LESSON, "kv_append", reshaped, secret)
    assert {aspect.name for aspect in verdict.aspects if aspect.score == 0} == {
        "a cache of its own",
        "leaves its inputs alone",
    }
    assert verdict.misconception == "view_of_a_reused_buffer"


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("first", ["K", "V"])
def test_half_a_write_before_the_error_costs_the_full_buffer_alone(secret, first):
    """It raises what it should, and leaves a key (or a value) in the last slot."""

    def writes_then_looks(buf_K, buf_V, length, k_new, v_new):
        at = min(length, len(buf_K) - 1)
        if len(buf_K):
            half = (buf_K, k_new) if first == "K" else (buf_V, v_new)
            half[0][at] = half[1]
        if length >= len(buf_K):
            raise ValueError("full")
        buf_K[at], buf_V[at] = k_new, v_new
        return length + 1

    verdict = verdict_on(LESSON, "preallocated_write", writes_then_looks, secret)
    assert {aspect.name for aspect in verdict.aspects if aspect.score == 0} == {"a full buffer"}


@pytest.mark.parametrize("secret", SECRETS)
def test_a_mask_over_all_slots_loses_what_lies_in_the_free_ones_and_nothing_else(secret):
    def masked(q, buf_K, buf_V, length):
        scores = buf_K @ q / np.sqrt(len(q))
        scores[length:] = -1e300
        votes = np.exp(scores - scores.max())
        return votes / votes.sum() @ buf_V

    verdict = verdict_on(LESSON, "preallocated_attend", masked, secret)
    lost = {aspect.name for aspect in verdict.aspects if aspect.score == 0}
    assert lost == {"anything in the free slots", "leaves its inputs alone"}


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("name", ["prefill", "chunked_prefill"])
def test_one_maximum_for_a_matrix_loses_the_large_scores_and_nothing_else(name, secret):
    def chunk(X, cache, W_q, W_k, W_v):
        K, V = np.vstack([cache[0], X @ W_k]), np.vstack([cache[1], X @ W_v])
        scores = X @ W_q @ K.T / np.sqrt(K.shape[1])
        scores = np.where(np.tri(len(X), len(K), k=len(cache[0]), dtype=bool), scores, -np.inf)
        votes = np.exp(scores - scores.max())
        return votes @ V / np.maximum(votes.sum(axis=1, keepdims=True), 1e-300), (K, V)

    def prompt(X, W_q, W_k, W_v):
        return chunk(X, empty(W_k.shape[1], W_v.shape[1]), W_q, W_k, W_v)

    verdict = verdict_on(LESSON, name, prompt if name == "prefill" else chunk, secret)
    lost = {aspect.name for aspect in verdict.aspects if aspect.score == 0}
    assert lost == {"large scores", "leaves its inputs alone"}


# --- what the lesson says and measures -------------------------------------------------------------------


def plain(text):
    return " ".join(text.replace("\n> ", "\n").split())


def copied_by_concatenating(n, d_k, d_v, itemsize=8):
    """Bytes of rows that were there already, over a text of n tokens."""
    return sum(t * (d_k + d_v) * itemsize for t in range(n))


def tokens_that_fit(world):
    """How many tokens' cache 80 GB hold, for each model of the lesson's table."""
    return {name: 80e9 / oracle(LESSON).kv_cache_bytes(*shape, 1) for name, shape in world["shapes"].items()}


def stated(world):
    """Words of the lesson that hold a number, and the number as measured here."""
    off, moved = world["off"]["no mask"], world["moved"]
    shares = dict(zip(world["page_sizes"], world["shares"], strict=True))
    fit = tokens_that_fit(world)
    boat = world["words"].index("boat")
    return [
        ("After five words *boat* is still off by {:.2f}", off[4, boat]),
        ("= {:,}$ keys".replace(",", ","), sum(range(1, 1001))),
        ("*Bank* gives *river* {:.2f}", world["weights"][6, 5]),
        ("are copied: {:.0f} MB, for the sake of {:,} bytes", 1000 * 128 * 8 / 1e6, 128 * 8),
        ("one row, {:,} bytes, and the small change", 2 * 64 * 8),
        ("concatenating copies {:.0f} MB of rows", copied_by_concatenating(1024, 64, 64) / 1e6),
        ("writes {:.0f} MB in all", 1024 * 2 * 64 * 8 / 1e6),
        ("\\;=\\; {} \\text{{ bytes.}}", oracle(LESSON).kv_cache_bytes(2, 3, 4, 5)),
        (
            "GPT-3 reaches the line at {:,.0f} tokens, Llama 3 8B at {:,.0f}",
            fit["GPT-3 175B"],
            fit["Llama 3 8B"],
        ),
        ("than the one with 7, {:,.0f} tokens against {:,.0f}", fit["Llama 2 70B"], fit["Llama 2 7B"]),
        ("DeepSeek-V2 gets as far as {:,.0f}", fit["DeepSeek-V2"]),
        (
            "reserved for each text, {:.1f}% hold a token. With pages of 16 it is {:.1f}%",
            shares[512],
            shares[16],
        ),
        ("Head 4 changes by {:.2f} with two slots and by {:.2f}", moved["head 4"][1], moved["head 4"][5]),
        ("farther off, by {:.2f} and {:.2f}", moved["head 3"][1], moved["head 3"][5]),
        ("Llama 3 8B takes {:.0f} GB, on a GPU", oracle(LESSON).kv_cache_bytes(32, 8, 128, 2**20) / 1e9),
    ]


def test_numbers_in_the_prose_are_measured(world):
    """Fails when the text says another number than the cell beside it prints."""
    for text, *numbers in stated(world):
        said = text.format(*numbers)
        assert said.replace(",", "{,}") in plain(TEXT) or said in plain(TEXT), said


def test_rows_are_final_under_a_causal_mask_and_only_there(world):
    assert np.nanmax(world["off"]["causal mask"]) < 1e-15
    unmasked = world["off"]["no mask"]
    assert (unmasked[:-1][~np.isnan(unmasked[:-1])] > 1e-3).all()


def test_head_4_word_by_word_is_head_4_at_once(world):
    """4e-16 says the lesson; a lower triangle without a mask."""
    assert np.abs(world["outputs"] - world["at_once"]).max() < 1e-15
    assert np.array_equal(np.triu(world["weights"], k=1), np.zeros((7, 7)))
    np.testing.assert_allclose(world["weights"].sum(axis=1), 1.0)


def test_table_of_one_step(right):
    """The table of section 2: votes 1, 2 and 3 for 6, 12 and 4 give 7."""
    K, V = np.log([[1.0], [2.0]]), np.array([[6.0], [12.0]])
    W = [np.array([[1.0]]), np.array([[np.log(3)]]), np.array([[4.0]])]
    o, cache = right["decode_step"](np.array([1.0]), (K, V), *W)
    np.testing.assert_allclose(o, [7.0])
    np.testing.assert_allclose(np.ravel(cache), [*np.log([1, 2, 3]), 6, 12, 4])


def test_schedules_differ_in_the_last_digits_and_in_no_other(world):
    assert max(world["differences"]) < 1e-14
    assert world["counts"][0] < 100


def test_free_slots_take_a_third_of_the_whole(world):
    np.testing.assert_allclose(world["found"], [[1 / 6, 1 / 2, 1 / 6, 1 / 6]])


def test_memory_of_a_step_follows_the_three_laws(right):
    """Slopes 2, 1 and 0. The first is that of NumPy's temporaries beside the projections, hence the room."""
    rng = np.random.default_rng(0)
    X, W = drawn(rng, 2048, 64, 64, 64)
    K, V = X @ W[1], X @ W[2]
    news = K[:1], V[:1]

    def slope(of):
        short, long = of(512), of(1024)
        return np.log2(long / short)

    assert slope(lambda t: measure.peak_bytes(right["prefill"], X[:t], *W)) == pytest.approx(1.9, abs=0.1)
    assert slope(lambda t: measure.peak_bytes(right["kv_append"], K[:t], V[:t], *news)) == pytest.approx(
        1, abs=0.01
    )
    for t in (128, 512, 2047):
        assert measure.peak_bytes(right["preallocated_write"], K, V, t, K[t].copy(), V[t].copy()) < 1024


def test_pages_lose_half_a_page_of_each_text(world):
    """Reserving the longest is in the range that Kwon et al. (2023) measured, 20.4% to 38.2%, or near it."""
    lengths = np.array(world["text_lengths"])
    assert all(world["intact"])
    assert (len(lengths), lengths.min() >= 1, lengths.max()) == (64, True, 512)
    assert lengths.mean() == pytest.approx(100, abs=5)
    free = sum(-(-n // 16) * 16 - n for n in lengths) / len(lengths)
    assert free == pytest.approx(8, abs=1.5)


def test_a_ring_is_a_window_whatever_the_order_of_its_rows(world):
    assert world["worst"] < 1e-14
    assert world["moved"]["head 2"][1] < 0.005
    assert [values[-1] for values in world["moved"].values()] == [0.0] * 3


def test_exhibits_show_what_they_are_said_to_show(right):
    """Six keys of zeros pull the output towards zero; a hidden nan comes through a mask."""
    X = real_model.with_one(real_model.layer_input(real_model.SENTENCES[0], separators=False))
    head = real_model.head(4)
    W = head.W_q, head.W_k, head.W_v
    _, (K, V) = right["prefill"](X[:6], *W)
    reset, fresh = (right["decode_step"](X[6], cache, *W)[0] for cache in ((0 * K, 0 * V), (K[:0], V[:0])))
    assert np.linalg.norm(reset) < 0.5 * np.linalg.norm(fresh)
    attention = library("06_output").exercises["scaled_dot_product_attention"]
    V = np.append(V, np.full((2, 32), np.nan), axis=0)
    K = np.append(K, np.zeros((2, 32)), axis=0)
    used = np.arange(8) < 6
    assert np.isnan(attention(X[5:6] @ W[0], K, V, used)).all()
    assert np.isfinite(right["preallocated_attend"](X[5] @ W[0], K, V, 6)).all()


def test_provided_cells_compute_no_exercise():
    """Fails when a cell that students are given shows a matrix product or a softmax."""
    code = provided_code(LESSON)
    for telling in (
        " @ ",
        "np.exp",
        "np.dot",
        "einsum",
        "np.where",
        "vstack",
        "np.append",
        "divmod",
    ):
        assert telling not in code
