"""`padding_mask`: cases, the reference, other right solutions, known mistakes."""

import numpy as np

from autograder.exercise import alternative, aspect, example, exercise, misconception, unchanged, values


def four_texts(rng):
    return np.array([3, 6, 1, 4]), 6


def room_to_spare(rng):
    return rng.integers(2, 6, size=5), 9


def an_empty_text_among_them(rng):
    return np.array([2, 0, 5]), 5


def one_text(rng):
    return rng.integers(2, 5, size=1), 7


def as_many_texts_as_tokens(rng):
    return np.array([4, 1, 2, 3]), 4


def a_single_token_each(rng):
    return np.array([1, 1, 0]), 1


@exercise(
    points=4,
    aspects=[
        values(
            2,
            four_texts,
            room_to_spare,
            one_text,
            as_many_texts_as_tokens,
            a_single_token_each,
        ),
        aspect("an empty text", 1, an_empty_text_among_them),
        unchanged(1),
    ],
    examples=[
        example("two texts in rows of three, by hand", [2, 3], 3),
        example("lengths 4, 1 and 2 in rows of five", [4, 1, 2], 5),
    ],
)
def padding_mask(lengths, n):
    """Which keys are words and which are filling, for a batch of texts filled up to n tokens.

        allowed[b, 0, j] = True where j < lengths[b]

    lengths : (B,) of ints, between 0 and n: the first lengths[b] tokens of text b are its own, the
        rest is padding
    n : int, the length of all rows, at least 1
    Returns allowed : (B, 1, n) array of booleans. The 1 lets one row serve all queries of a text.
    """
    return np.arange(n) < np.asarray(lengths)[:, None, None]


@alternative(padding_mask)
def text_by_text(lengths, n):
    return [[[True] * int(length) + [False] * (n - int(length))] for length in lengths]


@alternative(padding_mask)
def slices_filled(lengths, n):
    allowed = np.zeros((len(lengths), 1, n), dtype=bool)
    for row, length in zip(allowed, lengths, strict=True):
        row[:, :length] = True
    return allowed


@alternative(padding_mask)
def compared_by_outer(lengths, n):
    return np.greater.outer(lengths, np.arange(n))[:, np.newaxis]


@alternative(padding_mask)
def rows_of_a_triangle(lengths, n):
    return np.tri(n + 1, n, k=-1, dtype=bool)[lengths][:, None, :]


@misconception(
    padding_mask,
    hint="Which axis of the scores belongs to the keys? Who is filling here, who asks or who is asked?",
)
def queries_masked(lengths, n):
    return (np.arange(n) < np.asarray(lengths)[:, None])[:, :, None]


@misconception(
    padding_mask, hint="A text of 2 tokens has them at positions 0 and 1. Is position 2 allowed in yours?"
)
def one_too_many(lengths, n):
    return np.arange(n) <= np.asarray(lengths)[:, None, None]


@misconception(
    padding_mask,
    hint="A text of 2 tokens has them at positions 0 and 1. Are both allowed in yours?",
)
def one_too_few(lengths, n):
    return np.arange(n) < np.asarray(lengths)[:, None, None] - 1


@misconception(
    padding_mask,
    hint="The scores have shape (B, n, n). Which axis of theirs would your second axis meet?",
)
def no_axis_for_queries(lengths, n):
    return np.arange(n) < np.asarray(lengths)[:, None]


@misconception(
    padding_mask, hint="True = may be looked at. Is it the words or the filling that is True in yours?"
)
def padding_allowed(lengths, n):
    return np.arange(n) >= np.asarray(lengths)[:, None, None]


@misconception(
    padding_mask,
    hint="A padding query gets no key at all in yours. Which shape is asked for, and why the 1 in it?",
)
def queries_masked_too(lengths, n):
    real = np.arange(n) < np.asarray(lengths)[:, None]
    return real[:, :, None] & real[:, None, :]


@misconception(padding_mask, hint="On which side of the text is the filling here, and on which in yours?")
def padded_on_the_left(lengths, n):
    return np.arange(n) >= n - np.asarray(lengths)[:, None, None]


@misconception(
    padding_mask, hint="`allowed` is to be True or False. When are your numbers added to something?"
)
def additive_instead(lengths, n):
    return np.where(np.arange(n) < np.asarray(lengths)[:, None, None], 0.0, -np.inf)


@misconception(padding_mask, hint="All texts have the same row in yours. Whose length did you use?")
def longest_for_all(lengths, n):
    return np.broadcast_to(np.arange(n) < np.max(lengths), (len(lengths), 1, n))


@misconception(padding_mask, hint="Is the token at the last place of a text the only one of its own?")
def only_the_last_token(lengths, n):
    return np.arange(n) == np.asarray(lengths)[:, None, None] - 1
