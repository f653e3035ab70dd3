"""The Python code that a released file holds, wherever it stands: in cells, modules, comments, strings,
prose, or the strings of a JSON file."""

from __future__ import annotations

import ast
import io
import json
import re
import textwrap
import tokenize
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from autograder.authoring import tags
from autograder.authoring.source import python_of

_FENCE = re.compile(r"^\s*(?:```|~~~)", re.MULTILINE)
_SPAN = re.compile(r"`([^`\n]+)`")
# What may stand before code on a line of prose: a prompt, a quotation, a list's mark, a comment's.
_MARKS = re.compile(r"^\s*(?:(?:>>>|\.\.\.|[>#*+-]|\d+[.)])\s+|#+\s*)*")
# Where a statement may begin after some words.
_STATEMENT_START = re.compile(r"\breturn\b|(?<![\w.])\w+ = ")
_CODE_LIKE = re.compile(r"[=(\[@*/+]|\breturn\b")


@dataclass(frozen=True)
class Passage:
    """Code of one place in a file: all the lists of statements in it, nested ones too."""

    where: str
    blocks: tuple[tuple[ast.stmt, ...], ...]
    shows_mistake: bool = False


def passages(file: str, text: str) -> Iterator[Passage]:
    """The passages of the file called `file`, by the kind of file that its name says."""
    match PurePath(file).suffix:
        case ".ipynb":
            yield from _of_notebook(file, text)
        case ".py":
            yield _passage(file, _of_code(text))
        case ".json":
            yield _passage(file, _of_strings(_json(text)))
        case _:
            yield _passage(file, _of_text(text))


def _of_notebook(file: str, text: str) -> Iterator[Passage]:
    document = _json(text)
    cells = document.get("cells", []) if isinstance(document, dict) else []
    for cell in cells:
        source = "".join(cell.get("source", ""))
        blocks = _of_code(python_of(source)) if cell.get("cell_type") == "code" else _of_text(source)
        blocks += _of_strings({key: value for key, value in cell.items() if key != "source"})
        where = f"{file}, cell {cell.get('id', '?')},"
        yield _passage(where, blocks, tags.SHOWS_MISTAKE in cell.get("metadata", {}).get("tags", []))
    if isinstance(document, dict):
        document = {key: value for key, value in document.items() if key != "cells"}
    yield _passage(f"{file}, outside its cells,", _of_strings(document))


def plain_words(file: str, text: str) -> str:
    """The words of the file on one line; of a notebook or a JSON file those of its strings."""
    if PurePath(file).suffix in (".ipynb", ".json"):
        text = " ".join(_strings(_json(text)))
    return " ".join(text.split())


def _passage(where: str, blocks: Sequence[Sequence[ast.stmt]], shows_mistake: bool = False) -> Passage:
    return Passage(where, tuple(map(tuple, blocks)), shows_mistake)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return [text]


def _strings(value: Any) -> Iterator[str]:
    """Every string of a JSON value; a list of lines is one string as well as many."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _strings(item)
    elif isinstance(value, list):
        if value and all(isinstance(item, str) for item in value):
            yield "\n".join(value)
        for item in value:
            yield from _strings(item)


def _of_strings(value: Any) -> list[list[ast.stmt]]:
    """What the strings of a JSON value hold."""
    return [found for item in _strings(value) for found in _of_text(item)]


def _of_code(text: str) -> list[list[ast.stmt]]:
    """A module's statements, and what its comments and strings hold; text that is no Python is prose."""
    tree = _parse(text)
    if tree is None:
        return _of_text(text)
    blocks = _blocks(tree)
    for words in (*_string_constants(tree), *_comments(text)):
        blocks += _of_text(words)
    return blocks


def _string_constants(tree: ast.Module) -> list[str]:
    constants = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return [value for value in constants if isinstance(value, str) and _CODE_LIKE.search(value)]


def _comments(text: str) -> list[str]:
    """Each run of comments on neighbouring lines, without their marks."""
    runs: list[list[str]] = []
    last = -1
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            if token.start[0] != last + 1:
                runs.append([])
            last = token.start[0]
            runs[-1].append(token.string.lstrip("#"))
    return ["\n".join(run) for run in runs]


def _of_text(text: str) -> list[list[ast.stmt]]:
    """Code in prose: the whole text, fenced or separate paragraphs, single lines, code spans."""
    if not _CODE_LIKE.search(text):
        return []
    blocks: list[list[ast.stmt]] = []
    for part in {text, *_FENCE.split(text), *re.split(r"\n\s*\n", text)}:
        tree = _parse(textwrap.dedent(part.strip("\n")))
        blocks += _blocks(tree) if tree is not None else []
    for line in {*text.splitlines(), *_SPAN.findall(text)}:
        for code in _codes_in(line):
            tree = _parse(code)
            blocks += _blocks(tree) if tree is not None else []
    return blocks


def _codes_in(line: str) -> set[str]:
    """What of a line of prose may be a statement: all of it, or its end, without marks around it."""
    if not _CODE_LIKE.search(line):
        return set()
    ends = [line[found.start() :] for found in _STATEMENT_START.finditer(line)]
    return {_MARKS.sub("", part).strip(" \t`.,;:'\"") for part in (line, *ends)}


def _parse(text: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            # Prose makes odd Python: "is" with a literal, "\d" in a string.
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _blocks(tree: ast.Module) -> list[list[ast.stmt]]:
    """Every list of statements in `tree`: bodies, branches, and the module's own."""
    found = (
        getattr(node, field, None) for node in ast.walk(tree) for field in ("body", "orelse", "finalbody")
    )
    return [block for block in found if isinstance(block, list) and block]
