"""`qkv_projections`: cases, the reference, other right solutions, known mistakes."""

import numpy as np

from autograder.exercise import alternative, aspect, example, exercise, misconception, unchanged, values

from .project import project

# Where the widths differ they differ by 3: then 2 d_k + d_v can be cut into three equal parts, and who
# does that gets numbers, not an exception.


def three_equal_widths(rng):
    return rng.normal(size=(4, 5)), *rng.normal(size=(3, 5, 3))


def nothing_but_squares(rng):
    """n = d_model = d_k = d_v: every product of any two of the matrices can be computed."""
    return rng.normal(size=(4, 4)), *rng.normal(size=(3, 4, 4))


def terms_that_nearly_cancel_qkv(rng):
    X, W = rng.normal(size=(5, 4)), rng.normal(size=(3, 4, 2))
    X[:, :2] += 1e5
    W[:, 1] = -W[:, 0]
    return X, *W


def single_precision_qkv(rng):
    return tuple(rng.normal(size=s).astype(np.float32) for s in ((5, 3), (3, 4), (3, 4), (3, 4)))


def half_precision_qkv(rng):
    shapes = ((3, 4), (4, 2), (4, 2), (4, 2))
    return tuple(rng.uniform(0.5, 1, size=s).astype(np.float16) for s in shapes)


def wider_values(rng):
    return tuple(rng.normal(size=s) for s in ((4, 6), (6, 2), (6, 2), (6, 5)))


def wide_values_of_terms_that_nearly_cancel(rng):
    X, *weights = (rng.normal(size=s) for s in ((4, 3), (3, 2), (3, 2), (3, 5)))
    X[:, :2] += 1e5
    for W in weights:
        W[1] = -W[0]
    return X, *weights


def narrower_values(rng):
    return tuple(rng.normal(size=s) for s in ((3, 5), (5, 4), (5, 4), (5, 1)))


def one_token_with_wide_values(rng):
    return tuple(rng.normal(size=s) for s in ((1, 3), (3, 4), (3, 4), (3, 7)))


def keys_as_wide_as_the_input(rng):
    return tuple(rng.normal(size=s) for s in ((5, 3), (3, 3), (3, 3), (3, 6)))


@exercise(
    points=3,
    aspects=[
        values(
            1,
            three_equal_widths,
            nothing_but_squares,
            terms_that_nearly_cancel_qkv,
            single_precision_qkv,
            half_precision_qkv,
        ),
        aspect(
            "d_k and d_v differ",
            1,
            wider_values,
            wide_values_of_terms_that_nearly_cancel,
            narrower_values,
            one_token_with_wide_values,
            keys_as_wide_as_the_input,
        ),
        unchanged(1),
    ],
    examples=[
        example(
            "by hand: one number wide each",
            [[1.0, 0.0], [0.0, 1.0], [2.0, 1.0]],
            [[1.0], [0.0]],
            [[0.0], [1.0]],
            [[10.0], [3.0]],
        ),
        example(
            "values wider than queries and keys",
            [[1.0, -1.0], [0.5, 2.0], [-1.5, 3.0]],
            [[2.0, 1.0], [-1.0, 0.5]],
            [[0.5, -2.0], [1.0, 3.0]],
            [[1.0, 0.0, 2.0, -1.0, 0.25], [4.0, -3.0, 0.5, 1.0, -2.0]],
        ),
    ],
)
def qkv_projections(X, W_q, W_k, W_v):
    """The three vectors of every token.

        q_i = x_i W^q,   k_i = x_i W^k,   v_i = x_i W^v

    X : (n, d_model), token i is row i
    W_q : (d_model, d_k)
    W_k : (d_model, d_k)
    W_v : (d_model, d_v), d_v need not be d_k
    Returns (Q, K, V) : (n, d_k), (n, d_k) and (n, d_v), vector i in row i.
    """
    return project(X, W_q), project(X, W_k), project(X, W_v)


@alternative(qkv_projections)
def three_products(X, W_q, W_k, W_v):
    return X @ W_q, X @ W_k, X @ W_v


@alternative(qkv_projections)
def a_loop_over_matrices(X, W_q, W_k, W_v):
    return [project(X, W) for W in (W_q, W_k, W_v)]


@alternative(qkv_projections)
def three_lists_grown_token_by_token(X, W_q, W_k, W_v):
    Q, K, V = [], [], []
    for x in X:
        Q.append(x @ W_q)
        K.append(x @ W_k)
        V.append(x @ W_v)
    return np.array(Q), np.array(K), np.array(V)


@alternative(qkv_projections)
def one_product_cut_where_the_widths_say(X, W_q, W_k, W_v):
    ends = np.cumsum([W_q.shape[1], W_k.shape[1]])
    return tuple(np.split(X @ np.hstack([W_q, W_k, W_v]), ends, axis=1))


@misconception(qkv_projections, hint="Change W_k alone and call again: which of your results moves?")
def keys_from_the_query_matrix(X, W_q, W_k, W_v):
    return X @ W_q, X @ W_q, X @ W_v


@misconception(
    qkv_projections, hint="What is multiplied by W_v: the token's vector, or something made from it before?"
)
def values_from_the_keys(X, W_q, W_k, W_v):
    K = X @ W_k
    return X @ W_q, K, K @ W_v


@misconception(
    qkv_projections, hint="All three are there. In which order does the docstring ask for the last two?"
)
def order_query_value_key(X, W_q, W_k, W_v):
    return X @ W_q, X @ W_v, X @ W_k


@misconception(
    qkv_projections, hint="The values may be wider than the keys: does yours cut all three equally wide?"
)
def three_equal_parts(X, W_q, W_k, W_v):
    return tuple(np.array_split(X @ np.hstack([W_q, W_k, W_v]), 3, axis=1))


@misconception(qkv_projections, hint="What is multiplied by W_k in yours: the token's vector, or its query?")
def keys_from_the_queries(X, W_q, W_k, W_v):
    Q = X @ W_q
    return Q, Q @ W_k, X @ W_v


@misconception(
    qkv_projections,
    hint="Do the three matrices work side by side on X, or one after the other, as the layers of a stack?",
)
def one_after_the_other(X, W_q, W_k, W_v):
    Q = X @ W_q
    K = Q @ W_k
    return Q, K, K @ W_v


@misconception(qkv_projections, hint="Change W_v alone and call again: does any of your results move?")
def values_from_the_key_matrix(X, W_q, W_k, W_v):
    return X @ W_q, X @ W_k, X @ W_k


@misconception(
    qkv_projections, hint="Your first result moves when W_k changes: which vector is asked for first?"
)
def order_key_query_value(X, W_q, W_k, W_v):
    return X @ W_k, X @ W_q, X @ W_v


@misconception(
    qkv_projections,
    hint="The columns are all there. How many arrays does the docstring ask you to give back?",
)
def glued_together(X, W_q, W_k, W_v):
    return np.hstack([X @ W_q, X @ W_k, X @ W_v])


@misconception(
    qkv_projections, hint="What do the values contribute if W_v is never used? Change it and call again."
)
def values_not_projected(X, W_q, W_k, W_v):
    return X @ W_q, X @ W_k, X
