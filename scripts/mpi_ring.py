"""`make mpi`: a notebook's functions of lesson 8 on 2 and 4 real MPI processes, beside full attention.

    make mpi                           # the solved notebook that `autograder build` makes
    make mpi NOTEBOOK=path/to/it.ipynb # a student's

The shards are ragged, and one case has fewer tokens than ranks. Exits with 1 where an answer is wrong, and
with 2 where there is nothing to run.
"""

from __future__ import annotations

import argparse
import ast
import linecache
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import numpy as np

from attention_lib import measure, mpi, notebook

LESSON = "08_sequence_parallelism"
REPOSITORY = Path(__file__).resolve().parents[1]
SOLVED = REPOSITORY / "build" / "source" / LESSON / f"{LESSON}.ipynb"
#: Outputs are averages of values near 1, in double precision; summed in another order they differ by 1e-15.
TOLERANCE = 1e-12
SECONDS = 60
ROW = "{:<28} {:>5}  {:<6} {:<21} {:>9}  {:>9}  {:>11}"
HEADING = ROW.format("function", "ranks", "causal", "rows by rank", "max error", "wall time", "peak memory")


class NothingToRun(Exception):
    """The notebook is not there, or lacks a function; what to do."""


@dataclass(frozen=True)
class Case:
    """`causal` is None for a function that has no mask."""

    function: str
    ranks: int
    n: int
    causal: bool | None


CASES = [
    *(Case("ring_attention", ranks, 1003, causal) for ranks in (2, 4) for causal in (False, True)),
    Case("ring_attention", 4, 3, True),
    *(Case("sequence_parallel_attention", ranks, 1003, None) for ranks in (2, 4)),
]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebook", nargs="?", type=Path, default=SOLVED)
    path: Path = parser.parse_args(arguments).notebook
    try:
        if problem := mpi.why_not():
            raise NothingToRun(problem)
        functions = functions_of(path)
    except NothingToRun as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{path}, on real MPI processes\n\n{HEADING}")
    wrong = sum(not ran_right(case, functions[case.function]) for case in CASES)
    print(f"\n{wrong} of {len(CASES)} wrong" if wrong else f"\nall {len(CASES)} equal full attention")
    return 1 if wrong else 0


def functions_of(path: Path) -> dict[str, Any]:
    """The names that the notebook's cells define. Raises NothingToRun where one of CASES is missing."""
    if not path.is_file():
        built = "`autograder build` makes the solved one, from the sources of lesson 8"
        raise NothingToRun(f"There is no notebook {path}: {built}; another is named with NOTEBOOK=path.")
    try:
        cells = nbformat.read(path, as_version=4).cells
    except Exception as error:
        raise NothingToRun(f"{path} can't be read as a notebook ({type(error).__name__}: {error}).") from None
    names: dict[str, Any] = {"__name__": "__main__"}
    for number, cell in enumerate(cells):
        if cell.cell_type == "code":
            _define(cell.source, f"<cell {number} of {path.name}>", names)
    missing = sorted({case.function for case in CASES} - set(names))
    if missing:
        raise NothingToRun(
            f"{path} defines no {' and no '.join(missing)}: these are exercises of lesson 8, {LESSON}.ipynb."
        )
    return names


def _define(source: str, filename: str, names: dict[str, Any]) -> None:
    """Run of a cell what defines: functions, classes, imports and constants, not experiments."""
    lines = [line for line in source.splitlines(keepends=True) if not line.startswith(("%", "!"))]
    linecache.cache[filename] = (len(source), None, lines, filename)  # where inspect finds it
    try:
        statements = list(_definitions(ast.parse("".join(lines))))
        exec(compile(ast.Module(statements, []), filename, "exec"), names)
    except Exception as error:
        print(f"{filename} is left out: {type(error).__name__}: {error}", file=sys.stderr)


def _definitions(cell: ast.Module) -> Iterator[ast.stmt]:
    for statement in cell.body:
        calls = any(isinstance(part, ast.Call) for part in ast.walk(statement))
        is_constant = isinstance(statement, ast.Assign) and not calls
        if is_constant or isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom):
            yield statement


def ran_right(case: Case, function: Callable[..., Any]) -> bool:
    """Run one case, and print its row; the error where there is no answer."""
    rng = np.random.default_rng(case.n + case.ranks)
    Q, K, V = rng.normal(size=(case.n, 32)), rng.normal(size=(case.n, 32)), rng.normal(size=(case.n, 24))
    shards = [np.array_split(rows, case.ranks) for rows in (Q, K, V)]
    rows = "+".join(str(len(shard)) for shard in shards[0])
    expected = full_attention(Q, K, V, bool(case.causal))
    try:
        if case.causal is None:
            given = [(Q, *kv) for kv in zip(*shards[1:], strict=True)]
            results = mpi.run(case.ranks, function, given, seconds=SECONDS)
            outputs = [(result, expected) for result in results]
        else:
            given = [(*qkv, case.causal) for qkv in zip(*shards, strict=True)]
            results = mpi.run(case.ranks, function, given, seconds=SECONDS)
            outputs = list(zip(results, np.array_split(expected, case.ranks), strict=True))
    except notebook.Message as error:
        print(f"{case.function} on {case.ranks} ranks, {rows}: {error}")
        return False
    error = max(difference(result, right) for result, right in outputs)
    print(
        ROW.format(
            case.function,
            case.ranks,
            {None: "", False: "no", True: "yes"}[case.causal],
            rows,
            f"{error:.1e}",
            measure.readable_seconds(max(results.seconds)),
            measure.readable_bytes(max(results.peak_bytes)),
        )
    )
    return error <= TOLERANCE


def full_attention(Q: np.ndarray, K: np.ndarray, V: np.ndarray, causal: bool) -> np.ndarray:
    """softmax(Q K^T / √d_k) V in one piece. Q, K : (n, d_k), V : (n, d_v). Returns (n, d_v)."""
    scores = Q @ K.T / np.sqrt(K.shape[1])
    if causal:
        scores[np.triu_indices_from(scores, 1)] = -np.inf
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return weights @ V / weights.sum(axis=1, keepdims=True)


def difference(result: Any, expected: np.ndarray) -> float:
    """The largest difference of two arrays; infinite where the shapes differ or a number is none."""
    try:
        result = np.asarray(result, dtype=float)
    except (TypeError, ValueError):
        return np.inf
    if result.shape != expected.shape or np.isnan(result).any():
        return np.inf
    return float(np.abs(result - expected).max(initial=0.0))


if __name__ == "__main__":
    sys.exit(main())
