"""The proof that a folder for students holds nothing hidden, by all that lies in it on disk."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

from autograder import library as libraries
from autograder.authoring import leaks
from autograder.course import Course

_READABLE = re.compile(rb"[\t\n\r -~]{8,}")


def check_folder(course: Course, folder: Path, answers_in: str | None = None) -> None:
    """Raise Leak when anything below `folder` gives away what is in the course's solutions.

    Every file is read, hidden ones too: as text, as the text between other bytes, or as the archive that it
    is. What is compressed or encoded in another way, such as a picture, is not looked into. The folder
    `answers_in` may give answers, but hold neither a file of the solutions nor the course's secret.
    """
    misplaced = _misplaced(course, folder)
    if misplaced:
        raise leaks.Leak("not for students: " + ", ".join(misplaced))
    loaded = [libraries.load(course.solutions, lesson) for lesson in libraries.lesson_names(course.solutions)]
    leaks.require_none(loaded, all_texts(folder, answers_in), folder / course.library_dir.name)


def all_texts(folder: Path, besides: str | None = None) -> dict[str, str]:
    """Everything that can be read below `folder`, but for its folder `besides`, by the files' names."""
    return {
        name: text
        for path in _files(folder)
        if path.relative_to(folder).parts[0] != besides
        for name, text in _texts(str(path.relative_to(folder)), path.read_bytes())
    }


def _misplaced(course: Course, folder: Path) -> list[str]:
    """Files that are the same as one of the hidden ones, hold the course's secret, or are compiled code."""
    hidden = {path.read_bytes() for path in leaks.files_below(course.solutions)} - {b""}
    secret_file = course.secret_file
    secret = secret_file.read_bytes().strip() if secret_file.is_file() else b""
    return [
        str(path.relative_to(folder))
        for path in _files(folder)
        for content in [path.read_bytes()]
        if content in hidden or (secret and secret in content) or path.suffix == ".pyc"
    ]


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _texts(name: str, content: bytes) -> Iterator[tuple[str, str]]:
    """The texts of one file, by names that tell them apart."""
    if zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for member in archive.namelist():
                yield from _texts(f"{name}/{member}", archive.read(member))
    else:
        yield name, _decoded(content)


def _decoded(content: bytes) -> str:
    wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        return content.decode("utf-16" if wide else "utf-8")
    except UnicodeDecodeError:
        return b"\n".join(_READABLE.findall(content)).decode("ascii")
