"""The course's part of the class report: the lessons beside each other, and who stands where."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from autograder.classroom.class_report.lesson import LessonReport
from autograder.classroom.class_report.statistics import correlation

#: Who has handed in nothing of so many last lessons has fallen behind, where there were more lessons.
LAST_LESSONS = 2


@dataclass(frozen=True)
class Row:
    """A lesson among the others. The middle and the quartiles are percentages of the lesson's points, None
    where nothing has a score; `goes_with` is the correlation of a student's percentage here with the mean of
    that student's others."""

    lesson: LessonReport
    mean: float | None
    median: float | None
    lower_quartile: float | None
    upper_quartile: float | None
    goes_with: float | None


@dataclass(frozen=True)
class Standing:
    """One student: the percentage in each lesson, in the order of the lessons: None where nothing was handed
    in, "open" where it has no score yet. `mean` is that of the lessons with a score."""

    student: str
    cells: tuple[float | str | None, ...]
    mean: float | None


@dataclass(frozen=True)
class CourseReport:
    """What the page says about the course as a whole. `behind` handed in something, and nothing of the last
    lessons; `silent` handed in nothing at all."""

    rows: tuple[Row, ...]
    standings: tuple[Standing, ...]
    behind: tuple[str, ...]
    silent: tuple[str, ...]
    last_lessons: tuple[str, ...]


def course_report(lessons: Sequence[LessonReport], students: Sequence[str]) -> CourseReport:
    """What to say of all `lessons` together; `students` is everyone in the class."""
    percent = {lesson.lesson: _percentages(lesson) for lesson in lessons}
    absent = {lesson.lesson: frozenset(lesson.absent) for lesson in lessons}
    standings = tuple(_standing(student, absent, percent) for student in students)
    last = [lesson.lesson for lesson in lessons][-LAST_LESSONS:] if len(lessons) > LAST_LESSONS else []
    begun = [each for each in standings if any(cell is not None for cell in each.cells)]
    behind = [each.student for each in begun if all(cell is None for cell in each.cells[-LAST_LESSONS:])]
    return CourseReport(
        tuple(_row(lesson, percent) for lesson in lessons),
        standings,
        tuple(behind) if last else (),
        tuple(each.student for each in standings if all(cell is None for cell in each.cells)),
        tuple(last),
    )


def _percentages(lesson: LessonReport) -> dict[str, float]:
    most = lesson.scores.max_score
    return {who: 100 * score / most for who, score in lesson.scores.by_student.items()} if most else {}


def _row(lesson: LessonReport, percent: Mapping[str, Mapping[str, float]]) -> Row:
    spread, most = lesson.scores.spread, lesson.scores.max_score
    goes_with = _goes_with(lesson.lesson, percent)
    if spread is None or not most:
        return Row(lesson, None, None, None, None, goes_with)
    mean, median, lower, upper = (
        100 * value / most
        for value in (spread.mean, spread.median, spread.lower_quartile, spread.upper_quartile)
    )
    return Row(lesson, mean, median, lower, upper, goes_with)


def _goes_with(lesson: str, percent: Mapping[str, Mapping[str, float]]) -> float | None:
    pairs = []
    for student, here in percent[lesson].items():
        others = [found[student] for name, found in percent.items() if name != lesson and student in found]
        if others:
            pairs.append((here, statistics.fmean(others)))
    return correlation([here for here, _ in pairs], [elsewhere for _, elsewhere in pairs])


def _standing(
    student: str, absent: Mapping[str, Set[str]], percent: Mapping[str, Mapping[str, float]]
) -> Standing:
    known = {lesson: found.get(student) for lesson, found in percent.items()}
    scored = [value for value in known.values() if value is not None]
    cells = tuple(
        value if value is not None else None if student in absent[lesson] else "open"
        for lesson, value in known.items()
    )
    return Standing(student, cells, statistics.fmean(scored) if scored else None)
