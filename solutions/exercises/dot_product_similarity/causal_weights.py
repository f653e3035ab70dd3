"""`causal_weights`: cases, the reference, other right solutions, known mistakes."""

import math

import numpy as np

from autograder.exercise import alternative, aspect, example, exercise, misconception, unchanged, values

from .normalize_scores import normalize_scores


def scores_of_five(rng):
    return (rng.normal(size=(5, 5)),)


def scores_of_two(rng):
    return (rng.normal(size=(2, 2)),)


def scores_of_one(rng):
    return (rng.uniform(1, 2, size=(1, 1)),)


def all_negative(rng):
    return (rng.uniform(-5, -1, size=(4, 4)),)


def loud_future(rng):
    """The scores that must not count are the largest."""
    return (rng.normal(size=(6, 6)) + np.triu(np.full((6, 6), 9.0), k=1),)


def some_scores_zero(rng):
    return (rng.normal(size=(4, 4)) * (rng.permutation(16).reshape(4, 4) % 2),)


def single_precision_square(rng):
    return (rng.normal(size=(5, 5)).astype(np.float32),)


def scores_up_to_300(rng):
    """The scores that must not count are the largest here as well: else it would depend on the numbers
    drawn whether counting them shows."""
    return (rng.uniform(-300, 0, size=(6, 6)) + np.triu(np.full((6, 6), 300.0), k=1),)


@exercise(
    points=5,
    aspects=[
        values(
            3,
            scores_of_five,
            scores_of_two,
            scores_of_one,
            all_negative,
            loud_future,
            some_scores_zero,
            single_precision_square,
        ),
        aspect("large scores", 1, scores_up_to_300),
        unchanged(1),
    ],
    examples=[
        example(
            "by hand: votes 1 | 1, 3 | 1, 2, 3",
            [[0.0, 5.0, 5.0], [0.0, math.log(3), 5.0], [0.0, math.log(2), math.log(3)]],
        ),
        example("three tokens, signs mixed", [[0.5, -1.0, 2.0], [1.5, -0.5, 0.75], [-2.0, 1.0, 0.25]]),
    ],
)
def causal_weights(S):
    """Each token's scores, of itself and what came before it, as weights.

        A[i, j] = exp(S[i, j]) / Σ_{j' ≤ i} exp(S[i, j'])   for j ≤ i
        A[i, j] = 0                                         for j > i

    S : (n, n), S[i, j] is the score that token i gives token j, below 700;
        from lesson 2 on S is not symmetric, so do not count on it
    Returns A : (n, n), lower triangular, every row adds up to 1.
    """
    votes = np.tril(np.exp(S))
    return votes / votes.sum(axis=1, keepdims=True)


@alternative(causal_weights)
def row_by_row(S):
    A = np.zeros(S.shape)
    for i in range(len(S)):
        A[i, : i + 1] = normalize_scores(S[i, : i + 1])
    return A


@alternative(causal_weights)
def future_set_to_minus_infinity(S):
    visible = np.tril(np.ones(S.shape, dtype=bool))
    votes = np.exp(np.where(visible, S, -np.inf))
    return votes / votes.sum(axis=-1, keepdims=True)


@alternative(causal_weights)
def lists_with_zeros_appended(S):
    rows = []
    for i, row in enumerate(S.tolist()):
        votes = [math.exp(score) for score in row[: i + 1]]
        rows.append([vote / sum(votes) for vote in votes] + [0.0] * (len(row) - i - 1))
    return rows


@alternative(causal_weights)
def votes_counted_with_einsum(S):
    n = len(S)
    votes = np.exp(S) * (np.arange(n)[None, :] <= np.arange(n)[:, None])
    return np.einsum("ij,i->ij", votes, 1 / votes.sum(axis=1))


@misconception(causal_weights, hint="Sum row 0 of yours: who kept the missing mass?")
def zeroed_after_softmax(S):
    votes = np.exp(S)
    return np.tril(votes / votes.sum(axis=1, keepdims=True))


@misconception(
    causal_weights, hint="exp(0) is 1: a zero score is still a vote. Look at row 0 of yours: who voted?"
)
def zero_scores_for_the_future(S):
    votes = np.exp(np.tril(S))
    return votes / votes.sum(axis=1, keepdims=True)


@misconception(causal_weights, hint="May token 0 know token 2? What does your A[0, 2] say?")
def future_visible(S):
    votes = np.exp(S)
    return votes / votes.sum(axis=1, keepdims=True)


@misconception(causal_weights, hint="Row 0 is all zeros in yours: which token could token 0 always look at?")
def only_what_came_before(S):
    A = np.zeros(S.shape)
    for i in range(1, len(S)):
        votes = np.exp(S[i, :i])
        A[i, :i] = votes / votes.sum()
    return A


@misconception(
    causal_weights,
    hint="Row 0 is NaN, a share of nothing: how many tokens did you leave for token 0 to look at?",
)
def nothing_left_for_the_first(S):
    votes = np.tril(np.exp(S), k=-1)
    return votes / votes.sum(axis=1, keepdims=True)


@misconception(
    causal_weights, hint="Add up your rows, then your columns. Which of them is one token's attention?"
)
def columns_normalised(S):
    votes = np.tril(np.exp(S))
    return votes / votes.sum(axis=0, keepdims=True)


@misconception(
    causal_weights,
    hint="Add up your rows. Along which axis did you share out, and was the future still among them?",
)
def columns_normalised_then_masked(S):
    votes = np.exp(S)
    return np.tril(votes / votes.sum(axis=0, keepdims=True))


@misconception(
    causal_weights,
    hint="Print the shape of your sums and ask how it meets (n, n): is row i divided by row i's sum?",
)
def sums_of_the_wrong_row(S):
    votes = np.tril(np.exp(S))
    return votes / votes.sum(axis=1)


@misconception(
    causal_weights,
    hint="All your weights together add up to 1. How many tokens share out a whole of their own?",
)
def one_whole_for_all_rows(S):
    votes = np.tril(np.exp(S))
    return votes / votes.sum()


@misconception(causal_weights, hint="Which triangle did you keep? Say in words what A[0, 2] and A[2, 0] are.")
def past_hidden(S):
    votes = np.triu(np.exp(S))
    return votes / votes.sum(axis=1, keepdims=True)


@misconception(
    causal_weights, hint="Can a weight be negative? Which step of normalize_scores makes every vote positive?"
)
def shares_without_exp(S):
    kept = np.tril(S)
    return kept / kept.sum(axis=1, keepdims=True)


@misconception(
    causal_weights, hint="Print what you add to the scores before the softmax: what is 0 times infinity?"
)
def zero_times_infinity(S):
    votes = np.exp(S + np.triu(np.ones(S.shape), k=1) * -np.inf)
    return votes / votes.sum(axis=1, keepdims=True)


@misconception(
    causal_weights,
    hint="The future is empty in yours, but add up row 0: did the future still vote before you emptied it?",
)
def zero_scores_then_zeroed(S):
    votes = np.exp(np.tril(S))
    return np.tril(votes / votes.sum(axis=1, keepdims=True))


@misconception(
    causal_weights,
    hint="Try it where a visible score is exactly 0. How do you tell a hidden score from a score of 0?",
)
def zero_scores_hidden_too(S):
    kept = np.tril(S)
    votes = np.exp(np.where(kept == 0, -np.inf, kept))
    return votes / votes.sum(axis=1, keepdims=True)


@misconception(
    causal_weights, hint="The future is hidden, good. What do the rows add up to, and what should they?"
)
def votes_not_shared_out(S):
    return np.tril(np.exp(S))


@misconception(
    causal_weights,
    hint="You add 1 where a token may look. How large must the difference be for the future to get nothing?",
)
def mask_of_ones_added(S):
    votes = np.exp(S + np.tril(np.ones(S.shape)))
    return votes / votes.sum(axis=1, keepdims=True)


@misconception(causal_weights, hint="May token 0 look at token 1? Count the tokens that your row 0 looks at.")
def one_token_too_many(S):
    votes = np.tril(np.exp(S), k=1)
    return votes / votes.sum(axis=1, keepdims=True)


@misconception(
    causal_weights,
    hint="Print the shape of your sums and ask how it meets (n, n). And was the future still among them?",
)
def wrong_row_then_masked(S):
    votes = np.exp(S)
    return np.tril(votes / votes.sum(axis=1))


@misconception(
    causal_weights,
    hint="Row 0 is all zeros in yours, and no other row adds up to 1: what did you leave out, and when?",
)
def itself_zeroed_after_softmax(S):
    votes = np.exp(S)
    return np.tril(votes / votes.sum(axis=1, keepdims=True), k=-1)


@misconception(
    causal_weights,
    hint="Add up your columns: each is 1. Is a column one token's attention? And may token 0 see the rest?",
)
def columns_with_the_future(S):
    votes = np.exp(S)
    return votes / votes.sum(axis=0, keepdims=True)


@misconception(
    causal_weights,
    hint="The future is marked, but these are still scores. Which step turns them into shares?",
)
def scores_masked_only(S):
    return np.where(np.tri(len(S), dtype=bool), S, -np.inf)


@misconception(
    causal_weights,
    hint="Which row holds what token 2 gives to token 0? Say S[2, 0] in words, then look at your A[2, 0].",
)
def scores_turned_round(S):
    votes = np.tril(np.exp(S.T))
    return votes / votes.sum(axis=1, keepdims=True)
