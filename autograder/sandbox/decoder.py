"""Bytes to values. Trusted with hostile bytes: any byte string gives a value or a WireError."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np

from attention_lib.compare import Opaque
from autograder.sandbox.codes import (
    AXES,
    BOOLEAN,
    DTYPES,
    LENGTH,
    MAX_AXES,
    MAX_BYTES,
    MAX_DEPTH,
    MAX_ITEMS,
    MAX_NAME,
    RECORDS,
    WRAPPING_DEPTH,
    WRAPPING_ITEMS,
    WireError,
    extent,
)

_INT = struct.Struct("<q")
_FLOAT = struct.Struct("<d")
_NATIVE = tuple(dtype.newbyteorder("=") for dtype in DTYPES)


def decode(data: bytes, limit: int = MAX_BYTES) -> Any:
    """The value that `data` spells, arrays writable and in this machine's byte order.

    Raises WireError for anything else: unknown tags, sizes beyond the caps, bytes left over. Takes at most
    8 bytes of memory per byte of `data`, and 200 more for each item, of which there are 501,000 at most.
    """
    if len(data) > limit:
        raise WireError(f"{len(data)} bytes, more than the {limit} allowed")
    decoder = _Decoder(data, limit)
    value = decoder.value(0)
    if decoder.position != len(data):
        raise WireError(f"{len(data) - decoder.position} bytes left over after the value")
    return value


class _Decoder:
    """Reads one value from hostile bytes."""

    def __init__(self, data: bytes, limit: int) -> None:
        self.data = data
        self.size = len(data)
        self.limit = limit
        self.position = 0
        self.items = 0
        self.in_record = False

    def skip(self, count: int) -> int:
        """Where the next `count` bytes begin, which are taken."""
        start = self.position
        self.position = end = start + count
        if end > self.size:
            raise WireError(f"ends {end - self.size} bytes early")
        return start

    def content(self) -> bytes:
        (count,) = LENGTH.unpack_from(self.data, self.skip(4))
        start = self.skip(count)
        return self.data[start : start + count]

    def value(self, depth: int) -> Any:
        self.items += 1
        if self.items > MAX_ITEMS + WRAPPING_ITEMS or depth > MAX_DEPTH + WRAPPING_DEPTH:
            raise WireError("too many items, or nested too deeply")
        tag = self.data[self.skip(1)]
        read = _READERS.get(tag)
        if read is None:
            raise WireError(f"unknown tag {bytes([tag])!r}")
        return read(self, depth)

    def integer(self, depth: int) -> int:
        number: int = _INT.unpack_from(self.data, self.skip(8))[0]
        return number

    def number(self, depth: int) -> float:
        number: float = _FLOAT.unpack_from(self.data, self.skip(8))[0]
        return number

    def raw(self, depth: int) -> bytes:
        return self.content()

    def text(self, depth: int = 0) -> str:
        try:
            return self.content().decode()
        except UnicodeDecodeError as error:
            raise WireError(f"text that is no UTF-8: {error.reason}") from None

    def count(self) -> int:
        """How many items follow: no more than there are bytes left, since each takes one or more."""
        count: int = LENGTH.unpack_from(self.data, self.skip(4))[0]
        if count > self.size - self.position:
            raise WireError(f"{count} items in {self.size - self.position} bytes")
        return count

    def as_list(self, depth: int) -> list[Any]:
        return [self.value(depth + 1) for _ in range(self.count())]

    def as_tuple(self, depth: int) -> tuple[Any, ...]:
        return tuple(self.as_list(depth))

    def mapping(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for _ in range(self.count()):
            key = self.text()
            if key in found:
                raise WireError("a key twice")
            found[key] = self.value(depth + 1)
        return found

    def array(self, depth: int) -> np.ndarray[Any, Any]:
        start = self.skip(2)
        code, axes = self.data[start], self.data[start + 1]
        if code >= len(DTYPES) or axes > MAX_AXES:
            raise WireError(f"no array: dtype {code}, {axes} axes")
        shape = AXES[axes].unpack_from(self.data, self.skip(8 * axes))
        dtype = DTYPES[code]
        if extent(shape, dtype) > self.limit:
            raise WireError("an array beyond the cap")
        start = self.skip(math.prod(shape) * dtype.itemsize)
        if code == BOOLEAN and np.frombuffer(self.data, np.uint8, math.prod(shape), start).max(initial=0) > 1:
            raise WireError("a boolean that is neither 0 nor 1")
        return np.ndarray(shape, dtype, self.data, start).astype(_NATIVE[code])

    def opaque(self, depth: int) -> Opaque:
        name = self.text()[:MAX_NAME]
        return Opaque(name if name.isprintable() else "".join(filter(str.isprintable, name)))

    def record(self, depth: int) -> Any:
        if self.in_record:
            raise WireError("a step or event inside another")
        self.in_record = True
        which = self.data[self.skip(1)]
        if which >= len(RECORDS):
            raise WireError(f"no step or event has the number {which}")
        kind, form = _FORMS[which]
        found = [self.value(depth + 1) for _ in form]
        for (name, type_name, fits), item in zip(form, found, strict=True):
            if not fits(item):
                raise WireError(f"{kind.__name__}.{name} is no {type_name}")
        self.in_record = False
        return kind(*found)


_READERS: dict[int, Callable[[_Decoder, int], Any]] = {
    ord("N"): lambda decoder, depth: None,
    ord("T"): lambda decoder, depth: True,
    ord("F"): lambda decoder, depth: False,
    ord("i"): _Decoder.integer,
    ord("f"): _Decoder.number,
    ord("s"): _Decoder.text,
    ord("b"): _Decoder.raw,
    ord("l"): _Decoder.as_list,
    ord("t"): _Decoder.as_tuple,
    ord("d"): _Decoder.mapping,
    ord("a"): _Decoder.array,
    ord("o"): _Decoder.opaque,
    ord("R"): _Decoder.record,
}

_FITS: dict[str, Callable[[Any], bool]] = {
    "Any": lambda item: True,
    "str": lambda item: isinstance(item, str),
    "str | None": lambda item: item is None or isinstance(item, str),
    "float": lambda item: isinstance(item, float | int) and not isinstance(item, bool),
    "tuple[Any, ...]": lambda item: isinstance(item, tuple),
    "tuple[str, ...]": lambda item: isinstance(item, tuple) and all(isinstance(part, str) for part in item),
}
_FORMS = tuple(
    (kind, tuple((field.name, str(field.type), _FITS[str(field.type)]) for field in fields(kind)))
    for kind in RECORDS
)
