"""The class report as HTML: one page that needs nothing but itself.

What students wrote or were called can be anything: the templates escape all of it, and the page's content
policy lets nothing run or load.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from autograder.classroom.class_report.course import CourseReport
from autograder.classroom.class_report.lesson import LessonReport
from autograder.classroom.class_report.next_steps import course_steps, lesson_steps
from autograder.classroom.markdown import STYLE, html
from autograder.exercise import Outcome
from autograder.wording import printable

TEMPLATE = "page.html.j2"
WORDS = {
    Outcome.PASSED: "passed",
    Outcome.PARTIAL: "partly right",
    Outcome.FAILED: "wrong",
    Outcome.ERRORED: "raised an error",
    Outcome.TIMED_OUT: "out of time",
    Outcome.MISSING: "not attempted",
    Outcome.GRADER_ERROR: "grader error",
}


@dataclass(frozen=True)
class Page:
    """What a page shows: its lessons, and the course where there are several. `names` are full names by
    student, where they are known; an anonymous page has none, and no row for each student."""

    lessons: Sequence[LessonReport]
    course: CourseReport | None
    names: Mapping[str, str]
    anonymous: bool = False


def render(page: Page, now: datetime) -> str:
    """The page as HTML."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"printable": printable, "number": _number, "signed": _signed, "prose": _prose}
    return environment.get_template(TEMPLATE).render(
        page=page,
        steps={lesson.lesson: lesson_steps(lesson) for lesson in page.lessons},
        course_steps=course_steps(page.lessons, page.course) if page.course else (),
        now=f"{now:%d %B %Y}" if page.anonymous else f"{now:%d %B %Y, %H:%M}",
        words=WORDS,
        outcomes=list(Outcome),
        math_style=Markup(STYLE),
    )


def _number(value: float | None, digits: int = 1) -> str:
    """Rounded, without zeros at the end; a dash for nothing."""
    return "–" if value is None else f"{round(value, digits) + 0.0:g}"


def _signed(value: float | None) -> str:
    """A correlation, with a true minus; a dash where it is not defined."""
    return "–" if value is None else f"{value + 0.0:.2f}".replace("-", "−")


def _prose(text: str) -> Markup:
    """The course's own Markdown, never a student's text, as HTML."""
    return Markup(html(text))
