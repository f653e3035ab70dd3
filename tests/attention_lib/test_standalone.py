"""A notebook's function goes along with what it uses, and with nothing else."""

from __future__ import annotations

import functools
import linecache
import math
import pickle
import threading

import numpy as np
import pytest

from attention_lib.standalone import CantStandAlone, standalone


@pytest.fixture
def cell():
    """Run source as a notebook's cell, where inspect finds it; give back the notebook's names."""
    names: dict = {"__name__": "__main__", "np": np, "math": math}

    def run(source):
        filename = f"<cell {len(linecache.cache)} of a test>"
        linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
        exec(compile(source, filename, "exec"), names)
        return names

    yield run
    for filename in [name for name in linecache.cache if name.endswith("of a test>")]:
        del linecache.cache[filename]


def elsewhere(function):
    """The function as another process has it: from the program that was collected."""
    program = standalone(function)
    names = {"__name__": "elsewhere", **{name: pickle.loads(value) for name, value in program.values.items()}}
    exec(compile(program.source, "<elsewhere>", "exec"), names)
    return names


def test_a_function_is_taken_with_the_helpers_imports_and_values_that_it_uses(cell):
    cell("def halved(x):\n    return x / PARTS\n")
    cell("PARTS = 2\nW = np.eye(2) * 3\n")
    names = cell("def projected(comm, x):\n    return np.matmul(W, halved(x)) + math.pi\n")
    there = elsewhere(names["projected"])
    assert there["projected"](None, np.array([2.0, 4.0])) == pytest.approx([3 + math.pi, 6 + math.pi])


def test_what_the_function_does_not_use_stays_behind(cell):
    cell("unused = 7\nx = 'a global of the name of a local'\ndef helper():\n    pass\n")
    names = cell("def double(x):\n    y = [x for x in [x]]\n    return 2 * y[0]\n")
    program = standalone(names["double"])
    assert program.values == {}
    assert program.source == names["double"].__code__.co_consts[0] or program.source.startswith(
        "def double(x):"
    )
    assert "helper" not in program.source


def test_values_are_those_of_now_not_of_the_definition(cell):
    names = cell("SCALE = 1\ndef scaled(x):\n    return SCALE * x\n")
    names["SCALE"] = 5
    assert elsewhere(names["scaled"])["scaled"](2) == 10


def test_a_helper_that_was_written_anew_is_taken_as_it_is_now(cell):
    cell("def helper(x):\n    return 'old'\n")
    names = cell("def f(x):\n    return helper(x)\n")
    cell("def helper(x):\n    return 'new'\n")
    assert elsewhere(names["f"])["f"](0) == "new"


def test_names_in_inner_functions_comprehensions_and_defaults_are_found(cell):
    cell("A, B, C = 1, 2, 3\ndef helper():\n    return A\n")
    names = cell(
        "def f(x=C):\n    def g():\n        return [B * y for y in [helper()]]\n    return g() + [x]\n"
    )
    assert elsewhere(names["f"])["f"]() == [2, 3]


def test_functions_that_call_each_other_and_other_names_for_one_are_taken(cell):
    cell("def is_even(n):\n    return n == 0 or odd(n - 1)\n")
    names = cell("def is_odd(n):\n    return n != 0 and is_even(n - 1)\nodd = is_odd\n")
    there = elsewhere(names["is_even"])
    assert [there["is_even"](n) for n in range(4)] == [True, False, True, False]


def test_decorated_functions_keep_their_decorator(cell):
    names = cell("import functools\ndef twice(f):\n    return functools.wraps(f)(lambda x: 2 * f(x))\n")
    cell("@twice\ndef f(x):\n    return x + 1\n")
    assert elsewhere(names["f"])["f"](1) == 4
    cell("@functools.lru_cache\ndef g(x):\n    return f(x)\n")
    assert elsewhere(names["g"])["g"](1) == 4


def test_an_imported_function_is_imported_there_under_its_name_here(cell):
    names = cell("from math import hypot as length\ndef f(x):\n    return length(x, 4)\n")
    assert "from math import hypot as length" in standalone(names["f"]).source
    assert elsewhere(names["f"])["f"](3) == 5


def test_a_function_of_a_file_is_taken_as_one_of_a_cell():
    assert elsewhere(in_a_file)["in_a_file"](1) == 8


FACTOR = 8


def in_a_file(x):
    return FACTOR * x


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("f = lambda x: x", "A lambda can't be taken"),
        (
            "def outer(k):\n    def f(x):\n        return k * x\n    return f\nf = outer(2)",
            "inside another function",
        ),
        (
            "lock = threading.Lock()\ndef f(x):\n    return lock",
            "lock is used, and can't be handed .*TypeError",
        ),
        ("f = functools.partial(print)", "is a partial: a function made with def"),
    ],
)
def test_what_can_not_be_taken_is_said(cell, source, message):
    cell("")["threading"] = threading
    names = cell("")
    names["functools"] = functools
    with pytest.raises(CantStandAlone, match=message):
        standalone(cell(source)["f"])


def test_a_function_whose_source_is_nowhere_is_refused():
    names: dict = {}
    exec("def typed(x):\n    return x\n", names)
    with pytest.raises(CantStandAlone, match="The source of typed can't be found: define it in a cell"):
        standalone(names["typed"])
