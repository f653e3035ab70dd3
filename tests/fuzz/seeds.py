"""What a fuzzer starts from: the messages of an honest child, recorded, and one of each form besides."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

import numpy as np

from attention_lib.compare import Opaque
from autograder.sandbox import wire
from autograder.sandbox.client import Child, Limits, Sandbox
from autograder.sandbox.script import Call, Change, Let, Look, Raised, Returned, Stand, Undefined, one_call

from .fake_child import script_of
from .fake_ranks import operation
from .values import PNG

CELLS = (
    "import numpy as np\ndef f(x, y=2): return x @ x, [y, True]\ndef g(x): raise ValueError('K has width 7')",
    "import sys\nprint('a\\x1b[31mb\\x1b[0m'); print('c', file=sys.stderr)\ndisplay({'k': 1})\n'result'",
    "import matplotlib.pyplot as plt\nplt.figure(figsize=(0.3, 0.3), dpi=20); plt.axis('off'); plt.show()",
    "from IPython.display import HTML, Image\ndisplay(HTML('<b>x</b>'))\n1 / 0",
    "answer, order = 'A', {'query': 'A', 'numbers': [1, 2.5]}",
)
QUESTIONS = (
    one_call("f", [np.arange(4.0)]),
    one_call("g", [np.ones((2, 2), dtype=np.float32)]),
    one_call("nothing", []),
    [Let("x", np.zeros(2)), Call("np.sqrt", ("x",), "y"), Change("x", 1.0), Look("y")],
    [Let("x", np.zeros(2)), Call("f", ("x",), "y"), Change("x", 1.0), Look("x")],
)
FORMS: tuple[Any, ...] = (
    *(None, True, False, 0, -(2**63), 0.5, float("nan"), "text", "ā😀", b"raw", [], (), {}, Opaque("object")),
    *([np.zeros((2, 3), dtype)] for dtype in wire.DTYPES),
    [np.array(1.5), np.zeros((0, 3)), np.zeros((1,) * 32)],
    [[[1, 2.5], ("a",), {"k": [None], "l": {}}]],
    [Let("x", 1), Call("f", ("x",)), Change("x", 0.5), Look("x"), Stand("f", (((1,), 2.0),))],
    [Returned((1, [2.0]), (3,)), Raised("E", "m", (1,)), Undefined("f", "int"), Undefined("f")],
)
OUTPUTS: tuple[dict[str, Any], ...] = (
    {"output_type": "stream", "name": "stderr", "text": "a\x1b[1;31mb\x1b[0m\r\n\x07"},
    {"output_type": "error", "ename": "E" * 210, "evalue": "no", "traceback": ["\x1b[31mline\x1b[0m", "l"]},
    {"output_type": "display_data", "data": {"text/html": "<b>", "text/plain": "x"}, "metadata": {}},
    {
        "output_type": "execute_result",
        "execution_count": 3,
        "data": {"image/png": PNG, "image/jpeg": "/9j/", "text/plain": "<Figure>"},
        "metadata": {"image/png": {"width": 20, "height": 30, "alt": "weights"}},
    },
)
_ROWS = np.zeros((2, 3), np.float32)
#: What three ranks ask for, dealt in turn: collectives, a ring, a ring that gets stuck, and more than can be.
TALKS: tuple[list[Any], ...] = (
    [operation(kind, _ROWS) for kind in ("allgather", "allreduce") for _ in range(3)],
    [operation("alltoall", 1, [_ROWS], "three")] * 3 + [operation("barrier")] * 3,
    [operation("bcast", *([_ROWS] if rank == 1 else []), root=1) for rank in range(3)],
    [operation("scatter", *([1, 2.5, None] if rank == 2 else []), root=2) for rank in range(3)],
    [operation("gather", (rank, _ROWS), root=0) for rank in range(3)],
    [
        operation("sendrecv", _ROWS, dest=(r + 1) % 3, source=(r - 1) % 3, sendtag=7, recvtag=7)
        for r in range(3)
    ],
    [operation("send", _ROWS, dest=(r + 1) % 3) for r in range(3)],
    [
        operation("send", _ROWS, dest=1),
        operation("recv", source=0),
        operation("sendrecv", 1, dest=2, source=2),
    ],
    [operation("bcast", root=9), operation("send", 1, dest=-1), operation("nothing"), operation("work")],
    [operation("allgather", _ROWS), operation("barrier"), operation("recv")],
)


def recorded() -> list[Any]:
    """The messages that a real child sends when it runs `CELLS` and answers `QUESTIONS`.
    Raises NoSandbox where there can be none."""
    messages: list[Any] = []
    decode = wire.decode

    def keeping(data: bytes, limit: int = wire.MAX_BYTES) -> Any:
        messages.append(decode(data, limit))
        return decode(data, limit)

    with Sandbox(limits=Limits(output_bytes=100_000)) as sandbox, sandbox.child() as child:
        _converse(child, patch.object(wire, "decode", keeping))
    return messages


def _converse(child: Child, recording: AbstractContextManager[Any]) -> None:
    with recording:
        for source in CELLS:
            child.run_cell(source)
        for steps in QUESTIONS:
            child.ask(steps)
        for name in ("answer", "order", "nothing", "np"):
            child.look(name)


def seeds(target: str, messages: list[Any]) -> list[bytes]:
    """Inputs for `target`, made of `messages` and of what is here."""
    runs = [content for _, word, content in messages if word == "ran"]
    events = [content for _, word, content in messages if word == "events"]
    match target:
        case "decoding":
            return [wire.encode(value) for value in (*messages, *FORMS, list(OUTPUTS))]
        case "cleaning":
            return [
                wire.encode(shown)
                for shown in ([*OUTPUTS], *([each] for each in OUTPUTS), *(run[0] for run in runs))
            ]
        case "judging":
            answers = [event.value for answer in events for event in answer if isinstance(event, Returned)]
            return [wire.encode(value) for value in (*answers, *FORMS)]
        case "conversation":
            return _scripts(runs, events)
        case "ranks":
            return [wire.encode(messages) for messages in TALKS]
    raise ValueError(f"no target {target!r}")


def _scripts(runs: list[Any], events: list[Any]) -> list[bytes]:
    """Replies to the five requests of `fake_child`, at several paces; and how an interrupt is answered."""
    two = [Returned(1.0, (np.zeros(2),)), Returned([1, 2])]
    replies = [
        [(1, "ran", run), (2, "events", two), (3, "events", [one, two]), (4, "events", one), (5, "ran", run)]
        for run in (*runs, ([*OUTPUTS], "ValueError"))
        for one in (*(answer for answer in events if len(answer) == 1), [Undefined("f", "int")])
    ]
    paced = [script_of(all_five, (0, 1, 50)[at % 3]) for at, all_five in enumerate(replies)]
    alone = [script_of([*replies[0][:2], (3, "ask alone", None), *replies[0][3:]])]
    late = [script_of(all_five, late=8 * at + at % 5 + 1) for at, all_five in enumerate(replies[:12])]
    interrupted = [script_of([(1, "interrupted", None), *replies[0][1:]], late=1)]
    return [*paced, *alone, *late, *interrupted]
