"""`preallocated_write`: cases, the reference, other right solutions, known mistakes."""

import numpy as np

from autograder.exercise import alternative, aspect, example, exercise, misconception, raising, values
from autograder.sandbox.script import Call, Let, Look

from .shared import drawn, rounded_to


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
    """Each call goes on from the length that the last one returned, up to the last slot."""
    K, V, length, k, v = buffers(rng, 4, 1, 3, 2)
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
        example(
            "one free slot, the last",
            [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]],
            [[1.0], [2.0], [3.0]],
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
    written(buf_K, buf_V, length % len(buf_K), k_new, v_new)
    return length + 1


@misconception(
    preallocated_write,
    hint="One token too many comes: what was in the last slot, and does the caller get to know?",
)
def last_slot_written_over(buf_K, buf_V, length, k_new, v_new):
    written(buf_K, buf_V, min(length, len(buf_K) - 1), k_new, v_new)
    return length + 1


@misconception(
    preallocated_write,
    hint="The caller goes on with the length that you return: how does it learn that a token was not kept?",
)
def left_out_in_silence(buf_K, buf_V, length, k_new, v_new):
    if length >= len(buf_K):
        return length
    written(buf_K, buf_V, length, k_new, v_new)
    return length + 1


@misconception(
    preallocated_write,
    hint="Three slots, two of them in use: is there room? When does yours say full?",
)
def last_slot_refused(buf_K, buf_V, length, k_new, v_new):
    refused_if_full(buf_K, length + 1)
    written(buf_K, buf_V, length, k_new, v_new)
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
