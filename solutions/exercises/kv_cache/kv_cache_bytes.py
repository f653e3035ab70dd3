"""`kv_cache_bytes`: cases, the reference, other right solutions, known mistakes."""

import math

import numpy as np

from autograder.exercise import alternative, aspect, example, exercise, misconception, values


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
        example("6 sequences, 8 bytes a number", 3, 5, 11, 7, 6, 8),
    ],
)
def kv_cache_bytes(n_layers, n_kv_heads, d_head, seq_len, batch=1, itemsize=2):
    """How many bytes the KV cache of a whole model takes.

    n_layers : int, layers with a cache each
    n_kv_heads : int, heads of keys and values in a layer
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


@misconception(kv_cache_bytes, hint="Does each head have keys of its own? How many heads did you count?")
def one_head_counted(n_layers, n_kv_heads, d_head, seq_len, batch=1, itemsize=2):
    return 2 * n_layers * d_head * seq_len * batch * itemsize


@misconception(
    kv_cache_bytes, hint="How many bytes has a number in single precision? Who tells your function so?"
)
def two_bytes_always(n_layers, n_kv_heads, d_head, seq_len, batch=1, itemsize=2):
    return 2 * n_layers * n_kv_heads * d_head * seq_len * batch * 2


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
