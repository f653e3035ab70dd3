"""`multi_head_attention`: cases, the reference, other right solutions, known mistakes."""

import math

import numpy as np

from autograder.exercise import alternative, aspect, example, exercise, misconception, unchanged, values

from .attend_one import attend_one
from .scaled_dot_product_attention import scaled_dot_product_attention
from .shared import masked_weights, products, rounded_to


def layer_of(rng, n, h, d_head):
    """X, W_q, W_k, W_v, W_o, h: weights that keep scores of the order of 1."""
    d_model = h * d_head
    square = (d_model, d_model)
    return (
        rng.normal(size=(n, d_model)),
        *(rng.normal(size=square) / math.sqrt(d_model) * 1.5 for _ in range(4)),
        h,
    )


def three_heads(rng):
    return layer_of(rng, 5, 3, 2)


def two_heads(rng):
    return layer_of(rng, 4, 2, 3)


def one_head(rng):
    return layer_of(rng, 3, 1, 5)


def heads_of_one_feature(rng):
    return layer_of(rng, 6, 4, 1)


def one_token_only(rng):
    return layer_of(rng, 1, 3, 4)


def as_many_heads_as_tokens(rng):
    """n = h = d_head: an exchange of the wrong axes does not raise here."""
    return layer_of(rng, 3, 3, 3)


def single_precision_layer(rng):
    *arrays, h = layer_of(rng, 5, 2, 4)
    return *rounded_to(np.float32, *arrays), h


def causal_layer(rng):
    return *layer_of(rng, 5, 2, 3), np.tri(5, dtype=bool)


def a_token_that_sees_nothing(rng):
    allowed = np.array([[1, 0, 1, 1], [0, 0, 0, 0], [0, 1, 0, 1], [1, 1, 1, 0]], dtype=bool)
    return *layer_of(rng, 4, 3, 2), allowed


def padded_layer(rng):
    return *layer_of(rng, 6, 2, 2), np.array([[True, True, True, True, False, False]])


def a_mask_for_each_head(rng):
    allowed = np.stack([np.tri(4, dtype=bool), np.tri(4, dtype=bool).T, np.eye(4, dtype=bool)])
    return *layer_of(rng, 4, 3, 3), allowed


def a_layer_with_large_scores(rng):
    """Scores of about ±1000 in each head, whose queries and keys have one large feature of either sign;
    those of tokens 2 and 4 lie below 250."""
    n, h, d_head = 5, 2, 3
    X, W_q, W_k, W_v, W_o, h = layer_of(rng, n, h, d_head)
    X[:, 0] = [1.0, -1.0, 0.2, 1.0, -0.2]
    large = math.sqrt(1000 * math.sqrt(d_head))
    for W in (W_q, W_k):
        W *= 0.3
        W[:, ::d_head] = 0.0
        W[0, ::d_head] = large
    return X, W_q, W_k, W_v, W_o, h


@exercise(
    points=5,
    aspects=[
        values(
            2,
            three_heads,
            two_heads,
            one_head,
            heads_of_one_feature,
            one_token_only,
            as_many_heads_as_tokens,
            single_precision_layer,
        ),
        aspect("allowed", 1, causal_layer, a_token_that_sees_nothing, padded_layer, a_mask_for_each_head),
        aspect("large scores", 1, a_layer_with_large_scores),
        unchanged(1),
    ],
    examples=[
        example(
            "by hand: two heads of one feature, W_q = 0, so every weight is one half",
            [[1.0, 0.0], [3.0, 2.0]],
            [[0.0, 0.0], [0.0, 0.0]],
            [[1.0, 0.0], [0.0, 1.0]],
            [[1.0, 0.0], [0.0, 1.0]],
            [[0.0, 10.0], [1.0, 0.0]],
            2,
        ),
        example(
            "three tokens, two heads of two features, causal",
            [[1.0, -0.5, 2.0, 0.5], [-1.0, 1.5, 0.25, -2.0], [0.5, 1.0, -1.5, 1.0]],
            [[1.0, 0.5, -0.5, 0.0], [0.0, -1.0, 1.0, 0.5], [0.5, 0.0, 1.0, -1.0], [-0.5, 1.0, 0.0, 1.5]],
            [[0.5, -1.0, 1.0, 0.0], [1.0, 0.5, 0.0, -0.5], [-1.0, 0.0, 0.5, 1.0], [0.0, 1.0, -0.5, 0.5]],
            [[1.0, 0.0, 0.5, -1.0], [0.5, 1.0, -1.0, 0.0], [0.0, -0.5, 1.0, 2.0], [-1.0, 0.5, 0.0, 1.0]],
            [[0.5, 1.0, 0.0, -0.5], [1.0, -1.0, 0.5, 0.0], [0.0, 0.5, -1.0, 1.0], [2.0, 0.0, 0.5, 1.0]],
            2,
            [[True, False, False], [True, True, False], [True, True, True]],
        ),
    ],
)
def multi_head_attention(X, W_q, W_k, W_v, W_o, h, allowed=None):
    """Self-attention with h heads, side by side, and a matrix that mixes what they found.

        head_a = attention of X W_q, X W_k, X W_v, each cut to its a-th slice of d_head columns
        O = [head_0, …, head_{h-1}] W_o,   d_head = d_model / h

    X : (n, d_model), token i is row i
    W_q : (d_model, d_model)
    W_k : (d_model, d_model)
    W_v : (d_model, d_model)
    W_o : (d_model, d_model)
    h : int, the number of heads; divides d_model
    allowed : boolean, True = may attend; broadcasts against the scores
        (h, n, n), so that one (n, n) serves all heads. None: all may attend.
    Returns O : (n, d_model). A token that may attend to nothing gets zeros.
    Scores of 1000 or -1000 must not break it. You may build it from
    scaled_dot_product_attention.
    """

    def heads(Z):
        return Z.reshape(len(X), h, -1).swapaxes(0, 1)

    mixed = scaled_dot_product_attention(heads(X @ W_q), heads(X @ W_k), heads(X @ W_v), allowed)
    return mixed.swapaxes(0, 1).reshape(X.shape) @ W_o


@alternative(multi_head_attention)
def head_by_head(X, W_q, W_k, W_v, W_o, h, allowed=None):
    masks = [None] * h if allowed is None else np.broadcast_to(allowed, (h, len(X), len(X)))
    cut = [np.split(X @ W, h, axis=1) for W in (W_q, W_k, W_v)]
    found = [scaled_dot_product_attention(*qkv, mask) for *qkv, mask in zip(*cut, masks, strict=True)]
    return np.concatenate(found, axis=1) @ W_o


@alternative(multi_head_attention)
def what_each_head_writes_added_up(X, W_q, W_k, W_v, W_o, h, allowed=None):
    n, d_head = len(X), X.shape[1] // h
    may = np.broadcast_to(True if allowed is None else allowed, (h, n, n))
    output = np.zeros(X.shape)
    for k, part in enumerate(np.split(np.arange(X.shape[1]), h)):
        scores = (X @ W_q[:, part]) @ (X @ W_k[:, part]).T / math.sqrt(d_head)
        output += masked_weights(scores, may[k]) @ (X @ W_v[:, part]) @ W_o[part]
    return output


@alternative(multi_head_attention)
def einsum_over_heads(X, W_q, W_k, W_v, W_o, h, allowed=None):
    d_model = X.shape[1]
    cut = (np.einsum("nm,mhc->hnc", X, W.reshape(d_model, h, d_model // h)) for W in (W_q, W_k, W_v))
    Q, K, V = cut
    A = masked_weights(np.einsum("hic,hjc->hij", Q, K) / np.sqrt(d_model // h), allowed)
    return np.einsum("hij,hjc,hcm->im", A, V, W_o.reshape(h, d_model // h, d_model))


@alternative(multi_head_attention)
def token_by_token_and_head_by_head(X, W_q, W_k, W_v, W_o, h, allowed=None):
    n, d_head = len(X), X.shape[1] // h
    may = np.broadcast_to(True if allowed is None else allowed, (h, n, n))
    rows = []
    for i in range(n):
        found = []
        for k, columns in enumerate(np.split(np.arange(X.shape[1]), h)):
            seen = X[may[k, i]]
            q, K, V = X[i] @ W_q[:, columns], seen @ W_k[:, columns], seen @ W_v[:, columns]
            found.append(attend_one(q, K, V) if len(seen) else np.zeros(d_head))
        rows.append(np.concatenate(found, axis=-1))
    return np.array(rows) @ W_o


def cut(Z, h):
    return Z.reshape(len(Z), h, -1).swapaxes(0, 1)


def heads_found(X, W_q, W_k, W_v, h, allowed, scale=None):
    """What the heads found, (h, n, d_head)."""
    Q, K, V = (cut(X @ W, h) for W in (W_q, W_k, W_v))
    return masked_weights(products(Q, K) / (scale or np.sqrt(Q.shape[-1])), allowed) @ V


def side_by_side(Z):
    return Z.swapaxes(0, 1).reshape(Z.shape[1], -1)


@misconception(
    multi_head_attention,
    hint="How many products does one head's dot product add up: d_model of them, or d_head?",
)
def scaled_by_the_root_of_d_model(X, W_q, W_k, W_v, W_o, h, allowed=None):
    return side_by_side(heads_found(X, W_q, W_k, W_v, h, allowed, np.sqrt(X.shape[1]))) @ W_o


@misconception(
    multi_head_attention,
    hint="Your weights are sharper than they should be: what did lesson 3 do to the dot products?",
)
def heads_not_scaled(X, W_q, W_k, W_v, W_o, h, allowed=None):
    return side_by_side(heads_found(X, W_q, W_k, W_v, h, allowed, 1.0)) @ W_o


@misconception(
    multi_head_attention,
    hint="After merging, row 0 must hold what every head found for token 0. Whose numbers stand in yours?",
)
def merged_without_exchanging_axes(X, W_q, W_k, W_v, W_o, h, allowed=None):
    return heads_found(X, W_q, W_k, W_v, h, allowed).reshape(X.shape) @ W_o


@misconception(
    multi_head_attention,
    hint="Head 0 of token 1 must be the first d_head numbers of row 1: what does your split put there?",
)
def split_without_exchanging_axes(X, W_q, W_k, W_v, W_o, h, allowed=None):
    Q, K, V = ((X @ W).reshape(h, len(X), -1) for W in (W_q, W_k, W_v))
    return side_by_side(masked_weights(products(Q, K) / np.sqrt(Q.shape[-1]), allowed) @ V) @ W_o


@misconception(
    multi_head_attention,
    hint="The heads stand side by side. Which matrix lets a feature of the output use all of them?",
)
def no_output_matrix(X, W_q, W_k, W_v, W_o, h, allowed=None):
    return side_by_side(heads_found(X, W_q, W_k, W_v, h, allowed))


@misconception(
    multi_head_attention,
    hint="How wide is your output? Are the heads' findings averaged, or set side by side?",
)
def heads_averaged(X, W_q, W_k, W_v, W_o, h, allowed=None):
    return heads_found(X, W_q, W_k, W_v, h, allowed).mean(axis=0)


@misconception(
    multi_head_attention,
    hint="Which columns of X W belong to head 0: the first d_head of them, or every h-th one?",
)
def heads_of_every_hth_column(X, W_q, W_k, W_v, W_o, h, allowed=None):
    Q, K, V = (np.moveaxis((X @ W).reshape(len(X), -1, h), -1, 0) for W in (W_q, W_k, W_v))
    found = masked_weights(products(Q, K) / np.sqrt(Q.shape[-1]), allowed) @ V
    return np.moveaxis(found, 0, -1).reshape(X.shape) @ W_o


@misconception(
    multi_head_attention,
    hint="How many matrices of weights does a token have in yours: one, or one for each head?",
)
def one_head_as_wide_as_the_model(X, W_q, W_k, W_v, W_o, h, allowed=None):
    mask = allowed if allowed is None or np.ndim(allowed) == 2 else allowed[0]
    return masked_weights(products(X @ W_q, X @ W_k) / np.sqrt(X.shape[1]), mask) @ (X @ W_v) @ W_o


@misconception(
    multi_head_attention,
    hint="Change the last feature of a token: does head 0 notice? Is it X that is cut, or X W?",
)
def each_head_sees_its_slice_of_x(X, W_q, W_k, W_v, W_o, h, allowed=None):
    own = np.kron(np.eye(h), np.ones((X.shape[1] // h,) * 2))
    return side_by_side(heads_found(X, W_q * own, W_k * own, W_v * own, h, allowed)) @ W_o


@misconception(
    multi_head_attention,
    hint="Row vectors are multiplied from the right, W_o included. Which way round does yours stand?",
)
def output_matrix_turned_round(X, W_q, W_k, W_v, W_o, h, allowed=None):
    return side_by_side(heads_found(X, W_q, W_k, W_v, h, allowed)) @ W_o.T


@misconception(
    multi_head_attention,
    hint="Call it with and without the last argument: does your output notice? Should it?",
)
def allowed_forgotten(X, W_q, W_k, W_v, W_o, h, allowed=None):
    return side_by_side(heads_found(X, W_q, W_k, W_v, h, None)) @ W_o
