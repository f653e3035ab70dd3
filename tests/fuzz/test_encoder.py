"""The encoder beside student code: whatever a function gives back is sent as a value that the judge can
read, or as an Opaque that names its type; and no code of the value's own is asked what it is."""

from __future__ import annotations

import collections
import decimal
import enum
import fractions
import warnings
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attention_lib.compare import Opaque
from autograder.sandbox import wire
from autograder.sandbox.script import Call, Let, Look, Returned

from .promises import check_plain
from .values import MESSAGES, STEADY


def arrives(value: Any, limit: int = wire.MAX_BYTES) -> Any:
    """What the judge sees of `value` as an answer."""
    [answer] = wire.decode(wire.encode([Returned(wire.freeze(value, limit))]))
    check_plain([answer])
    return answer.value


def liar(base: type, **lies: Any) -> type:
    """A subclass of `base` whose methods lie, raise, or run on for ever."""

    def refuse(*arguments: Any, **keywords: Any) -> Any:
        raise AssertionError("asked the value itself")

    names = (
        *("__len__", "__iter__", "__getitem__", "__contains__", "__eq__", "__hash__", "__bool__", "__repr__"),
        *("__str__", "__int__", "__index__", "__float__", "__array__", "__reduce__", "__reduce_ex__", "keys"),
        *("items", "values", "copy", "encode", "tobytes", "astype", "view", "bit_length", "__array_ufunc__"),
    )
    return type("Liar", (base,), {**dict.fromkeys(names, refuse), **lies})


SUBCLASSES = [
    (liar(int)(7), 7),
    (liar(float)(0.5), 0.5),
    (liar(str)("text"), "text"),
    (liar(bytes)(b"raw"), b"raw"),
    (liar(list)([1, 2]), [1, 2]),
    (liar(tuple)((1, 2)), (1, 2)),
    (liar(dict)(a=1), {"a": 1}),
    (liar(list, __class__=tuple)([1]), [1]),
    (liar(tuple, __class__=list)([1]), (1,)),
    (liar(dict, __class__=int)(a=1), {"a": 1}),
    (collections.OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
    (enum.IntEnum("Colour", "RED").RED, 1),
]


@pytest.mark.parametrize("which", range(len(SUBCLASSES)))
def test_a_subclass_is_sent_as_what_it_is_built_on(which: int) -> None:
    value, expected = SUBCLASSES[which]
    arrived = arrives(value)
    assert type(arrived) is type(expected)
    assert arrived == expected


LYING_ARRAY: dict[str, Any] = {
    "shape": (99, 99),
    "dtype": np.dtype("i1"),
    "strides": (0, 0),
    "ndim": 40,
    "nbytes": 0,
    "itemsize": 0,
    "__array_interface__": {"data": (0, False), "shape": (1 << 40,), "typestr": "<f8", "version": 3},
    "__array_struct__": None,
}


@pytest.mark.parametrize("kind", ["f4", ">i8", "?", "g"])
def test_an_array_that_lies_about_itself_is_sent_as_it_is(kind: str) -> None:
    array = np.array([[1, 0, 1], [0, 1, 1]], dtype=kind)
    arrived = arrives(array.view(liar(np.ndarray, **LYING_ARRAY)))
    np.testing.assert_array_equal(arrived, array)


@pytest.mark.parametrize("base", [np.float64, np.float32, np.int64, np.str_, np.bytes_, np.longdouble])
def test_a_scalar_that_lies_about_itself_is_sent_as_it_is(base: type) -> None:
    lying = liar(
        base, **{name: LYING_ARRAY[name] for name in ("shape", "dtype", "strides", "ndim", "nbytes")}
    )
    arrived = arrives(lying("7" if base is np.str_ else b"7" if base is np.bytes_ else 7))
    assert arrived == ("7" if base is np.str_ else Opaque("Liar") if base is np.bytes_ else 7)


class Unreadable(type):
    """A class that answers no question about itself."""

    def __hash__(cls) -> int:
        raise RuntimeError("no")

    def __eq__(cls, other: object) -> bool:
        raise RuntimeError("no")

    def __getattribute__(cls, name: str) -> Any:
        raise RuntimeError("no")


class OfAnotherName(type):
    __name__ = property(lambda cls: "float")  # type: ignore[assignment]


def test_a_class_that_answers_no_question_makes_an_opaque() -> None:
    assert arrives(Unreadable("Wall", (), {})()) == Opaque("Wall: RuntimeError when it was read")
    assert arrives([1, Unreadable("Wall", (list,), {})()]) == Opaque("list: RuntimeError when it was read")
    assert arrives(OfAnotherName("Mask", (), {})()) == Opaque("Mask")


class Claims:
    """Everything that NumPy asks an object for, all of it false."""

    __array_interface__: ClassVar = LYING_ARRAY["__array_interface__"]
    __class__ = np.ndarray  # type: ignore[assignment]

    def __len__(self) -> int:
        return 3

    def __float__(self) -> float:
        return 1.0

    def __array__(self, *arguments: Any, **keywords: Any) -> np.ndarray:
        return np.ones(3)

    __index__ = __int__ = __len__


NO_PLAIN_DATA = [
    (Claims(), "Claims"),
    (1 << 100_000, "int of about 30104 digits"),
    (-(1 << 63) - 1, "int of about 20 digits"),
    (decimal.Decimal(1), "Decimal"),
    (fractions.Fraction(1, 3), "Fraction"),
    (memoryview(b"ab"), "memoryview"),
    (bytearray(b"ab"), "bytearray"),
    (range(10**18), "range"),
    (iter([]), "list_iterator"),
    (np.array([Unreadable("Wall", (), {})(), None]), "ndarray of object"),
    (np.array("2024-01-01", dtype="M8[D]"), "ndarray of datetime64[D]"),
    (np.datetime64("2024-01-01"), "datetime64"),
    (np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]), "ndarray of [('a', '<i4'), ('b', '<f8')]"),
    (np.array([(1,)], dtype=[("a", "i4")])[0], "void"),
    (np.array(["a"], dtype=np.dtypes.StringDType()), "ndarray of StringDType()"),
    ({"a": 1, 2: 3}, "dict with keys that are no strings"),
    ({liar(str, __hash__=str.__hash__)("a"): 1}, "dict with keys that are no strings"),
    (Let("x", 1), "Let"),
    (wire.Frozen(b"garbage", 10**9), "a value beyond the 500000 items of a whole answer"),
]


@pytest.mark.parametrize(("value", "name"), NO_PLAIN_DATA, ids=[name for _, name in NO_PLAIN_DATA])
def test_what_is_no_plain_data_is_opaque_and_named(value: Any, name: str) -> None:
    assert arrives(value) == Opaque(name)


def test_arrays_over_one_element_are_measured_before_they_are_copied() -> None:
    one = np.ones(1)
    stretched = [
        np.lib.stride_tricks.as_strided(one, shape, (0,) * len(shape))
        for shape in ((1 << 59,), (1 << 20, 1 << 20))
    ]
    for vast in (*stretched, np.empty((1 << 31, 1 << 20, 0))):
        note = arrives(vast).type_name
        assert note.startswith(f"ndarray: of shape {vast.shape} takes")
        assert note.endswith("more than the 64 MiB that an answer may have")


def test_views_of_any_strides_arrive_in_order() -> None:
    base = np.arange(24.0).reshape(2, 3, 4)
    for view in (
        base[::-1, :, ::2],
        base.T,
        base[:, 1:1],
        base[..., None, 0],
        np.broadcast_to(base[0, 0, 0], (2, 2)),
    ):
        np.testing.assert_array_equal(arrives(view), view)
        np.testing.assert_array_equal(arrives(view > 3), view > 3)
    unaligned = np.frombuffer(b"\0" + base.tobytes(), np.uint8)[1:].view("f8")
    np.testing.assert_array_equal(arrives(unaligned), np.arange(24.0))


def test_arrays_that_hold_themselves_and_lists_without_a_bottom_end() -> None:
    inside = np.array([None], dtype=object)
    inside[0] = inside
    assert arrives(inside) == Opaque("ndarray of object")
    bottomless: dict[str, Any] = {}
    bottomless["again"] = ([bottomless],)
    assert arrives(bottomless) == Opaque("dict: is nested more than 32 deep")
    assert arrives([[0] * 1000] * 1000) == Opaque("list: has more than 500000 items")


def test_warnings_made_into_errors_reach_no_answer() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(arrives(np.array(["1e4000"], dtype=np.longdouble)), [np.inf])


@pytest.mark.parametrize("limit", [0, 1, 10, 50, 100])
def test_a_limit_however_small_leaves_a_note(limit: int) -> None:
    for value in ("x" * 1000, b"x" * 1000, [0.5] * 100, {"k" * 1000: 1}, np.ones(100), "\ud800" * 30):
        assert isinstance(arrives(value, limit), Opaque)


@STEADY
@given(MESSAGES, st.integers(0, 300))
def test_what_is_encoded_is_within_its_limit_or_refused(value: Any, limit: int) -> None:
    data = wire.encode(value)
    try:
        within = wire.encode(value, limit)
    except wire.WireError as error:
        refused = str(error)
        # an axis of length 0 counts as 1, so that an array of nothing may be refused
        assert len(data) > limit or "of shape (" in refused
        assert refused.endswith("that an answer may have")
    else:
        assert within == data
        assert len(data) <= limit


@pytest.mark.parametrize("step", [Call("f", ("a",)), Look("a"), Let("a", 1)])
def test_a_step_made_without_its_fields_is_opaque(step: Any) -> None:
    bare = object.__new__(type(step))
    assert arrives([bare]) == [Opaque(type(step).__name__)]
