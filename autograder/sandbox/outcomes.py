"""What a submission may use, and what may become of a request to its process. Trusted side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Limits:
    """What a submission may use. Seconds are CPU time of the student's process; wall time may be
    twice that and 5 s."""

    cell_seconds: float = 30
    question_seconds: float = 10
    submission_seconds: float = 300
    memory_bytes: int = 2 << 30
    answer_bytes: int = 64 << 20
    output_bytes: int = 1_000_000


class ChildDied(Exception):
    """The student's process is gone, or was killed since it broke the protocol. `killed`: by a SIGKILL
    that this side did not send, as the system does for want of memory. `caught`: this side ended it for
    what it was found to have done by then, during this request or an earlier one."""

    def __init__(self, reason: str, killed: bool = False, caught: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.killed = killed
        self.caught = caught


class SandboxLost(Exception):
    """The zygote is gone, and the student's process with it: no fault of the student's."""


class ChildTimedOut(Exception):
    """The time limit. `alive`: the interrupt worked and the child can go on; `outputs`: what the cell
    had shown by then."""

    def __init__(self, reason: str, alive: bool, outputs: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.alive = alive
        self.outputs = list(outputs)


@dataclass(frozen=True)
class CellRun:
    """What a cell left: its outputs as nbformat v4 has them, and the name of the exception that ended it."""

    outputs: list[dict[str, Any]]
    error: str | None
