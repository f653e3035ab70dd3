"""A believable class: about two dozen submissions of lesson 1 and a dozen of each later lesson, the same
each time they are made.

Right answers and known mistakes are read from the hidden solution library, so this belongs to the
instructor's repository. A recipe says what a submission shows and what it should lose: `RECIPES` holds
lesson 1's, `recipes_of` gives those of any lesson.
"""

from __future__ import annotations

from pathlib import Path

from autograder import library
from sample_class import later_lessons
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
    "recipes_of",
    "write_sample_class",
]

LESSON = "01_dot_product_similarity"
SOLUTIONS = Path(__file__).parents[2] / "solutions"


def read_answers(solutions: Path = SOLUTIONS, lesson: str = LESSON) -> Answers:
    """A lesson's right answers and known mistakes. Raises UserError when there is no solution library."""
    return Answers(library.load(solutions, lesson))


def recipes_of(answers: Answers) -> list[Recipe]:
    """The submissions for the lesson of `answers`."""
    return RECIPES if answers.library.lesson == LESSON else later_lessons.recipes(answers)


def handed_in(recipe: Recipe, released: Path, answers: Answers) -> str:
    """The text of the file that this student handed in."""
    work = HandedIn.read(released)
    recipe.make(work, answers)
    text = work.text()
    return text if recipe.readable else text[: len(text) * 2 // 3]


def write_sample_class(
    released: Path, submitted: Path, solutions: Path = SOLUTIONS, lesson: str = LESSON
) -> list[Recipe]:
    """Write every student's notebook to `submitted/STUDENT/LESSON/LESSON.ipynb`; the recipes of them.

    `released` is the notebook that the class was given.
    """
    answers = read_answers(solutions, lesson)
    recipes = recipes_of(answers)
    for recipe in recipes:
        path = submitted / recipe.student / lesson / f"{lesson}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(handed_in(recipe, released, answers), encoding="utf-8")
    return recipes
