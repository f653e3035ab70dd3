"""What the judge says: one verdict for each exercise and question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from autograder.exercise import Outcome


@dataclass(frozen=True)
class AspectVerdict:
    """One aspect of an exercise. `message` names what was off, never an expected value of a hidden case."""

    name: str
    outcome: Outcome
    score: float
    max_score: float
    message: str = ""

    def to_json(self) -> dict[str, Any]:
        return {"outcome": self.outcome.value, "score": self.score, "max_score": self.max_score}


@dataclass(frozen=True)
class Evidence:
    """The first case that went wrong, as the student may see it: its inputs and their own answer, on ranks
    the list of each rank's."""

    aspect: str
    inputs: tuple[tuple[str, Any], ...]
    answer: Any
    raised: str | None = None
    on_ranks: bool = False


@dataclass(frozen=True)
class ExerciseVerdict:
    """One exercise. `score` is None when the grader itself failed: a person must decide."""

    name: str
    outcome: Outcome
    score: float | None
    max_score: float
    message: str = ""
    misconception: str | None = None
    hint: str | None = None
    carried_from: str | None = None
    aspects: tuple[AspectVerdict, ...] = ()
    evidence: Evidence | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "outcome": self.outcome.value,
            "score": self.score,
            "max_score": self.max_score,
            "misconception": self.misconception,
            "carried_from": self.carried_from,
            "message": self.message,
            "aspects": {aspect.name: aspect.to_json() for aspect in self.aspects},
        }


@dataclass(frozen=True)
class QuestionVerdict:
    """One question. `score` is None when the grader itself failed; `answer` is what the student answered,
    in a short line, None where that is nothing of the form that was asked for."""

    name: str
    outcome: Outcome
    score: float | None
    max_score: float
    message: str = ""
    answer: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "outcome": self.outcome.value,
            "score": self.score,
            "max_score": self.max_score,
            "message": self.message,
            "answer": self.answer,
        }


Verdict = ExerciseVerdict | QuestionVerdict
