"""The class report: one HTML page that needs nothing but itself, from the verdict files.

What students wrote or were called can be anything: the template escapes all of it, and the page's
content policy lets nothing run or load.
"""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from autograder import library
from autograder.classroom import records
from autograder.course import Course
from autograder.exercise import Exercise, FreeText, Outcome
from autograder.files import write_whole
from autograder.library import Library, UserError
from autograder.sandbox.isolation import BASE, NAMESPACES, PROCESSES
from autograder.wording import printable

TEMPLATE = "report.html.j2"
PAGE = "index.html"
BINS = 10
#: Mistakes that the table names; a class makes a long tail of others.
MISTAKES_SHOWN = 15
WORDS = {
    Outcome.PASSED: "passed",
    Outcome.PARTIAL: "partly right",
    Outcome.FAILED: "wrong",
    Outcome.ERRORED: "raised an error",
    Outcome.TIMED_OUT: "out of time",
    Outcome.MISSING: "not attempted",
    Outcome.GRADER_ERROR: "grader error",
}

Verdict = Mapping[str, Any]


@dataclass(frozen=True)
class Segment:
    """A part of a stacked bar: `start` and `share` are fractions of its length."""

    outcome: Outcome
    count: int
    start: float
    share: float


@dataclass(frozen=True)
class Item:
    """An exercise or a question: what became of it in the class, and the share of its points won."""

    name: str
    segments: tuple[Segment, ...]
    points_won: float


@dataclass(frozen=True)
class Bin:
    """How many submissions scored from `low` (a percentage, included) to `high`."""

    low: int
    high: int
    count: int


@dataclass(frozen=True)
class Mistake:
    """A known mistake, how many made it, and what their feedback asks them."""

    exercise: str
    name: str
    hint: str
    count: int


@dataclass(frozen=True)
class Answers:
    """A free text that waits for a person: its prompt, its rubric, and whose answers wait."""

    name: str
    prompt: str
    rubric: tuple[tuple[float, str], ...]
    students: tuple[str, ...]

    @property
    def waiting(self) -> int:
        return len(self.students)


@dataclass(frozen=True)
class Trouble:
    """A submission, or a part of one, that a person should look at."""

    student: str
    what: str
    why: str


@dataclass(frozen=True)
class LessonReport:
    """What the page says about one lesson."""

    lesson: str
    graded: int
    max_score: float
    mean: float
    median: float
    bins: tuple[Bin, ...]
    exercises: tuple[Item, ...]
    questions: tuple[Item, ...]
    mistakes: tuple[Mistake, ...]
    more_mistakes: int
    free_texts: tuple[Answers, ...]
    ungraded: tuple[Trouble, ...]
    grader_errors: tuple[Trouble, ...]
    stopped: tuple[Trouble, ...]
    unheld: tuple[Trouble, ...]
    weaker_sandbox: tuple[Trouble, ...]


def write(course: Course, now: datetime | None = None) -> Path:
    """Write the report on everything that was graded and give back its path.

    Raises UserError when nothing was, CantWrite where it can't be written.
    """
    lessons = [
        lesson for lesson in library.lesson_names(course.solutions) if any(records.verdicts(course, lesson))
    ]
    if not lessons:
        raise UserError(f"nothing is graded in {course.root} yet: run `autograder grade` first")
    reports = [
        lesson_report(
            library.load(course.solutions, lesson),
            list(records.verdicts(course, lesson)),
            _waiting(course, lesson),
        )
        for lesson in lessons
    ]
    path = course.report / PAGE
    write_whole(path, render(reports, now or datetime.now().astimezone()))
    return path


def render(reports: Sequence[LessonReport], now: datetime) -> str:
    """The page as HTML."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["printable"] = printable
    page = environment.get_template(TEMPLATE)
    return page.render(lessons=reports, now=f"{now:%d %B %Y, %H:%M}", words=WORDS, outcomes=list(Outcome))


def lesson_report(
    hidden: Library, verdicts: Sequence[Verdict], waiting: set[tuple[str, str]] | None = None
) -> LessonReport:
    """What to say of one lesson. `waiting` holds the (student, cell) that the gradebook still wants a
    person for; without it every answered free text counts as waiting."""
    graded = [verdict for verdict in verdicts if "error" not in verdict]
    scores = [float(verdict["score"]) for verdict in graded]
    mistakes = _mistakes(hidden, graded)
    return LessonReport(
        lesson=hidden.lesson,
        graded=len(graded),
        max_score=hidden.max_score,
        mean=statistics.fmean(scores) if scores else 0.0,
        median=statistics.median(scores) if scores else 0.0,
        bins=_bins(scores, hidden.max_score),
        exercises=_items(hidden.exercises, [verdict["exercises"] for verdict in graded]),
        questions=_items(hidden.questions, [verdict["questions"] for verdict in graded]),
        mistakes=tuple(mistakes[:MISTAKES_SHOWN]),
        more_mistakes=len(mistakes[MISTAKES_SHOWN:]),
        free_texts=tuple(_answers(text, graded, waiting) for text in hidden.free_texts.values()),
        ungraded=tuple(
            Trouble(verdict["student"], verdict.get("kind", "").replace("_", " "), verdict["error"])
            for verdict in verdicts
            if "error" in verdict
        ),
        grader_errors=tuple(_with_outcome(graded, Outcome.GRADER_ERROR)),
        stopped=tuple(_stopped(graded)),
        unheld=tuple(_unheld(graded)),
        weaker_sandbox=tuple(_weaker_sandbox(graded)),
    )


def _bins(scores: Iterable[float], max_score: float) -> tuple[Bin, ...]:
    """Scores by tenths of the points; full marks belong to the last tenth."""
    counts = Counter(min(int(BINS * score / max_score), BINS - 1) if max_score else 0 for score in scores)
    width = 100 // BINS
    return tuple(Bin(width * place, width * (place + 1), counts[place]) for place in range(BINS))


def _items(names: Iterable[str], verdicts: Sequence[Mapping[str, Verdict]]) -> tuple[Item, ...]:
    return tuple(_item(name, [verdict[name] for verdict in verdicts if name in verdict]) for name in names)


def _item(name: str, verdicts: Sequence[Verdict]) -> Item:
    counts = Counter(Outcome(verdict["outcome"]) for verdict in verdicts)
    segments: list[Segment] = []
    before = 0
    for outcome in Outcome:
        if counts[outcome]:
            share = counts[outcome] / len(verdicts)
            segments.append(Segment(outcome, counts[outcome], before / len(verdicts), share))
            before += counts[outcome]
    points = sum(float(verdict["max_score"]) for verdict in verdicts)
    won = sum(float(verdict["score"] or 0) for verdict in verdicts)
    return Item(name, tuple(segments), won / points if points else 0.0)


def _mistakes(hidden: Library, graded: Sequence[Verdict]) -> list[Mistake]:
    counts = Counter(
        (name, found["misconception"])
        for verdict in graded
        for name, found in verdict["exercises"].items()
        if found["misconception"]
    )
    return [
        Mistake(exercise, name, _hint(hidden.exercises.get(exercise), name), count)
        for (exercise, name), count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    ]


def _hint(exercise: Exercise | None, mistake: str) -> str:
    known = exercise.misconceptions if exercise else []
    return next((one.hint for one in known if one.name == mistake), "")


def _answers(text: FreeText, graded: Sequence[Verdict], waiting: set[tuple[str, str]] | None) -> Answers:
    students = tuple(
        verdict["student"]
        for verdict in graded
        if text.name in verdict["needs_manual"]
        and (waiting is None or (verdict["student"], text.name) in waiting)
    )
    return Answers(text.name, text.prompt, text.rubric, students)


def _with_outcome(graded: Sequence[Verdict], outcome: Outcome) -> list[Trouble]:
    return [
        Trouble(verdict["student"], name, found["message"])
        for verdict in graded
        for kind in ("exercises", "questions")
        for name, found in verdict[kind].items()
        if found["outcome"] == outcome
    ]


def _stopped(graded: Sequence[Verdict]) -> list[Trouble]:
    """Time-outs and dead processes, in a cell or while a function was asked."""
    cells = [
        Trouble(verdict["student"], stop["cell"], stop["why"])
        for verdict in graded
        for stop in verdict.get("stopped", ())
    ]
    return sorted(cells + _with_outcome(graded, Outcome.TIMED_OUT), key=lambda trouble: trouble.student)


def _unheld(graded: Sequence[Verdict]) -> list[Trouble]:
    """Submissions that were graded below the base tier, as `--unsafe` alone allows, each with the layers
    that were missing: their code could do whatever the instructor can."""
    lacking = [(verdict, _missing_from(verdict, BASE)) for verdict in graded]
    return [
        Trouble(verdict["student"], ", ".join(layers), "--unsafe") for verdict, layers in lacking if layers
    ]


def _missing_from(verdict: Verdict, layers: Iterable[str]) -> tuple[str, ...]:
    return tuple(name for name in layers if name not in verdict["sandbox"])


def _weaker_sandbox(graded: Sequence[Verdict]) -> list[Trouble]:
    """Submissions that were held, by what was missing above the base tier."""
    missing: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for verdict in graded:
        lacking = _missing_from(verdict, (NAMESPACES, PROCESSES))
        if lacking and not _missing_from(verdict, BASE):
            missing[lacking].append(verdict["student"])
    return [
        Trouble(", ".join(students), ", ".join(lacking), f"{len(students)} of {len(graded)} submissions")
        for lacking, students in sorted(missing.items())
    ]


def _waiting(course: Course, lesson: str) -> set[tuple[str, str]] | None:
    from autograder.classroom.gradebook import is_begun, open_book

    if not is_begun(course):
        return None
    with open_book(course) as book:
        return book.waiting(lesson)
