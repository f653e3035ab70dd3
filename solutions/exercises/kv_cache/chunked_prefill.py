"""`chunked_prefill`: cases, the reference, other right solutions, known mistakes."""

import math

import numpy as np

from autograder.exercise import alternative, aspect, example, exercise, misconception, unchanged, values
from autograder.sandbox.script import Call, Let, Look

from .decode_step import decode_step
from .kv_append import kv_append
from .shared import (
    causal,
    drawn,
    grown,
    loud_matrices,
    loud_past,
    loud_tokens,
    matrices,
    mixed,
    rounded_to,
    softmax_of,
)


def chunk(rng, s, n, d_model, d_k, d_v):
    """s tokens, and a past of n random keys and values that no token has made."""
    W = matrices(rng, d_model, d_k, d_v)
    return rng.normal(size=(s, d_model)), drawn(rng, (n, d_k), (n, d_v)), *W


def three_after_five(rng):
    return chunk(rng, 3, 5, 4, 2, 6)


def four_after_two(rng):
    return chunk(rng, 4, 2, 3, 5, 2)


def a_chunk_of_one(rng):
    return chunk(rng, 1, 4, 5, 3, 2)


def the_first_chunk(rng):
    return chunk(rng, 4, 0, 3, 2, 5)


def as_many_as_in_the_cache(rng):
    """Everything of one size: a square mask, or a cache taken for tokens, does not raise here."""
    return chunk(rng, 3, 3, 3, 3, 3)


def a_chunk_in_single_precision(rng):
    return rounded_to(np.float32, *chunk(rng, 5, 3, 4, 6, 2))


def two_texts_chunk_by_chunk(rng):
    """What a function remembers of the one text is wrong for the other, though that is as long as the
    first one is by now; and the first chunk's answer must outlive the second call."""
    X, cache, *W = chunk(rng, 2, 3, 5, 4, 3)
    names = ("W_q", "W_k", "W_v")
    return [
        Let("X", X),
        Let("cache", cache),
        *(Let(name, value) for name, value in zip(names, W, strict=True)),
        Let("X_other", rng.normal(size=(2, 5))),
        Let("cache_other", drawn(rng, (5, 4), (5, 3))),
        Call("chunked_prefill", ("X", "cache", *names), "first"),
        Call("chunked_prefill", ("X_other", "cache_other", *names)),
        Look("first"),
    ]


def a_chunk_with_large_scores(rng):
    """Rows that score −1000 with all they may see, and rows that score +1000 with some."""
    X = loud_tokens(rng, [-1.0, 1.0, -1.0, -1.0], 5)
    return X, loud_past(rng, [1, 1], 3, 4), *loud_matrices(rng, 5, 3, 4, keys=-1.0)


def a_chunk_of_like_signs(rng):
    X = loud_tokens(rng, [1.0, -1.0, 1.0], 4)
    return X, loud_past(rng, [1, -1, 1, -1], 2, 3), *loud_matrices(rng, 4, 2, 3)


@exercise(
    points=5,
    aspects=[
        values(
            3,
            three_after_five,
            four_after_two,
            a_chunk_of_one,
            the_first_chunk,
            as_many_as_in_the_cache,
            a_chunk_in_single_precision,
            two_texts_chunk_by_chunk,
        ),
        aspect("large scores", 1, a_chunk_with_large_scores, a_chunk_of_like_signs),
        unchanged(1),
    ],
    examples=[
        example(
            "by hand: W_q = 0, so each token shares out equally among those it may see",
            [[2.0], [8.0]],
            (np.array([[1.0, 0.0]]), np.array([[4.0]])),
            [[0.0, 0.0]],
            [[1.0, -1.0]],
            [[1.0]],
        ),
        example(
            "three tokens after two, all widths 2",
            [[1.0, -0.5], [-1.5, 1.0], [0.5, 2.0]],
            (np.array([[0.5, 1.0], [-1.0, 0.25]]), np.array([[1.0, 2.0], [-3.0, 0.5]])),
            [[1.0, 0.5], [-0.5, 2.0]],
            [[0.5, -1.0], [1.5, 1.0]],
            [[2.0, 0.25], [-1.0, 3.0]],
        ),
        example(
            "scores near 1000 and -1000",
            [[1.0, 0.5, -1.0], [-1.0, 1.0, 0.5]],
            (np.array([[-45.0, 1.0]]), np.array([[5.0]])),
            [[30.0, 0.0], [0.0, 1.0], [0.0, 1.0]],
            [[-45.0, 0.0], [0.0, 1.0], [0.0, -1.0]],
            [[2.0], [1.0], [3.0]],
        ),
    ],
)
def chunked_prefill(X, cache, W_q, W_k, W_v):
    """The next s tokens at once, after the n tokens that the cache holds.

        Token i of the chunk stands at position n + i of the text. It may attend to
        the whole cache, to the chunk's tokens before it, and to itself.

    X : (s, d_model), the chunk, one token or more
    cache : (K, V), of shapes (n, d_k) and (n, d_v), the keys and values of the n
        tokens before the chunk, oldest first; n may be 0
    W_q : (d_model, d_k)
    W_k : (d_model, d_k)
    W_v : (d_model, d_v)
    Returns O : (s, d_v), and the cache (K, V) : (n + s, d_k) and (n + s, d_v). Scores
    of 1000 or -1000 must not break it. What came before is in the cache and nowhere
    else: chunks of other texts may come in between, and a cache that you have returned
    stays as it is.
    """
    n, s = len(cache[0]), len(X)
    K = np.concatenate([cache[0], X @ W_k])
    V = np.concatenate([cache[1], X @ W_v])
    scores = X @ W_q @ K.T / np.sqrt(K.shape[1])
    scores = np.where(np.tri(s, n + s, k=n, dtype=bool), scores, -np.inf)
    votes = np.exp(scores - scores.max(axis=1, keepdims=True))
    return votes / votes.sum(axis=1, keepdims=True) @ V, (K, V)


@alternative(chunked_prefill)
def decoded_one_by_one(X, cache, W_q, W_k, W_v):
    rows = []
    for x in X:
        row, cache = decode_step(x, cache, W_q, W_k, W_v)
        rows.append(row)
    return np.array(rows), cache


def asked_row_by_row(Q, K, V, first):
    """Query i asks the rows up to number `first + i`."""
    rows = []
    for i, q in enumerate(Q):
        products = [sum(float(a) * float(b) for a, b in zip(q, k, strict=False)) for k in K]
        scores = [p / math.sqrt(len(q)) if j <= first + i else -math.inf for j, p in enumerate(products)]
        votes = np.exp(np.array(scores) - max(scores))
        rows.append(sum(vote * v for vote, v in zip(votes, V, strict=False)) / votes.sum())
    return rows


@alternative(chunked_prefill)
def appended_then_counted_from_the_start(X, cache, W_q, W_k, W_v):
    K, V = kv_append(*cache, X @ W_k, X @ W_v)
    return asked_row_by_row(X @ W_q, K, V, len(cache[0])), (K, V)


@alternative(chunked_prefill)
def appended_then_counted_from_the_end(X, cache, W_q, W_k, W_v):
    K, V = kv_append(*cache, X @ W_k, X @ W_v)
    return asked_row_by_row(X @ W_q, K, V, len(K) - len(X)), (K, V)


@alternative(chunked_prefill)
def cache_and_chunk_apart(X, cache, W_q, W_k, W_v):
    """Votes for the cache without a mask, votes within the chunk with a square one, shared out together."""
    Q, K, V = X @ W_q, X @ W_k, X @ W_v
    old, new = (Q @ keys.T / np.sqrt(Q.shape[1]) for keys in (cache[0], K))
    new = new + np.triu(np.full(new.shape, -np.inf), k=1)
    top = np.hstack([old, new]).max(axis=1, keepdims=True)
    old, new = np.exp(old - top), np.exp(new - top)
    total = old.sum(axis=1, keepdims=True) + new.sum(axis=1, keepdims=True)
    both = zip(cache, (K, V), strict=True)
    return (old @ cache[1] + new @ V) / total, tuple(np.vstack(pair) for pair in both)


@alternative(chunked_prefill)
def positions_compared(X, cache, W_q, W_k, W_v):
    K, V = np.vstack([cache[0], X @ W_k]), np.vstack([cache[1], X @ W_v])
    position = np.arange(len(K))
    scores = np.einsum("ic,jc->ij", X @ W_q, K) * K.shape[1] ** -0.5
    scores[position[-len(X) :, None] < position] = -np.inf
    return np.exp(scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)) @ V, [K, V]


@alternative(chunked_prefill)
def the_past_cut_for_each_row(X, cache, W_q, W_k, W_v):
    K, V = np.append(cache[0], X @ W_k, axis=0), np.append(cache[1], X @ W_v, axis=0)
    rows = []
    for i, x in enumerate(X):
        seen = len(cache[0]) + i + 1
        scores = [float(k @ (x @ W_q)) / math.sqrt(K.shape[1]) for k in K[:seen]]
        votes = np.array([math.exp(score - max(scores)) for score in scores])
        rows.append(votes @ V[:seen] / votes.sum())
    return rows, (K, V)


def chunk_masked(X, cache, W_q, W_k, W_v, k, scale=None):
    """The chunk's output with the triangle at offset `k` where n is right, and the right cache."""
    K, V = grown(X, cache, W_k, W_v)
    return mixed(X @ W_q, K, V, np.tri(len(X), len(K), k=k, dtype=bool), scale), (K, V)


@misconception(
    chunked_prefill,
    hint="Token 0 of the chunk comes after the whole cache. How many keys does your mask leave it?",
)
def square_mask_in_the_corner(X, cache, W_q, W_k, W_v):
    return chunk_masked(X, cache, W_q, W_k, W_v, 0)


@misconception(
    chunked_prefill, hint="A token attends to itself: at which position of the text does token 0 stand?"
)
def itself_hidden(X, cache, W_q, W_k, W_v):
    output, grown_cache = chunk_masked(X, cache, W_q, W_k, W_v, len(cache[0]) - 1)
    return np.where(len(cache[0]) + np.arange(len(X))[:, None] > 0, output, np.nan), grown_cache


@misconception(
    chunked_prefill, hint="Change the last token of the chunk: may the output of the one before it move?"
)
def one_token_ahead(X, cache, W_q, W_k, W_v):
    return chunk_masked(X, cache, W_q, W_k, W_v, len(cache[0]) + 1)


@misconception(
    chunked_prefill,
    hint="The cache lies in the past, but does all of the chunk? Whom may its first token not see?",
)
def mask_skipped(X, cache, W_q, W_k, W_v):
    K, V = grown(X, cache, W_k, W_v)
    return mixed(X @ W_q, K, V), (K, V)


@misconception(
    chunked_prefill, hint="Change a row of the cached values: do your outputs notice? Should they?"
)
def chunk_by_itself(X, cache, W_q, W_k, W_v):
    return causal(X, W_q, W_k, W_v), grown(X, cache, W_k, W_v)


@misconception(
    chunked_prefill,
    hint="Are the chunk's own keys there when its queries ask? Whom may its last token look at?",
)
def cache_alone(X, cache, W_q, W_k, W_v):
    return mixed(X @ W_q, *cache), grown(X, cache, W_k, W_v)


@misconception(
    chunked_prefill, hint="The next chunk will ask about all the text: how many rows has your cache?"
)
def past_dropped_from_the_cache(X, cache, W_q, W_k, W_v):
    output, _ = chunk_masked(X, cache, W_q, W_k, W_v, len(cache[0]))
    return output, (X @ W_k, X @ W_v)


@misconception(
    chunked_prefill,
    hint="The next step will need the chunk too: is it in the cache that you hand back?",
)
def chunk_not_stored(X, cache, W_q, W_k, W_v):
    output, _ = chunk_masked(X, cache, W_q, W_k, W_v, len(cache[0]))
    return output, cache


@misconception(
    chunked_prefill,
    hint="The rows of the cache are keys and values already: what happens to them in your function?",
)
def cached_rows_projected_again(X, cache, W_q, W_k, W_v):
    K, V = np.concatenate([cache[0], X]) @ W_k, np.concatenate([cache[1], X]) @ W_v
    return mixed(X @ W_q, K, V, np.tri(len(X), len(K), k=len(cache[0]), dtype=bool)), (K, V)


@misconception(
    chunked_prefill,
    hint="Add up the weights of one of your rows: who kept the shares of the keys that you hid?",
)
def chunk_hidden_after_the_softmax(X, cache, W_q, W_k, W_v):
    K, V = grown(X, cache, W_k, W_v)
    A = softmax_of(X @ W_q @ K.T / np.sqrt(K.shape[1]))
    return np.tril(A, k=len(cache[0])) @ V, (K, V)


@misconception(
    chunked_prefill, hint="Your weights follow the dot products. What did lesson 3 divide them by?"
)
def chunk_not_scaled(X, cache, W_q, W_k, W_v):
    return chunk_masked(X, cache, W_q, W_k, W_v, len(cache[0]), scale=1.0)


@misconception(
    chunked_prefill,
    hint="How many products does one score add up? Which width is that, and which did you take?",
)
def chunk_scaled_by_d_model(X, cache, W_q, W_k, W_v):
    return chunk_masked(X, cache, W_q, W_k, W_v, len(cache[0]), scale=math.sqrt(X.shape[1]))


@misconception(
    chunked_prefill, hint="Two rows may lie 2000 apart: over which scores did you take the maximum?"
)
def one_maximum_for_the_chunk(X, cache, W_q, W_k, W_v):
    K, V = grown(X, cache, W_k, W_v)
    scores = X @ W_q @ K.T / np.sqrt(K.shape[1])
    scores = np.where(np.tri(len(X), len(K), k=len(cache[0]), dtype=bool), scores, -np.inf)
    votes = np.exp(scores - scores.max())
    return votes / votes.sum(axis=1, keepdims=True) @ V, (K, V)


@misconception(
    chunked_prefill, hint="What is exp(1000) in NumPy, and how did lesson 5 get the same weights without it?"
)
def chunk_overflows(X, cache, W_q, W_k, W_v):
    K, V = grown(X, cache, W_k, W_v)
    votes = np.tril(np.exp(X @ W_q @ K.T / np.sqrt(K.shape[1])), k=len(cache[0]))
    return votes / votes.sum(axis=1, keepdims=True) @ V, (K, V)
