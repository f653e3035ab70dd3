"""The vocabulary in which a lesson says what it asks: exercise, misconception, aspect, question, outcome.

Everything made with these words knows an answer, so it lives in `solutions/` and is loaded in the
trusted process only.

    @exercise(
        points=3,
        aspects=[values(2, ragged, large), unchanged(1)],
        examples=[example("by hand", [3, 4], [1, 2])],
    )
    def dot_score(x_i, x_j):
        "Docstring: what the student reads."
        return x_i @ x_j

    @misconception(dot_score, hint="A score is one number per pair: what shape did you return?")
    def not_summed(x_i, x_j):
        return x_i * x_j
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

from attention_lib.tolerance import Agreement
from autograder.sandbox.script import Step

Function = Callable[..., Any]
Drawn = tuple[Any, ...] | list[Step] | list[tuple[Any, ...]]
#: Draws one set of inputs: a tuple of arguments for one call, a list of such tuples, one for each rank, or
#: a whole script of steps.
Case = Callable[[np.random.Generator], Drawn]

LEAVES_INPUTS_ALONE = "leaves its inputs alone"
SENDS_NO_MORE = "sends no more than needed"
#: The first parameter of a function that runs on several ranks.
COMM = "comm"


class Outcome(StrEnum):
    """What became of an exercise or a question. The words keep blame apart: the student's mistake, the
    student's exception, the time limit, nothing handed in, and the grader's own fault."""

    PASSED = "passed"
    PARTIAL = "partial"
    FAILED = "failed"
    ERRORED = "errored"
    TIMED_OUT = "timed_out"
    MISSING = "missing"
    GRADER_ERROR = "grader_error"


@dataclass(frozen=True)
class Aspect:
    """A named part of an exercise's points, with the cases that decide it.

    An aspect without cases of its own (`unchanged`) looks at the arguments after every call of the
    exercise's other cases, and is earned only where the value is right as well.
    """

    name: str
    points: float
    cases: tuple[Case, ...] = ()


def aspect(name: str, points: float, *cases: Case) -> Aspect:
    """`points` for being right on all of `cases`, reported under `name`."""
    if not cases:
        raise ValueError(f"aspect {name!r} has no cases: nothing could decide its {points} points")
    return Aspect(name, points, cases)


def values(points: float, *cases: Case) -> Aspect:
    """`points` for the right values on all of `cases`."""
    return aspect("values", points, *cases)


def unchanged(points: float) -> Aspect:
    """`points` for right values with no argument changed in place."""
    return Aspect(LEAVES_INPUTS_ALONE, points)


def thrifty(points: float, *cases: Case) -> Aspect:
    """`points` for being right on all of `cases` with no rank sending more than the exercise's `budget`."""
    return aspect(SENDS_NO_MORE, points, *(_marked(case, "within_budget", True) for case in cases))


def raising(error: type[Exception], case: Case) -> Case:
    """`case`, on which raising `error` is the right answer."""
    return _marked(case, "raises", error.__name__)


def _marked(case: Case, mark: str, value: Any) -> Case:
    @functools.wraps(case)
    def marked(rng: np.random.Generator) -> Drawn:
        return case(rng)

    setattr(marked, mark, value)
    return marked


@dataclass(frozen=True)
class Example:
    """A public case: the student sees its inputs and the expected answer. The arguments `reused` are
    overwritten after the call, before the answer is looked at."""

    name: str
    arguments: tuple[Any, ...]
    reused: tuple[str, ...] = ()


def example(name: str, *arguments: Any, reused: Sequence[str] = ()) -> Example:
    """A public case with these arguments; lists of numbers stand for arrays, a list of arrays for itself.
    On ranks each argument is the tuple of one rank's."""
    return Example(name, tuple(map(_as_argument, arguments)), tuple(reused))


def _as_argument(argument: Any) -> Any:
    if isinstance(argument, tuple):
        return tuple(map(_as_argument, argument))
    return np.array(argument) if _is_numbers(argument) else argument


def _is_numbers(argument: Any) -> bool:
    return isinstance(argument, list) and not any(isinstance(item, np.ndarray) for item in argument)


@dataclass(frozen=True)
class Misconception:
    """A wrong implementation that someone really writes, and the question that helps them see it."""

    name: str
    function: Function
    hint: str


@dataclass(eq=False)
class Exercise:
    """A function that the student writes. The reference is the exercise: its signature and docstring
    make the stub, its body the solved notebook, its values the expected answers."""

    name: str
    reference: Function
    aspects: tuple[Aspect, ...]
    examples: tuple[Example, ...]
    agreement: Agreement = field(default_factory=Agreement)
    budget: Callable[..., int] | None = None
    alternatives: list[Function] = field(default_factory=list)
    misconceptions: list[Misconception] = field(default_factory=list)

    def __post_init__(self) -> None:
        functools.update_wrapper(self, self.reference)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        return self.reference(*arguments, **keywords)

    @property
    def points(self) -> float:
        return sum(aspect.points for aspect in self.aspects)

    @property
    def parameters(self) -> tuple[str, ...]:
        return _parameters(self.reference)

    @property
    def on_ranks(self) -> bool:
        """Whether the function runs on several ranks, and takes what it talks to the others through."""
        return self.agreement.on_ranks

    def may_send(self, arguments: Sequence[Any]) -> tuple[int, ...] | None:
        """Bytes that each rank may send, given each one's arguments; None for as many as it likes."""
        if self.budget is None:
            return None
        return tuple(self.budget(len(arguments), *given) for given in arguments)


def _parameters(function: Function) -> tuple[str, ...]:
    return tuple(inspect.signature(function).parameters)


def exercise(
    *,
    points: float,
    aspects: Sequence[Aspect],
    examples: Sequence[Example],
    tolerance: tuple[float, float] | None = None,
    compared: str = "everything",
    repeatable: bool = False,
    writes: bool = False,
    budget: Callable[..., int] | None = None,
) -> Callable[[Function], Exercise]:
    """Make the decorated reference an exercise worth `points`, the sum of its aspects' points.

    `tolerance` (rtol, atol) takes the place of the inputs' own; `compared` may be "lower triangle";
    `repeatable` asks of numbers drawn at random that a case's calls give identical answers exactly where
    the reference's do. With `writes`, what the arguments hold afterwards is part of the answer, where the
    function raises too. A function whose first parameter is `comm` runs on ranks; `budget(size, *arguments)`
    says how many bytes one that is given `arguments` may send: see `thrifty`.

    Raises ValueError when the aspects do not add up to `points`, share a name, want what can't be told,
    or when there is no public example.
    """

    if compared not in ("everything", "lower triangle"):
        raise ValueError(f"compared is {compared!r}: expected 'everything' or 'lower triangle'")
    names = {aspect.name for aspect in aspects}
    if writes and LEAVES_INPUTS_ALONE in names:
        raise ValueError(
            f"a function that writes into its arguments can't have the aspect {LEAVES_INPUTS_ALONE!r}"
        )
    if (SENDS_NO_MORE in names) != (budget is not None):
        raise ValueError("an aspect `thrifty` wants a `budget`, and a budget such an aspect")

    def decorate(reference: Function) -> Exercise:
        name, parameters = reference.__name__, _parameters(reference)
        agreement = Agreement(
            tolerance,
            compared == "lower triangle",
            repeatable,
            written=parameters if writes else (),
            on_ranks=parameters[:1] == (COMM,),
        )
        total = sum(aspect.points for aspect in aspects)
        if total != points:
            raise ValueError(f"{name} is worth {points} points, its aspects add up to {total}")
        if len(names) != len(aspects):
            raise ValueError(f"{name} has two aspects of one name: {[aspect.name for aspect in aspects]}")
        if not examples:
            raise ValueError(f"{name} has no public example: a student could not check it")
        return Exercise(name, reference, tuple(aspects), tuple(examples), agreement, budget)

    return decorate


def misconception(of: Exercise, *, hint: str) -> Callable[[Function], Function]:
    """Record the decorated wrong implementation of `of`; `hint` asks what a good teacher would ask."""

    def decorate(function: Function) -> Function:
        of.misconceptions.append(Misconception(function.__name__, function, hint))
        return function

    return decorate


def alternative(to: Exercise) -> Callable[[Function], Function]:
    """Record another right implementation of `to`: proof that it gets full marks, and, where it is
    composed of other exercises, another way in which their errors may be carried forward."""

    def decorate(function: Function) -> Function:
        to.alternatives.append(function)
        return function

    return decorate


class Kind(StrEnum):
    """The types of question, each with its own form of answer."""

    CHOICE = "choice"
    BOOL = "bool"
    NUMBER = "number"
    NUMBERS = "numbers"
    ORDER = "order"
    MATCH = "match"

    @property
    def form(self) -> str:
        """What the student assigns, in words."""
        return {
            Kind.CHOICE: 'a letter in quotes, such as "A"',
            Kind.BOOL: "True or False",
            Kind.NUMBER: "a number",
            Kind.NUMBERS: "a list of numbers",
            Kind.ORDER: 'a string of letters in order, such as "BAC"',
            Kind.MATCH: 'a dict of letters, such as {"query": "A"}',
        }[self]


@dataclass(frozen=True)
class Question:
    """A question whose answer is a value. `hints` pairs known wrong answers with what to think about."""

    name: str
    kind: Kind
    points: float
    prompt: str
    key: Any
    options: dict[str, str] = field(default_factory=dict)
    hints: tuple[tuple[Any, str], ...] = ()
    seed_item: str | None = None


def question(
    name: str,
    kind: str,
    *,
    key: Any,
    prompt: str,
    points: float = 1,
    options: dict[str, str] | None = None,
    hints: Sequence[tuple[Any, str]] = (),
    seed_item: str | None = None,
) -> Question:
    """A question; for letters, `options` gives each letter's text and every wrong choice has a hint.

    Raises ValueError when the options have no letters, a choice lacks a hint for one of its wrong options, or
    its key is no option.
    """
    if not isinstance(options, dict | None):
        raise ValueError(
            f'question {name}: options={options!r}, expected a dict, {{"A": "the first", "B": "the second"}}'
        )
    made = Question(name, Kind(kind), points, prompt, key, dict(options or {}), tuple(hints), seed_item)
    if made.kind is Kind.CHOICE:
        if key not in made.options:
            raise ValueError(
                f"question {name}: the key {key!r} is not among the options {list(made.options)}"
            )
        without = set(made.options) - {key} - {answer for answer, _ in made.hints}
        if without:
            raise ValueError(f"question {name}: no hint for the wrong options {sorted(without)}")
    return made


@dataclass(frozen=True)
class FreeText:
    """A question that a person grades, by a rubric of (points, criterion)."""

    name: str
    prompt: str
    rubric: tuple[tuple[float, str], ...]
    model_answer: str
    seed_item: str | None = None

    @property
    def points(self) -> float:
        return sum(points for points, _ in self.rubric)


def free_text(
    name: str,
    *,
    prompt: str,
    rubric: Sequence[tuple[float, str]],
    model_answer: str,
    seed_item: str | None = None,
) -> FreeText:
    """A free-text question; its points are the rubric's."""
    return FreeText(name, prompt, tuple(rubric), model_answer, seed_item)
