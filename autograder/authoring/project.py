"""What a course says of itself in its pyproject.toml, as far as it has one."""

from __future__ import annotations

import tomllib
from typing import Any

from autograder.course import Course


def tables(course: Course) -> dict[str, Any]:
    """All that the file says."""
    path = course.home / "pyproject.toml"
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def project(course: Course) -> dict[str, Any]:
    """The table `project`."""
    found: dict[str, Any] = tables(course).get("project", {})
    return found


def version(course: Course) -> str:
    """The course's version."""
    return str(project(course).get("version", "0.1.0"))
