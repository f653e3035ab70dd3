"""The codec of the public examples, and looking a name up."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from attention_lib import public
from attention_lib.compare import same_data
from attention_lib.public import Raises, decode, encode

NUMBERS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5))
ARRAYS = st.sampled_from(
    [np.bool_, np.int32, np.int64, np.uint8, np.float16, np.float32, np.float64]
).flatmap(
    lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
)
VALUES = st.recursive(
    NUMBERS | ARRAYS,
    lambda inner: st.lists(inner, max_size=3) | st.lists(inner, max_size=3).map(tuple),
    max_leaves=5,
)


def through_json(value):
    return decode(json.loads(json.dumps(encode(value), allow_nan=False)))


@given(VALUES)
def test_every_value_comes_back_from_json_as_it_was(value):
    assert same_data(value, through_json(value))


def test_a_transposed_array_comes_back_transposed():
    transposed = np.arange(6.0).reshape(2, 3).T
    np.testing.assert_array_equal(through_json(transposed), transposed)


def test_what_is_written_is_what_the_format_says():
    assert encode(np.array([[1.5, np.nan]], dtype=np.float32)) == {
        "dtype": "float32",
        "shape": [1, 2],
        "data": [1.5, "nan"],
    }
    assert encode((1, float("-inf"))) == {"tuple": [1, {"float": "-inf"}]}
    assert encode([True, "A", None]) == {"list": [True, "A", None]}
    assert encode(np.float64(2.0)) == 2.0
    assert encode(Raises("ValueError")) == {"raises": "ValueError"}


def test_an_expected_exception_comes_back():
    assert through_json(Raises("ValueError")) == Raises("ValueError")


@pytest.mark.parametrize("value", [1j, np.array([1j]), np.array([None]), object(), {"a": 1}, np.array(["a"])])
def test_what_is_no_plain_data_is_refused(value):
    with pytest.raises(TypeError, match="can't be a public example"):
        encode(value)


def test_foreign_json_is_refused():
    with pytest.raises(ValueError, match="no value of a public example"):
        decode({"pickle": "..."})


def test_an_exercise_and_a_question_are_found_by_name(example_files):
    exercise = public.find_exercise("double")
    assert exercise is not None
    assert exercise.lesson == "01_numbers"
    assert exercise.parameters == ("x",)
    assert exercise.examples[0].name == "by hand"
    np.testing.assert_array_equal(exercise.examples[0].expected.value, [2.0, 4.0])
    question = public.find_question("pick")
    assert question is not None
    assert (question.kind, question.letters) == ("choice", ("A", "B"))


def test_an_unknown_name_finds_nothing(example_files):
    assert public.find_exercise("pick") is None
    assert public.find_question("double") is None
    assert "double" in public.known_names()


def test_a_damaged_file_is_named(example_files):
    (example_files / "02_damaged.json").write_text("{")
    with pytest.raises(ValueError, match=r"02_damaged\.json is damaged"):
        public.find_exercise("nowhere")
