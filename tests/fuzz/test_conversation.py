"""The conversation with a child that sends any bytes, in any pieces, at any pace: each request gives an
answer of plain data, or ChildDied, or ChildTimedOut; and a child that broke the protocol is gone."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.sandbox import conversation, wire
from autograder.sandbox.clock import Clock
from autograder.sandbox.conversation import CellRun, Child, ChildDied, ChildTimedOut, Limits
from autograder.sandbox.script import Call, Let, Look, Raised, Returned

from .fake_child import Home, script_of
from .promises import check_answer, check_conversation
from .values import EVENTS, OUTPUTS, PLAIN, STEADY, TEXT

PACES = st.sampled_from([0, 1, 3, 50])
PATIENCES = st.sampled_from([0, 0, 0, 0, 1, 2, 3, 4, 6])
STREAM = {"output_type": "stream", "name": "stdout", "text": "hello\n"}
HONEST: list[tuple[Any, ...]] = [
    (1, "ran", ([STREAM], None)),
    (2, "events", [Returned(1.0, (np.zeros(2),)), Returned(1.0)]),
    (3, "events", [Returned(5)]),
    (4, "events", [Raised("ValueError", "no", ())]),
    (5, "ran", ([], "NameError")),
]


def wrong(reply: tuple[Any, ...]) -> st.SearchStrategy[tuple[Any, ...]]:
    """`reply` with something else in the place of its number, its word, its content or itself."""
    number, word, content = reply
    return st.one_of(
        st.tuples(PLAIN, st.just(word), st.just(content)),
        st.tuples(
            st.just(number), PLAIN | st.sampled_from(["interrupted", "events", "ran"]), st.just(content)
        ),
        st.tuples(st.just(number), st.just("ran"), st.tuples(OUTPUTS, st.none() | TEXT | PLAIN)),
        st.tuples(st.just(number), st.just("events"), st.lists(EVENTS, max_size=3)),
        st.tuples(st.just(number), st.just(word), PLAIN),
        st.tuples(PLAIN),
    )


#: Honest replies, of which each may be another one, and one may be missing or come twice.
REPLIES = st.tuples(*(st.one_of(st.just(reply), wrong(reply)) for reply in HONEST)).flatmap(
    lambda replies: st.sampled_from(range(5)).flatmap(
        lambda at: st.sampled_from(
            [list(replies), list(replies[:at]), [*replies[:at], replies[at], *replies[at:]]]
        )
    )
)


@STEADY
@given(PACES, PATIENCES, REPLIES)
def test_replies_right_and_wrong_give_an_answer_or_end_the_child(
    pace: int, patience: int, replies: list[tuple[Any, ...]]
) -> None:
    check_conversation(script_of(replies, pace, patience))


@STEADY
@given(PACES, PATIENCES, REPLIES, st.data())
def test_a_damaged_stream_gives_an_answer_or_ends_the_child(
    pace: int, patience: int, replies: list[tuple[Any, ...]], data: st.DataObject
) -> None:
    script = bytearray(script_of(replies, pace, patience))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(2, len(script)))
        script[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    check_conversation(bytes(script))


@STEADY
@given(st.binary(max_size=200))
def test_any_stream_of_bytes_gives_an_answer_or_ends_the_child(script: bytes) -> None:
    check_conversation(script)


def test_an_honest_stream_in_single_bytes_gives_every_answer() -> None:
    answers: list[Any] = []
    with talking_to(script_of(HONEST)[2:]) as child:
        answers.append(child.run_cell("1"))
        answers.append(child.ask([Let("x", 1), Call("f", ("x",)), Look("x")]))
        answers.append(child.look("x"))
        answers.append(child.ask([Call("f", ())]))
        answers.append(child.run_cell("2"))
    for kind, answer in zip(("run", "ask", "look", "ask", "run"), answers, strict=True):
        check_answer(kind, answer)
    assert answers[0] == CellRun([STREAM], None)
    assert [event.value for event in answers[1]] == [1.0, 1.0]
    assert answers[2:] == [5, [Raised("ValueError", "no", ())], CellRun([], "NameError")]


@contextmanager
def talking_to(stream: bytes, pause: float = 0.0, limits: Limits | None = None) -> Iterator[Child]:
    """A living process whose socket sends `stream` byte by byte, and then keeps silent."""
    theirs, ours = socket.socketpair()

    def send() -> None:
        try:
            for position in range(len(stream)):
                theirs.send(stream[position : position + 1])
                time.sleep(pause)
        except OSError:
            return  # the other end hung up

    process = subprocess.Popen(["sleep", "600"])
    sender = threading.Thread(target=send)
    with theirs, process, Child(Home(limits or Limits()), ours, process.pid, Path(os.devnull)) as child:
        sender.start()
        try:
            yield child
        finally:
            child.kill()
            sender.join()


def is_running(child: Child) -> bool:
    """Whether the process is there and no corpse."""
    return Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def frame(message: Any) -> bytes:
    return wire.frame(wire.encode(message))


@pytest.mark.parametrize(
    "stream",
    [
        pytest.param(b"\0\0\0\0", id="an empty message"),
        pytest.param(struct.pack("<I", 2**32 - 1), id="a message of 4 GiB"),
        pytest.param(wire.frame(b"garbage"), id="no value"),
        pytest.param(frame((2, "ran", ([], None))), id="a number to come"),
        pytest.param(frame((0, "ran", ([], None))), id="a number gone by"),
        pytest.param(frame((1.0, "ran", ([], None))), id="no number"),
        pytest.param(frame((np.array([1, 1]), "ran", ([], None))), id="an array for a number"),
        pytest.param(frame((1, np.array(["ran"]), ([], None))), id="an object for a word"),
        pytest.param(frame((1, np.zeros(2), ([], None))), id="an array for a word"),
        pytest.param(frame((1, "interrupted", None)), id="an interrupt that nobody sent"),
        pytest.param(frame((1, "events", [Returned(1)])), id="an answer to another question"),
        pytest.param(frame((1, "ran", np.zeros((2, 2)))), id="an array for a cell's run"),
        pytest.param(frame((1, "ran", ([{"output_type": np.zeros(2)}], None))), id="an array for a type"),
        pytest.param(
            frame((1, "ran", ([{**STREAM, "name": np.array([1, 2])}], None))), id="an array for a name"
        ),
        pytest.param(frame((1, "ran", ([], 5))), id="a number for an error"),
    ],
)
def test_a_child_that_breaks_the_protocol_is_killed_and_stays_dead(stream: bytes) -> None:
    with talking_to(stream) as child:
        assert is_running(child)
        with pytest.raises(ChildDied, match="sent what is no reply"):
            child.run_cell("1")
        assert not is_running(child)
        for request in (lambda: child.run_cell("1"), lambda: child.look("x"), lambda: child.ask([])):
            with pytest.raises(ChildDied, match="sent what is no reply"):
                request()


QUESTION = [Let("x", 1), Call("f", ("x",), "y"), Look("y")]


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([], id="none"),
        pytest.param([Returned(1)], id="one too few"),
        pytest.param([Returned(1)] * 3, id="one too many"),
        pytest.param((Returned(1), Returned(1)), id="a tuple of events"),
        pytest.param([Returned(1), Look("y")], id="a step"),
        pytest.param([Returned(1), None], id="None"),
        pytest.param([Returned(1), np.zeros(3)], id="an array"),
        pytest.param([Let("x", 1), Returned(1)], id="a step before an event"),
        pytest.param(np.zeros(2), id="an array of two"),
        pytest.param({"a": Returned(1), "b": Returned(1)}, id="a dict of two"),
    ],
)
def test_events_that_do_not_follow_from_the_question_kill_the_child(events: Any) -> None:
    with talking_to(frame((1, "events", events))) as child:
        with pytest.raises(ChildDied, match="sent what is no reply"):
            child.ask(QUESTION)
        assert not is_running(child)


def test_a_second_reply_to_one_question_is_no_reply_to_the_next() -> None:
    with talking_to(frame((1, "ran", ([], None))) * 2) as child:
        assert child.run_cell("1") == CellRun([], None)
        with pytest.raises(ChildDied, match="no reply to the question that was put"):
            child.run_cell("2")
        assert not is_running(child)


class Hurried(Clock):
    """A clock that gives a tenth of a second."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.wall = min(self.wall, 0.1)


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little wall time for a question, and for the end after an interrupt."""
    monkeypatch.setattr(conversation, "Clock", Hurried)


@pytest.mark.usefixtures("hurry")
@pytest.mark.parametrize("sent", [0, 1, 4, 10])
def test_a_child_that_falls_silent_within_a_reply_is_out_of_time(sent: int) -> None:
    with talking_to(frame((1, "ran", ([STREAM], None)))[:sent]) as child:
        with pytest.raises(ChildTimedOut) as late:
            child.run_cell("1")
        assert (late.value.alive, late.value.outputs) == (False, [])
        assert not is_running(child)


@pytest.mark.usefixtures("hurry")
def test_a_reply_that_trickles_in_is_out_of_time() -> None:
    with talking_to(frame((1, "ran", ([STREAM] * 100, None))), pause=0.01) as child:
        with pytest.raises(ChildTimedOut) as late:
            child.run_cell("1")
        assert not late.value.alive
        assert not is_running(child)
