"""Measure an experiment: seconds, bytes of arrays, peak memory of a call.

from attention_lib import measure

results = {n: measure.call(score_matrix, X[:n]) for n in (100, 200, 400)}
print(measure.table(results, "n"))
"""

from __future__ import annotations

import statistics
import time
import tracemalloc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Measurement:
    """What one call took: `seconds` is the median of `repeats` calls, `peak_bytes` the most memory that
    a call held at once beyond its arguments, as Python and NumPy allocated it."""

    seconds: float
    peak_bytes: int
    repeats: int

    def __repr__(self) -> str:
        return (
            f"{readable_seconds(self.seconds)} (median of {self.repeats}), "
            f"peak memory {readable_bytes(self.peak_bytes)}"
        )


def call(function: Callable[..., Any], *arguments: Any, repeats: int = 5) -> Measurement:
    """Time and peak memory of `function(*arguments)`, measured in separate calls: tracing slows a call."""
    return Measurement(
        seconds(function, *arguments, repeats=repeats), peak_bytes(function, *arguments), repeats
    )


def seconds(function: Callable[..., Any], *arguments: Any, repeats: int = 5) -> float:
    """Median time of `repeats` calls, in seconds, after one call that is not counted.

    Raises ValueError when `repeats` is less than 1.
    """
    if repeats < 1:
        raise ValueError(f"repeats is {repeats}: at least 1 is needed for a median")
    function(*arguments)
    return statistics.median(_one_time(function, arguments) for _ in range(repeats))


def _one_time(function: Callable[..., Any], arguments: tuple[Any, ...]) -> float:
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def peak_bytes(function: Callable[..., Any], *arguments: Any) -> int:
    """The most memory, in bytes, that `function(*arguments)` held at once beyond what there was before."""
    already_tracing = tracemalloc.is_tracing()
    if not already_tracing:
        tracemalloc.start()
    try:
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        function(*arguments)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        if not already_tracing:
            tracemalloc.stop()
    return peak - before


def array_bytes(*arrays: np.ndarray) -> int:
    """The bytes that the numbers of `arrays` take, one after the other. Raises TypeError for what is no
    array."""
    for array in arrays:
        if not isinstance(array, np.ndarray):
            raise TypeError(f"a {type(array).__name__} where an array is expected")
    return sum(array.nbytes for array in arrays)


def table(results: Mapping[Any, Measurement], name: str = "") -> str:
    """One line for each measurement, under a heading; `name` says what the keys are."""
    rows = [(name, "seconds", "peak memory")]
    rows += [
        (str(key), readable_seconds(result.seconds), readable_bytes(result.peak_bytes))
        for key, result in results.items()
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows
    )


def readable_seconds(value: float) -> str:
    """Three digits and a unit: 1.23 s, 45.6 ms, 789 µs."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value / 1e-9:.3g} ns"


def readable_bytes(value: int) -> str:
    """Three digits and a unit of 1024: 512 B, 1.5 KiB, 8 MiB."""
    size = float(value)
    for unit in ("B", "KiB", "MiB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1024
    return f"{size:.3g} GiB"
