"""One attention layer of a real model: its weights, and what goes in and comes out for some sentences.

    from attention_lib import real_model
    sentence = real_model.SENTENCES[0]               # "the boat was near the river bank"
    X = real_model.layer_input(sentence)             # (9, 384): [CLS], seven words, [SEP]
    weights = real_model.weights()                   # W_q, W_k, W_v, W_o and their biases

The layer is the first of a small published model, with 12 heads of width 32. All arrays are float64 and
in the course's convention: one row per token, Q = X W_q + b_q. Attention itself is not here: you write it.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

_DATA = Path(__file__).parent / "data"
_ABOUT: dict[str, Any] = json.loads((_DATA / "real_layer.json").read_text(encoding="utf-8"))

#: The stored sentences: lower case, each word one token of the model's vocabulary.
SENTENCES: tuple[str, ...] = tuple(_ABOUT["sentences"])


class UnknownSentence(KeyError):
    """A sentence that is not among the stored ones. Its text lists those."""

    def __str__(self) -> str:
        return str(self.args[0])


class _Arrays:
    """Prints as names and shapes, which say more than thousands of numbers."""

    def __repr__(self) -> str:
        values = {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]
        shown = (f"{name} {getattr(value, 'shape', value)}" for name, value in values.items())
        return f"{type(self).__name__}({', '.join(shown)})"


@dataclass(frozen=True, eq=False, repr=False)
class Weights(_Arrays):
    """The layer's weights: W_… (384, 384), b_… (384,), and the number of heads h.

    Head k has columns 32 k to 32 k + 31 of W_q, W_k and W_v, and the same rows of W_o.
    """

    W_q: np.ndarray
    W_k: np.ndarray
    W_v: np.ndarray
    W_o: np.ndarray
    b_q: np.ndarray
    b_k: np.ndarray
    b_v: np.ndarray
    b_o: np.ndarray
    h: int


@dataclass(frozen=True, eq=False, repr=False)
class Head(_Arrays):
    """One head's W_q, W_k, W_v, (385, 32): the last row is the bias, for an input with a last feature 1."""

    W_q: np.ndarray
    W_k: np.ndarray
    W_v: np.ndarray


def tokens(sentence: str, separators: bool = True) -> list[str]:
    """The tokens of `sentence`: its words, between [CLS] and [SEP] unless `separators` is False.

    Raises UnknownSentence (a KeyError) when the sentence is not stored, as do the functions below.
    """
    words = SENTENCES[_place(sentence)].split()
    return ["[CLS]", *words, "[SEP]"] if separators else words


def layer_input(sentence: str, separators: bool = True) -> np.ndarray:
    """What enters the layer, (n, 384) float64, one row per token: a copy, yours to change.

    A row is the token's vector of the embedding table (the ones of `attention_lib.words`) plus a vector
    for its position in the sentence, normalised. Without `separators` the rows of [CLS] and [SEP] are
    left out; the others stay as they are.
    """
    X = _rows("layer_input", sentence)
    return X if separators else X[1:-1]


def attention_output(sentence: str) -> np.ndarray:
    """What the model's own attention makes of `layer_input(sentence)`, (n, 384) float64: a copy.

    All heads, merged, times W_o, biases included; not the residual and the normalisation that follow.
    It was computed from the weights as they are stored here, and is exact to seven digits.
    """
    return _rows("attention_output", sentence)


def weights() -> Weights:
    """The layer's weights and biases, float64: copies, yours to change."""
    matrices = {field.name: _stored()[field.name].astype(np.float64) for field in fields(Weights)[:-1]}
    return Weights(**matrices, h=_ABOUT["h"])


def head(k: int) -> Head:
    """Head `k`, 0 to 11: its W_q, W_k, W_v, (385, 32) float64, with the bias as the last row.

    `with_one(X) @ head(k).W_q` has the head's queries, biases included. Raises IndexError for another k.
    """
    h = _ABOUT["h"]
    if isinstance(k, bool) or not isinstance(k, int | np.integer):
        raise TypeError(f"a head is a whole number from 0 to {h - 1}, not {type(k).__name__}")
    if not 0 <= k < h:
        raise IndexError(f"there is no head {k}: the layer has {h} heads, 0 to {h - 1}")
    return Head(**{f"W_{letter}": _with_bias(letter, int(k)) for letter in "qkv"})


def with_one(X: np.ndarray) -> np.ndarray:
    """X (..., 384) with one more feature that is always 1, (..., 385): what `head(k)` is multiplied by."""
    X = np.asarray(X, dtype=np.float64)
    d_model = _stored()["b_q"].size
    if X.shape[-1:] != (d_model,):
        raise ValueError(f"X has shape {X.shape}, expected (n, {d_model}), as layer_input gives it")
    return np.concatenate([X, np.ones((*X.shape[:-1], 1))], axis=-1)


def source() -> str:
    """Where the numbers come from: model, authors, licence, and the hash of the weights."""
    about = _ABOUT["source"]
    return (
        f"The attention of layer 0 ({about['tensor']}) of {about['model']}, by {about['authors']}. "
        f"Licence: {about['licence']}. Changes: {about['changes']}. "
        f"Taken from {about['file']} (SHA-256 {about['weights_sha256']}) "
        f"of the Python package {about['package']} {about['package_version']}."
    )


@functools.cache
def _stored() -> dict[str, np.ndarray]:
    with np.load(_DATA / "real_layer.npz", allow_pickle=False) as arrays:
        return dict(arrays)


def _with_bias(letter: str, k: int) -> np.ndarray:
    W, b = _stored()[f"W_{letter}"], _stored()[f"b_{letter}"]
    d_head = b.size // _ABOUT["h"]
    columns = slice(k * d_head, (k + 1) * d_head)
    return np.vstack([W[:, columns], b[columns]]).astype(np.float64)


def _rows(name: str, sentence: str) -> np.ndarray:
    """The rows of `sentence`, separators included, in the stored array `name`: a copy."""
    place = _place(sentence)
    lengths = [len(tokens(each)) for each in SENTENCES]
    start = sum(lengths[:place])
    return _stored()[name][start : start + lengths[place]].astype(np.float64)


def _place(sentence: str) -> int:
    if not isinstance(sentence, str):
        raise TypeError(f"a sentence is a string such as {SENTENCES[0]!r}, not {type(sentence).__name__}")
    plain = " ".join(sentence.lower().split())
    if plain not in SENTENCES:
        listed = "".join(f"\n  {stored!r}" for stored in SENTENCES)
        raise UnknownSentence(f"{sentence!r} is not stored. real_model.SENTENCES has them:{listed}")
    return SENTENCES.index(plain)
