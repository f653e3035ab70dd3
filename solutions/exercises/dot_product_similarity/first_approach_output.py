"""`first_approach_output`: cases, the reference, other right solutions, known mistakes."""

import numpy as np

from autograder.exercise import alternative, example, exercise, misconception, unchanged, values

from .causal_weights import causal_weights
from .dot_score import dot_score
from .normalize_scores import normalize_scores
from .score_matrix import score_matrix
from .shared import (
    as_many_tokens_as_features,
    five_tokens,
    more_features_than_tokens,
    one_token,
    single_precision,
)


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
