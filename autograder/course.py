"""Where a course keeps its files, and the secret its hidden inputs are drawn from."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from autograder.files import writing
from autograder.library import UserError

SECRET_BYTES = 32


@dataclass(frozen=True)
class Course:
    """`home` holds what the course teaches (solutions, released notebooks, the student library);
    `root` holds one class (submissions, gradebook, feedback). They are the same folder unless a class
    lives in a folder below the repository, as the demo's does.
    """

    root: Path
    home: Path
    student_library: str = "attention_lib"

    @classmethod
    def find(cls, root: Path = Path()) -> Course:
        """The course that `root` belongs to: the nearest folder at or above it with `solutions/lessons`.

        Raises UserError when there is none.
        """
        root = root.resolve()
        if not root.is_dir():
            raise UserError(f"{root} is not a folder: name the course's folder with --course DIR")
        for folder in (root, *root.parents):
            if (folder / "solutions" / "lessons").is_dir():
                return cls(root, folder)
        raise UserError(
            f"no solutions/lessons in {root} or above it: run this in the instructor's repository, "
            "or name the course's folder with --course DIR. The student bundle has no solutions."
        )

    @contextlib.contextmanager
    def on_disk(self) -> Iterator[Course]:
        """This course where its files can be read, for a while."""
        yield self

    @property
    def solutions(self) -> Path:
        return self.home / "solutions"

    @property
    def notebooks(self) -> Path:
        """nbgrader's release directory: what students get."""
        return self.home / "notebooks"

    @property
    def source(self) -> Path:
        """nbgrader's source directory: the solved notebooks, generated."""
        return self.home / "build" / "source"

    @property
    def library_dir(self) -> Path:
        return self.home / self.student_library

    @property
    def student_modules(self) -> list[str]:
        """The student library and each of its modules: what notebooks import can be there before they do."""
        names = sorted(path.stem for path in self.library_dir.glob("*.py") if path.stem != "__init__")
        return [self.student_library, *(f"{self.student_library}.{name}" for name in names)]

    @property
    def examples(self) -> Path:
        return self.library_dir / "examples"

    @property
    def submitted(self) -> Path:
        return self.root / "submitted"

    @property
    def autograded(self) -> Path:
        return self.root / "autograded"

    @property
    def feedback(self) -> Path:
        return self.root / "feedback"

    @property
    def verdicts(self) -> Path:
        return self.root / "verdicts"

    @property
    def report(self) -> Path:
        return self.root / "report"

    @property
    def gradebook(self) -> Path:
        return self.root / "gradebook.db"

    @property
    def secret_file(self) -> Path:
        """Where `secret` is kept."""
        return self.root / ".course_secret"

    def released(self, lesson: str) -> Path:
        """The released notebook of `lesson`."""
        return self.notebooks / lesson / f"{lesson}.ipynb"

    def solved(self, lesson: str) -> Path:
        """The solved notebook of `lesson`, nbgrader's source."""
        return self.source / lesson / f"{lesson}.ipynb"

    def secret(self) -> bytes:
        """The secret from which this class's hidden inputs are drawn; made on first use, mode 600.

        Raises UserError when it can't be made, or the file is there and holds something else.
        """
        path = self.secret_file
        if not path.exists():
            with writing(path):
                _make_secret(path)
        return _read_secret(path)


def _make_secret(path: Path) -> None:
    """Write a whole secret beside `path`, then link it there: of two processes that start at once, one
    wins and the other reads the winner's."""
    descriptor, drawn = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.")  # mode 600
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(SECRET_BYTES) + "\n")
        with contextlib.suppress(FileExistsError):
            os.link(drawn, path)
    finally:
        os.unlink(drawn)


def _read_secret(path: Path) -> bytes:
    try:
        secret = bytes.fromhex(path.read_text().strip())
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} can't be read as a course secret ({error}): restore it from your backup"
        ) from error
    if len(secret) < SECRET_BYTES:
        raise UserError(
            f"{path} holds {len(secret)} bytes where {SECRET_BYTES} are expected: restore it from your "
            "backup, or delete it to draw a new one (every submission is then graded on new inputs)"
        )
    return secret
