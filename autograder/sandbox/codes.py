"""What both ends of the wire agree on: its limits, and the codes of dtypes, steps and events."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np

from autograder.sandbox.script import Call, Change, Let, Look, Raised, Returned, Stand, Undefined

MAX_BYTES = 64 << 20
MAX_ITEMS = 500_000
MAX_DEPTH = 32
MAX_AXES = 32
MAX_NAME = 200
#: What a message may add to the items and the depth of the frozen values in it.
WRAPPING_ITEMS = 1000
WRAPPING_DEPTH = 8

FRAME_HEADER = struct.Struct("<I")
LENGTH = struct.Struct("<I")
#: The lengths of 0, 1, 2 … axes.
AXES = tuple(struct.Struct(f"<{axes}Q") for axes in range(MAX_AXES + 1))

#: The position is the code on the wire.
DTYPES = tuple(
    map(np.dtype, ("?", "<i1", "<i2", "<i4", "<i8", "<u1", "<u2", "<u4", "<u8", "<f2", "<f4", "<f8"))
)
BOOLEAN = DTYPES.index(np.dtype("?"))
RECORDS: tuple[type, ...] = (Let, Call, Change, Look, Stand, Returned, Raised, Undefined)


class WireError(ValueError):
    """Bytes that are no value, or a value that is too large to send."""


def extent(shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    """Bytes that an array takes, where an axis of length 0 counts as 1: nobody has room for the others."""
    return (math.prod(shape) or math.prod(max(axis, 1) for axis in shape)) * dtype.itemsize
