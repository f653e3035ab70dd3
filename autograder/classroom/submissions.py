"""What a class handed in: the folders under `submitted/`, their files, and whether they have changed."""

from __future__ import annotations

import difflib
import fnmatch
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from autograder.classroom.engine import digest_of
from autograder.course import Course
from autograder.library import UserError, lesson_names
from autograder.wording import one_line, printable

#: What nbgrader leaves behind when it copies a submission (`CourseDirectory.ignore`).
IGNORED = (".ipynb_checkpoints", "*.pyc", "__pycache__", "feedback")
#: nbgrader's pages put a student's name into HTML and scripts as it is, and its feedback looks for names
#: of one line.
UNFIT_FOR_PAGES = frozenset('<"\\\n')
#: What nbgrader's gradebook has room for (`Student.id`); SQLite takes more, PostgreSQL does not.
MOST_CHARACTERS_OF_A_NAME = 128
#: A larger file beside a notebook is left where it is.
MAX_FILE_BYTES = 100_000_000


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
        if letters := sorted(set(self.student) & UNFIT_FOR_PAGES):
            return (
                f"the folder's name has {' and '.join(map(ascii, letters))}, which nbgrader's pages take "
                "for markup or a program: rename the folder"
            )
        if len(self.student) > MOST_CHARACTERS_OF_A_NAME:
            return (
                f"the folder's name has {len(self.student)} characters, a student's in the gradebook "
                f"{MOST_CHARACTERS_OF_A_NAME} at the most: rename the folder"
            )
        return None

    @property
    def folder_problem(self) -> str | None:
        """Why nothing in the folder can be taken for this student's work, if so. A link could lead to
        another student's, or out of the class's folder."""
        for folder, name in ((self.folder.parent, self.student), (self.folder, self.lesson)):
            try:
                mode = folder.lstat().st_mode
                os.listdir(folder)
            except NotADirectoryError:
                return f"{one_line(name, 60)} is a file, expected a folder that holds {self.notebook.name}"
            except OSError as error:
                return f"the folder {one_line(name, 60)} can't be read: {error.strerror}"
            if stat.S_ISLNK(mode):
                return f"the folder {one_line(name, 60)} is a link: put what was handed in there itself"
        return None

    @property
    def problem(self) -> str | None:
        """Why there is nothing to grade, ahead of what the notebook itself may be."""
        return self.name_problem or self.folder_problem

    @property
    def known_to_nbgrader(self) -> bool:
        """nbgrader makes a submission of any folder that holds something called *.ipynb."""
        try:
            return any(name.endswith(".ipynb") for name in os.listdir(self.folder))
        except OSError:
            return False


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
            + "".join(f"; {line}" for line in overlooked(course, student)[:1])
        )
    for lesson in lessons:
        if not course.released(lesson).is_file():
            raise UserError(f"{course.released(lesson)} is not there: run `autograder build {lesson}` first")
    return lessons


def find(course: Course, lesson: str, student: str | None = None) -> list[Submission]:
    """The submissions of `lesson`, by student; where a student's folder can't be looked into, one is
    taken to be there. Raises UserError when `student` handed nothing in."""
    found = [
        Submission(name, lesson, course.submitted / name / lesson)
        for name in _students(course)
        if _is_there(course.submitted / name / lesson, if_closed=True)
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


def overlooked(course: Course, student: str | None = None) -> list[str]:
    """What lies under `submitted/` and is graded by no run, one line each: folders that are named after
    no lesson, files outside of them, a second notebook beside the one that is graded."""
    if not course.submitted.is_dir():
        return []
    known = lesson_names(course.solutions)
    lines = [] if student is not None else [_loose_file(course, name) for name in _loose(course.submitted)]
    for name in _students(course):
        if student in (None, name):
            lines += _overlooked_of(course, name, known)
    lines += [] if student is not None else _dotted(course, known)
    return [one_line(line) for line in lines]


def _overlooked_of(course: Course, student: str, known: Sequence[str]) -> Iterator[str]:
    for name in _listed(course.submitted / student):
        shown = f"submitted/{student}/{name}"
        if name not in known:
            near = difflib.get_close_matches(name.removesuffix(".ipynb").strip(), known, n=1)
            meant = f"submitted/{student}/{near[0]}" if near else "submitted/STUDENT/LESSON"
            yield f"{shown}: named after no lesson, expected {meant}/{near[0] if near else 'LESSON'}.ipynb"
            continue
        others = [other for other in _listed(course.submitted / student / name) if other.endswith(".ipynb")]
        for other in others if f"{name}.ipynb" in others else ():
            if other != f"{name}.ipynb":
                yield f"{shown}/{other}: not graded, {name}.ipynb beside it is"


def _loose_file(course: Course, name: str) -> str:
    return f"submitted/{name}: a file, expected one folder for each student"


def _dotted(course: Course, known: Sequence[str]) -> Iterator[str]:
    for name in sorted(os.listdir(course.submitted)):
        place = course.submitted / name
        if name.startswith(".") and any(_is_there(place / lesson, if_closed=False) for lesson in known):
            yield f"submitted/{name}: names that begin with a dot are passed over, rename the folder"


def _loose(folder: Path) -> list[str]:
    return [name for name in _listed(folder) if not (folder / name).is_dir()]


def _students(course: Course) -> list[str]:
    """The names below `submitted/`. Raises UserError when it is not there or can't be read."""
    try:
        return sorted(name for name in os.listdir(course.submitted) if not name.startswith("."))
    except OSError as error:
        raise UserError(
            f"{course.submitted} can't be read ({error.strerror}): "
            "expected submissions in submitted/STUDENT/LESSON/LESSON.ipynb"
        ) from error


def _listed(folder: Path) -> list[str]:
    """What a folder holds, but for what nbgrader passes over; nothing where it can't be read."""
    try:
        return sorted(name for name in os.listdir(folder) if not (name.startswith(".") or _ignored(name)))
    except OSError:
        return []


def _is_there(path: Path, if_closed: bool) -> bool:
    """Whether something is at `path`; `if_closed` is the answer where nobody lets us look."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return if_closed
    return True


def files(folder: Path) -> Iterator[Path]:
    """The ordinary files of a submission, in order; no link is followed, since it could lead anywhere."""
    for place, names, found in os.walk(folder):
        names[:] = sorted(name for name in names if not _ignored(name))
        for name in sorted(found):
            if not _ignored(name) and _is_file(Path(place, name)):
                yield Path(place, name)


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def beside_the_notebook(folder: Path) -> list[Path]:
    """The files that nbgrader copies along: all but notebooks and what is too large."""
    return [
        path
        for path in files(folder)
        if not any(part.endswith(".ipynb") for part in path.relative_to(folder).parts)
        and path.stat().st_size <= MAX_FILE_BYTES
    ]


def digest(submission: Submission, engine: str) -> str:
    """Changes when a file of the submission does, or `engine` (see `engine.engine_digest`)."""
    if problem := submission.folder_problem:
        return digest_of([engine, submission.student, problem])
    return digest_of([engine, submission.student, *_contents(submission.folder, files(submission.folder))])


def _handed_in(course: Course, lesson: str, student: str | None) -> bool:
    return course.submitted.is_dir() and any(
        _is_there(course.submitted / name / lesson, if_closed=False)
        for name in _students(course)
        if student in (None, name)
    )


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
