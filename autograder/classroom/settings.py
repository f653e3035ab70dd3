"""The course's settings: nbgrader_config.py, read without importing nbgrader."""

from __future__ import annotations

import re
from dataclasses import fields

from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from autograder.course import Course
from autograder.files import write_whole
from autograder.library import UserError
from autograder.sandbox.client import Limits

CONFIG_FILE = "nbgrader_config.py"
#: A `db_url` of an SQLite file by a path that is not absolute.
RELATIVE_FILE = re.compile(r"(?P<driver>sqlite(\+\w+)?:///)(?P<path>(?![/?]|:memory:).+)")


def nbgrader_config(course: Course) -> Config:
    """The class folder's own settings where it has some, else the repository's.

    Raises UserError when the file can't be read as Python.
    """
    folder = course.root if (course.root / CONFIG_FILE).is_file() else course.home
    config = Config()
    if (folder / CONFIG_FILE).is_file():
        try:
            config = PyFileConfigLoader(CONFIG_FILE, path=str(folder)).load_config()
        except Exception as error:  # the file is a program: anything can go wrong in it
            raise UserError(
                f"{folder / CONFIG_FILE} can't be read: {type(error).__name__}: {error}"
            ) from error
    config.CourseDirectory.root = str(course.root)
    config.CourseDirectory.source_directory = str(course.source)
    config.CourseDirectory.release_directory = str(course.notebooks)
    if "db_url" in config.CourseDirectory:
        config.CourseDirectory.db_url = _from_root(course, config.CourseDirectory.db_url)
    return config


def _from_root(course: Course, db_url: str) -> str:
    """nbgrader runs in the class's folder, where a relative path starts; this program runs anywhere."""
    relative = RELATIVE_FILE.fullmatch(db_url)
    return f"{relative['driver']}{course.root}/{relative['path']}" if relative else db_url


def limits(config: Config) -> Limits:
    """The sandbox's limits: `c.Limits.cell_seconds = 60` and the like, with defaults for the others.

    Raises UserError for a limit that does not exist or is no positive number.
    """
    known = {field.name for field in fields(Limits)}
    chosen = dict(config.Limits) if "Limits" in config else {}
    for name, value in chosen.items():
        if name not in known:
            raise UserError(
                f"{CONFIG_FILE}: no limit c.Limits.{name}, expected one of {', '.join(sorted(known))}"
            )
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            raise UserError(f"{CONFIG_FILE}: c.Limits.{name} is {value!r}, expected a positive number")
    return Limits(**chosen)


def link_class(course: Course) -> None:
    """Let nbgrader's own commands run in a class folder that is not the repository itself."""
    path = course.root / CONFIG_FILE
    if course.root == course.home or path.exists() or not (course.home / CONFIG_FILE).is_file():
        return
    write_whole(
        path,
        "c = get_config()  # noqa: F821\n"
        f"load_subconfig({CONFIG_FILE!r}, path={str(course.home)!r})  # noqa: F821\n"
        f"c.CourseDirectory.source_directory = {str(course.source)!r}\n"
        f"c.CourseDirectory.release_directory = {str(course.notebooks)!r}\n",
    )
