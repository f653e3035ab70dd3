"""One lesson's part of the class report."""

from __future__ import annotations

from dataclasses import dataclass

from autograder.classroom.class_report.gathering import Handed
from autograder.classroom.class_report.items import Item, items
from autograder.classroom.class_report.mistakes import ExerciseMistakes, Mistake, mistakes, most_frequent
from autograder.classroom.class_report.options import Answers, answers
from autograder.classroom.class_report.statistics import Bin, Spread, bins, spread
from autograder.classroom.class_report.troubles import Troubles, troubles
from autograder.exercise import FreeText

#: A mistake that this share of a class makes is worth a word to all.
SHARED_BY_MANY = 0.1
MOST_DISCUSSED = 3


@dataclass(frozen=True)
class Waiting:
    """A free text that waits for a person: its prompt, its rubric, and whose answers wait."""

    name: str
    prompt: str
    rubric: tuple[tuple[float, str], ...]
    students: tuple[str, ...]


@dataclass(frozen=True)
class Scores:
    """The scores of a lesson as the gradebook has them, and of what is graded automatically alone. `open`
    counts the submissions of which a score still waits; `late` those that being late costs points."""

    spread: Spread | None
    max_score: float
    bins: tuple[Bin, ...]
    automatic: Spread | None
    max_automatic: float
    by_student: dict[str, float]
    open: int
    late: int
    penalties: float
    in_gradebook: bool


@dataclass(frozen=True)
class LessonReport:
    """What the page says about one lesson."""

    lesson: str
    handed_in: int
    graded: int
    not_graded: tuple[str, ...]
    absent: tuple[str, ...]
    scores: Scores
    items: tuple[Item, ...]
    mistakes: tuple[ExerciseMistakes, ...]
    answers: tuple[Answers, ...]
    free_texts: tuple[Waiting, ...]
    troubles: Troubles

    @property
    def texts_waiting(self) -> int:
        return sum(len(text.students) for text in self.free_texts)

    @property
    def awaiting(self) -> int:
        """The scores that a person has yet to give: of texts, and of what the grader failed on."""
        faults = sum(len(fault.students) for fault in self.troubles.grader_errors)
        return self.texts_waiting + faults + self.without_grade

    @property
    def without_grade(self) -> int:
        return sum(len(trouble.students) for trouble in self.troubles.ungraded)

    @property
    def to_look_at(self) -> tuple[tuple[str, str], ...]:
        """The items that are worth a look, each with why."""
        found = [(item.name, why) for item in self.items for why in item.worth_a_look]
        for asked in self.answers:
            if wrong := asked.misleads:
                found.append(
                    (asked.name, f"more chose {wrong.answer}, which is wrong, than the right answer")
                )
        return tuple(found)

    @property
    def to_discuss(self) -> tuple[Mistake, ...]:
        """The mistakes that many made, the most frequent first."""
        found = most_frequent(self.mistakes)
        many = [known for known in found if known.count > 1 and known.of_submissions >= SHARED_BY_MANY]
        return tuple(many[:MOST_DISCUSSED])

    @property
    def unknown_mistakes(self) -> int:
        return sum(len(exercise.unknown) for exercise in self.mistakes)


def lesson_report(handed: Handed) -> LessonReport:
    """What to say of one lesson."""
    return LessonReport(
        handed.lesson,
        len(handed.verdicts) + len(handed.ungraded),
        len(handed.graded),
        handed.ungraded,
        handed.absent,
        _scores(handed),
        items(handed),
        mistakes(handed),
        answers(handed),
        tuple(_waiting(handed, text) for text in handed.hidden.free_texts.values()),
        troubles(handed),
    )


def _scores(handed: Handed) -> Scores:
    found = {verdict["student"]: handed.score(verdict) for verdict in handed.verdicts}
    scores = {student: score for student, score in found.items() if score is not None}
    late = [
        standing.penalty
        for student, standing in (handed.standings or {}).items()
        if student in scores and standing.penalty
    ]
    return Scores(
        spread(list(scores.values())),
        handed.max_score,
        bins(scores.values(), handed.max_score),
        spread([float(verdict["score"]) for verdict in handed.graded]),
        handed.hidden.max_score,
        scores,
        sum(handed.waiting is not None and handed.is_waiting(student) for student in scores),
        len(late),
        sum(late),
        handed.standings is not None,
    )


def _waiting(handed: Handed, text: FreeText) -> Waiting:
    students = (
        verdict["student"]
        for verdict in handed.graded
        if text.name in verdict["needs_manual"] and handed.is_waiting(verdict["student"], text.name)
    )
    return Waiting(text.name, text.prompt, text.rubric, tuple(students))
