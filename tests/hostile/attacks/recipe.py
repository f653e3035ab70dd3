"""What an attack is, and how its notebook is written."""

from __future__ import annotations

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


def written(attack: Attack, released: Path, answers: Answers) -> HandedIn:
    """The attack's notebook: honest answers everywhere but in what it attacks, then its edit."""
    submission = HandedIn.read(released)
    submission.keep_only_graded_cells()
    for name in answers.library.exercises.keys() - attack.attacked:
        submission.fill(name, answers.right(name))
    for name in answers.library.questions.keys() - attack.attacked:
        submission.fill(name, answers.key(name))
    attack.edit(submission)
    return submission
