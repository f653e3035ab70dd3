"""`dot_score`: cases, the reference, other right solutions, known mistakes."""

import numpy as np

from autograder.exercise import alternative, example, exercise, misconception, unchanged, values


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
