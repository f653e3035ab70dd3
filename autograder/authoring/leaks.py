"""The leak check: nothing that students get may hold what earns them points.

Four ways in which it could:
- a text (a cell, a module, a comment, a string, an example) holds the code of a solution, of another
  right implementation, of a known mistake or of a hidden case;
- a text gives the answer to a question, or the model answer to a free text;
- something that can be called from a student's notebook answers an exercise's hidden cases (`probe`);
- a file has no business there (the course's secret).

Known mistakes may be shown in a cell tagged `shows-mistake`.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.authoring import probe
from autograder.authoring.fingerprint import final_value, folded, operations, shape, variables, verbatim
from autograder.authoring.passages import Passage, passages, plain_words
from autograder.authoring.source import source_of, statements
from autograder.exercise import Exercise
from autograder.library import Library, UserError

# What is too plain to be recognised as a solution's. A statement is compared with its names, and must
# compute something (`return X @ X.T`, not `return x`); that it calls other exercises is no sign, since
# provided cells do so too. An expression inside another statement must compute more to be telling.
_STATEMENT_OPERATIONS = 2
_EXPRESSION_OPERATIONS = 3
_SHORTEST_ANSWER = 30

MISTAKE, SOLUTION, CASE = "a known mistake of", "a solution of", "a hidden case of"


class Leak(UserError):
    """Something for students holds what they must not see. The message lists all that was found."""

    exit_code = 1


@dataclass(frozen=True)
class Body:
    """Code that must not be released: what it is, whose, and its statements."""

    kind: str
    exercise: str
    name: str
    statements: tuple[ast.stmt, ...]

    @property
    def label(self) -> str:
        return f"{self.kind} {self.exercise} ({self.name})"


def require_none(loaded: Sequence[Library], texts: Mapping[str, str], library_dir: Path) -> None:
    """Raise Leak when one of `texts` (by file name), or a callable of the student library below
    `library_dir` or of a released notebook among them, gives away what is in the `loaded` libraries."""
    found = [*in_texts(loaded, texts), *probe.passing_callables(loaded, texts, library_dir)]
    if found:
        raise Leak("students would be given answers:\n" + "\n".join(f"  {line}" for line in found))


def texts_below(folder: Path) -> dict[Path, str]:
    """Every text file below `folder`; hidden files, caches and binary data are left out."""
    return {path: text for path in files_below(folder) if (text := _text_of(path)) is not None}


def files_below(folder: Path) -> list[Path]:
    """The files below `folder`, in order, without hidden files and caches."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in found if not _is_hidden(path.relative_to(folder)))


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") or part == "__pycache__" for part in path.parts)


def _text_of(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def in_texts(loaded: Sequence[Library], texts: Mapping[str, str]) -> list[str]:
    """A line for each thing that a text gives away: where, and what."""
    secrets = Secrets([body for library in loaded for body in bodies(library)])
    keys = {name for library in loaded for name in library.questions}
    answers = [words for library in loaded for words in _answers_in_words(library)]
    lines = []
    for file, text in texts.items():
        words = plain_words(file, text)
        lines += [f"{file} holds {label}" for label, answer in answers if answer in words]
        for passage in passages(file, text):
            lines += [f"{passage.where} holds {label}" for label in secrets.found_in(passage)]
            lines += [f"{passage.where} answers the question {name}" for name in _keys_given(keys, passage)]
    return list(dict.fromkeys(lines))


def bodies(library: Library) -> Iterator[Body]:
    """Every piece of the library's code that students must not see."""
    for exercise in library.exercises.values():
        for kind, functions in _functions(exercise).items():
            for function in functions:
                found = source_of(function)
                if found is not None:
                    name = getattr(found[1], "name", "lambda")
                    yield Body(kind, exercise.name, name, tuple(statements(found[1])))


def _functions(exercise: Exercise) -> dict[str, list[Callable[..., Any]]]:
    return {
        SOLUTION: [exercise.reference, *exercise.alternatives],
        MISTAKE: [known.function for known in exercise.misconceptions],
        CASE: [case for aspect in exercise.aspects for case in aspect.cases],
    }


class Secrets:
    """The fingerprints of what must not be released, ready to be looked up."""

    def __init__(self, secret: Sequence[Body]):
        self._exercises = {body.exercise for body in secret}
        #: whole bodies of two statements or more: shapes of the statements, then the fingerprint
        self._wholes: dict[tuple[tuple[str, int], ...], dict[str, Body]] = {}
        #: single statements and single expressions, by their fingerprints
        self._lines: dict[str, tuple[Body, bool]] = {}
        self._values: dict[str, tuple[Body, bool]] = {}
        for body in secret:
            self._add(body)

    def _add(self, body: Body) -> None:
        single = len(body.statements) == 1
        if not single and _computes_enough(body):
            key = tuple(map(shape, body.statements))
            self._wholes.setdefault(key, {}).setdefault(folded(body.statements), body)
        if single and body.kind != MISTAKE and self._tells(body.statements[0], body):
            self._lines.setdefault(verbatim(body.statements[0]), (body, True))
        if body.kind == SOLUTION:
            for statement in _simple_statements(body.statements):
                self._add_line(statement, body, single)

    def _add_line(self, statement: ast.stmt, body: Body, single: bool) -> None:
        value = final_value(statement)
        if operations(statement, self._exercises) >= _STATEMENT_OPERATIONS:
            self._lines.setdefault(verbatim(statement), (body, single))
        if value is not None and operations(value) >= _EXPRESSION_OPERATIONS:
            self._values.setdefault(verbatim(value), (body, single))

    def _tells(self, statement: ast.stmt, body: Body) -> bool:
        """Whether a body of this one statement is more than what anyone might write."""
        computed = operations(statement, self._exercises)
        enough = 1 if body.kind == CASE else _STATEMENT_OPERATIONS
        return computed >= enough or (computed == 1 and variables(statement) > 1)

    def found_in(self, passage: Passage) -> list[str]:
        """What `passage` gives away: a label for each."""
        found = self._whole_bodies(passage) + self._single_lines(passage)
        return sorted({body.label for body in found})

    def _whole_bodies(self, passage: Passage) -> list[Body]:
        """Bodies that stand in the passage as a run of statements, whatever its variables are called."""
        runs = [list(map(shape, block)) for block in passage.blocks]
        found = []
        for block, shapes in zip(passage.blocks, runs, strict=True):
            for start in range(len(block)):
                for key, known in self._wholes.items():
                    if tuple(shapes[start : start + len(key)]) == key:
                        body = known.get(folded(block[start : start + len(key)]))
                        if body is not None and not _is_allowed(body, passage):
                            found.append(body)
        return found

    def _single_lines(self, passage: Passage) -> list[Body]:
        hits = [
            known
            for block in passage.blocks
            for statement in block
            for known in (self._lines.get(verbatim(statement)), *self._expressions(statement))
            if known is not None
        ]
        # A mistake shown on purpose shares lines with the solution that it spoils.
        return [body for body, whole in hits if whole or not passage.shows_mistake]

    def _expressions(self, statement: ast.stmt) -> Iterator[tuple[Body, bool] | None]:
        for node in _own_expressions(statement):
            if operations(node) >= _EXPRESSION_OPERATIONS:
                yield self._values.get(verbatim(node))


def _is_allowed(body: Body, passage: Passage) -> bool:
    return body.kind == MISTAKE and passage.shows_mistake


def _computes_enough(body: Body) -> bool:
    return body.kind == CASE or sum(map(operations, body.statements)) >= _STATEMENT_OPERATIONS


def _simple_statements(body: Iterable[ast.stmt]) -> list[ast.stmt]:
    """The statements of `body`, at any depth, that hold no others."""
    within = (node for statement in body for node in ast.walk(statement))
    return [node for node in within if isinstance(node, ast.stmt) and not hasattr(node, "body")]


def _own_expressions(statement: ast.stmt) -> Iterator[ast.expr]:
    """The expressions of a statement, without those of the statements inside it."""
    waiting: list[ast.AST] = [statement]
    while waiting:
        for node in ast.iter_child_nodes(waiting.pop()):
            if isinstance(node, ast.expr):
                yield node
            if not isinstance(node, ast.stmt):
                waiting.append(node)


def _keys_given(names: set[str], passage: Passage) -> set[str]:
    """The questions whose variable some statement gives a value."""
    return {
        target.id
        for block in passage.blocks
        for statement in block
        if isinstance(statement, ast.Assign) and not _is_none(statement.value)
        for target in statement.targets
        if isinstance(target, ast.Name) and target.id in names
    }


def _is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


def _answers_in_words(library: Library) -> Iterator[tuple[str, str]]:
    """For each free text: its model answer and each criterion of its rubric, with a label."""
    for name, item in library.free_texts.items():
        labelled = [(f"the rubric of {name}", criterion) for _, criterion in item.rubric]
        for label, text in [(f"the model answer of {name}", item.model_answer), *labelled]:
            words = " ".join(text.split())
            if len(words) >= _SHORTEST_ANSWER:
                yield label, words
