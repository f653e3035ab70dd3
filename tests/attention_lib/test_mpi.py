"""A notebook's function on real MPI processes: the same answers, clear errors, nothing left running.

Skipped where there is no MPI, unless REQUIRE_MPI=1 is set.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from capabilities import bound_by_permissions

from attention_lib import mpi, mpi_rank, ranks
from attention_lib.notebook import made_with
from attention_lib.ranks import MAX, SUM

real = pytest.mark.skipif(
    mpi.why_not() is not None and not os.environ.get("REQUIRE_MPI"), reason=str(mpi.why_not())
)


# what a notebook's cells would hold


def weights_of(Q, K):
    return np.exp(Q @ K.T)


def ring(comm, Q, K, V):
    """Attention without a mask, of rows that lie on all ranks; the scores are small: a plain exp will do."""
    total, weighted = np.zeros((len(Q), 1)), np.zeros((len(Q), V.shape[1]))
    for step in range(comm.size):
        weights = weights_of(Q, K)
        total, weighted = total + weights.sum(axis=1, keepdims=True), weighted + weights @ V
        if step < comm.size - 1:
            right, left = (comm.rank + 1) % comm.size, (comm.rank - 1) % comm.size
            K, V = comm.sendrecv((K, V), dest=right, source=left)
    return weighted / total


def collectives(comm, x):
    everyone = comm.allgather(comm.rank)
    swapped = comm.alltoall([(comm.rank, other) for other in everyone])
    return comm.allreduce(x, op=MAX), comm.allreduce(x, op=SUM), comm.bcast(x, root=1), swapped


def own_arguments(comm, name, factor):
    return f"{name} of {comm.Get_size()}", factor * comm.Get_rank()


def fails_on_two(comm, x):
    if comm.rank == 2:
        return shard_of(x)
    return comm.recv(source=2)


def shard_of(x):
    raise ValueError(f"no shard {x}")


def everyone_receives(comm, folder):
    (Path(folder) / f"{comm.rank}").write_text(str(os.getpid()))
    if comm.rank == 1:
        return "ended"
    return comm.recv(source=(comm.rank + 1) % comm.size)


def dies(comm):
    if comm.rank == 1:
        os._exit(3)
    comm.barrier()


def stub(comm):
    raise NotImplementedError


def talks(comm, x):
    print(f"first line of {comm.rank}\nsecond")
    x[0] += 1
    return x[0]


def takes_time_or_memory(comm):
    if comm.rank == 0:
        time.sleep(0.3)
        return 0
    return int(np.ones(4 << 20).sum())


calls: list[int] = []


def slow_at_first(comm):
    time.sleep(0 if calls else 1)
    calls.append(1)


def surroundings(comm):
    return os.environ["OMP_NUM_THREADS"], os.environ.get("PMI_LEFT_OVER"), str(Path.cwd())


def processes_of(folder):
    """The processes whose number is in a file of `folder`, and that are still running."""
    found = [int(path.read_text()) for path in folder.iterdir()]
    states = {pid: Path(f"/proc/{pid}/stat") for pid in found}
    return [pid for pid, stat in states.items() if stat.exists() and ") Z " not in stat.read_text()]


# the same answers


@real
@pytest.mark.parametrize(("size", "n"), [(2, 5), (4, 11), (4, 3)])
def test_a_ring_gives_on_real_ranks_what_it_gives_on_simulated_ones_and_what_attention_is(size, n):
    Q, K, V = np.random.default_rng(n).normal(size=(3, n, 4))
    shards = list(zip(*(np.array_split(rows, size) for rows in (Q, K, V)), strict=True))
    on_processes = mpi.run(size, ring, shards)
    simulated = ranks.run(size, lambda comm: ring(comm, *shards[comm.rank]))
    weights = np.exp(Q @ K.T)
    expected = weights / weights.sum(axis=1, keepdims=True) @ V
    np.testing.assert_allclose(np.concatenate(on_processes), expected, rtol=1e-12)
    for ours, theirs in zip(on_processes, simulated, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@real
def test_collectives_give_on_real_ranks_what_they_give_on_simulated_ones():
    rows = np.random.default_rng(0).normal(size=(3, 4))
    on_processes = mpi.run(3, collectives, [(row,) for row in rows])
    simulated = ranks.run(3, lambda comm: collectives(comm, rows[comm.rank]))
    for ours, theirs in zip(on_processes, simulated, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(on_processes[0][0], rows.max(axis=0))


@real
def test_each_rank_gets_its_own_arguments_and_answers_come_in_the_order_of_ranks():
    results = mpi.run(2, own_arguments, [("a", 5), ["b", 7]])
    assert results == [("a of 2", 0), ("b of 2", 7)]


@real
def test_what_ranks_print_is_printed_by_rank(capsys):
    mpi.run(2, talks, [([0],), ([0],)])
    assert capsys.readouterr().out.splitlines() == [
        "rank 0: first line of 0",
        "rank 0: second",
        "rank 1: first line of 1",
        "rank 1: second",
    ]


@real
def test_repeated_calls_start_from_the_arguments_as_given_and_print_once(capsys):
    assert mpi.run(2, talks, [([10],), ([20],)], repeats=3) == [11, 21]
    assert capsys.readouterr().out.count("second") == 2


@real
def test_seconds_and_memory_are_each_rank_s_own():
    results = mpi.run(2, takes_time_or_memory, [(), ()])
    assert results.seconds[0] >= 0.3
    assert 0 < results.seconds[1] != results.seconds[0]
    mib = 1 << 20
    assert 31 * mib < results.added_bytes[1] < 50 * mib
    assert results.added_bytes[0] < 8 * mib
    assert results.peak_bytes[0] + 20 * mib < results.peak_bytes[1] < 500 * mib
    assert 0 < results.start_seconds < 60


@real
def test_the_first_of_repeated_calls_is_not_timed():
    assert mpi.run(1, slow_at_first, [()]).seconds[0] >= 1
    assert mpi.run(1, slow_at_first, [()], repeats=3).seconds[0] < 1


# what goes wrong


@real
def test_a_rank_that_raises_is_named_with_its_error_and_its_lines():
    with pytest.raises(mpi.RankFailed) as raised:
        mpi.run(4, fails_on_two, [(7,)] * 4, seconds=30)
    assert str(raised.value).splitlines() == [
        "Rank 2 of 4 raised ValueError: no shard 7",
        "  in fails_on_two, at: return shard_of(x)",
        '  in shard_of, at: raise ValueError(f"no shard {x}")',
    ]


def test_of_several_errors_the_first_is_told_not_that_of_the_first_rank(tmp_path):
    for rank, (when, error) in enumerate([(8.5, "RuntimeError: a follower"), (8.25, "ValueError: first")]):
        record = {"when": when, "error": error, "where": [], "is_stub": False}
        (tmp_path / mpi_rank.ERROR.format(rank)).write_text(json.dumps(record), encoding="utf-8")
    assert str(mpi._failure(tmp_path, 2, 1)) == "Rank 1 of 2 raised ValueError: first"


@real
def test_ranks_that_hang_are_stopped_and_where_each_was_is_told(tmp_path):
    started = time.monotonic()
    with pytest.raises(mpi.OutOfTime) as raised:
        mpi.run(3, everyone_receives, [(tmp_path,)] * 3, seconds=2)
    assert time.monotonic() - started < 10
    assert str(raised.value).splitlines() == [
        "The 3 ranks had not finished after 2 s, and were stopped.",
        "  rank 0 was in everyone_receives, at: return comm.recv(source=(comm.rank + 1) % comm.size)",
        "  rank 2 was in everyone_receives, at: return comm.recv(source=(comm.rank + 1) % comm.size)",
        "  rank 1 had finished",
    ]
    assert len(list(tmp_path.iterdir())) == 3
    assert processes_of(tmp_path) == []


@real
def test_an_interrupted_cell_leaves_no_rank_behind(tmp_path):
    def interrupt():
        while len(list(tmp_path.iterdir())) < 2:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    watching = threading.Thread(target=interrupt, daemon=True)
    watching.start()
    with pytest.raises(KeyboardInterrupt):
        mpi.run(2, everyone_receives, [(tmp_path,)] * 2, seconds=30)
    assert processes_of(tmp_path) == []


@real
def test_ranks_that_die_without_a_word_are_named():
    with pytest.raises(mpi.RankFailed, match=r"Ranks .*1.* ended without an answer \(mpiexec ended with"):
        mpi.run(2, dies, [()] * 2, seconds=30)


@real
def test_a_stub_counts_as_not_written_yet(capsys):
    with made_with("stub"):
        mpi.run(2, stub, [()] * 2)
    assert "Waits for your stub" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("size", "given", "error", "message"),
    [
        (2, [(1,)], ValueError, "per_rank is 1: a list of 2 tuples, one for each rank, is expected"),
        (2, np.ones((2, 1)), ValueError, "per_rank is a ndarray: a list of 2 tuples"),
        (2, [(1,), np.ones(3)], TypeError, r"per_rank\[1\] is a ndarray: .* a single argument is \(x,\)"),
        (0, [], ValueError, "world_size is 0: a number of ranks, at least 1"),
        ("2", [(), ()], ValueError, "world_size is '2'"),
    ],
)
def test_arguments_that_fit_no_ranks_are_refused(size, given, error, message):
    with pytest.raises(error, match=message):
        mpi.run(size, own_arguments, given)


# where there is no MPI, or another one


def test_without_mpiexec_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(mpi.NoMPI, match=r"pip install mpi4py mpich.* conda-forge .*Binder") as raised:
        mpi.run(2, own_arguments, [("a", 1)] * 2)
    assert str(raised.value).startswith("No mpi4py and no mpiexec here. ")
    assert raised.value._render_traceback_() == [str(raised.value)]


def an_mpiexec(folder, script):
    path = folder / "mpiexec"
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


@real
@pytest.mark.parametrize(
    ("script", "message"),
    [
        (
            "echo no host called here >&2; exit 5",
            r"does not start \(mpiexec ended with 5\):\nno host called here",
        ),
        ('shift 2; exec "$@"', "started by an mpiexec of 2, mpi4py sees 1"),
    ],
)
def test_an_mpiexec_that_does_not_fit_is_told(tmp_path, monkeypatch, script, message):
    other = an_mpiexec(tmp_path, script)
    monkeypatch.setattr(shutil, "which", lambda *_, **__: other)
    with pytest.raises(mpi.NoMPI, match=message):
        mpi.run(2, own_arguments, [("a", 1)] * 2)


@real
def test_where_no_process_may_be_started_it_is_said(tmp_path, monkeypatch):
    other = an_mpiexec(tmp_path, "")
    os.chmod(other, 0o644)
    monkeypatch.setattr(shutil, "which", lambda *_, **__: other)
    with pytest.raises(mpi.NoMPI, match=r"mpiexec is here and can't be started .*Permission denied"):
        mpi.run(2, own_arguments, [("a", 1)] * 2)


@real
def test_blanks_in_paths_and_a_folder_that_can_not_be_written_do_no_harm(tmp_path, monkeypatch):
    blanks, closed = tmp_path / "a b", tmp_path / "closed"
    blanks.mkdir()
    closed.mkdir(mode=0o555)
    python = blanks / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setattr(tempfile, "tempdir", str(blanks))
    monkeypatch.chdir(closed)
    with bound_by_permissions():
        assert mpi.run(2, own_arguments, [("a", 5), ("b", 7)]) == [("a of 2", 0), ("b of 2", 7)]
    assert [path.name for path in blanks.iterdir()] == ["python"]


@real
def test_each_rank_has_one_thread_and_no_other_job_s_settings(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    monkeypatch.setenv("PMI_LEFT_OVER", "1")
    (threads, left_over, folder), _ = mpi.run(2, surroundings, [()] * 2)
    assert (threads, left_over) == ("1", None)
    assert not Path(folder).exists()
