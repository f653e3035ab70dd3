"""`sparse_mask`: cases, the reference, other right solutions, known mistakes."""

import numpy as np

from autograder.exercise import alternative, aspect, example, exercise, misconception, values


def window_and_global(rng):
    return int(rng.integers(9, 13)), 3, 2


def narrow_window_many_globals(rng):
    return int(rng.integers(10, 14)), 2, 4


def one_global(rng):
    return int(rng.integers(8, 12)), 4, 1


def no_globals(rng):
    return int(rng.integers(8, 12)), 3, 0


def only_itself_and_a_global(rng):
    return 7, 1, 1


def only_globals(rng):
    return int(rng.integers(6, 9)), 0, 2


def window_wider_than_the_text(rng):
    return 5, 9, 1


def all_are_global(rng):
    return 6, 1, 8


def one_token_alone(rng):
    return 1, 2, 1


def nothing_at_all(rng):
    return 4, 0, 0


@exercise(
    points=4,
    aspects=[
        values(2, window_and_global, narrow_window_many_globals, one_global, only_itself_and_a_global),
        aspect("no window or no globals", 1, no_globals, only_globals, nothing_at_all),
        aspect("more than there are tokens", 1, window_wider_than_the_text, all_are_global, one_token_alone),
    ],
    examples=[
        example("five tokens, a window of 2, one global token", 5, 2, 1),
        example("eight tokens, a window of 3, two global tokens", 8, 3, 2),
        example("five tokens, no window, one global token", 5, 0, 1),
    ],
)
def sparse_mask(n, window, n_global):
    """Few keys for each query: the last `window` tokens, and the first `n_global` of the text.

        allowed[i, j] = True where j ≤ i and (i − j < window or j < n_global)

    n : int, the number of tokens, at least 1
    window : int, at least 0: how many of the latest tokens a token sees, itself included
    n_global : int, at least 0: how many tokens at the start every later token sees
    Returns allowed : (n, n) array of booleans.
    """
    i = np.arange(n)[:, None]
    j = np.arange(n)
    return (j <= i) & ((i - j < window) | (j < n_global))


@alternative(sparse_mask)
def band_and_columns(n, window, n_global):
    allowed = np.tri(n, dtype=bool) & ~np.tri(n, k=-window, dtype=bool)
    allowed[:, :n_global] = True
    return allowed & np.tri(n, dtype=bool)


@alternative(sparse_mask)
def pair_by_pair(n, window, n_global):
    return [[j <= i and (i - j < window or j < n_global) for j in range(n)] for i in range(n)]


@alternative(sparse_mask)
def sets_of_keys(n, window, n_global):
    allowed = np.zeros((n, n), dtype=bool)
    for i in range(n):
        keys = set(range(max(0, i - window + 1), i + 1)) | set(range(min(n_global, i + 1)))
        allowed[i, sorted(keys)] = True
    return allowed


@misconception(
    sparse_mask, hint="With a window of 1 a token sees itself and no other. How many does it see in yours?"
)
def window_one_too_wide(n, window, n_global):
    i, j = np.arange(n)[:, None], np.arange(n)
    return (j <= i) & ((i - j <= window) | (j < n_global))


@misconception(
    sparse_mask,
    hint="Your matrix is symmetric. May token i look at token j whenever j may look at i?",
)
def symmetric(n, window, n_global):
    i, j = np.arange(n)[:, None], np.arange(n)
    return (abs(i - j) < window) | (j < n_global) | (i < n_global)


@misconception(
    sparse_mask,
    hint="A global token is seen by all later ones. Does that let token 0 see the whole text?",
)
def globals_see_the_future(n, window, n_global):
    i, j = np.arange(n)[:, None], np.arange(n)
    return ((j <= i) & ((i - j < window) | (j < n_global))) | (i < n_global)


@misconception(sparse_mask, hint="Token 0 with two globals: is the second one before it or after it?")
def later_globals_seen(n, window, n_global):
    i, j = np.arange(n)[:, None], np.arange(n)
    return ((j <= i) & (i - j < window)) | (j < n_global)


@misconception(sparse_mask, hint="Must a key be near and global, or is one of the two enough?")
def near_and_global(n, window, n_global):
    i, j = np.arange(n)[:, None], np.arange(n)
    return (j <= i) & (i - j < window) & (j < n_global)


@misconception(
    sparse_mask, hint="i − j is negative for what comes later. Is a negative number below `window`?"
)
def future_allowed(n, window, n_global):
    i, j = np.arange(n)[:, None], np.arange(n)
    return (i - j < window) | (j < n_global)


@misconception(
    sparse_mask, hint="With one global token that is position 0. Which positions are global in yours?"
)
def one_global_too_many(n, window, n_global):
    i, j = np.arange(n)[:, None], np.arange(n)
    return (j <= i) & ((i - j < window) | (j <= n_global))


@misconception(
    sparse_mask,
    hint="Row i is what token i may look at. In yours, what may the last token see, and the first?",
)
def keys_ask_queries(n, window, n_global):
    i, j = np.arange(n)[:, None], np.arange(n)
    return ((j <= i) & ((i - j < window) | (j < n_global))).T


@misconception(
    sparse_mask,
    hint="A window of 0 holds no token at all. Whom does token 3 see in yours, without any globals?",
)
def always_itself(n, window, n_global):
    i, j = np.arange(n)[:, None], np.arange(n)
    return (j <= i) & ((i - j < max(window, 1)) | (j < n_global))


@misconception(sparse_mask, hint="Yours forgets the start of the text. What does n_global change in it?")
def window_alone(n, window, n_global):
    i, j = np.arange(n)[:, None], np.arange(n)
    return (j <= i) & (i - j < window)


@misconception(sparse_mask, hint="True = may be looked at. Does token 0 look at itself in yours?")
def forbidden_instead_of_allowed(n, window, n_global):
    i, j = np.arange(n)[:, None], np.arange(n)
    return ~((j <= i) & ((i - j < window) | (j < n_global)))


@misconception(
    sparse_mask, hint="`allowed` is True or False. Which function of yours turns it into −∞, and when?"
)
def additive_sparse(n, window, n_global):
    i, j = np.arange(n)[:, None], np.arange(n)
    return np.where((j <= i) & ((i - j < window) | (j < n_global)), 0.0, -np.inf)
