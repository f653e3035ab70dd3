"""Zygotes that are shared, that die and are started again; and whose fault a death is."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autograder.sandbox.client import (
    Child,
    ChildDied,
    Layer,
    NoSandbox,
    Sandbox,
    SandboxLost,
    SharedZygote,
)

from .conftest import LIMITS


@pytest.fixture
def shared() -> Iterator[SharedZygote]:
    zygote = SharedZygote(limits=LIMITS)
    try:
        yield zygote
    finally:
        zygote.close()


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def name_of(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def zygote_above(pid: int) -> int:
    """The nearest zygote that a child comes from."""
    while name_of(pid) != "zygote":
        pid = parent_of(pid)
    return pid


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def soon(is_so: Callable[[], bool]) -> bool:
    """Whether it is so within five seconds."""
    deadline = time.monotonic() + 5
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.02)
    return is_so()


def test_a_child_that_goes_with_its_zygote_is_nobodys_fault() -> None:
    with Sandbox(limits=LIMITS) as sandbox:
        child = sandbox.child()
        os.kill(zygote_above(child.pid), signal.SIGKILL)
        assert soon(lambda: not is_running(child.pid)), "the kernel ends what a dead zygote leaves"
        with pytest.raises(SandboxLost):
            child.run_cell("x = 1")
        child.kill()


def test_a_dead_zygote_is_started_again_and_what_it_left_is_cleared() -> None:
    with Sandbox(limits=LIMITS) as sandbox:
        first = sandbox.child()
        zygote = zygote_above(first.pid)
        os.kill(zygote, signal.SIGKILL)
        with sandbox.child() as child:
            child.run_cell("x = 41 + 1")
            assert child.look("x") == 42
            assert zygote_above(child.pid) != zygote
        scratch = sandbox._own.scratch
        assert scratch.exists()
    assert not scratch.exists()


def test_a_zygote_that_dies_whenever_it_is_started_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(self: Sandbox) -> None:
        raise SandboxLost("gone")

    with Sandbox(limits=LIMITS) as sandbox:
        monkeypatch.setattr(Sandbox, "_new_child", lost)
        with pytest.raises(NoSandbox, match="3 times in a row"):
            sandbox.child()


def test_a_child_that_is_killed_before_it_is_ready_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    as_it_is, struck = Child.ready, []

    def ready(self: Child) -> list[Layer]:
        if not struck:
            struck.append(self.pid)
            self.kill()
            raise ChildDied("the process was killed")
        return as_it_is(self)

    monkeypatch.setattr(Child, "ready", ready)
    with Sandbox(limits=LIMITS) as sandbox, sandbox.child() as child:
        assert child.run_cell("x = 1").error is None
        assert struck != [child.pid]


def test_a_process_that_is_killed_from_outside_says_so_and_one_that_ends_itself_does_not(
    sandbox: Sandbox,
) -> None:
    child = sandbox.child()
    os.kill(child.pid, signal.SIGKILL)
    with pytest.raises(ChildDied) as killed:
        child.run_cell("x = 1")
    assert killed.value.killed
    with sandbox.child() as another, pytest.raises(ChildDied) as ended:
        another.run_cell("import os; os._exit(3)")
    assert not ended.value.killed


def test_those_who_share_a_zygote_get_one_each_from_it(shared: SharedZygote) -> None:
    with (
        Sandbox(limits=LIMITS, door=shared.door) as one,
        Sandbox(limits=LIMITS, door=shared.door) as other,
        one.child() as first,
        other.child() as second,
    ):
        assert one.layers == other.layers
        mine, theirs = zygote_above(first.pid), zygote_above(second.pid)
        assert mine != theirs
        assert parent_of(mine) == parent_of(theirs)
        assert name_of(parent_of(mine)) == "zygote"
        first.run_cell("x = 1")
        second.run_cell("x = 2")
        assert (first.look("x"), second.look("x")) == (1, 2)


def test_a_joined_zygote_ends_with_the_sandbox_that_joined(shared: SharedZygote) -> None:
    with Sandbox(limits=LIMITS, door=shared.door) as sandbox, sandbox.child() as child:
        zygote = zygote_above(child.pid)
    assert soon(lambda: not is_running(zygote))
    with Sandbox(limits=LIMITS, door=shared.door) as sandbox, sandbox.child() as child:
        assert zygote_above(child.pid) != zygote


def test_where_the_shared_zygote_is_gone_a_sandbox_starts_its_own(shared: SharedZygote) -> None:
    with Sandbox(limits=LIMITS, door=shared.door) as sandbox:
        child = sandbox.child()
        os.kill(parent_of(zygote_above(child.pid)), signal.SIGKILL)
        with pytest.raises(SandboxLost):
            child.run_cell("while True: pass")
        with sandbox.child() as another:
            another.run_cell("x = 1")
            assert another.look("x") == 1
            above = parent_of(zygote_above(another.pid))
            assert os.getpid() in (above, parent_of(above))


def test_a_shared_zygote_ends_when_nobody_can_join_any_more_and_leaves_nothing() -> None:
    shared = SharedZygote(limits=LIMITS)
    zygote = shared._zygote
    shared.close()
    assert not is_running(zygote.pid)
    assert not zygote.scratch.exists()
