"""The notebook's function on real MPI processes, unchanged.

from attention_lib import mpi

results = mpi.run(4, ring_attention, [(Q_u, K_u, V_u, True) for Q_u, K_u, V_u in shards])
results[2], results.seconds[2], results.peak_bytes[2]

`attention_lib.ranks.run` plays the ranks inside this process, and gives all of them the same arguments;
here each rank is a process of its own, and is given its own arguments. Needs mpi4py and an MPI.

    MPIError
    ├── NoMPI          there is none here, or it does not start
    ├── RankFailed     a rank raised, or died
    │   └── Unwritten  ... because a function is still the stub that it came as
    └── OutOfTime      the ranks had not all finished when their time was up
"""

from __future__ import annotations

import importlib.util
import json
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from attention_lib import mpi_rank, notebook
from attention_lib.standalone import Standalone, standalone

HOW_TO_GET_IT = (
    "pip install mpi4py mpich, or in a conda environment: conda install -c conda-forge mpi4py mpich. "
    "On Binder it is there. The simulated ranks of attention_lib.ranks need none of it."
)
_PROGRAM = """\
import sys
sys.path += {path!r}
from pathlib import Path
from mpi4py import MPI
from attention_lib import mpi_rank
mpi_rank.answer(MPI.COMM_WORLD, Path({folder!r}), {name!r}, {size}, {limit}, {repeats})
"""
#: One thread for each rank, or the ranks' times would be those of threads that wait for each other;
#: all ranks on this machine, whatever batch system is around; root and more ranks than cores are fine.
#: mpich's ranks wait by asking over and over: with PROGRESS_THROTTLE one that has asked often sleeps for a
#: moment. On 2 cores a ring of 8 then takes 47 ms instead of 100; one of 2 or 4 as long as without, or less.
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "HYDRA_LAUNCHER": "fork",
    "HYDRA_RMK": "user",
    "MPIR_CVAR_CH4_PROGRESS_THROTTLE": "1",
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}
#: Of an MPI job that this process is itself a part of; our ranks are not.
_OF_ANOTHER_JOB = ("PMI_", "PMIX_", "HYDI_", "OMPI_", "PRTE_")
_MOST_PRINTED = 10_000


class MPIError(notebook.Message):
    """Why there is no answer of the ranks."""


class NoMPI(MPIError):
    """There is no MPI here, or it does not start; what to do."""


class RankFailed(MPIError):
    """The first rank that raised, its error, and the lines of the notebook's functions that led there."""


class Unwritten(RankFailed, NotImplementedError):
    """A rank came to a stub."""


class OutOfTime(MPIError):
    """Which ranks had not finished, and where each of them was."""


class Results(list):
    """What each rank returned, in the order of ranks; and about the run, by rank where it is a list:

    seconds : list of float, wall time in the function, from a barrier on; a median where calls were repeated
    peak_bytes : list of int, the most memory that the rank's process held, Python and MPI included
    added_bytes : list of int, by how much of that it grew during the function
    start_seconds : float, from the call of `run` until all ranks were ready to begin
    """

    seconds: list[float]
    peak_bytes: list[int]
    added_bytes: list[int]
    start_seconds: float


def why_not() -> str | None:
    """Why no real ranks can be started here, and what to do; None where they can."""
    if os.name != "posix":
        return "Real MPI processes are for Linux and macOS; attention_lib.ranks simulates them anywhere."
    mpiexec = _mpiexec()
    missing = [] if importlib.util.find_spec("mpi4py") else ["mpi4py"]
    missing += [] if mpiexec else ["mpiexec"]
    if missing:
        return f"No {' and no '.join(missing)} here. {HOW_TO_GET_IT}"
    try:
        subprocess.run([str(mpiexec), "--version"], capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"mpiexec is here and can't be started ({error})."
    return None


def run(
    world_size: int,
    function: Callable[..., Any],
    per_rank: Sequence[tuple[Any, ...]],
    *,
    seconds: float = 60,
    repeats: int = 0,
) -> Results:
    """Call `function(comm, *per_rank[r])` on MPI process r of `world_size`; give back what each returns.

    function : a function of the notebook; goes along with the functions, imports and values that it uses
    per_rank : one tuple of arguments for each rank
    seconds : the most that all of it may take; then the processes are stopped
    repeats : so many more calls, and the median of these for the results' `seconds`. A first call is slower
        by the memory that it is the first to touch: for 2,000 tokens on one rank, five times

    What the ranks print is printed here afterwards. Raises NoMPI, RankFailed or OutOfTime (above), and
    CantStandAlone where the function can't be taken to another process.
    """
    _require_arguments(world_size, per_rank)
    program = standalone(function)
    if problem := why_not():
        raise NoMPI(problem)
    with tempfile.TemporaryDirectory(prefix="ranks-", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        _write(folder, program, per_rank)
        _write_program(folder, name=function.__name__, size=world_size, limit=seconds, repeats=repeats)
        began = time.monotonic()
        failure = _launched(folder, world_size, seconds)
        _show_printed(folder, world_size)
        if failure:
            raise failure
        return _results(folder, world_size, began)


def _require_arguments(world_size: int, per_rank: Sequence[tuple[Any, ...]]) -> None:
    if not isinstance(world_size, int) or world_size < 1:
        raise ValueError(f"world_size is {world_size!r}: a number of ranks, at least 1, is expected")
    if not isinstance(per_rank, (list, tuple)) or len(per_rank) != world_size:
        count = len(per_rank) if isinstance(per_rank, (list, tuple)) else f"a {type(per_rank).__name__}"
        raise ValueError(
            f"per_rank is {count}: a list of {world_size} tuples, one for each rank, is expected"
        )
    for rank, arguments in enumerate(per_rank):
        if not isinstance(arguments, (list, tuple)):
            kind = type(arguments).__name__
            raise TypeError(f"per_rank[{rank}] is a {kind}: a tuple is expected; a single argument is (x,)")


def _write(folder: Path, program: Standalone, per_rank: Sequence[tuple[Any, ...]]) -> None:
    future = "from __future__ import annotations\n\n"  # what an annotation names need not go along
    (folder / mpi_rank.SOURCE).write_text(future + program.source + "\n", encoding="utf-8")
    (folder / mpi_rank.VALUES).write_bytes(pickle.dumps(program.values))
    for rank, arguments in enumerate(per_rank):
        (folder / mpi_rank.GIVEN.format(rank)).write_bytes(pickle.dumps(tuple(arguments)))


def _write_program(folder: Path, **call: Any) -> None:
    path = [os.path.abspath(entry) for entry in sys.path]
    source = _PROGRAM.format(path=path, folder=str(folder), **call)
    (folder / "program.py").write_text(source, encoding="utf-8")


def _mpiexec() -> str | None:
    """The mpiexec of this Python's environment, else the one on the PATH."""
    return shutil.which("mpiexec", path=Path(sys.executable).parent) or shutil.which("mpiexec")


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OF_ANOTHER_JOB)}
    return {**kept, **_ENVIRONMENT}


def _launched(folder: Path, world_size: int, seconds: float) -> MPIError | None:
    """Run the ranks to their end, at most `seconds`; what went wrong. Nothing is left running."""
    command = [str(_mpiexec()), "-n", str(world_size), sys.executable, "-m", "mpi4py", "program.py"]
    with open(folder / "messages", "wb") as messages:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=messages,
            stderr=messages,
            cwd=folder,
            env=_environment(),
            start_new_session=True,
        )
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            return _out_of_time(folder, world_size, seconds)
        finally:
            _stop(process, folder, world_size)
    return _failure(folder, world_size, process.returncode)


def _stop(process: subprocess.Popen[bytes], folder: Path, world_size: int) -> None:
    """End mpiexec, which ends its ranks; and those that it leaves, each of which leads a session."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(2)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        _signal_ranks(signal.SIGKILL, folder, world_size)


def _signal_ranks(number: int, folder: Path, world_size: int) -> None:
    for rank in range(world_size):
        started = folder / mpi_rank.STARTED.format(rank)
        if started.exists():
            try:
                os.kill(int(started.read_text()), number)
            except ProcessLookupError:
                continue


def _out_of_time(folder: Path, world_size: int, seconds: float) -> OutOfTime:
    _signal_ranks(signal.SIGUSR1, folder, world_size)
    time.sleep(0.2)
    ended = [rank for rank in range(world_size) if (folder / mpi_rank.ANSWER.format(rank)).exists()]
    lines = [f"The {world_size} ranks had not finished after {seconds:g} s, and were stopped."]
    lines += [_place(folder, rank) for rank in range(world_size) if rank not in ended]
    lines += [f"  rank {rank} had finished" for rank in ended]
    return OutOfTime("\n".join(lines))


def _place(folder: Path, rank: int) -> str:
    """Where a rank that does not finish is, by the innermost line of the notebook's functions."""
    where = folder / mpi_rank.WHERE.format(rank)
    if not where.exists():
        return f"  rank {rank} had not started"
    source = folder / mpi_rank.SOURCE
    pattern = rf'/{re.escape(source.name)}", line (\d+) in (\S+)'
    found = re.search(pattern, where.read_text(encoding="utf-8", errors="replace"))
    if found is None:
        return f"  rank {rank} was not in a function of the notebook"
    line = source.read_text(encoding="utf-8").splitlines()[int(found[1]) - 1].strip()
    return f"  rank {rank} was in {found[2]}, at: {line}"


def _failure(folder: Path, world_size: int, returncode: int) -> MPIError | None:
    """What the ranks that have ended died of, None where each of them has left its answer."""
    errors = []
    for rank in range(world_size):
        path = folder / mpi_rank.ERROR.format(rank)
        if path.exists():
            errors.append((json.loads(path.read_text(encoding="utf-8")), rank))
    if errors:
        error, rank = min(errors, key=lambda found: found[0]["when"])
        lines = [f"Rank {rank} of {world_size} raised {error['error']}"]
        lines += [f"  in {name}, at: {line}" for name, line in error["where"]]
        return (Unwritten if error["is_stub"] else RankFailed)("\n".join(lines))
    silent = [rank for rank in range(world_size) if not (folder / mpi_rank.ANSWER.format(rank)).exists()]
    if not silent:
        return None
    said = (folder / "messages").read_text(encoding="utf-8", errors="replace")[-2000:].strip()
    if not any((folder / mpi_rank.STARTED.format(rank)).exists() for rank in range(world_size)):
        return NoMPI(
            f"MPI is here and does not start (mpiexec ended with {returncode}):\n{said}\n{HOW_TO_GET_IT}"
        )
    ranks = "Rank" if len(silent) == 1 else "Ranks"
    names = ", ".join(map(str, silent))
    return RankFailed(f"{ranks} {names} ended without an answer (mpiexec ended with {returncode}):\n{said}")


def _show_printed(folder: Path, world_size: int) -> None:
    for rank in range(world_size):
        path = folder / mpi_rank.PRINTED.format(rank)
        if path.exists():
            with open(path, encoding="utf-8", errors="replace") as file:
                for line in file.read(_MOST_PRINTED).splitlines():
                    print(f"rank {rank}: {line}")


def _results(folder: Path, world_size: int, began: float) -> Results:
    answers = [
        pickle.loads((folder / mpi_rank.ANSWER.format(rank)).read_bytes()) for rank in range(world_size)
    ]
    results = Results(answer["value"] for answer in answers)
    for name in ("seconds", "peak_bytes", "added_bytes"):
        setattr(results, name, [answer[name] for answer in answers])
    results.start_seconds = max(answer["began"] for answer in answers) - began
    return results
