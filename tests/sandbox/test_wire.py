"""The wire: what is sent arrives, what is no data becomes Opaque, and no bytes do harm."""

from __future__ import annotations

import contextlib
import math
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from attention_lib.compare import Opaque
from autograder.sandbox import wire
from autograder.sandbox.script import Call, Change, Let, Look, Raised, Returned, Stand, Undefined

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)


def there_and_back(value: Any) -> Any:
    return wire.decode(wire.encode(value))


@given(PLAIN)
def test_plain_values_arrive_as_they_were_sent(value: Any) -> None:
    assert there_and_back(value) == value


@given(
    arrays.arrays(
        st.sampled_from(["?", "i1", "<i4", ">i8", "u2", "f2", "<f4", ">f8"]),
        arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
    )
)
def test_arrays_arrive_with_shape_kind_and_bits(array: np.ndarray) -> None:
    arrived = there_and_back(array)
    assert (arrived.shape, arrived.dtype) == (array.shape, array.dtype.newbyteorder("="))
    assert arrived.flags.writeable
    np.testing.assert_array_equal(arrived, array)


@pytest.mark.parametrize(
    "step_or_event",
    [
        Look("a"),
        Stand("f", (((1, [2.0]), 3.0), ((), ()))),
        Change("a", 2.5),
        Call("f", ("a", "b"), "c"),
        Returned((1, [2.0]), (3,)),
        Raised("ValueError", "no", ()),
        Undefined("f", None),
        Undefined("f", "int"),
    ],
)
def test_steps_and_events_arrive(step_or_event: object) -> None:
    assert there_and_back([step_or_event]) == [step_or_event]


def test_a_let_arrives_with_its_array() -> None:
    arrived = there_and_back(Let("x", np.arange(6.0).reshape(2, 3)))
    np.testing.assert_array_equal(arrived.value, [[0, 1, 2], [3, 4, 5]])


class Subclass(np.ndarray):
    shape = property(lambda self: (99,))
    __array_priority__ = 1000

    def __array_ufunc__(self, *arguments: object, **keywords: object) -> str:
        return "patched"


def test_array_subclasses_and_scalars_become_plain_arrays() -> None:
    for value, expected in [
        (np.arange(3.0).view(Subclass), [0, 1, 2]),
        (np.ma.array([1, 2], mask=[True, False]), [1, 2]),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (np.longdouble(0.5), 0.5),
        (np.array([1, 2], dtype=np.longdouble), [1, 2]),
    ]:
        arrived = there_and_back(value)
        assert type(arrived) is np.ndarray
        np.testing.assert_array_equal(arrived, expected)


def test_views_with_odd_strides_arrive_in_order() -> None:
    np.testing.assert_array_equal(
        there_and_back(np.arange(6).reshape(2, 3).T[::-1]), [[2, 5], [1, 4], [0, 3]]
    )


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (object(), "object"),
        (1j, "complex"),
        ({1, 2}, "set"),
        (np.array([1j]), "ndarray of complex128"),
        (np.array(["a"]), "ndarray of <U1"),
        (np.array([None]), "ndarray of object"),
        ({1: 2}, "dict with keys that are no strings"),
        (10**30, "int of about 31 digits"),
        (type("A" * 1000, (), {})(), "A" * 200),
    ],
)
def test_what_is_no_plain_data_becomes_opaque(value: object, name: str) -> None:
    assert there_and_back(value) == Opaque(name)


def test_text_with_lone_surrogates_still_arrives_as_text() -> None:
    assert there_and_back("a\ud800") == "a\\ud800"


def test_a_broadcast_array_beyond_the_cap_is_refused_before_it_is_copied() -> None:
    huge = np.broadcast_to(np.float64(1), (1 << 20, 1 << 20))
    with pytest.raises(wire.WireError, match=r"takes .* GiB, more than the 64 MiB"):
        wire.encode(huge)


def test_a_frozen_value_that_is_too_large_says_so_and_keeps_its_place() -> None:
    [opaque, kept] = there_and_back([wire.freeze(np.zeros(1000), limit=100), wire.freeze(7)])
    assert kept == 7
    assert opaque.type_name.startswith("ndarray: of shape (1000,) takes 7.81 KiB")


def test_frozen_values_do_not_change_afterwards() -> None:
    buffer = np.zeros(2)
    frozen = wire.freeze(buffer)
    buffer[:] = 5
    np.testing.assert_array_equal(there_and_back(frozen), [0, 0])


def test_a_list_that_holds_itself_twice_ends_as_opaque() -> None:
    loop: list[Any] = []
    loop += [loop, loop]
    assert there_and_back(wire.freeze(loop)) == Opaque("list: is nested more than 32 deep")


@given(st.binary(max_size=200))
def test_any_bytes_give_a_value_or_a_wire_error(data: bytes) -> None:
    with contextlib.suppress(wire.WireError):
        wire.decode(data)


@given(PLAIN | st.just([Returned(np.arange(4.0), (np.ones((2, 2), dtype="f4"),))]), st.data())
def test_damaged_messages_give_a_value_or_a_wire_error(value: Any, data: st.DataObject) -> None:
    message = bytearray(wire.encode(value))
    for _ in range(data.draw(st.integers(1, 3))):
        message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(wire.WireError):
        wire.decode(bytes(message))


def array_bytes(code: int, shape: tuple[int, ...], data: bytes) -> bytes:
    return b"a" + struct.pack(f"<BB{len(shape)}Q", code, len(shape), *shape) + data


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(wire.encode(1) + b"N", id="left over"),
        pytest.param(wire.encode("abc")[:-1], id="cut short"),
        pytest.param(b"l" + struct.pack("<I", 2**32 - 1), id="more items than bytes"),
        pytest.param(b"l\x01\0\0\0" * 60 + b"N", id="too deep"),
        pytest.param(b"l" + struct.pack("<I", 600_000) + b"N" * 600_000, id="too many items"),
        pytest.param(array_bytes(10, (3,), b"\0" * 16), id="array shorter than its shape"),
        pytest.param(array_bytes(10, (0, 2**60), b""), id="array with an absurd axis"),
        pytest.param(array_bytes(0, (1,), b"\2"), id="boolean neither 0 nor 1"),
        pytest.param(array_bytes(99, (1,), b"\0"), id="unknown dtype"),
        pytest.param(b"d\x02\0\0\0" + b"\x01\0\0\0aN" * 2, id="a key twice"),
        pytest.param(b"R\x04" + wire.encode(Returned(1, ())) + wire.encode(()), id="event in an event"),
        pytest.param(
            b"R\x05" + wire.encode(1) + wire.encode("m") + wire.encode(()), id="field of a wrong type"
        ),
        pytest.param(b"s\x01\0\0\0\xff", id="no UTF-8"),
    ],
)
def test_hostile_messages_are_refused(message: bytes) -> None:
    with pytest.raises(wire.WireError):
        wire.decode(message)


def test_nan_and_negative_zero_keep_their_bits() -> None:
    nan, zero = there_and_back([math.nan, -0.0])
    assert math.isnan(nan)
    assert math.copysign(1, zero) == -1
