"""The grader inside nbgrader's own commands: `nbgrader autograde` and the formgrader's button.

nbgrader grades a submission in two passes through one exporter: sanitise, then execute and save. Here
the exporter reads and restores as `autograder grade` does, `JudgeNotebook` calls the one grading
function in place of Execute, and `RecordGrades` stands for SaveAutoGrades. nbgrader_config.py wires them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
from nbconvert.exporters import NotebookExporter
from nbformat import NotebookNode
from nbgrader.converters.base import BaseConverter, NbGraderException
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Bool

from autograder.classroom import records, results, worker
from autograder.classroom.gradebook import Book, open_book, submitted_at
from autograder.classroom.nbgrader_log import without_tracebacks
from autograder.classroom.results import DAMAGED, Result
from autograder.classroom.submissions import Submission
from autograder.classroom.workers import task_for
from autograder.course import Course
from autograder.judging.restore import Unreadable, read, restore

Resources = dict[str, Any]
RESULT = "autograder_result"


class RestoringExporter(NotebookExporter):
    """Reads a submission, however damaged, and puts it back into the shape that was released."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        if isinstance(self.parent, BaseConverter):
            without_tracebacks(self.parent.log)

    def from_filename(
        self, filename: str, resources: Resources | None = None, **options: Any
    ) -> tuple[str, Resources]:
        """The converted notebook. An unreadable one is recorded as waiting for a person, then raises
        NbGraderException, which nbgrader reports for this student before it goes on."""
        resources = {"metadata": {"name": Path(filename).stem}, **(resources or {})}
        course = Course.find(Path(self.parent.coursedir.root))
        student, lesson = _who(resources)
        try:
            if problem := _handed_in(self.parent.coursedir, student, lesson).problem:
                raise Unreadable(problem)
            submitted = read(Path(filename))
        except Unreadable as damage:
            result = results.without_grade(lesson, student, DAMAGED, damage.reason)
            _record(self.parent.coursedir, self.config, result)
            raise NbGraderException(f"{student}: {damage.reason}") from damage
        released = nbformat.read(course.released(lesson), as_version=4)
        converted: tuple[str, Resources] = self.from_notebook_node(
            restore(submitted, released), resources, **options
        )
        return converted


class JudgeNotebook(NbGraderPreprocessor):
    """Grades the submitted notebook and gives its cells the judge's outputs."""

    unsafe = Bool(False, help="Run student code without a sandbox: it can then do what you can").tag(
        config=True
    )

    def preprocess(self, nb: NotebookNode, resources: Resources) -> tuple[NotebookNode, Resources]:
        student, lesson = _who(resources)
        coursedir = _coursedir(self)
        job = worker.job_for(Course.find(Path(coursedir.root)), lesson, self.config, self.unsafe)
        result = worker.grade(job, task_for(_handed_in(coursedir, student, lesson)))
        if result.notebook is None:
            _record(coursedir, self.config, result)
            raise NbGraderException(f"{student}: {result.error}")
        resources[RESULT] = result
        return nbformat.reads(result.notebook, as_version=4), resources


class RecordGrades(NbGraderPreprocessor):
    """Writes the grades into the gradebook and the verdict beside it."""

    def preprocess(self, nb: NotebookNode, resources: Resources) -> tuple[NotebookNode, Resources]:
        _record(_coursedir(self), self.config, resources.pop(RESULT))
        return nb, resources


def register_lesson(assignment: str, student: str, notebooks: list[str]) -> None:
    """A hook of nbgrader's, called in the class's folder before it grades: the lesson is entered into the
    gradebook as it was released, so `nbgrader generate_assignment` need not have run here."""
    course = Course.find(Path())
    with open_book(course) as book:
        if course.released(assignment).is_file():
            book.register(course.released(assignment))


def _record(coursedir: CourseDirectory, config: Any, result: Result) -> None:
    """Record a result. The verdict carries no digest, so `autograder grade` will look at it again: it is
    written before nbgrader has written the notebook."""
    timestamp = submitted_at(_handed_in(coursedir, result.student, result.lesson).folder)
    with Book(coursedir, config) as book:
        book.enter(result, timestamp)
    records.write_verdict(Course.find(Path(coursedir.root)), result.lesson, result.student, result.verdict)


def _who(resources: Resources) -> tuple[str, str]:
    return resources["nbgrader"]["student"], resources["nbgrader"]["assignment"]


def _coursedir(preprocessor: NbGraderPreprocessor) -> CourseDirectory:
    """nbgrader makes a preprocessor the child of the exporter, and that the child of the converter."""
    return preprocessor.parent.parent.coursedir


def _handed_in(coursedir: CourseDirectory, student: str, lesson: str) -> Submission:
    folder = coursedir.format_path(coursedir.submitted_directory, student, lesson)
    return Submission(student, lesson, Path(folder))
