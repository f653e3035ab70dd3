"""Real word vectors: about 300 common English words, 384 numbers each.

    from attention_lib import words
    X = words.vectors("the river near the bank")     # (5, 384)

A word's vector is its row in the input embedding table of a small published model: what the model
knows of the word before it has seen any other. The rows come in groups by theme, so that there is
something to find. What to compute from them is up to you.
"""

from __future__ import annotations

import difflib
import functools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

_DATA = Path(__file__).parent / "data"


class UnknownWord(KeyError):
    """A word that is not among the stored ones. Its text names the closest spellings."""

    def __str__(self) -> str:
        return str(self.args[0])


def vector(word: str) -> np.ndarray:
    """The vector of `word`, (384,) float64: a copy, yours to change. Capitals make no difference.

    Raises UnknownWord (a KeyError) when the word is not stored, TypeError when `word` is no string.
    """
    return _table()[_row(word)].astype(np.float64)


def vectors(words: str | Iterable[str]) -> np.ndarray:
    """The vectors of `words`, one row each, (n, 384) float64: a copy, yours to change.

    `words` is a list of words, or a sentence, which is split at its spaces. Raises as `vector` does.
    """
    split = words.split() if isinstance(words, str) else words
    rows = np.array([_row(word) for word in split], dtype=np.intp)
    return _table()[rows].astype(np.float64)


def groups() -> dict[str, list[str]]:
    """Theme → its words: `groups()["animals"]` begins with cat, dog, horse. A word has one theme."""
    return {theme: list(words) for theme, words in _description()["groups"].items()}


def vocabulary() -> list[str]:
    """All words, group by group."""
    return list(_rows())


def source() -> str:
    """Where the vectors come from: model, authors, licence, and the hash of the weights."""
    about = _description()["source"]
    return (
        f"{len(_rows())} rows of the input embedding table ({about['tensor']}) of {about['model']}, "
        f"by {about['authors']}. Licence: {about['licence']}. Changes: {about['changes']}. "
        f"Taken from {about['file']} (SHA-256 {about['weights_sha256']}) "
        f"of the Python package {about['package']} {about['package_version']}."
    )


@functools.cache
def _description() -> dict[str, Any]:
    description: dict[str, Any] = json.loads((_DATA / "words.json").read_text(encoding="utf-8"))
    return description


@functools.cache
def _rows() -> dict[str, int]:
    every_word = [word for words in _description()["groups"].values() for word in words]
    return {word: row for row, word in enumerate(every_word)}


@functools.cache
def _table() -> np.ndarray:
    table: np.ndarray = np.load(_DATA / "word_vectors.npy", allow_pickle=False)
    return table


def _row(word: str) -> int:
    if not isinstance(word, str):
        raise TypeError(f"a word is a string such as 'river', not {type(word).__name__}")
    row = _rows().get(word.lower())
    if row is None:
        raise UnknownWord(_unknown(word))
    return row


def _unknown(word: str) -> str:
    close = difflib.get_close_matches(word.lower(), _rows(), n=3)
    ideas = f"Close spellings: {', '.join(close)}." if close else "No stored word is spelled like it."
    return f"{word!r} is not among the {len(_rows())} stored words. {ideas} words.groups() lists them all."
