"""`autograder build`: from the lessons' sources to what students get.

Everything is made and checked in memory first, so a broken lesson or a leak leaves every file as it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from autograder import library as libraries
from autograder.authoring import leaks
from autograder.authoring.examples import examples_of, same_document, text_of
from autograder.authoring.lesson import solved_notebook
from autograder.authoring.stamp import stamp_of, stamped
from autograder.course import Course
from autograder.files import write_whole
from autograder.library import Library, UserError


class StaleBuild(UserError):
    """What is on disk is not what the sources give: `autograder build` mends it."""

    exit_code = 1


@dataclass(frozen=True)
class BuiltLesson:
    """The texts of one lesson's three files."""

    lesson: str
    solved: str
    released: str
    examples: str

    def public(self, course: Course) -> dict[Path, str]:
        """The files that students get."""
        return {
            course.released(self.lesson): self.released,
            examples_path(course, self.lesson): self.examples,
        }

    def files(self, course: Course) -> dict[Path, str]:
        return {course.solved(self.lesson): self.solved, **self.public(course)}


def build(course: Course, lessons: Sequence[str] | None = None, check: bool = False) -> list[Path]:
    """Build `lessons` (all of them by default) and give back the files written, in order.

    With `check`, write nothing: raise StaleBuild when the released notebooks or the public examples
    are not what the sources give (examples up to the last bits of their numbers).

    Raises UserError for a lesson that does not exist or can't be built, and leaks.Leak when a file for
    students would hold what they must not see.
    """
    names = list(lessons) if lessons else libraries.lesson_names(course.solutions)
    loaded = [libraries.load(course.solutions, name) for name in names]
    built = [build_lesson(course, library) for library in loaded]
    leaks.require_none(loaded, _released_texts(course, built), course.library_dir)
    orphans = [] if lessons else _orphans(course, names)
    if check:
        _require_fresh(course, built, orphans)
        return []
    return _write(course, built, orphans)


def require_fresh(course: Course) -> None:
    """Raise StaleBuild when what students get is not what the sources give. No leak is looked for."""
    names = libraries.lesson_names(course.solutions)
    built = [build_lesson(course, libraries.load(course.solutions, name)) for name in names]
    _require_fresh(course, built, _orphans(course, names))


def build_lesson(course: Course, library: Library) -> BuiltLesson:
    """One lesson's files, in memory. Raises UserError, naming lesson and item, when it can't be built."""
    # nbgrader takes seconds to import: only a build pays for it.
    from autograder.authoring.release import released

    examples = examples_of(library)
    unstamped = solved_notebook(course.solutions / "lessons" / f"{library.lesson}.md", library)
    stamp = stamp_of(course, released(unstamped), examples)
    solved = stamped(unstamped, library.lesson, stamp)
    return BuiltLesson(
        library.lesson,
        notebook_text(solved),
        notebook_text(released(solved)),
        text_of({**examples, "release": stamp}),
    )


def notebook_text(notebook: nbformat.NotebookNode) -> str:
    """The notebook as nbgrader writes it."""
    writes: Any = nbformat.writes
    return f"{writes(notebook)}\n"


def examples_path(course: Course, lesson: str) -> Path:
    return course.examples / f"{lesson}.json"


def _released_texts(course: Course, built: Iterable[BuiltLesson]) -> dict[str, str]:
    """The text of everything that students get, as it will be after this build."""
    on_disk = {**leaks.texts_below(course.notebooks), **leaks.texts_below(course.library_dir)}
    fresh = {path: text for lesson in built for path, text in lesson.public(course).items()}
    return {_shown(path, course): text for path, text in {**on_disk, **fresh}.items()}


def _shown(path: Path, course: Course) -> str:
    return str(path.relative_to(course.home)) if path.is_relative_to(course.home) else str(path)


def _orphans(course: Course, lessons: Sequence[str]) -> list[Path]:
    """Generated files of lessons that have no source any more."""
    generated = [*course.notebooks.glob("[0-9]*_*/[0-9]*_*.ipynb"), *course.examples.glob("*.json")]
    return sorted(path for path in generated if path.stem not in lessons)


def _require_fresh(course: Course, built: Iterable[BuiltLesson], orphans: Iterable[Path]) -> None:
    stale = [
        f"{_shown(path, course)} {'is not what its sources give' if path.exists() else 'is missing'}"
        for lesson in built
        for path, text in lesson.public(course).items()
        if not _is_fresh(path, text)
    ]
    stale += [f"{_shown(path, course)} belongs to no lesson" for path in orphans]
    if stale:
        raise StaleBuild("the build is stale: " + "; ".join(stale) + ". Run: autograder build")


def _is_fresh(path: Path, text: str) -> bool:
    try:
        found = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    if found == text or path.suffix != ".json":
        return found == text
    try:
        return same_document(json.loads(found), json.loads(text))
    except ValueError:
        return False


def _write(course: Course, built: Iterable[BuiltLesson], orphans: Iterable[Path]) -> list[Path]:
    written = []
    for lesson in built:
        for path, text in lesson.files(course).items():
            write_whole(path, text)
            written.append(path)
    for path in orphans:
        path.unlink()
    return written
