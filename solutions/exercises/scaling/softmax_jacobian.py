"""`softmax_jacobian`: cases, the reference, other right solutions, known mistakes."""

import numpy as np

from autograder.exercise import alternative, example, exercise, misconception, unchanged, values

from .shared import weights_of


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
