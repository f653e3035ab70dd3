"""A class without names: what an anonymous report is made from.

Whatever goes in is copied by a list of what may go out: known words, numbers, and the lesson's own names.
Nothing that a student wrote or is called is on that list.
"""

from __future__ import annotations

import builtins
import dataclasses
import re
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from autograder.classroom.class_report.gathering import ClassData, Handed, Verdict
from autograder.classroom.results import DAMAGED, GRADER_ERROR
from autograder.exercise import Outcome
from autograder.judging.questions import known_answers
from autograder.library import Library
from autograder.sandbox.isolation import BASE, NAMESPACES, PROCESSES

#: Stands for an answer that is none of the known ones.
OTHER = "another answer"
RAISED = re.compile(r"(?:\braises|^Its cell ended with) (\w+)")
LAYERS = (*BASE, NAMESPACES, PROCESSES)

Draw = Callable[[list[int]], None]


def masked(data: ClassData, shuffle: Draw | None = None) -> ClassData:
    """`data` with numbers for names. The numbers are drawn anew each time, from the system's randomness, and
    kept nowhere: they follow neither the alphabet nor the order of handing in, and nothing leads back.
    Everything is in the order of the numbers."""
    numbers = list(range(1, len(data.names) + 1))
    (shuffle or secrets.SystemRandom().shuffle)(numbers)
    labels = {name: f"student {number}" for name, number in zip(sorted(data.names), numbers, strict=True)}
    return ClassData(
        tuple(_handed(handed, labels) for handed in data.lessons),
        {labels[name]: "" for name in sorted(labels, key=lambda name: _number(labels[name]))},
    )


def _handed(handed: Handed, labels: Mapping[str, str]) -> Handed:
    standings, waiting = handed.standings, handed.waiting
    return Handed(
        handed.hidden,
        tuple(
            sorted(
                (_verdict(verdict, handed.hidden, labels) for verdict in handed.verdicts),
                key=lambda verdict: _number(verdict["student"]),
            )
        ),
        None
        if standings is None
        else {
            labels[name]: dataclasses.replace(standing, timestamp=None)
            for name, standing in standings.items()
            if name in labels
        },
        None
        if waiting is None
        else {labels[name]: cells for name, cells in waiting.items() if name in labels},
        tuple(sorted((labels[name] for name in handed.ungraded if name in labels), key=_number)),
        tuple(sorted((labels[name] for name in handed.absent), key=_number)),
    )


def _number(label: str) -> int:
    return int(label.rpartition(" ")[2])


def _verdict(verdict: Verdict, hidden: Library, labels: Mapping[str, str]) -> dict[str, Any]:
    student = labels[verdict["student"]]
    if "error" in verdict:
        kind = verdict.get("kind")
        known = kind if kind in (DAMAGED, GRADER_ERROR) else ""
        said = "the grader failed" if kind == GRADER_ERROR else "the file could not be read or mended"
        return {"student": student, "lesson": hidden.lesson, "error": said, "kind": known}
    places = {*hidden.free_texts, *(f"test_{name}" for name in (*hidden.exercises, *hidden.questions))}
    return {
        "student": student,
        "lesson": hidden.lesson,
        **{name: float(verdict[name]) for name in ("score", "max_score", "seconds")},
        **({"cells_seconds": float(verdict["cells_seconds"])} if "cells_seconds" in verdict else {}),
        "needs_manual": [name for name in verdict["needs_manual"] if name in places],
        "exercises": {
            name: _exercise(found, name, hidden)
            for name, found in verdict["exercises"].items()
            if name in hidden.exercises
        },
        "questions": {
            name: _question(found, name, hidden)
            for name, found in verdict["questions"].items()
            if name in hidden.questions
        },
        "sandbox": [layer for layer in LAYERS if layer in verdict["sandbox"]],
        "stopped": [_stop(stop, hidden) for stop in verdict.get("stopped", ())],
        "other_release": "another release" if verdict.get("other_release") else None,
    }


def _judged(found: Verdict) -> dict[str, Any]:
    score = found["score"]
    return {
        "outcome": Outcome(found["outcome"]).value,
        "score": None if score is None else float(score),
        "max_score": float(found["max_score"]),
        "message": _message(str(found["message"])),
    }


def _message(message: str) -> str:
    """Of what a student's code said, the name of the exception, where it is one of Python's own."""
    found = RAISED.search(message)
    kind = getattr(builtins, found[1], None) if found else None
    known = isinstance(kind, type) and issubclass(kind, BaseException)
    return f"raises {kind.__name__}" if known and kind else ""


def _exercise(found: Verdict, name: str, hidden: Library) -> dict[str, Any]:
    mistakes = {known.name for known in hidden.exercises[name].misconceptions}
    known = found["misconception"] if found["misconception"] in mistakes else None
    carried = found["carried_from"] if found["carried_from"] in hidden.exercises else None
    return {**_judged(found), "misconception": known, "carried_from": carried, "aspects": {}}


def _question(found: Verdict, name: str, hidden: Library) -> dict[str, Any]:
    judged = _judged(found)
    if "answer" not in found:
        return judged
    answer = found["answer"]
    is_known = answer in {*known_answers(hidden.questions[name]), *hidden.questions[name].options}
    return {**judged, "answer": None if answer is None else answer if is_known else OTHER}


def _stop(stop: Mapping[str, str], hidden: Library) -> dict[str, str]:
    known = {*hidden.exercises, *hidden.questions}
    cell = stop["cell"] if stop["cell"] in known else "another cell"
    return {"cell": cell, "why": "out of time, or its process ended"}
