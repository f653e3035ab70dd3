"""`autograder prove`: is what a lesson asks fit to be graded? Every finding is a sentence that says what is
wrong and what to do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from autograder import library as libraries
from autograder.authoring import conventions, mistakes, promises
from autograder.authoring.classes import Classes
from autograder.course import Course
from autograder.exercise import Exercise, Question
from autograder.library import UserError

#: Asked of every exercise whose cases can be drawn, and whose reference answers them.
PROMISES: tuple[Callable[[Classes, Exercise], Iterator[str]], ...] = (
    promises.structure_is_fixed,
    mistakes.are_named,
    mistakes.differ,
    promises.mistakes_cost_the_same,
    promises.mistakes_are_carried_forward,
    promises.aspects_can_be_lost,
    promises.alternatives_are_right,
)
CONVENTIONS: tuple[Callable[[Exercise], Iterator[str]], ...] = (
    mistakes.differ_in_public,
    conventions.is_complete,
    conventions.docstring_names_shapes,
    conventions.hints_ask,
    conventions.solution_is_short,
)


@dataclass(frozen=True)
class Proof:
    """What was found about one exercise or question of a lesson, nothing where all promises hold; what was
    looked at, in words; and how long it took, in seconds."""

    lesson: str
    name: str
    looked_at: str
    findings: tuple[str, ...]
    seconds: float

    @property
    def holds(self) -> bool:
        return not self.findings

    def lines(self) -> list[str]:
        """The proof for a terminal."""
        if self.holds:
            return [f"  {self.name}: holds ({self.looked_at}; {self.seconds:.1f} s)"]
        return [f"  {self.name}:", *(f"    - {finding}" for finding in self.findings)]


def prove(course: Course, lesson: str | None = None, name: str | None = None) -> Iterator[Proof]:
    """The proofs of every exercise and question, of one lesson's, or of the one called `name`, as they are
    made.

    Raises UserError when there is no such lesson or item, or a lesson can't be loaded.
    """
    lessons = [lesson] if lesson else libraries.lesson_names(course.solutions)
    loaded = [libraries.load(course.solutions, each) for each in lessons]
    others = _names_elsewhere(course)
    for library in loaded:
        items: dict[str, Exercise | Question] = {**library.exercises, **library.questions}
        if name is not None and name not in items:
            known = ", ".join(items) or "none"
            raise UserError(f"{library.lesson} has no exercise or question {name!r}: it has {known}")
        classes = Classes(library)
        for item in items.values():
            if name in (None, item.name):
                yield _proof(classes, item, others)


def _proof(classes: Classes, item: Exercise | Question, names: dict[str, list[str]]) -> Proof:
    start = time.perf_counter()
    lesson = classes.library.lesson
    found = [*_shared(item.name, lesson, names), *_findings(classes, item)]
    return Proof(
        lesson, item.name, _looked_at(item), tuple(dict.fromkeys(found)), time.perf_counter() - start
    )


def _findings(classes: Classes, item: Exercise | Question) -> Iterator[str]:
    if isinstance(item, Question):
        yield from conventions.question_is_fair(item)
        return
    # without these nothing else can be told
    first = list(promises.can_be_asked(classes, item)) or list(promises.reference_is_steady(classes, item))
    yield from first
    if first:
        return
    for promise in PROMISES:
        yield from promise(classes, item)
    for convention in CONVENTIONS:
        yield from convention(item)


def _looked_at(item: Exercise | Question) -> str:
    if isinstance(item, Question):
        return "question"
    cases = sum(len(aspect.cases) for aspect in item.aspects)
    return (
        f"{len(item.misconceptions)} misconceptions, {len(item.alternatives)} alternatives, {cases} cases, "
        f"{len(item.examples)} examples"
    )


def _names_elsewhere(course: Course) -> dict[str, list[str]]:
    """For each exercise and question of the course, the lessons that have one of that name."""
    found: dict[str, list[str]] = {}
    for lesson in libraries.lesson_names(course.solutions):
        library = libraries.load(course.solutions, lesson)
        for name in (*library.exercises, *library.questions, *library.free_texts):
            found.setdefault(name, []).append(lesson)
    return found


def _shared(name: str, lesson: str, names: dict[str, list[str]]) -> Iterator[str]:
    others: Sequence[str] = [other for other in names.get(name, []) if other != lesson]
    if others:
        yield f'{", ".join(others)} has this name too, and check("{name}") finds one of them only: rename it'
