"""The conversation with a child that sends any bytes, in any pieces, at any pace: each request gives an
answer of plain data, or ChildDied, or ChildTimedOut; and a child that broke the protocol is gone."""

from __future__ import annotations

import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.sandbox import conversation, wire
from autograder.sandbox.clock import Clock
from autograder.sandbox.conversation import Child
from autograder.sandbox.outcomes import CellRun, ChildDied, ChildTimedOut
from autograder.sandbox.script import Call, Let, Look, Raised, Returned, Undefined

from .fake_child import child_at, converse, script_of
from .promises import check_answer, check_conversation
from .values import EVENTS, OUTPUTS, PLAIN, STEADY, TEXT

PACES = st.sampled_from([0, 1, 3, 50])
LATE = st.just(0) | st.integers(0, 255)
STREAM = {"output_type": "stream", "name": "stdout", "text": "hello\n"}
HONEST: list[tuple[Any, ...]] = [
    (1, "ran", ([STREAM], None)),
    (2, "events", [Returned(1.0, (np.zeros(2),)), Returned(1.0)]),
    (3, "events", [[Raised("ValueError", "no", ())], [Returned(1), Returned(2)]]),
    (4, "events", [Returned(5)]),
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
@given(PACES, LATE, REPLIES)
def test_replies_right_and_wrong_give_an_answer_or_end_the_child(
    pace: int, late: int, replies: list[tuple[Any, ...]]
) -> None:
    check_conversation(script_of(replies, pace, late))


@STEADY
@given(PACES, LATE, REPLIES, st.data())
def test_a_damaged_stream_gives_an_answer_or_ends_the_child(
    pace: int, late: int, replies: list[tuple[Any, ...]], data: st.DataObject
) -> None:
    script = bytearray(script_of(replies, pace, late))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(2, len(script)))
        script[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    check_conversation(bytes(script))


@STEADY
@given(st.binary(max_size=200))
def test_any_stream_of_bytes_gives_an_answer_or_ends_the_child(script: bytes) -> None:
    check_conversation(script)


def test_honest_replies_in_single_bytes_give_every_answer() -> None:
    answers: list[tuple[str, Any]] = []
    converse(script_of(HONEST, pace=1), lambda kind, answer: answers.append((kind, answer)))
    for kind, answer in answers:
        check_answer(kind, answer)
    [(_, run), (_, asked), (_, all_asked), (_, looked), (_, failed)] = answers
    assert run == CellRun([STREAM], None)
    assert [event.value for event in asked] == [1.0, 1.0]
    assert all_asked == [[Raised("ValueError", "no", ())], [Returned(1), Returned(2)]]
    assert looked == 5
    assert failed == CellRun([], "NameError")


def test_answers_too_large_to_go_together_are_asked_for_alone() -> None:
    answers: list[Any] = []
    replies = [*HONEST[:2], (3, "ask alone", None), *HONEST[3:]]
    converse(script_of(replies), lambda kind, answer: answers.append(answer))
    assert answers[2:] == [None, 5, CellRun([], "NameError")]


@pytest.mark.parametrize("early", [0, 1, 3])
def test_an_answer_that_comes_with_the_interrupt_leaves_the_child_alive(early: int) -> None:
    answers: list[Any] = []
    converse(script_of(HONEST, late=8 * early + 1), lambda kind, answer: answers.append(answer))
    assert isinstance(answers[0], ChildTimedOut)
    assert (answers[0].alive, answers[0].outputs) == (True, [STREAM])
    assert answers[-1] == CellRun([], "NameError")


def test_an_interrupt_within_a_reply_ends_the_child_since_the_rest_is_no_reply() -> None:
    answers: list[Any] = []
    converse(script_of(HONEST, late=8 * 6 + 1), lambda kind, answer: answers.append(answer))
    assert not answers[0].alive
    assert all(isinstance(answer, ChildDied) for answer in answers[1:])


@contextmanager
def talking_to(*replies: bytes, pause: float = 0.0) -> Iterator[Child]:
    """A living process that answers each request with one of `replies`, byte by byte, and the ones after
    that with silence."""
    theirs, ours = socket.socketpair()

    def answer() -> None:
        with suppress(OSError):  # the other end hung up
            for reply in replies:
                request = theirs.recv(1 << 16)
                for position in range(len(reply) if request else 0):
                    theirs.send(reply[position : position + 1])
                    time.sleep(pause)

    process = subprocess.Popen(["sleep", "600"])
    answering = threading.Thread(target=answer)
    with theirs, process, child_at(ours, process.pid) as child:
        answering.start()
        try:
            yield child
        finally:
            child.kill()
            answering.join()


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


@pytest.mark.parametrize(
    ("event", "shown"),
    [
        (Raised("Value\0Error", "n\x07o", ()), Raised("ValueError", "no", ())),
        (Undefined("f\0", "mod\x07ule"), Undefined("f", "module")),
        (Undefined("f\0"), Undefined("f")),
    ],
)
def test_every_text_of_an_event_is_made_fit_to_show(event: Any, shown: Any) -> None:
    with talking_to(frame((1, "events", [event]))) as child:
        assert child.ask(QUESTION) == [shown]


def test_a_second_reply_to_one_question_is_no_reply_to_the_next() -> None:
    def two_requests(child: Child) -> None:
        child.run_cell("1")
        child.run_cell("2")

    with talking_to(frame((1, "ran", ([], None))) * 2) as child:
        with pytest.raises(ChildDied, match=r"more than one reply|no reply to the question"):
            two_requests(child)
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
