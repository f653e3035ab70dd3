"""Lesson 3: the score. Why q · k is divided by √d_k, where the mask goes, what large scores do to learning.

β_ij = q_i · k_j / √d_k + Mask(i, j)   (Vaswani et al., 2017; the mask as a term of the sum as in Xiao and
Zhu, Foundations of Large Language Models, 2025.)
"""

import functools
import math
import random

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
from autograder.sandbox.script import Call, Let

# --- attention_score -------------------------------------------------------------------------------------


def seven_features_no_mask(rng):
    return rng.normal(size=7) + 1.0, rng.normal(size=7) + 1.0


def pointing_apart(rng):
    q = rng.uniform(1, 2, size=5)
    return q, -q * rng.uniform(0.5, 2, size=5), 0.0


def width_of_one(rng):
    return rng.uniform(1.5, 3, size=1), rng.uniform(4, 5, size=1)


def hundreds_of_long_features(rng):
    return 1e3 * rng.uniform(0.5, 1.5, size=300), 1e3 * rng.uniform(0.5, 1.5, size=300)


def terms_that_nearly_cancel(rng):
    """Two features of 10⁵ cancel: who rounds to single precision on the way loses what is left."""
    q, k = rng.normal(size=5), rng.uniform(1, 2, size=5)
    q[:2] += 1e5
    k[1] = -k[0]
    return q, k


def single_precision_pair(rng):
    return rng.uniform(0.5, 1.5, size=11).astype(np.float32), rng.uniform(0.5, 1.5, size=11).astype(
        np.float32
    )


def half_precision_pair(rng):
    return rng.uniform(0.5, 1.5, size=6).astype(np.float16), rng.uniform(0.5, 1.5, size=6).astype(np.float16)


def finite_mask(rng):
    return *terms_that_nearly_cancel(rng), -rng.uniform(2, 3)


def mask_that_favours(rng):
    return rng.uniform(0.5, 2, size=3), -rng.uniform(0.5, 2, size=3), rng.uniform(4, 5)


def hidden(rng):
    return rng.uniform(0.5, 2, size=5), rng.uniform(0.5, 2, size=5), -np.inf


@exercise(
    points=4,
    aspects=[
        values(
            1,
            seven_features_no_mask,
            pointing_apart,
            width_of_one,
            hundreds_of_long_features,
            terms_that_nearly_cancel,
            single_precision_pair,
            half_precision_pair,
        ),
        aspect("mask", 2, finite_mask, mask_that_favours, hidden),
        unchanged(1),
    ],
    examples=[
        example("by hand: 2 + 2 + 0 − 10 = −6, of width 4", [2.0, 1.0, 0.0, -5.0], [1.0, 2.0, 3.0, 2.0]),
        example("three features and a mask of −2.5", [1.5, -1.0, 2.0], [2.0, 0.5, 3.0], -2.5),
    ],
)
def attention_score(q, k, mask_ij=0.0):
    """The score of one query and one key: scaled dot product, then the mask.

        β_ij = q_i · k_j / √d_k + Mask(i, j)

    q : (d_k,)
    k : (d_k,)
    mask_ij : a number, added to the scaled product: 0 where i may look at j, −inf
        where it may not, any other number to favour or disfavour the pair
    Returns one number (a float), −inf for a hidden pair.
    """
    return q @ k / np.sqrt(len(q)) + mask_ij


@alternative(attention_score)
def products_added_one_by_one(q, k, mask_ij=0.0):
    total = 0.0
    for a, b in zip(q, k, strict=True):
        total += float(a) * float(b)
    return total / math.sqrt(len(k)) + mask_ij


@alternative(attention_score)
def query_scaled_first(q, k, mask_ij=0.0):
    return np.dot(q * q.shape[0] ** -0.5, k) + mask_ij


@alternative(attention_score)
def hidden_pairs_answered_at_once(q, k, mask_ij=0.0):
    if mask_ij == -np.inf:
        return -np.inf
    return float(np.einsum("c,c->", q, k)) / np.sqrt(k.size) + mask_ij


@misconception(
    attention_score,
    hint="With −inf you cannot see it; try −2.5: by how much does your score fall, by how much should it?",
)
def mask_inside_the_scale(q, k, mask_ij=0.0):
    return (q @ k + mask_ij) / np.sqrt(len(q))


@misconception(
    attention_score, hint="Leave the mask at 0. What becomes of every score of yours, and is it hidden?"
)
def mask_multiplied(q, k, mask_ij=0.0):
    return q @ k / np.sqrt(len(q)) * mask_ij


@misconception(
    attention_score,
    hint="A mask of −inf hides a pair, one of +4 favours it. What does yours make of the two?",
)
def mask_subtracted(q, k, mask_ij=0.0):
    return q @ k / np.sqrt(len(q)) - mask_ij


@misconception(attention_score, hint="Call it with two masks: does your score notice the third argument?")
def mask_ignored(q, k, mask_ij=0.0):
    return q @ k / np.sqrt(len(q))


@misconception(
    attention_score,
    hint="What does yours give for a mask of −2.5, and for −1? Is every mask but 0 the same as hiding?",
)
def any_mask_hides(q, k, mask_ij=0.0):
    return q @ k / np.sqrt(len(q)) if mask_ij == 0 else -np.inf


@misconception(
    attention_score,
    hint="At a width of 4, by what does your score differ from the formula's: which step is missing?",
)
def not_scaled(q, k, mask_ij=0.0):
    return q @ k + mask_ij


@misconception(
    attention_score,
    hint="Variance is d_k; the score is what you divide, not its variance. Which power is it?",
)
def divided_by_d_k(q, k, mask_ij=0.0):
    return q @ k / len(q) + mask_ij


@misconception(
    attention_score,
    hint="Scaling makes your scores larger. Should a wide pair score higher for it, or lower?",
)
def multiplied_by_the_root(q, k, mask_ij=0.0):
    return q @ k * np.sqrt(len(q)) + mask_ij


@misconception(
    attention_score,
    hint="Double q: the score must double. Does yours, and what did you divide by: a width or a length?",
)
def divided_by_the_norms(q, k, mask_ij=0.0):
    return q @ k / (np.linalg.norm(q) * np.linalg.norm(k)) + mask_ij


@misconception(attention_score, hint="A score is one number per pair: what shape did you hand back?")
def not_summed(q, k, mask_ij=0.0):
    return q * k / np.sqrt(len(q)) + mask_ij


@misconception(
    attention_score, hint="Is any score of yours negative? Which later step turns scores into votes?"
)
def vote_already(q, k, mask_ij=0.0):
    return np.exp(q @ k / np.sqrt(len(q)) + mask_ij)


# --- scaled_scores ---------------------------------------------------------------------------------------


def ragged(rng):
    return rng.normal(size=(3, 7)), rng.normal(size=(5, 7))


def more_queries_than_keys(rng):
    return rng.normal(size=(6, 2)), rng.normal(size=(4, 2))


def square(rng):
    """As many queries as keys: a product of features has a shape here as well."""
    return rng.normal(size=(5, 3)), rng.normal(size=(5, 3))


def everything_square(rng):
    return rng.normal(size=(4, 4)), rng.normal(size=(4, 4))


def one_query(rng):
    return rng.normal(size=(1, 6)), rng.normal(size=(4, 6))


def one_pair(rng):
    return rng.uniform(1, 2, size=(1, 5)), rng.uniform(1, 2, size=(1, 5))


def long_vectors(rng):
    return 1e3 * rng.normal(size=(2, 50)), 1e3 * rng.normal(size=(3, 50))


def scores_that_nearly_cancel(rng):
    Q, K = rng.normal(size=(3, 4)), rng.normal(size=(2, 4))
    Q[:, :2] += 1e5
    K[:, 1] = -K[:, 0]
    return Q, K


def single_precision(rng):
    return rng.uniform(0.5, 1.5, size=(4, 3)).astype(np.float32), rng.normal(size=(6, 3)).astype(np.float32)


def half_precision(rng):
    drawn = rng.uniform(0.5, 1.5, size=(2, 3, 5)).astype(np.float16)
    return drawn[0, :2], drawn[1]


@exercise(
    points=3,
    aspects=[
        values(
            2,
            ragged,
            more_queries_than_keys,
            square,
            everything_square,
            one_query,
            one_pair,
            long_vectors,
            scores_that_nearly_cancel,
            single_precision,
            half_precision,
        ),
        unchanged(1),
    ],
    examples=[
        example(
            "by hand: 2 queries, 3 keys, width 4",
            [[2.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]],
            [[1.0, 0.0, 5.0, 0.0], [0.0, 3.0, 0.0, -1.0], [4.0, 1.0, 1.0, 0.0]],
        ),
        example(
            "2 queries, 4 keys, width 3, signs mixed",
            [[1.5, -1.0, 0.5], [-0.5, 2.0, 1.0]],
            [[1.0, 2.0, -1.0], [0.5, -1.5, 2.0], [-2.0, 1.0, 0.0], [3.0, 0.5, 1.5]],
        ),
    ],
)
def scaled_scores(Q, K):
    """The scores of all pairs of query and key, without a mask.

        β[i, j] = q_i · k_j / √d_k

    Q : (n_q, d_k), query i is row i
    K : (n_k, d_k), key j is row j
    Returns β : (n_q, n_k).
    """
    return Q @ K.T / np.sqrt(Q.shape[1])


@alternative(scaled_scores)
def pair_by_pair(Q, K):
    return np.array([[attention_score(q, k) for k in K] for q in Q])


@alternative(scaled_scores)
def einsum_over_the_width(Q, K):
    return np.einsum("ic,jc->ij", Q, K) / Q.shape[-1] ** 0.5


@alternative(scaled_scores)
def both_sides_scaled_by_the_fourth_root(Q, K):
    root = K.shape[1] ** 0.25
    return (Q / root) @ (K / root).T


@alternative(scaled_scores)
def lists_of_floats(Q, K):
    d_k = len(K[0])
    return [
        [sum(a * b for a, b in zip(q, k, strict=True)) / math.sqrt(d_k) for k in K.tolist()]
        for q in Q.tolist()
    ]


@misconception(
    scaled_scores, hint="What is the variance of your scores for a width of 64? Which step is still missing?"
)
def scores_not_scaled(Q, K):
    return Q @ K.T


@misconception(scaled_scores, hint="The variance is d_k; which power of it returns it to 1?")
def scores_divided_by_d_k(Q, K):
    return Q @ K.T / Q.shape[1]


@misconception(
    scaled_scores, hint="Are your scores smaller than the dot products, or larger? Which should they be?"
)
def scores_multiplied_by_the_root(Q, K):
    return Q @ K.T * np.sqrt(Q.shape[1])


@misconception(
    scaled_scores,
    hint="Add a key: the scores of the other keys must stay. Do yours, and which axis did you count?",
)
def divided_by_the_root_of_n_k(Q, K):
    return Q @ K.T / np.sqrt(len(K))


@misconception(
    scaled_scores,
    hint="Add a query: the scores of the other queries must stay. Do yours, and which axis did you count?",
)
def divided_by_the_root_of_n_q(Q, K):
    return Q @ K.T / np.sqrt(len(Q))


@misconception(
    scaled_scores, hint="Row i belongs to query i. Who asks in your rows, and what shape should it be?"
)
def keys_ask(Q, K):
    return K @ Q.T / np.sqrt(Q.shape[1])


@misconception(
    scaled_scores,
    hint="Print the shape: how many queries are there, and how many features? Which did you compare?",
)
def features_compared(Q, K):
    return Q.T @ K / np.sqrt(Q.shape[1])


@misconception(
    scaled_scores,
    hint="Double one key: its scores must double. Do yours, and what did you divide by, width or length?",
)
def cosines(Q, K):
    lengths = np.linalg.norm(Q, axis=1, keepdims=True) * np.linalg.norm(K, axis=1)
    return Q @ K.T / lengths


@misconception(
    scaled_scores, hint="Your rows add up to 1. Is that asked of a score, or of what comes after it?"
)
def weights_already(Q, K):
    scores = Q @ K.T / np.sqrt(Q.shape[1])
    votes = np.exp(scores - scores.max(axis=1, keepdims=True))
    return votes / votes.sum(axis=1, keepdims=True)


@misconception(
    scaled_scores, hint="May query 0 look at key 1 here? Does this docstring speak of hiding anything?"
)
def future_hidden(Q, K):
    return np.where(np.tri(len(Q), len(K), dtype=bool), Q @ K.T / np.sqrt(Q.shape[1]), -np.inf)


# --- score_variance --------------------------------------------------------------------------------------

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


# --- attention_entropy -----------------------------------------------------------------------------------


def weights_of(rng, rows, keys):
    """Rows of weights, all positive, each adding up to 1."""
    votes = rng.uniform(0.2, 3, size=(rows, keys))
    return votes / votes.sum(axis=1, keepdims=True)


def causal_of(rng, n):
    votes = np.tril(rng.uniform(0.2, 3, size=(n, n)))
    return votes / votes.sum(axis=1, keepdims=True)


def three_queries_five_keys(rng):
    return (weights_of(rng, 3, 5),)


def six_queries_two_keys(rng):
    return (weights_of(rng, 6, 2),)


def as_many_queries_as_keys(rng):
    return (weights_of(rng, 4, 4),)


def a_single_query(rng):
    return (weights_of(rng, 1, 7),)


def hardly_any_weight_on_some(rng):
    A = weights_of(rng, 3, 6)
    A[:, 1] = rng.uniform(1, 9, size=3) * 1e-12
    return (A / A.sum(axis=1, keepdims=True),)


def little_weight_on_most(rng):
    """Weights that a floor of 0.001 under the logarithm would falsify by more than the tolerance."""
    A = rng.uniform(1, 3, size=(4, 9)) * 1e-4
    A[:, 2] += 1 - A.sum(axis=1)
    return (A,)


def single_precision_weights(rng):
    return (weights_of(rng, 4, 6).astype(np.float32),)


def lower_triangular(rng):
    return (causal_of(rng, 5),)


def one_hot_rows(rng):
    return (np.eye(6)[rng.permutation(6)[:4]],)


def nothing_to_look_at(rng):
    A = weights_of(rng, 3, 4)
    A[1] = 0.0
    return (A,)


def a_single_key(rng):
    return (np.ones((3, 1)),)


@exercise(
    points=4,
    # Some write log(A + 1e-9): with a few keys that is off by less than 1e-8, and no mistake.
    tolerance=(1e-4, 1e-5),
    aspects=[
        values(
            2,
            three_queries_five_keys,
            six_queries_two_keys,
            as_many_queries_as_keys,
            a_single_query,
            hardly_any_weight_on_some,
            little_weight_on_most,
            single_precision_weights,
        ),
        aspect("weights of zero", 1, lower_triangular, one_hot_rows, nothing_to_look_at, a_single_key),
        unchanged(1),
    ],
    examples=[
        example("by hand: a half each, and a quarter each", [[0.5, 0.5, 0.0, 0.0], [0.25, 0.25, 0.25, 0.25]]),
        example("two rows of three, one weight of zero", [[0.2, 0.3, 0.5], [0.0, 0.9, 0.1]]),
    ],
)
def attention_entropy(A):
    """How widely each query's weights are spread, in nats.

        H_i = − Σ_j α_ij ln α_ij,   where 0 ln 0 counts as 0

    A : (n_q, n_k), weights: no row holds a negative number, each adds up to 1;
        a row of zeros (a query with nothing to look at) has entropy 0
    Returns H : (n_q,), between 0 (all on one key) and ln n_k (an even share each).
    """
    logarithms = np.log(np.where(A > 0, A, 1.0))
    return -np.sum(A * logarithms, axis=1)


@alternative(attention_entropy)
def zeros_skipped_in_a_loop(A):
    return [-sum(a * math.log(a) for a in row if a > 0) for row in A.tolist()]


@alternative(attention_entropy)
def a_little_added_under_the_logarithm(A):
    return -np.sum(A * np.log(A + 1e-12), axis=-1)


@alternative(attention_entropy)
def nan_turned_into_zero(A):
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(-A * np.log(A)).sum(axis=1)


@alternative(attention_entropy)
def logarithms_where_there_is_weight(A):
    logarithms = np.log(A, out=np.zeros_like(A), where=A > 0)
    return -np.einsum("ij,ij->i", A, logarithms)


def _terms(A):
    return A * np.log(np.where(A > 0, A, 1.0))


@misconception(
    attention_entropy,
    hint="What is 0 times minus infinity in NumPy, and what should a weight of 0 contribute?",
)
def nan_for_a_weight_of_zero(A):
    return -np.sum(A * np.log(A), axis=1)


@misconception(
    attention_entropy,
    hint="How many queries are there? Add up along one query's weights: which axis is that?",
)
def keys_instead_of_queries(A):
    return -np.sum(_terms(A), axis=0)


@misconception(
    attention_entropy, hint="Two even halves must give ln 2 = 0.693. What do yours give, and in which unit?"
)
def in_bits(A):
    return -np.sum(_terms(A), axis=1) / np.log(2)


@misconception(attention_entropy, hint="Is ln 0.5 positive? What sign must a spread have?")
def minus_forgotten(A):
    return np.sum(_terms(A), axis=1)


@misconception(
    attention_entropy, hint="Each query has a spread of its own: how many numbers did you hand back?"
)
def one_number_for_all(A):
    return -np.sum(_terms(A))


@misconception(
    attention_entropy,
    hint="Four even quarters must give ln 4. Is the formula a sum over the keys, or a mean?",
)
def mean_over_the_keys(A):
    return -np.mean(_terms(A), axis=1)


@misconception(
    attention_entropy,
    hint="Your largest is 1. What does the docstring say that an even share over n_k keys gives?",
)
def share_of_the_largest_possible(A):
    return -np.sum(_terms(A), axis=1) / np.log(A.shape[1])


@misconception(
    attention_entropy, hint="In yours each logarithm counts alike. By what does the formula weigh them?"
)
def logarithms_not_weighed(A):
    return -np.sum(np.log(np.where(A > 0, A, 1.0)), axis=1)


@misconception(
    attention_entropy, hint="A row with all its weight on one key must give 0. What does yours give it?"
)
def effective_number_of_keys(A):
    return np.exp(-np.sum(_terms(A), axis=1))


@misconception(
    attention_entropy, hint="Two even halves must give ln 2: where is the logarithm in what you computed?"
)
def one_less_the_squares(A):
    return 1 - np.sum(A**2, axis=1)


@misconception(
    attention_entropy, hint="One number per query: did you add up after multiplying with the logarithms?"
)
def terms_not_summed(A):
    return -_terms(A)


# --- softmax_jacobian ------------------------------------------------------------------------------------


def weights_on(rng, n):
    return weights_of(rng, 1, n)[0]


def five_weights(rng):
    return (weights_on(rng, 5),)


def two_weights(rng):
    return (np.array([0.0, 1.0]) + np.array([1.0, -1.0]) * rng.uniform(0.6, 0.9),)


def nearly_one_hot(rng):
    """The largest weight lies halfway between two numbers of float32: who rounds to these has its
    distance from 1 wrong."""
    a = rng.integers(50, 150, size=6) * 2.0**-24
    a[0] += 2.0**-25
    a[2] += 1 - a.sum()
    return (a,)


def two_alike(rng):
    """Equal weights in different places: the diagonal is where i = j, not where α_i = α_j."""
    a = weights_on(rng, 5)
    a[[1, 3]] = (a[1] + a[3]) / 2
    return (a,)


def some_keys_hidden(rng):
    a = np.zeros(7)
    a[[1, 2, 4, 6]] = weights_on(rng, 4)
    return (a,)


def all_on_one(rng):
    return (np.eye(4)[int(rng.integers(4))],)


def only_one_weight(rng):
    return (np.ones(1),)


def single_precision_row(rng):
    return (weights_on(rng, 8).astype(np.float32),)


def half_precision_row(rng):
    return (weights_on(rng, 3).astype(np.float16),)


@exercise(
    points=4,
    aspects=[
        values(
            3,
            five_weights,
            two_weights,
            nearly_one_hot,
            two_alike,
            some_keys_hidden,
            all_on_one,
            only_one_weight,
            single_precision_row,
            half_precision_row,
        ),
        unchanged(1),
    ],
    examples=[
        example("by hand: a half each", [0.5, 0.5]),
        example("three weights", [0.5, 0.3, 0.2]),
    ],
)
def softmax_jacobian(a):
    """How each weight moves with each score: the derivative of the softmax.

        J[i, j] = ∂α_i / ∂β_j = α_i (1 − α_i) for i = j,   −α_i α_j for i ≠ j

    a : (n,), the weights α that the softmax gave, one query's row: they add up to 1
    Returns J : (n, n).
    """
    return np.diag(a) - np.outer(a, a)


@alternative(softmax_jacobian)
def entry_by_entry(a):
    n = len(a)
    J = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            J[i, j] = a[i] * ((i == j) - a[j])
    return J


@alternative(softmax_jacobian)
def rows_times_identity_less_weights(a):
    return a[:, None] * (np.eye(len(a)) - a[None, :])


@alternative(softmax_jacobian)
def diagonal_written_over_the_products(a):
    J = -np.einsum("i,j->ij", a, a)
    np.fill_diagonal(J, a * (1 - a))
    return J


@alternative(softmax_jacobian)
def lists_of_products(a):
    row = a.tolist()
    return [[x * (1 - x) if i == j else -x * y for j, y in enumerate(row)] for i, x in enumerate(row)]


@misconception(
    softmax_jacobian,
    hint="Raise one score: do the other weights stay where they are? Each row of J must sum to 0.",
)
def diagonal_only(a):
    return np.diag(a * (1 - a))


@misconception(
    softmax_jacobian, hint="Raise score i: does weight i rise or fall in yours? Look at the diagonal's sign."
)
def sign_flipped(a):
    return np.outer(a, a) - np.diag(a)


@misconception(
    softmax_jacobian,
    hint="Raise score i: does weight i rise? Which entries does your formula treat like all the others?",
)
def outer_product_only(a):
    return -np.outer(a, a)


@misconception(
    softmax_jacobian,
    hint="Raise score j: the other weights pay for it. What sign has your J off the diagonal?",
)
def others_rise_too(a):
    return np.diag(a) + np.outer(a, a) * (1 - 2 * np.eye(len(a)))


@misconception(
    softmax_jacobian,
    hint="Raise score i and all others fall: what do they lose in yours? What must a row add up to?",
)
def weights_on_the_diagonal(a):
    return np.diag(a)


@misconception(
    softmax_jacobian, hint="Each weight depends on every score: how many derivatives does that make?"
)
def only_its_own_derivative(a):
    return a * (1 - a)


@misconception(
    softmax_jacobian,
    hint="Is every entry of yours positive? For i and j different, which term of the derivative is left?",
)
def same_formula_off_the_diagonal(a):
    return a[:, None] * (1 - a[None, :])


@misconception(
    softmax_jacobian,
    hint="Your diagonal is nearly 1 for a tiny weight. By what is it still to be multiplied?",
)
def ones_on_the_diagonal(a):
    return np.eye(len(a)) - np.outer(a, a)


@misconception(
    softmax_jacobian, hint="Are the numbers that come in scores or weights? What do they add up to already?"
)
def softmax_taken_again(a):
    votes = np.exp(a)
    w = votes / votes.sum()
    return np.diag(w) - np.outer(w, w)


@misconception(
    softmax_jacobian,
    hint="Each row of J must sum to 0. What do yours sum to? What is on your diagonal beside α_i (1 − α_i)?",
)
def diagonal_counted_twice(a):
    return np.diag(a * (1 - a)) - np.outer(a, a)


@misconception(
    softmax_jacobian, hint="Is your J symmetric? The rate at which i moves with j is also that of j with i."
)
def not_multiplied_by_the_weight(a):
    return np.eye(len(a)) - a[None, :]


# --- relative_bias_scores --------------------------------------------------------------------------------


def biases(rng, n):
    """Entries far from each other and from the scores' usual differences, all different from 0."""
    return rng.permutation(np.linspace(-6, 6, 2 * n)[: 2 * n - 1]) + rng.uniform(0.05, 0.3, size=2 * n - 1)


def _five(rng):
    return rng.normal(size=(5, 3)), rng.normal(size=(5, 3)), biases(rng, 5)


def _two(rng):
    return rng.normal(size=(2, 7)), rng.normal(size=(2, 7)), biases(rng, 2)


def _square(rng):
    """As many features as tokens, two of them large, and their products nearly cancel."""
    Q, K = rng.normal(size=(2, 4, 4))
    Q[:, :2] += 1e5
    K[:, 1] = -K[:, 0]
    return Q, K, biases(rng, 4)


def _one(rng):
    return rng.uniform(1, 2, size=(1, 5)), rng.uniform(1, 2, size=(1, 5)), rng.uniform(2, 3, size=1)


def _single_precision(rng):
    return tuple(array.astype(np.float32) for array in (rng.uniform(0.5, 1, size=(3, 6)), *_of_three(rng)))


def _of_three(rng):
    return rng.normal(size=(3, 6)), biases(rng, 3)


def five_inside(rng):
    return *_five(rng), True


def two_inside(rng):
    return *_two(rng), True


def square_inside(rng):
    return *_square(rng), True


def one_token_inside(rng):
    return *_one(rng), True


def single_precision_inside(rng):
    return *_single_precision(rng), True


def five_outside(rng):
    return *_five(rng), False


def two_outside(rng):
    return *_two(rng), False


def square_outside(rng):
    return *_square(rng), False


def one_token_outside(rng):
    return *_one(rng), False


def single_precision_outside(rng):
    return *_single_precision(rng), False


@exercise(
    points=5,
    aspects=[
        aspect(
            "bias inside the scale",
            2,
            five_inside,
            two_inside,
            square_inside,
            one_token_inside,
            single_precision_inside,
        ),
        aspect(
            "bias outside the scale",
            2,
            five_outside,
            two_outside,
            square_outside,
            one_token_outside,
            single_precision_outside,
        ),
        unchanged(1),
    ],
    examples=[
        example(
            "by hand: two tokens, outside",
            [[2.0, 0.0, 0.0, 0.0], [0.0, 2.0, 0.0, 0.0]],
            [[1.0, 3.0, 0.0, 0.0], [5.0, 7.0, 0.0, 0.0]],
            [10.0, 20.0, 30.0],
            False,
        ),
        example(
            "three tokens, inside",
            [[1.0, -0.5], [2.0, 1.0], [-1.5, 0.5]],
            [[0.5, 1.0], [-1.0, 2.0], [1.5, -0.5]],
            [-1.0, 2.0, 0.5, -3.0, 4.0],
            True,
        ),
        example(
            "the same three tokens, outside",
            [[1.0, -0.5], [2.0, 1.0], [-1.5, 0.5]],
            [[0.5, 1.0], [-1.0, 2.0], [1.5, -0.5]],
            [-1.0, 2.0, 0.5, -3.0, 4.0],
            False,
        ),
    ],
)
def relative_bias_scores(Q, K, u, inside_scale):
    """Scores with a bias for each distance between two positions.

        (q_i · k_j + u_{i−j}) / √d_k   when inside_scale
        q_i · k_j / √d_k + u_{i−j}     otherwise

    Q : (n, d_k)
    K : (n, d_k), as many keys as queries
    u : (2n − 1,), the bias of pair (i, j) is u[i − j + n − 1]: u[0] is for i − j = −(n − 1),
        u[n − 1] for i = j, and the last for i − j = n − 1
    inside_scale : bool, whether the bias is divided by √d_k as well
    Returns the scores : (n, n), without a mask.
    """
    i, j = np.indices((len(Q), len(K)))
    bias = u[i - j + len(Q) - 1]
    if inside_scale:
        return (Q @ K.T + bias) / np.sqrt(Q.shape[1])
    return Q @ K.T / np.sqrt(Q.shape[1]) + bias


@alternative(relative_bias_scores)
def pairs_in_a_loop(Q, K, u, inside_scale):
    n, d_k = Q.shape
    scores = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            bias = u[i - j + n - 1]
            scores[i, j] = Q[i] @ K[j] / np.sqrt(d_k) + (bias / np.sqrt(d_k) if inside_scale else bias)
    return scores


@alternative(relative_bias_scores)
def bias_added_to_scaled_scores(Q, K, u, inside_scale):
    position = np.arange(len(Q))
    bias = u[position[:, None] - position[None, :] + len(Q) - 1]
    return scaled_scores(Q, K) + (bias / Q.shape[1] ** 0.5 if inside_scale else bias)


@alternative(relative_bias_scores)
def bias_added_as_a_mask(Q, K, u, inside_scale):
    n, root = len(Q), math.sqrt(Q.shape[1])
    biases = u / root if inside_scale else u
    return [[attention_score(Q[i], K[j], biases[i - j + n - 1]) for j in range(n)] for i in range(n)]


@alternative(relative_bias_scores)
def windows_of_the_reversed_biases(Q, K, u, inside_scale):
    """Row i of the biases is u backwards, from position n − 1 − i on."""
    n, root = len(Q), math.sqrt(Q.shape[1])
    backwards = u[::-1]
    bias = np.stack([backwards[n - 1 - i : 2 * n - 1 - i] for i in range(n)])
    return np.einsum("ic,jc->ij", Q, K) / root + bias / (root if inside_scale else 1)


@alternative(relative_bias_scores)
def diagonal_by_diagonal(Q, K, u, inside_scale):
    n = len(Q)
    bias = sum(u[n - 1 - k] * np.eye(n, k=k) for k in range(1 - n, n))
    root = np.sqrt(Q.shape[-1])
    return (Q @ K.T + bias * (1 if inside_scale else root)) / root


def _bias(Q, u, place):
    i, j = np.indices((len(Q), len(Q)))
    return u[place(i, j, len(Q))]


def _placed(Q, K, bias, inside_scale):
    root = np.sqrt(Q.shape[1])
    return (Q @ K.T + bias) / root if inside_scale else Q @ K.T / root + bias


@misconception(
    relative_bias_scores,
    hint="Token 2 looks back at token 0: is that i − j = 2 or −2? Which entry of u does yours take?",
)
def j_less_i(Q, K, u, inside_scale):
    return _placed(Q, K, _bias(Q, u, lambda i, j, n: j - i + n - 1), inside_scale)


@misconception(
    relative_bias_scores,
    hint="What does u[−1] mean to Python? Which entry of u is for i = j, and does yours take it?",
)
def index_wraps_around(Q, K, u, inside_scale):
    return _placed(Q, K, _bias(Q, u, lambda i, j, n: i - j), inside_scale)


@misconception(
    relative_bias_scores,
    hint="Call it with inside_scale True, then False: does yours notice? When must the bias not be divided?",
)
def always_inside(Q, K, u, inside_scale):
    return _placed(Q, K, _bias(Q, u, lambda i, j, n: i - j + n - 1), True)


@misconception(
    relative_bias_scores,
    hint="Call it with inside_scale True, then False: does yours notice? When is the bias divided as well?",
)
def always_outside(Q, K, u, inside_scale):
    return _placed(Q, K, _bias(Q, u, lambda i, j, n: i - j + n - 1), False)


@misconception(
    relative_bias_scores,
    hint="Yours notices inside_scale. With True, does the bias stand within the brackets that are divided?",
)
def inside_taken_for_outside(Q, K, u, inside_scale):
    return _placed(Q, K, _bias(Q, u, lambda i, j, n: i - j + n - 1), not inside_scale)


@misconception(
    relative_bias_scores,
    hint="Inside the scale, how often is your dot product divided by the root, and how often should it be?",
)
def dot_product_divided_twice(Q, K, u, inside_scale):
    scores = Q @ K.T / np.sqrt(Q.shape[1]) + _bias(Q, u, lambda i, j, n: i - j + n - 1)
    return scores / np.sqrt(Q.shape[1]) if inside_scale else scores


@misconception(
    relative_bias_scores,
    hint="Outside the scale the bias is not divided. Is the dot product still to be divided?",
)
def nothing_scaled_outside(Q, K, u, inside_scale):
    scores = Q @ K.T + _bias(Q, u, lambda i, j, n: i - j + n - 1)
    return scores / np.sqrt(Q.shape[1]) if inside_scale else scores


@misconception(
    relative_bias_scores,
    hint="Does looking two back get the same bias as looking two ahead? What does the sign of i − j say?",
)
def distance_without_sign(Q, K, u, inside_scale):
    return _placed(Q, K, _bias(Q, u, lambda i, j, n: np.abs(i - j) + n - 1), inside_scale)


@misconception(
    relative_bias_scores,
    hint="Pairs (0, 0) and (1, 1) are equally far apart: do yours get the same bias? On what does it depend?",
)
def one_bias_per_key(Q, K, u, inside_scale):
    return _placed(Q, K, _bias(Q, u, lambda i, j, n: j), inside_scale)


@misconception(
    relative_bias_scores, hint="A bias of −6 should disfavour a pair. Does the score fall in yours, or rise?"
)
def bias_subtracted(Q, K, u, inside_scale):
    return _placed(Q, K, -_bias(Q, u, lambda i, j, n: i - j + n - 1), inside_scale)


@misconception(relative_bias_scores, hint="Change u alone and call again: does your score notice?")
def bias_forgotten(Q, K, u, inside_scale):
    return Q @ K.T / np.sqrt(Q.shape[1])


@misconception(
    relative_bias_scores,
    hint="Which entry of u is for i = j: count its places from 0. Does yours start one too late?",
)
def one_place_too_far(Q, K, u, inside_scale):
    return _placed(Q, K, _bias(Q, u, lambda i, j, n: (i - j + n) % (2 * n - 1)), inside_scale)


# --- questions -------------------------------------------------------------------------------------------

why_sqrt_d_k = question(
    "why_sqrt_d_k",
    "choice",
    seed_item="S2.2",
    prompt=(
        "An engineer widens the queries and keys of a layer, from $d_k = 16$ to $d_k = 1024$. Training "
        "becomes unstable, and the gradients that reach $W^q$ and $W^k$ become extremely small. Which "
        "sentence explains it, and names the standard remedy?"
    ),
    options={
        "A": (
            "The variance of $q\\cdot k$ grows as $1/d_k$, so that all weights become equal and carry no "
            "gradient; multiplying the scores by $\\sqrt{d_k}$ spreads them again."
        ),
        "B": (
            "The variance of $q\\cdot k$ grows as $d_k^2$, its typical size as $d_k$, so that the softmax "
            "saturates; dividing the scores by $d_k$ returns their variance to 1."
        ),
        "C": (
            "The variance of $q\\cdot k$ grows as $d_k$, so that the softmax saturates and its derivatives "
            "vanish; dividing the scores by $\\sqrt{d_k}$ returns their variance to 1."
        ),
        "D": (
            "The scores grow until $\\exp$ overflows, and an infinite vote has no gradient; taking the "
            "largest score off each row before the softmax keeps all the votes finite."
        ),
    },
    key="C",
    hints=[
        ("A", "Look at your measured variances: do they fall as d_k grows, or rise?"),
        ("B", "What did you measure at d_k = 16 and at d_k = 64: did the variance grow 4 or 16 times?"),
        ("D", "Taking off the largest score changes no weight. Can it then change how one-hot they are?"),
    ],
)

scaled_score = question(
    "scaled_score",
    "number",
    seed_item="S2.3",
    prompt=(
        "By hand: a query $q = [3, 1, -2, 4]$ meets a key $k = [1, 2, 0.5, 1]$, with $d_k = 4$ and no mask. "
        "What is the scaled score?"
    ),
    key=4,
    hints=[
        (8, "That is the dot product. What does the formula divide it by?"),
        (2, "You divided by d_k. Which power of d_k brings the variance back to 1?"),
        (16, "Scaling should make large scores smaller. In which direction did you use the root?"),
        (5, "Look at the third product: what sign has −2 times 0.5?"),
        (5.5, "One of the four products has been left out: which?"),
        (8 / math.sqrt(30), "You divided by the length of q. What is d_k: a length, or a count?"),
        (8 / math.sqrt(187.5), "You divided by two lengths. What is d_k: a length, or a count?"),
    ],
)

score_by_hand = question(
    "score_by_hand",
    "number",
    seed_item="S2.8",
    prompt=(
        "In another model a query is $[2.0, 0.5, 1.0, -1.5]$ and a key $[1.0, 1.0, -0.5, 2.0]$. The score "
        "is their dot product divided by the square root of their width, and nothing else is done to it. "
        "What is the score?"
    ),
    key=-0.5,
    hints=[
        (-1, "That is the dot product. What is still to be done, with a width of 4?"),
        (-0.25, "You divided by the width. What does the text say to divide by?"),
        (-2, "You multiplied by the root. Does scaling make a score larger or smaller?"),
        (0.5, "Two of the products are negative. Are they larger or smaller than the other two together?"),
        (2.5, "What sign has −1.5 times 2?"),
        (0, "Look at the third product: what sign has 1 times −0.5?"),
        (3, "You added up sizes. Which products are negative?"),
    ],
)

diagnose_instability = free_text(
    "diagnose_instability",
    seed_item="S2.10",
    prompt=(
        'A colleague raises $d_k$ from 64 to 1024 and removes the division, *"since the softmax '
        'normalises anyway"*. The loss hardly falls any more, and $W^q$ and $W^k$ hardly change. In five to '
        "eight sentences, with numbers that you measured: (a) what happened to the variance of the scores, "
        "and to their typical size; (b) what happened to the weights, and why so little of the gradient then "
        "reaches $W^q$ and $W^k$; (c) why the softmax's own normalising does not help; (d) what you would "
        "change, and what would go wrong with a division by $d_k$ instead."
    ),
    rubric=[
        (
            1,
            "(a) The variance of q · k is d_k: 16 times that at 64, 1024 in all. The typical size grew 4 "
            "times, to about 32, where a scaled score is about 1.",
        ),
        (
            1,
            "(b) The softmax is saturated, nearly one-hot, with a measured entropy or trace; its Jacobian, "
            "of entries α_i (1 − α_i) and −α_i α_j, is then nearly 0, and a factor of the gradients.",
        ),
        (
            1,
            "(c) Normalising makes a row add up to 1; it does not change the differences between the scores, "
            "which decide the ratios of the weights.",
        ),
        (
            1,
            "(d) Divide by √d_k: variance 1 at every width. Dividing by d_k leaves a variance of 1/d_k: "
            "weights nearly even whatever the content, and a response to q that shrinks with the width.",
        ),
    ],
    model_answer=(
        "(a) With independent entries of variance 1 the variance of q · k is d_k, so it grew from 64 to "
        "1024, 16 times; the typical score grew 4 times, from 8 to 32. With the division both would be 1. "
        "(b) Leads of 30 points make a row one-hot: in the experiment with 64 keys the mean entropy without "
        "scaling fell from 0.66 at 64 to 0.09 at 1024, and the trace of the Jacobian from 0.322 to 0.054. "
        "The gradient of W^q and W^k passes through this Jacobian, whose entries α_i (1 − α_i) and −α_i α_j "
        "vanish for a one-hot row, so nearly nothing arrives, even where the row looks at the wrong key. "
        "(c) The softmax makes a row add up to 1, whatever the scores are; but the ratio of two weights is "
        "exp of the difference of their scores, and normalising leaves that as it is. (d) Put the division "
        "by √d_k back: the variance is then 1 at every width, and the entropy stayed at 3.7. Divided by d_k "
        "the variance is 1/1024: nearly even weights (entropy 4.16 of 4.16), and the response to the query "
        "fell to 0.004, where √d_k kept 0.175."
    ),
)
