"""Simulated ranks against mpi4py: the same random programs give the same results, to the last bit.

As a script this file is what each real rank runs: mpiexec -n P python -m mpi4py THIS_FILE FOLDER
"""

from __future__ import annotations

import importlib.util
import inspect
import os
import pickle
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from attention_lib.ranks import ANY_SOURCE, ANY_TAG, MAX, SUM, Comm, run

ROOT = Path(__file__).parents[2]
MPIEXEC = Path(sys.executable).with_name("mpiexec")
PROGRAMS = range(20)
STEPS = 12
METHODS = ("send", "recv", "sendrecv", "bcast", "scatter", "gather", "allgather", "allreduce", "alltoall")
#: mpich's ranks ask over and over whether a message is there; with this, one that waits long sleeps a little.
CROWDED = {"MPIR_CVAR_CH4_PROGRESS_THROTTLE": "1"}
TIME_LIMIT = 120  # seconds; it takes about 2 where nothing else runs


@np.errstate(invalid="ignore")  # an infinity less another
def program(comm, seed: int) -> list[Any]:
    """Random steps, the same on every rank, with data of each rank's own. Gives what each step gave."""
    shared = random.Random(f"{seed} with {comm.size}")
    own = np.random.default_rng((seed, comm.size, comm.rank))
    results = []
    x = own.normal(size=(3, 2))
    for _ in range(STEPS):
        step = shared.choice(STEPS_OF_A_PROGRAM)
        result = step(comm, shared, own, x)
        results.append(result)
        if isinstance(result, np.ndarray) and result.shape == x.shape:
            x = 0.5 * x + np.clip(result, -9, 9)
        x -= 0.125  # in place: what was sent before must not change with it
    return [*results, x]


def anything(own: np.random.Generator, x: np.ndarray) -> Any:
    """Plain data of a random kind: ragged and empty arrays, numbers, text, nested containers."""
    number = float(own.normal())
    n = int(own.integers(0, 4))
    dtype = ["f2", "f4", "f8", "i4", "u1", "?"][int(own.integers(6))]
    return [
        lambda: x,
        lambda: x.T,
        lambda: own.normal(scale=50, size=(n, 3)).astype(dtype),
        lambda: (number, n, "grün", None, b"\0", [x[:n], {"m": -np.inf, "l": np.float32(number)}]),
        lambda: np.float64(number),
        lambda: [],
        lambda: bool(n),
    ][int(own.integers(7))]()


def addable(shared: random.Random, own: np.random.Generator, x: np.ndarray) -> Any:
    """Arrays or numbers of the same shape on every rank."""
    kind = shared.randrange(6)
    special = [np.nan, np.inf, -np.inf, -0.0, 1e300][int(own.integers(5))]
    return [
        lambda: x,
        lambda: (x * 1e4).astype(np.float32),
        lambda: (x * 100).astype(np.int32),
        lambda: np.array([special, 0.1, own.normal()]),
        lambda: float(own.normal()),
        lambda: int(own.integers(-(2**40), 2**40)),
    ][kind]()


def spelled(a: Any, b: Any) -> str:
    """An operation whose order shows."""
    return f"({a}{b})"


def reduce(comm, shared, own, x):
    value = addable(shared, own, x)
    which = shared.randrange(4)
    if which == 0:
        return comm.allreduce(value)
    return comm.allreduce(comm.rank if which == 3 else value, op=(SUM, MAX, spelled)[which - 1])


def share(comm, shared, own, x):
    root = shared.randrange(comm.size)
    mine = anything(own, x)
    method = shared.choice(["bcast", "gather", "allgather", "scatter", "alltoall", "barrier"])
    if method == "barrier":
        return comm.barrier()
    if method == "allgather":
        return comm.allgather(mine)
    if method in ("bcast", "gather"):
        return getattr(comm, method)(mine, root=root)
    parts = [anything(own, x) for _ in range(comm.size)]
    if method == "alltoall":
        return comm.alltoall(parts)
    return comm.scatter(parts if comm.rank == root else None, root=root)


def shift(comm, shared, own, x):
    by = shared.randrange(-1, comm.size + 1)
    dest, source = (comm.rank + by) % comm.size, (comm.rank - by) % comm.size
    return comm.sendrecv(
        anything(own, x), dest, sendtag=3, source=source, recvtag=shared.choice([3, ANY_TAG])
    )


def taking_turns(comm, shared, own, x):
    """A ring of sends and receives in which even ranks send first."""
    mine, dest, source = anything(own, x), (comm.rank + 1) % comm.size, (comm.rank - 1) % comm.size
    if comm.rank % 2:
        received = comm.recv(source=source)
        comm.send(mine, dest)
    else:
        comm.send(mine, dest)
        received = comm.recv(source=source)
    return received


def pairs(comm, shared, own, x):
    """Some ranks speak by twos, the others do nothing."""
    order = shared.sample(range(comm.size), comm.size)
    talks = [
        (a, b, shared.randrange(3), shared.random() < 0.5)
        for a, b in zip(order[::2], order[1::2], strict=False)
    ]
    for sender, receiver, tag, back in talks:
        if comm.rank == sender:
            comm.send(x, receiver, tag)
            x[0] += 1.0
            return comm.recv(source=receiver) if back else None
        if comm.rank == receiver:
            received = comm.recv(source=sender, tag=tag)
            if back:
                comm.send((received, "back"), sender)
            return received
    return None


def funnel(comm, shared, own, x):
    """All to one, in whatever order they come; a tag of its own, for fast ranks may be a step ahead."""
    root, tag = shared.randrange(comm.size), shared.randrange(100, 30_000)
    if comm.rank != root:
        return comm.send((comm.rank, anything(own, x)), root, tag)
    received = [comm.recv(source=ANY_SOURCE, tag=tag) for _ in range(comm.size - 1)]
    return sorted(received, key=lambda pair: pair[0])


STEPS_OF_A_PROGRAM = [reduce, reduce, share, share, share, shift, shift, taking_turns, pairs, funnel]


def bits(value: Any) -> Any:
    """`value` with everything in it that may differ: kinds, dtypes, shapes, bytes."""
    if isinstance(value, list | tuple):
        return type(value).__name__, [bits(item) for item in value]
    if isinstance(value, dict):
        return "dict", [(key, bits(item)) for key, item in value.items()]
    if isinstance(value, np.ndarray | np.generic):
        return type(value).__name__, str(value.dtype), value.shape, value.tobytes()
    return type(value).__name__, value.hex() if isinstance(value, float) else value


def signature(method: Any) -> list[tuple[str, Any]]:
    """Names and defaults of the parameters; what op is by default has no other name."""
    parameters = inspect.signature(method).parameters.values()
    return [(each.name, "SUM" if each.name == "op" else each.default) for each in parameters]


def on_real_ranks(folder: Path) -> None:
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    results = [bits(program(comm, seed)) for seed in PROGRAMS]
    signatures = {
        method: [tuple(map(str, each)) for each in signature(getattr(MPI.Comm, method))] for method in METHODS
    }
    (folder / f"{comm.rank}.pickle").write_bytes(pickle.dumps((results, signatures)))


def real_ranks(size: int, folder: Path) -> list[Any]:
    """What each of `size` processes wrote. Fails after TIME_LIMIT seconds."""
    command = [MPIEXEC, "-n", str(size), sys.executable, "-m", "mpi4py", __file__, folder]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **CROWDED}
    with subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=TIME_LIMIT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    assert process.returncode == 0, output
    return [pickle.loads((folder / f"{rank}.pickle").read_bytes()) for rank in range(size)]


@pytest.fixture
def mpi():
    if not MPIEXEC.exists() or importlib.util.find_spec("mpi4py") is None:
        assert os.environ.get("REQUIRE_MPI") != "1", f"no mpi4py, or no {MPIEXEC}"
        pytest.skip("mpi4py and mpich are not installed: pip install mpi4py mpich")


@pytest.mark.parametrize("size", [2, 3, 4])
def test_random_programs_give_the_same_on_simulated_and_on_real_ranks(size, mpi, tmp_path):
    simulated = [run(size, program, seed) for seed in PROGRAMS]
    real = real_ranks(size, tmp_path)
    for seed, results in zip(PROGRAMS, simulated, strict=True):
        for rank, result in enumerate(results):
            assert bits(result) == real[rank][0][seed], f"program {seed}, rank {rank} of {size}"
    assert real[0][1] == {
        method: [tuple(map(str, each)) for each in signature(getattr(Comm, method))] for method in METHODS
    }


if __name__ == "__main__":
    on_real_ranks(Path(sys.argv[1]))
