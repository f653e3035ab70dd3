"""Values to bytes. Runs beside student code and is polite: it looks at the size of an array before it
copies it, and says `Opaque` for whatever is no plain data."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass, fields
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

_TAG_LENGTH = struct.Struct("<cI")
_TAG_INT = struct.Struct("<cq")
_TAG_FLOAT = struct.Struct("<cd")
_TAG_ARRAY = struct.Struct("<cBB")

# An array in the other byte order travels in this one, np.longdouble as a double: comparing needs no more.
_WIDE = np.dtype(np.longdouble)
_CODES = {
    _WIDE: DTYPES.index(np.dtype("<f8")),
    _WIDE.newbyteorder("S"): DTYPES.index(np.dtype("<f8")),
    **{dtype.newbyteorder(">"): code for code, dtype in enumerate(DTYPES)},
    **{dtype: code for code, dtype in enumerate(DTYPES)},
}


@dataclass(frozen=True)
class Frozen:
    """A value that is encoded already, how it was at that moment, and how many items it has."""

    data: bytes
    items: int = 1


def encode(value: Any, limit: int = MAX_BYTES) -> bytes:
    """The bytes of `value`. Raises WireError when it is too large or nested too deeply."""
    encoder = _Encoder(limit, MAX_ITEMS + WRAPPING_ITEMS, MAX_DEPTH + WRAPPING_DEPTH)
    encoder.put(value, 0)
    return b"".join(encoder.parts)


def freeze(value: Any, limit: int = MAX_BYTES) -> Frozen:
    """`value` as it is now; one that is too large, or whose class does not let itself be looked at,
    becomes an Opaque that says so."""
    encoder = _Encoder(limit, MAX_ITEMS, MAX_DEPTH, in_record=True)
    try:
        encoder.put(value, 0)
    except (WireError, RecursionError, MemoryError) as error:
        return _frozen_note(f"{_name(value)}: {error or 'too large'}")
    except Exception as error:  # raised by code of the value's own class
        return _frozen_note(f"{_name(value)}: {_name(error)} when it was read")
    return Frozen(b"".join(encoder.parts), encoder.items)


def _frozen_note(text: str) -> Frozen:
    return Frozen(encode(Opaque(text)))


class _Encoder:
    """Collects the parts of one message and counts what they take."""

    def __init__(self, limit: int, most_items: int, most_deep: int, in_record: bool = False) -> None:
        self.limit = limit
        self.most_items = most_items
        self.most_deep = most_deep
        self.in_record = in_record
        self.size = 0
        self.items = 0
        self.parts: list[bytes] = []

    def add(self, part: bytes) -> None:
        self.size += len(part)
        if self.size > self.limit:
            raise WireError(f"takes more than the {_in_units(self.limit)} that an answer may have")
        self.parts.append(part)

    def put(self, value: Any, depth: int) -> None:
        self.items += 1
        if self.items > self.most_items:
            raise WireError(f"has more than {self.most_items} items")
        if depth > self.most_deep:
            raise WireError(f"is nested more than {self.most_deep} deep")
        kind = type(value)
        write = _WRITERS.get(kind)
        if write is None:
            write = next((_WRITERS[base] for base in _BASES if issubclass(kind, base)), _Encoder.opaque)
        write(self, value, depth)

    def none(self, value: None, depth: int) -> None:
        self.add(b"N")

    def boolean(self, value: bool, depth: int) -> None:
        self.add(b"T" if value else b"F")

    def integer(self, value: int, depth: int) -> None:
        number = int.__index__(value)
        if -(2**63) <= number < 2**63:
            self.add(_TAG_INT.pack(b"i", number))
        else:
            digits = int(number.bit_length() * math.log10(2)) + 1
            self.opaque(Opaque(f"int of about {digits} digits"), depth)

    def number(self, value: float, depth: int) -> None:
        self.add(_TAG_FLOAT.pack(b"f", float.__float__(value)))

    def text(self, value: str, depth: int) -> None:
        self.check_size(str.__len__(value))
        self.sized(b"s", str.encode(value, "utf-8", "backslashreplace"))

    def raw(self, value: bytes, depth: int) -> None:
        self.check_size(bytes.__len__(value))
        self.sized(b"b", bytes.__getitem__(value, slice(None)))

    def sized(self, tag: bytes, data: bytes) -> None:
        self.add(_TAG_LENGTH.pack(tag, len(data)))
        self.add(data)

    def as_list(self, value: list[Any], depth: int) -> None:
        self.sequence(b"l", list.copy(value), depth)

    def as_tuple(self, value: tuple[Any, ...], depth: int) -> None:
        self.sequence(b"t", tuple.__getitem__(value, slice(None)), depth)

    def sequence(self, tag: bytes, items: list[Any] | tuple[Any, ...], depth: int) -> None:
        self.add(_TAG_LENGTH.pack(tag, len(items)))
        for item in items:
            self.put(item, depth + 1)

    def mapping(self, value: dict[Any, Any], depth: int) -> None:
        pairs = list(dict.items(value))
        if not all(type(key) is str for key, _ in pairs):
            return self.opaque(Opaque("dict with keys that are no strings"), depth)
        try:
            keys = [key.encode() for key, _ in pairs]
        except UnicodeEncodeError:  # spelled out, two keys could become one
            return self.opaque(Opaque("dict with keys that are no text"), depth)
        self.add(_TAG_LENGTH.pack(b"d", len(pairs)))
        for key, (_, item) in zip(keys, pairs, strict=True):
            self.add(LENGTH.pack(len(key)))
            self.add(key)
            self.put(item, depth + 1)

    def array(self, value: np.ndarray[Any, Any], depth: int) -> None:
        plain = np.ndarray.view(value, np.ndarray)
        code = _CODES.get(plain.dtype)
        if code is None or plain.ndim > MAX_AXES:
            what = plain.dtype if code is None else f"{plain.ndim} axes"
            return self.opaque(Opaque(f"ndarray of {what}"), depth)
        self.check_size(extent(plain.shape, DTYPES[code]), f"of shape {plain.shape} ")
        self.add(_TAG_ARRAY.pack(b"a", code, plain.ndim))
        self.add(AXES[plain.ndim].pack(*plain.shape))
        self.add(_as_sent(plain, code).tobytes())

    def scalar(self, value: np.generic, depth: int) -> None:
        if isinstance(value, np.str_):
            return self.text(value, depth)
        array = np.generic.__array__(value)
        if array.dtype not in _CODES:
            return self.opaque(value, depth)
        self.array(array, depth)

    def opaque(self, value: Any, depth: int) -> None:
        name = value.type_name if type(value) is Opaque else _name(value)
        self.sized(b"o", str(name)[:MAX_NAME].encode("utf-8", "backslashreplace"))

    def frozen(self, value: Frozen, depth: int) -> None:
        if self.size + len(value.data) > self.limit:
            return self.opaque(Opaque(f"a value beyond the {_in_units(self.limit)} of a whole answer"), depth)
        if self.items + value.items > MAX_ITEMS:
            return self.opaque(Opaque(f"a value beyond the {MAX_ITEMS} items of a whole answer"), depth)
        self.items += value.items - 1
        self.add(value.data)

    def record(self, value: Any, depth: int) -> None:
        if self.in_record:
            return self.opaque(value, depth)
        which, names = _SPELLED[type(value)]
        self.add(which)
        self.in_record = True
        for name in names:
            self.put(getattr(value, name), depth + 1)
        self.in_record = False

    def check_size(self, size: int, what: str = "") -> None:
        if self.size + size > self.limit:
            allowed = _in_units(self.limit)
            raise WireError(f"{what}takes {_in_units(size)}, more than the {allowed} that an answer may have")


_WRITERS: dict[type, Callable[[_Encoder, Any, int], None]] = {
    type(None): _Encoder.none,
    bool: _Encoder.boolean,
    np.generic: _Encoder.scalar,
    np.ndarray: _Encoder.array,
    int: _Encoder.integer,
    float: _Encoder.number,
    str: _Encoder.text,
    bytes: _Encoder.raw,
    list: _Encoder.as_list,
    tuple: _Encoder.as_tuple,
    dict: _Encoder.mapping,
    Opaque: _Encoder.opaque,
    Frozen: _Encoder.frozen,
    **{dtype.type: _Encoder.scalar for dtype in DTYPES},
    **dict.fromkeys(RECORDS, _Encoder.record),
}
_BASES = (np.generic, np.ndarray, int, float, str, bytes, list, tuple, dict)  # np.float64 is a float too
_SPELLED = {
    kind: (bytes([ord("R"), which]), tuple(field.name for field in fields(kind)))
    for which, kind in enumerate(RECORDS)
}
_type_name = type.__dict__["__name__"].__get__  # a metaclass can't redefine this one


def _as_sent(plain: np.ndarray[Any, Any], code: int) -> np.ndarray[Any, Any]:
    if code == BOOLEAN:  # memory that nobody wrote to holds other bytes than 0 and 1
        return plain.view(np.uint8).astype(np.bool_)
    if plain.dtype == DTYPES[code]:
        return plain
    with np.errstate(all="ignore"):
        return plain.astype(DTYPES[code])


def _name(value: Any) -> str:
    return str(_type_name(type(value)))[:MAX_NAME]


def _in_units(size: int) -> str:
    for unit, bytes_each in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size >= bytes_each:
            return f"{size / bytes_each:.3g} {unit}"
    return f"{size} bytes"
