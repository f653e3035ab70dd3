"""Lesson 8: its questions' keys from scratch, and every measured number that its prose states."""

from __future__ import annotations

import math

import numpy as np
import pytest

from attention_lib import measure, ranks, real_model, timeline

from .conftest import SOLUTIONS, library
from .test_sources import provided_code

LESSON = "08_sequence_parallelism"
TEXT = (SOLUTIONS / "lessons" / f"{LESSON}.md").read_text(encoding="utf-8")
TOKENS, LAYERS, HEADS, KV_HEADS, D_HEAD = 2**20, 32, 32, 8, 128
RATE, NETWORK = 740e12, 50e9


def plain(text):
    return " ".join(text.replace("\n> ", "\n").split())


def softmax(scores):
    votes = np.exp(np.asarray(scores) - np.max(scores))
    return votes / votes.sum()


def relative(found, wanted):
    return np.linalg.norm(np.asarray(found) - wanted) / np.linalg.norm(wanted)


def head_4(sentence, separators):
    X = real_model.with_one(real_model.layer_input(sentence, separators=separators))
    head = real_model.head(4)
    return X @ head.W_q, X @ head.W_k, X @ head.W_v


def key(name):
    return library(LESSON).questions[name].key


# --- the questions' keys ---------------------------------------------------------------------------------


def test_distributed_weight_is_that_of_the_whole_row():
    assert key("distributed_weight") == pytest.approx(softmax([2.0, 1.0, 0.5])[0])
    hinted = [answer for answer, _ in library(LESSON).questions["distributed_weight"].hints]
    averaged = softmax([2.0, 1.0])[0] / 2
    assert any(answer == pytest.approx(averaged) for answer in hinted)
    assert f"would give the first key {averaged:.4f}" in plain(TEXT)


def test_averaged_softmaxes_are_local_whatever_is_taken_off():
    """Every GPU has a third of the say, equal numbers of keys or not, one common maximum or not."""
    question = library(LESSON).questions["averaged_local_softmax"]
    assert "third of the say" in question.options[question.key]
    scores = np.array([0.0, 0.0, 9.0, 9.0, 5.0, 4.0])
    locally = [np.exp(third - scores.max()) for third in np.split(scores, 3)]
    shares = [np.sum(votes / votes.sum()) / 3 for votes in locally]
    assert shares == pytest.approx([1 / 3] * 3)
    assert softmax(scores)[:2].sum() < 0.001


def test_quadratic_limit_leaves_each_machine_a_hundredfold():
    question = library(LESSON).questions["quadratic_limit"]
    more_tokens, more_machines = 100, 100
    assert f"{more_tokens**2:,} times the work" in question.options[question.key]
    assert more_tokens**2 // more_machines == 100
    assert "100-fold" in question.options[question.key]


# --- worked examples -------------------------------------------------------------------------------------


def test_worked_tables_of_two_ranks(right):
    """Votes 6, 2 and 4, in sections 3, 4 and 5."""
    q, V = np.ones(1), np.eye(3)
    shards = [(np.log([[6.0], [2.0]]), V[:2]), (np.log([[4.0]]), V[2:])]
    parts = [right["local_partial"](q, *shard) for shard in shards]
    for (m, l, o), expected in zip(parts, [(6, 4 / 3, [1, 1 / 3, 0]), (4, 1, [0, 0, 1])], strict=True):
        assert (math.exp(m), l) == pytest.approx(expected[:2])
        assert o == pytest.approx(expected[2])
    assert right["merge_partials"](parts) == pytest.approx([1 / 2, 1 / 6, 1 / 3])
    pairs = [(np.asarray(o) / l, m + math.log(l)) for m, l, o in parts]
    merged, lse = right["merge_lse"](*pairs[0], *pairs[1])
    assert math.exp(lse) == pytest.approx(12)
    assert merged == pytest.approx([1 / 2, 1 / 6, 1 / 3])


def test_eight_tokens_on_two_ranks(right, world):
    contiguous = world["pairs_in_ring"](right["balanced_positions"](8, 2, "contiguous"))
    assert contiguous.tolist() == [[10, 10], [0, 16]]
    rows = {"contiguous": "contiguous", "striped": "striped (", "zigzag": "zigzag ("}
    for scheme, beginning in rows.items():
        cells = [" ".join(map(str, own)) for own in right["balanced_positions"](8, 2, scheme)]
        [line] = [line for line in TEXT.splitlines() if line.startswith(f"| {beginning}")]
        assert line.endswith(f"| {cells[0]} | {cells[1]} |")


def test_who_holds_which_block():
    for step in range(4):
        row = " | ".join(str((rank - step) % 4) for rank in range(4))
        assert f"step {step}{' holds block' if step == 0 else ''} | {row} |" in plain(TEXT)


def test_the_deadlock_is_one_and_names_all_four(world):
    for program in ("greet_one_after_the_other", "greet_without_rank_3"):
        with pytest.raises((ranks.Deadlock, ranks.Mismatch), match=r"rank 3|and 3"):
            ranks.run(4, world[program])
    assert [line.split()[5] for line in ranks.run(4, world["greet"])] == ["3", "0", "1", "2"]


# --- what the lesson measures ----------------------------------------------------------------------------


def averaged(parts):
    return np.mean([np.asarray(o) / l for m, l, o in parts], axis=0)


def errors(right, P, part_of=tuple):
    """(merged, averaged): relative errors of the 24 outputs on P ranks, each part passed through part_of."""
    Q, K, V = head_4(real_model.SENTENCES[-1], separators=True)
    truth = np.stack([softmax(q @ K.T / math.sqrt(32)) @ V for q in Q])
    shards = list(zip(*right["shard_rows"](K, V, P), strict=True))
    rows = [[part_of(right["local_partial"](q, *shard)) for shard in shards] for q in Q]
    merged = [right["merge_partials"](row) for row in rows]
    return relative(merged, truth), relative([averaged(row) for row in rows], truth)


def bank_on_three():
    """(the weights of bank, the mean of its three softmaxes)."""
    Q, K, _ = head_4(real_model.SENTENCES[0], separators=False)
    scores = Q[6] @ K.T / math.sqrt(32)
    return softmax(scores), np.concatenate([softmax(third) / 3 for third in np.array_split(scores, 3)])


def sent_in_ring(right, P):
    shards = np.array_split(np.ones((50, 16)), P)
    results = ranks.run(P, lambda comm: right["ring_attention"](comm, *[shards[comm.rank]] * 3, True))
    return max(results.bytes_sent), sum(results.bytes_sent)


def over_ideal(right, world, n, P, scheme):
    return world["over_ideal"](world["pairs_in_ring"](right["balanced_positions"](n, P, scheme)))


def stated(right, world):
    """Words of the lesson that hold a number, and the number as measured or computed here."""
    whole, mean = bank_on_three()
    cache = 2 * LAYERS * KV_HEADS * D_HEAD * 2 * TOKENS
    operations = TOKENS**2 / 2 * LAYERS * HEADS * 2 * D_HEAD * 2
    contiguous = world["pairs_in_ring"](right["balanced_positions"](1000, 4, "contiguous"))
    waiting = timeline.share(timeline.in_lockstep(contiguous), "waiting")
    least = 2 * KV_HEADS / HEADS * RATE / NETWORK
    computing, passing_on = world["computing"], world["passing_on"]
    hybrid = world["exchanging"](1024, world["NVLINK"]) + max(computing(1024), passing_on(128, 1))
    attention = 2 * 1e12 * 128 * 128 * 126 / 128 / RATE
    matrices = 2 * 405e9 * 1e6 / 128 / RATE
    step, exchange = 1e6 * computing(128) / 128, 1e6 * passing_on(128, KV_HEADS) / 127
    last_step, last_exchange = 1e6 * computing(1024) / 1024, 1e6 * passing_on(1024, KV_HEADS) / 1023
    return [
        ("keys and values | {:.0f} GB", cache / 1e9),
        (
            "once | ${:.1f}\\cdot10^{{17}}$ operations | needs {:.1f} minutes",
            operations / 1e17,
            operations / RATE / 60,
        ),
        ("*Bank* gives *river* {:.2f}", whole[5]),
        ("And *near*, which had {:.2f}", whole[3]),
        (
            "left with {:.2f}, and *near* and the second *the* have {:.2f} and {:.2f}",
            mean[5],
            mean[3],
            mean[4],
        ),
        ("where {:.3f} and {:.3f} are right", *softmax([1000.0, 999.0])),
        ("Averaged: {:.2f} at two ranks, {:.2f} at 24", errors(right, 2)[1], errors(right, 24)[1]),
        ("its mean was off by {:.2f} to {:.2f}", errors(right, 2)[1], errors(right, 24)[1]),
        ("Critical path over ideal: {:.2f}", over_ideal(right, world, 8, 2, "contiguous")),
        ("Contiguous: {:.3f}, just below", over_ideal(right, world, 1000, 4, "contiguous")),
        ("and {:.0f}% of the machines' time", 100 * waiting),
        ("Striped: {:.3f}. In each step", over_ideal(right, world, 1000, 4, "striped")),
        ("{} of {:,}", 250, 250 * 251 // 2),
        ("Zigzag: {:.3f}, since", over_ideal(right, world, 1000, 4, "zigzag")),
        ("counts for more, {:.3f} at 32 ranks", over_ideal(right, world, 1024, 32, "striped")),
        ("A ring of 128 GPUs needs {:.0f} ms", 1000 * max(computing(128), passing_on(128, KV_HEADS))),
        ("A ring of 1,024 needs {:.0f}:", 1000 * max(computing(1024), passing_on(1024, KV_HEADS))),
        ("here {:,.0f} tokens on a rank, that is, up to {:.0f} ranks", least, math.floor(TOKENS / least)),
        ("and {:.0f} GiB for each layer", cache / LAYERS / 2**30),
        ("computes for {:.0f} µs and sends for {:.0f}: hiding", step, exchange),
        ("It computes for {:.0f} µs and sends for {:.0f}, so", last_step, last_exchange),
        (
            "Of these {:.0f} µs, {:.0f} are",
            last_exchange,
            1e6 * world["block_bytes"](1024, KV_HEADS) / NETWORK,
        ),
        ("blocks of {:,} tokens. That takes {:.0f} ms", TOKENS // 128, 1000 * hybrid),
        ("close to the {:.0f} ms of computing", 1000 * computing(1024)),
        (
            "takes {:.1f} s and the products with its matrices {:.1f} s, together {:.0f} s",
            attention,
            matrices,
            attention + matrices,
        ),
    ]


def test_numbers_in_the_prose_are_measured(right, world):
    """Fails when the text says another number than the cell beside it prints."""
    for text, *numbers in stated(right, world):
        assert text.format(*numbers) in plain(TEXT)


def test_merging_is_exact_and_averaging_worsens_with_every_cut(right):
    """The curves of section 4. With one token on a rank, averaging is the plain mean of the values."""
    found = [errors(right, P) for P in (1, 2, 3, 4, 6, 8, 12, 24)]
    assert max(merged for merged, _ in found) < 1e-15
    means = [mean for _, mean in found]
    assert means == sorted(means)
    _, K, V = head_4(real_model.SENTENCES[-1], separators=True)
    alone = [right["local_partial"](np.ones(32), K[j : j + 1], V[j : j + 1]) for j in range(24)]
    np.testing.assert_allclose(averaged(alone), V.mean(axis=0))


def test_merging_in_any_order_is_nearly_the_same(world):
    """Many last digits, none off by more than 2e-15."""
    assert len(world["in_any_order"]) == 200
    assert len(world["different"]) > 100
    assert 2e-16 < world["farthest"] <= 2e-15


def test_meetings_send_as_much_however_many_keys_there_are(right):
    """And of the size that the prose names: n_q (1 + 1 + d_v) numbers, in an all-reduce's two rounds."""
    sent = []
    for n in (64, 4096):
        Q, K, V = (np.ones((rows, 32)) for rows in (3, n, n))
        shards = right["shard_rows"](K, V, 4)
        attention = right["sequence_parallel_attention"]
        results = ranks.run(4, lambda comm: attention(comm, Q, *(s[comm.rank] for s in shards)))  # noqa: B023
        sent.append(max(results.bytes_sent))
    own = 8 * 3 * (1 + 1 + 32)
    assert f"here {own} bytes, and half as much again" in plain(TEXT)
    assert sent[0] == sent[1] == pytest.approx(1.5 * own, abs=8)


def test_ring_sends_no_more_than_the_text_from_any_rank(right):
    keys_and_values = 50 * 2 * 16 * 8
    assert f"the {keys_and_values:,} bytes that all keys and values take" in plain(TEXT)
    most, together = sent_in_ring(right, 5)
    assert f"{most:,}: four fifths" in plain(TEXT)
    assert keys_and_values * 4 / 5 <= most < keys_and_values * 4 / 5 * 1.01
    assert keys_and_values * 4 <= together < keys_and_values * 4 * 1.01


def test_one_process_grows_by_what_the_prose_says(right):
    """98 MiB: three arrays of the size of the scores at once, and a little."""
    Q = np.random.default_rng(0).normal(size=(2048, 64))
    peak = measure.peak_bytes(ranks.run, 1, right["ring_attention"].reference, Q, Q, Q, False) / 2**20
    assert "from about 98 MiB" in plain(TEXT)
    assert peak == pytest.approx(98, abs=4)


def test_blocks_of_scores_come_down_to_a_quarter():
    sizes = [(2048 // P) ** 2 * 8 / 2**20 for P in (1, 2, 4)]
    assert "The blocks of scores, {:.0f}, {:.0f} and {:.0f} MiB".format(*sizes) in plain(TEXT)


def test_contiguous_shards_tend_to_two_and_zigzag_stays_at_one(right, world):
    for P in (2, 4, 8, 16, 32):
        assert over_ideal(right, world, 1024, P, "contiguous") == pytest.approx(2 - 1 / P, abs=2e-3)
        assert over_ideal(right, world, 1024, P, "zigzag") == pytest.approx(1, abs=5e-4)


def test_heads_are_exchanged_without_loss_up_to_as_many_ranks_as_there_are(right):
    """Twelve heads: what a rank sends falls from two ranks on, and eight ranks are refused."""
    X, exchange, sent = np.arange(24 * 12 * 2.0).reshape(24, 12, 2), right["ulysses_all_to_all"], []
    for P in (2, 4, 6):
        results = ranks.run(P, lambda comm: exchange(comm, np.split(X, comm.size)[comm.rank]))
        np.testing.assert_array_equal(np.concatenate(results, axis=1), X)
        sent.append(max(results.bytes_sent))
    assert sent == sorted(sent, reverse=True)
    with pytest.raises(ValueError):  # noqa: PT011, the words are the solution's own
        ranks.run(8, exchange, X[:3])


def test_an_eighth_of_the_machines_is_as_fast_as_all(world):
    """What the plan says in words: hidden at 128, not at 256; both ways together 8 times faster at 1,024."""
    computing, passing_on = world["computing"], world["passing_on"]
    assert passing_on(128, KV_HEADS) < computing(128)
    assert passing_on(256, KV_HEADS) > computing(256)
    alone = passing_on(1024, KV_HEADS)
    together = world["exchanging"](1024, world["NVLINK"]) + max(computing(1024), passing_on(128, 1))
    assert alone / together == pytest.approx(8, abs=0.5)


def test_scaled_ranks_stand_for_all_of_them(right, world):
    """The plan runs 16 ranks and scales: 40 would have given the same."""
    machine = world["standing_for"](world["block_bytes"](40, KV_HEADS), 2 * 2048, world["NETWORK"])
    seconds = max(ranks.run(40, world["ring_alone"], machine=machine).seconds)
    assert world["passing_on"](40, KV_HEADS) == pytest.approx(seconds, rel=1e-6)


def test_half_precision_costs_the_digits_that_the_prose_says(right):
    """3e-4 at any P; 0.03 to 0.05 with scores near 1000, unless m and l keep their digits: then 2e-4."""

    def travelled(kinds, shift):
        def travel(part):
            m, l, o = part
            return tuple(
                np.asarray(x).astype(k).astype(float) for x, k in zip((m + shift, l, o), kinds, strict=True)
            )

        return travel

    half, single, counts = np.float16, np.float32, (2, 8, 24)
    small = [errors(right, P, travelled([half] * 3, 0))[0] for P in counts]
    assert 2.4e-4 < min(small) < max(small) < 3.5e-4
    large = [errors(right, P, travelled([half] * 3, 1000))[0] for P in counts]
    assert (round(min(large), 2), round(max(large), 2)) == (0.03, 0.05)
    for shift in (0, 1000):
        kept = [errors(right, P, travelled([single, single, half], shift))[0] for P in counts]
        assert 1e-4 < min(kept) < max(kept) < 2e-4


def test_provided_cells_compute_no_exercise():
    """Fails when a cell that students are given cuts, merges or passes on what they are to write."""
    code = provided_code(LESSON)
    for telling in (
        " @ ",
        "array_split",
        "logaddexp",
        "np.max",
        "op=MAX",
        "causal_mask",
        "hsplit",
        "concatenate(comm",
    ):
        assert telling not in code
