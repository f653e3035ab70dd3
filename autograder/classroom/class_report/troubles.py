"""Time and trouble: how long a lesson's submissions took, and which of them a person should look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from autograder.classroom.class_report.gathering import Handed, Verdict
from autograder.classroom.class_report.masking import RAISED
from autograder.classroom.class_report.statistics import Spread, spread
from autograder.exercise import Outcome
from autograder.sandbox.isolation import BASE, NAMESPACES, PROCESSES
from autograder.wording import one_line

#: Of a reason, which may quote what a student wrote.
MOST_CHARACTERS = 200
SLOWEST = 5


@dataclass(frozen=True)
class Trouble:
    """Submissions, or a part of them, that a person should look at for the same reason."""

    students: tuple[str, ...]
    what: str
    why: str


@dataclass(frozen=True)
class Slow:
    """A submission that took long: `cells` are the seconds of its own cells, None where nobody knows."""

    student: str
    seconds: float
    cells: float | None


@dataclass(frozen=True)
class Raised:
    """An exercise or question whose code raised, by the name of the exception."""

    item: str
    kind: str
    count: int


@dataclass(frozen=True)
class Troubles:
    """The time and the troubles of one lesson. `ungraded` to `unheld` want a person."""

    seconds: Spread | None
    slowest: tuple[Slow, ...]
    ungraded: tuple[Trouble, ...]
    grader_errors: tuple[Trouble, ...]
    stopped: tuple[Trouble, ...]
    unheld: tuple[Trouble, ...]
    weaker_sandbox: tuple[Trouble, ...]
    other_release: tuple[Trouble, ...]
    raised: tuple[Raised, ...]


def troubles(handed: Handed) -> Troubles:
    """The time and the troubles of a lesson. What a person has scored since is left out."""
    graded = handed.graded
    lacking = [(each["student"], _missing_from(each, BASE)) for each in graded]
    held = [each for each in graded if not _missing_from(each, BASE)]
    weaker = [(each["student"], _missing_from(each, (NAMESPACES, PROCESSES))) for each in held]
    return Troubles(
        spread([float(each["seconds"]) for each in graded]),
        _slowest(graded),
        _grouped(
            (each["student"], str(each.get("kind", "")).replace("_", " "), str(each["error"]))
            for each in handed.verdicts
            if "error" in each and handed.is_waiting(each["student"])
        ),
        _grouped(
            (student, name, why)
            for student, name, why in _with_outcome(graded, Outcome.GRADER_ERROR)
            if handed.is_waiting(student, f"test_{name}")
        ),
        _grouped(_stopped(graded)),
        _grouped((student, ", ".join(layers), "--unsafe") for student, layers in lacking if layers),
        _grouped((student, ", ".join(layers), "") for student, layers in weaker if layers),
        _grouped(
            (each["student"], str(each["other_release"]), "") for each in graded if each.get("other_release")
        ),
        _raised(graded),
    )


def _grouped(found: Iterable[tuple[str, str, str]]) -> tuple[Trouble, ...]:
    """(student, what, why) with the students of one what and why together, in the order of the first."""
    groups: dict[tuple[str, str], list[str]] = {}
    for student, what, why in found:
        groups.setdefault((what, one_line(why, MOST_CHARACTERS)), []).append(student)
    return tuple(Trouble(tuple(students), what, why) for (what, why), students in groups.items())


def _with_outcome(graded: Sequence[Verdict], outcome: Outcome) -> list[tuple[str, str, str]]:
    return [
        (verdict["student"], name, str(found["message"]))
        for verdict in graded
        for kind in ("exercises", "questions")
        for name, found in verdict[kind].items()
        if found["outcome"] == outcome
    ]


def _stopped(graded: Sequence[Verdict]) -> list[tuple[str, str, str]]:
    """Time-outs and dead processes, in a cell or while a function was asked."""
    cells = [
        (verdict["student"], str(stop["cell"]), str(stop["why"]))
        for verdict in graded
        for stop in verdict.get("stopped", ())
    ]
    return sorted(cells + _with_outcome(graded, Outcome.TIMED_OUT), key=lambda found: _as_number(found[0]))


def _as_number(student: str) -> tuple[str, int]:
    """`student 9` comes before `student 10`."""
    name, _, number = student.rpartition(" ")
    return (name, int(number)) if number.isdecimal() and number.isascii() else (student, 0)


def _missing_from(verdict: Verdict, layers: Iterable[str]) -> tuple[str, ...]:
    return tuple(name for name in layers if name not in verdict["sandbox"])


def _slowest(graded: Sequence[Verdict]) -> tuple[Slow, ...]:
    found = [Slow(each["student"], float(each["seconds"]), each.get("cells_seconds")) for each in graded]
    return tuple(sorted(found, key=lambda slow: -slow.seconds)[:SLOWEST])


def _raised(graded: Sequence[Verdict]) -> tuple[Raised, ...]:
    """The exceptions that answers ended with, by item; of one that said no name, that it ended otherwise."""
    counts: Counter[tuple[str, str]] = Counter()
    for _, name, message in _with_outcome(graded, Outcome.ERRORED):
        found = RAISED.search(message)
        counts[name, one_line(found[1], 60) if found else "ended its process, or failed otherwise"] += 1
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple(Raised(item, kind, count) for (item, kind), count in ordered)
