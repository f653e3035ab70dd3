"""`autograder new`: a small lesson, or one more exercise, that builds and holds every promise; to be edited
in place. It knows no subject: what it asks is the range of each row of an array."""

from __future__ import annotations

import ast
import builtins
import keyword
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from autograder import library as libraries
from autograder.course import Course
from autograder.files import write_whole
from autograder.library import UserError, topic

TEMPLATES = Path(__file__).parent / "templates"
EXERCISE = "row_ranges"
#: Modules of a lesson's folder that are no exercise, and names that every notebook has.
TAKEN = {"questions", "shared", "check", "np", "plotting", "made_with", "bring", "begin"}
_LESSON = re.compile(r"\d\d_[a-z][a-z0-9_]*")
_EXERCISE = re.compile(r"[a-z][a-z0-9_]*", re.IGNORECASE)
#: What ends the worked sections of a lesson.
_ENDING = re.compile(r"^## (?:Beyond|Recap)\b.*$", re.MULTILINE)


@dataclass(frozen=True)
class Made:
    """The files written or added to, and what is left for a person to write, a line each."""

    files: tuple[Path, ...]
    left: tuple[str, ...] = ()


def new_lesson(course: Course, lesson: str, title: str | None = None, exercise: str = EXERCISE) -> Made:
    """Write the lesson called `lesson` (`09_positions`): its text, one exercise, its questions, an oracle.

    Raises UserError for a name that can't be one or is taken, and where a file is there already.
    """
    _require_lesson_name(course, lesson)
    folder = course.solutions / "exercises" / topic(lesson)
    _require_free_name(course, exercise, exercise, f"{exercise}_by_hand", f"what_{exercise}_hides")
    fill = partial(_filled, course, lesson, title or topic(lesson).replace("_", " ").capitalize(), exercise)
    files = {
        course.solutions / "lessons" / f"{lesson}.md": fill("lesson.md"),
        folder / "__init__.py": fill("init.py.txt"),
        folder / f"{exercise}.py": fill("exercise.py.txt"),
        folder / "questions.py": fill("questions.py.txt"),
        oracle_path(course, lesson): fill("oracle.py.txt") + fill("oracle_function.py.txt"),
    }
    if folder.with_suffix(".py").exists():
        raise UserError(
            f"{folder.with_suffix('.py')} is there already: choose another topic, or move it away"
        )
    return Made(tuple(_write_new(files)))


def new_exercise(course: Course, lesson: str, name: str) -> Made:
    """Write the exercise `name` for a lesson that is there, and ask for it at the end of the worked sections.

    What can't be added without touching what somebody wrote is said, not done. Raises UserError for a name
    that can't be one or is taken, a lesson that is not there, and where its file is there already.
    """
    source, package = _lesson_files(course, lesson)
    _require_free_name(course, name, name)
    fill = partial(_filled, course, lesson, "", name)
    made = _write_new({package.parent / f"{name}.py": fill("exercise.py.txt")})
    left = []
    for path, add, by_hand in (
        (package, partial(_with_import, name), f"write `from .{name} import {name}` there"),
        (
            source,
            partial(_with_section, fill("section.md"), name),
            f"give it a code cell that holds just `{name}`",
        ),
        (
            oracle_path(course, lesson),
            partial(_with_oracle, fill),
            f"write {name} there once more, with loops",
        ),
    ):
        changed = _changed(path, add)
        if changed is None:
            left.append(f"{path}: {by_hand}")
        else:
            write_whole(path, changed)
            made.append(path)
    return Made(tuple(made), tuple(left))


def oracle_path(course: Course, lesson: str) -> Path:
    """Where a lesson's answers are worked out once more, with loops."""
    return course.home / "tests" / "lessons" / "oracles" / f"{topic(lesson)}.py"


def _require_lesson_name(course: Course, lesson: str) -> None:
    known = libraries.lesson_names(course.solutions)
    if not _LESSON.fullmatch(lesson) or keyword.iskeyword(topic(lesson)):
        raise UserError(
            f"{lesson!r} can't be a lesson's name: expected two digits, an underline and a topic in small "
            "letters, such as 09_positions"
        )
    if lesson in known:
        raise UserError(
            f"the lesson {lesson} is there already: autograder new exercise {lesson} NAME adds to it"
        )
    same = [other for other in known if other[:2] == lesson[:2] or topic(other) == topic(lesson)]
    if same:
        free = next(number for number in range(1, 100) if f"{number:02}" not in {name[:2] for name in known})
        raise UserError(
            f"{lesson} shares its {'topic' if topic(same[0]) == topic(lesson) else 'number'} with {same[0]}: "
            f"choose another (the next free number is {free:02})"
        )


def _require_free_name(course: Course, name: str, *names: str) -> None:
    """A public check finds an exercise by its name alone, in whatever lesson."""
    if not _EXERCISE.fullmatch(name) or keyword.iskeyword(name):
        raise UserError(
            f"{name!r} can't be an exercise's name: expected a Python function's, such as scaled_scores"
        )
    if name in TAKEN or hasattr(builtins, name) or name == course.student_library:
        raise UserError(f"{name!r} means something else in a notebook: choose another name")
    for lesson in libraries.lesson_names(course.solutions):
        library = libraries.load(course.solutions, lesson)
        known = {*library.exercises, *library.questions, *library.free_texts}
        for taken in (one for one in names if one in known):
            another = "; choose the new lesson's with --exercise NAME" if len(names) > 1 else ""
            raise UserError(f"{lesson} has a {taken} already: names are the whole course's{another}")


def _lesson_files(course: Course, lesson: str) -> tuple[Path, Path]:
    """The lesson's text and the module that names its exercises."""
    libraries.load(course.solutions, lesson)
    package = libraries.exercise_files(course.solutions, lesson)[0]
    if package.name != "__init__.py":
        raise UserError(
            f"the exercises of {lesson} stand in one file, {package}: make it the folder "
            f"{package.with_suffix('')} with a file for each and an __init__.py, or write the new one there"
        )
    return course.solutions / "lessons" / f"{lesson}.md", package


def _filled(course: Course, lesson: str, title: str, exercise: str, template: str) -> str:
    """The text of a template."""
    text = (TEMPLATES / template).read_text(encoding="utf-8")
    words = {
        "NUMBER": str(int(lesson[:2])) if lesson[:2].isdigit() else lesson,
        "TITLE": title,
        "EXERCISE": exercise,
        "STUDENT_LIBRARY": course.student_library,
    }
    for word, meant in words.items():
        text = text.replace("{{" + word + "}}", meant)
    return text


def _write_new(files: Mapping[Path, str]) -> list[Path]:
    """Write `files`, all of them or none. Raises UserError where one is there already."""
    for path in files:
        if path.exists():
            raise UserError(
                f"{path} is there already, and is left as it is: move it away, or choose another name"
            )
    for path, text in files.items():
        write_whole(path, text)
    return list(files)


def _changed(path: Path, add: Callable[[str], str | None]) -> str | None:
    """The file's text with something added, None where that is not safe."""
    if not path.is_file():
        return None
    return add(path.read_text(encoding="utf-8"))


def _with_import(name: str, text: str) -> str | None:
    """An `__init__.py` that names one exercise more, before the questions; None where it does more than
    name exercises."""
    tree = ast.parse(text)
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.level == 1]
    if not imports or len(imports) + (ast.get_docstring(tree) is not None) != len(tree.body):
        return None
    questions = [node.lineno for node in imports if node.module == "questions"]
    lines = text.splitlines()
    at = questions[0] - 1 if questions else len(lines)
    return "\n".join([*lines[:at], f"from .{name} import {name}", *lines[at:]]) + "\n"


def _with_section(section: str, name: str, text: str) -> str | None:
    """The lesson with `section` before Beyond, or before the recap; None where another cell would change."""
    ending = _ENDING.search(text)
    if ending is None:
        return None
    changed = text[: ending.start()] + section + text[ending.start() :]
    before, after = (_cells(one, ending[0]) for one in (text, changed))
    return changed if [cell for cell in after if cell[0] != name] == before else None


def _cells(text: str, heading: str) -> list[tuple[str, str]]:
    """Source and metadata of every code cell, and of the one that holds the `heading`."""
    import jupytext

    reads: Any = jupytext.reads
    return [
        (cell.source if cell.cell_type == "code" else heading, str(cell.metadata))
        for cell in reads(text, fmt="md:myst").cells
        if cell.cell_type == "code" or heading in cell.source.splitlines()
    ]


def _with_oracle(fill: Callable[[str], str], text: str) -> str:
    return text.rstrip("\n") + "\n" + fill("oracle_function.py.txt")
