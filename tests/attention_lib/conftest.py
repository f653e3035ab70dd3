"""A small lesson's public examples, and a notebook's names to check and pictures to see."""

from __future__ import annotations

import json
import sys
import types

import numpy as np
import pytest

from attention_lib import notebook, public
from attention_lib.public import Answer, Raises, encode, encode_answer

HALVED = "Which way do yours go?"
SUMMED = "How many numbers come out?"
FORGOTTEN = "What does the buffer hold now?"
ALIASED = "Whose array is that?"


def _example(name, arguments, expected, more=None, **mistakes):
    return {
        "name": name,
        "arguments": [encode(argument) for argument in arguments],
        "expected": _answer(expected),
        "mistakes": {mistake: _answer(value) for mistake, value in mistakes.items()},
        **(more or {}),
    }


def _answer(value):
    return encode_answer(value if isinstance(value, Answer) else Answer(value))


def _exercise(parameters, examples, hints=None, **more):
    return {"parameters": parameters, "examples": examples, "hints": hints or {}, **more}


def lesson():
    x, y = np.array([1.0, 2.0]), np.array([0.0, -3.0])
    double = [
        _example(
            "by hand", [x], 2 * x, halved=x / 2, summed=3.0, unfinished=None, refuses=Raises("KeyError")
        ),
        _example("sharp", [y], 2 * y, halved=y / 2, summed=-3.0, unfinished=None, refuses=Raises("KeyError")),
    ]
    hints = {"halved": HALVED, "summed": SUMMED, "unfinished": "Return it.", "refuses": "Which keys?"}
    square = [_example("square", [np.eye(2)], np.eye(2) * 4)]
    refuse = [_example("negative", [-1.0], Raises("ValueError")), _example("positive", [4.0], 2.0)]
    room, full = np.zeros((2, 1)), np.ones((2, 1))
    filled, not_filled = Answer(2, (full, 1.0)), Answer(2, (room, 1.0))
    refused, written = (
        Answer(Raises("ValueError"), (full, 5.0)),
        Answer(Raises("ValueError"), (full * 5, 5.0)),
    )
    fill = [
        _example("zeros", [room, 1.0], filled, forgets=not_filled, writes_first=filled),
        _example("full", [full, 5.0], refused, forgets=refused, writes_first=written),
    ]
    fill_hints = {"forgets": FORGOTTEN, "writes_first": "When is it too late?"}
    join = [
        _example(
            "empty", [np.zeros(0), x], x, {"reused": ["more"]}, aliases=np.full(2, 9.0), dropped=np.zeros(0)
        )
    ]
    one, two = (np.array([1.0]),), (np.array([2.0, 3.0]),)
    stuck = Answer(Raises("Deadlock"))
    total = [
        _example(
            "one rank",
            [one],
            Answer([1.0], sent=[0]),
            own=Answer([1.0], sent=[0]),
            waits=stuck,
            sends_all=Answer([1.0], sent=[0]),
        ),
        _example(
            "two ranks",
            [one, two],
            Answer([6.0, 6.0], sent=[8, 8]),
            {"budget": [16, 16]},
            own=Answer([1.0, 5.0], sent=[0, 0]),
            waits=stuck,
            sends_all=Answer([6.0, 6.0], sent=[72, 72]),
        ),
    ]
    total_hints = {"own": "Whose numbers?", "waits": "Who sends?", "sends_all": "What travels?"}
    kinds = {
        "pick": "choice",
        "is_it": "bool",
        "how_many": "number",
        "which": "numbers",
        "order": "order",
        "roles": "match",
    }
    return {
        "lesson": "01_numbers",
        "release": "0.2.0-3f2a9c81",
        "exercises": {
            "double": _exercise(["x"], double, hints),
            "quadruple": _exercise(["X"], square),
            "root": _exercise(["x"], refuse),
            "estimate": _exercise(["n"], [_example("a hundred", [100], np.array(2.0))], tolerance=[0.1, 0]),
            "past": _exercise(["n"], [_example("two", [2], np.eye(2))], lower_triangle=True),
            "fill": _exercise(["buffer", "value"], fill, fill_hints, writes=True),
            "total": _exercise(["comm", "X_u"], total, total_hints, on_ranks=True),
            "join": _exercise(["kept", "more"], join, {"aliases": ALIASED, "dropped": "Where is it?"}),
        },
        "questions": {
            name: {"kind": kind, "form": f"the form of a {kind}", "letters": ["A", "B"]}
            for name, kind in kinds.items()
        },
    }


@pytest.fixture
def example_files(tmp_path, monkeypatch):
    (tmp_path / "01_numbers.json").write_text(json.dumps(lesson()), encoding="utf-8")
    monkeypatch.setattr(public, "EXAMPLES", tmp_path)
    return tmp_path


@pytest.fixture
def cell(example_files, monkeypatch):
    """Run source as a notebook's cell does; its names are what `check` looks at."""
    names: dict = {"np": np}
    monkeypatch.setattr(notebook, "namespace", lambda: names)
    return lambda source: exec(compile(source, "<cell>", "exec"), names)


@pytest.fixture
def notebook_cell(monkeypatch):
    """A stand-in for a running notebook: what it displayed, and the number of the running cell."""
    shell = types.SimpleNamespace(user_ns={}, execution_count=1, shown=[])
    display = types.SimpleNamespace(display=lambda data, raw: shell.shown.append(data))
    # matplotlib asks for the version.
    ipython = types.SimpleNamespace(get_ipython=lambda: shell, display=display, version_info=(9, 0))
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    return shell
