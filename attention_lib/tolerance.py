"""How closely answers must agree: as the precision of the inputs says, or as their exercise does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Tolerance:
    """Two numbers are the same when |answer − expected| ≤ atol + rtol · |expected|. With `lower_triangle`,
    entries whose last two indices i, j have j > i are not looked at. `repeatable` speaks of several calls:
    they must give identical answers exactly where the expected ones are identical. `written` names the
    arguments of a function that writes into them: what they hold afterwards is compared too. With
    `on_ranks` an answer is a list of what each rank returned; `budget` says how many bytes each may send."""

    rtol: float
    atol: float
    lower_triangle: bool = False
    repeatable: bool = False
    written: tuple[str, ...] = ()
    on_ranks: bool = False
    budget: tuple[int, ...] | None = None


# A sum of n products differs between orders of summation by about n·eps: with n up to a few thousand
# that is 1e-12 (float64), 5e-4 at the very worst and 1e-6 as a rule (float32), 1e-2 (float16).
_TOLERANCES = {
    2: Tolerance(rtol=1e-2, atol=1e-3),
    4: Tolerance(rtol=1e-4, atol=1e-5),
    8: Tolerance(rtol=1e-6, atol=1e-9),
}


def tolerance_for(arguments: Iterable[Any]) -> Tolerance:
    """The tolerance for an answer computed from `arguments` (nested lists, tuples and dicts are looked
    into): that of the lowest-precision floating dtype among them, float64's when there is none."""
    sizes = [size for argument in arguments for size in _float_sizes(argument)]
    return _TOLERANCES[min([8, *sizes])]


def _float_sizes(value: Any) -> Iterator[int]:
    """Bytes per number of each floating-point array in `value`."""
    if isinstance(value, np.ndarray | np.generic):
        if value.dtype.kind == "f":
            yield value.dtype.itemsize
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _float_sizes(item)
    elif isinstance(value, dict):
        yield from _float_sizes(list(value.values()))


@dataclass(frozen=True)
class Agreement:
    """How an exercise's answers are compared, where that is not as everywhere: within a tolerance of its own
    (rtol, atol), on the lower triangle alone, where the numbers are drawn at random with two calls of
    a case giving identical answers exactly where the expected ones are identical, with what the arguments
    `written` hold afterwards, and rank by rank."""

    tolerance: tuple[float, float] | None = None
    lower_triangle: bool = False
    repeatable: bool = False
    written: tuple[str, ...] = ()
    on_ranks: bool = False

    def on(self, arguments: Iterable[Any]) -> Tolerance:
        """How closely answers to a call with `arguments` must agree."""
        usual = Tolerance(*self.tolerance) if self.tolerance else tolerance_for(arguments)
        return replace(
            usual,
            lower_triangle=self.lower_triangle,
            repeatable=self.repeatable,
            written=self.written,
            on_ranks=self.on_ranks,
        )
