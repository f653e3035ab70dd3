"""The seccomp program, run step by step for both processor families."""

from __future__ import annotations

import errno

import pytest

from autograder.sandbox import seccomp
from autograder.sandbox.seccomp import MACHINES, Machine

ALLOW, KILL = 0x7FFF0000, 0x80000000
OWN_PID = 4321


def refused(error: int) -> int:
    return 0x00050000 | error


def verdict(on: Machine, number: int, *arguments: int, audit: int | None = None) -> int:
    """What the kernel would do with a call: a small interpreter of BPF."""
    words = {0: number, 4: on.audit if audit is None else audit}
    for position, argument in enumerate([*arguments, *[0] * (6 - len(arguments))]):
        words[16 + 8 * position] = argument & 0xFFFFFFFF
        words[20 + 8 * position] = argument >> 32
    code = seccomp.program(OWN_PID, on)
    at = accumulator = 0
    while True:
        operation, if_true, if_false, k = code[at]
        at += 1
        match operation:
            case 0x20:
                accumulator = words[k]
            case 0x54:
                accumulator &= k
            case 0x06:
                return k
            case 0x15:
                at += if_true if accumulator == k else if_false
            case 0x25:
                at += if_true if accumulator > k else if_false
            case 0x45:
                at += if_true if accumulator & k else if_false


@pytest.fixture(params=MACHINES, ids=lambda machine: machine.name)
def on(request: pytest.FixtureRequest) -> Machine:
    return request.param


def call(on: Machine, name: str) -> int:
    table = {
        entry.split(":")[0]: entry.split(":")[1:] for entry in f"{seccomp.ALLOWED} {seccomp.SPECIAL}".split()
    }
    return int(table[name][on.column])


def test_reading_is_allowed(on: Machine) -> None:
    assert verdict(on, call(on, "read"), 3) == ALLOW


def test_a_call_of_another_architecture_kills(on: Machine) -> None:
    assert verdict(on, call(on, "read"), audit=0x40000003) == KILL


def test_calls_of_the_x32_abi_and_unknown_ones_do_not_exist(on: Machine) -> None:
    assert verdict(on, 0x40000000) == refused(errno.ENOSYS)
    assert verdict(on, seccomp.LAST_KNOWN + 1) == refused(errno.ENOSYS)


@pytest.mark.parametrize(
    ("x86_64", "aarch64"),
    [(41, 198), (59, 221), (101, 117), (321, 280), (425, 425), (310, 270), (90, 52), (76, 45)],
)
def test_forbidden_calls_are_refused(x86_64: int, aarch64: int) -> None:
    """socket, execve, ptrace, bpf, io_uring_setup, process_vm_readv, (f)chmod, truncate."""
    assert verdict(MACHINES[0], x86_64) == refused(errno.EPERM)
    assert verdict(MACHINES[1], aarch64) == refused(errno.EPERM)


def test_threads_start_and_processes_and_namespaces_do_not(on: Machine) -> None:
    thread = 0x3D0F00
    assert verdict(on, call(on, "clone"), thread) == ALLOW
    assert verdict(on, call(on, "clone"), 0x1200011) == refused(errno.EPERM)
    assert verdict(on, call(on, "clone"), thread | 0x20000000) == refused(errno.EPERM)
    assert verdict(on, call(on, "clone3")) == refused(errno.ENOSYS)


def test_signals_reach_the_process_itself_only(on: Machine) -> None:
    for name in ("kill", "tgkill", "rt_sigqueueinfo"):
        assert verdict(on, call(on, name), OWN_PID) == ALLOW
        assert verdict(on, call(on, name), 1) == refused(errno.EPERM)
        assert verdict(on, call(on, name), 0xFFFFFFFF) == refused(errno.EPERM)


def test_a_descriptor_can_not_be_made_to_signal_others(on: Machine) -> None:
    set_owner, get_flags = 8, 3
    assert verdict(on, call(on, "fcntl"), 3, set_owner) == refused(errno.EPERM)
    assert verdict(on, call(on, "fcntl"), 3, get_flags) == ALLOW


def test_reading_with_truncation_is_refused_and_writing_with_it_is_left_to_landlock(on: Machine) -> None:
    at, truncate, write = call(on, "openat"), 0x200, 1
    assert verdict(on, at, 0, 0, truncate) == refused(errno.EPERM)
    assert verdict(on, at, 0, 0, truncate | write) == ALLOW
    assert verdict(on, at, 0, 0, 0) == ALLOW


def test_only_stream_pairs_of_unix_sockets_and_no_address_to_send_to(on: Machine) -> None:
    pair, unix, inet, stream, datagram = call(on, "socketpair"), 1, 2, 1, 2
    assert verdict(on, pair, unix, stream | 0x80000) == ALLOW
    assert verdict(on, pair, unix, datagram) == refused(errno.EPERM)
    assert verdict(on, pair, inet, stream) == refused(errno.EPERM)
    assert verdict(on, call(on, "sendto"), 3, 0, 0, 0, 0) == ALLOW
    assert verdict(on, call(on, "sendto"), 3, 0, 0, 0, 1 << 40) == refused(errno.EPERM)


def test_every_number_stands_for_one_call(on: Machine) -> None:
    entries = [entry.split(":") for entry in f"{seccomp.ALLOWED} {seccomp.SPECIAL}".split()]
    numbers = [entry[1 + on.column] for entry in entries if entry[1 + on.column] != "-"]
    assert len(numbers) == len(set(numbers))
