"""`score_variance`: cases, the reference, other right solutions, known mistakes."""

import functools
import random

import numpy as np

from autograder.exercise import alternative, aspect, example, exercise, misconception, values
from autograder.sandbox.script import Call, Let

# The variance of n samples of q · k is off by √((2 + 6 / d_k) / n) of itself, one standard deviation: 1.1%
# for d_k = 2 and n = 41,000. Two measurements differ by √2 times as much: 8% is more than five of these.
SAMPLES = {2: 41_000, 3: 33_000, 5: 27_000, 8: 23_000}


def a_seed(rng):
    return int(rng.integers(1, 10**6))


def two_features(rng):
    return 2, SAMPLES[2], a_seed(rng)


def three_features(rng):
    return 3, SAMPLES[3], a_seed(rng)


def five_features(rng):
    return 5, SAMPLES[5], a_seed(rng)


def eight_features(rng):
    return 8, SAMPLES[8], a_seed(rng)


def one_seed_twice_then_others(rng):
    """The first two calls must agree to the last digit, those with another seed and with more samples not."""
    seed = a_seed(rng)
    named = {"d_k": 2, "n_samples": SAMPLES[2], "more": SAMPLES[2] + 7}
    named |= {"seed": seed, "other": seed + 1, "last": seed + 2}
    return [
        *(Let(name, value) for name, value in named.items()),
        Call("score_variance", ("d_k", "n_samples", "seed"), "first"),
        Call("score_variance", ("d_k", "n_samples", "seed"), "second"),
        Call("score_variance", ("d_k", "n_samples", "other"), "third"),
        Call("score_variance", ("d_k", "n_samples", "last"), "fourth"),
        Call("score_variance", ("d_k", "more", "seed"), "fifth"),
    ]


@exercise(
    points=4,
    tolerance=(0.08, 0),
    repeatable=True,
    aspects=[
        values(
            2,
            two_features,
            three_features,
            five_features,
            eight_features,
        ),
        aspect("same seed, same numbers", 2, one_seed_twice_then_others),
    ],
    examples=[
        example("width 4, 50,000 pairs", 4, 50_000, 0),
        example("width 7, 50,000 pairs", 7, 50_000, 1),
    ],
)
def score_variance(d_k, n_samples, seed):
    """Measure how far scores scatter: the variance of q · k, and of q · k / √d_k.

    Draw n_samples pairs, each with a query and a key of its own: n_samples scores, not one
    for every query with every key. All entries are independent standard normal numbers
    (mean 0, variance 1).

    d_k : int, width of each query and key
    n_samples : int, how many pairs to draw, such as 50,000
    seed : int, seeds the generator: the same seed gives the same numbers, another seed others
    Returns raw, scaled : two numbers, the variance of the n_samples dot products, and the
        variance of the same dot products divided by √d_k. Checked to 8%: they are estimates.
    """
    rng = np.random.default_rng(seed)
    Q, K = rng.normal(size=(2, n_samples, d_k))
    raw = np.sum(Q * K, axis=1)
    return raw.var(), (raw / np.sqrt(d_k)).var()


@alternative(score_variance)
def one_pair_at_a_time(d_k, n_samples, seed):
    rng = np.random.default_rng(seed)
    raw = [rng.standard_normal(d_k) @ rng.standard_normal(d_k) for _ in range(n_samples)]
    return [np.var(raw, ddof=1), np.var(np.array(raw) / d_k**0.5, ddof=1)]


@alternative(score_variance)
def mean_of_the_squares(d_k, n_samples, seed):
    """The mean is 0, so it need not be taken off."""
    rng = np.random.RandomState(seed)
    raw = np.einsum("sc,sc->s", rng.randn(n_samples, d_k), rng.randn(n_samples, d_k))
    return np.mean(raw**2), np.mean(raw**2 / d_k)


@alternative(score_variance)
def pythons_own_generator(d_k, n_samples, seed):
    draw = random.Random(seed).gauss
    raw = [sum(draw(0, 1) * draw(0, 1) for _ in range(d_k)) for _ in range(n_samples)]
    mean = sum(raw) / n_samples
    variance = sum((score - mean) ** 2 for score in raw) / (n_samples - 1)
    return variance, variance / d_k


def _kept(draw):
    """`draw`, with the answers to the exercise's last calls kept: every mistake is made on the same draws."""
    answers = functools.lru_cache(maxsize=8)(draw)

    @functools.wraps(draw)
    def once(d_k, n_samples, seed):
        return answers(d_k, n_samples, seed)

    return once


@_kept
def _pairs(d_k, n_samples, seed):
    Q, K = np.random.default_rng(seed).normal(size=(2, n_samples, d_k))
    Q.flags.writeable = K.flags.writeable = False
    return Q, K


@_kept
def _dot_products(d_k, n_samples, seed):
    Q, K = _pairs(d_k, n_samples, seed)
    raw = np.sum(Q * K, axis=1)
    raw.flags.writeable = False
    return raw


@misconception(
    score_variance,
    hint="For width 4 your first number is near 2. Is that a variance, or the root of one?",
)
def standard_deviation(d_k, n_samples, seed):
    raw = _dot_products(d_k, n_samples, seed)
    return raw.std(), (raw / np.sqrt(d_k)).std()


@misconception(
    score_variance, hint="How many scores do n_samples pairs give? Over which axis does a dot product add up?"
)
def summed_over_the_samples(d_k, n_samples, seed):
    Q, K = _pairs(d_k, n_samples, seed)
    raw = np.sum(Q * K, axis=0)
    return raw.var(), (raw / np.sqrt(d_k)).var()


@misconception(
    score_variance,
    hint="Try several seeds: do your numbers jump? How many queries did you draw, for how many pairs?",
)
def one_query_for_all_keys(d_k, n_samples, seed):
    rng = np.random.default_rng(seed)
    raw = rng.normal(size=(n_samples, d_k)) @ rng.normal(size=d_k)
    return raw.var(), (raw / np.sqrt(d_k)).var()


@misconception(
    score_variance,
    hint="Are your query and your key two draws or one? What does a generator seeded twice give?",
)
def key_equal_to_its_query(d_k, n_samples, seed):
    Q, _ = _pairs(d_k, n_samples, seed)
    raw = np.sum(Q * Q, axis=1)
    return raw.var(), (raw / np.sqrt(d_k)).var()


@misconception(
    score_variance, hint="Your second number shrinks as d_k grows. What did you divide the scores by?"
)
def scaled_by_d_k(d_k, n_samples, seed):
    raw = _dot_products(d_k, n_samples, seed)
    return raw.var(), (raw / d_k).var()


@misconception(
    score_variance,
    hint="Divide numbers by 2: by how much does their variance fall? Did you divide scores or a variance?",
)
def variance_divided_by_the_root(d_k, n_samples, seed):
    raw = _dot_products(d_k, n_samples, seed)
    return raw.var(), raw.var() / np.sqrt(d_k)


@misconception(score_variance, hint="Your two numbers are equal: where is the second one scaled?")
def never_scaled(d_k, n_samples, seed):
    raw = _dot_products(d_k, n_samples, seed)
    return raw.var(), raw.var()


@misconception(
    score_variance,
    hint="Your first number does not grow with d_k. Is it about the products, or about their sum?",
)
def products_not_added_up(d_k, n_samples, seed):
    Q, K = _pairs(d_k, n_samples, seed)
    return (Q * K).var(), (Q * K / np.sqrt(d_k)).var()


@misconception(
    score_variance, hint="What mean and variance do your entries have? Which ones does the docstring ask for?"
)
def uniform_entries(d_k, n_samples, seed):
    Q, K = np.random.default_rng(seed).random(size=(2, n_samples, d_k))
    raw = np.sum(Q * K, axis=1)
    return raw.var(), (raw / np.sqrt(d_k)).var()


@misconception(score_variance, hint="Which of the two should grow with d_k, the first or the second?")
def in_the_other_order(d_k, n_samples, seed):
    raw = _dot_products(d_k, n_samples, seed)
    return (raw / np.sqrt(d_k)).var(), raw.var()


@misconception(
    score_variance, hint="Yours are near 0: is that how far the scores scatter, or where their middle is?"
)
def means(d_k, n_samples, seed):
    raw = _dot_products(d_k, n_samples, seed)
    return raw.mean(), (raw / np.sqrt(d_k)).mean()
