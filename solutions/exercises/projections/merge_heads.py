"""`merge_heads`: cases, the reference, other right solutions, known mistakes."""

import numpy as np

from autograder.exercise import alternative, example, exercise, misconception, unchanged, values


def heads_of_three(rng):
    return (rng.normal(size=(3, 4, 2)),)


def heads_as_many_as_tokens(rng):
    return (rng.normal(size=(3, 3, 4)),)


def more_heads_than_tokens(rng):
    return (rng.normal(size=(5, 2, 3)),)


def one_feature_each(rng):
    return (rng.normal(size=(4, 3, 1)),)


def one_head(rng):
    return (rng.normal(size=(1, 4, 3)),)


def heads_of_one_token(rng):
    return (rng.normal(size=(4, 1, 2)),)


def single_precision_merge(rng):
    return (rng.normal(size=(2, 5, 3)).astype(np.float32),)


def half_precision_merge(rng):
    return (rng.normal(size=(2, 3, 4)).astype(np.float16),)


@exercise(
    points=3,
    aspects=[
        values(
            2,
            heads_of_three,
            heads_as_many_as_tokens,
            more_heads_than_tokens,
            one_feature_each,
            one_head,
            heads_of_one_token,
            single_precision_merge,
            half_precision_merge,
        ),
        unchanged(1),
    ],
    examples=[
        example(
            "by hand: two heads, two tokens, two features",
            [[[1.0, 2.0], [3.0, 4.0]], [[10.0, 20.0], [30.0, 40.0]]],
        ),
        example(
            "two heads, three tokens, two features",
            [
                [[1.0, -2.0], [3.0, 4.5], [-5.0, 6.0]],
                [[70.0, 80.0], [-90.0, 100.0], [110.0, -125.0]],
            ],
        ),
    ],
)
def merge_heads(Z):
    """The heads side by side again, in one vector per token: split_heads undone.

        row i is [ Z[0, i] | Z[1, i] | … | Z[h-1, i] ]

    Z : (h, n, d_head), where Z[a, i] is token i's vector in head a
    Returns X : (n, h·d_head).
    """
    h, n, d_head = Z.shape
    return Z.transpose(1, 0, 2).reshape(n, h * d_head)


@alternative(merge_heads)
def concatenated_along_the_features(Z):
    return np.concatenate(list(Z), axis=1)


@alternative(merge_heads)
def token_after_token(Z):
    return np.array([Z[:, i].ravel() for i in range(Z.shape[1])])


@alternative(merge_heads)
def each_head_in_its_columns(Z):
    h, n, d_head = Z.shape
    X = np.empty((n, h * d_head))
    for a in range(h):
        X[:, a * d_head : (a + 1) * d_head] = Z[a]
    return X


@alternative(merge_heads)
def lists_added(Z):
    return [[number for part in parts for number in part] for parts in zip(*Z.tolist(), strict=True)]


@misconception(merge_heads, hint="Row 0 must hold token 0 alone. Which tokens are in your row 0?")
def not_turned(Z):
    h, n, d_head = Z.shape
    return Z.reshape(n, h * d_head)


@misconception(
    merge_heads, hint="Did every number of Z find a place in yours? Are the heads to be mixed, or to be kept?"
)
def averaged(Z):
    return Z.mean(axis=0)


@misconception(merge_heads, hint="How many numbers go in, and how many come out of yours?")
def summed(Z):
    return Z.sum(axis=0)


@misconception(
    merge_heads, hint="How many rows does yours have, and how many tokens are there? Beside, or below?"
)
def heads_below_each_other(Z):
    return np.concatenate(list(Z), axis=0)


@misconception(
    merge_heads, hint="Read your row 0 from the left: does head 0 come in one piece, or a number at a time?"
)
def heads_interleaved(Z):
    h, n, d_head = Z.shape
    return Z.transpose(1, 2, 0).reshape(n, h * d_head)


@misconception(merge_heads, hint="Tokens come first now, good. How many axes should the result have?")
def still_three_axes(Z):
    return Z.transpose(1, 0, 2)


@misconception(merge_heads, hint="What is the shape of yours: is a token a row in it?")
def tokens_in_the_columns(Z):
    h, n, d_head = Z.shape
    return Z.transpose(0, 2, 1).reshape(h * d_head, n)


@misconception(
    merge_heads, hint="Your row 0 starts with the last head. Which one does the formula put first?"
)
def last_head_first(Z):
    return np.concatenate(list(Z[::-1]), axis=1)


@misconception(
    merge_heads, hint="Print the shapes before and after: did you exchange heads and tokens, or another pair?"
)
def other_axes_exchanged(Z):
    h, n, d_head = Z.shape
    return Z.transpose(0, 2, 1).reshape(n, h * d_head)


@misconception(
    merge_heads, hint="Of which head and which token are the first two numbers of your row 0, in words?"
)
def all_axes_turned(Z):
    h, n, d_head = Z.shape
    return Z.T.reshape(n, h * d_head)
