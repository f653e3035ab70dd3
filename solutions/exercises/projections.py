"""Lesson 2: a vector for each job. Queries, keys and values by three learned matrices, and heads.

q_i = x_i W^q,   k_i = x_i W^k,   v_i = x_i W^v          (Vaswani et al., Attention Is All You Need, 2017)
"""

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

# --- project ---------------------------------------------------------------------------------------------


def all_sizes_different(rng):
    return rng.normal(size=(4, 6)), rng.normal(size=(6, 3))


def wider_than_before(rng):
    return rng.normal(size=(3, 2)), rng.normal(size=(2, 5))


def one_token_alone(rng):
    return rng.normal(size=(1, 5)), rng.normal(size=(5, 2))


def square_weights(rng):
    """As many columns as rows: here X W^T has the right shape and the wrong numbers."""
    return rng.normal(size=(5, 4)), rng.normal(size=(4, 4))


def as_many_tokens_as_columns(rng):
    return rng.normal(size=(3, 5)), rng.normal(size=(5, 3))


def as_many_tokens_as_features(rng):
    return rng.normal(size=(4, 4)), rng.normal(size=(4, 2))


def everything_square(rng):
    return rng.normal(size=(3, 3)), rng.normal(size=(3, 3))


def of_the_size_of_weights_and_inputs(rng):
    return 1e3 * rng.normal(size=(2, 40)), 1e3 * rng.normal(size=(40, 7))


def terms_that_nearly_cancel(rng):
    """Two features of 10⁵ cancel: who rounds to single precision on the way loses what is left."""
    X, W = rng.normal(size=(4, 6)), rng.normal(size=(6, 3))
    X[:, :2] += 1e5
    W[1] = -W[0]
    return X, W


def single_precision(rng):
    return rng.normal(size=(5, 4)).astype(np.float32), rng.normal(size=(4, 6)).astype(np.float32)


def half_precision(rng):
    """All positive: nothing cancels, so that rounding to eleven bits stays within the tolerance."""
    return (
        rng.uniform(0.5, 1, size=(3, 4)).astype(np.float16),
        rng.uniform(0.5, 1, size=(4, 2)).astype(np.float16),
    )


@exercise(
    points=3,
    aspects=[
        values(
            2,
            all_sizes_different,
            wider_than_before,
            one_token_alone,
            square_weights,
            as_many_tokens_as_columns,
            as_many_tokens_as_features,
            everything_square,
            of_the_size_of_weights_and_inputs,
            terms_that_nearly_cancel,
            single_precision,
            half_precision,
        ),
        unchanged(1),
    ],
    examples=[
        example(
            "by hand: three tokens, two features in, one out",
            [[1.0, 0.0], [0.0, 1.0], [2.0, 3.0]],
            [[10.0], [1.0]],
        ),
        example("all square, signs mixed", [[1.0, -2.0], [0.5, 3.0]], [[2.0, 1.0], [-1.0, 0.25]]),
    ],
)
def project(X, W):
    """Every token's vector through one matrix.

        row i of the result is x_i W

    X : (n, d_model), token i is row i
    W : (d_model, d_k), also with other numbers of columns: d_v for values
    Returns X W : (n, d_k), one projected vector per token.
    """
    return X @ W


@alternative(project)
def token_by_token(X, W):
    return np.array([x @ W for x in X])


@alternative(project)
def einsum_over_features(X, W):
    return np.einsum("id,dk->ik", X, W)


@alternative(project)
def lists_of_floats(X, W):
    columns = list(zip(*W.tolist(), strict=True))
    return [[sum(a * b for a, b in zip(x, w, strict=True)) for w in columns] for x in X.tolist()]


@alternative(project)
def rows_of_weights_mixed(X, W):
    """Feature r of a token says how much of row r of W goes in."""
    return (X[:, :, None] * W[None, :, :]).sum(axis=1)


@misconception(
    project,
    hint="Feature r of a token belongs to row r of W: does yours meet row r, or column r?",
)
def weights_transposed(X, W):
    return X @ W.T


@misconception(
    project,
    hint="With 4 tokens of 6 features and a (6, 3) matrix, which of your factors has to come first?",
)
def weights_first(X, W):
    return W @ X


@misconception(
    project,
    hint="That is the formula for column vectors. Tokens are rows here: where is token 1 in your result?",
)
def outputs_in_columns(X, W):
    return (X @ W).T


@misconception(
    project,
    hint="You turned the tokens and left W as it is. What is the shape for 4 tokens, and whose row is row 0?",
)
def tokens_turned_behind_the_weights(X, W):
    return W @ X.T


@misconception(
    project,
    hint="Does a row of yours use one token only? Change the last token and see which rows move.",
)
def tokens_mixed(X, W):
    return X.T @ W


@misconception(
    project,
    hint="You multiplied entry by entry. How many products does one number of x W add up?",
)
def entry_by_entry(X, W):
    return X * W


@misconception(
    project,
    hint="You divide by the square root of the width. Is that part of this formula, or of a later step?",
)
def scaled_already(X, W):
    return X @ W / np.sqrt(W.shape[1])


@misconception(
    project,
    hint="You compared the projected tokens with each other. What shape should this step have?",
)
def scores_already(X, W):
    return (X @ W) @ (X @ W).T


@misconception(
    project,
    hint="Double X and call again: the projection must double too. Which step of yours undoes it?",
)
def vectors_of_length_one(X, W):
    Q = X @ W
    return Q / np.linalg.norm(Q, axis=1, keepdims=True)


# --- qkv_projections -------------------------------------------------------------------------------------
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


# --- fused_qkv -------------------------------------------------------------------------------------------


def fused(rng, n, d_model, d_k, d_v):
    return rng.normal(size=(n, d_model)), rng.normal(size=(d_model, 2 * d_k + d_v)), d_k, d_v


def equal_widths(rng):
    return fused(rng, 4, 5, 3, 3)


def equal_widths_one_token(rng):
    return fused(rng, 1, 3, 4, 4)


def everything_four_wide(rng):
    """Here mistakes in `project` and `qkv_projections` show by value, so that they can be carried forward."""
    return fused(rng, 4, 4, 4, 4)


def terms_that_nearly_cancel_fused(rng):
    X, W_qkv, d_k, d_v = fused(rng, 3, 5, 2, 2)
    X[:, :2] += 1e5
    W_qkv[1] = -W_qkv[0]
    return X, W_qkv, d_k, d_v


def single_precision_fused(rng):
    X, W_qkv, d_k, d_v = fused(rng, 5, 3, 2, 2)
    return X.astype(np.float32), W_qkv.astype(np.float32), d_k, d_v


def half_precision_fused(rng):
    X, W_qkv = rng.uniform(0.5, 1, size=(3, 4)), rng.uniform(0.5, 1, size=(4, 6))
    return X.astype(np.float16), W_qkv.astype(np.float16), 2, 2


def wide_values(rng):
    return fused(rng, 6, 4, 2, 5)


def wide_values_that_nearly_cancel(rng):
    X, W_qkv, d_k, d_v = fused(rng, 3, 4, 1, 4)
    X[:, :2] += 1e5
    W_qkv[1] = -W_qkv[0]
    return X, W_qkv, d_k, d_v


def narrow_values(rng):
    return fused(rng, 3, 5, 6, 3)


def values_one_wide(rng):
    return fused(rng, 5, 2, 4, 1)


def one_token_and_wide_values(rng):
    return fused(rng, 1, 4, 2, 8)


def square_fused_matrix(rng):
    return fused(rng, 12, 12, 3, 6)


@exercise(
    points=4,
    aspects=[
        values(
            1,
            equal_widths,
            equal_widths_one_token,
            everything_four_wide,
            terms_that_nearly_cancel_fused,
            single_precision_fused,
            half_precision_fused,
        ),
        aspect(
            "d_k and d_v differ",
            2,
            wide_values,
            wide_values_that_nearly_cancel,
            narrow_values,
            values_one_wide,
            one_token_and_wide_values,
            square_fused_matrix,
        ),
        unchanged(1),
    ],
    examples=[
        example(
            "by hand: one number wide each",
            [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]],
            [[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]],
            1,
            1,
        ),
        example(
            "values wider: d_k = 2, d_v = 5",
            [[1.0, 0.5], [-2.0, 1.0], [3.0, 0.25]],
            [
                [1.0, -2.0, 3.0, 0.5, 4.0, -1.0, 2.5, -0.75, 6.0],
                [0.25, 5.0, -1.5, 2.0, -3.5, 7.0, 1.25, 8.0, -0.5],
            ],
            2,
            5,
        ),
    ],
)
def fused_qkv(X, W_qkv, d_k, d_v):
    """Queries, keys and values from one matrix product.

        W_qkv = [ W^q | W^k | W^v ], side by side

    X : (n, d_model), token i is row i
    W_qkv : (d_model, 2 d_k + d_v)
    d_k : int, the width of a query and of a key
    d_v : int, the width of a value, need not be d_k
    Returns (Q, K, V) : (n, d_k), (n, d_k) and (n, d_v).
    """
    together = X @ W_qkv
    return together[:, :d_k], together[:, d_k : 2 * d_k], together[:, 2 * d_k :]


@alternative(fused_qkv)
def cut_by_positions(X, W_qkv, d_k, d_v):
    return tuple(np.split(X @ W_qkv, [d_k, 2 * d_k], axis=-1))


@alternative(fused_qkv)
def weights_cut_first(X, W_qkv, d_k, d_v):
    return X @ W_qkv[:, :d_k], X @ W_qkv[:, d_k : d_k + d_k], X @ W_qkv[:, -d_v:]


@alternative(fused_qkv)
def projected_then_cut(X, W_qkv, d_k, d_v):
    together = project(X, W_qkv)
    return together[:, :d_k], together[:, d_k : 2 * d_k], together[:, 2 * d_k :]


@alternative(fused_qkv)
def three_projections_by_cut_weights(X, W_qkv, d_k, d_v):
    return qkv_projections(X, W_qkv[:, :d_k], W_qkv[:, d_k : 2 * d_k], W_qkv[:, 2 * d_k :])


@alternative(fused_qkv)
def rows_of_floats(X, W_qkv, d_k, d_v):
    rows = np.einsum("id,dc->ic", X, W_qkv).tolist()
    return (
        [row[:d_k] for row in rows],
        [row[d_k : 2 * d_k] for row in rows],
        [row[2 * d_k : 2 * d_k + d_v] for row in rows],
    )


@misconception(fused_qkv, hint="Where does K end? Work it out for d_k = 2 and d_v = 5.")
def equal_thirds(X, W_qkv, d_k, d_v):
    return tuple(np.array_split(X @ W_qkv, 3, axis=1))


@misconception(
    fused_qkv, hint="Are the columns dealt out one by one, like cards, or does each part lie in one piece?"
)
def interleaved(X, W_qkv, d_k, d_v):
    together = X @ W_qkv
    return together[:, 0::3], together[:, 1::3], together[:, 2::3]


@misconception(
    fused_qkv, hint="Which axis did you cut: do you share out the tokens, or the columns of each token?"
)
def tokens_cut(X, W_qkv, d_k, d_v):
    return tuple(np.split(X @ W_qkv, [d_k, 2 * d_k]))


@misconception(
    fused_qkv, hint="The cuts are right. Which of the three comes last in W_qkv, and which in your result?"
)
def keys_and_values_swapped(X, W_qkv, d_k, d_v):
    Q, K, V = np.split(X @ W_qkv, [d_k, 2 * d_k], axis=1)
    return Q, V, K


@misconception(fused_qkv, hint="Print the three shapes: how wide is your K, and how wide is your V?")
def keys_as_wide_as_values(X, W_qkv, d_k, d_v):
    return tuple(np.split(X @ W_qkv, [d_k, d_k + d_v], axis=1))


@misconception(fused_qkv, hint="Print the shape of your K: where does it begin, and where does it end?")
def keys_without_an_end(X, W_qkv, d_k, d_v):
    together = X @ W_qkv
    return together[:, :d_k], together[:, d_k:], together[:, 2 * d_k :]


@misconception(
    fused_qkv, hint="Your Q is as wide as a value should be: which of d_k and d_v says where Q ends?"
)
def cut_at_multiples_of_d_v(X, W_qkv, d_k, d_v):
    return tuple(np.split(X @ W_qkv, [d_v, 2 * d_v], axis=1))


@misconception(fused_qkv, hint="Add up the widths of your three results: is any column of W_qkv left over?")
def values_as_wide_as_keys(X, W_qkv, d_k, d_v):
    together = X @ W_qkv
    return together[:, :d_k], together[:, d_k : 2 * d_k], together[:, 2 * d_k : 3 * d_k]


@misconception(fused_qkv, hint="Your K is empty: does the cut take widths, or the places where to cut?")
def widths_taken_for_places(X, W_qkv, d_k, d_v):
    return tuple(np.split(X @ W_qkv, [d_k, d_k], axis=1))


@misconception(fused_qkv, hint="One product, good. How many arrays does the docstring ask for?")
def not_cut(X, W_qkv, d_k, d_v):
    return X @ W_qkv


# --- split_heads -----------------------------------------------------------------------------------------


def three_heads(rng):
    return rng.normal(size=(4, 6)), 3


def as_many_heads_as_tokens(rng):
    return rng.normal(size=(3, 12)), 3


def wide_heads(rng):
    return rng.normal(size=(4, 10)), 2


def heads_of_one_feature(rng):
    return rng.normal(size=(2, 4)), 4


def two_heads_of_two(rng):
    return rng.normal(size=(2, 4)), 2


def a_single_head(rng):
    return rng.normal(size=(4, 3)), 1


def one_token_many_heads(rng):
    return rng.normal(size=(1, 8)), 4


def many_tokens(rng):
    return rng.normal(size=(9, 6)), 3


def single_precision_heads(rng):
    return rng.normal(size=(6, 8)).astype(np.float32), 2


def half_precision_heads(rng):
    return rng.normal(size=(4, 6)).astype(np.float16), 2


@exercise(
    points=4,
    aspects=[
        values(
            3,
            three_heads,
            as_many_heads_as_tokens,
            wide_heads,
            heads_of_one_feature,
            two_heads_of_two,
            a_single_head,
            one_token_many_heads,
            many_tokens,
            single_precision_heads,
            half_precision_heads,
        ),
        unchanged(1),
    ],
    examples=[
        example("by hand: two tokens, two heads", [[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]], 2),
        example(
            "four tokens, two heads of three features",
            [
                [0.0, 1.0, 2.0, 3.0, 4.0, 5.0],
                [10.0, 11.0, 12.0, 13.0, 14.0, 15.0],
                [20.0, 21.0, 22.0, 23.0, 24.0, 25.0],
                [30.0, 31.0, 32.0, 33.0, 34.0, 35.0],
            ],
            2,
        ),
    ],
)
def split_heads(X, h):
    """Each head's slice of every token's vector.

        head a of token i gets features a·d_head to (a + 1)·d_head - 1 of row i

    X : (n, h·d_head), queries, keys or values of all heads side by side
    h : int, the number of heads; it divides the width of X
    Returns Z : (h, n, d_head), where Z[a, i] is token i's vector in head a.
    """
    n, width = X.shape
    return X.reshape(n, h, width // h).transpose(1, 0, 2)


@alternative(split_heads)
def columns_cut_into_h(X, h):
    return np.split(X, h, axis=1)


@alternative(split_heads)
def slice_by_slice(X, h):
    d_head = X.shape[1] // h
    return np.stack([X[:, a * d_head : (a + 1) * d_head] for a in range(h)])


@alternative(split_heads)
def entry_after_entry(X, h):
    d_head = X.shape[1] // h
    Z = np.zeros((h, len(X), d_head))
    for i, row in enumerate(X):
        for feature, number in enumerate(row):
            Z[feature // d_head, i, feature % d_head] = number
    return Z


@alternative(split_heads)
def axes_turned_by_einsum(X, h):
    return np.einsum("iac->aic", X.reshape(len(X), h, -1))


@misconception(split_heads, hint="Head 0 of token 1 must begin as row 1 of X begins. Does yours?")
def reshaped_only(X, h):
    return X.reshape(h, len(X), X.shape[1] // h)


@misconception(
    split_heads, hint="Each slice is right. Which axis counts the heads in yours: is it the first?"
)
def head_axis_in_the_middle(X, h):
    return X.reshape(len(X), h, -1)


@misconception(split_heads, hint="Which axis counts the heads in yours? Index it as the docstring does.")
def head_axis_last(X, h):
    return X.reshape(len(X), h, -1).transpose(0, 2, 1)


@misconception(split_heads, hint="Are the features of one head neighbours in row 0, or h columns apart?")
def every_hth_feature(X, h):
    return X.reshape(len(X), -1, h).transpose(2, 0, 1)


@misconception(split_heads, hint="Did you share out the tokens or the features? Every head sees every token.")
def tokens_shared_out(X, h):
    return np.array(np.split(X, h, axis=0))


@misconception(
    split_heads, hint="How many heads come out of yours, and how wide is each? h is which of the two?"
)
def h_taken_for_the_width(X, h):
    return X.reshape(len(X), -1, h).transpose(1, 0, 2)


@misconception(split_heads, hint="In each head of yours, is a token a row or a column?")
def tokens_in_columns(X, h):
    return X.T.reshape(h, -1, len(X))


@misconception(split_heads, hint="How wide is a head of yours? All heads together must be as wide as X.")
def whole_vector_for_each_head(X, h):
    return np.stack([X] * h)


@misconception(
    split_heads, hint="Say in words what Z[0, 1] is. Whose vector is it, and which part? Is yours that?"
)
def reshaped_from_the_columns(X, h):
    return X.T.reshape(h, len(X), -1)


# --- merge_heads -----------------------------------------------------------------------------------------


def heads_of_three(rng):
    return (rng.normal(size=(3, 4, 2)),)


def heads_as_many_as_tokens(rng):
    return (rng.normal(size=(3, 3, 4)),)


def more_heads_than_tokens(rng):
    return (rng.normal(size=(5, 2, 3)),)


def one_feature_each(rng):
    return (rng.normal(size=(4, 3, 1)),)


def one_head(rng):
    return (rng.normal(size=(1, 4, 3)),)


def heads_of_one_token(rng):
    return (rng.normal(size=(4, 1, 2)),)


def single_precision_merge(rng):
    return (rng.normal(size=(2, 5, 3)).astype(np.float32),)


def half_precision_merge(rng):
    return (rng.normal(size=(2, 3, 4)).astype(np.float16),)


@exercise(
    points=3,
    aspects=[
        values(
            2,
            heads_of_three,
            heads_as_many_as_tokens,
            more_heads_than_tokens,
            one_feature_each,
            one_head,
            heads_of_one_token,
            single_precision_merge,
            half_precision_merge,
        ),
        unchanged(1),
    ],
    examples=[
        example(
            "by hand: two heads, two tokens, two features",
            [[[1.0, 2.0], [3.0, 4.0]], [[10.0, 20.0], [30.0, 40.0]]],
        ),
        example(
            "two heads, three tokens, two features",
            [
                [[1.0, -2.0], [3.0, 4.5], [-5.0, 6.0]],
                [[70.0, 80.0], [-90.0, 100.0], [110.0, -125.0]],
            ],
        ),
    ],
)
def merge_heads(Z):
    """The heads side by side again, in one vector per token: split_heads undone.

        row i is [ Z[0, i] | Z[1, i] | … | Z[h-1, i] ]

    Z : (h, n, d_head), where Z[a, i] is token i's vector in head a
    Returns X : (n, h·d_head).
    """
    h, n, d_head = Z.shape
    return Z.transpose(1, 0, 2).reshape(n, h * d_head)


@alternative(merge_heads)
def concatenated_along_the_features(Z):
    return np.concatenate(list(Z), axis=1)


@alternative(merge_heads)
def token_after_token(Z):
    return np.array([Z[:, i].ravel() for i in range(Z.shape[1])])


@alternative(merge_heads)
def each_head_in_its_columns(Z):
    h, n, d_head = Z.shape
    X = np.empty((n, h * d_head))
    for a in range(h):
        X[:, a * d_head : (a + 1) * d_head] = Z[a]
    return X


@alternative(merge_heads)
def lists_added(Z):
    return [[number for part in parts for number in part] for parts in zip(*Z.tolist(), strict=True)]


@misconception(merge_heads, hint="Row 0 must hold token 0 alone. Which tokens are in your row 0?")
def not_turned(Z):
    h, n, d_head = Z.shape
    return Z.reshape(n, h * d_head)


@misconception(
    merge_heads, hint="Did every number of Z find a place in yours? Are the heads to be mixed, or to be kept?"
)
def averaged(Z):
    return Z.mean(axis=0)


@misconception(merge_heads, hint="How many numbers go in, and how many come out of yours?")
def summed(Z):
    return Z.sum(axis=0)


@misconception(
    merge_heads, hint="How many rows does yours have, and how many tokens are there? Beside, or below?"
)
def heads_below_each_other(Z):
    return np.concatenate(list(Z), axis=0)


@misconception(
    merge_heads, hint="Read your row 0 from the left: does head 0 come in one piece, or a number at a time?"
)
def heads_interleaved(Z):
    h, n, d_head = Z.shape
    return Z.transpose(1, 2, 0).reshape(n, h * d_head)


@misconception(merge_heads, hint="Tokens come first now, good. How many axes should the result have?")
def still_three_axes(Z):
    return Z.transpose(1, 0, 2)


@misconception(merge_heads, hint="What is the shape of yours: is a token a row in it?")
def tokens_in_the_columns(Z):
    h, n, d_head = Z.shape
    return Z.transpose(0, 2, 1).reshape(h * d_head, n)


@misconception(
    merge_heads, hint="Your row 0 starts with the last head. Which one does the formula put first?"
)
def last_head_first(Z):
    return np.concatenate(list(Z[::-1]), axis=1)


@misconception(
    merge_heads, hint="Print the shapes before and after: did you exchange heads and tokens, or another pair?"
)
def other_axes_exchanged(Z):
    h, n, d_head = Z.shape
    return Z.transpose(0, 2, 1).reshape(n, h * d_head)


@misconception(
    merge_heads, hint="Of which head and which token are the first two numbers of your row 0, in words?"
)
def all_axes_turned(Z):
    h, n, d_head = Z.shape
    return Z.T.reshape(n, h * d_head)


# --- qk_bilinear -----------------------------------------------------------------------------------------


def narrow_head(rng):
    return rng.normal(size=(6, 2)), rng.normal(size=(6, 2))


def width_one(rng):
    return rng.normal(size=(4, 1)), rng.normal(size=(4, 1))


def wider_than_the_model(rng):
    return rng.normal(size=(3, 5)), rng.normal(size=(3, 5))


def square_matrices(rng):
    return rng.normal(size=(4, 4)), rng.normal(size=(4, 4))


def one_feature(rng):
    return rng.normal(size=(1, 3)), rng.normal(size=(1, 3))


def terms_that_nearly_cancel_bilinear(rng):
    W_q, W_k = rng.normal(size=(2, 5, 4))
    W_q[:, :2] += 1e5
    W_k[:, 1] = -W_k[:, 0]
    return W_q, W_k


def single_precision_bilinear(rng):
    return rng.normal(size=(5, 3)).astype(np.float32), rng.normal(size=(5, 3)).astype(np.float32)


def half_precision_bilinear(rng):
    return tuple(rng.uniform(0.5, 1, size=(4, 3)).astype(np.float16) for _ in range(2))


@exercise(
    points=3,
    aspects=[
        values(
            2,
            narrow_head,
            width_one,
            wider_than_the_model,
            square_matrices,
            one_feature,
            terms_that_nearly_cancel_bilinear,
            single_precision_bilinear,
            half_precision_bilinear,
        ),
        unchanged(1),
    ],
    examples=[
        example("by hand: bank asks, river is found", [[1.0], [0.0]], [[0.0], [1.0]]),
        example("square, signs mixed", [[1.0, -2.0], [0.5, 3.0]], [[2.0, 1.0], [-1.0, 4.0]]),
    ],
)
def qk_bilinear(W_q, W_k):
    """The two matrices of a score in one.

        score of i for j = q_i · k_j = x_i M x_jᵀ

    W_q : (d_model, d_k)
    W_k : (d_model, d_k)
    Returns M : (d_model, d_model), which gives the same scores from x_i and x_j
    directly, with row i of the scores still the one that asks.
    """
    return W_q @ W_k.T


@alternative(qk_bilinear)
def outer_products_added(W_q, W_k):
    M = np.zeros((len(W_q), len(W_k)))
    for c in range(W_q.shape[1]):
        M += np.outer(W_q[:, c], W_k[:, c])
    return M


@alternative(qk_bilinear)
def einsum_over_the_width(W_q, W_k):
    return np.einsum("ac,bc->ab", W_q, W_k)


@alternative(qk_bilinear)
def rows_against_rows(W_q, W_k):
    return [
        [sum(a * b for a, b in zip(asks, answers, strict=True)) for answers in W_k.tolist()]
        for asks in W_q.tolist()
    ]


@misconception(
    qk_bilinear, hint="M stands between x_i and x_j: how many rows and columns must it have? And yours?"
)
def features_of_the_head_compared(W_q, W_k):
    return W_q.T @ W_k


@misconception(qk_bilinear, hint="Which token asks in yours, and which is asked? You had j look at i.")
def roles_swapped(W_q, W_k):
    return W_k @ W_q.T


@misconception(
    qk_bilinear, hint="You divide by something that q · k is not divided by. Which lesson brings that in?"
)
def scale_folded_in(W_q, W_k):
    return W_q @ W_k.T / np.sqrt(W_q.shape[1])


@misconception(
    qk_bilinear, hint="Write out q · k with q = x W_q and k = y W_k: on which side of W_k does y end up?"
)
def key_matrix_not_turned(W_q, W_k):
    return W_q @ W_k


@misconception(qk_bilinear, hint="You multiplied entry by entry: can x, M and y then be multiplied at all?")
def entries_multiplied(W_q, W_k):
    return W_q * W_k


@misconception(qk_bilinear, hint="Change W_k alone and call again: does your M move?")
def query_matrix_twice(W_q, W_k):
    return W_q @ W_q.T


@misconception(qk_bilinear, hint="Your M is symmetric: does i then still score j otherwise than j scores i?")
def made_symmetric(W_q, W_k):
    M = W_q @ W_k.T
    return (M + M.T) / 2


@misconception(qk_bilinear, hint="Change W_q alone and call again: does your M move?")
def key_matrix_twice(W_q, W_k):
    return W_k @ W_k.T


@misconception(
    qk_bilinear, hint="Is a dot product a sum over the d_k features, or their mean? Try it with d_k = 2."
)
def mean_over_the_width(W_q, W_k):
    return W_q @ W_k.T / W_q.shape[1]


# --- questions -------------------------------------------------------------------------------------------

match_roles = question(
    "match_roles",
    "match",
    seed_item="S0.7",
    prompt=(
        "The output for *bank* is being worked out, and *river* gets most of the weight. These are at work. "
        "Which one is a **query**, which a **key**, which a **value**? One of the four is none of them. "
        'Answer with a dict: the names `"query"`, `"key"` and `"value"`, a letter for each.'
    ),
    options={
        "A": "River's vector that goes into the mix, in the share that *river* gets.",
        "B": "Bank's vector that is held against one vector of every token, to get the scores.",
        "C": "The row of shares, one number for each token, that adds up to 1.",
        "D": "River's vector that bank's is held against, to see how well *river* matches.",
    },
    key={"query": "B", "key": "D", "value": "A"},
    hints=[
        (
            {"query": "D", "key": "B", "value": "A"},
            "Whose output is being worked out, and so who asks: *bank* or *river*?",
        ),
        (
            {"query": "B", "key": "A", "value": "D"},
            "Two vectors of *river* are at work. Which is used before the weights are known, which after?",
        ),
        (
            {"query": "A", "key": "D", "value": "B"},
            "Which vector ends up inside the output of *bank*: one that asks, or one that contributes?",
        ),
        (
            {"query": "D", "key": "A", "value": "B"},
            "Who asks here? And of the vectors of *river*, which is compared and which is mixed?",
        ),
        (
            {"query": "A", "key": "B", "value": "D"},
            "Take the three steps in order: who asks, who is asked, what is taken along?",
        ),
        (
            {"query": "B", "key": "D", "value": "C"},
            "Is a row of shares a vector that a token contributes, or does it say how much each contributes?",
        ),
    ],
)

query_vector = question(
    "query_vector",
    "numbers",
    seed_item="S1.9",
    prompt=(
        "By hand: a token has the vector $x = (1, 2, 3)$, and the query matrix is "
        "$W^q = \\begin{pmatrix} 1 & 0\\\\ 0 & 1\\\\ 1 & 1 \\end{pmatrix}$. What is its query? Give its "
        "numbers as a list."
    ),
    key=[4, 5],
    hints=[
        ([1, 2], "You used the first two features. What does the third row of the matrix do with the third?"),
        ([2, 2], "You added up the columns as they are. Where does x come in?"),
        ([3, 3], "That is what the third feature puts in. What do the first two add to it?"),
        ([5, 4], "The first number of the query belongs to which column of the matrix?"),
        ([1, 2, 6], "How many columns has the matrix, and so how many numbers has a query?"),
        ([1, 2, 3], "That is x itself. What has the matrix done to it?"),
        ([9], "A query is a vector: how many columns has the matrix?"),
        ([2.828, 3.536], "You divided by the square root of 2. Is there a root in the formula of a query?"),
    ],
)

q1_and_k2 = question(
    "q1_and_k2",
    "choice",
    seed_item="S1.7",
    prompt=(
        "A self-attention layer reads a sequence of two tokens, with vectors $x_1$ and $x_2$ (counted from 1 "
        "here). It computes the query $q_1$ of the first and the key $k_2$ of the second. Which sentence is "
        "right?"
    ),
    options={
        "A": (
            "$q_1$ is made from $x_1$ and $x_2$ together, since a token must know the others before it can "
            "ask; $k_2$ is made from $x_2$ alone."
        ),
        "B": (
            "$q_1$ is made from $x_1$ by $W^q$, and $k_2$ is then made from $q_1$ by $W^k$, since a key is "
            "what answers a query."
        ),
        "C": (
            "$q_1$ is made from $x_1$ alone by $W^q$, and $k_2$ from $x_2$ alone by $W^k$; up to here no "
            "token knows of another."
        ),
        "D": (
            "$q_1$ is made from $x_1$ and $k_2$ from $x_2$, both by one matrix that they share, or else "
            "their dot product would compare different things."
        ),
    },
    key="C",
    hints=[
        ("A", "Change the second row of X and call your qkv_projections again: does row 0 of Q move?"),
        ("B", "Which of your project's arguments makes K: the tokens, or the queries made from them?"),
        ("D", "How many matrices does your qkv_projections take? Which of them makes Q, and which K?"),
    ],
)

identical_matrices = question(
    "identical_matrices",
    "choice",
    seed_item="S1.10",
    prompt=(
        "Someone ties the three matrices of a layer together: $W^q = W^k = W^v$, for good. What follows most "
        "directly?"
    ),
    options={
        "A": (
            "All raw scores of a row become equal, since every query equals every key, so that each token "
            "attends to all tokens evenly."
        ),
        "B": (
            "$q_i = k_i = v_i$ for each token: the raw scores are symmetric, and asking, being matched and "
            "contributing can't be told apart."
        ),
        "C": (
            "The output of each token is its own input again, since the three matrices undo each other and "
            "a token matches itself best."
        ),
        "D": (
            "Nothing but the memory for two matrices: training can still make *bank* look at *river* more "
            "than *river* looks at *bank*, raw score against raw score."
        ),
    },
    key="B",
    hints=[
        ("A", "The query of a token equals its own key. Does it equal the keys of the others?"),
        ("C", "With one matrix W, what is the value of a token: x, or x W? And does only one get weight?"),
        ("D", "Write down the score of i for j and of j for i with one matrix. In what do they differ?"),
    ],
)

why_project = question(
    "why_project",
    "choice",
    seed_item="S1.4",
    prompt=(
        "Lesson 1 compared the input vectors themselves. This lesson first sends each through three learned "
        "matrices. What is the main thing that this gains?"
    ),
    options={
        "A": (
            "Speed: the projected vectors are narrower, so that scoring all pairs of a long sequence takes "
            "far fewer multiplications than before."
        ),
        "B": (
            "Fairness: the projections bring all vectors to the same length, so that a long vector does not "
            "win the attention by its length alone."
        ),
        "C": (
            "Context: the matrices blend each token with its neighbours, so that scores are computed between "
            "phrases and no longer between single words."
        ),
        "D": (
            "Roles: asking, being found and contributing are learned apart, so that relevance can be "
            "one-sided and matching is not tied to content."
        ),
    },
    key="D",
    hints=[
        ("A", "With one head as wide as the input nothing gets narrower. Would the gain be lost as well?"),
        ("B", "Double x and project it: what happens to the length of its query?"),
        ("C", "Change one token and call your project again: how many rows of the result move?"),
    ],
)

explain_misconception = free_text(
    "explain_misconception",
    seed_item="S1.8",
    prompt=(
        'A fellow student writes: *"In self-attention the queries come from the decoder, and the keys and '
        'values from the encoder."* Correct this in four to six sentences: (a) what are Q, K and V '
        "made from in self-attention, and by what; (b) which mechanism does the sentence describe, and "
        "where is it used; (c) in which of the two can the scores be a matrix that is not square, and why; "
        "(d) what, then, does the word *self* say?"
    ),
    rubric=[
        (
            1,
            "(a) All three are made from the same sequence X (the output of the layer below), by three "
            "different learned matrices, token by token.",
        ),
        (
            1,
            "(b) The sentence describes cross-attention, in the decoder of an encoder-decoder model (such as "
            "one for translation), where a decoder's queries meet the encoder's keys and values.",
        ),
        (
            1,
            "(c) In cross-attention: n_q queries come from one sequence and n_k keys from another, so the "
            "scores are (n_q, n_k); in self-attention both are n.",
        ),
        (
            1,
            "(d) *Self* says that a sequence attends to itself; it does not say that a token attends to "
            "itself only, nor that Q, K and V are the same vectors.",
        ),
    ],
    model_answer=(
        "In self-attention queries, keys and values are all made from one and the same sequence X, the "
        "output of the layer below: Q = X W^q, K = X W^k, V = X W^v, with three different learned matrices "
        "and each token by itself. What the sentence describes is cross-attention: in an encoder-decoder "
        "model, for translation say, the decoder's tokens ask, and the encoder's tokens are matched and "
        "contribute, so Q is made from one sequence and K and V from another. The two sequences may have "
        "different lengths, so there the scores are an n_q × n_k matrix; in self-attention n_q = n_k = n and "
        "the matrix is square. *Self* says that the sequence is compared with itself. It does not say that "
        "q, k and v are equal, or that a token looks at itself only. An encoder uses self-attention too, "
        "with no decoder anywhere."
    ),
)
