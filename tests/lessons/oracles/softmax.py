"""Lesson 5 once more, written from the formulas with nothing but Python's floats, lists and loops."""

from __future__ import annotations

import math

INFINITY = float("inf")


def _row_softmax(row):
    m = -INFINITY
    for score in row:
        m = max(m, float(score))
    votes = []
    total = 0.0
    for score in row:
        vote = math.exp(float(score) - m)
        votes.append(vote)
        total += vote
    return [vote / total for vote in votes]


def _row_logsumexp(row):
    m = -INFINITY
    for score in row:
        m = max(m, float(score))
    if m == -INFINITY:
        return -INFINITY
    total = 0.0
    for score in row:
        total += math.exp(float(score) - m)
    return m + math.log(total)


def _line(z, index, axis, length):
    """The numbers of `z` along `axis` at `index`, which says where on the other axes."""
    return [float(z[(*index[:axis], j, *index[axis:])]) for j in range(length)]


def _indices(shape):
    """Every index of an array of `shape`, as tuples."""
    found = [()]
    for size in shape:
        found = [(*index, i) for index in found for i in range(size)]
    return found


def softmax(z, axis=-1):
    shape = z.shape
    axis = axis % len(shape)
    result = _nested(shape)
    for index in _indices(shape[:axis] + shape[axis + 1 :]):
        for j, weight in enumerate(_row_softmax(_line(z, index, axis, shape[axis]))):
            _put(result, (*index[:axis], j, *index[axis:]), weight)
    return result


def logsumexp(z, axis=-1):
    shape = z.shape
    axis = axis % len(shape)
    others = shape[:axis] + shape[axis + 1 :]
    if not others:
        return _row_logsumexp(_line(z, (), axis, shape[axis]))
    result = _nested(others)
    for index in _indices(others):
        _put(result, index, _row_logsumexp(_line(z, index, axis, shape[axis])))
    return result


def attention_weights(scores, allowed=None):
    shape = scores.shape
    result = _nested(shape)
    for index in _indices(shape[:-1]):
        kept = {}
        for j in range(shape[-1]):
            score = float(scores[(*index, j)])
            if _is_allowed(allowed, (*index, j)) and score > -INFINITY:
                kept[j] = score
        weights = _row_softmax(list(kept.values())) if kept else []
        for j, weight in zip(kept, weights, strict=True):
            _put(result, (*index, j), weight)
    return result


def _is_allowed(allowed, index):
    """Broadcasting, spelled out: missing axes on the left, and an axis of length 1 serves every place."""
    if allowed is None:
        return True
    place = index[len(index) - len(allowed.shape) :]
    return bool(allowed[tuple(0 if size == 1 else i for i, size in zip(place, allowed.shape, strict=True))])


def temperature_softmax(z, temperature):
    if temperature < 0:
        raise ValueError("negative")
    if temperature == 0:
        first = 0
        for j in range(len(z)):
            if z[j] > z[first]:
                first = j
        return [1.0 if j == first else 0.0 for j in range(len(z))]
    return _row_softmax([float(score) / temperature for score in z])


def online_softmax_stats(chunks):
    """By the definition, with all scores at once: the stream must come to the same."""
    scores = [float(score) for chunk in chunks for score in chunk]
    m = max([-INFINITY, *scores])
    if m == -INFINITY:
        return -INFINITY, 0.0
    total = 0.0
    for score in scores:
        total += math.exp(score - m)
    return m, total


def _nested(shape):
    if not shape:
        return 0.0
    return [_nested(shape[1:]) for _ in range(shape[0])]


def _put(nested, index, value):
    for i in index[:-1]:
        nested = nested[i]
    nested[index[-1]] = value
