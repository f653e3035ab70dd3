"""`autograder bundle DIR`: the repository that students get.

It holds the released notebooks, the student library and what it takes to run them. It is made beside
its destination, proved by the leak check as it lies on disk, and put in place whole.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from autograder import library as libraries
from autograder.authoring import leaks, student_readme
from autograder.authoring.build import require_fresh
from autograder.authoring.explained import FOLDER as EXPLAINED
from autograder.authoring.explained import explained_files
from autograder.authoring.git_history import commit_folder, require_git
from autograder.authoring.project import version
from autograder.authoring.proof import check_folder
from autograder.authoring.repository import Repository
from autograder.authoring.repository import repository as repository_at
from autograder.course import Course
from autograder.files import writing
from autograder.library import UserError

#: Taken as they are, where the course has them.
_COPIED = (*student_readme.LICENCES, student_readme.ENVIRONMENT, student_readme.GUIDE)
_IGNORED = ("__pycache__/", ".ipynb_checkpoints/", "*.egg-info/", ".venv/")


@dataclass(frozen=True)
class Bundled:
    """The files that were written, relative to the bundle, and the name of their commit if one was made."""

    files: tuple[Path, ...]
    commit: str | None


def bundle(
    course: Course,
    destination: Path,
    repository: str | None = None,
    *,
    git: bool = False,
    self_study: bool = False,
) -> Bundled:
    """Write the student repository to `destination`: the same course gives the same bytes.

    `repository` is the public address at which it will stand. With `git`, it is a git repository of one
    commit, the same for the same files. With `self_study`, the folder `explained` holds all the answers.

    Raises UserError when `destination` holds something already or lies in a folder that is bundled
    itself, or what was asked for can't be made, StaleBuild when the build is not what the sources give,
    Leak when a file outside `explained` would give an answer away, and CantWrite where the system
    refuses. Then nothing is written.
    """
    destination = destination.resolve()
    _require_free(course, destination)
    published = repository_at(repository) if repository else None
    if git:
        require_git()
    require_fresh(course)
    with writing(destination):
        destination.parent.mkdir(parents=True, exist_ok=True)
        # In the same folder, so that putting it in place is one rename.
        work = Path(tempfile.mkdtemp(dir=destination.parent, prefix=f".{destination.name}."))
        try:
            fill(course, work, published, self_study)
            files = tuple(path.relative_to(work) for path in sorted(work.rglob("*")) if path.is_file())
            check_folder(course, work, answers_in=EXPLAINED if self_study else None)
            commit = commit_folder(work, *_credits(course)) if git else None
            os.replace(work, destination)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return Bundled(files, commit)


def _require_free(course: Course, destination: Path) -> None:
    if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
        raise UserError(f"{destination} is not an empty folder: name one that is empty or does not exist")
    for source in (course.notebooks, course.library_dir, course.solutions):
        if destination.is_relative_to(source.resolve()):
            raise UserError(
                f"{destination} lies in {source}, which the bundle is made from: name another folder"
            )


def fill(
    course: Course, folder: Path, repository: Repository | None = None, self_study: bool = False
) -> None:
    """Write the bundle's files into the empty `folder`: the same course gives the same bytes."""
    for source, inside in _copies(course).items():
        (folder / inside).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / inside)
    for name, text in _written(course, repository, self_study).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


def _copies(course: Course) -> dict[Path, Path]:
    """Each file that is taken as it is, and where it goes."""
    lessons = libraries.lesson_names(course.solutions)
    released = {course.released(lesson): Path("notebooks", lesson, f"{lesson}.ipynb") for lesson in lessons}
    kept = [course.home / name for name in _COPIED if (course.home / name).is_file()]
    kept += leaks.files_below(course.library_dir)
    return {**released, **{path: path.relative_to(course.home) for path in kept}}


def _written(course: Course, repository: Repository | None, self_study: bool) -> dict[str, str]:
    """The text of each file that is made for the bundle."""
    written = {
        "README.md": student_readme.readme(course, repository, self_study),
        "pyproject.toml": student_readme.pyproject(course),
        ".gitignore": "\n".join(_IGNORED) + "\n",
    }
    if self_study:
        edition = explained_files(course, libraries.lesson_names(course.solutions))
        written |= {f"{EXPLAINED}/{name}": text for name, text in edition.items()}
    return written


def _credits(course: Course) -> tuple[str, str]:
    """The author of the bundle's commit, and its message."""
    name = student_readme.name(course)
    return name, f"{name} {version(course)}"
