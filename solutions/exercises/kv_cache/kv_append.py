"""`kv_append`: cases, the reference, other right solutions, known mistakes."""

import numpy as np

from autograder.exercise import alternative, aspect, example, exercise, misconception, unchanged, values
from autograder.sandbox.script import Call, Change, Let, Look

from .shared import drawn, rounded_to


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


def two_texts_go_on_alike(rng):
    """The same token is appended to two caches: the first answer must outlive the second call."""
    K, V, k_new, v_new = cache_and_news(rng, 3, 1, 4, 2)
    K_other, V_other = drawn(rng, (3, 4), (3, 2))
    inputs = {"K": K, "V": V, "k_new": k_new, "v_new": v_new, "K_other": K_other, "V_other": V_other}
    return [
        *(Let(name, array) for name, array in inputs.items()),
        Call("kv_append", ("K", "V", "k_new", "v_new"), "one"),
        Call("kv_append", ("K_other", "V_other", "k_new", "v_new"), "other"),
        Look("one"),
    ]


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
            two_texts_go_on_alike,
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
    k_new and v_new, and will call you for other texts: neither must show in what you
    returned before.
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
