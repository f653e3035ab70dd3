"""What an attack is, and how its notebook is written."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sample_class.answers import Answers
from sample_class.handed_in import HandedIn

LESSON = "01_dot_product_similarity"
#: Stands for the absolute path of the course's folder.
COURSE = "/srv/course"

Edit = Callable[[HandedIn], None]


@dataclass(frozen=True)
class Attack:
    """One idea. `attacked` names what it must earn nothing for; the rest of its notebook is honest."""

    name: str
    idea: str
    attacked: frozenset[str]
    edit: Edit


ATTACKS: dict[str, Attack] = {}


def attack(*attacked: str) -> Callable[[Edit], Edit]:
    """Record the decorated edit as an attack on these exercises and questions."""

    def decorate(edit: Edit) -> Edit:
        ATTACKS[edit.__name__] = Attack(edit.__name__, inspect.getdoc(edit) or "", frozenset(attacked), edit)
        return edit

    return decorate


def _without_docstring(source: str) -> str:
    """`source` without its docstring, whose wording the notebooks that are kept need not follow."""
    function = next(node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef))
    if ast.get_docstring(function) is None:
        return source
    lines = source.splitlines()
    docstring = function.body[0]
    return "\n".join([*lines[: docstring.lineno - 1], *lines[docstring.end_lineno :]])


def written(attack: Attack, released: Path, answers: Answers) -> HandedIn:
    """The attack's notebook: honest answers everywhere but in what it attacks, then its edit."""
    submission = HandedIn.read(released)
    submission.keep_only_graded_cells()
    for name in answers.library.exercises.keys() - attack.attacked:
        submission.fill(name, _without_docstring(answers.right(name)))
    for name in answers.library.questions.keys() - attack.attacked:
        submission.fill(name, answers.key(name))
    attack.edit(submission)
    for cell in submission.notebook.cells:
        cell.metadata.get("nbgrader", {}).pop("checksum", None)
    return submission


def index() -> str:
    """What is in the folder of hostile notebooks, as Markdown."""
    lines = [f"- `{name}`: {' '.join(ATTACKS[name].idea.split())}" for name in sorted(ATTACKS)]
    return "\n".join(
        [
            "# Hostile submissions of lesson 1",
            "",
            "One idea each, for points without an answer; what is not attacked is answered honestly.",
            "Written by `python tests/hostile/write_notebooks.py` from `tests/hostile/attacks/`,",
            "graded by `tests/hostile/test_hostile.py`.",
            "",
            *lines,
            "",
        ]
    )
