"""Lesson 8: its numerics contract, what distributed attention must equal, and the budgets in bytes. Its
questions' keys and the numbers of its prose: test_sequence_parallelism_prose.py."""

from __future__ import annotations

import functools
import importlib.util
import itertools
import math
import os

import numpy as np
import pytest

from attention_lib import mpi, ranks
from autograder.authoring.cells import solution_source
from autograder.exercise import Outcome

from .conftest import SECRETS, hidden_cases, library, oracle
from .verdicts import verdict_on

LESSON = "08_sequence_parallelism"
COUNTS = [1, 2, 3, 4, 5]
EMPTY = (-np.inf, 0.0, np.zeros(3))
real = pytest.mark.skipif(
    mpi.why_not() is not None and not os.environ.get("REQUIRE_MPI"), reason=str(mpi.why_not())
)


def tokens(n, d_k=4, d_v=3, seed=0):
    rng = np.random.default_rng([seed, n])
    return tuple(rng.normal(size=(n, width)) for width in (d_k, d_k, d_v))


def attention(Q, K, V, causal=False):
    """All queries over all keys in one place, by the loops of the oracle."""
    attended = oracle(LESSON).attended
    return np.array([attended(q, *((K[: i + 1], V[: i + 1]) if causal else (K, V))) for i, q in enumerate(Q)])


attention_of_the_past = functools.partial(attention, causal=True)


def in_ring(ring, P, Q, K, V, causal):
    """The outputs of all ranks, one below the other, and the results of the run."""
    shards = [np.array_split(M, P) for M in (Q, K, V)]
    results = ranks.run(P, lambda comm: ring(comm, *(s[comm.rank] for s in shards), causal))
    return np.concatenate(results), results


# --- cutting ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "P"), [(0, 3), (1, 1), (2, 5), (7, 3), (12, 4), (13, 4)])
def test_shards_are_array_splits_and_put_together_the_whole(right, n, P):
    _, K, V = tokens(n)
    for shards, whole in zip(right["shard_rows"](K, V, P), (K, V), strict=True):
        assert len(shards) == P
        np.testing.assert_array_equal(np.concatenate(shards), whole)
        sizes = [len(shard) for shard in shards]
        assert sizes == sorted(sizes, reverse=True)
        assert max(sizes) - min(sizes) <= 1
        assert all(shard.shape[1] == whole.shape[1] for shard in shards)


@pytest.mark.parametrize("scheme", ["contiguous", "striped", "zigzag"])
@pytest.mark.parametrize(("n", "P"), [(0, 2), (1, 4), (8, 4), (19, 4), (40, 5), (41, 1)])
def test_every_position_belongs_to_one_rank(right, scheme, n, P):
    positions = right["balanced_positions"](n, P, scheme)
    assert len(positions) == P
    assert sorted(np.concatenate(positions).tolist()) == list(range(n))
    for own in positions:
        assert np.asarray(own).dtype.kind == "i"
        assert own.tolist() == sorted(own.tolist())


def pairs(positions):
    """How many pairs j ≤ i each rank scores in each step of a causal ring, by counting them."""
    P = len(positions)
    return np.array(
        [
            [sum(int(j <= i) for i in positions[r] for j in positions[(r - s) % P]) for r in range(P)]
            for s in range(P)
        ]
    )


@pytest.mark.parametrize("P", [2, 3, 4, 5])
def test_zigzag_gives_every_rank_the_same_work_in_every_step(right, P):
    """With 2P equal runs a rank's early one and its late one make up for each other, to a diagonal of pairs;
    contiguous runs leave the critical path at 2 − 1/P of the ideal."""
    n = 2 * P * 6
    zigzag, contiguous = (
        pairs(right["balanced_positions"](n, P, scheme)) for scheme in ("zigzag", "contiguous")
    )
    assert len(set(zigzag.sum(axis=0))) == 1
    assert len(set(zigzag[0])) == len(set(zigzag[1:].ravel())) == 1
    path = contiguous.max(axis=1).sum() / (contiguous.sum() / P)
    assert path == pytest.approx(2 - 1 / P, rel=0.03)


# --- merging ---------------------------------------------------------------------------------------------


def test_an_empty_shard_has_cast_no_vote(right):
    with np.errstate(all="raise"):
        m, l, o = right["local_partial"](np.ones(4), np.zeros((0, 4)), np.zeros((0, 3)))
    assert (m, l, o.tolist()) == (-np.inf, 0.0, [0.0, 0.0, 0.0])


def test_nothing_but_empty_shards_gives_zeros(right):
    with np.errstate(all="raise"):
        assert right["merge_partials"]([EMPTY, EMPTY]).tolist() == [0.0, 0.0, 0.0]
        output, lse = right["merge_lse"](np.zeros(3), -np.inf, np.zeros(3), -np.inf)
    assert (output.tolist(), lse) == ([0.0, 0.0, 0.0], -np.inf)


def test_an_empty_shard_changes_nothing(right):
    part = (0.5, 2.0, np.array([1.0, -2.0, 4.0]))
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        alone = right["merge_partials"]([part])
        for several in ([EMPTY, part], [part, EMPTY, EMPTY]):
            np.testing.assert_array_equal(right["merge_partials"](several), alone)
        output, lse = right["merge_lse"](np.zeros(3), -np.inf, part[2], 7.0)
    np.testing.assert_array_equal(output, part[2])
    assert lse == 7.0


@pytest.mark.parametrize("level", [-1e5, -2000.0, 2000.0, 1e5])
def test_a_maximum_that_all_share_cancels(right, level):
    """Scores shifted by any `level` merge as they are: exp(m) itself would overflow or vanish."""
    parts = [(m, 1.5, np.array([m, 1.0])) for m in (0.0, 1.0, -2.0)]
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        shifted = right["merge_partials"]([(m + level, l, o) for m, l, o in parts])
        np.testing.assert_allclose(shifted, right["merge_partials"](parts), rtol=1e-9)
        output, lse = right["merge_lse"](np.ones(2), level, np.zeros(2), level)
    np.testing.assert_allclose(output, 0.5, rtol=1e-9)  # lse itself is rounded, to 1e-11 at 1e5
    assert lse == pytest.approx(level + math.log(2))


@pytest.mark.parametrize("P", COUNTS)
def test_merged_shards_are_attention_over_the_whole(right, P):
    Q, K, V = tokens(11)
    shards = list(zip(*right["shard_rows"](K, V, P), strict=True))
    for q, output in zip(Q, attention(Q, K, V), strict=True):
        parts = [right["local_partial"](q, *shard) for shard in shards]
        np.testing.assert_allclose(right["merge_partials"](parts), output, rtol=1e-12, atol=1e-14)


def test_merging_by_lse_is_associative_and_does_not_mind_the_order(right):
    rng = np.random.default_rng(1)
    merge, lses = right["merge_lse"], [*rng.normal(size=2), -np.inf, 900.0]
    outputs = [rng.normal(size=3) for _ in lses]
    found = []
    for order in itertools.permutations(range(4)):
        a, b, c, d = ((outputs[u], lses[u]) for u in order)
        found += [
            merge(*merge(*merge(*a, *b), *c), *d),
            merge(*merge(*a, *b), *merge(*c, *d)),
            merge(*a, *merge(*b, *merge(*c, *d))),
        ]
    for output, lse in found:
        np.testing.assert_allclose(output, found[0][0], rtol=1e-12)
        assert lse == pytest.approx(found[0][1], rel=1e-14)


# --- on ranks --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 3, 10])
@pytest.mark.parametrize("P", COUNTS)
def test_two_meetings_are_attention_over_the_whole(right, P, n):
    Q, K, V = tokens(n)
    shards = [np.array_split(M, P) for M in (K, V)]
    two_meetings = right["sequence_parallel_attention"]
    results = ranks.run(P, lambda comm: two_meetings(comm, Q[:2], *(s[comm.rank] for s in shards)))
    assert len(results) == P
    for output in results:
        np.testing.assert_allclose(output, attention(Q[:2], K, V), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("causal", "whole"), [(False, attention), (True, attention_of_the_past)])
@pytest.mark.parametrize("n", [1, 4, 13])
@pytest.mark.parametrize("P", COUNTS)
def test_a_ring_is_attention_over_the_whole(right, P, n, causal, whole):
    Q, K, V = tokens(n)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        output, _ = in_ring(right["ring_attention"], P, Q, K, V, causal)
    np.testing.assert_allclose(output, whole(Q, K, V), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("causal", [False, True])
def test_a_ring_stands_large_scores(right, causal):
    """Scores of ±2000: each query ends with the mean of the values of its best keys."""
    Q = np.array([[1.0], [-1.0], [1.0], [1.0], [-1.0]]) * 2000.0
    K, V = np.array([[1.0], [-1.0], [-1.0], [1.0], [1.0]]), np.arange(5.0)[:, None]
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        output, _ = in_ring(right["ring_attention"], 3, Q, K, V, causal)
    expected = [[0.0], [1.0], [0.0], [1.5], [1.5]] if causal else [[7 / 3], [1.5], [7 / 3], [7 / 3], [1.5]]
    np.testing.assert_allclose(output, expected, rtol=1e-12)


@pytest.mark.parametrize("P", COUNTS)
def test_heads_come_in_the_order_of_the_ranks_and_tokens_in_that_of_the_text(right, P):
    X = np.arange(3 * P * 2 * P * 2.0).reshape(3 * P, 2 * P, 2)
    results = ranks.run(P, lambda comm: right["ulysses_all_to_all"](comm, np.split(X, P)[comm.rank]))
    np.testing.assert_array_equal(np.concatenate(results, axis=1), X)
    assert {np.shape(result) for result in results} == {(3 * P, 2, 2)}


@pytest.mark.parametrize(("h", "P"), [(3, 2), (2, 3), (10, 4)])
def test_heads_that_cannot_be_shared_out_are_refused_before_anything_is_sent(right, h, P):
    refused = []

    def exchange(comm):
        with pytest.raises(ValueError, match="heads"):
            right["ulysses_all_to_all"](comm, np.zeros((2, h, 3)))
        refused.append(comm.rank)

    results = ranks.run(P, exchange)
    assert refused == list(range(P))
    assert sum(results.bytes_sent) == 0


@pytest.fixture
def in_a_cell(tmp_path):
    """A reference by name, as the function that its solved cell defines."""

    def defined(name):
        path = tmp_path / f"{name}.py"
        source = solution_source(library(LESSON).exercises[name])
        path.write_text(f"import numpy as np\nfrom attention_lib.ranks import MAX, SUM\n\n\n{source}\n")
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return getattr(module, name)

    return defined


@real
@pytest.mark.parametrize("P", [2, 3])
def test_references_run_unchanged_on_real_processes(in_a_cell, P):
    Q, K, V = tokens(7)
    shards = list(zip(*(np.array_split(M, P) for M in (Q, K, V)), strict=True))
    found = mpi.run(P, in_a_cell("ring_attention"), [(*mine, True) for mine in shards])
    np.testing.assert_allclose(np.concatenate(found), attention_of_the_past(Q, K, V), rtol=1e-12)
    found = mpi.run(P, in_a_cell("sequence_parallel_attention"), [(Q, K_u, V_u) for _, K_u, V_u in shards])
    for output in found:
        np.testing.assert_allclose(output, attention(Q, K, V), rtol=1e-12)
    heads = np.arange(2 * P * P * 3.0).reshape(2 * P, P, 3)
    found = mpi.run(P, in_a_cell("ulysses_all_to_all"), [(X_u,) for X_u in np.split(heads, P)])
    np.testing.assert_array_equal(np.concatenate(found, axis=1), heads)


# --- budgets ---------------------------------------------------------------------------------------------


def thrifty_cases(name):
    """(arguments of each rank, bytes that each may send) of the cases in which bytes are counted."""
    exercise = library(LESSON).exercises[name]
    for case in hidden_cases(LESSON, SECRETS[0]).of(name):
        if case.tolerance.budget is not None:
            called = case.steps[-1].arguments
            arguments = [tuple(case.inputs[value] for value in own) for own in called]
            assert case.tolerance.budget == exercise.may_send(arguments)
            yield arguments, case.tolerance.budget


def test_a_rings_budget_has_room_for_positions_and_none_for_one_block_more():
    found = list(thrifty_cases("ring_attention"))
    assert found
    for arguments, budget in found:
        P = len(arguments)
        block = [K.nbytes + V.nbytes for _, K, V, _ in arguments]
        beside = [8 * len(K) for _, K, _, _ in arguments]
        for r in range(P):
            sent = [(r - s) % P for s in range(P)]
            needed = sum(block[u] for u in sent[:-1])
            with_positions = needed + sum(beside[u] for u in sent[:-1])
            assert with_positions + 8 * P <= budget[r] < needed + block[sent[-1]]


def test_two_meetings_have_room_for_all_partial_results_and_none_for_keys_or_values():
    found = list(thrifty_cases("sequence_parallel_attention"))
    assert found
    for arguments, budget in found:
        P = len(arguments)
        for (Q, K, V), allowed in zip(arguments, budget, strict=True):
            partial_results = 8 * len(Q) * (1 + 1 + V.shape[1])
            assert (P - 1) * partial_results <= allowed < min(K.nbytes, V.nbytes)


# --- answers that are nobody's misconception -------------------------------------------------------------


def ring_of_the_first_maximum(comm, Q_u, K_u, V_u, causal):
    """Takes off the largest score of the own block, and of no other: right until another block is larger."""
    starts = np.cumsum([0, *comm.allgather(len(K_u))])
    i = starts[comm.rank] + np.arange(len(Q_u))[:, None]
    m = l = o = None
    for s in range(comm.size):
        if s > 0:
            right, left = (comm.rank + 1) % comm.size, (comm.rank - 1) % comm.size
            K_u, V_u = comm.sendrecv((K_u, V_u), dest=right, source=left)
        j = starts[(comm.rank - s) % comm.size] + np.arange(len(K_u))
        scores = np.where(causal & (j > i), -np.inf, Q_u @ K_u.T / np.sqrt(Q_u.shape[1]))
        if s == 0:
            m, l, o = scores.max(axis=1, keepdims=True, initial=-1e300), 0.0, 0.0
        votes = np.exp(scores - m)
        l, o = l + votes.sum(axis=1, keepdims=True), o + votes @ V_u
    return o / l


@pytest.mark.parametrize("secret", SECRETS)
def test_the_first_maximum_alone_loses_the_large_scores_and_nothing_else(secret):
    """It is right as long as no later block's score is larger by 709."""
    verdict = verdict_on(LESSON, "ring_attention", ring_of_the_first_maximum, secret)
    assert {aspect.name for aspect in verdict.aspects if aspect.score == 0} == {"large scores"}


def everything_gathered(comm, Q_u, K_u, V_u, causal):
    """No ring at all, but each rank's rows go to each other rank once: as many bytes."""
    K, V = np.concatenate(comm.allgather(K_u)), np.concatenate(comm.allgather(V_u))
    i = sum(comm.allgather(len(Q_u))[: comm.rank]) + np.arange(len(Q_u))[:, None]
    scores = Q_u @ K.T / np.sqrt(Q_u.shape[1])
    scores = np.where(causal & (np.arange(len(K)) > i), -np.inf, scores)
    votes = np.exp(scores - scores.max(axis=1, keepdims=True, initial=-np.inf))
    return votes @ V / votes.sum(axis=1, keepdims=True)


def test_gathering_everything_costs_no_points_as_it_sends_no_more():
    assert verdict_on(LESSON, "ring_attention", everything_gathered, SECRETS[0]).outcome == Outcome.PASSED


def everything_gathered_twice(comm, Q_u, K_u, V_u, causal):
    everything_gathered(comm, Q_u, K_u, V_u, causal)
    return everything_gathered(comm, Q_u, K_u, V_u, causal)


def test_sending_everything_twice_costs_the_point_for_bytes_alone():
    verdict = verdict_on(LESSON, "ring_attention", everything_gathered_twice, SECRETS[0])
    lost = {aspect.name for aspect in verdict.aspects if aspect.score == 0}
    assert lost == {"sends no more than needed"}


def merged_from(reference):
    """merge_partials with `reference(m)`, of all maxima m, in place of the largest one."""

    def merge(parts):
        m, l, o = (np.array(column) for column in zip(*parts, strict=True))
        if m.max() == -np.inf:
            return np.zeros(o.shape[1])
        votes = np.exp(m - reference(m))
        return votes @ o / (votes @ l)

    return merge


def shifted_by_the_first(o_a, lse_a, o_b, lse_b):
    if -np.inf in (lse_a, lse_b):
        return (o_b, lse_b) if lse_a == -np.inf else (o_a, lse_a)
    vote = np.exp(lse_b - lse_a)
    return (o_a + vote * o_b) / (1 + vote), lse_a + np.log1p(vote)


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("merge_partials", merged_from(lambda m: m[0] if m[0] > -np.inf else m.max())),
        ("merge_partials", merged_from(lambda m: m[-1] if m[-1] > -np.inf else m.max())),
        ("merge_partials", merged_from(lambda m: np.where(m > -np.inf, m, 0.0).max())),
        ("merge_lse", shifted_by_the_first),
    ],
    ids=["the first", "the last", "an empty part's as 0", "the first log-sum-exp"],
)
def test_a_reference_that_is_not_the_largest_loses_the_large_scores_alone(name, function, secret):
    verdict = verdict_on(LESSON, name, function, secret)
    lost = {aspect.name for aspect in verdict.aspects if aspect.score == 0}
    assert lost == {"large scores", "leaves its inputs alone"}


@pytest.mark.parametrize("secret", SECRETS)
def test_who_leaves_a_ring_early_is_told_of_those_who_wait(right, secret):
    def leaves_without_rows(comm, Q_u, K_u, V_u, causal):
        lengths = comm.allgather(len(K_u))
        return right["ring_attention"](comm, Q_u, K_u, V_u, causal) if lengths[comm.rank] else V_u

    verdict = verdict_on(LESSON, "ring_attention", leaves_without_rows, secret)
    assert verdict.misconception == "ranks_without_rows_leave"
