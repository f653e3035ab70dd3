"""The decoder before any bytes: a value of the closed set, or a WireError; within memory and time."""

from __future__ import annotations

import struct
import sys
import tracemalloc
from dataclasses import fields
from types import FrameType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attention_lib.compare import Opaque
from autograder.sandbox import wire

from .promises import check_decoding, check_plain
from .values import ARRAYS, MESSAGES, STEADY

TAGS = st.sampled_from([bytes([code]) for code in (*b"NTFifsbltdaoR", *range(12), 255)])
LENGTHS = st.sampled_from([0, 1, 2, 255, 2**16, 500_000, 2**31, 2**32 - 1]).map(struct.Struct("<I").pack)


@STEADY
@given(st.binary(max_size=300) | st.lists(TAGS, max_size=60).map(b"".join))
def test_any_bytes_give_a_value_of_the_closed_set_or_a_wire_error(data: bytes) -> None:
    check_decoding(data)


@STEADY
@given(MESSAGES)
def test_what_is_sent_arrives(value: Any) -> None:
    arrived = wire.decode(wire.encode(value))
    check_plain(arrived)
    assert_same(value, arrived)


@STEADY
@given(ARRAYS)
def test_arrays_arrive_with_shape_kind_and_bits(array: np.ndarray) -> None:
    assert_same(array, wire.decode(wire.encode(array)))


def assert_same(sent: Any, arrived: Any) -> None:
    """Equal down to the bits of each number."""
    assert type(arrived) is type(sent)
    if isinstance(sent, np.ndarray):
        assert (arrived.shape, arrived.dtype) == (sent.shape, sent.dtype.newbyteorder("="))
        assert arrived.tobytes() == sent.astype(arrived.dtype).tobytes()
    elif isinstance(sent, list | tuple):
        assert len(arrived) == len(sent)
        for one, other in zip(sent, arrived, strict=True):
            assert_same(one, other)
    elif isinstance(sent, dict):
        assert_same(list(sent.items()), list(arrived.items()))
    elif isinstance(sent, wire.RECORDS):
        for field in fields(sent):
            assert_same(getattr(sent, field.name), getattr(arrived, field.name))
    elif isinstance(sent, Opaque):
        assert arrived.type_name == "".join(char for char in sent.type_name if char.isprintable())
    else:
        assert (
            struct.pack("<d", arrived) == struct.pack("<d", sent) if type(sent) is float else arrived == sent
        )


@STEADY
@given(MESSAGES, MESSAGES, st.data())
def test_damaged_messages_give_a_value_of_the_closed_set_or_a_wire_error(
    value: Any, other: Any, data: st.DataObject
) -> None:
    message, donor = wire.encode(value), wire.encode(other)
    for _ in range(data.draw(st.integers(1, 4))):
        message = damaged(message, donor, data)
        check_decoding(message)


def damaged(message: bytes, donor: bytes, data: st.DataObject) -> bytes:
    """`message` with one bit, byte or length changed, cut short, or with a piece of `donor` in it."""
    at = data.draw(st.integers(0, len(message)))
    start = data.draw(st.integers(0, len(donor)))
    piece = donor[start : start + data.draw(st.integers(0, 40))]
    match data.draw(st.sampled_from(["bit", "byte", "tag", "length", "cut", "insert", "overwrite", "drop"])):
        case "bit" if at < len(message):
            changed = bytes([message[at] ^ (1 << data.draw(st.integers(0, 7)))])
            return message[:at] + changed + message[at + 1 :]
        case "byte":
            return message[:at] + data.draw(st.binary(min_size=1, max_size=1)) + message[at + 1 :]
        case "tag":
            return message[:at] + data.draw(TAGS) + message[at + 1 :]
        case "length":
            return message[:at] + data.draw(LENGTHS) + message[at + 4 :]
        case "cut":
            return message[:at]
        case "insert":
            return message[:at] + piece + message[at:]
        case "overwrite":
            return message[:at] + piece + message[at + len(piece) :]
    return message[:at] + message[at + len(piece) :]


def length(count: int) -> bytes:
    return struct.pack("<I", count)


def array(code: int, shape: tuple[int, ...], data: bytes) -> bytes:
    return b"a" + struct.pack(f"<BB{len(shape)}Q", code, len(shape), *shape) + data


#: Items that take much more memory, or more work, than they have bytes.
HEAVY = {
    "None": b"N",
    "empty list": b"l" + length(0),
    "list of one": b"l" + length(1) + b"N",
    "tuple of one": b"t" + length(1) + b"N",
    "empty dict": b"d" + length(0),
    "dict of one": b"d" + length(1) + length(0) + b"N",
    "text": b"s" + length(2) + "ā".encode(),
    "bytes": b"b" + length(2) + b"xx",
    "Opaque": b"o" + length(2) + "ā".encode(),
    "array without axes": array(0, (), b"\1"),
    "array of 32 axes": array(11, (1,) * 32, b"\1" * 8),
    "empty array": array(11, (0,) * 32, b""),
    "event": b"R\7s" + length(0) + b"N",
}
MANY = 20_000


@pytest.mark.parametrize("name", HEAVY)
def test_memory_is_within_8_bytes_a_byte_and_200_an_item(name: str) -> None:
    message = b"l" + length(MANY) + HEAVY[name] * MANY
    value, peak = decoded_with_peak(message)
    assert len(value) == MANY
    assert peak <= 8 * len(message) + 200 * check_plain(value)


@pytest.mark.parametrize("text", ["😀" + "a" * 10**6, "a" * 10**6 + "😀", "ā" * 10**6])
@pytest.mark.parametrize("tag", [b"s", b"o"])
def test_text_takes_at_most_8_bytes_a_byte(tag: bytes, text: str) -> None:
    data = text.encode()
    _, peak = decoded_with_peak(tag + length(len(data)) + data)
    assert peak <= 8 * len(data)


def decoded_with_peak(message: bytes) -> tuple[Any, int]:
    """The value, and the most bytes that were allocated while it was read."""
    tracemalloc.start()
    try:
        value = wire.decode(message)
        return value, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(b"l" + length(2**32 - 1) + b"N" * 1000, id="items"),
        pytest.param(b"d" + length(2**32 - 1) + b"\0" * 1000, id="keys"),
        pytest.param(b"s" + length(2**32 - 1) + b"a" * 1000, id="text"),
        pytest.param(array(11, (2**61,), b"\0" * 1000), id="array"),
        pytest.param(array(11, (2**63,) * 32, b"\0" * 1000), id="array of huge axes"),
        pytest.param(array(1, (0, 2**25), b"\0" * 1000), id="array of nothing"),
    ],
)
def test_an_announced_size_reserves_nothing(message: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(wire.WireError):
            wire.decode(message)
        assert tracemalloc.get_traced_memory()[1] <= 8 * len(message) + 20_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", HEAVY)
def test_work_grows_with_the_bytes_and_no_faster(name: str) -> None:
    nested = HEAVY[name]
    for _ in range(wire.MAX_DEPTH):
        nested = b"l" + length(2) + nested + b"N"
    for message in (b"l" + length(500) + HEAVY[name] * 500, nested, b"l" + length(500) + HEAVY[name] * 499):
        assert calls_of_decoding(message) <= 6 * len(message) + 100


@STEADY
@given(st.lists(TAGS | LENGTHS, max_size=200).map(b"".join))
def test_work_grows_no_faster_whatever_the_bytes(data: bytes) -> None:
    assert calls_of_decoding(data) <= 6 * len(data) + 100


def calls_of_decoding(message: bytes) -> int:
    """How many functions are called, in Python and in C, while `message` is read."""
    calls = 0

    def count(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        wire.decode(message)
    except wire.WireError:
        pass
    finally:
        sys.setprofile(None)
    return calls


def test_a_message_has_no_more_items_than_the_cap() -> None:
    for items, allowed in ((wire.MAX_ITEMS, True), (wire.MAX_ITEMS + 2000, False)):
        message = b"l" + length(items) + b"N" * items
        if allowed:
            assert len(wire.decode(message)) == items
        else:
            with pytest.raises(wire.WireError, match="too many items"):
                wire.decode(message)


def test_a_message_beyond_its_own_limit_is_not_looked_at() -> None:
    with pytest.raises(wire.WireError, match="12 bytes, more than the 11 allowed"):
        wire.decode(b"x" * 12, limit=11)
    with pytest.raises(wire.WireError, match="beyond the cap"):
        wire.decode(array(1, (0, 100), b""), limit=99)
