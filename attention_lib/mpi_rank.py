"""What each MPI process of `attention_lib.mpi` does: it is given its communicator, calls the function
and leaves the answer, or the error, in the folder of its run. Nothing here is for a notebook to call.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import linecache
import os
import pickle
import signal
import statistics
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

#: The files of a run: what all ranks are given, and by rank what it is given and what it leaves.
SOURCE, VALUES, GIVEN = "ranks_function.py", "values.pickle", "given{}.pickle"
STARTED, PRINTED, WHERE = "started{}", "printed{}", "where{}"
ANSWER, ERROR = "answer{}.pickle", "error{}.json"
#: Where the answers of a run can't be waited for any longer, a rank ends itself this many seconds later.
GRACE = 10


class OtherMPI(Exception):
    """The processes do not find each other: mpiexec and mpi4py's library are of two MPIs."""


def answer(comm: Any, folder: Path, name: str, size: int, limit: float, repeats: int) -> None:
    """Call `name` of the run's source as this rank of `size`, and leave what it returns in `folder`.

    Raises what the function raises, after it has been written down: `python -m mpi4py` then ends the
    other ranks too.
    """
    rank = comm.Get_rank()
    if comm.Get_size() != size:
        raise OtherMPI(f"started by an mpiexec of {size}, mpi4py sees {comm.Get_size()}")
    _listen(folder, rank, limit)
    with _errors_written(folder, rank):
        function = _defined(folder)[name]
        with _printing_to(folder / PRINTED.format(rank)):
            record = _first_call(comm, function, _given(folder, rank))
        again = [_seconds_of_a_call(comm, function, _given(folder, rank)) for _ in range(repeats)]
        record["seconds"] = statistics.median(again or [record["seconds"]])
        _put(folder / ANSWER.format(rank), pickle.dumps(record))


def _first_call(comm: Any, function: Callable[..., Any], arguments: tuple[Any, ...]) -> dict[str, Any]:
    comm.barrier()
    began, (resident, peak_so_far) = time.monotonic(), _fresh_peak()
    value = function(comm, *arguments)
    seconds, peak = time.monotonic() - began, _peak_bytes()
    return {
        "value": value,
        "began": began,
        "seconds": seconds,
        "peak_bytes": max(peak, peak_so_far),
        "added_bytes": max(0, peak - resident),
    }


def _seconds_of_a_call(comm: Any, function: Callable[..., Any], arguments: tuple[Any, ...]) -> float:
    comm.barrier()
    began = time.monotonic()
    with contextlib.redirect_stdout(None):
        function(comm, *arguments)
    return time.monotonic() - began


def _given(folder: Path, rank: int) -> tuple[Any, ...]:
    """The arguments as they came: a call may have written into those of the call before."""
    arguments: tuple[Any, ...] = pickle.loads((folder / GIVEN.format(rank)).read_bytes())
    return arguments


def _listen(folder: Path, rank: int, limit: float) -> None:
    """On SIGUSR1 the rank writes where it is; if nobody is left to stop it, it stops itself."""
    faulthandler.register(signal.SIGUSR1, os.open(folder / WHERE.format(rank), os.O_WRONLY | os.O_CREAT))
    signal.alarm(int(limit) + GRACE)
    _put(folder / STARTED.format(rank), str(os.getpid()).encode())


def _defined(folder: Path) -> dict[str, Any]:
    """The names that the run's source defines, in the program's own namespace."""
    names = vars(sys.modules["__main__"])
    for name, value in pickle.loads((folder / VALUES).read_bytes()).items():
        names[name] = pickle.loads(value)
    source = folder / SOURCE
    exec(compile(source.read_text(encoding="utf-8"), str(source), "exec"), names)
    return names


@contextlib.contextmanager
def _printing_to(path: Path) -> Iterator[None]:
    with open(path, "w", encoding="utf-8", buffering=1) as file, contextlib.redirect_stdout(file):
        yield


@contextlib.contextmanager
def _errors_written(folder: Path, rank: int) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        record = {
            "when": time.monotonic(),
            "error": "".join(traceback.format_exception_only(error)).strip(),
            "where": _where(error, folder / SOURCE),
            "is_stub": isinstance(error, NotImplementedError),
        }
        _put(folder / ERROR.format(rank), json.dumps(record).encode())
        raise


def _where(error: BaseException, source: Path) -> list[list[str]]:
    """[function, line] for each call on the way to the error, as far as the notebook's functions go."""
    frames = traceback.extract_tb(error.__traceback__)
    return [
        [frame.name, linecache.getline(str(source), frame.lineno or 0).strip()]
        for frame in frames
        if frame.filename == str(source)
    ]


def _fresh_peak() -> tuple[int, int]:
    """(bytes that this process holds now, the most until now); from here its peak counts anew.

    Where the kernel can't forget a peak, what it was stands for what is held now.
    """
    peak = _peak_bytes()
    try:
        Path("/proc/self/clear_refs").write_text("5")
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return peak, peak
    return pages * os.sysconf("SC_PAGE_SIZE"), peak


def _peak_bytes() -> int:
    """The most memory that this process has held. Linux counts in KiB, macOS in bytes."""
    import resource  # not on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _put(path: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(content)
    part.replace(path)
