"""Cells and questions: what an honest notebook needs from its process."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from attention_lib.compare import Opaque
from autograder.sandbox import outputs
from autograder.sandbox.client import Child, Sandbox
from autograder.sandbox.script import Call, Change, Let, Look, Raised, Returned, Script, Undefined, one_call


def test_prints_results_and_displays_come_in_order(child: Child) -> None:
    run = child.run_cell(
        "import sys\nprint('a'); print('b')\nprint('c', file=sys.stderr)\ndisplay([1])\nprint('d')\n2 + 3"
    )
    kinds = [(output["output_type"], output.get("name")) for output in run.outputs]
    assert kinds == [
        ("stream", "stdout"),
        ("stream", "stderr"),
        ("display_data", None),
        ("stream", "stdout"),
        ("execute_result", None),
    ]
    assert run.outputs[0]["text"] == "a\nb\n"
    assert run.outputs[4] == {
        "output_type": "execute_result",
        "execution_count": 1,
        "data": {"text/plain": "5"},
        "metadata": {},
    }
    assert run.error is None


def test_an_exception_becomes_an_error_output_with_its_traceback(child: Child) -> None:
    child.run_cell("def ratio(a, b):\n    return a / b")
    run = child.run_cell("ratio(1, 0)")
    assert run.error == "ZeroDivisionError"
    [error] = run.outputs
    assert (error["ename"], error["evalue"]) == ("ZeroDivisionError", "division by zero")
    assert "return a / b" in "\n".join(error["traceback"])


def test_a_syntax_error_is_reported_and_the_next_cell_runs(child: Child) -> None:
    assert child.run_cell("def f(:").outputs[0]["ename"] == "SyntaxError"
    child.run_cell("x = 1")
    assert child.look("x") == 1


def test_figures_appear_inline_after_their_cell(child: Child) -> None:
    run = child.run_cell(
        "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 2])\nprint('first')"
    )
    assert run.outputs[0]["text"] == "first\n"
    picture = next(output for output in run.outputs if "image/png" in output.get("data", {}))
    assert base64.b64decode(picture["data"]["image/png"]).startswith(b"\x89PNG")


def test_top_level_await_magics_and_get_ipython_work(child: Child) -> None:
    child.run_cell("import asyncio\nvalue = await asyncio.sleep(0, 'done')")
    assert child.look("value") == "done"
    assert child.run_cell("%precision 2").error is None
    child.run_cell("kind = type(get_ipython()).__mro__[1].__name__")
    assert child.look("kind") == "InteractiveShell"


def test_dataclasses_and_pickle_find_the_notebooks_module(child: Child) -> None:
    run = child.run_cell(
        "from dataclasses import dataclass\nimport pickle\n@dataclass\nclass Point:\n    x: 'float'\n"
        "same = pickle.loads(pickle.dumps(Point(1.0))) == Point(1.0)\nname = __name__"
    )
    assert run.error is None
    assert (child.look("same"), child.look("name")) == (True, "__main__")


def test_exit_and_system_exit_do_not_end_the_process(child: Child) -> None:
    for source in ("exit()", "quit()", "raise SystemExit(3)", "import sys; sys.exit()"):
        child.run_cell(source)
    assert child.run_cell("1").outputs[0]["data"] == {"text/plain": "1"}


def test_input_says_that_nobody_is_there(child: Child) -> None:
    run = child.run_cell("name = input('who?')")
    assert "write the value into the cell" in run.outputs[0]["evalue"]


def test_html_never_leaves_the_sandbox(child: Child) -> None:
    run = child.run_cell("from IPython.display import HTML\nHTML('<script>1</script>')")
    assert run.outputs[0]["data"] == {"text/plain": "<IPython.core.display.HTML object>"}


def test_a_warning_is_shown_and_does_not_stop_the_cell(child: Child) -> None:
    run = child.run_cell("import numpy as np\nx = np.log(np.zeros(2))\nprint('after')")
    assert [output["name"] for output in run.outputs] == ["stderr", "stdout"]
    assert "divide by zero" in run.outputs[0]["text"]


def test_a_display_can_be_updated_and_an_output_cleared(child: Child) -> None:
    run = child.run_cell(
        "from IPython.display import clear_output\nprint('gone'); clear_output()\n"
        "h = display(1, display_id=True)\nh.update(2)"
    )
    assert [output["data"] for output in run.outputs] == [{"text/plain": "2"}]


def test_the_attention_library_can_be_imported_with_its_parts(child: Child) -> None:
    run = child.run_cell("from attention_lib import compare\nfound = compare.__name__")
    assert run.error is None
    assert child.look("found") == "attention_lib.compare"


def test_a_call_gives_back_its_value_and_its_arguments_afterwards(child: Child) -> None:
    child.run_cell("def add_one(x):\n    x += 1\n    return x.sum()")
    [event] = child.ask(one_call("add_one", [np.zeros((2, 3))]))
    assert isinstance(event, Returned)
    assert event.value == 6
    np.testing.assert_array_equal(event.arguments[0], np.ones((2, 3)))


def test_an_event_shows_a_buffer_as_it_was_then(child: Child) -> None:
    child.run_cell("def same(x): return x")
    events = child.ask([Let("x", np.zeros(2)), Call("same", ("x",), "y"), Change("x", 5.0), Look("y")])
    values = [event.value.tolist() for event in events if isinstance(event, Returned)]
    assert values == [[0, 0], [5, 5]]


def test_exceptions_of_a_call_are_events_with_type_and_message(child: Child) -> None:
    child.run_cell(
        "class Rude(Exception):\n    def __str__(self): raise RuntimeError('no')\n"
        "def checks(x): raise ValueError('K has width 7')\n"
        "def rude(x): raise Rude\ndef leaves(x): raise SystemExit(2)"
    )
    [checked] = child.ask(one_call("checks", [1]))
    [rude] = child.ask(one_call("rude", [1]))
    [left] = child.ask(one_call("leaves", [1]))
    assert checked == Raised("ValueError", "K has width 7", (1,))
    assert rude == Raised("Rude", "(its message can't be read: RuntimeError)", (1,))
    assert left == Raised("SystemExit", "2", (1,))


def test_asking_for_what_is_not_there_says_so(child: Child) -> None:
    child.run_cell("number = 3")
    assert child.ask(one_call("nothing", [])) == [Undefined("nothing", None)]
    assert child.ask(one_call("number", [])) == [Undefined("number", "int")]
    assert child.look("nothing") == Undefined("nothing", None)


def test_an_answer_that_is_no_data_arrives_as_opaque(child: Child) -> None:
    child.run_cell(
        "class Same:\n    def __eq__(self, other): return True\ndef f(): return Same()\nQ = {1, 2}"
    )
    [event] = child.ask(one_call("f", []))
    assert event == Returned(Opaque("Same"), ())
    assert child.look("Q") == Opaque("set")


def test_a_huge_broadcast_answer_is_named_and_not_copied(child: Child) -> None:
    child.run_cell("import numpy as np\ndef f(): return np.broadcast_to(1.0, (1 << 20, 1 << 20))")
    [event] = child.ask(one_call("f", []))
    assert isinstance(event.value, Opaque)
    assert "of shape (1048576, 1048576)" in event.value.type_name


def test_what_a_function_prints_or_draws_while_asked_is_in_no_output(child: Child) -> None:
    child.run_cell("import matplotlib.pyplot as plt\ndef f():\n    print('psst'); plt.plot([1]); return 1")
    child.ask(one_call("f", []))
    assert child.run_cell("2").outputs[0]["output_type"] == "execute_result"
    assert len(child.run_cell("3").outputs) == 1


def test_children_start_alike_and_share_nothing(sandbox: Sandbox) -> None:
    with sandbox.child() as first, sandbox.child() as second:
        for child in (first, second):
            child.run_cell("import numpy as np\ndrawn = np.random.rand()")
        first.run_cell("np.array = None; mine = 1")
        second.run_cell("kept = np.array([1])")
        assert first.look("drawn") == second.look("drawn")
        assert second.look("kept").tolist() == [1]
        assert second.look("mine") == Undefined("mine", None)


def test_an_endless_exception_text_is_cut_before_it_is_cleaned(
    child: Child, monkeypatch: pytest.MonkeyPatch
) -> None:
    cleaned: list[int] = []
    monkeypatch.setattr(outputs, "clean_text", lambda text: cleaned.append(len(text)) or text)
    child.run_cell("def long(x): raise ValueError('\\x1b[m' * 200_000)")
    [event] = child.ask(one_call("long", [1]))
    assert isinstance(event, Raised)
    assert len(event.message) <= 5000
    assert max(cleaned) < 100_000


@pytest.mark.parametrize("line", ["!pip install numpy", "%pip install numpy", "found = !ls", "%clear"])
def test_a_shell_command_is_not_run_and_what_stands_below_it_is(child: Child, line: str) -> None:
    ran = child.run_cell(f"{line}\nafterwards = 1")
    assert ran.error is None
    assert "not run while a notebook is graded" in "".join(output["text"] for output in ran.outputs)
    assert child.look("afterwards") == 1


def test_several_scripts_in_one_question_are_answered_as_one_by_one(child: Child) -> None:
    child.run_cell("calls = []\ndef f(x):\n    calls.append(1)\n    return x / (x - 2), len(calls)")
    scripts = [Script(one_call("f", [x])) for x in (1.0, 2.0, 3.0)]
    answers = child.ask_all(scripts)
    assert answers is not None
    first, second, third = answers
    assert first == [Returned((-1.0, 1), (1.0,))]
    assert isinstance(second[0], Raised)
    assert second[0].type_name == "ZeroDivisionError"
    assert third == [Returned((3.0, 3), (3.0,))]
    assert child.ask(scripts[2]) == [Returned((3.0, 4), (3.0,))]


def test_answers_that_are_too_large_together_are_to_be_asked_for_alone(child: Child) -> None:
    child.run_cell("import numpy as np\ndef f(n): return np.zeros(n, dtype=np.uint8)")
    scripts = [Script(one_call("f", [600_000])) for _ in range(2)]
    assert child.ask_all(scripts) is None
    (alone,) = child.ask(scripts[0])
    assert isinstance(alone, Returned)
    assert alone.value.shape == (600_000,)
