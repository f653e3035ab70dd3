"""Answers to fill in, read from the hidden solution library, so that no answer is typed twice."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Any

from autograder.exercise import Exercise, Kind, Question
from autograder.library import Library


@dataclass(frozen=True)
class Answers:
    """Right and wrong answers of one lesson, as the source of a cell."""

    library: Library

    def right(self, name: str) -> str:
        """The reference's own source."""
        return defined_as(name, self._exercise(name).reference)

    def alternative(self, name: str, *words: str) -> str:
        """Another right implementation: the first whose name holds one of `words`, else the reference."""
        chosen = [
            one for one in self._exercise(name).alternatives if any(word in one.__name__ for word in words)
        ]
        return defined_as(name, chosen[0]) if chosen else self.right(name)

    def other(self, name: str, number: int) -> str:
        """The `number`-th of the other right implementations, counted round and round."""
        known = self._exercise(name).alternatives
        return defined_as(name, known[number % len(known)])

    def is_built_on(self, name: str) -> bool:
        """Whether another exercise's solution calls this one: then what it returns must be an array."""
        others = (one for one in self.library.exercises.values() if one.name != name)
        return any(
            name in _names_in(function) for one in others for function in [one.reference, *one.alternatives]
        )

    def wrong(self, name: str, misconception: str) -> str:
        """The known mistake `misconception` in the exercise `name`. Raises KeyError when there is none."""
        known = {one.name: one.function for one in self._exercise(name).misconceptions}
        if misconception not in known:
            raise KeyError(f"{name} has no misconception {misconception!r}: it has {', '.join(known)}")
        return defined_as(name, known[misconception])

    def wrapped(self, name: str, result: str = "answer", first: str = "") -> str:
        """The reference under a private name, and the exercise as a call of it: the statements `first`,
        then the call, then the expression `result`, in which `answer` stands for what the call gave."""
        reference = self._exercise(name).reference
        private = f"_{name}"
        parameters = inspect.signature(reference).parameters.values()
        arguments = ", ".join(
            p.name if p.default is not p.empty else f"np.asarray({p.name})" for p in parameters
        )
        body = [*first.splitlines(), f"answer = {private}({arguments})", f"return {result}"]
        head = f"def {name}({', '.join(map(str, parameters))}):"
        return "\n\n\n".join([defined_as(private, reference), "\n    ".join([head, *body])])

    def key(self, name: str) -> str:
        """The right answer to a question, as a student writes it."""
        return f"{name} = {_written(self._question(name), self._question(name).key)}"

    def wrong_key(self, name: str, position: int = 0) -> str:
        """A wrong answer to a question: the `position`-th of those that have a hint."""
        question = self._question(name)
        known = [answer for answer, _ in question.hints] or [_other(question)]
        return f"{name} = {_written(question, known[position % len(known)])}"

    def _exercise(self, name: str) -> Exercise:
        return self.library.exercises[name]

    def _question(self, name: str) -> Question:
        return self.library.questions[name]


def defined_as(name: str, function: Callable[..., Any]) -> str:
    """The source of `function` without its decorators, under `name`, behind the modules and the private
    helpers that it uses; `np` is there in every notebook."""
    helpers = _helpers_of(function)
    modules = sorted({module for one in [*helpers, function] for module in _modules_of(one)})
    imports = ["\n".join(f"import {module}" for module in modules)] if modules else []
    return "\n\n\n".join(
        [*imports, *(_definition(helper, helper.__name__) for helper in helpers), _definition(function, name)]
    )


def _modules_of(function: Callable[..., Any]) -> list[str]:
    used = {name: function.__globals__.get(name) for name in _names_in(function) if name != "np"}
    return [name for name, value in used.items() if isinstance(value, ModuleType)]


def _helpers_of(function: Callable[..., Any]) -> list[FunctionType]:
    """Functions of the same lesson that `function` calls by name, deepest first; exercises are not among
    them, since the notebook has those."""
    found: list[FunctionType] = []
    for name in _names_in(function):
        value = function.__globals__.get(name)
        if (
            isinstance(value, FunctionType)
            and _lesson_of(value) == _lesson_of(function)
            and value is not function
        ):
            found += [helper for helper in [*_helpers_of(value), value] if helper not in found]
    return found


def _lesson_of(function: Callable[..., Any]) -> str:
    """The package or module that holds all exercises of its lesson."""
    return function.__module__.split(".")[0]


def _names_in(function: Callable[..., Any]) -> list[str]:
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            node.decorator_list = []  # an exercise's decorator names its hidden cases
    return list(dict.fromkeys(node.id for node in ast.walk(tree) if isinstance(node, ast.Name)))


def _definition(function: Callable[..., Any], name: str) -> str:
    source = textwrap.dedent(inspect.getsource(function))
    node = ast.parse(source).body[0]
    lines = source.splitlines()[node.lineno - 1 :]
    if isinstance(node, ast.FunctionDef):
        return re.sub(rf"def {function.__name__}\b", f"def {name}", "\n".join(lines), count=1)
    return "\n".join(lines)


def _written(question: Question, value: Any) -> str:
    """A value as a cell spells it; numbers to four decimals, as by hand."""
    if question.kind is Kind.NUMBERS:
        return repr([round(float(number), 4) for number in value])
    return repr(round(float(value), 4) if question.kind is Kind.NUMBER else value)


def _other(question: Question) -> Any:
    """Some wrong answer of the right form, for a question that has no hints."""
    match question.kind:
        case Kind.BOOL:
            return not question.key
        case Kind.NUMBER:
            return float(question.key) + 1
        case Kind.NUMBERS:
            return [float(number) + 1 for number in question.key]
        case Kind.ORDER:
            return question.key[::-1]
        case Kind.MATCH:
            return dict.fromkeys(question.key, "A")
    return next(letter for letter in question.options if letter != question.key)
