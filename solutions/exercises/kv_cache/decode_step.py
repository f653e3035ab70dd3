"""`decode_step`: cases, the reference, other right solutions, known mistakes."""

import math

import numpy as np

from autograder.exercise import alternative, aspect, example, exercise, misconception, unchanged, values
from autograder.sandbox.script import Call, Let, Look

from .kv_append import kv_append
from .shared import drawn, grown, loud_matrices, loud_past, loud_tokens, matrices, mixed, rounded_to


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
    """What a function remembers of the one text is wrong for the other, though that is as long as the
    first one is by now; and the first step's answer must outlive the others."""
    x, cache, *W = one_step(rng, 3, 4, 2, 5)
    names = ("W_q", "W_k", "W_v")
    return [
        Let("x", x),
        Let("cache", cache),
        *(Let(name, value) for name, value in zip(names, W, strict=True)),
        Let("x_other", rng.normal(size=4)),
        Let("cache_other", drawn(rng, (4, 2), (4, 5))),
        Call("decode_step", ("x", "cache", *names), "first"),
        Call("decode_step", ("x_other", "cache_other", *names)),
        Call("decode_step", ("x_other", "cache", *names)),
        Look("first"),
    ]


def step_with_scores_near_a_thousand(rng):
    """The highest scores are neither the first nor the token's own, and far above the mean."""
    [x] = loud_tokens(rng, [1.0], 5)
    return x, loud_past(rng, [-1, 1, 1, -1], 3, 4), *loud_matrices(rng, 5, 3, 4, keys=-1.0)


def step_that_sees_itself_alone(rng):
    """The token's own score is +1000, all others are −1000."""
    [x] = loud_tokens(rng, [-1.0], 3)
    return x, loud_past(rng, [1, 1, 1], 4, 2), *loud_matrices(rng, 3, 4, 2)


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
        aspect(
            "large scores",
            1,
            step_with_scores_near_a_thousand,
            step_that_sees_itself_alone,
            step_with_scores_near_minus_a_thousand,
        ),
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
            "the first token: nothing is in the cache",
            np.array([1.0, -2.0]),
            (np.zeros((0, 2)), np.zeros((0, 2))),
            [[1.0, 0.5], [-0.5, 2.0]],
            [[0.5, -1.0], [1.5, 1.0]],
            [[2.0, 0.25], [-1.0, 3.0]],
        ),
        example(
            "scores near 1000",
            np.array([1.0, 0.5, -1.0]),
            (np.array([[30.0, 1.0], [30.0, -1.0]]), np.array([[1.0], [2.0]])),
            [[50.0, 0.0], [0.0, 1.0], [0.0, 1.0]],
            [[30.0, 0.0], [0.0, 1.0], [0.0, -1.0]],
            [[3.0], [0.0], [2.0]],
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
    else: other texts may be decoded between two of your steps, and a cache that you
    have returned stays as it is.
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


@misconception(decode_step, hint="A token attends to itself: is its own key there when its query asks?")
def attends_before_appending(x_t, cache, W_q, W_k, W_v):
    return mixed((x_t @ W_q)[None], *cache)[0], grown(x_t[None], cache, W_k, W_v)


@misconception(
    decode_step,
    hint="A token attends to itself: does the second one take anything of its own value in yours?",
)
def itself_seen_by_the_first_alone(x_t, cache, W_q, W_k, W_v):
    _, grown_cache = attends_before_appending(x_t, cache, W_q, W_k, W_v)
    first = len(cache[0]) == 0
    return x_t @ W_v if first else mixed((x_t @ W_q)[None], *cache)[0], grown_cache


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
    decode_step, hint="The variance of a score grows as d_k: which power of it brings that back to 1?"
)
def step_divided_by_d_k(x_t, cache, W_q, W_k, W_v):
    K, V = grown(x_t[None], cache, W_k, W_v)
    return mixed((x_t @ W_q)[None], K, V, scale=K.shape[1])[0], (K, V)


@misconception(
    decode_step,
    hint="A score is a product of a query and a key: what has the width of the values to do with it?",
)
def step_scaled_by_d_v(x_t, cache, W_q, W_k, W_v):
    K, V = grown(x_t[None], cache, W_k, W_v)
    return mixed((x_t @ W_q)[None], K, V, scale=math.sqrt(V.shape[1]))[0], (K, V)


@misconception(
    decode_step, hint="How many products does one score add up? Which width is that, and which did you take?"
)
def step_scaled_by_d_model(x_t, cache, W_q, W_k, W_v):
    K, V = grown(x_t[None], cache, W_k, W_v)
    return mixed((x_t @ W_q)[None], K, V, scale=math.sqrt(len(x_t)))[0], (K, V)


@misconception(
    decode_step, hint="What is exp(1000) in NumPy, and how did lesson 5 get the same weights without it?"
)
def step_overflows(x_t, cache, W_q, W_k, W_v):
    K, V = grown(x_t[None], cache, W_k, W_v)
    votes = np.exp(K @ (x_t @ W_q) / np.sqrt(K.shape[1]))
    return votes / votes.sum() @ V, (K, V)
