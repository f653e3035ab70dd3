"""`sdpa_backward`: cases, the reference, other right solutions, known mistakes."""

import math

import numpy as np

from autograder.exercise import alternative, aspect, example, exercise, misconception, unchanged, values

from .shared import drawn, rounded_to, weights_of


def way_back(rng, n_q, n_k, d_k, d_v):
    return drawn(rng, (n_q, d_v), (n_q, d_k), (n_k, d_k), (n_k, d_v))


def back_over_more_keys(rng):
    return way_back(rng, 3, 5, 4, 7)


def back_over_more_queries(rng):
    return way_back(rng, 6, 2, 3, 5)


def back_over_a_square(rng):
    return way_back(rng, 4, 4, 3, 2)


def back_where_all_is_square(rng):
    return way_back(rng, 3, 3, 3, 3)


def back_from_one_query(rng):
    return way_back(rng, 1, 6, 2, 3)


def back_to_one_key(rng):
    """One key gets all the weight, whatever its score: no gradient for queries and keys."""
    return way_back(rng, 4, 1, 3, 2)


def back_in_single_precision(rng):
    return rounded_to(np.float32, *way_back(rng, 5, 4, 6, 3))


def back_from_large_scores(rng):
    """Scores near 1000 for every other query and near -1000 for the rest. The large feature is the keys',
    and the same in all of them, so that the derivatives are of ordinary size."""
    dO, Q, K, V = way_back(rng, 4, 6, 3, 2)
    Q[:, 0], K[:, 0] = [1.0, -1.0, 1.0, -1.0], 1000 * math.sqrt(3)
    return dO, Q, K, V


# 1e-4: in float64 finite differences with any sensible step are right to that, whatever the secret draws (to
# 6e-5 at worst, one-sided with a step of 1e-4), and no mistake of algebra is.
@exercise(
    points=5,
    tolerance=(1e-4, 1e-4),
    aspects=[
        values(
            3,
            back_over_more_keys,
            back_over_more_queries,
            back_over_a_square,
            back_where_all_is_square,
            back_from_one_query,
            back_to_one_key,
            back_in_single_precision,
        ),
        aspect("large scores", 1, back_from_large_scores),
        unchanged(1),
    ],
    examples=[
        example(
            "by hand: one query of zeros, so both weights are one half",
            [[1.0, 0.0]],
            [[0.0, 0.0, 0.0, 0.0]],
            [[2.0, 0.0, 0.0, 4.0], [0.0, 2.0, 0.0, 4.0]],
            [[8.0, 1.0], [0.0, 3.0]],
        ),
        example(
            "two queries, two keys, signs mixed",
            [[1.0, -0.5], [0.25, 2.0]],
            [[1.0, 0.5, -1.0], [-0.5, 2.0, 0.75]],
            [[0.5, -1.0, 1.0], [1.5, 1.0, 0.25]],
            [[2.0, 1.0], [-1.0, 0.5]],
        ),
    ],
)
def sdpa_backward(dO, Q, K, V):
    """The way back through O = softmax(Q Kᵀ / √d_k) V, with no mask.

        L is a number computed from O, and dO[i, c] = ∂L/∂O[i, c].

    dO : (n_q, d_v)
    Q : (n_q, d_k)
    K : (n_k, d_k)
    V : (n_k, d_v)
    Returns dQ, dK, dV : (n_q, d_k), (n_k, d_k), (n_k, d_v), the derivatives of L
    by each number of Q, K and V. Scores of 1000 or -1000 must not break it.
    """
    scale = 1 / np.sqrt(Q.shape[1])
    scores = Q @ K.T * scale
    votes = np.exp(scores - scores.max(axis=1, keepdims=True))
    A = votes / votes.sum(axis=1, keepdims=True)
    dA = dO @ V.T
    dS = A * (dA - np.sum(A * dA, axis=1, keepdims=True))
    return dS @ K * scale, dS.T @ Q * scale, A.T @ dO


@alternative(sdpa_backward)
def one_query_at_a_time(dO, Q, K, V):
    dQ, dK, dV = np.zeros(Q.shape), np.zeros(K.shape), np.zeros(V.shape)
    for i, q in enumerate(Q):
        a = weights_of(K @ q / np.sqrt(len(q)))
        jacobian = np.diag(a) - np.outer(a, a)
        d_scores = jacobian @ (V @ dO[i]) / np.sqrt(len(q))
        dQ[i] = d_scores @ K
        dK += np.outer(d_scores, q)
        dV += np.outer(a, dO[i])
    return dQ, dK, dV


@alternative(sdpa_backward)
def einsum_throughout(dO, Q, K, V):
    A = weights_of(np.einsum("ic,jc->ij", Q, K) / np.sqrt(Q.shape[1]))
    jacobians = np.einsum("ij,jk->ijk", A, np.eye(len(K))) - np.einsum("ij,ik->ijk", A, A)
    dS = np.einsum("ijk,iv,kv->ij", jacobians, dO, V) / np.sqrt(Q.shape[1])
    return np.einsum("ij,jc->ic", dS, K), np.einsum("ij,ic->jc", dS, Q), np.einsum("ij,iv->jv", A, dO)


@alternative(sdpa_backward)
def row_term_from_the_output(dO, Q, K, V):
    """As FlashAttention does it: Σ_j A dA is dO · O."""
    A = weights_of(Q @ K.T / np.sqrt(Q.shape[1]))
    row_term = np.sum(dO * (A @ V), axis=1)[:, None]
    dS = A * (dO @ V.T - row_term) / np.sqrt(Q.shape[1])
    return [dS @ K, dS.T @ Q, A.T @ dO]


@alternative(sdpa_backward)
def a_step_in_the_imaginary_direction(dO, Q, K, V):
    """Derivatives with no formula for them: Im f(x + iε) / ε, which does not cancel."""
    arguments = [np.array(M, dtype=complex) for M in (Q, K, V)]
    derivatives = []
    for M in arguments:
        d = np.zeros(M.shape)
        for place in np.ndindex(M.shape):
            M[place] += 1e-30j
            q, k, v = arguments
            scores = q @ k.T / np.sqrt(q.shape[1])
            votes = np.exp(scores - scores.real.max(axis=1, keepdims=True))
            d[place] = np.sum(dO * (votes / votes.sum(axis=1, keepdims=True) @ v).imag) / 1e-30
            M[place] = M[place].real
        derivatives.append(d)
    return tuple(derivatives)


def forward_weights(Q, K):
    return weights_of(Q @ K.T / np.sqrt(Q.shape[1]))


def through_the_softmax(A, dA):
    return A * (dA - np.sum(A * dA, axis=1, keepdims=True))


def back_to_queries_and_keys(dS, Q, K):
    return dS @ K / np.sqrt(Q.shape[1]), dS.T @ Q / np.sqrt(Q.shape[1])


@misconception(
    sdpa_backward,
    hint="Value j went to every query i with weight A[i, j]. Over which index does dV[j] add up?",
)
def values_not_turned_round(dO, Q, K, V):
    A = forward_weights(Q, K)
    dQ, dK = back_to_queries_and_keys(through_the_softmax(A, dO @ V.T), Q, K)
    return dQ, dK, A @ dO


@misconception(
    sdpa_backward,
    hint="Raise all scores of a row by 1: the weights stay. What must the derivatives of a row add up to?",
)
def row_term_missing(dO, Q, K, V):
    A = forward_weights(Q, K)
    return *back_to_queries_and_keys(A * (dO @ V.T), Q, K), A.T @ dO


@misconception(
    sdpa_backward,
    hint="On the way there you divided by the root of d_k. Where does that factor come in on the way back?",
)
def scale_missing(dO, Q, K, V):
    A = forward_weights(Q, K)
    dS = through_the_softmax(A, dO @ V.T)
    return dS @ K, dS.T @ Q, A.T @ dO


@misconception(
    sdpa_backward,
    hint="dQ has the factor from the scores. Q and K enter the score in the same way: what of dK?",
)
def scale_missing_in_dk(dO, Q, K, V):
    A = forward_weights(Q, K)
    dS = through_the_softmax(A, dO @ V.T)
    return dS @ K / np.sqrt(Q.shape[1]), dS.T @ Q, A.T @ dO


@misconception(
    sdpa_backward,
    hint="Only the diagonal of the softmax's Jacobian is in yours. Does one score move the other weights?",
)
def diagonal_of_the_jacobian_only(dO, Q, K, V):
    A = forward_weights(Q, K)
    return *back_to_queries_and_keys(A * (1 - A) * (dO @ V.T), Q, K), A.T @ dO


@misconception(
    sdpa_backward,
    hint="Each query has a softmax of its own. Along which axis does your sum run: its keys, or the queries?",
)
def sums_over_the_queries(dO, Q, K, V):
    A = forward_weights(Q, K)
    dA = dO @ V.T
    dS = A * (dA - np.sum(A * dA, axis=0, keepdims=True))
    return *back_to_queries_and_keys(dS, Q, K), A.T @ dO


@misconception(
    sdpa_backward,
    hint="Key j meets every query. Over which index does dK[j] add up, and which index has your sum?",
)
def keys_not_turned_round(dO, Q, K, V):
    A = forward_weights(Q, K)
    dS = through_the_softmax(A, dO @ V.T) / np.sqrt(Q.shape[1])
    return dS @ K, dS @ Q, A.T @ dO


@misconception(
    sdpa_backward,
    hint="Where is the softmax on your way back? The derivative by a weight is not yet that by a score: why?",
)
def softmax_left_out(dO, Q, K, V):
    return *back_to_queries_and_keys(dO @ V.T, Q, K), forward_weights(Q, K).T @ dO


@misconception(sdpa_backward, hint="In which order does the docstring name the three results?")
def values_first(dO, Q, K, V):
    A = forward_weights(Q, K)
    dQ, dK = back_to_queries_and_keys(through_the_softmax(A, dO @ V.T), Q, K)
    return A.T @ dO, dK, dQ
