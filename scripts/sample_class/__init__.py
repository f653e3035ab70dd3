"""A believable class: about two dozen submissions of lesson 1, the same each time they are made.

Right answers and known mistakes are read from the hidden solution library, so this belongs to the
instructor's repository. `RECIPES` says what each submission shows and what it should lose.
"""

from __future__ import annotations

from pathlib import Path

from autograder import library
from sample_class.answers import Answers
from sample_class.handed_in import HandedIn
from sample_class.recipes import RECIPES, Recipe

__all__ = [
    "LESSON",
    "RECIPES",
    "Answers",
    "HandedIn",
    "Recipe",
    "handed_in",
    "read_answers",
    "write_sample_class",
]

LESSON = "01_dot_product_similarity"
SOLUTIONS = Path(__file__).parents[2] / "solutions"


def read_answers(solutions: Path = SOLUTIONS) -> Answers:
    """Lesson 1's right answers and known mistakes. Raises UserError when there is no solution library."""
    return Answers(library.load(solutions, LESSON))


def handed_in(recipe: Recipe, released: Path, answers: Answers) -> str:
    """The text of the file that this student handed in."""
    work = HandedIn.read(released)
    recipe.make(work, answers)
    text = work.text()
    return text if recipe.readable else text[: len(text) * 2 // 3]


def write_sample_class(released: Path, submitted: Path, solutions: Path = SOLUTIONS) -> list[str]:
    """Write every student's notebook to `submitted/STUDENT/LESSON/LESSON.ipynb`; the students' ids.

    `released` is the notebook that the class was given.
    """
    answers = read_answers(solutions)
    for recipe in RECIPES:
        path = submitted / recipe.student / LESSON / f"{LESSON}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(handed_in(recipe, released, answers), encoding="utf-8")
    return [recipe.student for recipe in RECIPES]
