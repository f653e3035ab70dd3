"""Exercises whose function runs on several ranks: asked here on simulated ranks, and in a submission on one
process for each rank."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_notebook

import attention_lib
from attention_lib import ranks
from attention_lib.compare import named_by_rank
from autograder import library
from autograder.authoring.examples import examples_of, text_of
from autograder.exercise import Outcome
from autograder.judging.feedback import outputs
from autograder.judging.judge import Judge
from autograder.judging.on_ranks import one_call_on_ranks, perform
from autograder.judging.rank_processes import RankProcesses
from autograder.judging.runner import run
from autograder.library import UserError
from autograder.sandbox.client import Limits, Sandbox
from autograder.sandbox.script import Raised

EXERCISES = '''
import numpy as np

from attention_lib.ranks import SUM
from autograder.exercise import (
    alternative, aspect, example, exercise, misconception, raising, thrifty, unchanged, values,
)


def shards(*rows):
    """Shards with so many rows, of 3 numbers each."""

    def drawn(rng):
        return [(rng.normal(size=(n, 3)),) for n in rows]

    drawn.__name__ = f"shards_{'_'.join(map(str, rows))}"
    return drawn


def block(size, X_u):
    return (size - 1) * 24 * 2


def odd(rng):
    return [(rng.normal(size=(2, 3)),) for _ in range(3)]


@exercise(
    points=5,
    aspects=[
        values(2, shards(2), shards(2, 2), shards(2, 1, 2)),
        aspect("empty shards", 1, shards(1, 0)),
        thrifty(1, shards(2, 2, 1)),
        unchanged(1),
    ],
    examples=[
        example("one", ([[1.0, 2.0, 3.0]],)),
        example("two", ([[1.0, 2.0, 3.0]], ), ([[4.0, 5.0, 6.0], [7.0, 8.0, 9.0]],)),
        example("empty", ([[1.0, 2.0, 3.0]], ), (np.zeros((0, 3)),)),
    ],
    budget=lambda size, X_u: 200,
)
def total(comm, X_u):
    """The sum over all rows of all shards (3,)."""
    return comm.allreduce(X_u.sum(axis=0))


@misconception(total, hint="Whose rows?")
def of_its_own(comm, X_u):
    return X_u.sum(axis=0)


@misconception(total, hint="Who is missing?")
def only_those_with_rows(comm, X_u):
    return comm.allreduce(X_u.sum(axis=0)) if len(X_u) else np.zeros(3)


@misconception(total, hint="What travels?")
def sends_all_rows(comm, X_u):
    return np.concatenate(comm.allgather(np.repeat(X_u, 9, axis=0))).sum(axis=0) / 9


@alternative(total)
def gathers_sums(comm, X_u):
    return sum(comm.allgather(X_u.sum(axis=0)))


@exercise(
    points=3,
    aspects=[values(1, shards(2, 1)), aspect("refuses", 1, raising(ValueError, odd)), unchanged(1)],
    examples=[example("two", ([[1.0, 2.0, 3.0]], ), ([[4.0, 5.0, 6.0]],))],
)
def from_left(comm, X_u):
    """The left neighbour's rows; ValueError for three ranks."""
    if comm.size == 3:
        raise ValueError("three ranks")
    left, right = (comm.rank - 1) % comm.size, (comm.rank + 1) % comm.size
    return comm.sendrecv(X_u, dest=right, source=left)


@misconception(from_left, hint="Which way?")
def its_own(comm, X_u):
    return X_u


@exercise(points=1, aspects=[values(1, shards(2, 1))], examples=[example("one", ([[1.0, 2.0, 3.0]],))])
def mean(comm, X_u):
    """total over the number of ranks."""
    return total(comm, X_u) / comm.size
'''
TOTAL = "def total(comm, X_u):\n    return comm.allreduce(X_u.sum(axis=0))"


@pytest.fixture(scope="module")
def lesson(tmp_path_factory: pytest.TempPathFactory) -> library.Library:
    folder = tmp_path_factory.mktemp("course") / "solutions"
    (folder / "lessons").mkdir(parents=True)
    (folder / "exercises").mkdir()
    (folder / "lessons" / "01_ranks.md").write_text("# Ranks\n")
    (folder / "exercises" / "ranks.py").write_text(EXERCISES)
    return library.load(folder, "01_ranks")


@pytest.fixture(scope="module")
def judge(lesson: library.Library) -> Judge:
    return Judge(lesson, b"secret")


def asking(name, function):
    return lambda steps: perform(steps, {name: function})


@pytest.fixture(scope="module")
def sandbox():
    home = Path(attention_lib.__file__).parent
    limits = Limits(question_seconds=1, submission_seconds=60)
    with Sandbox(readable=[home], preload=["attention_lib"], limits=limits) as started:
        yield started


@pytest.fixture
def verdict(judge, sandbox):
    """The verdict on a notebook with these cells, as one exercise."""

    def on(*cells: str, name: str = "total"):
        notebook = new_notebook(cells=[new_code_cell("import numpy as np"), *map(new_code_cell, cells)])
        asked = new_code_cell(f"check({name!r})")
        asked.metadata["nbgrader"] = {"grade_id": f"test_{name}"}
        notebook.cells.append(asked)
        return run(notebook, judge, sandbox, sandbox.limits).exercises[name]

    return on


def test_the_reference_and_other_right_solutions_get_full_marks(lesson, judge):
    for exercise in lesson.exercises.values():
        for function in (exercise.reference, *exercise.alternatives):
            got = judge.exercise(exercise.name, asking(exercise.name, function))
            assert got.score == exercise.points, (function.__name__, got)


@pytest.mark.parametrize(
    ("mistake", "lost"),
    [
        ("of_its_own", {"values", "empty shards", "sends no more than needed", "leaves its inputs alone"}),
        ("only_those_with_rows", {"empty shards", "leaves its inputs alone"}),
        ("sends_all_rows", {"sends no more than needed", "leaves its inputs alone"}),
    ],
)
def test_a_known_mistake_is_named_by_value_by_a_deadlock_and_by_what_it_sends(lesson, judge, mistake, lost):
    exercise = lesson.exercises["total"]
    known = next(known for known in exercise.misconceptions if known.name == mistake)
    got = judge.exercise("total", asking("total", known.function))
    assert (got.misconception, got.hint) == (known.name, known.hint)
    assert {aspect.name for aspect in got.aspects if not aspect.score} == lost


def test_a_rank_that_sends_too_much_is_told_how_much(lesson, judge):
    known = lesson.exercises["total"].misconceptions[2]
    got = judge.exercise("total", asking("total", known.function))
    assert "rank 0 sends 864 bytes, where 200 are enough" in got.message


def test_a_mistake_is_carried_forward_to_what_is_built_on_it(lesson, judge):
    sitting = judge.sitting()
    mistaken = lesson.exercises["total"].misconceptions[0].function
    assert sitting.exercise("total", asking("total", mistaken)).score == 0
    composed = lambda comm, X_u: mistaken(comm, X_u) / comm.size  # noqa: E731
    got = sitting.exercise("mean", asking("mean", composed))
    assert (got.score, got.carried_from) == (1, "total")


def test_examples_hold_what_ranks_may_send(lesson):
    text = text_of(examples_of(lesson))
    assert '"on_ranks": true' in text
    assert '"budget": [' in text


def test_examples_must_tell_mistakes_apart(lesson):
    exercise = lesson.exercises["total"]
    kept = exercise.examples
    exercise.examples = kept[:1]
    try:
        with pytest.raises(UserError, match="don't tell"):
            examples_of(lesson)
    finally:
        exercise.examples = kept


# In a submission, where each rank is a process


def test_a_right_function_gets_full_marks(verdict):
    got = verdict(TOTAL)
    assert (got.outcome, got.score) == (Outcome.PASSED, 5)


def test_helpers_and_a_function_of_ones_own_for_reducing_are_right(verdict):
    cells = "def add(a, b):\n    return np.add(a, b)", TOTAL.replace("axis=0)", "axis=0), op=add")
    assert verdict(*cells).score == 5


def test_the_error_of_a_rank_is_the_answer(verdict):
    source = (
        "def from_left(comm, X_u):\n"
        "    if comm.rank == 2: raise ValueError('three')\n"
        "    return comm.sendrecv(X_u, (comm.rank + 1) % comm.size, source=(comm.rank - 1) % comm.size)"
    )
    assert verdict(source, name="from_left").score == 3
    got = verdict(source.replace("raise", "X_u += 1; raise"), name="from_left")
    assert {aspect.name: aspect.score for aspect in got.aspects}["leaves its inputs alone"] == 0


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return comm.recv(source=comm.rank)", "deadlock: "),
        ("return comm.allreduce(X_u.sum(axis=0)) if comm.rank else comm.bcast(X_u)", "mismatch: "),
        ("return {comm}", "a set"),
        ("return comm.allgather({1, 2})", "a set can't be sent"),
        ("return comm.allreduce(X_u.sum(axis=0)) if comm.rank else missing", "NameError"),
    ],
)
def test_what_goes_wrong_between_ranks_is_said_in_words(verdict, body, said):
    got = verdict(f"def total(comm, X_u):\n    {body}")
    assert got.score == 0
    assert said in got.message


def test_nothing_there_is_not_attempted(verdict):
    assert verdict("x = 1").outcome is Outcome.MISSING
    assert verdict("def total(comm, X_u):\n    raise NotImplementedError()").outcome is Outcome.MISSING


def test_ranks_share_no_memory_and_no_file(verdict):
    source = (
        "import pathlib\nkept = []\n"
        "def total(comm, X_u):\n"
        "    kept.append(X_u.sum(axis=0))\n"
        "    pathlib.Path(f'rank_{comm.rank}').write_text('here')\n"
        "    comm.barrier()\n"
        "    seen = len(kept) + len(list(pathlib.Path('.').glob('rank_*')))\n"
        "    if seen != 2: raise RuntimeError(f'{seen} of 2')\n"
        "    kept.clear(); pathlib.Path(f'rank_{comm.rank}').unlink()\n"
        "    return comm.allreduce(X_u.sum(axis=0))"
    )
    assert verdict(source).score == 5


@pytest.mark.parametrize(
    "body",
    [
        "while comm.rank == 0: pass\n    return comm.allreduce(X_u.sum(axis=0))",
        "while True: comm.allgather(1)",
        "while True:\n        try: comm.recv(source=comm.rank)\n        except BaseException: pass",
    ],
    ids=["a rank that never comes", "ranks that talk for ever", "a rank that will not be ended"],
)
def test_ranks_that_never_end_are_ended(verdict, body):
    got = verdict(f"def total(comm, X_u):\n    {body}")
    assert got.score == 0


@pytest.mark.parametrize(
    "body",
    [
        "import os; os._exit(0)",
        "import os; os.write(3, b'\\xff' * 64)",
        "comm._carry_out.__self__.number += 1; comm.barrier()",
        "comm._carry_out(type('O', (), dict(kind='bcast', payloads=(), dest=0, source=0, sendtag=0,"
        " recvtag=0, root=99))())",
        "comm._carry_out(type('O', (), dict(kind='send', payloads=(1,), dest=7, source=0, sendtag=0,"
        " recvtag=0, root=0))())",
        "comm._carry_out(type('O', (), dict(kind='alltoall', payloads=(1,) * 9, dest=0, source=0, sendtag=0,"
        " recvtag=0, root=0))())",
    ],
)
def test_a_rank_that_keeps_to_no_protocol_loses_its_exercise_alone(verdict, body):
    got = verdict(f"def total(comm, X_u):\n    {body}")
    assert (got.outcome, got.score) == (Outcome.ERRORED, 0)
    assert verdict(TOTAL).score == 5


def test_an_argument_changed_on_one_rank_is_noticed(verdict):
    got = verdict(TOTAL.replace("return", "X_u += comm.rank - comm.rank * 0.0\n    return"))
    lost = {aspect.name for aspect in got.aspects if not aspect.score}
    assert lost >= {"leaves its inputs alone"}


def test_numbers_of_numpy_and_arrays_of_any_layout_travel(verdict):
    source = (
        "def total(comm, X_u):\n"
        "    parts = comm.allgather((np.int64(3), np.asfortranarray(X_u)[::-1], {'n': len(X_u)}, None))\n"
        "    assert all(part[0] == 3 and part[2]['n'] == len(part[1]) for part in parts)\n"
        "    assert all(part[3] is None for part in parts)\n"
        "    return sum(part[1].sum(axis=0) for part in parts)"
    )
    got = verdict(source)
    assert got.score == 5, got


def test_float16_arrays_keep_their_dtype_on_the_way(verdict):
    source = (
        "def total(comm, X_u):\n"
        "    assert comm.bcast(np.ones(2, np.float16)).dtype == np.float16\n"
        "    assert comm.bcast(np.float16(1)).dtype == np.float16\n"
        f"    {TOTAL.splitlines()[1].strip()}"
    )
    got = verdict(source)
    assert got.score == 5, got


def test_the_judge_weighs_as_the_notebook_does(lesson, sandbox):
    source = "def f(comm, x):\n    comm.bcast(x, root=2)\n    return comm.allgather((x, 1, 'two'))[0][0]"
    world: dict = {}
    exec(source, world)
    arguments = [(np.zeros((3, r)),) for r in range(3)]

    def ready():
        child = sandbox.child()
        child.run_cell(source)
        return child

    here = ranks.run(3, lambda comm: world["f"](comm, *arguments[comm.rank]))
    processes = RankProcesses(ready)
    try:
        [event] = processes.ask(one_call_on_ranks("f", ("comm", "x"), arguments))
    finally:
        processes.close()
    assert event.sent == tuple(here.bytes_sent)
    assert len(set(event.sent)) == 3


@pytest.mark.parametrize(
    ("packed", "unpacked"),
    [
        ("[[None] * byte for byte in data]", "bytes(map(len, sent))"),
        ("[np.empty((0, byte)) for byte in data]", "bytes(empty.shape[1] for empty in sent)"),
    ],
)
def test_what_the_form_of_a_message_says_is_weighed_too(verdict, packed, unpacked):
    source = (
        "def total(comm, X_u):\n"
        "    data = np.repeat(X_u, 3, axis=0).tobytes()\n"
        f"    gathered = comm.allgather({packed})\n"
        f"    return sum(np.frombuffer({unpacked}).reshape(-1, 3).sum(axis=0) for sent in gathered) / 3"
    )
    got = verdict(source)
    assert [aspect.name for aspect in got.aspects if not aspect.score] == [
        "sends no more than needed",
        "leaves its inputs alone",
    ]


FROM_LEFT = """
def from_left(comm, X_u):
    if comm.size == 3: raise ValueError(three)
    left, right = (comm.rank - 1) % comm.size, (comm.rank + 1) % comm.size
    return comm.sendrecv(X_u, dest=right, source=left)
"""


def notebook_of(*cells):
    """A notebook with these cells; one that is an exercise's name is its check cell."""
    made = new_notebook(cells=[new_code_cell(source) for source in cells])
    for cell in made.cells:
        if cell.source in ("total", "from_left"):
            cell.metadata["nbgrader"] = {"grade_id": f"test_{cell.source}"}
    return made


def test_cells_between_two_exercises_reach_the_ranks_once_each(judge, sandbox, monkeypatch):
    started = []
    monkeypatch.setattr(sandbox, "child", lambda start=sandbox.child: started.append(start()) or started[-1])
    counting = "runs = globals().get('runs', 0) + 1\nif runs > 1: raise SystemExit"
    submitted = notebook_of(
        "import numpy as np", counting, TOTAL, "total", "three = '3'", FROM_LEFT, "from_left"
    )
    verdicts = run(submitted, judge, sandbox, sandbox.limits).exercises
    assert (verdicts["total"].score, verdicts["from_left"].score) == (5, 3)
    assert len(started) == 1 + 3


def test_a_cell_that_ends_a_rank_leaves_the_other_exercises_their_points(judge, sandbox):
    asked = TOTAL.replace("    return", "    global asked\n    asked = True\n    return")
    ends = "import os\nif 'asked' in globals(): os._exit(0)"
    submitted = notebook_of("import numpy as np", asked, "total", ends, "three = '3'", FROM_LEFT, "from_left")
    verdicts = run(submitted, judge, sandbox, sandbox.limits).exercises
    assert (verdicts["total"].score, verdicts["from_left"].score) == (5, 3)


@pytest.mark.parametrize(
    ("body", "made"),
    [
        ("comm.recv(source=comm.rank)", 3),
        ("comm.barrier() if comm.rank else comm.bcast(1)", 3),
        ("comm.barrier() if comm.rank else missing", 3),
        ("while True:\n        try: comm.recv(source=comm.rank)\n        except BaseException: pass", 6),
    ],
)
def test_a_child_whose_call_can_be_ended_is_asked_again(sandbox, body, made):
    source = (
        f"def stuck(comm):\n    {body}\ndef f(comm, x):\n    return comm.allreduce(x) if x else stuck(comm)"
    )
    children = []

    def ready():
        children.append(sandbox.child())
        children[-1].run_cell(source)
        return children[-1]

    processes = RankProcesses(ready)
    try:
        [stuck] = processes.ask(one_call_on_ranks("f", ("comm", "x"), [(0,)] * 3))
        [event] = processes.ask(one_call_on_ranks("f", ("comm", "x"), [(1,)] * 3))
    finally:
        processes.close()
    assert isinstance(stuck, Raised)
    assert event.value == [3, 3, 3]
    assert len(children) == made


def test_feedback_names_what_each_rank_was_given_and_gave(lesson, judge):
    got = judge.exercise(
        "from_left", asking("from_left", lesson.exercises["from_left"].misconceptions[0].function)
    )
    page = outputs(got)[0]["data"]["text/plain"]
    assert "X_u of rank 0 = [[" in page
    assert "yours on rank 1: [[" in page


def test_what_all_ranks_are_given_alike_is_named_once():
    one, other = np.zeros(2), np.ones(2)
    named = named_by_rank(("Q", "K"), [(one, one), (one.copy(), other)])
    assert [name for name, _ in named] == ["Q of every rank", "K of rank 0", "K of rank 1"]
