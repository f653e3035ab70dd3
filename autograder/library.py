"""The hidden solution library, loaded by path in the trusted process and nowhere else."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from autograder.exercise import Exercise, FreeText, Question


class UserError(Exception):
    """Something the person at the keyboard can mend: one clear line, exit code 2."""


@dataclass(frozen=True)
class Library:
    """What one lesson asks, in the order of its file: exercises, questions and free texts by name; and the
    folder that it was loaded from."""

    lesson: str
    solutions: Path
    exercises: dict[str, Exercise]
    questions: dict[str, Question]
    free_texts: dict[str, FreeText]

    @property
    def max_score(self) -> float:
        """The points that are graded automatically."""
        graded: list[Exercise | Question] = [*self.exercises.values(), *self.questions.values()]
        return sum(item.points for item in graded)


def topic(lesson: str) -> str:
    """`01_dot_product_similarity` → `dot_product_similarity`."""
    return lesson.split("_", 1)[1] if lesson[:1].isdigit() and "_" in lesson else lesson


def lesson_names(solutions: Path) -> list[str]:
    """The lessons that have a source, in order. Raises UserError when there is no solution library."""
    sources = solutions / "lessons"
    if not sources.is_dir():
        raise UserError(
            f"no solution library at {solutions}: expected {sources}/NN_topic.md. "
            "The student bundle has none; run this in the instructor's repository."
        )
    return sorted(path.stem for path in sources.glob("[0-9]*_*.md"))


def lesson_of(solutions: Path, notebook: Path) -> str:
    """The lesson that a notebook belongs to, by its file name. Raises UserError when there is none,
    or no such file."""
    lessons = lesson_names(solutions)
    if not notebook.exists():
        raise UserError(f"no notebook at {notebook}")
    if notebook.stem in lessons:
        return notebook.stem
    raise UserError(
        f"{notebook.name} is named after no lesson: expected one of "
        f"{', '.join(f'{lesson}.ipynb' for lesson in lessons)}, or say which with --lesson NAME"
    )


def exercise_files(solutions: Path, lesson: str) -> list[Path]:
    """The files that hold the exercises of `lesson`: `exercises/TOPIC.py`, or those in the folder
    `exercises/TOPIC`, whose `__init__.py` names them in the order of the lesson."""
    single = solutions / "exercises" / f"{topic(lesson)}.py"
    return sorted(single.with_suffix("").glob("*.py")) or [single]


def load(solutions: Path, lesson: str) -> Library:
    """Load the exercises of `lesson`. Raises UserError when the lesson does not exist, or its files can't be
    loaded: which line, and why."""
    known = lesson_names(solutions)
    path = exercise_files(solutions, lesson)[0]  # __init__.py comes before all letters
    if lesson not in known or not path.is_file():
        raise UserError(f"no lesson {lesson!r} in {solutions}: expected one of {', '.join(known) or 'none'}")
    try:
        module = _import(path, f"_hidden_{topic(lesson)}")
    except UserError:
        raise
    except Exception as error:
        why = error.msg if isinstance(error, SyntaxError) else error
        place = _place(error, path.parent)
        raise UserError(
            f"the exercises of {lesson} can't be loaded: {type(error).__name__}: {why} ({place})"
        ) from error
    found = list(vars(module).values())
    return Library(
        lesson,
        solutions,
        {item.name: item for item in found if isinstance(item, Exercise)},
        {item.name: item for item in found if isinstance(item, Question)},
        {item.name: item for item in found if isinstance(item, FreeText)},
    )


def _place(error: Exception, folder: Path) -> str:
    """The line below `folder` at which its code raised."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}"
    steps = traceback.extract_tb(error.__traceback__)
    own = [step for step in steps if Path(step.filename).is_relative_to(folder)]
    return f"{own[-1].filename}, line {own[-1].lineno}" if own else str(folder)


def _import(path: Path, name: str) -> ModuleType:
    """The module, or the package that an `__init__.py` is, as it is on disk now."""
    parts = [str(path.parent)] if path.name == "__init__.py" else None
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=parts)
    if spec is None or spec.loader is None:
        raise UserError(f"{path} can't be imported as Python")
    for loaded in [loaded for loaded in sys.modules if loaded.startswith(f"{name}.")]:
        del sys.modules[loaded]
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
