"""`temperature_softmax`: cases, the reference, other right solutions, known mistakes."""

import math

import numpy as np

from autograder.exercise import (
    alternative,
    aspect,
    example,
    exercise,
    misconception,
    raising,
    unchanged,
    values,
)

from .shared import unguarded_shares
from .softmax import softmax


def warm(rng):
    return rng.normal(size=6), 2.5


def cool(rng):
    return rng.normal(size=5), 0.4


def temperature_of_1(rng):
    return rng.normal(size=7), 1.0


def a_whole_number(rng):
    return rng.uniform(-4, 4, size=5), 3


def a_single_score(rng):
    return rng.uniform(2, 3, size=1), 0.5


def one_score_masked(rng):
    z = rng.normal(size=4)
    z[2] = -np.inf
    return z, 1.7


def single_precision_row(rng):
    return rng.normal(size=6).astype(np.float32), 0.8


def half_precision_row(rng):
    return rng.uniform(-2, 2, size=5).astype(np.float16), 1.5


def cold_enough_to_overflow(rng):
    """Ordinary scores, but divided by 0.001 they are in the thousands."""
    return np.array([2.0, 1.9995, -5.0, 1.999]) + rng.uniform(1, 2), 1e-3


def scores_in_the_thousands(rng):
    return np.array([3000.0, 3003.0, -2000.0, 3001.5]) + rng.uniform(-0.5, 0.5, size=4), 2.0


def about_700_once_divided(rng):
    return np.array([1396.0, 1399.0, 1404.0]) + rng.uniform(-0.2, 0.2, size=3), 2.0


def about_minus_743_once_divided(rng):
    """exp still gives a number here, but one of a few steps of the smallest there are."""
    return np.array([-1485.0, -1487.0, -1482.5]) + rng.uniform(-0.2, 0.2, size=3), 2.0


def far_above_the_rest(rng):
    return np.array([1.0, -1.0, 0.5, 1920.0]) + rng.uniform(-0.2, 0.2, size=4), 2.0


def zero_and_one_maximum(rng):
    return rng.permutation([-1.5, 0.5, 2.5, 1.0]) + rng.uniform(-0.2, 0.2), 0.0


def zero_and_a_tie(rng):
    return np.array([-1.0, 4.0, 0.5, 4.0, 4.0]) + rng.uniform(-0.5, 0.5), 0.0


def zero_and_all_below_zero(rng):
    return np.array([-3.0, -1.0, -2.0]) - rng.uniform(0.5, 1), 0


def zero_and_all_equal(rng):
    return np.full(3, rng.uniform(1, 2)), 0.0


def below_zero(rng):
    return rng.normal(size=4), -0.5


def just_below_zero(rng):
    """The scores are so close that nothing overflows: to accept the temperature gives numbers."""
    return np.array([0.0, 1e-4, 3e-4]) + rng.uniform(1, 2), -1e-6


@exercise(
    points=5,
    aspects=[
        values(
            1,
            warm,
            cool,
            temperature_of_1,
            a_whole_number,
            a_single_score,
            one_score_masked,
            single_precision_row,
            half_precision_row,
        ),
        aspect(
            "large scores",
            1,
            cold_enough_to_overflow,
            scores_in_the_thousands,
            about_700_once_divided,
            about_minus_743_once_divided,
            far_above_the_rest,
        ),
        aspect(
            "temperature 0",
            1,
            zero_and_one_maximum,
            zero_and_a_tie,
            zero_and_all_below_zero,
            zero_and_all_equal,
        ),
        aspect(
            "a negative temperature",
            1,
            raising(ValueError, below_zero),
            raising(ValueError, just_below_zero),
        ),
        unchanged(1),
    ],
    examples=[
        example("by hand: 0 and ln 9 at temperature 2, votes 1 and 3", [0.0, math.log(9)], 2.0),
        example("temperature 0, the maximum twice", [1.0, 3.0, 3.0, -2.0], 0.0),
        example("a temperature below 0", [1.0, 2.0], -1.0),
    ],
)
def temperature_softmax(z, temperature):
    """Softmax at a temperature: low is picky, high is even-handed.

        α_j = exp(z_j / T) / Σ_j' exp(z_j' / T)      T is the temperature

    z : (n,) scores, one row; of any size, also once they are divided by T; one may
        be −inf, its weight is then 0
    temperature : float, 0 or more
    Returns weights : (n,). At temperature 0, the limit: 1 for the largest score,
    for the first of them where several are equal, and 0 for all others.
    Raises ValueError when temperature is negative.
    """
    if temperature < 0:
        raise ValueError(f"temperature is {temperature}: it must be 0 or more")
    if temperature == 0:
        return np.where(np.arange(len(z)) == np.argmax(z), 1.0, 0.0)
    votes = np.exp((z - z.max()) / temperature)
    return votes / votes.sum()


@alternative(temperature_softmax)
def your_softmax_of_divided_scores(z, temperature):
    if temperature < 0:
        raise ValueError("a temperature is not negative")
    if temperature == 0:
        weights = np.zeros(len(z))
        weights[np.argmax(z)] = 1.0
        return weights
    return softmax(z / temperature)


@alternative(temperature_softmax)
def floats_in_lists(z, temperature):
    if temperature < 0:
        raise ValueError
    scores = z.tolist()
    if not temperature:
        return [float(j == scores.index(max(scores))) for j in range(len(scores))]
    votes = [math.exp((score - max(scores)) / temperature) for score in scores]
    return [vote / sum(votes) for vote in votes]


@alternative(temperature_softmax)
def ratios_to_the_top_score(z, temperature):
    if temperature < 0:
        raise ValueError("temperature must be at least 0")
    top = int(np.argmax(z))
    if temperature > 0:
        gaps = np.exp(z - z[top]) ** (1 / temperature)
        return gaps / np.sum(gaps)
    return np.eye(len(z))[top]


# None of the mistakes below refuses a negative temperature: with or without that mistake on top, a student
# who makes one of them is told its name.


@misconception(
    temperature_softmax,
    hint="At a temperature of -1, which score gets most in yours? What does the docstring ask for there?",
)
def negative_temperature_accepted(z, temperature):
    if temperature == 0:
        return np.eye(len(z))[np.argmax(z)]
    return unguarded_shares(z / temperature)


@misconception(
    temperature_softmax, hint="Which temperature should be the picky one, 0.1 or 10? Which is it in yours?"
)
def multiplied(z, temperature):
    return unguarded_shares(z * temperature)


@misconception(
    temperature_softmax,
    hint="Do your weights change with the temperature? What becomes of a factor that stands above and below?",
)
def divided_after_exp(z, temperature):
    votes = np.exp(z - z.max()) / np.float64(temperature)
    return votes / votes.sum()


@misconception(
    temperature_softmax, hint="What do your weights add up to at temperature 2, and what should they?"
)
def weights_divided(z, temperature):
    return unguarded_shares(z) / temperature


@misconception(
    temperature_softmax, hint="What does NumPy make of a division by 0? Which weights are the limit there?"
)
def nan_at_zero(z, temperature):
    return unguarded_shares(z / np.float64(temperature))


@misconception(
    temperature_softmax,
    hint="Scores near 3, temperature 0.001: of which number do you take exp? And what at temperature 0?",
)
def maximum_of_the_undivided_scores(z, temperature):
    votes = np.exp(z / np.float64(temperature) - z.max())
    return votes / votes.sum()


@misconception(
    temperature_softmax,
    hint="Where two scores tie at temperature 0, how many ones does the docstring ask for?",
)
def tie_shared(z, temperature):
    if temperature == 0:
        best = (z == z.max()).astype(float)
        return best / best.sum()
    return unguarded_shares(z / temperature)


@misconception(
    temperature_softmax,
    hint="At temperature 0 your weights add up to more than 1: how many scores share the maximum?",
)
def every_maximum_gets_one(z, temperature):
    if temperature == 0:
        return (z == z.max()).astype(float)
    return unguarded_shares(z / temperature)


@misconception(
    temperature_softmax, hint="Where two scores tie at temperature 0, which of them does the docstring name?"
)
def last_maximum(z, temperature):
    if temperature == 0:
        return np.eye(len(z))[len(z) - 1 - np.argmax(z[::-1])]
    return unguarded_shares(z / temperature)


@misconception(
    temperature_softmax,
    hint="At temperature 0 yours is a position. What shape do the weights of n scores have?",
)
def position_at_zero(z, temperature):
    if temperature == 0:
        return np.argmax(z)
    return unguarded_shares(z / temperature)
