"""The wire: what is sent arrives, what is no data becomes Opaque, and no bytes do harm."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
import pytest

from attention_lib.compare import Opaque
from autograder.sandbox import wire
from autograder.sandbox.script import Call, Change, Let, Look, Raised, Returned, Stand, Undefined


def there_and_back(value: Any) -> Any:
    return wire.decode(wire.encode(value))


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


def test_memory_that_nobody_wrote_to_arrives_as_booleans() -> None:
    unwritten = np.array([[0, 1], [2, 255]], dtype=np.uint8).view(bool)
    arrived = there_and_back(unwritten.T)
    np.testing.assert_array_equal(arrived, [[False, True], [True, True]])
    assert arrived.view(np.uint8).max() == 1


@pytest.mark.parametrize("axes", [33, 64])
def test_an_array_of_more_axes_than_travel_is_opaque(axes: int) -> None:
    assert there_and_back(np.zeros((1,) * axes)) == Opaque(f"ndarray of {axes} axes")


def test_a_longdouble_beyond_a_double_is_infinite_and_warns_of_nothing() -> None:
    assert there_and_back([np.longdouble("1e400"), np.array([np.longdouble("-1e400")])]) == [np.inf, -np.inf]


def test_keys_that_would_become_one_make_the_dict_opaque() -> None:
    assert there_and_back({"a\ud800": 1, "a\\ud800": 2}) == Opaque("dict with keys that are no text")


def test_an_event_in_an_answer_is_an_object_like_any_other() -> None:
    answer = Returned(wire.freeze([Returned(11.0), Look("x")]))
    assert there_and_back(answer) == Returned([Opaque("Returned"), Opaque("Look")])


def test_answers_of_too_many_items_together_say_so_one_by_one() -> None:
    lists = [wire.freeze([0] * 300_000) for _ in range(2)]
    [kept, left_out] = there_and_back([Returned(each) for each in lists])
    assert len(kept.value) == 300_000
    assert left_out.value == Opaque("a value beyond the 500000 items of a whole answer")


def test_a_message_around_a_value_of_nearly_the_most_items_and_depth_arrives() -> None:
    deep: list[Any] = [0] * (wire.MAX_ITEMS - 100)
    for _ in range(wire.MAX_DEPTH - 1):
        deep = [deep]
    events = [Returned(1, tuple(range(100)))] * 3
    arrived = there_and_back((9, "events", [Returned((), (wire.freeze(deep),)), *events]))
    assert arrived == (9, "events", [Returned((), (deep,)), *events])


def test_a_type_name_arrives_without_what_a_terminal_acts_on() -> None:
    name = "\x1b]0;x\x07\u202eA\n".encode()
    assert wire.decode(b"o" + struct.pack("<I", len(name)) + name) == Opaque("]0;xA")


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
        pytest.param(b"", id="nothing"),
        pytest.param(b"x", id="unknown tag"),
        pytest.param(b"R\x08", id="step or event of no kind"),
        pytest.param(array_bytes(1, (1,) * 33, b"\0"), id="more axes than travel"),
        pytest.param(b"d" + struct.pack("<I", 2**32 - 1), id="more keys than bytes"),
    ],
)
def test_hostile_messages_are_refused(message: bytes) -> None:
    with pytest.raises(wire.WireError):
        wire.decode(message)


def test_nan_and_negative_zero_keep_their_bits() -> None:
    nan, zero = there_and_back([math.nan, -0.0])
    assert math.isnan(nan)
    assert math.copysign(1, zero) == -1
