"""Lesson 4: masking. Who may look at whom, said by adding 0 or −∞ to the scores before the softmax.

Mask(i, j) = 0 where query i may look at key j, −∞ where it may not (causal: −∞ iff j > i).
Sparse: j ≤ i and (i − j < window or j < n_global); weights are shared out over what is left (Child et al.,
Generating Long Sequences with Sparse Transformers, 2019; Beltagy et al., Longformer, 2020).
ALiBi: −2^(−8k/h) · (i − j), k = 1..h (Press et al., Train Short, Test Long, 2022).
"""

import math

import numpy as np

from autograder.exercise import (
    alternative,
    aspect,
    example,
    exercise,
    free_text,
    misconception,
    question,
    unchanged,
    values,
)

# --- causal_mask -----------------------------------------------------------------------------------------


def a_handful_of_tokens(rng):
    return (int(rng.integers(5, 9)),)


def two_tokens(rng):
    return (2,)


def many_tokens(rng):
    return (int(rng.integers(30, 50)),)


def a_single_token(rng):
    return (1,)


@exercise(
    points=3,
    aspects=[
        values(2, a_handful_of_tokens, two_tokens, many_tokens),
        aspect("a single token", 1, a_single_token),
    ],
    examples=[
        example("three tokens, by hand", 3),
        example("four tokens", 4),
    ],
)
def causal_mask(n):
    """The additive mask of a causal layer: token i may look at itself and at what came before it.

        Mask[i, j] = 0 where j ≤ i,  −∞ where j > i

    n : int, the number of tokens, at least 1
    Returns Mask : (n, n) of floats, to be added to the scores.
    """
    i = np.arange(n)[:, None]
    j = np.arange(n)
    return np.where(j <= i, 0.0, -np.inf)


@alternative(causal_mask)
def upper_triangle_of_minus_infinities(n):
    return np.triu(np.full((n, n), -np.inf), k=1)


@alternative(causal_mask)
def row_by_row(n):
    return [[0.0] * (i + 1) + [-math.inf] * (n - i - 1) for i in range(n)]


@alternative(causal_mask)
def logarithm_of_ones_and_zeros(n):
    with np.errstate(divide="ignore"):
        return np.log(np.tri(n))


@alternative(causal_mask)
def filled_where_it_is_forbidden(n):
    mask = np.zeros((n, n))
    mask[np.triu_indices(n, 1)] = -np.inf
    return mask


@misconception(causal_mask, hint="0 · ∞ is nan. In which entries did you multiply a zero by infinity?")
def zero_times_infinity(n):
    return np.triu(np.ones((n, n)), k=1) * -np.inf


@misconception(causal_mask, hint="Row 0 has nobody but itself. What is left for it to look at in yours?")
def diagonal_masked(n):
    return np.where(np.tri(n, k=-1, dtype=bool), 0.0, -np.inf)


@misconception(causal_mask, hint="May token 0 look at token 1? Look at the entry beside the diagonal.")
def one_token_ahead(n):
    return np.where(np.tri(n, k=1, dtype=bool), 0.0, -np.inf)


@misconception(
    causal_mask,
    hint="Row i is what token i may look at. Who sees everything in yours, the first or the last?",
)
def transposed(n):
    return np.where(np.tri(n, dtype=bool), 0.0, -np.inf).T


@misconception(causal_mask, hint="The mask is added to scores. What does adding True or False to a score do?")
def booleans(n):
    return np.tri(n, dtype=bool)


@misconception(
    causal_mask,
    hint="Add yours to the scores (5, 5). By how much do the allowed and the forbidden one differ then?",
)
def ones_and_zeros(n):
    return np.tri(n)


@misconception(causal_mask, hint="How many votes does a score of +∞ get, and should the future get them?")
def plus_infinity(n):
    return np.where(np.tri(n, dtype=bool), 0.0, np.inf)


@misconception(
    causal_mask,
    hint="Is that number below every score there can be? Which one is, whatever the scores are?",
)
def a_large_negative_number(n):
    return np.where(np.tri(n, dtype=bool), 0.0, -1e9)


@misconception(
    causal_mask, hint="You hide every other token. What of those that came before, may they be seen?"
)
def only_itself(n):
    return np.where(np.eye(n, dtype=bool), 0.0, -np.inf)


@misconception(causal_mask, hint="Which entries of yours hide something? What may token 0 look at there?")
def nothing_masked(n):
    return np.zeros((n, n))


# --- causal_mask_rect ------------------------------------------------------------------------------------


def three_of_five(rng):
    return 3, 5


def four_of_many(rng):
    return 4, int(rng.integers(9, 14))


def all_but_one(rng):
    n = int(rng.integers(5, 9))
    return n - 1, n


def one_of_many(rng):
    return 1, int(rng.integers(6, 10))


def the_only_one(rng):
    return 1, 1


def as_many_queries_as_keys(rng):
    n = int(rng.integers(4, 8))
    return n, n


@exercise(
    points=4,
    aspects=[
        values(2, three_of_five, four_of_many, all_but_one),
        aspect("one query", 1, one_of_many, the_only_one),
        aspect("as many queries as keys", 1, as_many_queries_as_keys),
    ],
    examples=[
        example("the last two of four, by hand", 2, 4),
        example("the last three of seven", 3, 7),
    ],
)
def causal_mask_rect(n_q, n_k):
    """The additive causal mask when there are fewer queries than keys.

    The queries are the LAST n_q of the n_k positions: query 0 stands at position n_k − n_q,
    the last query at the last position. Each may look at its own position and at those
    before it.

    n_q : int, the number of queries, at least 1
    n_k : int, the number of keys, n_q ≤ n_k
    Returns Mask : (n_q, n_k) of floats, 0 or −∞, to be added to the scores.
    """
    position = n_k - n_q + np.arange(n_q)[:, None]
    return np.where(np.arange(n_k) <= position, 0.0, -np.inf)


@alternative(causal_mask_rect)
def last_rows_of_the_square(n_q, n_k):
    square = np.triu(np.full((n_k, n_k), -np.inf), k=1)
    return square[n_k - n_q :]


@alternative(causal_mask_rect)
def triangle_moved_to_the_right(n_q, n_k):
    return np.triu(np.full((n_q, n_k), -np.inf), k=n_k - n_q + 1)


@alternative(causal_mask_rect)
def past_beside_a_square(n_q, n_k):
    past = np.zeros((n_q, n_k - n_q))
    return np.hstack([past, np.where(np.tri(n_q, dtype=bool), 0.0, -np.inf)])


@alternative(causal_mask_rect)
def counted_from_the_end(n_q, n_k):
    return [[0.0 if n_k - j >= n_q - i else -math.inf for j in range(n_k)] for i in range(n_q)]


@alternative(causal_mask_rect)
def last_rows_of_the_square_mask(n_q, n_k):
    return causal_mask(n_k)[n_k - n_q :]


@alternative(causal_mask_rect)
def past_beside_a_square_mask(n_q, n_k):
    return np.hstack([np.zeros((n_q, n_k - n_q)), causal_mask(n_q)])


@misconception(
    causal_mask_rect,
    hint="The last query is the newest token, often the only one. What may it see, and what is it shown?",
)
def top_left_aligned(n_q, n_k):
    return np.where(np.tri(n_q, n_k, dtype=bool), 0.0, -np.inf)


@misconception(
    causal_mask_rect,
    hint="Row 0 of yours: at which position does query 0 stand, and what comes after it?",
)
def one_position_ahead(n_q, n_k):
    return np.triu(np.full((n_q, n_k), -np.inf), k=n_k - n_q + 2)


@misconception(
    causal_mask_rect, hint="May a query look at its own position? Look at the last query in yours."
)
def own_position_masked(n_q, n_k):
    return np.triu(np.full((n_q, n_k), -np.inf), k=n_k - n_q)


@misconception(
    causal_mask_rect,
    hint="The queries see each other rightly. And the keys from before the first query, may they be seen?",
)
def past_hidden(n_q, n_k):
    past = np.full((n_q, n_k - n_q), -np.inf)
    return np.hstack([past, np.where(np.tri(n_q, dtype=bool), 0.0, -np.inf)])


@misconception(
    causal_mask_rect,
    hint="Your triangle covers the first keys and leaves the rest open. Which keys are the queries' own?",
)
def triangle_first_then_open(n_q, n_k):
    later = np.zeros((n_q, n_k - n_q))
    return np.hstack([np.where(np.tri(n_q, dtype=bool), 0.0, -np.inf), later])


@misconception(
    causal_mask_rect,
    hint="That is right for a single query. Of two queries, may the earlier one see the later one's key?",
)
def open_to_all(n_q, n_k):
    return np.zeros((n_q, n_k))


@misconception(
    causal_mask_rect,
    hint="How many queries ask? Print the shape of yours: does each row belong to one of them?",
)
def square_of_the_keys(n_q, n_k):
    return np.triu(np.full((n_k, n_k), -np.inf), k=1)


@misconception(
    causal_mask_rect,
    hint="Columns are keys: how many are there? What may the first query see of the keys from before it?",
)
def square_of_the_queries(n_q, n_k):
    return np.triu(np.full((n_q, n_q), -np.inf), k=1)


@misconception(causal_mask_rect, hint="Rows are queries and columns are keys: what shape is yours?")
def keys_as_rows(n_q, n_k):
    return np.triu(np.full((n_q, n_k), -np.inf), k=n_k - n_q + 1).T


@misconception(
    causal_mask_rect,
    hint="Does query 0 stand before position 0 in yours? Which way does n_k − n_q move it?",
)
def moved_the_wrong_way(n_q, n_k):
    return np.triu(np.full((n_q, n_k), -np.inf), k=n_q - n_k + 1)


@misconception(
    causal_mask_rect, hint="The mask is added to scores. What does adding True or False to a score do?"
)
def booleans_again(n_q, n_k):
    return np.tri(n_q, n_k, k=n_k - n_q, dtype=bool)


# --- apply_mask ------------------------------------------------------------------------------------------


def some(rng, shape):
    """Booleans of `shape`, with at least one True and one False in fixed places of every row."""
    allowed = rng.random(shape) < 0.5
    allowed[..., 0], allowed[..., 1] = True, False
    return allowed


def more_keys_than_queries(rng):
    return rng.normal(size=(3, 5)), some(rng, (3, 5))


def more_queries_than_keys(rng):
    return rng.normal(size=(6, 4)), some(rng, (6, 4))


def one_query_sees_nothing(rng):
    allowed = some(rng, (4, 5))
    allowed[2] = False
    return rng.normal(size=(4, 5)), allowed


def as_many_queries_as_keys_to_hide(rng):
    """Square: here `allowed` transposed has the right shape."""
    return rng.normal(size=(4, 4)), some(rng, (4, 4))


def nothing_allowed(rng):
    return rng.normal(size=(3, 2)), np.zeros((3, 2), dtype=bool)


def everything_allowed(rng):
    return rng.normal(size=(2, 3)), np.ones((2, 3), dtype=bool)


def masked_before(rng):
    scores = rng.normal(size=(4, 6))
    scores[:, 1], scores[0, 0] = -np.inf, -np.inf
    return scores, some(rng, (4, 6))


def a_bias_among_the_scores(rng):
    scores = rng.normal(size=(3, 4))
    scores[1] = [-2.5, 0.0, 2.5, -0.0]
    return scores, some(rng, (3, 4))


def single_precision_scores(rng):
    return rng.normal(size=(5, 3)).astype(np.float32), some(rng, (5, 3))


def half_precision_scores(rng):
    return rng.normal(size=(2, 7)).astype(np.float16), some(rng, (2, 7))


def one_mask_for_all_heads(rng):
    return rng.normal(size=(4, 3, 5)), some(rng, (3, 5))


def one_mask_for_each_text(rng):
    return rng.normal(size=(2, 4, 5)), some(rng, (2, 1, 5))


def texts_and_heads(rng):
    return rng.normal(size=(3, 2, 4, 5)), some(rng, (3, 1, 1, 5))


def one_row_for_all_queries(rng):
    return rng.normal(size=(4, 6)), some(rng, (6,))


def scores_in_the_thousands(rng):
    scores = rng.uniform(-5e4, 5e4, size=(4, 6))
    scores[:, 0], scores[:, 1] = -4e4, 3e4
    return scores, some(rng, (4, 6))


@exercise(
    points=5,
    aspects=[
        values(
            2,
            more_keys_than_queries,
            more_queries_than_keys,
            as_many_queries_as_keys_to_hide,
            one_query_sees_nothing,
            nothing_allowed,
            everything_allowed,
            masked_before,
            a_bias_among_the_scores,
            single_precision_scores,
            half_precision_scores,
        ),
        aspect(
            "batched",
            1,
            one_mask_for_all_heads,
            one_mask_for_each_text,
            texts_and_heads,
            one_row_for_all_queries,
        ),
        aspect("large scores", 1, scores_in_the_thousands),
        unchanged(1),
    ],
    examples=[
        example(
            "by hand: row 0 loses its last score",
            [[2.5, 1.0, 4.0], [0.5, -1.0, 3.0]],
            [[True, True, False], [True, True, True]],
        ),
        example(
            "signs mixed, a score masked before, a row without keys",
            [[1.5, -2.0, 0.0, -math.inf], [0.25, 3.0, -1.0, -math.inf], [-0.5, 2.0, 1.0, 4.0]],
            [[True, False, True, False], [False, True, False, True], [False, False, False, False]],
        ),
    ],
)
def apply_mask(scores, allowed):
    """Take the forbidden scores out of the running: −∞ where `allowed` is False.

    scores : (..., n_q, n_k), floats; some may be −∞ already
    allowed : (..., n_q, n_k) of booleans, True = may be looked at. Any shape that NumPy
        broadcasts to that of the scores: (n_k,) or (n_q, n_k) or (B, 1, n_k), …
    Returns (..., n_q, n_k), of the shape of `scores`, which stay as they are. A query
    with no allowed key gets a row of −∞.
    """
    return np.where(allowed, scores, -np.inf)


@alternative(apply_mask)
def additive_mask_added(scores, allowed):
    return scores + np.where(allowed, 0.0, -np.inf)


@alternative(apply_mask)
def copied_and_filled(scores, allowed):
    masked = scores.copy()
    masked[~np.broadcast_to(allowed, scores.shape)] = -np.inf
    return masked


@alternative(apply_mask)
def written_with_putmask(scores, allowed):
    masked = np.array(scores)
    np.putmask(masked, np.broadcast_to(np.logical_not(allowed), masked.shape), -np.inf)
    return masked


@alternative(apply_mask)
def score_by_score(scores, allowed):
    flat = zip(scores.ravel().tolist(), np.broadcast_to(allowed, scores.shape).ravel().tolist(), strict=True)
    return np.array([score if yes else -math.inf for score, yes in flat]).reshape(scores.shape)


@misconception(apply_mask, hint="A score of 0 gets exp(0) = 1 vote. How many votes should a hidden key get?")
def filled_with_zero(scores, allowed):
    return np.where(allowed, scores, 0.0)


@misconception(
    apply_mask, hint="You multiply by 0 what is to be hidden. How many votes does a score of 0 get?"
)
def multiplied_by_the_mask(scores, allowed):
    return scores * allowed


@misconception(apply_mask, hint="True = may be looked at. Which scores survive in yours?")
def polarity_turned(scores, allowed):
    return np.where(allowed, -np.inf, scores)


@misconception(
    apply_mask,
    hint="Is −10 low enough when the other scores are lower? Which value is, whatever they are?",
)
def filled_with_minus_ten(scores, allowed):
    return np.where(allowed, scores, -10.0)


@misconception(
    apply_mask,
    hint="−10,000 is low, but scores of −20,000 have occurred. Which value is lower than any of them?",
)
def filled_with_minus_ten_thousand(scores, allowed):
    return np.where(allowed, scores, -1e4)


@misconception(
    apply_mask,
    hint="−10⁹ is finite. What does a row look like in which every score is that, against none at all?",
)
def filled_with_minus_a_billion(scores, allowed):
    return np.where(allowed, scores, -1e9)


@misconception(
    apply_mask,
    hint="The lowest number is finite. What does the softmax make of a row that holds nothing but it?",
)
def filled_with_the_lowest_number(scores, allowed):
    return np.where(allowed, scores, np.finfo(scores.dtype).min)


@misconception(
    apply_mask,
    hint="0 · ∞ is nan. What do you add to a score that is to stay, before it is multiplied by infinity?",
)
def zero_times_infinity_added(scores, allowed):
    return scores + (1 - np.asarray(allowed)) * -np.inf


@misconception(apply_mask, hint="What is a negative score times −∞, and how many votes would that get?")
def multiplied_by_infinity(scores, allowed):
    return scores * np.where(allowed, 1.0, -np.inf)


@misconception(apply_mask, hint="True counts as 1 and False as 0: what has your addition hidden?")
def booleans_added(scores, allowed):
    return scores + allowed


@misconception(apply_mask, hint="What does the softmax make of a row with a single nan in it?")
def filled_with_nan(scores, allowed):
    return np.where(allowed, scores, np.nan)


# --- padding_mask ----------------------------------------------------------------------------------------


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


# --- sparse_mask -----------------------------------------------------------------------------------------


def window_and_global(rng):
    return int(rng.integers(9, 13)), 3, 2


def narrow_window_many_globals(rng):
    return int(rng.integers(10, 14)), 2, 4


def one_global(rng):
    return int(rng.integers(8, 12)), 4, 1


def no_globals(rng):
    return int(rng.integers(8, 12)), 3, 0


def only_itself_and_a_global(rng):
    return 7, 1, 1


def only_globals(rng):
    return int(rng.integers(6, 9)), 0, 2


def window_wider_than_the_text(rng):
    return 5, 9, 1


def all_are_global(rng):
    return 6, 1, 8


def one_token_alone(rng):
    return 1, 2, 1


def nothing_at_all(rng):
    return 4, 0, 0


@exercise(
    points=4,
    aspects=[
        values(2, window_and_global, narrow_window_many_globals, one_global, only_itself_and_a_global),
        aspect("no window or no globals", 1, no_globals, only_globals, nothing_at_all),
        aspect("more than there are tokens", 1, window_wider_than_the_text, all_are_global, one_token_alone),
    ],
    examples=[
        example("five tokens, a window of 2, one global token", 5, 2, 1),
        example("eight tokens, a window of 3, two global tokens", 8, 3, 2),
        example("five tokens, no window, one global token", 5, 0, 1),
    ],
)
def sparse_mask(n, window, n_global):
    """Few keys for each query: the last `window` tokens, and the first `n_global` of the text.

        allowed[i, j] = True where j ≤ i and (i − j < window or j < n_global)

    n : int, the number of tokens, at least 1
    window : int, at least 0: how many of the latest tokens a token sees, itself included
    n_global : int, at least 0: how many tokens at the start every later token sees
    Returns allowed : (n, n) array of booleans.
    """
    i = np.arange(n)[:, None]
    j = np.arange(n)
    return (j <= i) & ((i - j < window) | (j < n_global))


@alternative(sparse_mask)
def band_and_columns(n, window, n_global):
    allowed = np.tri(n, dtype=bool) & ~np.tri(n, k=-window, dtype=bool)
    allowed[:, :n_global] = True
    return allowed & np.tri(n, dtype=bool)


@alternative(sparse_mask)
def pair_by_pair(n, window, n_global):
    return [[j <= i and (i - j < window or j < n_global) for j in range(n)] for i in range(n)]


@alternative(sparse_mask)
def sets_of_keys(n, window, n_global):
    allowed = np.zeros((n, n), dtype=bool)
    for i in range(n):
        keys = set(range(max(0, i - window + 1), i + 1)) | set(range(min(n_global, i + 1)))
        allowed[i, sorted(keys)] = True
    return allowed


@misconception(
    sparse_mask, hint="With a window of 1 a token sees itself and no other. How many does it see in yours?"
)
def window_one_too_wide(n, window, n_global):
    i, j = np.arange(n)[:, None], np.arange(n)
    return (j <= i) & ((i - j <= window) | (j < n_global))


@misconception(
    sparse_mask,
    hint="Your matrix is symmetric. May token i look at token j whenever j may look at i?",
)
def symmetric(n, window, n_global):
    i, j = np.arange(n)[:, None], np.arange(n)
    return (abs(i - j) < window) | (j < n_global) | (i < n_global)


@misconception(
    sparse_mask,
    hint="A global token is seen by all later ones. Does that let token 0 see the whole text?",
)
def globals_see_the_future(n, window, n_global):
    i, j = np.arange(n)[:, None], np.arange(n)
    return ((j <= i) & ((i - j < window) | (j < n_global))) | (i < n_global)


@misconception(sparse_mask, hint="Token 0 with two globals: is the second one before it or after it?")
def later_globals_seen(n, window, n_global):
    i, j = np.arange(n)[:, None], np.arange(n)
    return ((j <= i) & (i - j < window)) | (j < n_global)


@misconception(sparse_mask, hint="Must a key be near and global, or is one of the two enough?")
def near_and_global(n, window, n_global):
    i, j = np.arange(n)[:, None], np.arange(n)
    return (j <= i) & (i - j < window) & (j < n_global)


@misconception(
    sparse_mask, hint="i − j is negative for what comes later. Is a negative number below `window`?"
)
def future_allowed(n, window, n_global):
    i, j = np.arange(n)[:, None], np.arange(n)
    return (i - j < window) | (j < n_global)


@misconception(
    sparse_mask, hint="With one global token that is position 0. Which positions are global in yours?"
)
def one_global_too_many(n, window, n_global):
    i, j = np.arange(n)[:, None], np.arange(n)
    return (j <= i) & ((i - j < window) | (j <= n_global))


@misconception(
    sparse_mask,
    hint="Row i is what token i may look at. In yours, what may the last token see, and the first?",
)
def keys_ask_queries(n, window, n_global):
    i, j = np.arange(n)[:, None], np.arange(n)
    return ((j <= i) & ((i - j < window) | (j < n_global))).T


@misconception(
    sparse_mask,
    hint="A window of 0 holds no token at all. Whom does token 3 see in yours, without any globals?",
)
def always_itself(n, window, n_global):
    i, j = np.arange(n)[:, None], np.arange(n)
    return (j <= i) & ((i - j < max(window, 1)) | (j < n_global))


@misconception(sparse_mask, hint="Yours forgets the start of the text. What does n_global change in it?")
def window_alone(n, window, n_global):
    i, j = np.arange(n)[:, None], np.arange(n)
    return (j <= i) & (i - j < window)


@misconception(sparse_mask, hint="True = may be looked at. Does token 0 look at itself in yours?")
def forbidden_instead_of_allowed(n, window, n_global):
    i, j = np.arange(n)[:, None], np.arange(n)
    return ~((j <= i) & ((i - j < window) | (j < n_global)))


@misconception(
    sparse_mask, hint="`allowed` is True or False. Which function of yours turns it into −∞, and when?"
)
def additive_sparse(n, window, n_global):
    i, j = np.arange(n)[:, None], np.arange(n)
    return np.where((j <= i) & ((i - j < window) | (j < n_global)), 0.0, -np.inf)


# --- alibi_bias ------------------------------------------------------------------------------------------


def eight_heads(rng):
    return 8, int(rng.integers(5, 8))


def eight_heads_and_a_long_text(rng):
    return 8, int(rng.integers(20, 30))


def four_heads(rng):
    return 4, int(rng.integers(5, 8))


def six_heads(rng):
    return 6, int(rng.integers(4, 6))


def one_head(rng):
    return 1, 3


def twelve_heads_one_token(rng):
    return 12, 1


def sixteen_heads(rng):
    return 16, int(rng.integers(3, 6))


@exercise(
    points=4,
    aspects=[
        values(2, eight_heads, eight_heads_and_a_long_text),
        aspect(
            "other numbers of heads",
            2,
            four_heads,
            six_heads,
            one_head,
            twelve_heads_one_token,
            sixteen_heads,
        ),
    ],
    compared="lower triangle",
    examples=[
        example("two heads, three tokens, by hand", 2, 3),
        example("three heads, four tokens", 3, 4),
    ],
)
def alibi_bias(h, n):
    """The bias that ALiBi adds to the scaled scores: the further back a key, the lower its score.

        bias[k − 1, i, j] = −slope_k · (i − j),   slope_k = 2^(−8k / h),   k = 1, …, h

    h : int, the number of heads, at least 1
    n : int, the number of tokens, at least 1
    Returns bias : (h, n, n) of floats, one matrix for each head, in the order of k. Entries with
        j > i may be anything: a causal mask will remove them.
    """
    slopes = 2.0 ** (-8 * np.arange(1, h + 1) / h)
    distance = np.arange(n)[:, None] - np.arange(n)
    return -slopes[:, None, None] * distance


@alternative(alibi_bias)
def head_by_head(h, n):
    ratio = 2.0 ** (-8 / h)
    return [[[ratio**k * (j - i) for j in range(n)] for i in range(n)] for k in range(1, h + 1)]


@alternative(alibi_bias)
def outer_product_on_the_lower_triangle(h, n):
    distance = np.tril(np.subtract.outer(np.arange(n), np.arange(n)))
    return np.multiply.outer(-np.exp2(-np.arange(1, h + 1) * 8 / h), distance)


@alternative(alibi_bias)
def einsum_with_the_future_hidden(h, n):
    slopes = np.cumprod(np.full(h, 2 ** (-8 / h)))
    bias = np.einsum("k,ij->kij", slopes, -abs(np.arange(n)[:, None] - np.arange(n)).astype(float))
    return np.where(np.tri(n, dtype=bool), bias, -np.inf)


@misconception(
    alibi_bias,
    hint="Write out your slopes for h = 8. Does each one stand in the same ratio to the one before?",
)
def head_below_the_line(h, n):
    slopes = 2.0 ** (-8 / np.arange(1, h + 1))
    return -slopes[:, None, None] * (np.arange(n)[:, None] - np.arange(n))


@misconception(
    alibi_bias, hint="Which key gets the highest bias in your last row, the nearest or the furthest?"
)
def far_is_favoured(h, n):
    slopes = 2.0 ** (-8 * np.arange(1, h + 1) / h)
    return slopes[:, None, None] * (np.arange(n)[:, None] - np.arange(n))


@misconception(alibi_bias, hint="Your first slope is 1. Which number does k begin with?")
def counted_from_zero(h, n):
    slopes = 2.0 ** (-8 * np.arange(h) / h)
    return -slopes[:, None, None] * (np.arange(n)[:, None] - np.arange(n))


@misconception(
    alibi_bias, hint="Right for 8 heads. The last slope is 2⁻⁸ for any h: what is it in yours for h = 2?"
)
def halved_for_each_head(h, n):
    slopes = 2.0 ** -np.arange(1.0, h + 1)
    return -slopes[:, None, None] * (np.arange(n)[:, None] - np.arange(n))


@misconception(
    alibi_bias,
    hint="Yours grows with j instead of falling with i − j. By what do the two differ within one row?",
)
def position_instead_of_distance(h, n):
    slopes = 2.0 ** (-8 * np.arange(1, h + 1) / h)
    return slopes[:, None, None] * np.broadcast_to(np.arange(n), (n, n))


@misconception(
    alibi_bias,
    hint="Right for 4 and 8 heads. Each slope is 2^(−8/h) times the one before: in yours too, for h = 6?",
)
def between_powers_of_two(h, n):
    """As the code of several models has it: a power of two of heads, then every other slope of twice as
    many."""
    lower = 2 ** int(math.log2(h))
    slopes = [2 ** (-8 * k / lower) for k in range(1, lower + 1)]
    slopes += [2 ** (-4 * k / lower) for k in range(1, 2 * lower + 1, 2)]
    return -np.array(slopes[:h])[:, None, None] * (np.arange(n)[:, None] - np.arange(n))


@misconception(alibi_bias, hint="All heads are alike in yours. Which factor tells them apart?")
def no_slopes(h, n):
    return np.broadcast_to(-(np.arange(n)[:, None] - np.arange(n)), (h, n, n)).astype(float)


@misconception(
    alibi_bias, hint="Which head looks furthest in yours, the first or the last? Which has the largest slope?"
)
def heads_in_reverse(h, n):
    slopes = 2.0 ** (-8 * np.arange(h, 0, -1) / h)
    return -slopes[:, None, None] * (np.arange(n)[:, None] - np.arange(n))


@misconception(alibi_bias, hint="A bias for each head: on which axis of yours do the heads lie?")
def heads_on_the_last_axis(h, n):
    slopes = 2.0 ** (-8 * np.arange(1, h + 1) / h)
    return -slopes * (np.arange(n)[:, None] - np.arange(n))[:, :, None]


@misconception(
    alibi_bias, hint="How much lower is a key 4 back than one 2 back: twice as much, or four times?"
)
def distance_squared(h, n):
    slopes = 2.0 ** (-8 * np.arange(1, h + 1) / h)
    return -slopes[:, None, None] * (np.arange(n)[:, None] - np.arange(n)) ** 2


@misconception(alibi_bias, hint="2 to the power of what? Compare your first slope for h = 8 with one half.")
def base_e(h, n):
    slopes = np.exp(-8 * np.arange(1, h + 1) / h)
    return -slopes[:, None, None] * (np.arange(n)[:, None] - np.arange(n))


# --- questions -------------------------------------------------------------------------------------------

sparse_key_count = question(
    "sparse_key_count",
    "number",
    seed_item="S0.3",
    prompt=(
        "In a causal model with sparse attention, the token at position 500 may look at the first token of "
        "the text, at itself and at the two tokens before it, and at nothing else. Positions count from 0. "
        "Over **how many** keys does its softmax run?"
    ),
    key=4,
    hints=[
        (501, "That is all of the past and itself. Which of these does the sparse mask leave?"),
        (500, "That is all of the past. Which of these does the sparse mask leave, and is it with itself?"),
        (3, "Go through the list once more: which token did you leave out?"),
        (2, "You counted the neighbours. Which other tokens does the list name?"),
        (5, "You counted one too many: does the list name a token on both sides, or twice?"),
        (1, "Over what is a softmax taken: over one key, or over all that the token may look at?"),
    ],
)

causal_mask_matrix = question(
    "causal_mask_matrix",
    "choice",
    seed_item="S2.9",
    prompt=(
        "Four tokens, rows are queries, columns are keys, • is a score that is kept. Which matrix does "
        "the softmax of a causal layer get?"
    ),
    options={
        "A": (
            "$\\begin{pmatrix} \\bullet & \\bullet & \\bullet & \\bullet\\\\ "
            "-\\infty & \\bullet & \\bullet & \\bullet\\\\ "
            "-\\infty & -\\infty & \\bullet & \\bullet\\\\ "
            "-\\infty & -\\infty & -\\infty & \\bullet \\end{pmatrix}$"
        ),
        "B": (
            "$\\begin{pmatrix} -\\infty & -\\infty & -\\infty & -\\infty\\\\ "
            "\\bullet & -\\infty & -\\infty & -\\infty\\\\ "
            "\\bullet & \\bullet & -\\infty & -\\infty\\\\ "
            "\\bullet & \\bullet & \\bullet & -\\infty \\end{pmatrix}$"
        ),
        "C": (
            "$\\begin{pmatrix} \\bullet & -\\infty & -\\infty & -\\infty\\\\ "
            "\\bullet & \\bullet & -\\infty & -\\infty\\\\ "
            "\\bullet & \\bullet & \\bullet & -\\infty\\\\ "
            "\\bullet & \\bullet & \\bullet & \\bullet \\end{pmatrix}$"
        ),
        "D": (
            "$\\begin{pmatrix} \\bullet & \\bullet & \\bullet & \\bullet\\\\ "
            "\\bullet & \\bullet & \\bullet & \\bullet\\\\ "
            "\\bullet & \\bullet & \\bullet & \\bullet\\\\ "
            "\\bullet & \\bullet & \\bullet & \\bullet \\end{pmatrix}$"
        ),
    },
    key="C",
    hints=[
        ("A", "Read row 0: the first token sees all four. Which of them exist when it is worked on?"),
        ("B", "Read row 0: what is left for the first token to look at? May a token look at itself?"),
        ("D", "Read row 0: what would the first token be taking from the third, which comes later?"),
    ],
)

E25, E1, E4 = math.exp(2.5), math.exp(1), math.exp(4)

masked_weights = question(
    "masked_weights",
    "numbers",
    points=2,
    seed_item="S4.6",
    prompt=(
        "One query scores three keys with $2.5$, $1.0$ and $4.0$. Without a mask its weights are 0.1753, "
        "0.0391 "
        "and 0.7856. Now the **third** key is masked. By hand: what are the three weights, to four decimals?"
    ),
    key=[E25 / (E25 + E1), E1 / (E25 + E1), 0.0],
    hints=[
        (
            [0.1753, 0.0391, 0.0],
            "You set the third weight to 0 after the softmax. What do yours add up to?",
        ),
        (
            [0.1753, 0.0391, 0.7856],
            "Those are the weights without a mask. How many votes has the third key now?",
        ),
        (
            [E25 / (E25 + E1 + 1), E1 / (E25 + E1 + 1), 1 / (E25 + E1 + 1)],
            "You gave the third key the score 0. How many votes is that, and how many should it have?",
        ),
        ([0.5, 0.5, 0.0], "The third key is gone. Have the other two the same score?"),
        (
            [2.5 / 3.5, 1 / 3.5, 0.0],
            "You shared out by the scores themselves. By what does the softmax share out?",
        ),
        (
            [0.1753 + 0.7856 / 2, 0.0391 + 0.7856 / 2, 0.0],
            "You gave each survivor half of what was freed. Is their ratio still that of their votes?",
        ),
        ([1.0, 0.0, 0.0], "Does the softmax ever give a key with a finite score nothing at all?"),
    ],
)

translation_attention = question(
    "translation_attention",
    "choice",
    seed_item="S3.17",
    prompt=(
        "A model is to translate German into English: an encoder reads the German sentence, which is there "
        "as a whole, and a decoder writes the English one, word by word. Which attention goes where?"
    ),
    options={
        "A": (
            "The encoder is causal, since it reads from left to right; the decoder sees all of its own "
            "words, "
            "and all of the German ones by cross-attention."
        ),
        "B": (
            "The encoder sees the whole German sentence; the decoder is causal among its own words, and sees "
            "all of the German ones by cross-attention."
        ),
        "C": (
            "The encoder sees the whole German sentence; the decoder is causal among its own words, and its "
            "word i sees the German words up to i by cross-attention."
        ),
        "D": (
            "Both see everything: the German sentence is known, and in training the English one is known as "
            "well, so that nothing needs to be hidden from either of them."
        ),
    },
    key="B",
    hints=[
        (
            "A",
            "The German sentence is there from the start: what would it cost to hide its end? And which "
            "English words exist when word i is written?",
        ),
        (
            "C",
            "German puts its verb last. Which German words may matter to the second English word, and "
            "are they "
            "known by then?",
        ),
        (
            "D",
            "In training the next English word is there to be copied. What would the decoder learn, and what "
            "would it do when it is used?",
        ),
    ],
)

mask_review = free_text(
    "mask_review",
    prompt=(
        "A colleague has written a causal decoder that works on batches of texts filled up with padding. "
        "Training "
        'loss is close to 0 after a day, but what the model writes is nonsense. They ask you: *"Is it the '
        'mask?"* In five to seven sentences: (a) why does a loss that low point to the mask, and to which '
        "mistake; (b) describe an experiment with your influence map that would show it, and what you would "
        "see; (c) which second experiment tells whether padding leaks; (d) why would neither experiment "
        "find a "
        "mask that hides **too much**, and how would that show?"
    ),
    rubric=[
        (
            1,
            "(a) The model sees what it is to predict: the future is visible (wrong side of the "
            "triangle, shift by "
            "one, a fill that is too small), so in training it copies, and in use there is nothing to copy.",
        ),
        (
            1,
            "(b) Change one token t and compare all outputs before and after: under a right mask outputs "
            "0 to t − 1 "
            "do not move at all; any change there is a leak.",
        ),
        (
            1,
            "(c) Change the content of padding positions (or add more padding): no output of a real "
            "token may "
            "change.",
        ),
        (
            1,
            "(d) Hiding too much moves nothing that should rest: look for outputs that should move and "
            "do not "
            "(t itself and later ones, within the window); or at a loss that stays too high.",
        ),
    ],
    model_answer=(
        "A next-token loss near 0 means that the model knows the next token, and no text is that "
        "predictable: "
        "it sees what it is to predict, so the future must be visible, for example by a triangle shifted by "
        "one. When it writes, the future is not there to be copied. To show it, I change token t a "
        "little and draw the "
        "change of every output: with a right causal mask outputs 0 to t − 1 stay as they are to the "
        "last bit, and "
        "every bar left of t is a leak. For the padding, I change the vectors at padding positions, or "
        "add more of "
        "them: the outputs of the real tokens must not move. Both experiments look for outputs that move and "
        "should not; a mask that hides too much leaves outputs at rest that should move, so I also check "
        "that "
        "every output from t on does change. In training it would show as a loss that stays too high."
    ),
)
