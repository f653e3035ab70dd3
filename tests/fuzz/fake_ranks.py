"""Ranks that ask for anything: the router and what the judge makes of messages are real, the processes are
lists of messages."""

from __future__ import annotations

from typing import Any, NoReturn

from attention_lib.routing import Deadlock, Mismatch, Router, drive
from autograder.judging.rank_processes import Ended, Port
from autograder.sandbox import wire
from autograder.sandbox.outcomes import ChildDied
from autograder.sandbox.script import Returned

RANKS = 3


class Scripted:
    """In the place of a child: says one message after another, and returns at the end."""

    def __init__(self, said: list[Any]) -> None:
        self.said = said
        self.told: list[list[bytes]] = []

    def ask_on_rank(self, rank: int, size: int, script: Any) -> None:
        return None

    def heard(self, script: Any, clock: None) -> Any:
        return self.said.pop(0) if self.said else [Returned(None, ("comm",))]

    def tell(self, content: list[bytes], clock: None) -> None:
        self.told.append(content)

    def a_moment(self) -> None:
        return None

    def refuse(self, how: str) -> NoReturn:
        raise ChildDied(how)


def talk(messages: list[Any]) -> tuple[list[Scripted], Router, Exception | None]:
    """Let three ranks say `messages`, dealt in turn; the children, the router, and how it ended."""
    children = [
        Scripted([each for each in messages[rank::RANKS] if isinstance(each, tuple)]) for rank in range(RANKS)
    ]
    router = Router(RANKS, lambda parcel: parcel.bytes)
    try:
        drive([Port(child, rank, RANKS, ()) for rank, child in enumerate(children)], router)  # type: ignore[arg-type]
    except (Deadlock, Mismatch, ChildDied, Ended) as ended:
        return children, router, ended
    return children, router, None


def operation(kind: str, *payloads: Any, **where: Any) -> tuple[Any, ...]:
    """The message that asks for an operation."""
    ends = [where.get(name) for name in ("dest", "source")]
    tags = [where.get("sendtag", 0), where.get("recvtag"), where.get("root", 0)]
    return (kind, list(map(wire.encode, payloads)), *ends, *tags)
