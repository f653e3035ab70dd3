"""`normalize_scores`: cases, the reference, other right solutions, known mistakes."""

import math

import numpy as np

from autograder.exercise import alternative, aspect, example, exercise, misconception, unchanged, values


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
