"""Time-outs, deaths and hostile bytes: each costs one child, and the sandbox goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from soaking import processes

from autograder.sandbox.client import Child, ChildDied, ChildTimedOut, Limits, Sandbox
from autograder.sandbox.script import Let, Returned, Script, one_call

from .conftest import LIMITS


@pytest.fixture(autouse=True)
def sandbox_goes_on(sandbox: Sandbox, child: Child) -> Iterator[None]:
    """After each of these, another child works."""
    yield
    with sandbox.child() as another:
        another.run_cell("x = 1")
        assert another.look("x") == 1


def repeat(child: Child, cell: str, times: int) -> None:
    for _ in range(times):
        child.run_cell(cell)


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_an_endless_loop_is_interrupted_and_the_child_goes_on(child: Child) -> None:
    child.run_cell("before = 1")
    with pytest.raises(ChildTimedOut, match="longer than 1 s") as caught:
        child.run_cell("print('started')\nwhile True: pass")
    assert caught.value.alive
    assert caught.value.outputs[0]["text"] == "started\n"
    assert child.look("before") == 1


def test_an_endless_loop_in_a_function_that_is_asked_is_interrupted(child: Child) -> None:
    child.run_cell("def f():\n    while True: pass")
    with pytest.raises(ChildTimedOut) as caught:
        child.ask(one_call("f", []))
    assert caught.value.alive
    child.run_cell("def f(): return 2")
    assert child.ask(one_call("f", [])) == [Returned(2, ())]


def test_code_that_ignores_the_interrupt_is_killed(child: Child) -> None:
    source = (
        "def work(): return sum(range(100_000))\n"
        "while True:\n    try:\n        while True: work()\n    except BaseException: pass"
    )
    with pytest.raises(ChildTimedOut) as caught:
        child.run_cell(source)
    assert not caught.value.alive
    assert not is_there(child.pid)
    with pytest.raises(ChildDied):
        child.run_cell("1")


def test_code_that_blocks_every_signal_is_killed(child: Child) -> None:
    source = "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nwhile True: pass"
    with pytest.raises(ChildTimedOut) as caught:
        child.run_cell(source)
    assert not caught.value.alive
    assert not is_there(child.pid)


def test_sleeping_counts_on_the_wall_clock_only() -> None:
    limits = Limits(cell_seconds=0.05)
    with Sandbox(limits=limits) as sandbox, sandbox.child() as child:
        child.run_cell("import time; time.sleep(0.5); slept = True")
        assert child.look("slept") is True


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import os; os._exit(0)", "exit code 0"),
        ("import os; os._exit(7)", "exit code 7"),
        ("import ctypes; ctypes.string_at(0)", "crashed"),
        ("import os; os.abort()", "aborted|crashed"),
        ("import os; os.close(3)", "ended"),
    ],
)
def test_a_process_that_ends_is_reported_with_the_way_it_ended(
    child: Child, source: str, reason: str
) -> None:
    with pytest.raises(ChildDied, match=reason):
        child.run_cell(source)
    assert not is_there(child.pid)


def test_a_large_allocation_is_a_memory_error_and_the_child_goes_on(child: Child) -> None:
    run = child.run_cell("import numpy as np\nx = np.ones((1 << 33,))")
    assert run.error is not None
    assert "MemoryError" in run.error
    child.run_cell("x = 1")
    assert child.look("x") == 1


def test_memory_hoarded_bit_by_bit_ends_within_the_limit(child: Child) -> None:
    run = child.run_cell(
        "import numpy as np\nhoard = []\nfor _ in range(20): hoard.append(np.empty(1 << 24))"
    )
    assert run.error in ("MemoryError", "_ArrayMemoryError")
    child.run_cell("kept = len(hoard)")
    assert 0 < child.look("kept") <= 8


def test_a_flood_of_output_is_cut_and_says_so(child: Child) -> None:
    run = child.run_cell("print('x' * 100_000_000)")
    text = "".join(output["text"] for output in run.outputs)
    assert len(text) < 1.1 * LIMITS.output_bytes
    assert "99,800,001 characters of output left out: a cell keeps 200,000" in text


def test_a_flood_of_displays_is_cut(child: Child) -> None:
    run = child.run_cell("for i in range(3000): display(i)")
    assert 400 < len(run.outputs) <= 502


def test_the_error_after_a_flood_is_still_shown(child: Child) -> None:
    run = child.run_cell("print('x' * 1_000_000)\nraise ValueError('the end')")
    assert run.error == "ValueError"
    assert any(output.get("evalue") == "the end" for output in run.outputs)


@pytest.mark.parametrize(
    "garbage",
    [
        "b'garbage' * 100",
        "struct.pack('<I', 5) + b'hello'",
        "struct.pack('<I', 2**32 - 1)",
        "frame((999, 'ran', ([], None)))",
        "frame((number, 'ran', 'no outputs'))",
        "frame((number, 'ran', ([{'output_type': 'script'}], None)))",
        "frame((number, 'events', []))",
        "frame([1])",
    ],
)
def test_garbage_on_the_line_ends_the_child(child: Child, garbage: str) -> None:
    child.run_cell(
        "number = 2; import os, struct\nfrom autograder.sandbox import wire\n"
        "frame = lambda v: wire.frame(wire.encode(v))"
    )
    with pytest.raises(ChildDied, match="no reply"):
        child.run_cell(f"os.write(3, {garbage})\nwhile True: pass")
    assert not is_there(child.pid)


@pytest.mark.parametrize(
    "events", ["[]", "[script.Returned(1, ())] * 2", "[1]", "[script.Look('x')]", "script.Returned(1, ())"]
)
def test_events_that_do_not_answer_the_question_end_the_child(child: Child, events: str) -> None:
    child.run_cell(
        "import os\nfrom autograder.sandbox import script, wire\ndef f():\n"
        f"    os.write(3, wire.frame(wire.encode((2, 'events', {events}))))"
    )
    with pytest.raises(ChildDied, match="no reply"):
        child.ask(one_call("f", []))


@pytest.mark.parametrize(
    "reply",
    ["'events', []", "'events', [[], []]", "'events', None", "'events', [[1], [2]]", "'ran', ([], None)"],
)
def test_answers_that_do_not_fit_the_questions_end_the_child(child: Child, reply: str) -> None:
    child.run_cell(
        "import os\nfrom autograder.sandbox import wire\n"
        f"def f(): os.write(3, wire.frame(wire.encode((2, {reply}))))"
    )
    with pytest.raises(ChildDied, match="no reply"):
        child.ask_all([Script(one_call("f", [])), Script(one_call("f", []))])


def test_a_reply_sent_ahead_is_blamed_on_the_cell_that_sent_it(child: Child) -> None:
    child.run_cell("import os\nfrom autograder.sandbox import wire")
    two = "wire.frame(wire.encode((2, 'ran', ([], None)))) + wire.frame(wire.encode((3, 'ran', ([], None))))"
    with pytest.raises(ChildDied, match="more than one reply"):
        child.run_cell(f"os.write(3, {two})")


def test_a_child_that_closes_its_line_was_not_killed_from_outside(child: Child) -> None:
    with pytest.raises(ChildDied, match="closed its line") as died:
        child.run_cell("import os; os.close(3)\nwhile True: pass")
    assert not died.value.killed


def test_quick_cells_are_watched_too(sandbox: Sandbox, child: Child) -> None:
    if "process-namespace" in sandbox.layers:
        pytest.skip("here the kernel limits the folder")
    child.run_cell("import os, time\nnumber = iter(range(1000))")
    cell = "open(f'{next(number)}', 'wb').write(bytes(16 << 20)); time.sleep(0.02)"
    with pytest.raises(ChildDied, match="filled its folder"):
        repeat(child, cell, 200)


def test_a_reply_left_on_the_line_is_no_answer_to_the_next_question(child: Child) -> None:
    child.run_cell(
        "import os\nfrom autograder.sandbox import script, wire\n"
        "forged = wire.frame(wire.encode((2, 'events', [script.Returned(1, ())])))\n"
        "def f():\n    os.write(3, forged)\n    return 0"
    )
    with pytest.raises(ChildDied, match="no reply"):
        ask_twice(child)  # the second at the latest; the first, where both replies came together


def ask_twice(child: Child) -> None:
    for _ in range(2):
        child.ask(one_call("f", []))


def test_a_child_that_stops_reading_does_not_stop_the_grader(child: Child) -> None:
    child.run_cell(
        "import os, threading\n"
        "def f(x):\n    os.dup2(0, 3)\n    return 1"  # the socket is replaced: nothing is read or answered
    )
    with pytest.raises((ChildDied, ChildTimedOut)):
        child.ask([Let("x", np.zeros(100_000)), *one_call("f", [1])])


def test_the_threads_of_one_child_are_not_counted_against_another(sandbox: Sandbox, child: Child) -> None:
    """The kernel counts nothing for root: as another user this fails where children share their users."""
    start = (
        "import threading, time\nthreading.stack_size(1 << 16)\n"
        "for _ in range({}): threading.Thread(target=time.sleep, args=(60,), daemon=True).start()"
    )
    assert child.run_cell(start.format(240)).error is None
    with sandbox.child() as other:
        assert other.run_cell(start.format(40)).error is None


def test_a_full_folder_or_a_crowd_of_threads_ends_the_child(sandbox: Sandbox, child: Child) -> None:
    fill = "for n in range(1000):\n    with open(f'{n}', 'wb') as f: f.write(bytes(1 << 24))\n"
    if "process-namespace" in sandbox.layers:
        assert child.run_cell(fill).error == "OSError"  # the folder is a file system of limited size
    else:
        with pytest.raises(ChildDied, match="filled its folder"):
            child.run_cell(f"{fill}import time; time.sleep(1)")
    crowd = (
        "import threading, time\nthreading.stack_size(1 << 16)\n"
        "for _ in range(700): threading.Thread(target=time.sleep, args=(9,)).start()\ntime.sleep(1)"
    )
    with sandbox.child() as crowded:
        try:
            ended = crowded.run_cell(crowd).error or "not at all"
        except ChildDied as died:
            ended = died.reason
    assert "more threads" in ended or ended == "RuntimeError"  # where the kernel's own limit holds


def still_alive(family: processes.Table) -> list[processes.Process]:
    now = processes.table()
    return [now[pid] for pid in family if pid in now and now[pid].is_alive]


def test_nothing_is_left_when_the_grader_is_killed() -> None:
    source = (
        "from autograder.sandbox.client import Sandbox\n"
        "with Sandbox() as sandbox:\n    child = sandbox.child()\n"
        "    print(sandbox._scratch, flush=True)\n    child.run_cell('while True: pass')"
    )
    with subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True) as grader:
        assert grader.stdout is not None
        scratch = Path(grader.stdout.readline().strip())
        family = processes.offspring(grader.pid, processes.table())
        assert {"zygote", "student"} <= {process.name for process in family.values()}
        grader.kill()
    assert processes.wait_until(lambda: not still_alive(family) and not scratch.exists(), seconds=5)


def test_a_cell_beyond_every_cap_is_refused(child: Child) -> None:
    with pytest.raises(ChildDied, match="64 MiB"):
        child.run_cell("#" * (65 << 20))


def test_nothing_is_left_of_a_sandbox() -> None:
    with Sandbox(limits=LIMITS) as sandbox:
        scratch = sandbox._scratch
        first, second = sandbox.child(), sandbox.child()
        pids = [first.pid, second.pid, sandbox._own.pid]
        assert all(is_there(pid) for pid in pids)
    assert not any(is_there(pid) for pid in pids)
    assert not scratch.exists()
