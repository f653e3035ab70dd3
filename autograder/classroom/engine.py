"""What a grade depends on besides the submission: a digest of all of it, and the part that is installed."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

from autograder.course import Course
from autograder.library import exercise_files

#: What the numbers of a grade depend on, besides this repository's own code.
ENGINE_PACKAGES = ("numpy", "ipython")
#: The part of this package that decides a grade and what is recorded of it; building, printing, reporting and
#: carrying grades elsewhere do not.
GRADING_CODE = (
    *("exercise.py", "library.py", "grading.py", "files.py", "course.py", "wording.py", "sandbox", "judging"),
    *(f"classroom/{name}.py" for name in ("engine", "harmless", "results", "settings", "worker")),
    *(f"classroom/{name}.py" for name in ("gradebook", "recording", "records", "registering", "submissions")),
)
PACKAGE = Path(__file__).parents[1]


def engine_digest(course: Course, lesson: str, *settings: object) -> str:
    """Changes with anything that a grade of `lesson` depends on besides the submission: the exercises, the
    released notebook, the class's secret, what is installed, and `settings`."""
    exercises = exercise_files(course.solutions, lesson)
    return digest_of(
        [
            *(
                f"{name} {what}"
                for name, what in installed(course.student_library, course.library_dir).items()
            ),
            *map(repr, settings),
            course.secret(),
            *(_content(path) for path in (*exercises, course.released(lesson))),
        ]
    )


def installed(library: str, folder: Path | None) -> dict[str, str]:
    """What a grade depends on of what is installed: versions, and digests of the code that grades and of
    the student library, which is in `folder`."""
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in ENGINE_PACKAGES},
        "autograder": digest_of(_code([PACKAGE / part for part in GRADING_CODE], PACKAGE)),
        library: "missing" if folder is None else digest_of(_code([folder], folder)),
    }


def digest_of(parts: Iterable[str | bytes]) -> str:
    """A digest of texts and bytes, in this order."""
    total = hashlib.sha256()
    for part in parts:
        content = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
        total.update(len(content).to_bytes(8, "big") + content)
    return total.hexdigest()


def _code(places: Sequence[Path], below: Path) -> Iterator[str | bytes]:
    for place in places:
        for path in [place] if place.is_file() else sorted(place.rglob("*.py")):
            yield path.relative_to(below).as_posix()
            yield path.read_bytes()


def _content(path: Path) -> str | bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        return str(error.strerror)
