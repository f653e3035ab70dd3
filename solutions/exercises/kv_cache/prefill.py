"""`prefill`: cases, the reference, other right solutions, known mistakes."""

import math

import numpy as np

from autograder.exercise import alternative, aspect, example, exercise, misconception, unchanged, values
from autograder.sandbox.script import Call, Let, Look

from .decode_step import decode_step
from .shared import causal, loud_matrices, loud_tokens, matrices, mixed, rounded_to, softmax_of


def prompt(rng, n, d_model, d_k, d_v):
    return rng.normal(size=(n, d_model)), *matrices(rng, d_model, d_k, d_v)


def five_tokens(rng):
    return prompt(rng, 5, 3, 4, 2)


def a_prompt_of_two(rng):
    return prompt(rng, 2, 5, 3, 6)


def a_prompt_of_one(rng):
    return prompt(rng, 1, 3, 2, 4)


def a_prompt_all_square(rng):
    return prompt(rng, 4, 4, 4, 4)


def a_prompt_in_single_precision(rng):
    return rounded_to(np.float32, *prompt(rng, 7, 4, 5, 3))


def two_prompts(rng):
    """The first one's answer must outlive the second call."""
    X, *W = prompt(rng, 3, 5, 2, 4)
    names = ("W_q", "W_k", "W_v")
    return [
        Let("X", X),
        *(Let(name, value) for name, value in zip(names, W, strict=True)),
        Let("X_other", rng.normal(size=(3, 5))),
        Call("prefill", ("X", *names), "first"),
        Call("prefill", ("X_other", *names)),
        Look("first"),
    ]


def a_prompt_with_large_scores(rng):
    """Row 1 scores −1000 with itself and +1000 with row 0; row 0 has nothing but −1000."""
    X = loud_tokens(rng, [1.0, -1.0, 1.0, 1.0, -1.0, 1.0], 5)
    return X, *loud_matrices(rng, 5, 3, 4, keys=-1.0)


def a_prompt_of_like_signs(rng):
    return loud_tokens(rng, [1.0, 1.0, -1.0, 1.0], 3), *loud_matrices(rng, 3, 2, 5)


@exercise(
    points=4,
    aspects=[
        values(
            2,
            five_tokens,
            a_prompt_of_two,
            a_prompt_of_one,
            a_prompt_all_square,
            a_prompt_in_single_precision,
            two_prompts,
        ),
        aspect("large scores", 1, a_prompt_with_large_scores, a_prompt_of_like_signs),
        unchanged(1),
    ],
    examples=[
        example(
            "by hand: W_q = 0, so each token shares out equally among those it may see",
            [[2.0], [4.0], [9.0]],
            [[0.0, 0.0]],
            [[1.0, -1.0]],
            [[1.0]],
        ),
        example(
            "four tokens of three features",
            [[1.0, -0.5, 2.0], [-1.0, 1.5, 0.25], [0.5, 1.0, -1.5], [2.0, 0.5, 1.0]],
            [[1.0, 0.5], [0.0, -1.0], [0.5, 1.0]],
            [[0.5, -1.0], [1.0, 0.5], [-1.0, 0.5]],
            [[1.0, 0.0, 0.5], [0.5, 1.0, -1.0], [0.0, -0.5, 2.0]],
        ),
        example(
            "scores near 1000 and -1000",
            [[1.0, 0.5], [-1.0, 1.0], [1.0, -0.5]],
            [[30.0, 0.0], [0.0, 1.0]],
            [[-45.0, 0.0], [0.0, 1.0]],
            [[2.0], [1.0]],
        ),
    ],
)
def prefill(X, W_q, W_k, W_v):
    """The whole prompt at once: causal self-attention, and the cache to go on from.

        O = softmax(Q Kᵀ / √d_k + Mask) V,  Mask(i, j) = -∞ where j > i

    X : (n, d_model), the prompt, one token or more
    W_q : (d_model, d_k)
    W_k : (d_model, d_k)
    W_v : (d_model, d_v)
    Returns O : (n, d_v), and the cache (K, V) : (n, d_k) and (n, d_v). Scores of
    1000 or -1000 must not break it. A cache that you have returned stays as it is when
    another prompt comes.
    """
    K, V = X @ W_k, X @ W_v
    scores = X @ W_q @ K.T / np.sqrt(K.shape[1])
    scores = np.where(np.tri(len(X), dtype=bool), scores, -np.inf)
    votes = np.exp(scores - scores.max(axis=1, keepdims=True))
    return votes / votes.sum(axis=1, keepdims=True) @ V, (K, V)


@alternative(prefill)
def one_token_after_the_other(X, W_q, W_k, W_v):
    cache, rows = (np.zeros((0, W_k.shape[1])), np.zeros((0, W_v.shape[1]))), []
    for x in X:
        row, cache = decode_step(x, cache, W_q, W_k, W_v)
        rows.append(row)
    return np.array(rows), cache


@alternative(prefill)
def einsum_and_an_additive_mask(X, W_q, W_k, W_v):
    Q, K, V = (np.einsum("nm,mc->nc", X, W) for W in (W_q, W_k, W_v))
    scores = np.einsum("ic,jc->ij", Q, K) / math.sqrt(Q.shape[1])
    scores = scores + np.triu(np.full((len(X), len(X)), -np.inf), k=1)
    return np.exp(scores - np.logaddexp.reduce(scores, axis=1)[:, None]) @ V, (K, V)


@alternative(prefill)
def prefix_by_prefix(X, W_q, W_k, W_v):
    K, V = X @ W_k, X @ W_v
    rows = []
    for i in range(len(X)):
        scores = K[: i + 1] @ (X[i] @ W_q) * W_q.shape[1] ** -0.5
        votes = [math.exp(score - max(scores)) for score in scores]
        rows.append(sum(vote * v for vote, v in zip(votes, V, strict=False)) / sum(votes))
    return rows, [K, V]


@misconception(prefill, hint="Change the last token: may the output of the first one move? Does it in yours?")
def prompt_not_masked(X, W_q, W_k, W_v):
    return mixed(X @ W_q, X @ W_k, X @ W_v), (X @ W_k, X @ W_v)


@misconception(prefill, hint="The next token will ask about the prompt: what does your cache hold of it?")
def prompt_not_stored(X, W_q, W_k, W_v):
    return causal(X, W_q, W_k, W_v), (np.zeros((0, W_k.shape[1])), np.zeros((0, W_v.shape[1])))


@misconception(
    prefill, hint="How many tokens has the prompt, and how many rows your cache? Which one is missing?"
)
def first_token_lost(X, W_q, W_k, W_v):
    return causal(X, W_q, W_k, W_v), (X[1:] @ W_k, X[1:] @ W_v)


@misconception(
    prefill, hint="The next step appends its own token only: who would append the last of the prompt?"
)
def last_token_left_to_the_next_step(X, W_q, W_k, W_v):
    return causal(X, W_q, W_k, W_v), (X[:-1] @ W_k, X[:-1] @ W_v)


@misconception(prefill, hint="A token attends to itself: which keys does your mask leave to token 0?")
def own_key_hidden(X, W_q, W_k, W_v):
    output = causal(X, W_q, W_k, W_v, k=-1)
    output[0] = np.nan
    return output, (X @ W_k, X @ W_v)


@misconception(
    prefill,
    hint="Only the last row is needed to go on writing; but how many outputs does the docstring ask for?",
)
def last_output_alone(X, W_q, W_k, W_v):
    return causal(X, W_q, W_k, W_v)[-1], (X @ W_k, X @ W_v)


@misconception(prefill, hint="What will the next query be compared with? Is that what your cache holds?")
def queries_cached(X, W_q, W_k, W_v):
    return causal(X, W_q, W_k, W_v), (X @ W_q, X @ W_v)


@misconception(
    prefill, hint="Should the next step have to project the prompt again? What does your cache hold?"
)
def tokens_cached(X, W_q, W_k, W_v):
    return causal(X, W_q, W_k, W_v), (X.copy(), X.copy())


@misconception(prefill, hint="Add up the weights of token 0: who kept the shares of the keys that you hid?")
def prompt_hidden_after_the_softmax(X, W_q, W_k, W_v):
    A = softmax_of(X @ W_q @ (X @ W_k).T / np.sqrt(W_k.shape[1]))
    return np.tril(A) @ (X @ W_v), (X @ W_k, X @ W_v)


@misconception(prefill, hint="Your weights follow the dot products. What did lesson 3 divide them by?")
def prompt_not_scaled(X, W_q, W_k, W_v):
    return causal(X, W_q, W_k, W_v, scale=1.0), (X @ W_k, X @ W_v)


@misconception(
    prefill, hint="How many products does one score add up? Which width is that, and which did you take?"
)
def prompt_scaled_by_d_model(X, W_q, W_k, W_v):
    return causal(X, W_q, W_k, W_v, scale=math.sqrt(X.shape[1])), (X @ W_k, X @ W_v)


@misconception(prefill, hint="Two rows may lie 2000 apart: over which scores did you take the maximum?")
def one_maximum_for_the_prompt(X, W_q, W_k, W_v):
    scores = X @ W_q @ (X @ W_k).T / np.sqrt(W_k.shape[1])
    scores = np.where(np.tri(len(X), dtype=bool), scores, -np.inf)
    votes = np.exp(scores - scores.max())
    return votes / votes.sum(axis=1, keepdims=True) @ (X @ W_v), (X @ W_k, X @ W_v)


@misconception(
    prefill, hint="What is exp(1000) in NumPy, and how did lesson 5 get the same weights without it?"
)
def prompt_overflows(X, W_q, W_k, W_v):
    votes = np.tril(np.exp(X @ W_q @ (X @ W_k).T / np.sqrt(W_k.shape[1])))
    return votes / votes.sum(axis=1, keepdims=True) @ (X @ W_v), (X @ W_k, X @ W_v)
