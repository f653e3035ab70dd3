"""When two answers are the same, and what is said when they are not."""

from __future__ import annotations

import copy
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attention_lib.compare import Difference, Opaque, as_array, compare, same_data
from attention_lib.tolerance import tolerance_for

DOUBLE = tolerance_for([])
MATRIX = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


class AlwaysEqual(np.ndarray):
    """An array that claims to equal everything and to have any shape."""

    def __eq__(self, other):
        return np.ones(np.shape(other), dtype=bool)

    def __ne__(self, other):
        return np.zeros(np.shape(other), dtype=bool)

    def __sub__(self, other):
        return np.zeros(np.shape(other))

    def __array_ufunc__(self, *arguments, **keywords):
        return np.bool_(True)

    def __array_function__(self, *arguments, **keywords):
        return np.bool_(True)

    @property
    def shape(self):
        return (2, 3)

    __hash__ = None


class PretendsToBeAnArray:
    __class__ = np.ndarray

    def __array__(self, dtype=None, copy=None):
        return MATRIX


def different(expected, answer) -> Difference:
    difference = compare(expected, answer, DOUBLE)
    assert difference is not None
    return difference


@pytest.mark.parametrize(
    ("expected", "answer"),
    [
        (2.0, 2.0),
        (2.0, 2),
        (2.0, np.float64(2)),
        (2.0, np.float32(2)),
        (2.0, np.array(2.0)),
        (2, 2.0),
        (np.array([1.0, 2.0]), [1, 2]),
        (np.array([1.0, 2.0]), (1.0, np.float64(2.0))),
        (np.array([1.0, 2.0]), np.array([1, 2])),
        (np.array([1.0, 2.0]), np.array([1, 2], dtype=np.uint8)),
        (MATRIX, MATRIX.tolist()),
        (MATRIX, [MATRIX[0], tuple(MATRIX[1])]),
        (MATRIX, np.asfortranarray(MATRIX)),
        (MATRIX, np.ma.masked_array(MATRIX)),
        (MATRIX, MATRIX + 1e-10),
        (np.array([True, False]), [True, False]),
        (np.array([np.nan, np.inf, -np.inf]), [float("nan"), float("inf"), float("-inf")]),
        (True, np.bool_(True)),
        (np.zeros((0,)), []),
        (np.zeros((0, 3)), np.zeros((0, 3), dtype=bool)),
        ((MATRIX, 1.0), [MATRIX.tolist(), 1]),
        ((1.0, 2.0), np.array([1.0, 2.0])),
        ((MATRIX, (1.0, 2.0)), (MATRIX, (1.0, 2.0))),
        ([np.ones(2), np.ones(3)], (np.ones(2), [1, 1, 1])),
        (2.0**70, 2**70),
    ],
)
def test_a_right_answer_may_be_spelled_in_many_ways(expected, answer):
    assert compare(expected, answer, DOUBLE) is None


@pytest.mark.parametrize(
    ("expected", "answer", "kind", "message"),
    [
        (2.0, np.ones(2), "shape", "shape (2,) where a single number is expected"),
        (2.0, [2.0], "shape", "shape (1,) where a single number is expected"),
        (np.ones(1), 1.0, "shape", "a single number where shape (1,) is expected"),
        (MATRIX, MATRIX.T, "shape", "shape (3, 2) where shape (2, 3) is expected"),
        (True, [True], "shape", "shape (1,) where True or False is expected"),
        (2.0, True, "dtype", "dtype bool: True or False where numbers are expected"),
        (MATRIX, MATRIX > 0, "dtype", "dtype bool: True or False where numbers are expected"),
        (np.array([True]), [1], "dtype", "dtype int64: numbers where True or False are expected"),
        (np.array([True]), [1.0], "dtype", "dtype float64: numbers where True or False are expected"),
        (2.0, None, "type", "None where a single number is expected. Is a return statement missing?"),
        (2.0, len, "type", "a function where a single number is expected. Is a pair of parentheses missing?"),
        (2.0, "2", "type", "a string where a single number is expected"),
        (2.0, Opaque("Tensor"), "type", "a Tensor where a single number is expected"),
        (2.0, Opaque("ellipsis"), "type", "an ellipsis where a single number is expected"),
        (2.0, {"a": 1}, "type", "a dict where a single number is expected"),
        (2.0, 2 + 0j, "type", "a complex number where a single number is expected"),
        (MATRIX, MATRIX + 0j, "type", "complex numbers (dtype complex128) where shape (2, 3) is expected"),
        (MATRIX, MATRIX.astype(object), "type", "an array of objects where shape (2, 3) is expected"),
        (MATRIX, MATRIX.astype(str), "type", "an array of strings where shape (2, 3) is expected"),
        (MATRIX, [[1, 2, 3], [4, 5]], "type", "a list whose rows have unequal lengths"),
        (MATRIX, [[1, 2, 3], [4, 5, None]], "type", "a list that holds None where shape (2, 3) is expected"),
        (MATRIX, [["1", 2, 3]], "type", "a list that holds a string where shape (2, 3) is expected"),
        (MATRIX, PretendsToBeAnArray(), "type", "a PretendsToBeAnArray where shape (2, 3) is expected"),
        ((1.0, 2.0), (1.0,), "count", "1 results where 2 results are expected"),
        ((1.0, 2.0), 1.0, "count", "a single number where 2 results are expected"),
        ((1.0, 2.0), None, "type", "None where 2 results are expected. Is a return statement missing?"),
        ([MATRIX], [MATRIX, MATRIX], "count", "2 items where a list of 1 is expected"),
        ((1.0, MATRIX, 2.0), (1.0, MATRIX.T, 2.0), "shape", "the second of the 3 results: shape (3, 2)"),
        ([MATRIX, MATRIX], [MATRIX, 0], "shape", "item [1] of the list: a single number"),
        ((1.0, (2.0, 3.0)), (1.0, (2.0, 4.0)), "value", "the second of the 2 results, in it the second of"),
        (2.0, float("nan"), "value", "the value is off: nan where a number is expected"),
        (MATRIX, MATRIX * np.nan, "value", "the first at [0, 0]: nan where a number is expected"),
        (2.0, 10**400, "type", "an integer too large for a float where a single number is expected"),
    ],
)
def test_a_wrong_answer_is_met_with_what_is_off(expected, answer, kind, message):
    difference = different(expected, answer)
    assert difference.kind == kind
    assert message in difference.message


@pytest.mark.parametrize(
    ("expected", "answer", "where"),
    [
        (2.0, 2.1, ()),
        (np.array([1.0, 2.0, 3.0]), [1, 9, 9], (1,)),
        (MATRIX, MATRIX + np.eye(2, 3), (0, 0)),
        (np.array([0.0, -np.inf]), [0.0, np.inf], (1,)),
        (np.array([0.0, -np.inf]), [0.0, -1e308], (1,)),
        (np.array([0.0, 1.0]), [0.0, np.inf], (1,)),
        (np.array([np.nan, 1.0]), [0.0, 1.0], (0,)),
        (np.array([1e308]), [-1e308], (0,)),
        (np.array([True, False]), [True, True], (1,)),
    ],
)
def test_the_first_value_that_is_off_is_named(expected, answer, where):
    difference = different(expected, answer)
    assert (difference.kind, difference.where) == ("value", where)


def test_a_value_s_message_counts_and_places_what_is_off():
    difference = different(MATRIX, MATRIX + np.array([[0, 0, 1], [0, 1, 0]]))
    assert difference.message == "2 of 6 values are off, the first at [0, 2]: yours is 4"
    assert difference.detail == "2 of 6 values are off, the first at [0, 2]: expected 3, yours 4"


def test_the_message_of_a_hidden_case_holds_no_expected_value():
    for expected, answer in [
        (0.1234567, 5.0),
        (np.array([0.1234567, 1.0]), [5.0, 1.0]),
        ((1.0, 0.1234567), (1.0, 5.0)),
        (np.array([0.1234567, np.nan]), [0.1234567, 5.0]),
    ]:
        message = different(expected, answer).message
        assert "0.12" not in message
        assert "nan" not in message
        assert "5" in message


def test_two_numbers_that_differ_late_are_shown_with_enough_digits():
    detail = different(1 / 3, 0.33333288).detail
    assert detail == "the value is off: expected 0.3333333333, yours 0.33333288"


def test_an_array_that_claims_to_be_equal_is_compared_by_its_numbers():
    liar = np.zeros((2, 3)).view(AlwaysEqual)
    assert different(MATRIX, liar).kind == "value"
    assert different(MATRIX, np.zeros(5).view(AlwaysEqual)).message.startswith("shape (5,)")
    assert compare(MATRIX, MATRIX.copy().view(AlwaysEqual), DOUBLE) is None


def test_an_array_subclass_comes_back_as_a_plain_array():
    assert type(as_array(MATRIX.view(AlwaysEqual))) is np.ndarray
    assert type(as_array(np.ma.masked_array([1.0], mask=[True]))) is np.ndarray


def test_whole_numbers_are_compared_exactly_however_large():
    assert different(2**30, 2**30 + 100).kind == "value"
    assert different(np.array([10**9]), [10**9 + 1]).where == (0,)
    assert different(2**30, 2.0**30 + 100).kind == "value"
    assert compare(2**30, float(2**30), DOUBLE) is None


def test_as_array_says_what_it_got():
    with pytest.raises(TypeError, match="a string where numbers are expected"):
        as_array("B")
    with pytest.raises(TypeError, match="None where numbers are expected"):
        as_array(None)


def test_a_list_that_holds_itself_is_refused():
    endless: list = []
    endless.append(endless)
    with pytest.raises(TypeError, match="nested more than"):
        as_array(endless)


@pytest.mark.parametrize(
    ("dtypes", "off", "same"),
    [
        ([np.float64], 3e-6, False),
        ([np.float64], 3e-7, True),
        ([np.float32], 3e-4, False),
        ([np.float32], 3e-5, True),
        ([np.float16], 3e-2, False),
        ([np.float16], 3e-3, True),
        ([np.float64, np.float32], 3e-5, True),
        ([np.float64, np.int8, np.bool_], 3e-6, False),
        ([np.int64], 3e-6, False),
    ],
)
def test_the_lowest_precision_among_the_inputs_decides_the_tolerance(dtypes, off, same):
    arguments = [np.ones(3, dtype=dtype) for dtype in dtypes]
    assert (compare(1.0, 1.0 + off, tolerance_for(arguments)) is None) is same


def test_inputs_inside_lists_tuples_and_dicts_decide_the_tolerance_too():
    half = np.ones(1, dtype=np.float16)
    for nested in ([half], (1.0, [half]), {"K": (half,)}, half[0]):
        assert tolerance_for([np.ones(2), nested]) == tolerance_for([half])


def test_near_zero_the_absolute_tolerance_decides():
    assert compare(0.0, 9e-10, DOUBLE) is None
    assert different(0.0, 2e-9).kind == "value"


@given(st.lists(st.floats(width=64), min_size=1, max_size=8))
def test_every_array_of_floats_equals_itself_and_no_neighbour(numbers):
    array = np.array(numbers)
    assert compare(array, array.tolist(), DOUBLE) is None
    assert same_data(array, array.copy())
    finite = np.where(np.isfinite(array), np.clip(array, -1e300, 1e300), 0.0)
    assert compare(finite, finite + 1 + np.abs(finite), DOUBLE) is not None


@pytest.mark.parametrize(
    "value",
    [
        MATRIX,
        np.array([np.nan, -0.0]),
        np.array([], dtype=np.float32),
        np.array([True]),
        3,
        2.5,
        float("nan"),
        True,
        None,
        "inside",
        [MATRIX, (1, [2.0])],
        {"K": MATRIX},
    ],
)
def test_an_argument_left_alone_is_the_same_data(value):
    assert same_data(value, copy.deepcopy(value))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (MATRIX, MATRIX + 1e-12),
        (MATRIX, MATRIX.T),
        (MATRIX, MATRIX.astype(np.float32)),
        (MATRIX, MATRIX.tolist()),
        (np.array([0.0]), np.array([-0.0])),
        (np.array([1.0]), np.array([np.nan])),
        ([1, 2], [1, 2, 3]),
        ([1, 2], (1, 2)),
        (1, 1.0),
        (1, True),
        ([MATRIX], [MATRIX * 2]),
        ({"K": MATRIX}, {"K": MATRIX * 2}),
        ({"K": 1}, {"V": 1}),
    ],
)
def test_an_argument_that_was_changed_is_other_data(before, after):
    assert not same_data(before, after)


def test_a_number_that_crossed_the_wire_as_an_array_is_the_same_data():
    assert same_data(np.float64(2.0), np.array(2.0))


@pytest.mark.parametrize("shape", [(33_554_434, 0), (4, 33_554_434, 0), (8_000_000,)])
def test_an_array_of_millions_is_not_taken_apart_to_be_counted(shape):
    answer = np.zeros(shape, dtype=bool)
    tracemalloc.start()
    try:
        for expected in [(np.zeros(2), 1.0), [np.zeros(2), np.zeros(3)], np.zeros(2), 1.0]:
            assert compare(expected, answer, DOUBLE) is not None
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()


def test_above_the_diagonal_nothing_counts_where_only_the_lower_triangle_does():
    lower = replace(DOUBLE, lower_triangle=True)
    expected, answer = np.zeros((2, 3, 3)), np.triu(np.full((3, 3), np.nan), k=1) + np.zeros((2, 3, 3))
    assert compare(expected, answer, lower) is None
    assert compare(expected, answer, DOUBLE) is not None
    answer[1, 2, 0] = 1
    assert compare(expected, answer, lower).where == (1, 2, 0)
