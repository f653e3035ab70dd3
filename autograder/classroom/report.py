"""The class report: HTML pages that need nothing but themselves, for the course and for single lessons."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from autograder.classroom.class_report.course import course_report
from autograder.classroom.class_report.gathering import ClassData, gather
from autograder.classroom.class_report.lesson import lesson_report
from autograder.classroom.class_report.masking import masked
from autograder.classroom.class_report.page import Page, render
from autograder.course import Course
from autograder.files import write_whole
from autograder.library import UserError

COURSE_PAGE = "index"


def write(
    course: Course, now: datetime | None = None, *, anonymous: bool = False, to: Path | None = None
) -> Path:
    """Write the report on everything that was graded, `report/index.html`, and give back its path.

    Raises UserError when nothing was, CantWrite where it can't be written.
    """
    return _write(course, (), COURSE_PAGE, now, anonymous, to)


def write_lessons(
    course: Course,
    lessons: Sequence[str],
    now: datetime | None = None,
    *,
    anonymous: bool = False,
    to: Path | None = None,
) -> list[Path]:
    """Write a page for each of `lessons`, `report/LESSON.html`, and give back their paths.

    Raises UserError for one that does not exist or of which nothing was graded, and for several that are to
    go to one file.
    """
    if to is not None and len(set(lessons)) > 1:
        raise UserError(f"--to {to} names one file, and {len(lessons)} lessons make a page each: name one")
    return [_write(course, [lesson], lesson, now, anonymous, to) for lesson in dict.fromkeys(lessons)]


def _write(
    course: Course,
    lessons: Sequence[str],
    name: str,
    now: datetime | None,
    anonymous: bool,
    to: Path | None,
) -> Path:
    data = gather(course, lessons)
    path = to or course.report / f"{name}{'-anonymous' if anonymous else ''}.html"
    write_whole(path, page_on(data, now or datetime.now().astimezone(), not lessons, anonymous))
    return path


def page_on(data: ClassData, now: datetime, whole_course: bool = True, anonymous: bool = False) -> str:
    """The page on `data` as HTML; an anonymous one is made from a class that has no names to begin with."""
    data = masked(data) if anonymous else data
    lessons = [lesson_report(handed) for handed in data.lessons]
    overview = course_report(lessons, sorted(data.names)) if whole_course and len(lessons) > 1 else None
    return render(Page(lessons, overview, data.names, anonymous), now)
