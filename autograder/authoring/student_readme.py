"""The README of the students' repository, and the pyproject.toml that installs it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from autograder import library as libraries
from autograder.authoring.project import project, tables, version
from autograder.authoring.repository import BINDER, Repository
from autograder.course import Course

#: What the student reads beside the README, where the course has it.
GUIDE = "docs/students.md"
ENVIRONMENT = "environment.yml"
LICENCES = {
    "LICENSE": "Code",
    "LICENSE-PROSE": "Prose and pictures",
    "NOTICE": "What comes from others",
}
#: The extension with buttons that keep a notebook from a server that forgets.
_BUTTONS = "jupyter-offlinenotebook"
_TEMPLATE = "student_readme.md.j2"
_PYTHON = ">=3.11"
_DEPENDENCIES = ["numpy>=2.0", "matplotlib>=3.9", "jupyterlab>=4.4"]
#: The course's extras that are for students.
_EXTRAS = ("mpi",)


def readme(course: Course, repository: Repository | None = None, self_study: bool = False) -> str:
    """The README.md, for students. Its title and first paragraph are what the course's pyproject.toml says
    in its table `tool.autograder`, as `title` and `about`."""
    words = tables(course).get("tool", {}).get("autograder", {})
    text = _template().render(
        title=words.get("title", "Notebooks"),
        about=words.get("about", ""),
        binder=BINDER,
        repository=repository,
        self_study=self_study,
        environment=_environment_name(course),
        buttons=_BUTTONS in _environment(course),
        python=project(course).get("requires-python", _PYTHON).lstrip(">= "),
        has_mpi="mpi" in _extras(course),
        lessons={name: title(course.released(name)) for name in libraries.lesson_names(course.solutions)},
        guide=GUIDE if (course.home / GUIDE).is_file() else None,
        licences=[
            f"- {what}: [{name}]({name})" for name, what in LICENCES.items() if (course.home / name).is_file()
        ],
    )
    return re.sub(r"\n{3,}", "\n\n", text).rstrip() + "\n"


def title(notebook: Path) -> str:
    """The first heading of a released notebook."""
    document = json.loads(notebook.read_text(encoding="utf-8"))
    lines = (line for cell in document["cells"] for line in "".join(cell["source"]).splitlines())
    return next((line.lstrip("# ").strip() for line in lines if line.startswith("#")), notebook.stem)


def pyproject(course: Course) -> str:
    """The pyproject.toml: the course's own requirements and the extras that are for students."""
    table = project(course)
    lines = [
        "[build-system]",
        'requires = ["hatchling>=1.27"]',
        'build-backend = "hatchling.build"',
        "",
        "[project]",
        f"name = {_quoted(name(course))}",
        f"version = {_quoted(version(course))}",
        'description = "Notebooks and library for students"',
        'readme = "README.md"',
        f"requires-python = {_quoted(table.get('requires-python', _PYTHON))}",
        *_licence_lines(course),
        *_list("dependencies", table.get("dependencies", _DEPENDENCIES)),
    ]
    if extras := _extras(course):
        lines += ["", "[project.optional-dependencies]"]
        lines += [line for extra, packages in extras.items() for line in _list(extra, packages)]
    lines += ["", "[tool.hatch.build.targets.wheel]", f"packages = [{_quoted(course.library_dir.name)}]"]
    return "\n".join(lines) + "\n"


def name(course: Course) -> str:
    """What the students' repository is called: the course's name and `-student`."""
    return f"{project(course).get('name', 'course')}-student"


def _template() -> Any:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # it is Markdown
    )
    return environment.get_template(_TEMPLATE)


def _extras(course: Course) -> dict[str, list[str]]:
    offered = project(course).get("optional-dependencies", {})
    return {extra: offered[extra] for extra in _EXTRAS if extra in offered}


def _licence_lines(course: Course) -> list[str]:
    table = project(course)
    files = [file for file in table.get("license-files", []) if (course.home / file).is_file()]
    named = [f"license = {_quoted(table['license'])}"] if isinstance(table.get("license"), str) else []
    return [*named, *(_list("license-files", files) if files else [])]


def _environment(course: Course) -> str:
    """The text of the course's environment.yml, nothing where it has none."""
    path = course.home / ENVIRONMENT
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _environment_name(course: Course) -> str | None:
    found = re.search(r"^name:\s*(\S+)", _environment(course), re.MULTILINE)
    return found[1] if found else None


def _list(key: str, values: list[str]) -> list[str]:
    return [f"{key} = [", *(f"    {_quoted(value)}," for value in values), "]"]


def _quoted(text: str) -> str:
    """A TOML string: JSON's rules are among TOML's."""
    return json.dumps(text, ensure_ascii=False)
