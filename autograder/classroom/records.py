"""What grading leaves on disk: the graded notebooks for nbgrader, and one verdict file per submission.

The verdict file is written last and taken away first, so a submission that has one was recorded to the end.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from autograder.classroom.submissions import Submission, beside_the_notebook
from autograder.course import Course
from autograder.files import WRITING, write_whole, writing

READ_ONLY = 0o444
#: A file's name has 255 bytes at the most, `.json` among them.
MOST_BYTES_OF_A_STEM = 250
#: A file that is being written for longer belongs to nobody any more.
STALE_SECONDS = 60.0


def verdict_path(course: Course, lesson: str, student: str) -> Path:
    """Where a student's verdict is; of a name that leaves no room for the ending, a part and a digest."""
    name = os.fsencode(student)
    if len(name) > MOST_BYTES_OF_A_STEM:
        student = f"{os.fsdecode(name[:100])}-{hashlib.sha256(name).hexdigest()}"
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
    """Write a verdict file, whole or not at all. Raises CantWrite."""
    path = verdict_path(course, lesson, student)
    write_whole(path, json.dumps(verdict, indent=1) + "\n")


def remove_verdict(course: Course, lesson: str, student: str) -> None:
    """Raises CantWrite."""
    path = verdict_path(course, lesson, student)
    with writing(path):
        path.unlink(missing_ok=True)


def graded_folder(course: Course, submission: Submission) -> Path:
    return course.autograded / submission.student / submission.lesson


def write_graded(course: Course, submission: Submission, notebook: str) -> None:
    """Put the graded notebook and the submission's other files where nbgrader puts them: the whole
    folder or nothing of it. Raises CantWrite."""
    target = graded_folder(course, submission)
    with writing(target), _workplace(course) as made:
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
    """Take away what an earlier grading left, as nbgrader does when a submission fails. Raises CantWrite."""
    target = graded_folder(course, submission)
    with writing(target):
        if os.path.lexists(target):
            with _workplace(course) as old:
                target.rename(old / target.name)


def clear_workplace(course: Course) -> None:
    """Take away what a run that was killed left half-written."""
    shutil.rmtree(course.autograded / WRITING, ignore_errors=True)
    for path in course.verdicts.glob(f"*/{WRITING}*"):
        with suppress(FileNotFoundError), writing(path):
            if time.time() - path.stat().st_mtime > STALE_SECONDS:
                path.unlink()


@contextmanager
def _workplace(course: Course) -> Iterator[Path]:
    """A new empty folder beside the graded ones, on the same file system, for a rename to put in place;
    what is still there in the end is taken away."""
    place = course.autograded / WRITING
    place.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=place))
    try:
        made.chmod(0o755)
        yield made
    finally:
        if made.is_dir():
            shutil.rmtree(made)


def _copy_files(folder: Path, target: Path) -> None:
    """Copy what goes with the notebook. A file that is closed to us stays where it is, like one too large."""
    for path in beside_the_notebook(folder):
        try:
            source = path.open("rb")
        except PermissionError:
            continue
        copy = target / path.relative_to(folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        with source, copy.open("wb") as file:
            shutil.copyfileobj(source, file)
