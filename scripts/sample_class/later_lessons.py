"""What a dozen students of the class hand in for a lesson after the first.

Lesson 1's submissions are made one by one (`recipes`); these follow from the lesson's own library: each
student has a habit, such as loops or one mistake too many, and keeps it in every lesson.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from autograder.exercise import Exercise
from sample_class.answers import Answers
from sample_class.handed_in import HandedIn
from sample_class.recipes import RECIPES, Recipe

GUESS = "I am not sure, but I think that it has to do with the scale of the numbers."


@dataclass(frozen=True)
class Habit:
    """How a student works: in which `style` (the number of another right solution), with `mistakes` in so
    many exercises and questions, and up to which share of the lesson."""

    student: str
    style: int | None = None
    mistakes: int = 0
    wrong_keys: int = 0
    done: float = 1.0


HABITS = (
    Habit("amara.okafor"),
    Habit("liang.chen", style=0),
    Habit("sofia.garcia-lopez", style=1),
    Habit("priya.raman", style=2),
    Habit("noor.haddad", mistakes=1),
    Habit("hana.suzuki", mistakes=1, wrong_keys=1),
    Habit("elif.yilmaz", style=1, mistakes=1),
    Habit("lucas.da-silva", mistakes=2),
    Habit("tomas.novak", mistakes=2, wrong_keys=1),
    Habit("dmitri.volkov", mistakes=3, wrong_keys=2),
    Habit("diego.morales", mistakes=1, done=0.5),
    Habit("grace.kim", done=0.0),
)


def recipes(answers: Answers) -> list[Recipe]:
    """What each of `HABITS` hands in for the lesson of `answers`."""
    members = {recipe.student: recipe for recipe in RECIPES}
    return [_recipe(members[habit.student], habit, number, answers) for number, habit in enumerate(HABITS)]


def _recipe(member: Recipe, habit: Habit, number: int, answers: Answers) -> Recipe:
    exercises, questions = list(answers.library.exercises.values()), list(answers.library.questions)
    begun = exercises[: round(habit.done * len(exercises))]
    answered = questions[: round(habit.done * len(questions))]
    mistakes = _mistakes(begun, habit.mistakes, number)
    wrong = answered[len(answered) - habit.wrong_keys :]
    missing = {exercise.name for exercise in exercises[len(begun) :]} | set(questions[len(answered) :])
    return replace(
        member,
        shows=f"{habit.mistakes} known mistakes, {habit.wrong_keys} wrong answers, {habit.done:.0%} done",
        make=_maker(habit, begun, answered, mistakes, wrong),
        loses=frozenset({*mistakes, *wrong, *missing}),
        mistakes=tuple(mistakes.items()),
        carried=frozenset(),
    )


def _mistakes(begun: list[Exercise], count: int, number: int) -> dict[str, str]:
    """`count` exercises, spread over those that are begun, each with one of its known mistakes."""
    chosen = [begun[(number + place * len(begun) // count) % len(begun)] for place in range(count)]
    return {one.name: one.misconceptions[number % len(one.misconceptions)].name for one in chosen}


def _maker(
    habit: Habit, begun: list[Exercise], answered: list[str], mistakes: dict[str, str], wrong: list[str]
) -> Callable[[HandedIn, Answers], None]:
    def make(work: HandedIn, answers: Answers) -> None:
        for exercise in begun:
            name = exercise.name
            if name in mistakes:
                work.fill(name, answers.wrong(name, mistakes[name]))
            elif habit.style is None or answers.is_built_on(name):
                work.fill(name, answers.right(name))
            else:
                work.fill(name, answers.other(name, habit.style))
        for name in answered:
            work.fill(name, answers.wrong_key(name) if name in wrong else answers.key(name))
        for name, text in answers.library.free_texts.items() if habit.done == 1 else ():
            work.fill(name, GUESS if habit.mistakes else text.model_answer)

    return make
