"""A student's value in a few lines of text. It can be anything that the wire carries: 64 MiB in 26 axes
of two take hours and gigabytes to print in full."""

from __future__ import annotations

import math
import reprlib

import numpy as np

_EDGE = 3
_MOST_NUMBERS = 1000


class _Short(reprlib.Repr):
    """`repr` that looks at a few items of each list, and knows arrays."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 3
        self.maxlist = self.maxtuple = self.maxdict = 20
        self.maxstring = self.maxother = 600

    def repr_ndarray(self, value: np.ndarray, level: int) -> str:
        return f"array({array_in_short(value)})"

    def repr_bytes(self, value: bytes, level: int) -> str:
        return repr(value[: self.maxother])


def array_in_short(value: np.ndarray) -> str:
    """The numbers of an array, long axes shortened; one of many axes in a single row."""
    if math.prod(min(axis, 2 * _EDGE) for axis in value.shape) > _MOST_NUMBERS:
        value = value.reshape(-1)
    return np.array2string(value, precision=4, threshold=60, edgeitems=_EDGE, suppress_small=True)


in_short = _Short().repr
