"""Simulated ranks: what a function sees through `comm`, and what is left of a run that goes wrong."""

from __future__ import annotations

import contextlib
import contextvars
import itertools
import os
import signal
import threading
import time
from collections import namedtuple

import numpy as np
import pytest

from attention_lib.ranks import (
    ANY_SOURCE,
    ANY_TAG,
    MAX,
    SUM,
    Comm,
    Deadlock,
    Machine,
    Mismatch,
    payload_bytes,
    run,
)

#: Threads that nothing can end, and that a test means to leave.
stuck: set[threading.Thread] = set()


@pytest.fixture(autouse=True)
def _no_thread_is_left_behind():
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) - before <= stuck


def ring(comm, x, steps):
    for _ in range(steps):
        x = comm.sendrecv(x, (comm.rank + 1) % comm.size, source=(comm.rank - 1) % comm.size)
    return x


# What each rank gets


def test_each_rank_knows_its_number_and_how_many_there_are():
    ranks = run(3, lambda comm: (comm.rank, comm.size, comm.Get_rank(), comm.Get_size(), repr(comm)))
    assert ranks == [(rank, 3, rank, 3, f"<rank {rank} of 3>") for rank in range(3)]


def test_results_are_a_list_by_rank_with_what_was_counted():
    machine = Machine(latency=1.0, bandwidth=8.0, multiply=0.25)

    def program(comm, x):
        comm.work(4 * comm.rank)
        return comm.sendrecv(x + comm.rank, 1 - comm.rank)

    results = run(2, program, np.zeros(2), machine=machine)
    assert [result.tolist() for result in results] == [[1, 1], [0, 0]]
    assert (results.bytes_sent, results.messages, results.seconds) == ([16, 16], [1, 1], [4.0, 4.0])


def test_messages_find_their_way():
    def program(comm):
        if comm.rank == 0:
            comm.send("first", 1, tag=7)
            comm.send("second", dest=1, tag=8)
            return comm.recv()
        received = [comm.recv(source=0, tag=7), comm.recv(None, ANY_SOURCE, ANY_TAG)]
        comm.send(received, dest=0)
        return received

    assert run(2, program) == [["first", "second"]] * 2


def test_collectives_give_what_mpi4py_s_give():
    def program(comm):
        mine = f"from {comm.rank}"
        return {
            "bcast": comm.bcast(mine, root=1),
            "scatter": comm.scatter(["a", "b", "c"] if comm.rank == 2 else None, root=2),
            "gather": comm.gather(mine, root=1),
            "allgather": comm.allgather(mine),
            "alltoall": comm.alltoall([f"{comm.rank} to {to}" for to in range(3)]),
            "barrier": comm.barrier(),
        }

    every = ["from 0", "from 1", "from 2"]
    for rank, got in enumerate(run(3, program)):
        assert got == {
            "bcast": "from 1",
            "scatter": "abc"[rank],
            "gather": every if rank == 1 else None,
            "allgather": every,
            "alltoall": [f"{sender} to {rank}" for sender in range(3)],
            "barrier": None,
        }


def test_an_array_can_be_cut_by_its_rows_for_a_scatter():
    rows = np.arange(6).reshape(3, 2)
    assert [row.tolist() for row in run(3, lambda comm: comm.scatter(rows, root=0))] == rows.tolist()


def test_an_allreduce_combines_neighbours_by_two():
    def joined(comm):
        return comm.allreduce(str(comm.rank), op=lambda a, b: f"({a}{b})")

    assert run(1, joined) == ["0"]
    assert run(3, joined) == ["((01)2)"] * 3
    assert run(5, joined) == ["(((01)(23))4)"] * 5


def test_sums_and_maxima_are_elementwise_and_of_the_kind_that_came():
    x = np.array([[1.0, 5.0], [np.nan, 2.0]])
    assert np.array_equal(MAX(x, x[::-1]), [[np.nan, 5], [np.nan, 5]], equal_nan=True)
    assert SUM(x, 1)[0].tolist() == [2, 6]
    assert [(type(value), value) for value in (SUM(2, 3), MAX(2, 3), MAX(2.5, -1.0), SUM(True, True))] == [
        (int, 5),
        (int, 3),
        (float, 2.5),
        (int, 2),
    ]
    assert MAX(np.float32(1), np.float32(2)).dtype == np.float32
    assert run(3, lambda comm: comm.allreduce(comm.rank)) == [3] * 3
    assert run(3, lambda comm: comm.allreduce(-comm.rank, op=MAX)) == [0] * 3


@pytest.mark.parametrize("op", [SUM, MAX])
@pytest.mark.parametrize("value", [(1.0, 2.0), [1.0], "a", None])
def test_a_list_or_a_text_is_neither_added_nor_compared(op, value):
    # mpi4py's own sum would join them end to end
    with pytest.raises(TypeError, match=f"takes arrays and numbers, and a {type(value).__name__} came"):
        run(2, lambda comm: comm.allreduce(value, op=op))


def test_numpy_s_whole_numbers_are_ranks_too():
    def program(comm):
        other = np.int64(1 - comm.rank)
        return comm.sendrecv(comm.rank, other, source=other, sendtag=np.int8(3), recvtag=np.int8(3))

    assert run(np.int64(2), program) == [1, 0]


# No memory is shared


def test_no_two_ranks_hold_the_same_memory():
    def program(comm):
        x = np.full(3, float(comm.rank))
        arrays = [x, comm.sendrecv(x, 1 - comm.rank), comm.bcast({"x": [x]})["x"][0]]
        arrays += [item[0] for item in comm.allgather((x,))] + comm.alltoall([x, x])
        arrays += [comm.scatter([x, x]), comm.allreduce(x, op=lambda a, b: a), *(comm.gather(x) or [])]
        return arrays

    results = run(2, program)
    assert [[array[0] for array in arrays] for arrays in results] == [
        [0, 1, 0, 0, 1, 0, 1, 0, 0, 0, 1],
        [1, 0, 0, 0, 1, 0, 1, 0, 0],
    ]
    for one, other in itertools.combinations(results[0] + results[1], 2):
        assert not np.shares_memory(one, other)


def test_what_was_sent_may_be_overwritten():
    def program(comm, x):
        if comm.rank == 0:
            comm.send(x, 1)
            x[:] = -1.0  # rank 1 has it, but still waits for its own message to go
            comm.send(None, 2)
        elif comm.rank == 1:
            return comm.sendrecv("b", 2, source=0).tolist()
        else:
            comm.recv(source=0)
            comm.recv(source=1)

    assert run(3, program, np.ones(2))[1] == [1.0, 1.0]


def test_each_rank_has_its_own_copy_of_the_arguments():
    mine = np.zeros(2)

    def program(comm, x, nested):
        x += comm.rank + 1
        nested[0]["x"] += 10 * comm.rank
        comm.barrier()
        return x.tolist(), nested[0]["x"].tolist()

    nested = ({"x": np.zeros(1)},)
    assert run(3, program, mine, nested) == [([rank + 1] * 2, [10 * rank]) for rank in range(3)]
    assert mine.tolist() == [0, 0]
    assert nested[0]["x"] == 0


# The caller's settings


def test_the_caller_s_numpy_settings_and_context_hold_in_the_ranks():
    depth = contextvars.ContextVar("depth", default=0)
    depth.set(3)

    def program(comm):
        comm.barrier()
        depth.set(comm.rank)
        return np.geterr()["over"], depth.get()

    with np.errstate(over="raise"):
        assert run(2, program) == [("raise", 0), ("raise", 1)]
    assert depth.get() == 3


def test_ranks_take_turns_and_print_in_the_same_order_every_time(capsys):
    def program(comm):
        for step in range(3):
            print(step, comm.rank)
            ring(comm, step, 2)

    run(3, program)
    first = capsys.readouterr().out
    assert first.startswith("0 0\n0 1\n0 2\n")
    for _ in range(5):
        run(3, program)
        assert capsys.readouterr().out == first


# What goes wrong


def test_a_rank_that_raises_ends_the_others_with_its_error():
    unwound = []

    def program(comm):
        if comm.rank == 2:
            comm.recv(source=3)
            raise KeyError("lost")
        try:
            comm.send(None, 2) if comm.rank == 3 else comm.barrier()
            comm.barrier()
        finally:
            unwound.append(comm.rank)

    with pytest.raises(KeyError, match="lost") as caught:
        run(4, program)
    assert caught.value.__notes__ == ["on rank 2 of 4"]
    assert unwound == [0, 1, 3]


def test_a_rank_can_t_catch_its_end_as_an_exception():
    caught = []

    def program(comm):
        if comm.rank == 1:
            raise ValueError("mine")
        try:
            comm.barrier()
        except Exception as error:
            caught.append(error)

    with pytest.raises(ValueError, match="mine"):
        run(2, program)
    assert caught == []


def test_a_deadlock_is_named_at_once():
    def program(comm):
        comm.send(comm.rank, (comm.rank + 1) % comm.size)
        return comm.recv()

    start = time.perf_counter()
    with pytest.raises(
        Deadlock, match=r"^deadlock: rank 0 waits in send to rank 1; rank 1 waits in send to rank 2"
    ):
        run(3, program)
    assert time.perf_counter() - start < 2


def test_a_mismatch_is_named():
    with pytest.raises(Mismatch, match="rank 0 waits in allreduce, rank 1 waits in allgather"):
        run(2, lambda comm: comm.allgather(1) if comm.rank else comm.allreduce(1))


def test_a_rank_that_catches_everything_is_left_behind_standing_still():
    def program(comm):
        while comm.rank == 0:
            with contextlib.suppress(BaseException):
                comm.recv()

    before = set(threading.enumerate())
    start = time.perf_counter()
    with pytest.raises(Deadlock):
        run(2, program)
    assert time.perf_counter() - start < 2
    stuck.update(set(threading.enumerate()) - before)
    assert [thread.daemon for thread in stuck] == [True]
    used = time.process_time()
    time.sleep(0.2)
    assert time.process_time() - used < 0.1


def test_an_interrupt_ends_a_rank_that_reckons_for_ever():
    def program(comm):
        comm.barrier()
        if comm.rank == 1:
            os.kill(os.getpid(), signal.SIGINT)
            while True:
                pass

    with pytest.raises(KeyboardInterrupt):
        run(3, program)


def test_comm_is_of_no_use_when_its_function_has_ended():
    kept = run(2, lambda comm: [comm])[0][0]
    with pytest.raises(RuntimeError, match="this comm is for rank 0 of 2 alone, while its function runs"):
        kept.barrier()


def test_a_rank_may_run_ranks_itself():
    def outer(comm):
        return comm.allreduce(sum(run(2, lambda inner: inner.allreduce(1))))

    assert run(3, outer) == [12] * 3


@pytest.mark.parametrize("size", [0, -1, 2.0, "2", None])
def test_a_number_of_ranks_that_can_t_be_is_refused(size):
    with pytest.raises(ValueError, match=r"world_size is .*: expected a whole number from 1 on"):
        run(size, ring, 0, 1)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda comm: comm.send(1, 2), ValueError, "dest is 2: expected a rank from 0 to 1"),
        (lambda comm: comm.sendrecv(1, "a"), ValueError, "dest is 'a': expected a rank"),
        (lambda comm: comm.recv(source=-3), ValueError, "source is -3: expected a rank from 0 to 1"),
        (lambda comm: comm.recv(source=None), ValueError, "a source or tag is None: expected a whole number"),
        (lambda comm: comm.recv(0), TypeError, "recv got buf=0: it stays None here"),
        (lambda comm: comm.sendrecv(1, 0, 0, 1), TypeError, "sendrecv got recvbuf=1"),
        (lambda comm: comm.send(1, 0, tag=-1), ValueError, "a tag is -1: expected a whole number from 0"),
        (lambda comm: comm.bcast(1, root=2), ValueError, "root is 2: expected a rank from 0 to 1"),
        (
            lambda comm: comm.scatter([1], root=comm.rank),
            ValueError,
            "scatter got 1 object to send: expected 2",
        ),
        (
            lambda comm: comm.scatter(None, root=comm.rank),
            TypeError,
            "scatter got a NoneType: expected a list",
        ),
        (
            lambda comm: comm.alltoall([1, 2, 3]),
            ValueError,
            "alltoall got 3 objects to send: expected 2, one for",
        ),
        (lambda comm: comm.allreduce(1, op="max"), TypeError, "op is 'max': expected MAX, SUM or a function"),
        (lambda comm: comm.work(-1), ValueError, "work of -1 multiply-adds"),
        (lambda comm: comm.allgather({1}), TypeError, "a set can't be sent: expected numbers, arrays, text"),
        (lambda comm: comm.allgather([object()]), TypeError, "an object can't be sent"),
    ],
)
def test_what_can_t_be_is_refused_where_it_is_asked_for(call, error, words):
    def program(comm):
        with pytest.raises(error, match=words):
            call(comm)
        return comm.allreduce(1)

    assert run(2, program) == [2, 2]


@pytest.mark.parametrize("name", ["isend", "Send", "Allreduce", "reduce", "Barrier"])
def test_a_method_that_there_is_not_names_those_that_there_are(name):
    with pytest.raises(
        AttributeError, match=f"comm has no {name}: it has rank, size, .*, alltoall, barrier, work"
    ):
        run(1, lambda comm: getattr(comm, name))


def test_the_error_names_every_public_method():
    public = {name for name in vars(Comm) if not name.startswith("_")}
    with pytest.raises(AttributeError) as caught:
        _ = Comm(0, 1, lambda operation: ()).isend
    assert set(str(caught.value).partition("it has ")[2].split(", ")) == public


# What an object counts as


@pytest.mark.parametrize(
    ("value", "size"),
    [
        (None, 0),
        (True, 8),
        (3, 8),
        (2.5, 8),
        ("grün", 5),
        (b"abc", 3),
        (np.zeros((3, 4), dtype=np.float32), 48),
        (np.zeros((0, 7)), 0),
        (np.float16(1), 2),
        (np.array(1.0), 8),
        ((np.zeros(2), [1, None], {"ab": 2.0}), 16 + 8 + 2 + 8),
    ],
)
def test_bytes_of_what_is_sent(value, size):
    assert payload_bytes(value) == size


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.array([None]), "an array of dtype object can't be sent: expected bool, int or float"),
        (np.zeros(2, dtype=complex), "an array of dtype complex128"),
        (1j, "a complex can't be sent"),
        ({1: 2}, "a dict whose keys are no text can't be sent"),
        (namedtuple("Part", "m l")(1, 2), "a Part can't be sent"),
        (np.ma.masked_array([1.0]), "a MaskedArray can't be sent"),
        (range(3), "a range can't be sent"),
        (print, "a builtin_function_or_method can't be sent"),
    ],
)
def test_only_plain_data_is_sent(value, words):
    with pytest.raises(TypeError, match=words):
        payload_bytes([1, (value,)])


def test_a_message_costs_little_time():
    run(8, ring, 0, 10)
    start = time.process_time()
    assert run(8, ring, 0, 1000).messages == [1000] * 8
    assert time.process_time() - start < 2  # 0.2 on an idle core
