"""The script's interpreter, as the judge runs it on a reference."""

from __future__ import annotations

import numpy as np

from autograder.sandbox.script import Call, Change, Let, Look, Raised, Returned, Undefined, one_call, perform


def test_an_event_keeps_the_value_of_its_moment() -> None:
    steps = [Let("x", np.zeros(2)), Call("same", ("x",), "y"), Change("x", 5.0), Look("y")]
    first, last = perform(steps, {"same": lambda x: x})
    assert isinstance(first, Returned)
    assert isinstance(last, Returned)
    np.testing.assert_array_equal(first.value, [0, 0])
    np.testing.assert_array_equal(first.arguments[0], [0, 0])
    np.testing.assert_array_equal(last.value, [5, 5])


def test_what_follows_an_exception_is_not_run() -> None:
    steps = [*one_call("fails", []), *one_call("works", [])]
    events = perform(steps, {"fails": lambda: 1 / 0, "works": lambda: 1})
    assert events == [Raised("ZeroDivisionError", "division by zero", ())]


def test_changing_what_is_no_array_is_an_exception_of_the_answer() -> None:
    steps = [Call("number", (), "n"), Change("n", 1.0), Look("n")]
    events = perform(steps, {"number": lambda: 3})
    assert events[0] == Returned(3, ())
    assert isinstance(events[1], Raised)
    assert events[1].type_name == "TypeError"


def test_a_name_that_is_no_function_is_undefined_with_its_type() -> None:
    assert perform(one_call("f", []), {"f": 3}) == [Undefined("f", "int")]
