"""What grading leaves on disk: the graded notebooks for nbgrader, and one verdict file per submission.

The verdict file is written last and taken away first, so a submission that has one was recorded to the end.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from autograder.classroom.submissions import Submission, beside_the_notebook
from autograder.course import Course
from autograder.files import WRITING, write_whole

READ_ONLY = 0o444


def verdict_path(course: Course, lesson: str, student: str) -> Path:
    return course.verdicts / lesson / f"{student}.json"


def read_verdict(path: Path) -> dict[str, Any]:
    """The verdict in a file, empty when there is none or it can't be read."""
    try:
        verdict = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return verdict if isinstance(verdict, dict) else {}


def verdicts(course: Course, lesson: str) -> Iterator[dict[str, Any]]:
    """The verdicts of a lesson, by student."""
    for path in sorted((course.verdicts / lesson).glob("*.json")):
        if verdict := read_verdict(path):
            yield {"student": path.stem, **verdict}


def write_verdict(course: Course, lesson: str, student: str, verdict: dict[str, Any]) -> None:
    """Write a verdict file, whole or not at all."""
    path = verdict_path(course, lesson, student)
    write_whole(path, json.dumps(verdict, indent=1) + "\n")


def remove_verdict(course: Course, lesson: str, student: str) -> None:
    verdict_path(course, lesson, student).unlink(missing_ok=True)


def graded_folder(course: Course, submission: Submission) -> Path:
    return course.autograded / submission.student / submission.lesson


def write_graded(course: Course, submission: Submission, notebook: str) -> None:
    """Put the graded notebook and the submission's other files where nbgrader puts them: the whole
    folder or nothing of it."""
    target = graded_folder(course, submission)
    made = _workplace(course)
    _copy_files(submission.folder, made)
    if (course.source / submission.lesson).is_dir():
        _copy_files(course.source / submission.lesson, made)
    (made / submission.notebook.name).write_text(notebook, encoding="utf-8")
    for path in made.rglob("*"):
        if path.is_file():
            path.chmod(READ_ONLY)
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_graded(course, submission)
    made.rename(target)


def remove_graded(course: Course, submission: Submission) -> None:
    """Take away what an earlier grading left, as nbgrader does when a submission fails."""
    if graded_folder(course, submission).exists():
        old = _workplace(course)
        graded_folder(course, submission).rename(old)
        shutil.rmtree(old)


def clear_workplace(course: Course) -> None:
    """Take away what a run that was killed left half-written."""
    shutil.rmtree(course.autograded / WRITING, ignore_errors=True)


def _workplace(course: Course) -> Path:
    """A new empty folder beside the graded ones, on the same file system, for a rename to put in place."""
    place = course.autograded / WRITING
    place.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=place))
    made.chmod(0o755)
    return made


def _copy_files(folder: Path, target: Path) -> None:
    for path in beside_the_notebook(folder):
        copy = target / path.relative_to(folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
