"""What an attack is, and how its notebook is written."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nbformat import v4
from sample_class.answers import Answers
from sample_class.handed_in import HandedIn

LESSON = "01_dot_product_similarity"
#: Stands for the absolute path of the course's folder.
COURSE = "/srv/course"

Edit = Callable[[HandedIn], None]


#: The families of attacks, and what each of them tries.
FAMILIES = {
    "patching": "patches NumPy, Python or IPython, or gives back objects that lie",
    "reading": "reads solutions, gradebook, others' work, the judge's memory, environment, descriptors",
    "writing": "writes configuration, gradebook, the zygote, the next submission's files, shared memory",
    "protocol": "forges messages to the grader",
    "outliving": "leaves processes and threads behind, plays with signals, ends what runs",
    "recording": "records the judge's questions to answer them later",
    "recognising": "acts differently when it is the judge who asks",
    "exhausting": "exhausts CPU, memory, processes, files, disk, output, or whoever reads the answer",
    "tampering": "tampers with the notebook file",
    "escaping": "sends markup, scripts and terminal escapes to the instructor",
    "leniency": "exploits what the judge forgives: errors carried forward, stand-ins",
}


@dataclass(frozen=True)
class Attack:
    """One idea. `attacked` names what it must earn nothing for; the rest of its notebook is honest."""

    name: str
    family: str
    idea: str
    attacked: frozenset[str]
    edit: Edit


ATTACKS: dict[str, Attack] = {}


def attack(family: str, *attacked: str) -> Callable[[Edit], Edit]:
    """Record the decorated edit as an attack of this family on these exercises and questions."""

    def decorate(edit: Edit) -> Edit:
        name, idea = edit.__name__, inspect.getdoc(edit) or ""
        ATTACKS[name] = Attack(name, family, idea, frozenset(attacked), edit)
        return edit

    return decorate


def attacks_by(*families: str) -> list[str]:
    """The names of the attacks of these families, in order."""
    return sorted(name for name, attack in ATTACKS.items() if attack.family in families)


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


def text(submission: HandedIn) -> str:
    """The notebook's file as it is: nbformat's own writer mends ids, and refuses what is no notebook."""
    spelled = v4.writes(submission.notebook)
    return spelled.encode("utf-8", "backslashreplace").decode("utf-8") + "\n"


def index() -> str:
    """What is in the folder of hostile notebooks, as Markdown."""
    lines = [
        "# Hostile submissions of lesson 1",
        "",
        "One idea each, for points without an answer; what is not attacked is answered honestly.",
        "Written by `python tests/hostile/write_notebooks.py` from `tests/hostile/attacks/`,",
        "graded with and without namespaces by `tests/hostile/test_hostile.py`.",
    ]
    for family, what in FAMILIES.items():
        lines += ["", f"## {family}: {what}", ""]
        lines += [f"- `{name}`: {' '.join(ATTACKS[name].idea.split())}" for name in attacks_by(family)]
    return "\n".join([*lines, ""])
