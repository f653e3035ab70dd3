"""Feedback pages for students: nbgrader's own, made in this process."""

from __future__ import annotations

import logging

from nbgrader.converters import GenerateFeedback, NbGraderException
from nbgrader.coursedir import CourseDirectory

from autograder.classroom.nbgrader_log import without_tracebacks
from autograder.classroom.settings import nbgrader_config
from autograder.course import Course
from autograder.library import UserError


def generate_feedback(course: Course, lesson: str, student: str | None = None) -> int:
    """Write feedback/STUDENT/LESSON/LESSON.html, as `nbgrader generate_feedback --force` does, and give
    back how many pages there are.

    Raises UserError when nothing of the lesson was graded, or nbgrader could not write a page.
    """
    if not any(course.autograded.glob(f"*/{lesson}")):
        raise UserError(
            f"no graded submission of {lesson} in {course.autograded}: run `autograder grade` first"
        )
    config = nbgrader_config(course)
    chosen = {} if student is None else {"student_id": student}
    directory = CourseDirectory(config=config, assignment_id=lesson, **chosen)
    converter = GenerateFeedback(coursedir=directory, config=config)
    converter.force = True
    # what fails is logged, submission by submission; then nbgrader raises that something did
    converter.log = logging.Logger(__name__, logging.ERROR)
    converter.log.addHandler(logging.NullHandler())
    told = without_tracebacks(converter.log).told
    try:
        converter.start()
    except NbGraderException as error:
        why = "; ".join(dict.fromkeys(told)) or error
        raise UserError(f"nbgrader could not write feedback on {lesson}: {why}") from error
    return sum(1 for _ in course.feedback.glob(f"*/{lesson}/{lesson}.html"))
