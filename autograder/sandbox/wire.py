"""Values as bytes between the judge and a student's process: no pickle, every size capped.

The encoder runs beside student code and is polite: it looks at the size of an array before it
copies it, and says `Opaque` for whatever is no plain data. The decoder runs on the trusted side and
takes every byte for hostile: any byte string gives a value or a WireError.

A value is one tag byte and its content, numbers little-endian:

    N T F           None, True, False
    i f             int, float                      8 bytes
    s b             text, bytes                     length (4), content
    l t             list, tuple                     count (4), values
    d               dict                            count (4), (length, key, value) each
    a               array                           dtype (1), number of axes (1), axes (8 each), data
    o               Opaque                          length (4), name of the type
    R               step or event of a script       which (1), its fields as values
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from attention_lib.compare import Opaque
from autograder.sandbox.script import Call, Change, Let, Look, Raised, Returned, Stand, Undefined

MAX_BYTES = 64 << 20
MAX_ITEMS = 500_000
MAX_DEPTH = 32
MAX_AXES = 32
MAX_NAME = 200
FRAME_HEADER = struct.Struct("<I")

#: The position is the code on the wire.
DTYPES = tuple(
    map(np.dtype, ("?", "<i1", "<i2", "<i4", "<i8", "<u1", "<u2", "<u4", "<u8", "<f2", "<f4", "<f8"))
)
RECORDS: tuple[type, ...] = (Let, Call, Change, Look, Stand, Returned, Raised, Undefined)

_LENGTH = struct.Struct("<I")
_INT = struct.Struct("<q")
_FLOAT = struct.Struct("<d")


class WireError(ValueError):
    """Bytes that are no value, or a value that is too large to send."""


@dataclass(frozen=True)
class Frozen:
    """A value that is encoded already: how it was at that moment."""

    data: bytes


def encode(value: Any, limit: int = MAX_BYTES) -> bytes:
    """The bytes of `value`. Raises WireError when it is too large or nested too deeply."""
    encoder = _Encoder(limit)
    encoder.put(value, 0)
    return b"".join(encoder.parts)


def freeze(value: Any, limit: int = MAX_BYTES) -> Frozen:
    """`value` as it is now; one that is too large becomes an Opaque that says so."""
    try:
        return Frozen(encode(value, limit))
    except (WireError, RecursionError, MemoryError) as error:
        return Frozen(encode(Opaque(f"{_name(value)}: {error or 'too large'}")))


class _Encoder:
    """Collects the parts of one message and counts what they take."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.size = 0
        self.items = 0
        self.parts: list[bytes] = []

    def add(self, *parts: bytes) -> None:
        self.size += sum(map(len, parts))
        if self.size > self.limit:
            raise WireError(f"takes more than the {_in_units(self.limit)} that an answer may have")
        self.parts.extend(parts)

    def put(self, value: Any, depth: int) -> None:
        self.items += 1
        if self.items > MAX_ITEMS:
            raise WireError(f"has more than {MAX_ITEMS} items")
        if depth > MAX_DEPTH:
            raise WireError(f"is nested more than {MAX_DEPTH} deep")
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
            self.add(b"i", _INT.pack(number))
        else:
            digits = int(number.bit_length() * math.log10(2)) + 1
            self.opaque(Opaque(f"int of about {digits} digits"), depth)

    def number(self, value: float, depth: int) -> None:
        self.add(b"f", _FLOAT.pack(float.__float__(value)))

    def text(self, value: str, depth: int) -> None:
        self.check_size(str.__len__(value))
        self.add(b"s", *_sized(str.encode(value, "utf-8", "backslashreplace")))

    def raw(self, value: bytes, depth: int) -> None:
        self.check_size(bytes.__len__(value))
        self.add(b"b", *_sized(bytes.__getitem__(value, slice(None))))

    def sequence(self, value: list[Any] | tuple[Any, ...], depth: int) -> None:
        is_list = isinstance(value, list)
        items = list.copy(value) if isinstance(value, list) else tuple.__getitem__(value, slice(None))
        self.add(b"l" if is_list else b"t", _LENGTH.pack(len(items)))
        for item in items:
            self.put(item, depth + 1)

    def mapping(self, value: dict[Any, Any], depth: int) -> None:
        pairs = list(dict.items(value))
        if not all(type(key) is str for key, _ in pairs):
            return self.opaque(Opaque("dict with keys that are no strings"), depth)
        self.add(b"d", _LENGTH.pack(len(pairs)))
        for key, item in pairs:
            self.add(*_sized(key.encode("utf-8", "backslashreplace")))
            self.put(item, depth + 1)

    def array(self, value: np.ndarray[Any, Any], depth: int) -> None:
        plain = np.ndarray.view(value, np.ndarray)
        little = _travels_as(plain.dtype)
        if little not in DTYPES:
            return self.opaque(Opaque(f"ndarray of {plain.dtype}"), depth)
        extent = math.prod(max(axis, 1) for axis in plain.shape) * plain.itemsize
        self.check_size(extent, f"of shape {plain.shape} ")
        head = struct.pack("<BB", DTYPES.index(little), plain.ndim)
        axes = struct.pack(f"<{plain.ndim}Q", *plain.shape)
        self.add(b"a", head, axes, plain.astype(little, copy=False).tobytes())

    def scalar(self, value: np.generic, depth: int) -> None:
        if isinstance(value, np.str_):
            return self.text(value, depth)
        if _travels_as(value.dtype) not in DTYPES:
            return self.opaque(value, depth)
        self.array(np.array(value), depth)

    def opaque(self, value: Any, depth: int) -> None:
        name = value.type_name if type(value) is Opaque else _name(value)
        self.add(b"o", *_sized(str(name)[:MAX_NAME].encode("utf-8", "backslashreplace")))

    def frozen(self, value: Frozen, depth: int) -> None:
        if self.size + len(value.data) > self.limit:
            return self.opaque(Opaque(f"a value beyond the {_in_units(self.limit)} of a whole answer"), depth)
        self.add(value.data)

    def record(self, value: Any, depth: int) -> None:
        self.add(b"R", bytes([RECORDS.index(type(value))]))
        for field in fields(value):
            self.put(getattr(value, field.name), depth + 1)

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
    list: _Encoder.sequence,
    tuple: _Encoder.sequence,
    dict: _Encoder.mapping,
    Opaque: _Encoder.opaque,
    Frozen: _Encoder.frozen,
    **dict.fromkeys(RECORDS, _Encoder.record),
}
_BASES = (np.generic, np.ndarray, int, float, str, bytes, list, tuple, dict)  # np.float64 is a float too


def _sized(data: bytes) -> tuple[bytes, bytes]:
    return _LENGTH.pack(len(data)), data


def _travels_as(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Little-endian, and np.longdouble as a double: comparing needs no more."""
    return np.dtype("<f8") if dtype.kind == "f" and dtype.itemsize > 8 else dtype.newbyteorder("<")


def _name(value: Any) -> str:
    return str(type.__getattribute__(type(value), "__name__"))[:MAX_NAME]


def _in_units(size: int) -> str:
    for unit, bytes_each in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size >= bytes_each:
            return f"{size / bytes_each:.3g} {unit}"
    return f"{size} bytes"


def decode(data: bytes, limit: int = MAX_BYTES) -> Any:
    """The value that `data` spells, arrays writable and in this machine's byte order.

    Raises WireError for anything else: unknown tags, sizes beyond the caps, bytes left over.
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
        self.data = memoryview(data)
        self.limit = limit
        self.position = 0
        self.items = 0
        self.in_record = False

    def take(self, count: int) -> memoryview:
        end = self.position + count
        if end > len(self.data):
            raise WireError(f"ends {end - len(self.data)} bytes early")
        taken = self.data[self.position : end]
        self.position = end
        return taken

    def length(self) -> int:
        return int(_LENGTH.unpack(self.take(4))[0])

    def value(self, depth: int) -> Any:
        self.items += 1
        if self.items > MAX_ITEMS + 1000 or depth > MAX_DEPTH + 8:  # a message wraps what was frozen
            raise WireError("too many items, or nested too deeply")
        tag = bytes(self.take(1))
        read = _READERS.get(tag)
        if read is None:
            raise WireError(f"unknown tag {tag!r}")
        return read(self, depth)

    def text(self, depth: int = 0) -> str:
        try:
            return str(self.take(self.length()), "utf-8")
        except UnicodeDecodeError as error:
            raise WireError(f"text that is no UTF-8: {error.reason}") from None

    def sequence(self, depth: int) -> list[Any]:
        count = self.length()
        if count > len(self.data) - self.position:  # an item takes a byte or more
            raise WireError(f"{count} items in {len(self.data) - self.position} bytes")
        return [self.value(depth + 1) for _ in range(count)]

    def mapping(self, depth: int) -> dict[str, Any]:
        count = self.length()
        found: dict[str, Any] = {}
        for _ in range(count):
            key = self.text()
            if key in found:
                raise WireError("a key twice")
            found[key] = self.value(depth + 1)
        return found

    def array(self, depth: int) -> np.ndarray[Any, Any]:
        code, axes = self.take(2)
        if code >= len(DTYPES) or axes > MAX_AXES:
            raise WireError(f"no array: dtype {code}, {axes} axes")
        shape = struct.unpack(f"<{axes}Q", self.take(8 * axes))
        dtype = DTYPES[code]
        if math.prod(max(axis, 1) for axis in shape) * dtype.itemsize > self.limit:
            raise WireError("an array beyond the cap")
        raw = np.frombuffer(self.take(math.prod(shape) * dtype.itemsize), dtype=np.uint8)
        if dtype.kind == "b" and np.any(raw > 1):
            raise WireError("a boolean that is neither 0 nor 1")
        return raw.view(dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=True)

    def opaque(self, depth: int) -> Opaque:
        return Opaque(self.text()[:MAX_NAME])

    def record(self, depth: int) -> Any:
        if self.in_record:
            raise WireError("a step or event inside another")
        self.in_record = True
        which = self.take(1)[0]
        if which >= len(RECORDS):
            raise WireError(f"no step or event has the number {which}")
        kind = RECORDS[which]
        found = [self.value(depth + 1) for _ in fields(kind)]
        for field, item in zip(fields(kind), found, strict=True):
            if not _FITS[str(field.type)](item):
                raise WireError(f"{kind.__name__}.{field.name} is no {field.type}")
        self.in_record = False
        return kind(*found)


_READERS: dict[bytes, Callable[[_Decoder, int], Any]] = {
    b"N": lambda decoder, depth: None,
    b"T": lambda decoder, depth: True,
    b"F": lambda decoder, depth: False,
    b"i": lambda decoder, depth: _INT.unpack(decoder.take(8))[0],
    b"f": lambda decoder, depth: _FLOAT.unpack(decoder.take(8))[0],
    b"s": _Decoder.text,
    b"b": lambda decoder, depth: bytes(decoder.take(decoder.length())),
    b"l": _Decoder.sequence,
    b"t": lambda decoder, depth: tuple(decoder.sequence(depth)),
    b"d": _Decoder.mapping,
    b"a": _Decoder.array,
    b"o": _Decoder.opaque,
    b"R": _Decoder.record,
}

_FITS: dict[str, Callable[[Any], bool]] = {
    "Any": lambda item: True,
    "str": lambda item: isinstance(item, str),
    "str | None": lambda item: item is None or isinstance(item, str),
    "float": lambda item: isinstance(item, float | int) and not isinstance(item, bool),
    "tuple[Any, ...]": lambda item: isinstance(item, tuple),
    "tuple[str, ...]": lambda item: isinstance(item, tuple) and all(isinstance(part, str) for part in item),
}


def frame(body: bytes) -> bytes:
    """`body` with its length in front."""
    return FRAME_HEADER.pack(len(body)) + body
