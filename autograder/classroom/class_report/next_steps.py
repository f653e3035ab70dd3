"""What a person is to do next, in the order in which it matters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from autograder.classroom.class_report.course import CourseReport
from autograder.classroom.class_report.lesson import LessonReport
from autograder.classroom.class_report.troubles import Trouble
from autograder.wording import counted


@dataclass(frozen=True)
class Step:
    """One thing to do: how many of what there are, what to do about it, and the place that tells more."""

    count: int
    one: str
    many: str
    advice: str
    anchor: str
    is_alarm: bool = False

    @property
    def what(self) -> str:
        return counted(self.count, self.one, self.many)


@dataclass(frozen=True)
class CourseStep:
    """The same thing to do in several lessons: `places` are the lesson, how many there, and where."""

    what: str
    advice: str
    places: tuple[tuple[str, int, str], ...]
    is_alarm: bool = False


def lesson_steps(report: LessonReport) -> tuple[Step, ...]:
    """What one lesson wants of a person, the gravest first."""
    return (*_faults(report), *_work(report), *_looks(report))


def course_steps(reports: Sequence[LessonReport], course: CourseReport) -> tuple[CourseStep, ...]:
    """What the lessons together want of a person, the gravest first."""
    kinds: dict[str, list[tuple[str, Step]]] = {}
    for chosen in (_faults, _work):
        for report in reports:
            for step in chosen(report):
                kinds.setdefault(step.many, []).append((report.lesson, step))
    found = [_together(steps) for steps in kinds.values()]
    found.sort(key=lambda step: not step.is_alarm)
    if course.behind:
        last = f"handed in nothing of the last {len(course.last_lessons)} lessons"
        advice = "A word with them now is worth more than one at the end."
        place = (("who stands where", len(course.behind), "who-stands-where"),)
        found.append(CourseStep(f"{counted(len(course.behind), 'student')} {last}", advice, place))
    return tuple(found)


def _together(steps: Sequence[tuple[str, Step]]) -> CourseStep:
    _, first = steps[0]
    count = sum(step.count for _, step in steps)
    places = tuple((lesson, step.count, step.anchor) for lesson, step in steps)
    return CourseStep(counted(count, first.one, first.many), first.advice, places, first.is_alarm)


def _faults(report: LessonReport) -> Iterator[Step]:
    troubles, here = report.troubles, report.lesson
    if troubles.unheld:
        yield Step(
            _submissions(troubles.unheld),
            "submission graded without a full base sandbox (--unsafe)",
            "submissions graded without a full base sandbox (--unsafe)",
            "Read their code before you trust a score.",
            f"{here}-trouble",
            is_alarm=True,
        )
    if report.without_grade:
        yield Step(
            report.without_grade,
            "submission without a grade",
            "submissions without a grade",
            "Ask for the notebook again, or grade it by hand.",
            f"{here}-person",
        )
    if troubles.grader_errors:
        yield Step(
            _submissions(troubles.grader_errors),
            "grader error",
            "grader errors",
            "The grader failed, not the student: the score is open. Mend the exercise and grade again.",
            f"{here}-person",
        )


def _work(report: LessonReport) -> Iterator[Step]:
    here = report.lesson
    if report.not_graded:
        yield Step(
            len(report.not_graded),
            "submission handed in and not graded yet",
            "submissions handed in and not graded yet",
            "Run autograder grade.",
            f"{here}-person",
        )
    if report.texts_waiting:
        yield Step(
            report.texts_waiting,
            "free text to read",
            "free texts to read",
            "Grade them in the formgrader, by the rubric.",
            f"{here}-person",
        )
    if report.troubles.other_release:
        yield Step(
            _submissions(report.troubles.other_release),
            "submission made with another release of the notebook",
            "submissions made with another release of the notebook",
            "Graded as this release; what they were asked may have been something else.",
            f"{here}-trouble",
        )


def _looks(report: LessonReport) -> Iterator[Step]:
    here = report.lesson
    if report.troubles.stopped:
        yield Step(
            _submissions(report.troubles.stopped),
            "time-out or dead process",
            "time-outs and dead processes",
            "Graded, and the rest of the notebook with them. The cause may be a slip outside the exercise.",
            f"{here}-trouble",
        )
    if looks := dict.fromkeys(name for name, _ in report.to_look_at):
        yield Step(
            len(looks),
            "item worth a look",
            "items worth a look",
            f"{', '.join(looks)}: the table of items, and what was answered, say why.",
            f"{here}-items",
        )
    if found := report.to_discuss:
        named = (f"{known.exercise}, {known.name.replace('_', ' ')} ({known.count})" for known in found)
        yield Step(
            len(found),
            "mistake worth a word to all",
            "mistakes worth a word to all",
            f"{'; '.join(named)}.",
            f"{here}-mistakes",
        )
    if report.unknown_mistakes:
        yield Step(
            report.unknown_mistakes,
            "wrong answer that fits no known mistake",
            "wrong answers that fit no known mistake",
            "Should one be common, describe it once, and every later student gets a hint.",
            f"{here}-mistakes",
        )


def _submissions(troubles: Iterable[Trouble]) -> int:
    return sum(len(trouble.students) for trouble in troubles)
