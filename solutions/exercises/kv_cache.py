"""Lesson 7: the KV cache. Keys and values are kept; each step adds its own and asks over all of them.

Step i: append (k_i, v_i), then attend q_i over K_{≤i}, V_{≤i} (F8). Any schedule of prefill, chunks and
single steps gives what causal attention gives at once. Kept in buffers of a fixed size, or in pages
(Kwon et al., 2023).
"""

import math

import numpy as np

from autograder.exercise import (
    alternative,
    aspect,
    example,
    exercise,
    free_text,
    misconception,
    question,
    raising,
    unchanged,
    values,
)
from autograder.sandbox.script import Call, Change, Let, Look


def drawn(rng, *shapes):
    return tuple(rng.normal(size=shape) for shape in shapes)


def rounded_to(dtype, *arrays):
    """The arrays in another precision, also those within a tuple."""
    return tuple(rounded_to(dtype, *a) if isinstance(a, tuple) else a.astype(dtype) for a in arrays)


def softmax_of(scores):
    """The softmax of the last axis; a row of −inf alone, and a row of no scores, gives zeros."""
    top = scores.max(axis=-1, keepdims=True, initial=-np.inf)
    votes = np.exp(scores - np.where(np.isfinite(top), top, 0.0))
    total = votes.sum(axis=-1, keepdims=True)
    return votes / np.where(total == 0.0, 1.0, total)


# --- kv_append -------------------------------------------------------------------------------------------


def cache_and_news(rng, n, s, d_k, d_v):
    return drawn(rng, (n, d_k), (n, d_v), (s, d_k), (s, d_v))


def one_new_row(rng):
    return cache_and_news(rng, 4, 1, 3, 5)


def several_new_rows(rng):
    return cache_and_news(rng, 2, 3, 5, 2)


def as_many_new_as_old(rng):
    """n = s = d_k = d_v: wrong axes and exchanged arguments do not raise here."""
    return cache_and_news(rng, 3, 3, 3, 3)


def more_new_than_old(rng):
    return cache_and_news(rng, 1, 4, 2, 3)


def nothing_new(rng):
    return cache_and_news(rng, 5, 0, 4, 2)


def onto_an_empty_cache(rng):
    return cache_and_news(rng, 0, 2, 4, 3)


def appended_in_single_precision(rng):
    return rounded_to(np.float32, *cache_and_news(rng, 6, 2, 4, 3))


def appended_in_half_precision(rng):
    return rounded_to(np.float16, *cache_and_news(rng, 3, 1, 2, 4))


def append_then_reuse_the_buffers(arrays):
    """Append, then let the caller write its next token into the arrays of this one, and look again."""
    names = ("K", "V", "k_new", "v_new")
    return [
        *(Let(name, array) for name, array in zip(names, arrays, strict=True)),
        Call("kv_append", names),
        Change("k_new", 9.0),
        Change("v_new", -9.0),
        Look("result"),
    ]


def the_first_rows_from_reused_buffers(rng):
    return append_then_reuse_the_buffers(cache_and_news(rng, 0, 2, 3, 4))


def the_first_row_from_reused_buffers(rng):
    return append_then_reuse_the_buffers(cache_and_news(rng, 0, 1, 5, 2))


def later_rows_from_reused_buffers(rng):
    return append_then_reuse_the_buffers(cache_and_news(rng, 4, 2, 2, 3))


@exercise(
    points=4,
    aspects=[
        values(
            2,
            one_new_row,
            several_new_rows,
            as_many_new_as_old,
            more_new_than_old,
            nothing_new,
            onto_an_empty_cache,
            appended_in_single_precision,
            appended_in_half_precision,
        ),
        aspect(
            "a cache of its own",
            1,
            the_first_rows_from_reused_buffers,
            the_first_row_from_reused_buffers,
            later_rows_from_reused_buffers,
        ),
        unchanged(1),
    ],
    examples=[
        example(
            "by hand: a third key and a third value",
            [[0.1, 0.5], [0.9, 0.2]],
            [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]],
            [[0.4, 0.8]],
            [[7.0, 8.0, 9.0]],
        ),
        example(
            "two more rows, as wide as the cache is long",
            [[1.0, -2.0], [0.5, 3.0]],
            [[4.0, 1.5], [-1.0, 2.0]],
            [[0.25, -0.5], [2.5, 1.0]],
            [[-3.0, 0.75], [5.0, -4.0]],
        ),
        example(
            "the first token, and the caller uses k_new and v_new again afterwards",
            np.zeros((0, 2)),
            np.zeros((0, 3)),
            [[0.1, 0.5]],
            [[1.0, 2.0, 3.0]],
            reused=("k_new", "v_new"),
        ),
    ],
)
def kv_append(K, V, k_new, v_new):
    """The cache with the keys and values of s more tokens at its end.

    K : (n, d_k), the keys so far, oldest first; n may be 0
    V : (n, d_v), the values so far
    k_new : (s, d_k), the keys of the next s tokens; s may be 0
    v_new : (s, d_v), their values
    Returns (K, V) : (n + s, d_k) and (n + s, d_v). The four arguments stay as they
    are. The caller will write the next token's key and value into the same arrays
    k_new and v_new: that must not show in what you returned.
    """
    return np.concatenate([K, k_new]), np.concatenate([V, v_new])


@alternative(kv_append)
def rows_of_floats(K, V, k_new, v_new):
    return [*K.tolist(), *k_new.tolist()], [*V.tolist(), *v_new.tolist()]


@alternative(kv_append)
def stacked(K, V, k_new, v_new):
    return np.vstack((K, k_new)), np.append(V, v_new, axis=0)


@alternative(kv_append)
def copied_into_longer_arrays(K, V, k_new, v_new):
    longer = []
    for old, new in ((K, k_new), (V, v_new)):
        both = np.empty((len(old) + len(new), old.shape[1]))
        both[: len(old)] = old
        both[len(old) :] = new
        longer.append(both)
    return longer


@alternative(kv_append)
def padded_and_filled(K, V, k_new, v_new):
    room = ((0, len(k_new)), (0, 0))
    keys, contents = np.pad(K, room), np.pad(V, room)
    for place in range(len(k_new)):
        keys[len(K) + place], contents[len(V) + place] = k_new[place], v_new[place]
    return keys, contents


@misconception(kv_append, hint="How many tokens went in, and how many are in your cache? Who lost a row?")
def last_rows_overwritten(K, V, k_new, v_new):
    kept = max(0, len(K) - len(k_new))
    return np.concatenate([K[:kept], k_new]), np.concatenate([V[:kept], v_new])


@misconception(
    kv_append, hint="Position is all that tells a row's age: at which end of the cache does the newest stand?"
)
def prepended(K, V, k_new, v_new):
    return np.concatenate([k_new, K]), np.concatenate([v_new, V])


@misconception(
    kv_append, hint="A token found by its key must have something to give: how many values are there?"
)
def values_forgotten(K, V, k_new, v_new):
    return np.concatenate([K, k_new]), V.copy()


@misconception(
    kv_append,
    hint="The caller writes into k_new afterwards. Whose memory is the first row of your cache?",
)
def view_of_a_reused_buffer(K, V, k_new, v_new):
    if len(K) == 0:
        return k_new, v_new
    return np.concatenate([K, k_new]), np.concatenate([V, v_new])


@misconception(
    kv_append, hint="Is a new token a new row or a new column? Compare your shapes with those asked for."
)
def new_columns(K, V, k_new, v_new):
    return np.concatenate([K, k_new], axis=1), np.concatenate([V, v_new], axis=1)


@misconception(kv_append, hint="The next query asks about the whole past: where is it in what you gave back?")
def news_alone(K, V, k_new, v_new):
    return k_new.copy(), v_new.copy()


@misconception(kv_append, hint="Three tokens may come at once: how many of them does yours keep?")
def first_new_row_only(K, V, k_new, v_new):
    return np.concatenate([K, k_new[:1]]), np.concatenate([V, v_new[:1]])


@misconception(
    kv_append,
    hint="Two tokens come at once: which is the older, and which of them comes first in your cache?",
)
def newest_first_among_the_new(K, V, k_new, v_new):
    return np.concatenate([K, k_new[::-1]]), np.concatenate([V, v_new[::-1]])


@misconception(kv_append, hint="By which of its two vectors is a token found? Where did you put that one?")
def keys_among_the_values(K, V, k_new, v_new):
    return np.concatenate([K, v_new]), np.concatenate([V, k_new])


# --- decode_step -----------------------------------------------------------------------------------------


def matrices(rng, d_model, d_k, d_v):
    """W_q, W_k, W_v that keep scores of the order of 1."""
    shapes = ((d_model, d_k), (d_model, d_k), (d_model, d_v))
    return tuple(1.5 * W / math.sqrt(d_model) for W in drawn(rng, *shapes))


def one_step(rng, n, d_model, d_k, d_v):
    """A token, and a past of n random keys and values: no token that `W_k` and `W_v` see has made them."""
    return rng.normal(size=d_model), drawn(rng, (n, d_k), (n, d_v)), *matrices(rng, d_model, d_k, d_v)


def fifth_token(rng):
    return one_step(rng, 4, 3, 5, 2)


def first_token_of_all(rng):
    return one_step(rng, 0, 4, 3, 5)


def second_token(rng):
    return one_step(rng, 1, 2, 4, 3)


def wide_model_narrow_head(rng):
    return one_step(rng, 6, 8, 2, 3)


def everything_of_one_size(rng):
    """d_model = d_k = d_v = n: a cache taken for tokens, or a query for a key, does not raise here."""
    return one_step(rng, 4, 4, 4, 4)


def step_in_single_precision(rng):
    return rounded_to(np.float32, *one_step(rng, 7, 5, 3, 4))


def step_in_half_precision(rng):
    """Positive numbers only: sums that do not cancel are exact to the tolerance."""
    return rounded_to(
        np.float16,
        rng.uniform(0.5, 1, size=3),
        (rng.uniform(-1, 1, size=(5, 4)), rng.uniform(1, 2, size=(5, 2))),
        *(rng.uniform(0.3, 0.6, size=shape) for shape in ((3, 4), (3, 4), (3, 2))),
    )


def two_texts_by_turns(rng):
    """What a function remembers of the one text is wrong for the other."""
    x, cache, *W = one_step(rng, 3, 4, 2, 5)
    names = ("W_q", "W_k", "W_v")
    return [
        Let("x", x),
        Let("cache", cache),
        *(Let(name, value) for name, value in zip(names, W, strict=True)),
        Let("x_other", rng.normal(size=4)),
        Let("cache_other", drawn(rng, (5, 2), (5, 5))),
        Call("decode_step", ("x", "cache", *names)),
        Call("decode_step", ("x_other", "cache_other", *names)),
        Call("decode_step", ("x_other", "cache", *names)),
    ]


def loud_matrices(rng, d_model, d_k, d_v, keys=1.0):
    """W_q, W_k, W_v by which a token whose feature 0 is ±1 has a query and a key that begin with ±`loud`:
    two of them score ±1000. `keys` −1 turns the keys round."""
    W_q, W_k, W_v = matrices(rng, d_model, d_k, d_v)
    for W, sign in ((W_q, 1.0), (W_k, keys)):
        W *= 0.5
        W[:, 0] = 0.0
        W[0] = 0.0
        W[0, 0] = sign * loud(d_k)
    return W_q, W_k, W_v


def loud(d_k):
    return math.sqrt(1000 * math.sqrt(d_k))


def loud_tokens(rng, signs, d_model):
    X = rng.normal(size=(len(signs), d_model))
    X[:, 0] = signs
    return X


def loud_past(rng, signs, d_k, d_v):
    K, V = drawn(rng, (len(signs), d_k), (len(signs), d_v))
    K[:, 0] = np.array(signs) * loud(d_k)
    return K, V


def step_with_scores_near_a_thousand(rng):
    [x] = loud_tokens(rng, [1.0], 5)
    return x, loud_past(rng, [1, -1, 1, 1, -1], 3, 4), *loud_matrices(rng, 5, 3, 4)


def step_with_scores_near_minus_a_thousand(rng):
    [x] = loud_tokens(rng, [-1.0], 4)
    return x, loud_past(rng, [1, 1, 1], 2, 3), *loud_matrices(rng, 4, 2, 3, keys=-1.0)


@exercise(
    points=4,
    aspects=[
        values(
            2,
            first_token_of_all,
            fifth_token,
            second_token,
            wide_model_narrow_head,
            everything_of_one_size,
            step_in_single_precision,
            step_in_half_precision,
            two_texts_by_turns,
        ),
        aspect("large scores", 1, step_with_scores_near_a_thousand, step_with_scores_near_minus_a_thousand),
        unchanged(1),
    ],
    examples=[
        example(
            "by hand: votes 1, 1 and 2, and the new token has the 2",
            np.array([1.0]),
            (np.array([[0.0], [0.0]]), np.array([[4.0, 0.0], [0.0, 4.0]])),
            [[1.0]],
            [[math.log(2)]],
            [[8.0, 8.0]],
        ),
        example(
            "three tokens in the cache, all widths 2",
            np.array([1.0, -0.5]),
            (
                np.array([[0.5, 1.0], [-1.0, 0.25], [2.0, -0.5]]),
                np.array([[1.0, 2.0], [-3.0, 0.5], [0.25, -1.0]]),
            ),
            [[1.0, 0.5], [-0.5, 2.0]],
            [[0.5, -1.0], [1.5, 1.0]],
            [[2.0, 0.25], [-1.0, 3.0]],
        ),
        example(
            "scores near 1000",
            np.array([1.0, 0.5]),
            (np.array([[30.0, 1.0], [30.0, -1.0]]), np.array([[1.0], [2.0]])),
            [[50.0, 0.0], [0.0, 1.0]],
            [[30.0, 0.0], [0.0, 1.0]],
            [[3.0], [0.0]],
        ),
    ],
)
def decode_step(x_t, cache, W_q, W_k, W_v):
    """One more token: its output, computed with what the cache holds of those before it.

        append k_t = x_t W_k and v_t = x_t W_v,
        then o_t = softmax(q_t Kᵀ / √d_k) V  with q_t = x_t W_q

    x_t : (d_model,), the new token
    cache : (K, V), of shapes (n, d_k) and (n, d_v), the keys and values of the n
        tokens before it, oldest first; n may be 0
    W_q : (d_model, d_k)
    W_k : (d_model, d_k)
    W_v : (d_model, d_v)
    Returns o_t : (d_v,), and the cache (K, V) : (n + 1, d_k) and (n + 1, d_v). Scores
    of 1000 or -1000 must not break it. What came before is in the cache and nowhere
    else: other texts may be decoded between two of your steps.
    """
    K = np.concatenate([cache[0], [x_t @ W_k]])
    V = np.concatenate([cache[1], [x_t @ W_v]])
    scores = K @ (x_t @ W_q) / np.sqrt(K.shape[1])
    votes = np.exp(scores - scores.max())
    return votes / votes.sum() @ V, (K, V)


@alternative(decode_step)
def appended_by_kv_append(x_t, cache, W_q, W_k, W_v):
    K, V = kv_append(*cache, (x_t @ W_k)[None], (x_t @ W_v)[None])
    q = x_t @ W_q
    scores = [
        sum(float(a) * float(b) for a, b in zip(q, k, strict=False)) / math.sqrt(W_k.shape[1]) for k in K
    ]
    votes = [math.exp(score - max(scores)) for score in scores]
    rows = zip(votes, V, strict=False)
    return sum(vote * np.asarray(v, dtype=float) for vote, v in rows) / sum(votes), (K, V)


@alternative(decode_step)
def einsum_for_the_newest(x_t, cache, W_q, W_k, W_v):
    q, k, v = (np.einsum("m,mc->c", x_t, W) for W in (W_q, W_k, W_v))
    K, V = np.vstack([cache[0], k]), np.vstack([cache[1], v])
    scores = np.einsum("c,jc->j", q, K) * W_q.shape[1] ** -0.5
    return np.einsum("j,jv->v", np.exp(scores - np.logaddexp.reduce(scores)), V), [K, V]


@alternative(decode_step)
def lists_grown_by_one(x_t, cache, W_q, W_k, W_v):
    def times(W):
        return [math.fsum(float(a) * float(b) for a, b in zip(x_t, column, strict=True)) for column in W.T]

    K, V = [*cache[0].tolist(), times(W_k)], [*cache[1].tolist(), times(W_v)]
    q, scale = times(W_q), math.sqrt(len(W_q[0]))
    scores = [math.fsum(a * b for a, b in zip(q, k, strict=True)) / scale for k in K]
    votes = [math.exp(score - max(scores)) for score in scores]
    total = math.fsum(votes)
    o = [math.fsum(a * v[c] for a, v in zip(votes, V, strict=True)) / total for c in range(len(V[0]))]
    return o, (K, V)


@alternative(decode_step)
def old_and_new_apart(x_t, cache, W_q, W_k, W_v):
    """The new token's vote beside those of the cache, which is extended last."""
    q, k, v = x_t @ W_q, x_t @ W_k, x_t @ W_v
    old, new = cache[0] @ q / np.sqrt(len(q)), k @ q / np.sqrt(len(q))
    top = max([*old, new])
    votes, vote = np.exp(old - top), np.exp(new - top)
    output = (votes @ cache[1] + vote * v) / (votes.sum() + vote)
    return output, (np.r_[cache[0], k[None]], np.r_[cache[1], v[None]])


def grown(X, cache, W_k, W_v):
    """The cache with the keys and values of the rows of X at its end."""
    return np.concatenate([cache[0], X @ W_k]), np.concatenate([cache[1], X @ W_v])


def mixed(Q, K, V, allowed=True, scale=None):
    """Attention of Q (n_q, d_k) where `allowed`, for the mistakes that are made around it."""
    scores = np.where(allowed, Q @ K.T / (scale or np.sqrt(Q.shape[1])), -np.inf)
    return softmax_of(scores) @ V


@misconception(decode_step, hint="A token attends to itself: is its own key there when its query asks?")
def attends_before_appending(x_t, cache, W_q, W_k, W_v):
    return mixed((x_t @ W_q)[None], *cache)[0], grown(x_t[None], cache, W_k, W_v)


@misconception(
    decode_step,
    hint="One query, many keys: which keys does your mask leave it? The newest may look at which?",
)
def mask_from_the_upper_left(x_t, cache, W_q, W_k, W_v):
    K, V = grown(x_t[None], cache, W_k, W_v)
    return mixed((x_t @ W_q)[None], K, V, np.tri(1, len(K), dtype=bool))[0], (K, V)


@misconception(
    decode_step,
    hint="The rows of the cache are keys and values already: what happens to them in your function?",
)
def cache_projected_again(x_t, cache, W_q, W_k, W_v):
    K = np.concatenate([cache[0], x_t[None]]) @ W_k
    V = np.concatenate([cache[1], x_t[None]]) @ W_v
    return mixed((x_t @ W_q)[None], K, V)[0], (K, V)


@misconception(
    decode_step, hint="The next step will need this token too: is it in the cache that you hand back?"
)
def cache_handed_back_as_it_came(x_t, cache, W_q, W_k, W_v):
    K, V = grown(x_t[None], cache, W_k, W_v)
    return mixed((x_t @ W_q)[None], K, V)[0], cache


@misconception(decode_step, hint="Change a row of the cached values: does your output notice? Should it?")
def past_not_asked(x_t, cache, W_q, W_k, W_v):
    return x_t @ W_v, grown(x_t[None], cache, W_k, W_v)


@misconception(
    decode_step, hint="How many axes has the output of one token in the docstring, and how many has yours?"
)
def output_as_a_row(x_t, cache, W_q, W_k, W_v):
    K, V = grown(x_t[None], cache, W_k, W_v)
    return mixed((x_t @ W_q)[None], K, V), (K, V)


@misconception(
    decode_step,
    hint="Which of a token's vectors asks, and which is asked about? Which of them did you store?",
)
def query_stored_as_key(x_t, cache, W_q, W_k, W_v):
    K, V = grown(x_t[None], cache, W_q, W_v)
    return mixed((x_t @ W_q)[None], K, V)[0], (K, V)


@misconception(
    decode_step, hint="Whose vector meets the keys in a score: the new token's key, or another of its three?"
)
def key_asks(x_t, cache, W_q, W_k, W_v):
    K, V = grown(x_t[None], cache, W_k, W_v)
    return mixed((x_t @ W_k)[None], K, V)[0], (K, V)


@misconception(decode_step, hint="Your weights follow the dot products. What did lesson 3 divide them by?")
def step_not_scaled(x_t, cache, W_q, W_k, W_v):
    K, V = grown(x_t[None], cache, W_k, W_v)
    return mixed((x_t @ W_q)[None], K, V, scale=1.0)[0], (K, V)


@misconception(
    decode_step, hint="What is exp(1000) in NumPy, and how did lesson 5 get the same weights without it?"
)
def step_overflows(x_t, cache, W_q, W_k, W_v):
    K, V = grown(x_t[None], cache, W_k, W_v)
    votes = np.exp(K @ (x_t @ W_q) / np.sqrt(K.shape[1]))
    return votes / votes.sum() @ V, (K, V)


# --- prefill ---------------------------------------------------------------------------------------------


def prompt(rng, n, d_model, d_k, d_v):
    return rng.normal(size=(n, d_model)), *matrices(rng, d_model, d_k, d_v)


def five_tokens(rng):
    return prompt(rng, 5, 3, 4, 2)


def a_prompt_of_two(rng):
    return prompt(rng, 2, 5, 3, 6)


def a_prompt_of_one(rng):
    return prompt(rng, 1, 3, 2, 4)


def a_prompt_all_square(rng):
    return prompt(rng, 4, 4, 4, 4)


def a_prompt_in_single_precision(rng):
    return rounded_to(np.float32, *prompt(rng, 7, 4, 5, 3))


def a_prompt_with_large_scores(rng):
    """Row 1 scores −1000 with itself and +1000 with row 0; row 0 has nothing but −1000."""
    X = loud_tokens(rng, [1.0, -1.0, 1.0, 1.0, -1.0, 1.0], 5)
    return X, *loud_matrices(rng, 5, 3, 4, keys=-1.0)


def a_prompt_of_like_signs(rng):
    return loud_tokens(rng, [1.0, 1.0, -1.0, 1.0], 3), *loud_matrices(rng, 3, 2, 5)


@exercise(
    points=4,
    aspects=[
        values(
            2,
            five_tokens,
            a_prompt_of_two,
            a_prompt_of_one,
            a_prompt_all_square,
            a_prompt_in_single_precision,
        ),
        aspect("large scores", 1, a_prompt_with_large_scores, a_prompt_of_like_signs),
        unchanged(1),
    ],
    examples=[
        example(
            "by hand: W_q = 0, so each token shares out equally among those it may see",
            [[2.0], [4.0], [9.0]],
            [[0.0, 0.0]],
            [[1.0, -1.0]],
            [[1.0]],
        ),
        example(
            "four tokens of three features",
            [[1.0, -0.5, 2.0], [-1.0, 1.5, 0.25], [0.5, 1.0, -1.5], [2.0, 0.5, 1.0]],
            [[1.0, 0.5], [0.0, -1.0], [0.5, 1.0]],
            [[0.5, -1.0], [1.0, 0.5], [-1.0, 0.5]],
            [[1.0, 0.0, 0.5], [0.5, 1.0, -1.0], [0.0, -0.5, 2.0]],
        ),
        example(
            "scores near 1000 and -1000",
            [[1.0, 0.5], [-1.0, 1.0], [1.0, -0.5]],
            [[30.0, 0.0], [0.0, 1.0]],
            [[-45.0, 0.0], [0.0, 1.0]],
            [[2.0], [1.0]],
        ),
    ],
)
def prefill(X, W_q, W_k, W_v):
    """The whole prompt at once: causal self-attention, and the cache to go on from.

        O = softmax(Q Kᵀ / √d_k + Mask) V,  Mask(i, j) = -∞ where j > i

    X : (n, d_model), the prompt, one token or more
    W_q : (d_model, d_k)
    W_k : (d_model, d_k)
    W_v : (d_model, d_v)
    Returns O : (n, d_v), and the cache (K, V) : (n, d_k) and (n, d_v). Scores of
    1000 or -1000 must not break it.
    """
    K, V = X @ W_k, X @ W_v
    scores = X @ W_q @ K.T / np.sqrt(K.shape[1])
    scores = np.where(np.tri(len(X), dtype=bool), scores, -np.inf)
    votes = np.exp(scores - scores.max(axis=1, keepdims=True))
    return votes / votes.sum(axis=1, keepdims=True) @ V, (K, V)


@alternative(prefill)
def one_token_after_the_other(X, W_q, W_k, W_v):
    cache, rows = (np.zeros((0, W_k.shape[1])), np.zeros((0, W_v.shape[1]))), []
    for x in X:
        row, cache = old_and_new_apart(x, cache, W_q, W_k, W_v)
        rows.append(row)
    return np.array(rows), cache


@alternative(prefill)
def einsum_and_an_additive_mask(X, W_q, W_k, W_v):
    Q, K, V = (np.einsum("nm,mc->nc", X, W) for W in (W_q, W_k, W_v))
    scores = np.einsum("ic,jc->ij", Q, K) / math.sqrt(Q.shape[1])
    scores = scores + np.triu(np.full((len(X), len(X)), -np.inf), k=1)
    return np.exp(scores - np.logaddexp.reduce(scores, axis=1)[:, None]) @ V, (K, V)


@alternative(prefill)
def prefix_by_prefix(X, W_q, W_k, W_v):
    K, V = X @ W_k, X @ W_v
    rows = []
    for i in range(len(X)):
        scores = K[: i + 1] @ (X[i] @ W_q) * W_q.shape[1] ** -0.5
        votes = [math.exp(score - max(scores)) for score in scores]
        rows.append(sum(vote * v for vote, v in zip(votes, V, strict=False)) / sum(votes))
    return rows, [K, V]


def causal(X, W_q, W_k, W_v, k=0, scale=None):
    """Causal attention, with the triangle moved by `k`."""
    allowed = np.tri(len(X), k=k, dtype=bool)
    return mixed(X @ W_q, X @ W_k, X @ W_v, allowed, scale)


@misconception(prefill, hint="Change the last token: may the output of the first one move? Does it in yours?")
def prompt_not_masked(X, W_q, W_k, W_v):
    return mixed(X @ W_q, X @ W_k, X @ W_v), (X @ W_k, X @ W_v)


@misconception(prefill, hint="The next token will ask about the prompt: what does your cache hold of it?")
def prompt_not_stored(X, W_q, W_k, W_v):
    return causal(X, W_q, W_k, W_v), (np.zeros((0, W_k.shape[1])), np.zeros((0, W_v.shape[1])))


@misconception(
    prefill, hint="How many tokens has the prompt, and how many rows your cache? Which one is missing?"
)
def first_token_lost(X, W_q, W_k, W_v):
    return causal(X, W_q, W_k, W_v), (X[1:] @ W_k, X[1:] @ W_v)


@misconception(
    prefill, hint="The next step appends its own token only: who would append the last of the prompt?"
)
def last_token_left_to_the_next_step(X, W_q, W_k, W_v):
    return causal(X, W_q, W_k, W_v), (X[:-1] @ W_k, X[:-1] @ W_v)


@misconception(prefill, hint="A token attends to itself: which keys does your mask leave to token 0?")
def own_key_hidden(X, W_q, W_k, W_v):
    return causal(X, W_q, W_k, W_v, k=-1), (X @ W_k, X @ W_v)


@misconception(
    prefill,
    hint="Only the last row is needed to go on writing; but how many outputs does the docstring ask for?",
)
def last_output_alone(X, W_q, W_k, W_v):
    return causal(X, W_q, W_k, W_v)[-1], (X @ W_k, X @ W_v)


@misconception(prefill, hint="What will the next query be compared with? Is that what your cache holds?")
def queries_cached(X, W_q, W_k, W_v):
    return causal(X, W_q, W_k, W_v), (X @ W_q, X @ W_v)


@misconception(
    prefill, hint="Should the next step have to project the prompt again? What does your cache hold?"
)
def tokens_cached(X, W_q, W_k, W_v):
    return causal(X, W_q, W_k, W_v), (X.copy(), X.copy())


@misconception(prefill, hint="Add up the weights of token 0: who kept the shares of the keys that you hid?")
def prompt_hidden_after_the_softmax(X, W_q, W_k, W_v):
    A = softmax_of(X @ W_q @ (X @ W_k).T / np.sqrt(W_k.shape[1]))
    return np.tril(A) @ (X @ W_v), (X @ W_k, X @ W_v)


@misconception(prefill, hint="Your weights follow the dot products. What did lesson 3 divide them by?")
def prompt_not_scaled(X, W_q, W_k, W_v):
    return causal(X, W_q, W_k, W_v, scale=1.0), (X @ W_k, X @ W_v)


@misconception(
    prefill, hint="What is exp(1000) in NumPy, and how did lesson 5 get the same weights without it?"
)
def prompt_overflows(X, W_q, W_k, W_v):
    votes = np.tril(np.exp(X @ W_q @ (X @ W_k).T / np.sqrt(W_k.shape[1])))
    return votes / votes.sum(axis=1, keepdims=True) @ (X @ W_v), (X @ W_k, X @ W_v)


# --- chunked_prefill -------------------------------------------------------------------------------------


def chunk(rng, s, n, d_model, d_k, d_v):
    """s tokens, and a past of n random keys and values that no token has made."""
    W = matrices(rng, d_model, d_k, d_v)
    return rng.normal(size=(s, d_model)), drawn(rng, (n, d_k), (n, d_v)), *W


def three_after_five(rng):
    return chunk(rng, 3, 5, 4, 2, 6)


def four_after_two(rng):
    return chunk(rng, 4, 2, 3, 5, 2)


def a_chunk_of_one(rng):
    return chunk(rng, 1, 4, 5, 3, 2)


def the_first_chunk(rng):
    return chunk(rng, 4, 0, 3, 2, 5)


def as_many_as_in_the_cache(rng):
    """Everything of one size: a square mask, or a cache taken for tokens, does not raise here."""
    return chunk(rng, 3, 3, 3, 3, 3)


def a_chunk_in_single_precision(rng):
    return rounded_to(np.float32, *chunk(rng, 5, 3, 4, 6, 2))


def a_chunk_with_large_scores(rng):
    """Rows that score −1000 with all they may see, and rows that score +1000 with some."""
    X = loud_tokens(rng, [-1.0, 1.0, -1.0, -1.0], 5)
    return X, loud_past(rng, [1, 1], 3, 4), *loud_matrices(rng, 5, 3, 4, keys=-1.0)


def a_chunk_of_like_signs(rng):
    X = loud_tokens(rng, [1.0, -1.0, 1.0], 4)
    return X, loud_past(rng, [1, -1, 1, -1], 2, 3), *loud_matrices(rng, 4, 2, 3)


@exercise(
    points=5,
    aspects=[
        values(
            3,
            three_after_five,
            four_after_two,
            a_chunk_of_one,
            the_first_chunk,
            as_many_as_in_the_cache,
            a_chunk_in_single_precision,
        ),
        aspect("large scores", 1, a_chunk_with_large_scores, a_chunk_of_like_signs),
        unchanged(1),
    ],
    examples=[
        example(
            "by hand: W_q = 0, so each token shares out equally among those it may see",
            [[2.0], [8.0]],
            (np.array([[1.0, 0.0]]), np.array([[4.0]])),
            [[0.0, 0.0]],
            [[1.0, -1.0]],
            [[1.0]],
        ),
        example(
            "three tokens after two, all widths 2",
            [[1.0, -0.5], [-1.5, 1.0], [0.5, 2.0]],
            (np.array([[0.5, 1.0], [-1.0, 0.25]]), np.array([[1.0, 2.0], [-3.0, 0.5]])),
            [[1.0, 0.5], [-0.5, 2.0]],
            [[0.5, -1.0], [1.5, 1.0]],
            [[2.0, 0.25], [-1.0, 3.0]],
        ),
        example(
            "scores near 1000 and -1000",
            [[1.0, 0.5], [-1.0, 1.0]],
            (np.array([[-45.0, 1.0]]), np.array([[5.0]])),
            [[30.0, 0.0], [0.0, 1.0]],
            [[-45.0, 0.0], [0.0, 1.0]],
            [[2.0], [1.0]],
        ),
    ],
)
def chunked_prefill(X, cache, W_q, W_k, W_v):
    """The next s tokens at once, after the n tokens that the cache holds.

        Token i of the chunk stands at position n + i of the text. It may attend to
        the whole cache, to the chunk's tokens before it, and to itself.

    X : (s, d_model), the chunk, one token or more
    cache : (K, V), of shapes (n, d_k) and (n, d_v), the keys and values of the n
        tokens before the chunk, oldest first; n may be 0
    W_q : (d_model, d_k)
    W_k : (d_model, d_k)
    W_v : (d_model, d_v)
    Returns O : (s, d_v), and the cache (K, V) : (n + s, d_k) and (n + s, d_v). Scores
    of 1000 or -1000 must not break it.
    """
    n, s = len(cache[0]), len(X)
    K = np.concatenate([cache[0], X @ W_k])
    V = np.concatenate([cache[1], X @ W_v])
    scores = X @ W_q @ K.T / np.sqrt(K.shape[1])
    scores = np.where(np.tri(s, n + s, k=n, dtype=bool), scores, -np.inf)
    votes = np.exp(scores - scores.max(axis=1, keepdims=True))
    return votes / votes.sum(axis=1, keepdims=True) @ V, (K, V)


@alternative(chunked_prefill)
def decoded_one_by_one(X, cache, W_q, W_k, W_v):
    rows = []
    for x in X:
        row, cache = old_and_new_apart(x, cache, W_q, W_k, W_v)
        rows.append(row)
    return np.array(rows), cache


@alternative(chunked_prefill)
def cache_and_chunk_apart(X, cache, W_q, W_k, W_v):
    """Votes for the cache without a mask, votes within the chunk with a square one, shared out together."""
    Q, K, V = X @ W_q, X @ W_k, X @ W_v
    old, new = (Q @ keys.T / np.sqrt(Q.shape[1]) for keys in (cache[0], K))
    new = new + np.triu(np.full(new.shape, -np.inf), k=1)
    top = np.hstack([old, new]).max(axis=1, keepdims=True)
    old, new = np.exp(old - top), np.exp(new - top)
    total = old.sum(axis=1, keepdims=True) + new.sum(axis=1, keepdims=True)
    both = zip(cache, (K, V), strict=True)
    return (old @ cache[1] + new @ V) / total, tuple(np.vstack(pair) for pair in both)


@alternative(chunked_prefill)
def positions_compared(X, cache, W_q, W_k, W_v):
    K, V = np.vstack([cache[0], X @ W_k]), np.vstack([cache[1], X @ W_v])
    position = np.arange(len(K))
    scores = np.einsum("ic,jc->ij", X @ W_q, K) * K.shape[1] ** -0.5
    scores[position[-len(X) :, None] < position] = -np.inf
    return np.exp(scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)) @ V, [K, V]


@alternative(chunked_prefill)
def the_past_cut_for_each_row(X, cache, W_q, W_k, W_v):
    K, V = np.append(cache[0], X @ W_k, axis=0), np.append(cache[1], X @ W_v, axis=0)
    rows = []
    for i, x in enumerate(X):
        seen = len(cache[0]) + i + 1
        scores = [float(k @ (x @ W_q)) / math.sqrt(K.shape[1]) for k in K[:seen]]
        votes = np.array([math.exp(score - max(scores)) for score in scores])
        rows.append(votes @ V[:seen] / votes.sum())
    return rows, (K, V)


def chunk_masked(X, cache, W_q, W_k, W_v, k, scale=None):
    """The chunk's output with the triangle at offset `k` where n is right, and the right cache."""
    K, V = grown(X, cache, W_k, W_v)
    return mixed(X @ W_q, K, V, np.tri(len(X), len(K), k=k, dtype=bool), scale), (K, V)


@misconception(
    chunked_prefill,
    hint="Token 0 of the chunk comes after the whole cache. How many keys does your mask leave it?",
)
def square_mask_in_the_corner(X, cache, W_q, W_k, W_v):
    return chunk_masked(X, cache, W_q, W_k, W_v, 0)


@misconception(
    chunked_prefill, hint="A token attends to itself: at which position of the text does token 0 stand?"
)
def itself_hidden(X, cache, W_q, W_k, W_v):
    return chunk_masked(X, cache, W_q, W_k, W_v, len(cache[0]) - 1)


@misconception(
    chunked_prefill, hint="Change the last token of the chunk: may the output of the one before it move?"
)
def one_token_ahead(X, cache, W_q, W_k, W_v):
    return chunk_masked(X, cache, W_q, W_k, W_v, len(cache[0]) + 1)


@misconception(
    chunked_prefill,
    hint="The cache lies in the past, but does all of the chunk? Whom may its first token not see?",
)
def mask_skipped(X, cache, W_q, W_k, W_v):
    K, V = grown(X, cache, W_k, W_v)
    return mixed(X @ W_q, K, V), (K, V)


@misconception(
    chunked_prefill, hint="Change a row of the cached values: do your outputs notice? Should they?"
)
def chunk_by_itself(X, cache, W_q, W_k, W_v):
    return causal(X, W_q, W_k, W_v), grown(X, cache, W_k, W_v)


@misconception(
    chunked_prefill,
    hint="Are the chunk's own keys there when its queries ask? Whom may its last token look at?",
)
def cache_alone(X, cache, W_q, W_k, W_v):
    return mixed(X @ W_q, *cache), grown(X, cache, W_k, W_v)


@misconception(
    chunked_prefill, hint="The next chunk will ask about all the text: how many rows has your cache?"
)
def past_dropped_from_the_cache(X, cache, W_q, W_k, W_v):
    output, _ = chunk_masked(X, cache, W_q, W_k, W_v, len(cache[0]))
    return output, (X @ W_k, X @ W_v)


@misconception(
    chunked_prefill,
    hint="The rows of the cache are keys and values already: what happens to them in your function?",
)
def cached_rows_projected_again(X, cache, W_q, W_k, W_v):
    K, V = np.concatenate([cache[0], X]) @ W_k, np.concatenate([cache[1], X]) @ W_v
    return mixed(X @ W_q, K, V, np.tri(len(X), len(K), k=len(cache[0]), dtype=bool)), (K, V)


@misconception(
    chunked_prefill,
    hint="Add up the weights of one of your rows: who kept the shares of the keys that you hid?",
)
def chunk_hidden_after_the_softmax(X, cache, W_q, W_k, W_v):
    K, V = grown(X, cache, W_k, W_v)
    A = softmax_of(X @ W_q @ K.T / np.sqrt(K.shape[1]))
    return np.tril(A, k=len(cache[0])) @ V, (K, V)


@misconception(
    chunked_prefill, hint="Your weights follow the dot products. What did lesson 3 divide them by?"
)
def chunk_not_scaled(X, cache, W_q, W_k, W_v):
    return chunk_masked(X, cache, W_q, W_k, W_v, len(cache[0]), scale=1.0)


@misconception(
    chunked_prefill, hint="What is exp(1000) in NumPy, and how did lesson 5 get the same weights without it?"
)
def chunk_overflows(X, cache, W_q, W_k, W_v):
    K, V = grown(X, cache, W_k, W_v)
    votes = np.tril(np.exp(X @ W_q @ K.T / np.sqrt(K.shape[1])), k=len(cache[0]))
    return votes / votes.sum(axis=1, keepdims=True) @ V, (K, V)


# --- kv_cache_bytes --------------------------------------------------------------------------------------


def sizes(rng, *around):
    """A whole number near each of `around`."""
    return tuple(int(size + rng.integers(0, 3)) for size in around)


def a_small_model(rng):
    return sizes(rng, 5, 9, 13, 100)


def one_layer_one_head(rng):
    return 1, 1, *sizes(rng, 20, 7)


def a_cache_of_nothing(rng):
    return *sizes(rng, 4, 8, 30), 0


def a_cache_of_tebibytes(rng):
    """Too large for 32 bits, and for the exact whole numbers of a 32-bit float."""
    return sizes(rng, 120, 96, 128, 1_000_000)


def a_batch_in_half_precision(rng):
    return *sizes(rng, 6, 3, 11, 50), int(rng.integers(4, 8))


def a_batch_in_single_precision(rng):
    return *sizes(rng, 7, 4, 17, 60), int(rng.integers(3, 6)), 4


def a_batch_in_one_byte(rng):
    return *sizes(rng, 8, 5, 19, 70), int(rng.integers(5, 9)), 1


@exercise(
    points=3,
    aspects=[
        values(2, a_small_model, one_layer_one_head, a_cache_of_nothing, a_cache_of_tebibytes),
        aspect(
            "batch and itemsize",
            1,
            a_batch_in_half_precision,
            a_batch_in_single_precision,
            a_batch_in_one_byte,
        ),
    ],
    examples=[
        example("by hand: 2 layers of 3 heads of width 4, 5 tokens", 2, 3, 4, 5),
        example("6 sequences, 4 bytes a number", 3, 2, 5, 7, 6, 4),
    ],
)
def kv_cache_bytes(n_layers, n_kv_heads, d_head, seq_len, batch=1, itemsize=2):
    """How many bytes the KV cache of a whole model takes.

    n_layers : int, layers with a cache each
    n_kv_heads : int, heads of keys and values in a layer (query heads need no room)
    d_head : int, the width of a key, and of a value
    seq_len : int, tokens in the cache of one sequence
    batch : int, sequences of that length, each with a cache of its own
    itemsize : int, bytes of one number: 2 in half precision
    Returns the bytes of all keys and values, a whole number.
    """
    return 2 * n_layers * n_kv_heads * d_head * seq_len * batch * itemsize


@alternative(kv_cache_bytes)
def product_of_a_list(n_layers, n_kv_heads, d_head, seq_len, batch=1, itemsize=2):
    return math.prod([n_layers, 2, n_kv_heads, d_head, seq_len, batch, itemsize])


@alternative(kv_cache_bytes)
def keys_then_values(n_layers, n_kv_heads, d_head, seq_len, batch=1, itemsize=2):
    keys = values_too = n_kv_heads * d_head * itemsize
    for_a_token = sum(keys + values_too for _ in range(n_layers))
    return for_a_token * (seq_len * batch)


@alternative(kv_cache_bytes)
def counted_by_numpy(n_layers, n_kv_heads, d_head, seq_len, batch=1, itemsize=2):
    shape = (n_layers, 2, batch, n_kv_heads, seq_len, d_head)
    return np.prod(shape, dtype=np.int64) * np.int64(itemsize)


@misconception(kv_cache_bytes, hint="What is kept of each token: its key alone? What would the weights mix?")
def keys_alone(n_layers, n_kv_heads, d_head, seq_len, batch=1, itemsize=2):
    return n_layers * n_kv_heads * d_head * seq_len * batch * itemsize


@misconception(kv_cache_bytes, hint="Will anybody ask for an old query again? What did you make room for?")
def queries_too(n_layers, n_kv_heads, d_head, seq_len, batch=1, itemsize=2):
    return 3 * n_layers * n_kv_heads * d_head * seq_len * batch * itemsize


@misconception(kv_cache_bytes, hint="In which unit is itemsize given? And in which is the answer asked for?")
def bits(n_layers, n_kv_heads, d_head, seq_len, batch=1, itemsize=2):
    return 8 * 2 * n_layers * n_kv_heads * d_head * seq_len * batch * itemsize


@misconception(kv_cache_bytes, hint="You counted numbers. How many bytes has one of them here?")
def numbers_counted(n_layers, n_kv_heads, d_head, seq_len, batch=1, itemsize=2):
    return 2 * n_layers * n_kv_heads * d_head * seq_len * batch


@misconception(kv_cache_bytes, hint="Do the layers share their keys? How many caches does the model have?")
def one_layer_counted(n_layers, n_kv_heads, d_head, seq_len, batch=1, itemsize=2):
    return 2 * n_kv_heads * d_head * seq_len * batch * itemsize


@misconception(
    kv_cache_bytes, hint="Do the sequences of a batch have their past in common? How many are there?"
)
def one_sequence_counted(n_layers, n_kv_heads, d_head, seq_len, batch=1, itemsize=2):
    return 2 * n_layers * n_kv_heads * d_head * seq_len * itemsize


@misconception(
    kv_cache_bytes,
    hint="Is a key kept for each token, or for each pair of tokens? Double the text: what grows?",
)
def pairs_of_tokens(n_layers, n_kv_heads, d_head, seq_len, batch=1, itemsize=2):
    return 2 * n_layers * n_kv_heads * d_head * seq_len**2 * batch * itemsize


@misconception(kv_cache_bytes, hint="The answer is asked for in bytes: what did you divide by at the end?")
def in_mebibytes(n_layers, n_kv_heads, d_head, seq_len, batch=1, itemsize=2):
    return 2 * n_layers * n_kv_heads * d_head * seq_len * batch * itemsize / 2**20


# --- preallocated_write ----------------------------------------------------------------------------------


def buffers(rng, capacity, length, d_k, d_v):
    """Buffers with `length` slots in use and leftovers of an older text in the others, a key, a value."""
    return *drawn(rng, (capacity, d_k), (capacity, d_v)), length, *drawn(rng, d_k, d_v)


def into_the_middle(rng):
    return buffers(rng, 6, 3, 4, 2)


def into_the_first_slot(rng):
    return buffers(rng, 4, 0, 3, 5)


def into_the_last_slot(rng):
    return buffers(rng, 5, 4, 2, 3)


def a_buffer_of_one_slot(rng):
    return buffers(rng, 1, 0, 2, 4)


def fresh_buffers_of_zeros(rng):
    return np.zeros((4, 3)), np.zeros((4, 3)), 1, *drawn(rng, 3, 3)


def single_precision_buffers(rng):
    K, V, length, k, v = buffers(rng, 7, 5, 3, 6)
    return *rounded_to(np.float32, K, V), length, *rounded_to(np.float32, k, v)


def written_three_times(rng):
    """Each call goes on from the length that the last one returned."""
    K, V, length, k, v = buffers(rng, 5, 1, 3, 2)
    more = {"k_1": rng.normal(size=3), "v_1": rng.normal(size=2)}
    return [
        *(Let(*pair) for pair in (("K", K), ("V", V), ("length", length), ("k", k), ("v", v))),
        *(Let(*pair) for pair in more.items()),
        Call("preallocated_write", ("K", "V", "length", "k", "v"), "two"),
        Call("preallocated_write", ("K", "V", "two", "k_1", "v_1"), "three"),
        Call("preallocated_write", ("K", "V", "three", "k", "v"), "four"),
        Look("K"),
        Look("V"),
    ]


def one_too_many(rng):
    return buffers(rng, 3, 3, 4, 2)


def one_into_none(rng):
    return np.zeros((0, 3)), np.zeros((0, 2)), 0, *drawn(rng, 3, 2)


def the_last_slot_then_one_too_many(rng):
    K, V, length, k, v = buffers(rng, 4, 3, 2, 5)
    k_1, v_1 = drawn(rng, 2, 5)
    return [
        *(Let(*pair) for pair in (("K", K), ("V", V), ("length", length), ("k", k), ("v", v))),
        Let("k_1", k_1),
        Let("v_1", v_1),
        Call("preallocated_write", ("K", "V", "length", "k", "v"), "full"),
        Look("K"),
        Look("V"),
        Call("preallocated_write", ("K", "V", "full", "k_1", "v_1")),
    ]


@exercise(
    points=4,
    writes=True,
    aspects=[
        values(
            3,
            into_the_middle,
            into_the_first_slot,
            into_the_last_slot,
            a_buffer_of_one_slot,
            fresh_buffers_of_zeros,
            single_precision_buffers,
            written_three_times,
        ),
        aspect(
            "a full buffer",
            1,
            raising(ValueError, one_too_many),
            raising(ValueError, one_into_none),
            raising(ValueError, the_last_slot_then_one_too_many),
        ),
    ],
    examples=[
        example(
            "by hand: the third of four slots",
            [[0.1, 0.5], [0.9, 0.2], [0.0, 0.0], [0.0, 0.0]],
            [[1.0], [2.0], [0.0], [0.0]],
            2,
            [0.4, 0.8],
            [3.0],
        ),
        example(
            "five slots, two in use, an older text in the others",
            [[1.0, 2.0], [3.0, 4.0], [-1.0, 5.0], [6.0, -2.0], [0.5, 7.0]],
            [[2.0, 0.0], [1.0, 3.0], [4.0, -4.0], [8.0, 1.5], [-3.0, 9.0]],
            2,
            [0.25, -0.75],
            [1.25, 2.5],
        ),
        example(
            "a full buffer",
            [[1.0, 2.0], [3.0, 4.0]],
            [[5.0], [6.0]],
            2,
            [7.0, 8.0],
            [9.0],
        ),
    ],
)
def preallocated_write(buf_K, buf_V, length, k_new, v_new):
    """Write one token's key and value into the first free slot of the buffers.

    buf_K : (capacity, d_k), keys in slots 0 … length-1, the others free: they may hold
        anything. This function writes into it.
    buf_V : (capacity, d_v), the values, likewise
    length : int, slots in use
    k_new : (d_k,)
    v_new : (d_v,)
    Returns the new length, an int (a whole number). No other slot changes.
    Raises ValueError when no slot is free, with both buffers as they were.
    """
    if length >= len(buf_K):
        raise ValueError(f"all {len(buf_K)} slots are in use: there is no room for another token")
    buf_K[length] = k_new
    buf_V[length] = v_new
    return length + 1


@alternative(preallocated_write)
def feature_by_feature(buf_K, buf_V, length, k_new, v_new):
    if length == buf_K.shape[0]:
        raise ValueError
    for c in range(len(k_new)):
        buf_K[length, c] = k_new[c]
    for c in range(len(v_new)):
        buf_V[length, c] = v_new[c]
    return 1 + length


@alternative(preallocated_write)
def slices_of_one_row(buf_K, buf_V, length, k_new, v_new):
    slot = slice(length, length + 1)
    if not len(buf_K[slot]):
        raise ValueError("full")
    buf_K[slot], buf_V[slot] = k_new[None], v_new[None]
    return np.int64(slot.stop)


@alternative(preallocated_write)
def index_error_translated(buf_K, buf_V, length, k_new, v_new):
    try:
        for buffer, row in ((buf_K, k_new), (buf_V, v_new)):
            np.copyto(buffer[length], row)
    except IndexError as error:
        raise ValueError("the buffer is full") from error
    return np.array(length) + 1


def written(buf_K, buf_V, slot, k_new, v_new):
    buf_K[slot], buf_V[slot] = k_new, v_new


def refused_if_full(buf_K, length):
    if length >= len(buf_K):
        raise ValueError("full")


@misconception(preallocated_write, hint="Two slots are in use, 0 and 1: whose key did you write over?")
def last_used_slot(buf_K, buf_V, length, k_new, v_new):
    refused_if_full(buf_K, length)
    written(buf_K, buf_V, length - 1, k_new, v_new)
    return length + 1


@misconception(
    preallocated_write,
    hint="Two slots are in use, 0 and 1: which is the first free one? What of it in yours?",
)
def one_slot_skipped(buf_K, buf_V, length, k_new, v_new):
    refused_if_full(buf_K, length)
    if length + 1 < len(buf_K):
        written(buf_K, buf_V, length + 1, k_new, v_new)
    return length + 1


@misconception(
    preallocated_write,
    hint="When the buffer is full, whose key do you lose, and does the caller get to know?",
)
def wraps_round(buf_K, buf_V, length, k_new, v_new):
    if len(buf_K):
        written(buf_K, buf_V, length % len(buf_K), k_new, v_new)
    return length + 1


@misconception(
    preallocated_write,
    hint="An empty slice takes any row without a word. What happens to the token after the last slot?",
)
def swallowed_by_an_empty_slice(buf_K, buf_V, length, k_new, v_new):
    written(buf_K, buf_V, slice(length, length + 1), k_new, v_new)
    return length + 1


@misconception(
    preallocated_write,
    hint="An index beyond the buffer raises an error of NumPy's: which one does the docstring promise?",
)
def error_left_to_numpy(buf_K, buf_V, length, k_new, v_new):
    written(buf_K, buf_V, length, k_new, v_new)
    return length + 1


@misconception(
    preallocated_write, hint="A token found by its key must have something to give: what is in its slot?"
)
def keys_written_alone(buf_K, buf_V, length, k_new, v_new):
    refused_if_full(buf_K, length)
    buf_K[length] = k_new
    return length + 1


@misconception(
    preallocated_write,
    hint="Look at the caller's buffer after your call: is anything in it that was not before?",
)
def written_into_copies(buf_K, buf_V, length, k_new, v_new):
    refused_if_full(buf_K, length)
    written(buf_K.copy(), buf_V.copy(), length, k_new, v_new)
    return length + 1


@misconception(
    preallocated_write,
    hint="The caller writes the next token at the length that you return: into which slot?",
)
def length_as_it_was(buf_K, buf_V, length, k_new, v_new):
    refused_if_full(buf_K, length)
    written(buf_K, buf_V, length, k_new, v_new)
    return length


@misconception(preallocated_write, hint="One token came. How many slots of the buffer hold its key now?")
def all_free_slots_filled(buf_K, buf_V, length, k_new, v_new):
    refused_if_full(buf_K, length)
    written(buf_K, buf_V, slice(length, None), k_new, v_new)
    return length + 1


@misconception(
    preallocated_write,
    hint="At a full buffer you raise. What do the two buffers hold then that they did not before?",
)
def written_before_it_raises(buf_K, buf_V, length, k_new, v_new):
    if len(buf_K):
        written(buf_K, buf_V, min(length, len(buf_K) - 1), k_new, v_new)
    refused_if_full(buf_K, length)
    return length + 1


# --- preallocated_attend ---------------------------------------------------------------------------------


def in_use(rng, capacity, length, d_k, d_v):
    """A query and buffers with an older text in the free slots."""
    return rng.normal(size=d_k), *drawn(rng, (capacity, d_k), (capacity, d_v)), length


def three_of_seven(rng):
    return in_use(rng, 7, 3, 4, 2)


def zeros_in_the_free_slots(rng):
    q, K, V, length = in_use(rng, 6, 4, 3, 5)
    K[length:], V[length:] = 0.0, 0.0
    return q, K, V, length


def one_slot_in_use(rng):
    return in_use(rng, 4, 1, 5, 3)


def all_slots_in_use(rng):
    return in_use(rng, 5, 5, 2, 4)


def buffers_all_square(rng):
    return in_use(rng, 4, 2, 4, 4)


def one_slot_left(rng):
    return in_use(rng, 6, 5, 3, 2)


def attend_in_single_precision(rng):
    q, K, V, length = in_use(rng, 8, 5, 4, 3)
    return *rounded_to(np.float32, q, K, V), length


def attend_in_half_precision(rng):
    q, K, V, length = in_use(rng, 5, 3, 4, 2)
    return *rounded_to(np.float16, q, K, 1.5 + 0.1 * V), length


def large_numbers_in_the_free_slots(rng):
    """Keys that score +1e6 and values of 1e30: a weight of any size for them shows."""
    q, K, V, length = in_use(rng, 6, 3, 3, 4)
    K[length:], V[length:] = 1e6 * q, 1e30
    return q, K, V, length


def nan_in_the_free_slots(rng):
    q, K, V, length = in_use(rng, 7, 4, 2, 3)
    K[length:], V[length:] = np.nan, np.nan
    return q, K, V, length


def nan_among_the_free_keys(rng):
    """Values of the usual size beside them: here a weight of 0 is enough."""
    q, K, V, length = in_use(rng, 6, 2, 3, 4)
    K[length:, 1] = np.nan
    return q, K, V, length


def nan_among_the_free_values(rng):
    q, K, V, length = in_use(rng, 5, 3, 4, 2)
    V[-1] = np.nan
    return q, K, V, length


def inf_in_one_free_slot(rng):
    q, K, V, length = in_use(rng, 5, 2, 3, 3)
    K[-1], V[-1] = -np.inf, np.inf
    return q, K, V, length


def with_scaled_scores(rng, scores, capacity, d_k, d_v):
    """Buffers whose first slots have the scaled scores `scores` with the query."""
    q, K, V, _ = in_use(rng, capacity, 0, d_k, d_v)
    q = rng.uniform(1, 2, size=d_k) * rng.choice([-1, 1], size=d_k)
    K -= np.outer(K @ q / (q @ q), q)
    K[: len(scores)] += np.outer(np.array(scores) * math.sqrt(d_k) / (q @ q), q)
    return q, K, V, len(scores)


def attend_to_scores_near_a_thousand(rng):
    scores = np.array([1000.3, -1000.0, 999.1, 1000.0]) + rng.uniform(-0.1, 0.1, size=4)
    return with_scaled_scores(rng, scores, 6, 3, 2)


def attend_to_scores_near_minus_a_thousand(rng):
    """The free slots score 0, far above the others."""
    scores = np.array([-1000.0, -1001.0, -999.4]) + rng.uniform(-0.1, 0.1, size=3)
    return with_scaled_scores(rng, scores, 5, 4, 3)


@exercise(
    points=5,
    aspects=[
        values(
            2,
            three_of_seven,
            zeros_in_the_free_slots,
            one_slot_in_use,
            all_slots_in_use,
            buffers_all_square,
            one_slot_left,
            attend_in_single_precision,
            attend_in_half_precision,
        ),
        aspect(
            "anything in the free slots",
            1,
            large_numbers_in_the_free_slots,
            nan_in_the_free_slots,
            nan_among_the_free_keys,
            nan_among_the_free_values,
            inf_in_one_free_slot,
        ),
        aspect("large scores", 1, attend_to_scores_near_a_thousand, attend_to_scores_near_minus_a_thousand),
        unchanged(1),
    ],
    examples=[
        example(
            "by hand: votes 1 and 3, two slots of zeros",
            [1.0],
            [[0.0], [math.log(3)], [0.0], [0.0]],
            [[4.0, 0.0], [0.0, 4.0], [0.0, 0.0], [0.0, 0.0]],
            2,
        ),
        example(
            "three of five slots, an older text in the others",
            [1.0, -0.5],
            [[0.5, 1.0], [-1.0, 0.25], [2.0, -0.5], [1.5, -2.0], [-0.5, 3.0]],
            [[1.0, 2.0, 0.5], [-3.0, 0.5, 4.0], [0.25, -1.0, 2.0], [7.0, -6.0, 5.0], [2.5, 8.0, -9.0]],
            3,
        ),
        example(
            "a free slot whose key is nan",
            [1.0, 2.0],
            [[0.5, 1.0], [1.0, -0.5], [math.nan, math.nan]],
            [[1.0], [2.0], [0.0]],
            2,
        ),
        example(
            "a free slot whose value is nan",
            [1.0, 2.0],
            [[0.5, 1.0], [1.0, -0.5], [0.0, 0.0]],
            [[1.0], [2.0], [math.nan]],
            2,
        ),
        example(
            "scores near -1000, and an older text that scores 0",
            [100.0, 1.0],
            [[-14.0, 1.0], [-14.01, 2.0], [0.0, 0.0]],
            [[1.0], [2.0], [5.0]],
            2,
        ),
    ],
)
def preallocated_attend(q, buf_K, buf_V, length):
    """The output for one query over the slots in use: o = softmax(q Kᵀ / √d_k) V.

    q : (d_k,)
    buf_K : (capacity, d_k), keys in slots 0 … length-1; the others may hold anything,
        nan and inf among it
    buf_V : (capacity, d_v), the values, likewise
    length : int, slots in use, 1 or more
    Returns o : (d_v,). Scores of 1000 or -1000 must not break it.
    """
    K, V = buf_K[:length], buf_V[:length]
    scores = K @ q / np.sqrt(len(q))
    votes = np.exp(scores - scores.max())
    return votes / votes.sum() @ V


@alternative(preallocated_attend)
def masked_and_cleaned(q, buf_K, buf_V, length):
    used = np.arange(len(buf_K)) < length
    K, V = (np.where(used[:, None], buffer, 0.0) for buffer in (buf_K, buf_V))
    scores = np.where(used, K @ q / np.sqrt(K.shape[1]), -np.inf)
    return np.exp(scores - np.logaddexp.reduce(scores)) @ V


@alternative(preallocated_attend)
def slot_by_slot(q, buf_K, buf_V, length):
    def score(k):
        return math.fsum(float(a) * float(b) for a, b in zip(q, k, strict=True)) / math.sqrt(len(q))

    scores = [score(buf_K[slot]) for slot in range(length)]
    votes = [math.exp(one - max(scores)) for one in scores]
    mixed_values = ([vote * float(v) for v in buf_V[slot]] for slot, vote in enumerate(votes))
    return [math.fsum(column) / math.fsum(votes) for column in zip(*mixed_values, strict=True)]


@alternative(preallocated_attend)
def running_maximum(q, buf_K, buf_V, length):
    m, l, o = -np.inf, 0.0, np.zeros(buf_V.shape[1])
    for k, v, _ in zip(buf_K, buf_V, range(length), strict=False):
        score = float(np.sum(k.astype(float) * q)) / np.sqrt(len(q))
        m, before = max(m, score), m
        l = l * np.exp(before - m) + np.exp(score - m)
        o = o * np.exp(before - m) + np.exp(score - m) * v
    return o / l


def over_slots(q, K, V, scale=None):
    """Attention of one query over all of K and V; zeros where there is no key."""
    return softmax_of(K @ q / (scale or np.sqrt(len(q)))) @ V


@misconception(
    preallocated_attend,
    hint="A key of zeros scores 0, and exp(0) = 1: how many votes are cast in a half-full buffer?",
)
def free_slots_read(q, buf_K, buf_V, length):
    return over_slots(q, buf_K, buf_V)


@misconception(
    preallocated_attend, hint="The newest token has been written: in which slot? Does your query see it?"
)
def newest_slot_missed(q, buf_K, buf_V, length):
    return over_slots(q, buf_K[: length - 1], buf_V[: length - 1])


@misconception(preallocated_attend, hint="Slots 0 to length-1 are in use: how many slots did you read?")
def one_free_slot_read(q, buf_K, buf_V, length):
    return over_slots(q, buf_K[: length + 1], buf_V[: length + 1])


@misconception(
    preallocated_attend,
    hint="You gave the free slots the score 0: which vote is that? Which score casts none?",
)
def zero_for_free_slots(q, buf_K, buf_V, length):
    scores = np.where(np.arange(len(buf_K)) < length, buf_K @ q / np.sqrt(len(q)), 0.0)
    return softmax_of(scores) @ buf_V


@misconception(
    preallocated_attend,
    hint="What do the weights of the slots in use add up to in yours, and what should they?",
)
def cut_after_the_softmax(q, buf_K, buf_V, length):
    return softmax_of(buf_K @ q / np.sqrt(len(q)))[:length] @ buf_V[:length]


@misconception(
    preallocated_attend,
    hint="The free slots get the weight 0. What is 0 times nan, or 0 times a value that is inf?",
)
def weight_zero_times_nan(q, buf_K, buf_V, length):
    scores = np.where(np.arange(len(buf_K)) < length, buf_K @ q / np.sqrt(len(q)), -np.inf)
    return softmax_of(scores) @ buf_V


@misconception(
    preallocated_attend, hint="A mask that is added leaves nan as it is: what is nan minus infinity?"
)
def mask_added_to_nan(q, buf_K, buf_V, length):
    free = np.arange(len(buf_K)) >= length
    scores = buf_K @ q / np.sqrt(len(q)) + np.where(free, -np.inf, 0.0)
    return softmax_of(scores) @ np.where(free[:, None], 0.0, buf_V)


@misconception(
    preallocated_attend, hint="Your weights follow the dot products. What did lesson 3 divide them by?"
)
def slots_not_scaled(q, buf_K, buf_V, length):
    return over_slots(q, buf_K[:length], buf_V[:length], 1.0)


@misconception(
    preallocated_attend,
    hint="What is exp(-1000) in NumPy, and how did lesson 5 get the same weights without it?",
)
def slots_overflow(q, buf_K, buf_V, length):
    votes = np.exp(buf_K[:length] @ q / np.sqrt(len(q)))
    return votes / votes.sum() @ buf_V[:length]


# --- gather_pages ----------------------------------------------------------------------------------------


def paged(rng, table, length, n_pages, page_size, d):
    return rng.normal(size=(n_pages, page_size, d)), np.array(table), length


def out_of_order(rng):
    return paged(rng, [4, 1, 3], 8, 6, 3, 2)


def going_down(rng):
    return paged(rng, [3, 2, 1, 0], 14, 5, 4, 3)


def as_many_pages_as_slots(rng):
    return paged(rng, [2, 0, 3], 7, 4, 3, 5)


def one_page(rng):
    return paged(rng, [2], 3, 3, 5, 4)


def pages_of_one_token(rng):
    return paged(rng, [5, 0, 3, 1], 4, 6, 1, 2)


def all_sizes_equal(rng):
    return paged(rng, [2, 0, 1], 8, 3, 3, 3)


def in_single_precision(rng):
    pages, table, length = paged(rng, [1, 4, 0], 9, 5, 4, 2)
    return pages.astype(np.float32), table, length


def in_half_precision(rng):
    pages, table, length = paged(rng, [3, 0], 3, 4, 2, 5)
    return pages.astype(np.float16), table, length


def a_page_shared_by_two_texts(rng):
    """Two texts with the same beginning: both tables name page 4 first."""
    pages, table, length = paged(rng, [4, 2], 5, 5, 3, 2)
    names = ("pages", "table", "length")
    return [
        *(Let(name, value) for name, value in zip(names, (pages, table, length), strict=True)),
        Let("table_other", np.array([4, 0])),
        Let("length_other", 4),
        Call("gather_pages", names),
        Call("gather_pages", ("pages", "table_other", "length_other")),
    ]


def a_page_named_twice(rng):
    return paged(rng, [1, 3, 1], 8, 4, 3, 2)


def full_pages(rng):
    return paged(rng, [3, 0], 8, 4, 4, 3)


def one_token_in_the_last_page(rng):
    return paged(rng, [2, 3, 0], 7, 4, 3, 2)


def pages_in_reserve(rng):
    return paged(rng, [1, 4, 0, 3], 3, 5, 2, 3)


def nothing_yet(rng):
    return paged(rng, [2], 0, 3, 4, 2)


@exercise(
    points=4,
    aspects=[
        values(
            2,
            out_of_order,
            going_down,
            as_many_pages_as_slots,
            one_page,
            pages_of_one_token,
            all_sizes_equal,
            in_single_precision,
            in_half_precision,
            a_page_shared_by_two_texts,
            a_page_named_twice,
        ),
        aspect("where it ends", 1, full_pages, one_token_in_the_last_page, pages_in_reserve, nothing_yet),
        unchanged(1),
    ],
    examples=[
        example(
            "by hand: three tokens on pages 2 and 0",
            [[[5.0], [6.0]], [[7.0], [8.0]], [[3.0], [4.0]]],
            [2, 0],
            3,
        ),
        example(
            "seven tokens on pages 2, 0 and 3, three to a page",
            [
                [[1.0, -1.0], [2.0, -2.0], [3.0, -3.0]],
                [[4.0, -4.0], [5.0, -5.0], [6.0, -6.0]],
                [[7.0, -7.0], [8.0, -8.0], [9.0, -9.0]],
                [[10.0, -10.0], [11.0, -11.0], [12.0, -12.0]],
            ],
            [2, 0, 3],
            7,
        ),
        example(
            "a page in reserve, and page 1 first",
            [[[1.0], [2.0]], [[3.0], [4.0]], [[5.0], [6.0]]],
            [1, 2, 0],
            4,
        ),
    ],
)
def gather_pages(pages, table, length):
    """The rows of one text, in order, from the pages that hold them.

        Token t is in slot t % page_size of page table[t // page_size].

    pages : (n_pages, page_size, d), the store of all texts; a page may belong to
        several texts, or to none
    table : (m,), whole numbers: the pages of this text, in the order of its tokens.
        There may be more of them than are needed yet.
    length : int, tokens in the text, at most m · page_size; may be 0
    Returns rows : (length, d)
    """
    return pages[table].reshape(-1, pages.shape[2])[:length]


@alternative(gather_pages)
def token_by_token(pages, table, length):
    rows = np.empty((length, pages.shape[2]))
    for t in range(length):
        page, slot = divmod(t, pages.shape[1])
        rows[t] = pages[table[page], slot]
    return rows


@alternative(gather_pages)
def indexed_at_once(pages, table, length):
    t = np.arange(length)
    return pages[np.asarray(table)[t // pages.shape[1]], t % pages.shape[1]]


@alternative(gather_pages)
def row_numbers_in_the_store(pages, table, length):
    size = pages.shape[1]
    rows = [page * size + slot for page in table for slot in range(size)]
    return np.take(np.concatenate(list(pages)), rows[:length], axis=0) if length else pages[0][:0]


@alternative(gather_pages)
def page_after_page(pages, table, length):
    found = np.zeros((0, pages.shape[2]))
    for page in table:
        found = np.vstack([found, pages[page][: max(0, length - len(found))]])
    return found


@misconception(
    gather_pages,
    hint="Pages lie where there was room. Which number in the table comes first, and where is it?",
)
def first_pages_of_the_store(pages, table, length):
    return np.concatenate(list(pages))[:length]


@misconception(
    gather_pages, hint="Does the order of the table matter in yours? Which page holds the oldest tokens?"
)
def pages_in_physical_order(pages, table, length):
    return np.concatenate(list(pages[np.sort(table)]))[:length]


@misconception(gather_pages, hint="How many rows did you return, and how many tokens has the text?")
def tail_kept(pages, table, length):
    return np.concatenate(list(pages[table]))


@misconception(
    gather_pages, hint="Seven tokens, three to a page: how many rows did you return? What of the last page?"
)
def last_page_dropped(pages, table, length):
    whole = length // pages.shape[1]
    return np.concatenate([pages[0][:0], *pages[table[:whole]]])


@misconception(gather_pages, hint="Token 1 is the neighbour of token 0: is it on the same page in yours?")
def divmod_swapped(pages, table, length):
    slots, places = np.divmod(np.arange(length), pages.shape[1])
    return pages[table[places], slots]


@misconception(
    gather_pages, hint="After the last row of the first page comes which page: the next in the store?"
)
def contiguous_from_the_first_page(pages, table, length):
    start = table[0] * pages.shape[1]
    return np.concatenate(list(pages))[start : start + length]


@misconception(gather_pages, hint="Does the table count pages from 0 or from 1? Which page is number 0?")
def pages_counted_from_one(pages, table, length):
    return np.concatenate(list(pages[table - 1]))[:length]


@misconception(
    gather_pages, hint="The last page is not full: at which end of your rows are the slots nobody wrote to?"
)
def trimmed_at_the_front(pages, table, length):
    rows = np.concatenate(list(pages[table]))
    return rows[len(rows) - length :]


@misconception(
    gather_pages,
    hint="One page holds neighbours. Do yours come page by page, or the first slot of each page first?",
)
def slots_before_pages(pages, table, length):
    return np.swapaxes(pages[table], 0, 1).reshape(-1, pages.shape[2])[:length]


# --- questions -------------------------------------------------------------------------------------------

one_step_with_a_cache = question(
    "one_step_with_a_cache",
    "choice",
    seed_item="S1.5",
    prompt=(
        "A text of $n$ tokens has been processed, its keys and values are in the cache. Token number $n + 1$ "
        "arrives. What does a head compute?"
    ),
    options={
        "A": (
            "$q$, $k$ and $v$ of the new token. Its $q$ attends over the $n$ cached keys and values; after "
            "that its $k$ and $v$ are appended, for the next step."
        ),
        "B": "$q$ of the new token alone. The keys and values that it attends over are all in the cache.",
        "C": (
            "$q$, $k$ and $v$ of the new token. Its $k$ and $v$ are appended, and its $q$ attends over all "
            "$n + 1$."
        ),
        "D": (
            "$q$, $k$ and $v$ of all $n + 1$ tokens, and one new row of weights: the other $n$ rows are "
            "what the cache holds."
        ),
    },
    key="C",
    hints=[
        ("A", "In causal attention token i may look at j ≤ i. Is j = i among the keys here?"),
        ("B", "Where would the new token's own key come from, if only its query is computed?"),
        ("D", "Which two things of the old tokens will the new query need? Are these rows of weights?"),
    ],
)

update_the_cache = question(
    "update_the_cache",
    "numbers",
    seed_item="S1.6",
    prompt=(
        "The cached keys are $K = \\begin{pmatrix} 0.1 & 0.5\\\\ 0.9 & 0.2\\end{pmatrix}$. The new token has "
        "the key $k = (0.4, 0.8)$. Give $K$ after the step, row by row."
    ),
    key=[0.1, 0.5, 0.9, 0.2, 0.4, 0.8],
    hints=[
        ([0.4, 0.8, 0.1, 0.5, 0.9, 0.2], "Rows stand in the order of the text. Which token is the newest?"),
        ([0.1, 0.5, 0.4, 0.8], "Whose key is gone? Will nobody look for that token again?"),
        ([0.4, 0.8, 0.9, 0.2], "Whose key is gone? Will nobody look for that token again?"),
        ([0.1, 0.5, 0.4, 0.9, 0.2, 0.8], "You added a column. How many features does a key have here?"),
        ([0.5, 1.3, 1.3, 1.0], "You added the key to each row. Is a cache a sum, or a list?"),
        ([0.4, 0.8], "That is the new row alone. What of the two tokens before it?"),
    ],
)

cost_without_a_cache = question(
    "cost_without_a_cache",
    "choice",
    seed_item="S3.13",
    prompt=(
        "A model writes a text of $n$ tokens, one at a time, and has no cache. Why does it take so much "
        "longer than with one?"
    ),
    options={
        "A": (
            "Each new query has to meet every key of the past. With a cache these dot products are not "
            "needed any more."
        ),
        "B": (
            "For one new row, each step redoes the whole prefix: all projections and all pairs, $t^2$ "
            "at step $t$."
        ),
        "C": (
            "The weight matrices have to be read from memory anew for each token; the cache is where they "
            "are kept at hand."
        ),
        "D": (
            "Rows of the softmax get longer and longer, so that the earlier rows must be normalised again "
            "at each step."
        ),
    },
    key="B",
    hints=[
        ("A", "With a cache, how many keys does query t meet at step t? Which work is it that falls away?"),
        ("C", "What is in a KV cache: something of the model, or something of the text?"),
        ("D", "With a causal mask, does the row of an old token change when a new one comes?"),
    ],
)

why_no_query_cache = question(
    "why_no_query_cache",
    "choice",
    prompt="Keys and values are cached. Why does nobody cache the queries?",
    options={
        "A": (
            "Queries depend on the whole text so far, and change whenever a token is added; keys and values "
            "depend on one token."
        ),
        "B": "They would help as well, but memory is the limit, and a query is soon made again.",
        "C": "The cached keys contain them: a query can be worked out from a key by $W^q$ and $W^k$.",
        "D": "A query is used up in its own step. Later steps ask with queries of their own, about old keys.",
    },
    key="D",
    hints=[
        ("A", "q_i = x_i W_q: which other token's x enters it?"),
        ("B", "In which later step, and in which formula, would the query of an old token occur?"),
        ("C", "For which purpose would a later step work it out? In which formula does an old query occur?"),
    ],
)

llama_cache_gib = question(
    "llama_cache_gib",
    "number",
    prompt=(
        "Llama 3 8B has 32 layers with 32 query heads and 8 heads of keys and values each, all of width 128. "
        "Its cache is kept in half precision, two bytes a number. How many GiB ($2^{30}$ bytes) does it take "
        "for one text of 8,192 tokens? All factors are powers of two: no calculator is needed."
    ),
    key=1,
    hints=[
        (4, "That is the cache of 32 heads. Which heads have keys and values of their own?"),
        (0.5, "You made room for the keys. What else is kept of each token?"),
        (8, "In which unit is the memory of a computer counted here: in bits, or in bytes?"),
        (2, "Four bytes a number, or twice the two matrices? How many bytes has a number in half precision?"),
        (1.5, "Three matrices are in there. Which of them does no later step ask for?"),
        (1 / 32, "That is one layer. How many layers have a cache of their own?"),
        (1 / 8, "That is one head of eight. Do they share one cache?"),
        (1.0737, "You divided by 10⁹. How many bytes has a GiB?"),
        (1024, "That is in MiB. How many of these make a GiB?"),
        (1073741824, "That is the number of bytes. How many of these make a GiB?"),
    ],
)

diagnose_the_service = free_text(
    "diagnose_the_service",
    prompt=(
        "A team serves a language model with a KV cache of its own making. Three complaints come in. "
        "**(1)** Prompts of up to 512 tokens are answered well. Longer ones, read in chunks of 512, "
        "are answered as if most of the prompt were unknown, and the answer changes with the size of the "
        "chunks. **(2)** Answers are right, but the longer the text, the longer each further token takes, "
        "and a profile shows that as many bytes are *written* in a step as the whole cache holds. **(3)** "
        "After a restart all is well. After some hours, a short text now and then gives nan, though never "
        "the first one that is served. For each of the three, name the most likely mistake and a test of a "
        "few lines that would show it; then say which one property a test of the whole cache should check."
    ),
    rubric=[
        (
            1,
            "(1) The mask of the second chunk is aligned to the upper left corner (or square): its queries "
            "count from 0 instead of from n. Test: two chunks against one, or one query after five keys.",
        ),
        (
            1,
            "(2) The cache is concatenated anew in each step: it copies all rows to add one. Test: bytes or "
            "time of a step against n; preallocated, a step writes one row.",
        ),
        (
            1,
            "(3) Slots beyond the length, or what an older text left there, are read: a mask gives weight 0, "
            "and 0 times nan (or inf) is nan. Test: fill the free slots with nan and ask again.",
        ),
        (
            1,
            "The property: any schedule of prefill, chunks and single steps gives the outputs of causal "
            "attention over the whole text, up to rounding.",
        ),
    ],
    model_answer=(
        "(1) The causal mask of a later chunk lies in the upper left corner: query i of the chunk sees keys "
        "0 to i of the text instead of 0 to n + i, so that most of the prompt, and of the chunk itself, is "
        "hidden. In the first chunk n is 0 and nothing shows. Test: send ten tokens as one chunk and as two, "
        "and compare the outputs. (2) The cache is made anew by concatenation in each step, which copies all "
        "rows for the sake of one. Test: measure the bytes written in a step at 100 and at 1,000 tokens: "
        "they grow tenfold, and with a preallocated buffer they stay. (3) Free slots of a buffer are "
        "read. They get the weight 0, but an older text has left inf or nan in them, and 0 times nan is nan; "
        "a fresh buffer holds zeros, so the first text is safe. Test: fill all slots from the length on with "
        "nan and compare the output with that before. One property covers all: any cut of a text into "
        "prefill, chunks and single steps, in buffers that held something else before, must give the rows of "
        "full causal attention, up to rounding."
    ),
)
