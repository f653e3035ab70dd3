"""Lesson 1: the first approach to attention. Score by dot product, weigh by softmax, mix what came before.

score(x_i, x_j) = x_i · x_j,   α_ij = softmax over j ≤ i of score(x_i, x_j),   y_i = Σ_{j ≤ i} α_ij x_j
(Jurafsky and Martin, Speech and Language Processing, third edition draft.)
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

# --- dot_score -------------------------------------------------------------------------------------------


def seven_features(rng):
    return rng.normal(size=7), rng.normal(size=7)


def opposed(rng):
    x = rng.uniform(1, 2, size=5)
    return x, -x * rng.uniform(0.5, 2, size=5)


def orthogonal(rng):
    a, b = rng.uniform(1, 3, size=2)
    return np.array([a, 0.0, b, 0.0]), np.array([0.0, b, 0.0, a])


def one_feature(rng):
    return rng.uniform(1.5, 3, size=1), rng.uniform(4, 5, size=1)


def long_vectors(rng):
    return 1e3 * rng.normal(size=300), 1e3 * rng.normal(size=300)


def single_precision_pair(rng):
    return rng.normal(size=11).astype(np.float32), rng.normal(size=11).astype(np.float32)


@exercise(
    points=3,
    aspects=[
        values(2, seven_features, opposed, orthogonal, one_feature, long_vectors, single_precision_pair),
        unchanged(1),
    ],
    examples=[
        example("by hand: 1·3 + 2·4", [1.0, 2.0], [3.0, 4.0]),
        example("two that disagree", [1.0, -2.0, 0.5], [3.0, 1.0, -4.0]),
    ],
)
def dot_score(x_i, x_j):
    """The score of a pair of vectors: how well x_j matches x_i.

        score(x_i, x_j) = x_i · x_j = Σ_c x_i[c] x_j[c]

    x_i : (d,)
    x_j : (d,)
    Returns one number (a float): large when the two point the same way, 0 when
    they are orthogonal, negative when they point apart.
    """
    return x_i @ x_j


@alternative(dot_score)
def products_added_one_by_one(x_i, x_j):
    total = 0.0
    for a, b in zip(x_i, x_j, strict=True):
        total += a * b
    return total


@alternative(dot_score)
def sum_of_the_products(x_i, x_j):
    return float(np.sum(x_i * x_j))


@alternative(dot_score)
def einsum_over_features(x_i, x_j):
    return np.einsum("c,c->", x_i, x_j)


@misconception(dot_score, hint="A score is one number per pair: what shape did you return?")
def not_summed(x_i, x_j):
    return x_i * x_j


@misconception(dot_score, hint="Longer vectors score higher here: which step of yours removed the length?")
def cosine(x_i, x_j):
    return x_i @ x_j / (np.linalg.norm(x_i) * np.linalg.norm(x_j))


@misconception(dot_score, hint="Two equal vectors of length 2 must score 4: what does yours give them?")
def negative_distance(x_i, x_j):
    return -np.linalg.norm(x_i - x_j)


@misconception(
    dot_score,
    hint="You measure how far apart the tips are. Two equal vectors of length 2 must score 4: do yours?",
)
def negative_squared_distance(x_i, x_j):
    return -np.sum((x_i - x_j) ** 2)


@misconception(
    dot_score,
    hint="Append a zero to both vectors: the score must not move. Does yours, and which step moves it?",
)
def mean_of_the_products(x_i, x_j):
    return np.mean(x_i * x_j)


@misconception(
    dot_score,
    hint="You divide by the square root of d. That arrives in lesson 3: is it in this lesson's formula?",
)
def scaled_by_sqrt_d(x_i, x_j):
    return x_i @ x_j / np.sqrt(len(x_i))


@misconception(
    dot_score,
    hint="You paired every feature of x_i with every feature of x_j. Which pairs does the sum run over?",
)
def every_feature_with_every_other(x_i, x_j):
    return np.outer(x_i, x_j)


@misconception(
    dot_score, hint="Which score should two vectors get that point apart? Look at its sign in yours."
)
def sign_dropped(x_i, x_j):
    return abs(x_i @ x_j)


@misconception(dot_score, hint="Change x_j alone and call again: does your score notice?")
def one_vector_twice(x_i, x_j):
    return x_i @ x_i


@misconception(
    dot_score,
    hint="Yours grows as the vectors move apart. Should a pair that matches badly score high?",
)
def distance(x_i, x_j):
    return np.linalg.norm(x_i - x_j)


@misconception(
    dot_score,
    hint="Yours grows as the vectors move apart: what do two equal vectors get, and what should they?",
)
def squared_distance(x_i, x_j):
    return np.sum((x_i - x_j) ** 2)


@misconception(
    dot_score,
    hint="Double x_j and call again, then double x_i: by how much should the score grow each time?",
)
def one_length_divided_out(x_i, x_j):
    return x_i @ x_j / np.linalg.norm(x_j)


@misconception(
    dot_score, hint="Is 1·3 + 2·4 the same as (1 + 2)·(3 + 4)? Which of the two does yours compute?"
)
def product_of_the_sums(x_i, x_j):
    return np.sum(x_i) * np.sum(x_j)


@misconception(dot_score, hint="Change x_i alone and call again: does your score notice?")
def other_vector_twice(x_i, x_j):
    return x_j @ x_j


@misconception(
    dot_score,
    hint="Double x_i and call again, then double x_j: by how much should the score grow each time?",
)
def length_of_x_i_divided_out(x_i, x_j):
    return x_i @ x_j / np.linalg.norm(x_i)


# --- score_matrix ----------------------------------------------------------------------------------------


def five_tokens(rng):
    return (rng.normal(size=(5, 3)),)


def more_features_than_tokens(rng):
    return (rng.normal(size=(3, 7)),)


def as_many_tokens_as_features(rng):
    return (rng.normal(size=(4, 4)),)


def one_token(rng):
    return (rng.uniform(1, 2, size=(1, 6)),)


def vectors_of_all_lengths(rng):
    return (rng.normal(size=(6, 2)) * np.array([[0.01], [1], [10], [100], [1], [1000]]),)


def single_precision(rng):
    return (rng.normal(size=(5, 4)).astype(np.float32),)


@exercise(
    points=3,
    aspects=[
        values(
            2,
            five_tokens,
            more_features_than_tokens,
            as_many_tokens_as_features,
            one_token,
            vectors_of_all_lengths,
            single_precision,
        ),
        unchanged(1),
    ],
    examples=[
        example("by hand: (1, 0), (0, 1), (1, 1)", [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]),
        example("three tokens, two features, signs mixed", [[2.0, -1.0], [0.5, 3.0], [-1.5, 1.0]]),
    ],
)
def score_matrix(X):
    """The scores of all pairs of tokens.

        S[i, j] = x_i · x_j

    X : (n, d), token i is row i
    Returns S : (n, n), every pair filled in, later tokens too.
    """
    return X @ X.T


@alternative(score_matrix)
def pair_by_pair(X):
    return np.array([[dot_score(x_i, x_j) for x_j in X] for x_i in X])


@alternative(score_matrix)
def einsum_over_the_shared_axis(X):
    return np.einsum("ic,jc->ij", X, X)


@alternative(score_matrix)
def lists_of_floats(X):
    rows = X.tolist()
    return [[sum(a * b for a, b in zip(x_i, x_j, strict=True)) for x_j in rows] for x_i in rows]


@misconception(
    score_matrix, hint="For n = 5 tokens and d = 3, print the shape: did you compare features or tokens?"
)
def features_compared(X):
    return X.T @ X


@misconception(
    score_matrix,
    hint="x_0 · x_2 is as good a number as x_2 · x_0. At which step of the lesson does j ≤ i come in?",
)
def only_the_past_filled(X):
    return np.tril(X @ X.T)


@misconception(
    score_matrix, hint="S[i, i] must be the squared length of x_i. What is on your diagonal, and why?"
)
def rows_normalised(X):
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    return unit @ unit.T


@misconception(
    score_matrix, hint="Each of your rows adds up to 1. Which step of the lesson does that, and when?"
)
def rows_divided_by_their_sum(X):
    S = X @ X.T
    return S / S.sum(axis=1, keepdims=True)


@misconception(
    score_matrix, hint="S[0, 0] must be x_0 · x_0. What did you divide row 0 by, and does the formula?"
)
def rows_of_length_one(X):
    S = X @ X.T
    return S / np.linalg.norm(S, axis=1, keepdims=True)


@misconception(
    score_matrix, hint="Your rows add up to 1. Is that asked of a score, or of what comes after it?"
)
def weights_already(X):
    votes = np.exp(X @ X.T)
    return votes / votes.sum(axis=1, keepdims=True)


@misconception(score_matrix, hint="How many pairs do n tokens make, and how many numbers did you return?")
def each_token_squared(X):
    return X * X


@misconception(score_matrix, hint="Does a token score itself? Look at the diagonal.")
def no_score_for_itself(X):
    S = X @ X.T
    return S - np.diag(np.diag(S))


@misconception(
    score_matrix,
    hint="You divide by the square root of d. That arrives in lesson 3: is it in this lesson's formula?",
)
def scores_scaled_by_sqrt_d(X):
    return X @ X.T / np.sqrt(X.shape[1])


@misconception(
    score_matrix, hint="Your diagonal is all zeros: is that what a vector's dot product with itself is?"
)
def distances(X):
    return -np.sum((X[:, None, :] - X[None, :, :]) ** 2, axis=-1)


@misconception(
    score_matrix,
    hint="You hide what comes later. Does the docstring ask for that here, or does a later step?",
)
def future_at_minus_infinity(X):
    return np.where(np.tri(len(X), dtype=bool), X @ X.T, -np.inf)


@misconception(score_matrix, hint="The largest number in each row of yours is 1. Is x_2 · x_2 always 1?")
def rows_divided_by_their_largest(X):
    S = X @ X.T
    return S / S.max(axis=1, keepdims=True)


@misconception(
    score_matrix,
    hint="None of your numbers is negative: can a dot product be? Which later step did you take?",
)
def votes_already(X):
    return np.exp(X @ X.T)


@misconception(
    score_matrix, hint="Write S[0, 0] out by hand for the first token: a sum, or a mean over the features?"
)
def means_over_the_features(X):
    return X @ X.T / X.shape[1]


@misconception(
    score_matrix,
    hint="A token is at distance 0 from itself. Is 0 its score for itself? Look at the diagonal.",
)
def distances_not_squared(X):
    return -np.linalg.norm(X[:, None, :] - X[None, :, :], axis=-1)


@misconception(
    score_matrix,
    hint="Each of your columns adds up to 1. Is that asked of a score, or of what comes after it?",
)
def columns_divided_by_their_sum(X):
    S = X @ X.T
    return S / S.sum(axis=0)


# --- normalize_scores ------------------------------------------------------------------------------------


def six_scores(rng):
    return (rng.normal(size=6),)


def negative_scores(rng):
    return (rng.uniform(-6, -1, size=5),)


def equal_scores(rng):
    return (np.full(4, rng.uniform(1, 3)),)


def a_single_score(rng):
    return (rng.uniform(2, 4, size=1),)


def zeros_among_them(rng):
    return (np.array([0.0, rng.uniform(1, 2), 0.0, rng.uniform(-2, -1)]),)


def single_precision_scores(rng):
    return (rng.normal(size=7).astype(np.float32),)


def scores_in_the_hundreds(rng):
    return (rng.permutation([-600.0, -3.0, 2.0, 598.0, 600.0, 597.5]) + rng.uniform(-0.5, 0.5, size=6),)


@exercise(
    points=4,
    aspects=[
        values(
            2,
            six_scores,
            negative_scores,
            equal_scores,
            a_single_score,
            zeros_among_them,
            single_precision_scores,
        ),
        aspect("large scores", 1, scores_in_the_hundreds),
        unchanged(1),
    ],
    examples=[
        example("by hand: votes 1, 2 and 3", [0.0, math.log(2), math.log(3)]),
        example("signs mixed", [1.5, -0.5, 0.25, 2.0]),
    ],
)
def normalize_scores(scores):
    """Turn one token's scores into weights: softmax.

        α_j = exp(scores[j]) / Σ_j' exp(scores[j'])

    scores : (m,), any signs, below 700, where np.exp is still finite
    Returns α : (m,), all positive, sum 1.
    """
    votes = np.exp(scores)
    return votes / votes.sum()


@alternative(normalize_scores)
def one_vote_at_a_time(scores):
    votes = [math.exp(score) for score in scores]
    return [vote / sum(votes) for vote in votes]


@alternative(normalize_scores)
def in_log_space(scores):
    return np.exp(scores - np.log(np.sum(np.exp(scores))))


@alternative(normalize_scores)
def largest_score_taken_off_first(scores):
    shifted = np.exp(scores - np.max(scores))
    return shifted / np.sum(shifted)


@misconception(
    normalize_scores,
    hint="Try the scores [1, -1]: what is their sum, and can a share of the whole be negative?",
)
def divides_by_the_sum(scores):
    return scores / scores.sum()


@misconception(normalize_scores, hint="Do yours add up to 1? And what becomes of a negative score?")
def divides_by_the_max(scores):
    return scores / scores.max()


@misconception(normalize_scores, hint="All positive, good: what do yours add up to?")
def not_normalised(scores):
    return np.exp(scores)


@misconception(normalize_scores, hint="Your largest is always 1. What should the whole row add up to?")
def share_of_the_largest(scores):
    return np.exp(scores) / np.exp(scores).max()


@misconception(
    normalize_scores, hint="Yours are negative, so they are no shares yet: which function did you stop at?"
)
def logarithms_of_the_weights(scores):
    return scores - np.log(np.sum(np.exp(scores)))


@misconception(normalize_scores, hint="Who gets the most in yours, the highest score or the lowest?")
def lowest_score_wins(scores):
    votes = np.exp(-scores)
    return votes / votes.sum()


@misconception(
    normalize_scores,
    hint="Two scores that differ by ln 3: one weight must be three times the other. In yours?",
)
def powers_of_two(scores):
    votes = 2.0**scores
    return votes / votes.sum()


@misconception(
    normalize_scores,
    hint="Square yours and add them up, then add them up as they are. Which of the two must be 1?",
)
def unit_length(scores):
    votes = np.exp(scores)
    return votes / np.linalg.norm(votes)


@misconception(
    normalize_scores, hint="What do the scores -2 and 2 mean, and do they get the same weight in yours?"
)
def signs_dropped(scores):
    votes = np.exp(np.abs(scores))
    return votes / votes.sum()


@misconception(
    normalize_scores,
    hint="You divide votes by something else than votes. What do yours add up to?",
)
def votes_over_the_sum_of_scores(scores):
    return np.exp(scores) / scores.sum()


@misconception(
    normalize_scores,
    hint="A negative score still gets a negative share in yours: what does the formula do to it first?",
)
def divides_by_the_sum_of_sizes(scores):
    return scores / np.sum(np.abs(scores))


@misconception(
    normalize_scores,
    hint="You shifted the scores in one place. Is the same shift in the other place where they occur?",
)
def shifted_above_the_line_only(scores):
    return np.exp(scores - np.max(scores)) / np.sum(np.exp(scores))


@misconception(
    normalize_scores,
    hint="Your lowest is 0 and your highest 1. How many votes does the formula give the lowest score?",
)
def stretched_from_0_to_1(scores):
    return (scores - scores.min()) / (scores.max() - scores.min())


@misconception(
    normalize_scores,
    hint="Change one score: do the other weights move in yours? Should they, if all share one whole?",
)
def each_score_by_itself(scores):
    return 1 / (1 + np.exp(-scores))


# --- causal_weights --------------------------------------------------------------------------------------


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


# --- first_approach_output -------------------------------------------------------------------------------


def scores_in_the_hundreds_from_long_vectors(rng):
    return (rng.uniform(-9, 9, size=(4, 6)),)


def a_word_twice(rng):
    x, y = rng.normal(size=(2, 3))
    return (np.array([x, y, x, x + y]),)


@exercise(
    points=4,
    aspects=[
        values(
            3,
            five_tokens,
            more_features_than_tokens,
            as_many_tokens_as_features,
            one_token,
            a_word_twice,
            single_precision,
            scores_in_the_hundreds_from_long_vectors,
        ),
        unchanged(1),
    ],
    examples=[
        example("by hand: (1, 0), (1, 1)", [[1.0, 0.0], [1.0, 1.0]]),
        example("three tokens, signs mixed", [[0.5, -1.0], [1.0, 0.75], [-0.5, 1.25]]),
    ],
)
def first_approach_output(X):
    """One output per token: the tokens so far, mixed by their weights.

        y_i = Σ_{j ≤ i} α_ij x_j,   α_i = softmax over j ≤ i of x_i · x_j

    X : (n, d), token i is row i
    Returns Y : (n, d), output i is row i.
    Build it from the functions that you wrote above.
    """
    return causal_weights(score_matrix(X)) @ X


@alternative(first_approach_output)
def token_by_token(X):
    outputs = []
    for i in range(len(X)):
        scores = np.array([dot_score(X[i], X[j]) for j in range(i + 1)])
        weights = normalize_scores(scores)
        outputs.append(sum(weights[j] * X[j] for j in range(i + 1)))
    return np.array(outputs)


@alternative(first_approach_output)
def prefix_by_prefix(X):
    return np.array([normalize_scores(X[: i + 1] @ X[i]) @ X[: i + 1] for i in range(len(X))])


@alternative(first_approach_output)
def weighted_sums_of_the_past(X):
    A = causal_weights(score_matrix(X))
    return [sum(A[i][j] * X[j] for j in range(i + 1)) for i in range(len(X))]


@alternative(first_approach_output)
def einsum_over_tokens(X):
    return np.einsum("ij,jc->ic", causal_weights(score_matrix(X)), X)


@alternative(first_approach_output)
def nothing_borrowed(X):
    votes = np.tril(np.exp(X @ X.T))
    return (votes @ X) / votes.sum(axis=1)[:, None]


@misconception(
    first_approach_output, hint="y_0 must equal x_0 exactly: does yours? Which index does your sum run over?"
)
def weights_transposed(X):
    return causal_weights(score_matrix(X)).T @ X


@misconception(
    first_approach_output,
    hint="Add up a row of what you mix with: is it 1? Which step came too late or never?",
)
def scores_as_weights(X):
    return score_matrix(X) @ X


@misconception(
    first_approach_output,
    hint="The future is hidden, as it should be. Do the numbers you mix with add up to 1?",
)
def past_scores_as_weights(X):
    return np.tril(score_matrix(X)) @ X


@misconception(
    first_approach_output,
    hint="You divide by the square root of d. That arrives in lesson 3: is it in this formula?",
)
def scores_divided_by_sqrt_d(X):
    return causal_weights(score_matrix(X) / np.sqrt(X.shape[1])) @ X


@misconception(
    first_approach_output, hint="Change the last token only: which of your outputs move, and which may?"
)
def uses_the_future(X):
    votes = np.exp(score_matrix(X))
    return votes / votes.sum(axis=1, keepdims=True) @ X


@misconception(
    first_approach_output, hint="Every token so far counts the same in yours: where do the scores come in?"
)
def plain_average(X):
    return np.cumsum(X, axis=0) / np.arange(1, len(X) + 1)[:, None]


@misconception(
    first_approach_output, hint="Your result is n by n: what is still to be done with the weights?"
)
def weights_returned(X):
    return causal_weights(score_matrix(X))


@misconception(first_approach_output, hint="y_0 must equal x_0 exactly: what did you add to it?")
def input_added(X):
    return X + causal_weights(score_matrix(X)) @ X


@misconception(first_approach_output, hint="n tokens go in: how many outputs come out of yours?")
def last_output_only(X):
    return (causal_weights(score_matrix(X)) @ X)[-1]


@misconception(
    first_approach_output,
    hint="The future is hidden, and every vote is positive. Do the numbers you mix with add up to 1?",
)
def votes_as_weights(X):
    return np.tril(np.exp(score_matrix(X))) @ X


@misconception(
    first_approach_output,
    hint="y_0 must equal x_0 exactly, yours is shorter: who kept the share that is missing?",
)
def weights_that_lost_the_future(X):
    votes = np.exp(score_matrix(X))
    return np.tril(votes / votes.sum(axis=1, keepdims=True)) @ X


@misconception(
    first_approach_output,
    hint="Change the last token only: y_0 moves in yours. What is exp of a score that you set to 0?",
)
def zero_scores_mixed_in(X):
    votes = np.exp(np.tril(score_matrix(X)))
    return votes / votes.sum(axis=1, keepdims=True) @ X


@misconception(first_approach_output, hint="Which tokens may token 0 mix? Your y_0 says that there is none.")
def itself_left_out(X):
    Y = np.zeros(X.shape)
    for i in range(1, len(X)):
        votes = np.exp(X[:i] @ X[i])
        Y[i] = votes @ X[:i] / votes.sum()
    return Y


@misconception(
    first_approach_output,
    hint="Output i must be row i: what is the shape of yours, and what is its first row?",
)
def outputs_in_columns(X):
    return (causal_weights(score_matrix(X)) @ X).T


@misconception(first_approach_output, hint="Your weights are right. What do they mix: vectors, or scores?")
def scores_mixed(X):
    S = score_matrix(X)
    return causal_weights(S) @ S


# --- cosine_score_matrix ---------------------------------------------------------------------------------


def parallel_and_opposed(rng):
    x = rng.uniform(1, 2, size=5)
    return (np.array([x, 3 * x, -0.5 * x, rng.normal(size=5)]),)


def first_vector_zero(rng):
    X = rng.normal(size=(4, 3))
    X[0] = 0.0
    return (X,)


def two_vectors_zero(rng):
    X = rng.normal(size=(5, 2))
    X[[1, 3]] = 0.0
    return (X,)


def only_a_zero_vector(rng):
    return (np.zeros((1, 4)),)


@exercise(
    points=4,
    aspects=[
        values(
            2,
            five_tokens,
            more_features_than_tokens,
            as_many_tokens_as_features,
            one_token,
            vectors_of_all_lengths,
            parallel_and_opposed,
            single_precision,
        ),
        aspect("a zero vector", 1, first_vector_zero, two_vectors_zero, only_a_zero_vector),
        unchanged(1),
    ],
    examples=[
        example("by hand: (3, 4), (0, 2)", [[3.0, 4.0], [0.0, 2.0]]),
        example("lengths, signs and a zero vector", [[2.0, -1.0], [0.0, 0.0], [-0.5, 3.0]]),
    ],
)
def cosine_score_matrix(X, eps=1e-12):
    """The cosines of the angles between all pairs of tokens.

        C[i, j] = x_i · x_j / (‖x_i‖ ‖x_j‖),   ‖x‖ = √(x · x)

    X : (n, d), token i is row i
    eps : a small number that keeps a division by zero away; where it enters
        is yours to choose
    Returns C : (n, n), between -1 and 1. A zero vector has no direction: its
    similarity to everything, itself included, is 0.
    """
    lengths = np.linalg.norm(X, axis=1, keepdims=True)
    directions = X / np.maximum(lengths, eps)
    return directions @ directions.T


@alternative(cosine_score_matrix)
def scores_over_both_lengths(X, eps=1e-12):
    S = score_matrix(X)
    lengths = np.sqrt(np.diag(S))
    return S / (np.outer(lengths, lengths) + eps)


@alternative(cosine_score_matrix)
def cosine_of_each_pair(X, eps=1e-12):
    lengths = [np.sqrt(dot_score(x, x)) for x in X]
    return [
        [dot_score(a, b) / (length_a * length_b + eps) for b, length_b in zip(X, lengths, strict=True)]
        for a, length_a in zip(X, lengths, strict=True)
    ]


@alternative(cosine_score_matrix)
def einsum_of_directions(X, eps=1e-12):
    directions = X / (np.sqrt(np.einsum("ic,ic->i", X, X)) + eps)[:, None]
    return np.einsum("ic,jc->ij", directions, directions)


@misconception(
    cosine_score_matrix, hint="A vector of length 2: what length is left after your division? It should be 1."
)
def squared_lengths(X, eps=1e-12):
    directions = X / np.maximum(np.sum(X**2, axis=1, keepdims=True), eps)
    return directions @ directions.T


@misconception(
    cosine_score_matrix, hint="How many lengths did you compute: one for each token, or one for each feature?"
)
def lengths_of_columns(X, eps=1e-12):
    directions = X / np.maximum(np.linalg.norm(X, axis=0, keepdims=True), eps)
    return directions @ directions.T


@misconception(
    cosine_score_matrix,
    hint="Give it a zero vector: what is 0 / 0 in NumPy, and what does the docstring ask for?",
)
def nan_for_a_zero_vector(X, eps=1e-12):
    directions = X / np.linalg.norm(X, axis=1, keepdims=True)
    return directions @ directions.T


@misconception(
    cosine_score_matrix,
    hint="Is your matrix symmetric? Two vectors have a length each: how many did you divide by?",
)
def one_length_of_two(X, eps=1e-12):
    return X @ X.T / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), eps)


@misconception(
    cosine_score_matrix,
    hint="Print the shape of your lengths: is one number for the whole matrix what you meant?",
)
def one_length_for_all(X, eps=1e-12):
    directions = X / np.maximum(np.linalg.norm(X), eps)
    return directions @ directions.T


@misconception(cosine_score_matrix, hint="Double one of the vectors: does your score change? Should it?")
def lengths_left_in(X, eps=1e-12):
    return X @ X.T


@misconception(
    cosine_score_matrix,
    hint="Which is larger in yours, a pair that points the same way or a pair that points apart?",
)
def cosine_distance(X, eps=1e-12):
    directions = X / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), eps)
    return 1 - directions @ directions.T


@misconception(
    cosine_score_matrix,
    hint="Read the docstring's last line again: what is a zero vector's similarity to itself?",
)
def zero_vector_like_itself(X, eps=1e-12):
    directions = X / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), eps)
    C = directions @ directions.T
    np.fill_diagonal(C, 1.0)
    return C


@misconception(
    cosine_score_matrix,
    hint="Is your matrix symmetric? Print the shape of your lengths: which of the two do you divide by?",
)
def only_the_length_of_the_other(X, eps=1e-12):
    return X @ X.T / np.maximum(np.linalg.norm(X, axis=1), eps)


@misconception(
    cosine_score_matrix,
    hint="Your diagonal is 1, but is the matrix symmetric? Whose length did you divide by twice?",
)
def one_length_twice(X, eps=1e-12):
    return X @ X.T / np.maximum(np.sum(X**2, axis=1, keepdims=True), eps)


@misconception(
    cosine_score_matrix,
    hint="Your diagonal is 1, but is the matrix symmetric? Which token's length does column j hold?",
)
def length_of_the_other_twice(X, eps=1e-12):
    return X @ X.T / np.maximum(np.sum(X**2, axis=1), eps)


@misconception(
    cosine_score_matrix,
    hint="For n = 5 tokens and d = 3, print the shape: did you compare tokens or features?",
)
def cosines_of_features(X, eps=1e-12):
    directions = X / np.maximum(np.linalg.norm(X, axis=0, keepdims=True), eps)
    return directions.T @ directions


@misconception(
    cosine_score_matrix,
    hint="x · x is no longer 1 after your division. Which length did you take: √(x · x), or another sum?",
)
def sums_of_sizes_for_lengths(X, eps=1e-12):
    directions = X / np.maximum(np.sum(np.abs(X), axis=1, keepdims=True), eps)
    return directions @ directions.T


@misconception(
    cosine_score_matrix,
    hint="You have removed the lengths. Which step comes too early here, if each of your rows adds up to 1?",
)
def cosines_as_weights(X, eps=1e-12):
    directions = X / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), eps)
    votes = np.exp(directions @ directions.T)
    return votes / votes.sum(axis=1, keepdims=True)


# --- questions -------------------------------------------------------------------------------------------

order_of_first_approach = question(
    "order_of_first_approach",
    "order",
    seed_item="S3.34",
    prompt=(
        "A simple self-attention layer looks at nothing but a token and what came before it. "
        "Put the steps that lead to **one output** $y_i$ in order."
    ),
    options={
        "A": "Multiply each input seen so far by its weight and add the results.",
        "B": "Take the dot product of $x_i$ with every $x_j$, $j \\le i$.",
        "C": "Turn the scores into weights that add up to 1, by softmax.",
    },
    key="BCA",
    hints=[
        ("BAC", "What would you multiply the inputs by, if the scores are not yet weights?"),
        ("CBA", "Softmax of what? Which numbers exist before the first step?"),
        ("CAB", "Softmax of what? Which numbers exist before the first step?"),
        ("ABC", "A weighted sum needs weights: where would they come from?"),
        ("ACB", "A weighted sum needs weights: where would they come from?"),
    ],
)

orthogonal_has_zero_influence = question(
    "orthogonal_has_zero_influence",
    "bool",
    seed_item="S3.33",
    prompt=(
        "Similarity is measured by dot product, weights come from softmax. **True or False:** if $x_i$ "
        "is exactly orthogonal to an earlier input $x_j$, then $x_j$ has zero influence on the output "
        "$y_i$."
    ),
    key=False,
    hints=[
        (True, "The score is 0. Follow it one step further: how many votes does the softmax make of a 0?"),
    ],
)

E = math.e

third_output = question(
    "third_output",
    "numbers",
    points=2,
    seed_item="S3.32",
    prompt=(
        "Three other inputs arrive in this order: $(1, 0)$, $(0, 1)$, $(1, 1)$. By hand, with a calculator "
        "for $e^1$ and $e^2$: what is the **third** output, the one for $(1, 1)$? Give its two numbers, to "
        "three decimals."
    ),
    key=[(1 + E) / (2 + E), (1 + E) / (2 + E)],
    hints=[
        ([3, 3], "You mixed with the scores themselves. What must happen to them first?"),
        ([0.75, 0.75], "You shared out by the scores 1, 1 and 2. By what does the softmax share out?"),
        ([2 / 3, 2 / 3], "You gave every input the same weight. Do the three have the same score?"),
        ([0.5, 0.5], "You mixed only the first two inputs. May the third look at itself?"),
        ([1, 1], "That is the third input as it came. What does it take from the other two?"),
        (
            [1 / (2 + E), 1 / (2 + E), E / (2 + E)],
            "Those are the three weights. What is still to be done with them?",
        ),
        (
            [1 + 2 * E, 1 + 2 * E],
            "Do the numbers you mixed with add up to 1?",
        ),
        (
            [E + E * E, E + E * E],
            "You mixed with exp of the scores. What do those three numbers add up to, and what should they?",
        ),
    ],
)

recurrent_or_attention = question(
    "recurrent_or_attention",
    "choice",
    seed_item="S3.16",
    prompt=(
        "A team wants to summarise scientific papers of 100,000 tokens. *Approach 1* reads token by "
        "token and updates one state that it passes on. *Approach 2* compares every token with every "
        "other, all at once. Which sentence says best what they trade?"
    ),
    options={
        "A": (
            "Approach 1 keeps distant tokens better, since its state has seen every one of them; "
            "approach 2 sees them too, and is there to be faster."
        ),
        "B": (
            "Approach 2 reaches every token in one step, at a cost that grows with the square of the length; "
            "approach 1's grows with the length, but distant tokens fade."
        ),
        "C": (
            "Approach 2 needs less work on long papers, since everything happens in parallel; "
            "approach 1 needs more, since every step waits for the one before it."
        ),
        "D": (
            "Approach 2 reaches every token in one step, at a cost that grows with the length as approach "
            "1's does; approach 1 keeps only the state, so it has no advantage left."
        ),
    },
    key="B",
    hints=[
        ("A", "The state has a fixed size: how much of token 1 is left in it after 99,999 updates?"),
        ("C", "Parallel work is still work. How many scores does your score_matrix compute for n tokens?"),
        ("D", "How many scores does your score_matrix compute for n tokens, and for 2n?"),
    ],
)

longer_vectors_win = free_text(
    "longer_vectors_win",
    prompt=(
        'Look again at the cloud of words and at the stretched *river*. A colleague says: *"The dot product '
        'gives the largest weight to the most similar word."* In four to six sentences: (a) use the formula '
        "to say what besides the angle decides the weight of $x_j$, and when a longer $x_j$ gets **less** "
        "weight; (b) back it up with a number that you measured; (c) cosine scores remove the length: "
        "what happens to the weights when every score lies between -1 and 1, and what can the scores no "
        "longer say?"
    ),
    rubric=[
        (
            1,
            "(a) The score is ‖x_i‖ ‖x_j‖ cos θ: it grows with ‖x_j‖, and the vote exponentially so.",
        ),
        (1, "(a) Where the cosine is negative, a longer x_j scores lower and gets less weight."),
        (1, "(b) A number from one of the two pictures, and what it shows."),
        (
            1,
            "(c) Scores in [-1, 1] bound the ratio of two weights by e² ≈ 7.4, so attention stays nearly "
            "even; or: a length that says how much a word matters is lost.",
        ),
    ],
    model_answer=(
        "The score is x_i · x_j = ‖x_i‖ ‖x_j‖ cos θ: at the same angle a longer x_j scores higher, and "
        "since the softmax exponentiates, its votes grow exponentially with its length. If the cosine is "
        "negative, the same factor pushes the score further down, so a longer x_j gets less weight. In the "
        "experiment, stretching *river* to twice its length took its weight in the row of *bank* from 0.119 "
        "to 0.173, with its direction unchanged; under cosine it stayed at 0.139. With cosine scores the "
        "votes of two words differ by a factor of e² ≈ 7.4 at most, so among many tokens even a perfect "
        "match gets a small weight, and a length that said how much a word matters can no longer say it."
    ),
)
