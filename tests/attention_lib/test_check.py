"""What a student reads after check("name")."""

from __future__ import annotations

import linecache
import sys
import types

import numpy as np
import pytest

from attention_lib import check, notebook, picture, plotting, public
from attention_lib.check import CheckFailed

from .conftest import ALIASED, FORGOTTEN, HALVED, SUMMED


def failing(name: str) -> str:
    with pytest.raises(CheckFailed) as caught:
        check(name)
    return str(caught.value)


@pytest.fixture
def drawn(monkeypatch):
    """The arguments of each comparison that was drawn."""
    pictures = []

    def record(expected, yours, title=""):
        pictures.append((expected, yours, title))

    monkeypatch.setattr(plotting, "compare_heat_maps", record)
    return pictures


def test_a_right_function_gets_one_line_that_promises_no_grade(cell, capsys):
    cell("def double(x): return 2 * x")
    check("double")
    assert capsys.readouterr().out == (
        "double: right on both public examples. Grading uses other inputs as well.\n"
    )


def test_any_callable_counts(cell, capsys):
    cell("double = np.array(2.0).__mul__")
    check("double")
    assert "right on both" in capsys.readouterr().out


def test_a_wrong_shape_is_named_first_then_the_hint(cell):
    cell("def double(x): return x.sum()")
    lines = failing("double").splitlines()
    assert lines[0] == "double, example 'by hand': a single number where shape (2,) is expected."
    assert lines[1] == f"Hint: {SUMMED}"
    assert "    x = [1., 2.]" in lines
    assert "    expected [2., 4.]" in lines
    assert "    yours    3" in lines
    assert lines[-1] == "Off on 2 of 2 public examples."


def test_what_is_off_begins_a_line_of_its_own_where_one_line_would_be_too_long(cell):
    """Fails when a front end has to break a long line, which JupyterLab does in the middle of a word."""
    cell("def double(x): raise ValueError('seven words that are said again. ' * 9)")
    lines = failing("double").splitlines()
    assert lines[0] == "double, example 'by hand':"
    assert lines[1].startswith("    it raises ValueError: seven words")
    assert max(map(len, lines)) <= 120
    assert " ".join(" ".join(lines).split()).count("seven words that are said again.") >= 9


def test_the_rows_of_several_results_stand_below_each_other(cell):
    cell("def quadruple(X): return X, 3 * X")
    text = failing("quadruple")
    assert "yours    ([[1., 0.],\n               [0., 1.]],\n              [[3., 0.],\n" in text


def test_a_wrong_value_is_shown_beside_the_expected_one(cell):
    cell("def double(x): return x / 2")
    text = failing("double")
    assert "2 of 2 values are off, the first at [0]: expected 2, yours 0.5." in text
    assert HALVED in text


def test_a_mistake_is_named_only_if_it_answers_so_wherever_the_answer_is_off(cell):
    cell("def double(x): return x / 2 if x[0] == 1 else x / 3")
    assert "Hint" not in failing("double")


def test_a_mistake_is_recognised_where_the_other_example_is_right(cell):
    cell("def double(x): return 2 * x if x[0] == 1 else x / 2")
    text = failing("double")
    assert "example 'sharp'" in text
    assert HALVED in text
    assert "Off on 1 of 2" in text


def test_an_unknown_mistake_gets_no_hint(cell):
    cell("def double(x): return 3 * x")
    assert "Hint" not in failing("double")


def test_a_mistake_that_raises_is_recognised(cell):
    cell("def double(x): return {}['x']")
    text = failing("double")
    assert "it raises KeyError: 'x'" in text
    assert "Which keys?" in text


def test_a_mistake_that_returns_nothing_is_recognised(cell):
    cell("def double(x): 2 * x")
    text = failing("double")
    assert "None where shape (2,) is expected. Is a return statement missing?" in text
    assert "Return it." in text


def test_an_exception_names_its_line_in_the_student_s_code(cell):
    source = "def helper(x):\n    return x[7]\n\ndef double(x):\n    return helper(x)\n"
    linecache.cache["<cell>"] = (len(source), None, source.splitlines(keepends=True), "<cell>")
    cell(source)
    lines = failing("double").splitlines()
    assert "it raises IndexError: index 7 is out of bounds" in lines[0]
    assert lines[1] == "    in helper, line 2 of its cell: return x[7]"


def test_a_wrong_signature_is_met_with_the_call(cell):
    cell("def double(): return 2")
    text = failing("double")
    assert "it raises TypeError: double() takes 0 positional arguments but 1 was given" in text
    assert "called as double(x)" in text


def test_the_stub_is_not_written_yet(cell):
    cell("def double(x):\n    # YOUR CODE HERE\n    raise NotImplementedError()")
    assert failing("double").startswith("double is not written yet: replace `raise NotImplementedError()`")


def test_a_case_that_the_student_left_out_on_purpose_is_no_stub(cell):
    cell("def double(x): raise NotImplementedError('no negative numbers')")
    assert "it raises NotImplementedError: no negative numbers" in failing("double")


def test_a_stub_that_the_function_calls_is_named(cell):
    cell("def helper(x): raise NotImplementedError()\ndef double(x): return helper(x)")
    assert failing("double").startswith("double calls helper, which is not written yet")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("pass", "double is not defined: run the cell that defines it"),
        ("double = None", "double is None where a function is expected"),
        ("double = np.ones((2, 3))", "double is an array of shape (2, 3) where a function is expected"),
    ],
)
def test_a_name_that_is_no_function_is_met_with_what_it_is(cell, source, message):
    cell(source)
    assert message in failing("double")


def test_a_misspelled_name_is_met_with_the_nearest(cell):
    assert failing("dubble") == "No exercise or question is called 'dubble'. Did you mean 'double'?"


def test_no_examples_at_all_says_where_they_should_be(tmp_path, monkeypatch):
    monkeypatch.setattr(public, "EXAMPLES", tmp_path)
    assert f"no public examples in {tmp_path}" in failing("double")


def test_an_argument_changed_in_place_is_a_fault_of_its_own(cell):
    cell("def double(x):\n    x *= 2\n    return x")
    text = failing("double")
    assert "the answer is right, but the function changed its argument x in place" in text


FILL = """
def fill(buffer, value):
    if buffer.all():
        raise ValueError("it is full")
    buffer[...] = value
    return len(buffer)
"""


FILL_FIRST = """
def fill(buffer, value):
    full = buffer.all()
    buffer[...] = value
    if full:
        raise ValueError("it was full")
    return len(buffer)
"""


def test_a_function_that_is_to_write_may_write(cell, capsys):
    cell(FILL)
    check("fill")
    assert "fill: right on both public examples." in capsys.readouterr().out


def test_what_is_left_in_a_buffer_counts(cell):
    cell(FILL.replace("buffer[...] = value", "pass"))
    said = failing("fill")
    assert "buffer afterwards: 2 of 2 values are off, the first at [0, 0]: expected 1, yours 0" in said
    assert f"Hint: {FORGOTTEN}" in said


def test_what_is_left_in_a_buffer_counts_where_raising_is_right(cell):
    cell(FILL_FIRST)
    said = failing("fill")
    assert "example 'full': buffer afterwards:" in said
    assert "Hint: When is it too late?" in said


def test_an_answer_is_looked_at_after_its_caller_has_reused_the_arguments(cell, capsys):
    cell("def join(kept, more): return np.concatenate([kept, more])")
    check("join")
    assert "right on the public example" in capsys.readouterr().out
    cell("def join(kept, more): return np.concatenate([kept, more]) if len(kept) else more")
    said = failing("join")
    assert "the answer is right, until its caller writes into more again" in said
    assert f"Hint: {ALIASED}" in said


def test_each_example_gets_inputs_of_its_own(cell):
    cell("def double(x):\n    x[0] = 5\n    return 2 * x")
    assert "x = [1., 2.]" in failing("double")


def test_a_reused_buffer_is_judged_as_it_was_returned(cell, capsys):
    cell("kept = np.zeros(2)\ndef double(x):\n    kept[...] = 2 * x\n    return kept")
    check("double")
    assert "right on both" in capsys.readouterr().out


def test_a_mistake_in_a_reused_buffer_is_recognised(cell):
    cell("kept = np.zeros(2)\ndef double(x):\n    kept[...] = x / 2\n    return kept")
    text = failing("double")
    assert HALVED in text
    assert "yours    [0.5, 1. ]" in text


def test_an_exception_that_is_asked_for_is_right(cell, capsys):
    cell("def root(x):\n    if x < 0:\n        raise ValueError('negative')\n    return x ** 0.5")
    check("root")
    assert "right on both" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return abs(x) ** 0.5", "a single number is returned where a ValueError is to be raised"),
        ("return {}[x]", "it raises KeyError: -1.0"),
    ],
)
def test_another_outcome_than_the_exception_asked_for_is_wrong(cell, body, message):
    cell(f"def root(x): {body}")
    assert message in failing("root")


def test_the_student_s_interrupt_goes_through(cell):
    cell("def double(x): raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        check("double")


def test_a_matrix_of_the_right_shape_is_drawn(cell, drawn):
    cell("def quadruple(X): return X * 3")
    failing("quadruple")
    [(expected, yours, title)] = drawn
    np.testing.assert_array_equal(expected, np.eye(2) * 4)
    np.testing.assert_array_equal(yours, np.eye(2) * 3)
    assert title == "quadruple, example 'square'"


@pytest.mark.parametrize("body", ["return X[0]", "return None", "raise ValueError", "X *= 4; return X"])
def test_what_has_no_difference_of_values_is_not_drawn(cell, drawn, body):
    cell(f"def quadruple(X): {body}")
    failing("quadruple")
    assert drawn == []


def test_a_picture_that_cannot_be_drawn_leaves_the_words(cell, monkeypatch):
    def broken(*arguments, **keywords):
        raise RuntimeError("no canvas")

    monkeypatch.setattr(picture, "picture", broken)
    monkeypatch.setattr(plotting, "picture", broken)
    cell("def quadruple(X): return X * 3")
    assert "2 of 4 values are off" in failing("quadruple")


def test_an_answer_whose_repr_raises_is_still_met_with_words(cell):
    cell("class Odd:\n    def __repr__(self): raise RuntimeError\ndef double(x): return Odd()")
    assert "an Odd where shape (2,) is expected" in failing("double")


def test_a_notebook_shows_the_message_without_a_traceback():
    assert CheckFailed("first\nsecond")._render_traceback_() == ["first", "second"]


RIGHT_FORMS = [
    ("pick", '"B"'),
    ("pick", '" b "'),
    ("is_it", "False"),
    ("is_it", "np.bool_(True)"),
    ("how_many", "4"),
    ("how_many", "np.float32(4)"),
    ("which", "[1, 2.5]"),
    ("which", "np.ones(3)"),
    ("order", '"ba"'),
    ("order", '["B", "A"]'),
    ("roles", '{"query": "a"}'),
]
WRONG_FORMS = [
    ("pick", '"C"', "'C' (the letters are A, B)"),
    ("pick", "1", "a single number"),
    ("is_it", '"False"', "'False'"),
    ("is_it", "0", "0"),
    ("how_many", '"4"', "a string"),
    ("how_many", "[4]", "an array of shape (1,)"),
    ("how_many", "True", "True or False"),
    ("which", "3", "a single number"),
    ("which", "[[1, 2]]", "an array of shape (1, 2)"),
    ("which", "[True]", "an array of True and False"),
    ("order", '"AA"', "'AA' (each letter at most once; the letters are A, B)"),
    ("order", "12", "a single number"),
    ("roles", '"A"', "a string"),
    ("roles", '{"query": "Z"}', "a dict in which 'query' has 'Z' (the letters are A, B)"),
    ("roles", '{1: "A"}', "a dict with 1 as a key, which is no string"),
]


@pytest.mark.parametrize(("name", "answer"), RIGHT_FORMS)
def test_an_answer_of_the_right_form_is_not_called_right(cell, capsys, name, answer):
    cell(f"{name} = {answer}")
    check(name)
    assert capsys.readouterr().out == f"{name}: answered. Whether it is right is known after handing in.\n"


@pytest.mark.parametrize(("name", "answer", "found"), WRONG_FORMS)
def test_an_answer_of_the_wrong_form_is_met_with_the_form_asked_for(cell, name, answer, found):
    cell(f"{name} = {answer}")
    form = public.find_question(name).form
    assert failing(name) == f"{name}: yours is {found}. Expected: {form}."


@pytest.mark.parametrize("source", ["pass", "pick = None", "pick = ..."])
def test_a_question_left_open_is_not_answered_yet(cell, source):
    cell(source)
    assert failing("pick") == "pick is not answered yet: assign it the form of a choice."


def test_names_come_from_the_running_notebook(monkeypatch):
    shell = types.SimpleNamespace(user_ns={"double": 1}, execution_count=3)
    ipython = types.SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    assert notebook.namespace() == {"double": 1}


def test_names_come_from_the_running_script_outside_a_notebook(monkeypatch):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert notebook.namespace() is vars(sys.modules["__main__"])


@pytest.mark.parametrize(("answer", "right"), [("1.9", True), ("2.19", True), ("2.3", False)])
def test_an_exercise_may_have_a_tolerance_of_its_own(cell, answer, right, capsys):
    cell(f"def estimate(n): return {answer}")
    if right:
        check("estimate")
        assert "right on the public example" in capsys.readouterr().out
    else:
        assert "the value is off" in failing("estimate")


def test_where_only_the_lower_triangle_counts_the_rest_is_free(cell, capsys):
    cell("def past(n): return np.array([[1.0, -np.inf], [0.0, 1.0]])")
    check("past")
    assert "right on" in capsys.readouterr().out
    cell("def past(n): return np.array([[1.0, 0.0], [0.5, 1.0]])")
    assert "1 of 4 values is off, at [1, 0]" in failing("past")


TOTAL = "def total(comm, X_u): return comm.allreduce(X_u.sum())"


def test_a_function_with_a_comm_runs_on_ranks(cell, capsys):
    cell(TOTAL)
    check("total")
    assert "total: right on both public examples." in capsys.readouterr().out


def test_what_is_off_on_ranks_names_the_rank_and_shows_what_each_was_given(cell):
    cell("def total(comm, X_u): return comm.allreduce(X_u.sum()) if comm.size == 1 else X_u.sum()")
    said = failing("total")
    assert "example 'two ranks': rank 0: the value is off: expected 6, yours 1" in said
    assert "X_u of rank 1 = [2., 3.]" in said
    assert "Hint: Whose numbers?" in said


def test_a_deadlock_is_told_in_words_and_known(cell):
    cell("def total(comm, X_u): return comm.recv(source=0)")
    said = failing("total")
    assert "it raises Deadlock: deadlock: rank 0 waits in recv from rank 0" in said
    assert "Hint: Who sends?" in said


def test_a_rank_that_sends_too_much_is_told_how_much_is_enough(cell):
    cell("def total(comm, X_u): return float(sum(map(sum, comm.allgather([X_u.sum()] * 9)))) / 9")
    said = failing("total")
    assert "example 'two ranks': rank 0 sends 72 bytes, where 16 are enough" in said
    assert "Hint: What travels?" in said
    assert "expected" not in said


def test_an_argument_changed_in_place_on_one_rank_is_named(cell):
    cell("def total(comm, X_u):\n    X_u *= -1\n    return comm.allreduce(-X_u.sum())")
    assert "changed its argument X_u of rank 0 in place" in failing("total")
