"""Operations of ranks: what meets, who gets what, what is counted, and what can never go on."""

from __future__ import annotations

import random
from dataclasses import fields

import numpy as np
import pytest

from attention_lib.costs import Machine
from attention_lib.routing import KINDS, Deadlock, Mismatch, Operation, Router, drive

#: Numbers that are easy to reckon with: a message takes 1 s and 1 s for each 10 bytes.
SLOW = Machine(latency=1.0, bandwidth=10.0, multiply=0.5)


class Script:
    """A rank that asks for one operation after another, and keeps what it gets."""

    def __init__(self, *operations: Operation) -> None:
        self.operations = list(operations)
        self.got: list[tuple] = []

    def next(self) -> Operation | None:
        return self.operations.pop(0) if self.operations else None

    def give(self, payloads: tuple) -> None:
        self.got.append(payloads)


def driven(*scripts: list[Operation]) -> tuple[list[list[tuple]], Router]:
    """What each rank got. Payloads are texts, and weigh what they are long."""
    ports = [Script(*operations) for operations in scripts]
    router = Router(len(ports), len, SLOW)
    drive(ports, router)
    return [port.got for port in ports], router


def send(text: str, dest: int, tag: int = 0) -> Operation:
    return Operation("send", (text,), dest=dest, sendtag=tag)


def recv(source: int | None = None, tag: int | None = None) -> Operation:
    return Operation("recv", source=source, recvtag=tag)


def sendrecv(text: str, dest: int, source: int | None = None) -> Operation:
    return Operation("sendrecv", (text,), dest=dest, source=source)


def each(kind: str, *texts: str) -> list[list[Operation]]:
    return [[Operation(kind, (text,))] for text in texts]


BARRIER = Operation("barrier")


# What each rank gets


def test_a_receive_gets_what_was_sent_to_it():
    got, _ = driven([send("a", 1), recv(1)], [recv(0), send("b", 0)])
    assert got == [[(), ("b",)], [("a",), ()]]


def test_messages_of_one_sender_arrive_in_the_order_in_which_they_were_sent():
    got, _ = driven([send(text, 1) for text in "abc"], [recv(0), recv(), recv(0, 0)])
    assert got[1] == [("a",), ("b",), ("c",)]


def test_a_tag_picks_among_senders():
    got, _ = driven([send("a", 2, tag=1)], [send("b", 2, tag=2)], [recv(tag=2), recv(tag=1)])
    assert got[2] == [("b",), ("a",)]


def test_a_receive_from_any_takes_the_sender_that_has_waited_longest():
    late = [BARRIER, send("late", 2)]
    got, _ = driven(late, [BARRIER, send("early", 2)], [BARRIER, Operation("work"), recv(), recv()])
    assert got[2][-2:] == [("late",), ("early",)]
    got, _ = driven(
        [BARRIER, Operation("work"), send("late", 2)],
        [BARRIER, send("early", 2)],
        [BARRIER, Operation("work"), Operation("work"), recv(), recv()],
    )
    assert got[2][-2:] == [("early",), ("late",)]


def test_a_ring_of_sendrecvs_hands_everything_on():
    got, _ = driven(*([sendrecv(text, (r + 1) % 3, (r - 1) % 3)] for r, text in enumerate("abc")))
    assert got == [[("c",)], [("a",)], [("b",)]]


def test_a_sendrecv_is_met_by_a_send_and_a_receive():
    got, _ = driven([sendrecv("a", 1, 1)], [recv(0), send("b", 0)])
    assert got == [[("b",)], [("a",), ()]]


def test_a_sendrecv_to_oneself_brings_back_what_was_sent():
    got, router = driven([sendrecv("abc", 0, 0)])
    assert got == [[("abc",)]]
    assert (router.bytes_sent, router.messages, router.seconds) == ([0], [0], [0.0])


def test_collectives_give_each_rank_its_part():
    root = 1
    parts = Operation("scatter", ("x", "y", "z"), root=root)
    assert driven(*each("allgather", "a", "b", "c"))[0] == [[("a", "b", "c")]] * 3
    assert driven(*each("allreduce", "a", "b", "c"))[0] == [[("a", "b", "c")]] * 3
    gathers = [[Operation("gather", (text,), root=root)] for text in "abc"]
    assert driven(*gathers)[0] == [[()], [("a", "b", "c")], [()]]
    listener = Operation("scatter", root=root)
    assert driven([listener], [parts], [listener])[0] == [[("x",)], [("y",)], [("z",)]]
    hearer = Operation("bcast", root=root)
    assert driven([hearer], [Operation("bcast", ("a",), root=root)], [hearer])[0] == [[("a",)]] * 3
    swaps = [[Operation("alltoall", tuple(f"{r}{to}" for to in range(3)))] for r in range(3)]
    assert driven(*swaps)[0] == [[("00", "10", "20")], [("01", "11", "21")], [("02", "12", "22")]]
    assert driven([BARRIER], [BARRIER])[0] == [[()], [()]]


def test_one_rank_alone_is_through_every_collective_at_once():
    alone = [Operation(kind, ("a",)) for kind in ("bcast", "scatter", "gather", "allgather", "allreduce")]
    got, router = driven([*alone, Operation("alltoall", ("a",)), BARRIER])
    assert got == [[("a",)] * 6 + [()]]
    assert (router.bytes_sent, router.messages, router.seconds) == ([0], [0], [0.0])


def test_post_says_who_is_done_and_only_then():
    router = Router(3, len)
    assert router.post(2, recv(0)) == []
    assert router.waiting == [2]
    assert router.post(0, send("a", 2)) == [(0, ()), (2, ("a",))]
    assert router.waiting == []


# What is counted


@pytest.mark.parametrize(
    ("operations", "messages", "bytes_sent", "seconds"),
    [
        pytest.param([[send("a" * 20, 1)], [recv()]], [1, 0], [20, 0], [3, 3], id="send"),
        pytest.param(
            [[sendrecv("a" * 20, 1)], [sendrecv("b" * 10, 0)]], [1, 1], [20, 10], [3, 3], id="both-at-once"
        ),
        pytest.param([[BARRIER]] * 4, [2] * 4, [0] * 4, [2] * 4, id="barrier-of-4"),
        pytest.param([[BARRIER]] * 5, [3] * 5, [0] * 5, [3] * 5, id="barrier-of-5"),
        pytest.param(
            [[Operation("bcast", root=1)], [Operation("bcast", ("a" * 20,), root=1)]]
            + [[Operation("bcast", root=1)]] * 3,
            [0, 4, 0, 0, 0],
            [0, 80, 0, 0, 0],
            [3 * (1 + 2)] * 5,
            id="bcast",
        ),
        pytest.param(
            [
                [Operation("scatter", root=1)],
                [Operation("scatter", ("a", "b" * 50, "c" * 19), root=1)],
                [Operation("scatter", root=1)],
            ],
            [0, 2, 0],
            [0, 20, 0],
            [2 + 20 / 10] * 3,
            id="scatter",
        ),
        pytest.param(
            [[Operation("gather", ("a" * size,), root=1)] for size in (10, 50, 20)],
            [1, 0, 1],
            [10, 0, 20],
            [2 + 30 / 10] * 3,
            id="gather",
        ),
        pytest.param(
            each("allgather", "a" * 10, "b" * 20, "c" * 30, ""),
            [3] * 4,
            [30, 60, 90, 0],
            [3 * (1 + 30 / 10)] * 4,
            id="allgather",
        ),
        pytest.param(
            each("allreduce", "a" * 10, "b" * 10, "c" * 10),
            [4] * 3,
            [14] * 3,
            [pytest.approx(4 * (1 + 10 / (3 * 10)))] * 3,
            id="allreduce",
        ),
        pytest.param(
            [[Operation("alltoall", ("a" * 90, "b" * 10))], [Operation("alltoall", ("c" * 30, "d" * 70))]],
            [1, 1],
            [10, 30],
            [1 + 30 / 10] * 2,
            id="alltoall",
        ),
    ],
)
def test_messages_bytes_and_seconds_of_an_operation(operations, messages, bytes_sent, seconds):
    _, router = driven(*operations)
    assert router.messages == messages
    assert router.bytes_sent == bytes_sent
    assert router.seconds == seconds


def test_work_moves_one_clock_and_counts_no_message():
    _, router = driven([Operation("work", amount=6)], [])
    assert (router.seconds, router.messages) == ([3.0, 0.0], [0, 0])


def test_a_message_starts_when_both_are_there():
    _, router = driven([Operation("work", amount=8), send("a" * 10, 1)], [recv()], [])
    assert router.seconds == [6.0, 6.0, 0.0]
    _, router = driven([send("a" * 10, 1)], [Operation("work", amount=8), recv()], [])
    assert router.seconds == [6.0, 6.0, 0.0]


def test_a_sendrecv_ends_with_the_later_of_its_halves():
    early = [sendrecv("a" * 10, 1, 2)]
    _, router = driven(early, [recv(0)], [Operation("work", amount=20), send("b" * 10, 0)])
    assert router.seconds == [12.0, 2.0, 12.0]


def test_a_collective_starts_when_its_last_rank_arrives():
    _, router = driven([BARRIER], [Operation("work", amount=20), BARRIER])
    assert router.seconds == [11.0, 11.0]


@pytest.mark.parametrize(
    "numbers",
    [{"latency": -1.0}, {"bandwidth": 0.0}, {"multiply": float("nan")}, {"bandwidth": float("inf")}],
)
def test_a_machine_that_can_t_be_is_refused(numbers):
    with pytest.raises(ValueError, match=f"{next(iter(numbers))} is .*: expected a finite number"):
        Machine(**numbers)


# What can't go on


def deadlock(*scripts: list[Operation]) -> str:
    with pytest.raises(Deadlock) as caught:
        driven(*scripts)
    return str(caught.value)


def test_a_ring_that_sends_first_deadlocks():
    ring = [[send("a", (rank + 1) % 3), recv()] for rank in range(3)]
    assert deadlock(*ring) == (
        "deadlock: rank 0 waits in send to rank 1; rank 1 waits in send to rank 2, "
        "rank 2 waits in send to rank 0"
    )


def test_a_collective_that_some_never_reach_deadlocks():
    reduce = Operation("allreduce", ("a",))
    text = deadlock([], [sendrecv("b", 2, 0)], [reduce], [sendrecv("d", 0, 2)])
    assert text == (
        "deadlock: rank 2 waits in allreduce; rank 0 ended, ranks 1 and 3 wait in sendrecv "
        "(rank 1 to rank 2 and from rank 0, rank 3 to rank 0 and from rank 2)"
    )


def test_of_a_sendrecv_the_half_that_is_not_done_is_named():
    assert deadlock([recv(1)], [sendrecv("b", 0, 0)]) == (
        "deadlock: rank 1 waits in sendrecv; rank 0 ended (rank 1 from rank 0)"
    )
    assert deadlock([send("a", 1)], [sendrecv("b", 0, 0)]) == (
        "deadlock: rank 1 waits in sendrecv; rank 0 ended (rank 1 to rank 0)"
    )


def test_a_receive_from_one_that_ended_deadlocks():
    assert deadlock([], [recv(0)], []) == "deadlock: rank 1 waits in recv from rank 0; ranks 0 and 2 ended"
    assert deadlock([recv()]) == "deadlock: rank 0 waits in recv from any rank"


def test_a_send_to_oneself_deadlocks():
    assert deadlock([send("a", 0), recv(0)]) == "deadlock: rank 0 waits in send to rank 0"


def test_tags_that_never_meet_deadlock():
    text = deadlock([send("a", 1, tag=5)], [recv(0, tag=0)])
    assert text == (
        "deadlock: rank 0 waits in send to rank 1 with tag 5; rank 1 waits in recv from rank 0 with tag 0"
    )


def test_a_receive_from_another_source_does_not_take_it():
    assert "rank 1 waits in recv from rank 2" in deadlock([send("a", 1)], [recv(2)], [])


def test_different_collectives_are_a_mismatch_as_soon_as_two_wait():
    router = Router(4, len)
    router.post(3, BARRIER)
    router.post(0, send("a", 2))
    router.post(1, BARRIER)
    with pytest.raises(
        Mismatch, match=r"^mismatch: ranks 1 and 3 wait in barrier, rank 2 waits in allgather$"
    ):
        router.post(2, Operation("allgather", ("a",)))


def test_different_roots_are_a_mismatch():
    with pytest.raises(Mismatch) as caught:
        driven([Operation("bcast", ("a",), root=0)], [Operation("bcast", ("b",), root=1)])
    assert str(caught.value) == (
        "mismatch: rank 0 waits in bcast with root 0, rank 1 waits in bcast with root 1"
    )


# Operations made of anything


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        ("send", "no operation of a rank: expected send, recv, sendrecv, bcast"),
        (Operation("reduce"), "no operation of a rank"),
        (Operation(["send"]), "no operation of a rank"),
        (Operation(np.array(["send", "recv"])), "no operation of a rank"),
        (Operation("barrier", [1]), "no operation of a rank"),
        (Operation("send", ("a",)), "dest is None: expected a rank from 0 to 2"),
        (send("a", 3), "dest is 3: expected a rank from 0 to 2"),
        (send("a", -1), "dest is -1"),
        (send("a", True), "dest is True"),
        (send("a", 1.0), "dest is 1.0"),
        (send("a", [1]), "dest is a list"),
        (recv(3), "source is 3: expected a rank from 0 to 2"),
        (recv(0, -1), "a tag is -1: expected a whole number from 0 to 32767"),
        (send("a", 1, tag=40000), "a tag is 40000"),
        (sendrecv("a", 1, "b"), "source is 'b'"),
        (Operation("gather", ("a",), root=7), "root is 7: expected a rank from 0 to 2"),
        (
            Operation("scatter", ("a", "b"), root=1),
            "scatter got 2 objects to send: expected 3, one for each rank",
        ),
        (Operation("scatter", ("a", "b", "c"), root=0), "scatter got 3 objects to send: expected 0"),
        (Operation("alltoall", ("a",)), "alltoall got 1 object to send: expected 3, one for each rank"),
        (Operation("allgather"), "allgather got 0 objects to send: expected 1"),
        (Operation("barrier", ("a",)), "barrier got 1 object to send: expected 0"),
        (Operation("work", amount=-1), "work of -1 multiply-adds: expected a number from 0 on"),
        (Operation("work", amount=float("nan")), "work of nan"),
        (Operation("work", amount=10**400), "work of 1000"),
    ],
)
def test_an_operation_that_can_t_be_is_refused_and_changes_nothing(operation, words):
    router = Router(3, len, SLOW)
    with pytest.raises(ValueError, match=words):
        router.post(1, operation)
    assert router.waiting == []
    router.post(0, send("a", 1))
    assert router.post(1, recv(0)) == [(0, ()), (1, ("a",))]


def test_a_rank_that_waits_or_has_ended_asks_for_nothing():
    router = Router(2, len)
    router.post(0, recv(1))
    with pytest.raises(ValueError, match="rank 0 can't ask for more"):
        router.post(0, BARRIER)
    router.end(1)
    with pytest.raises(ValueError, match="rank 1 can't ask for more"):
        router.post(1, send("a", 0))


def test_whatever_ranks_ask_for_the_router_refuses_matches_or_names_it():
    draw = random.Random(5)
    junk = [
        None,
        -1,
        0,
        1,
        2,
        3,
        2**70,
        True,
        1.5,
        float("nan"),
        float("inf"),
        "a",
        b"a",
        (),
        ("a",),
        ["a"],
        {},
    ]
    junk += [("a", "b", "c"), object(), ("",) * 5]
    likely = {"payloads": [(), ("a",), ("a", "b", "c")], "kind": KINDS}
    outcomes = set()
    for _ in range(300):
        router = Router(3, len, SLOW)
        for _ in range(60):
            values = {
                field.name: draw.choice(
                    likely[field.name] if field.name in likely and draw.random() < 0.9 else junk
                )
                for field in fields(Operation)
                if field.name in likely or draw.random() < 0.3
            }
            try:
                for _, payloads in router.post(draw.randrange(3), Operation(**{"dest": 1, **values})):
                    assert all(type(payload) is str for payload in payloads)
                outcomes.add("taken")
            except ValueError:
                outcomes.add("refused")
            except Mismatch:
                outcomes.add("mismatch")
                break
        assert all(0 <= seconds < float("inf") for seconds in router.seconds)
        if len(router.waiting) == 3:
            assert str(router.deadlock()).startswith("deadlock: ")
            outcomes.add("deadlock")
    assert outcomes == {"taken", "refused", "mismatch", "deadlock"}
