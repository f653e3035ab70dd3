"""`make mpi` tells a right notebook from a wrong one, and one that it can't run from both."""

from __future__ import annotations

import os

import mpi_ring
import nbformat
import numpy as np
import pytest

from attention_lib import mpi

pytestmark = pytest.mark.skipif(
    mpi.why_not() is not None and not os.environ.get("REQUIRE_MPI"), reason=str(mpi.why_not())
)
SETUP = """%matplotlib inline
import numpy as np
from attention_lib.ranks import MAX, SUM
UNSEEN = -np.inf
"""
RING = """
def ring_attention(comm, Q_u, K_u, V_u, causal):
    blocks = comm.allgather((K_u, V_u))
    K, V = np.concatenate([b[0] for b in blocks]), np.concatenate([b[1] for b in blocks])
    first = sum(len(b[0]) for b in blocks[: comm.rank])
    S = Q_u @ K.T / np.sqrt(K.shape[1])
    if causal:
        S = np.where(np.arange(len(K)) <= first + np.arange(len(Q_u))[:, None], S, UNSEEN)
    w = np.exp(S)
    return w @ V / w.sum(axis=1, keepdims=True)
"""
SUMS = """
def sequence_parallel_attention(comm, Q, K_u, V_u):
    S = Q @ K_u.T / np.sqrt(K_u.shape[1])
    w = np.exp(S - comm.allreduce(S.max(axis=1, keepdims=True, initial=-np.inf), op=MAX))
    return comm.allreduce(w @ V_u, op=SUM) / comm.allreduce(w.sum(axis=1, keepdims=True), op=SUM)
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the script on a notebook of some cells, with few of its cases; give back its exit status."""
    few = [
        mpi_ring.Case("ring_attention", 4, 3, True),
        mpi_ring.Case("sequence_parallel_attention", 2, 11, None),
    ]
    monkeypatch.setattr(mpi_ring, "CASES", few)

    def run(*cells):
        path = tmp_path / "of a student.ipynb"
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        nbformat.write(notebook, path)
        return mpi_ring.main([str(path)])

    return run


def test_a_right_notebook_passes_and_its_experiments_are_not_run(run, capsys):
    assert run(SETUP, RING, SUMS, "raise SystemExit('an experiment')") == 0
    assert "all 2 equal full attention" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("first + np.arange", "np.arange"),
        ("w = np.exp(S)", "raise NotImplementedError"),
    ],
)
def test_a_wrong_ring_is_told_from_a_right_one(run, capsys, right, wrong):
    assert right in RING
    assert run(SETUP, RING.replace(right, wrong), SUMS) == 1
    assert "1 of 2 wrong" in capsys.readouterr().out


@pytest.mark.parametrize(
    "wrong", [np.zeros((2, 3)), np.full((3, 2), np.nan), None, "text", [[0, 0]] * 2 + [[0]]]
)
def test_what_is_no_array_of_the_right_shape_or_no_number_is_infinitely_wrong(wrong):
    assert mpi_ring.difference(wrong, np.zeros((3, 2))) == np.inf


def test_the_difference_is_the_largest_of_all_numbers():
    assert mpi_ring.difference([[0.0, 0.5], [-2.0, 1.0]], np.zeros((2, 2))) == 2


def test_every_rank_must_have_the_whole_output(run):
    assert run(SETUP, RING, SUMS.replace("return ", "return (comm.rank == 0) * ")) == 1


def test_a_notebook_without_the_functions_is_named_with_their_lesson(run, capsys):
    assert run(SETUP, RING) == 2
    said = capsys.readouterr().err
    assert "defines no sequence_parallel_attention: these are exercises of lesson 8" in said


def test_a_notebook_that_is_not_there_and_one_that_is_none_are_told(tmp_path, capsys):
    assert mpi_ring.main([str(tmp_path / "none.ipynb")]) == 2
    assert "There is no notebook" in capsys.readouterr().err
    (tmp_path / "text.ipynb").write_text("no JSON", encoding="utf-8")
    assert mpi_ring.main([str(tmp_path / "text.ipynb")]) == 2
    assert "can't be read as a notebook" in capsys.readouterr().err


def test_the_cases_are_ragged_on_2_and_4_ranks_causal_and_not():
    rings = {(case.ranks, case.causal) for case in mpi_ring.CASES if case.function == "ring_attention"}
    assert rings >= {(2, False), (2, True), (4, False), (4, True)}
    assert all(case.n % case.ranks for case in mpi_ring.CASES)
