"""`split_heads`: cases, the reference, other right solutions, known mistakes."""

import numpy as np

from autograder.exercise import alternative, example, exercise, misconception, unchanged, values


def three_heads(rng):
    return rng.normal(size=(4, 6)), 3


def as_many_heads_as_tokens(rng):
    return rng.normal(size=(3, 12)), 3


def wide_heads(rng):
    return rng.normal(size=(4, 10)), 2


def heads_of_one_feature(rng):
    return rng.normal(size=(2, 4)), 4


def two_heads_of_two(rng):
    return rng.normal(size=(2, 4)), 2


def a_single_head(rng):
    return rng.normal(size=(4, 3)), 1


def one_token_many_heads(rng):
    return rng.normal(size=(1, 8)), 4


def many_tokens(rng):
    return rng.normal(size=(9, 6)), 3


def single_precision_heads(rng):
    return rng.normal(size=(6, 8)).astype(np.float32), 2


def half_precision_heads(rng):
    return rng.normal(size=(4, 6)).astype(np.float16), 2


@exercise(
    points=4,
    aspects=[
        values(
            3,
            three_heads,
            as_many_heads_as_tokens,
            wide_heads,
            heads_of_one_feature,
            two_heads_of_two,
            a_single_head,
            one_token_many_heads,
            many_tokens,
            single_precision_heads,
            half_precision_heads,
        ),
        unchanged(1),
    ],
    examples=[
        example("by hand: two tokens, two heads", [[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]], 2),
        example(
            "four tokens, two heads of three features",
            [
                [0.0, 1.0, 2.0, 3.0, 4.0, 5.0],
                [10.0, 11.0, 12.0, 13.0, 14.0, 15.0],
                [20.0, 21.0, 22.0, 23.0, 24.0, 25.0],
                [30.0, 31.0, 32.0, 33.0, 34.0, 35.0],
            ],
            2,
        ),
    ],
)
def split_heads(X, h):
    """Each head's slice of every token's vector.

        head a of token i gets features a·d_head to (a + 1)·d_head - 1 of row i

    X : (n, h·d_head), queries, keys or values of all heads side by side
    h : int, the number of heads; it divides the width of X
    Returns Z : (h, n, d_head), where Z[a, i] is token i's vector in head a.
    """
    n, width = X.shape
    return X.reshape(n, h, width // h).transpose(1, 0, 2)


@alternative(split_heads)
def columns_cut_into_h(X, h):
    return np.split(X, h, axis=1)


@alternative(split_heads)
def slice_by_slice(X, h):
    d_head = X.shape[1] // h
    return np.stack([X[:, a * d_head : (a + 1) * d_head] for a in range(h)])


@alternative(split_heads)
def entry_after_entry(X, h):
    d_head = X.shape[1] // h
    Z = np.zeros((h, len(X), d_head))
    for i, row in enumerate(X):
        for feature, number in enumerate(row):
            Z[feature // d_head, i, feature % d_head] = number
    return Z


@alternative(split_heads)
def axes_turned_by_einsum(X, h):
    return np.einsum("iac->aic", X.reshape(len(X), h, -1))


@misconception(split_heads, hint="Head 0 of token 1 must begin as row 1 of X begins. Does yours?")
def reshaped_only(X, h):
    return X.reshape(h, len(X), X.shape[1] // h)


@misconception(
    split_heads, hint="Each slice is right. Which axis counts the heads in yours: is it the first?"
)
def head_axis_in_the_middle(X, h):
    return X.reshape(len(X), h, -1)


@misconception(split_heads, hint="Which axis counts the heads in yours? Index it as the docstring does.")
def head_axis_last(X, h):
    return X.reshape(len(X), h, -1).transpose(0, 2, 1)


@misconception(split_heads, hint="Are the features of one head neighbours in row 0, or h columns apart?")
def every_hth_feature(X, h):
    return X.reshape(len(X), -1, h).transpose(2, 0, 1)


@misconception(split_heads, hint="Did you share out the tokens or the features? Every head sees every token.")
def tokens_shared_out(X, h):
    return np.array(np.split(X, h, axis=0))


@misconception(
    split_heads, hint="How many heads come out of yours, and how wide is each? h is which of the two?"
)
def h_taken_for_the_width(X, h):
    return X.reshape(len(X), -1, h).transpose(1, 0, 2)


@misconception(split_heads, hint="In each head of yours, is a token a row or a column?")
def tokens_in_columns(X, h):
    return X.T.reshape(h, -1, len(X))


@misconception(split_heads, hint="How wide is a head of yours? All heads together must be as wide as X.")
def whole_vector_for_each_head(X, h):
    return np.stack([X] * h)


@misconception(
    split_heads, hint="Say in words what Z[0, 1] is. Whose vector is it, and which part? Is yours that?"
)
def reshaped_from_the_columns(X, h):
    return X.T.reshape(h, len(X), -1)
