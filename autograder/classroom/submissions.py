"""What a class handed in: the folders under `submitted/`, their files, and whether they have changed."""

from __future__ import annotations

import fnmatch
import hashlib
import os
import platform
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from autograder.course import Course
from autograder.library import UserError, lesson_names, topic

#: What nbgrader leaves behind when it copies a submission (`CourseDirectory.ignore`).
IGNORED = (".ipynb_checkpoints", "*.pyc", "__pycache__", "feedback")
#: A larger file beside a notebook is left where it is.
MAX_FILE_BYTES = 100_000_000
#: What the numbers of a grade depend on, besides this repository's own code.
ENGINE_PACKAGES = ("numpy", "ipython")
#: The part of this package that decides a grade; building, printing and reporting do not.
GRADING_CODE = ("exercise.py", "library.py", "grading.py", "sandbox", "judging", "classroom")


@dataclass(frozen=True)
class Submission:
    """One student's folder for one lesson."""

    student: str
    lesson: str
    folder: Path

    @property
    def notebook(self) -> Path:
        return self.folder / f"{self.lesson}.ipynb"

    @property
    def name_problem(self) -> str | None:
        """Why the student's folder name can't be a student id, if it can't."""
        try:
            self.student.encode("utf-8")
        except UnicodeEncodeError:
            return "the folder's name is not valid UTF-8, so no gradebook can hold it: rename the folder"
        return None

    @property
    def known_to_nbgrader(self) -> bool:
        """nbgrader makes a submission of any folder that holds something called *.ipynb."""
        return any(name.endswith(".ipynb") for name in os.listdir(self.folder))


def chosen_lessons(course: Course, wanted: Iterable[str], student: str | None = None) -> list[str]:
    """The lessons to grade: those that are named, or else every one with submissions (of `student`).

    Raises UserError for a lesson that does not exist or was not built, and when there is none to grade.
    """
    known, wanted = lesson_names(course.solutions), list(wanted)
    for lesson in wanted:
        if lesson not in known:
            raise UserError(f"no lesson {printable(lesson)!r}: expected one of {', '.join(known) or 'none'}")
    lessons = wanted or [lesson for lesson in known if _handed_in(course, lesson, student)]
    if not lessons:
        whose = "" if student is None else f" of student {printable(student)!r}"
        raise UserError(
            f"nothing handed in{whose}: expected notebooks at {course.submitted}/STUDENT/LESSON/LESSON.ipynb"
        )
    for lesson in lessons:
        if not course.released(lesson).is_file():
            raise UserError(f"{course.released(lesson)} is not there: run `autograder build {lesson}` first")
    return lessons


def find(course: Course, lesson: str, student: str | None = None) -> list[Submission]:
    """The submissions of `lesson`, by student. Raises UserError when `student` handed nothing in."""
    if not course.submitted.is_dir():
        raise UserError(
            f"{course.submitted} is not there: put submissions in submitted/STUDENT/{lesson}/{lesson}.ipynb"
        )
    found = [
        Submission(folder.name, lesson, folder / lesson)
        for folder in sorted(course.submitted.iterdir())
        if not folder.name.startswith(".") and (folder / lesson).is_dir()
    ]
    if student is None:
        return found
    chosen = [submission for submission in found if submission.student == student]
    if not chosen:
        raise UserError(
            f"student {printable(student)!r} has no submission of {lesson}: "
            f"expected the folder {printable(str(course.submitted / student / lesson))}"
        )
    return chosen


def files(folder: Path) -> Iterator[Path]:
    """The ordinary files of a submission, in order; no link is followed, since it could lead anywhere."""
    for place, names, found in os.walk(folder):
        names[:] = sorted(name for name in names if not _ignored(name))
        for name in sorted(found):
            path = Path(place, name)
            if not _ignored(name) and not path.is_symlink() and path.is_file():
                yield path


def beside_the_notebook(folder: Path) -> list[Path]:
    """The files that nbgrader copies along: all but notebooks and what is too large."""
    return [
        path
        for path in files(folder)
        if not any(part.endswith(".ipynb") for part in path.relative_to(folder).parts)
        and path.stat().st_size <= MAX_FILE_BYTES
    ]


def digest(submission: Submission, engine: str) -> str:
    """Changes when a file of the submission does, or `engine` (see `engine_digest`)."""
    return _digest_of([engine, submission.student, *_contents(submission.folder, files(submission.folder))])


def engine_digest(course: Course, lesson: str, *settings: object) -> str:
    """Changes with anything else that a grade of `lesson` depends on: the exercises, the released
    notebook, the class's secret, this package, the library beside the notebook, and `settings`."""
    exercises = course.solutions / "exercises" / f"{topic(lesson)}.py"
    package = Path(__file__).parents[1]
    code = [path for place in GRADING_CODE for path in _modules(package / place)] + _modules(
        course.library_dir
    )
    versions = [platform.python_version(), *(f"{name} {version(name)}" for name in ENGINE_PACKAGES)]
    return _digest_of(
        [
            *versions,
            *map(repr, settings),
            course.secret(),
            *_contents(course.home, [exercises, course.released(lesson)]),
            *(part for path in code for part in (path.name, path.read_bytes())),
        ]
    )


def _handed_in(course: Course, lesson: str, student: str | None) -> bool:
    if not course.submitted.is_dir():
        return False
    return any(
        (folder / lesson).is_dir()
        for folder in course.submitted.iterdir()
        if not folder.name.startswith(".") and student in (None, folder.name)
    )


def printable(text: str) -> str:
    """`text` for a terminal: control and other invisible characters become a replacement mark."""
    return "".join("\ufffd" if unicodedata.category(letter).startswith("C") else letter for letter in text)


def _modules(place: Path) -> list[Path]:
    return [place] if place.is_file() else sorted(place.rglob("*.py"))


def _ignored(name: str) -> bool:
    return any(fnmatch.fnmatch(name, pattern) for pattern in IGNORED)


def _contents(folder: Path, paths: Iterable[Path]) -> Iterator[str | bytes]:
    for path in paths:
        yield str(path.relative_to(folder))
        try:
            # what is too large to be graded is not read either: its size stands for it
            size = path.stat().st_size
            yield path.read_bytes() if size <= MAX_FILE_BYTES else str(size)
        except OSError as error:
            yield str(error.strerror)


def _digest_of(parts: Iterable[str | bytes]) -> str:
    total = hashlib.sha256()
    for part in parts:
        content = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
        total.update(len(content).to_bytes(8, "big") + content)
    return total.hexdigest()
