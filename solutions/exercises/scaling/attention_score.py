"""`attention_score`: cases, the reference, other right solutions, known mistakes."""

import math

import numpy as np

from autograder.exercise import alternative, aspect, example, exercise, misconception, unchanged, values


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
