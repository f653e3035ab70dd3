"""`ulysses_all_to_all`: cases, the reference, other right solutions, known mistakes."""

import numpy as np

from autograder.exercise import (
    alternative,
    aspect,
    example,
    exercise,
    misconception,
    raising,
    unchanged,
    values,
)


def heads_of_all_ranks(rng, P, rows, h, d, dtype=float):
    """What each of P ranks is given: `rows` tokens with all their heads."""
    return [(rng.normal(size=(rows, h, d)).astype(dtype),) for _ in range(P)]


def one_rank_with_three_heads(rng):
    return heads_of_all_ranks(rng, 1, 4, 3, 2)


def three_ranks_with_six_heads(rng):
    return heads_of_all_ranks(rng, 3, 2, 6, 4)


def four_ranks_with_eight_heads(rng):
    return heads_of_all_ranks(rng, 4, 5, 8, 1)


def five_ranks_with_ten_heads(rng):
    return heads_of_all_ranks(rng, 5, 1, 10, 3)


def as_many_of_everything(rng):
    """P = h = d, and as many tokens on each rank: an exchange of the wrong axes does not raise here."""
    return heads_of_all_ranks(rng, 3, 3, 3, 3)


def single_precision_heads(rng):
    return heads_of_all_ranks(rng, 2, 4, 6, 3, np.float32)


def three_heads_for_two_ranks(rng):
    return heads_of_all_ranks(rng, 2, 3, 3, 4)


def two_heads_for_three_ranks(rng):
    return heads_of_all_ranks(rng, 3, 2, 2, 5)


def numbered(P, rows, h):
    """What each of P ranks is given, of one feature that is 10 times the token, plus the head."""
    X = 10.0 * np.arange(P * rows)[:, None, None] + np.arange(h)[None, :, None]
    return [(X_u,) for X_u in np.split(X, P)]


@exercise(
    points=4,
    aspects=[
        values(
            2,
            one_rank_with_three_heads,
            three_ranks_with_six_heads,
            four_ranks_with_eight_heads,
            five_ranks_with_ten_heads,
            as_many_of_everything,
            single_precision_heads,
        ),
        aspect(
            "heads left over",
            1,
            raising(ValueError, three_heads_for_two_ranks),
            raising(ValueError, two_heads_for_three_ranks),
        ),
        unchanged(1),
    ],
    examples=[
        example(
            "by hand: two tokens with two heads on two ranks; 10 times the token, plus the head",
            ([[[0.0, 0.5], [1.0, 1.5]]],),
            ([[[10.0, 10.5], [11.0, 11.5]]],),
        ),
        example("four tokens with four heads on two ranks", *numbered(2, 2, 4)),
        example("six tokens with six heads on three ranks", *numbered(3, 2, 6)),
        example("two tokens with three heads on two ranks", *numbered(2, 1, 3)),
    ],
)
def ulysses_all_to_all(comm, X_u):
    """From some tokens with all heads to all tokens with some heads, by one all-to-all.

    Every rank calls it, each with its own tokens; then each can compute the
    attention of its heads without a word to the others.

    comm : communicator of P ranks
    X_u : (n/P, h, d), the tokens of this rank, consecutive ones; P divides n
    Returns an array (n, h/P, d): all tokens in the order of the sequence, with
    heads r·h/P to (r + 1)·h/P − 1 on rank r. Raises ValueError when P does not
    divide h.
    """
    if X_u.shape[1] % comm.size != 0:
        raise ValueError(f"{X_u.shape[1]} heads can't be shared out evenly among {comm.size} ranks")
    return np.concatenate(comm.alltoall(np.split(X_u, comm.size, axis=1)))


@alternative(ulysses_all_to_all)
def by_slices_of_heads(comm, X_u):
    P, (rows, h, d) = comm.Get_size(), X_u.shape
    each, over = divmod(h, P)
    if over:
        raise ValueError("heads left over")
    output = np.empty((P * rows, each, d))
    for u, part in enumerate(comm.alltoall([X_u[:, j * each : (j + 1) * each] for j in range(P)])):
        output[u * rows : (u + 1) * rows] = part
    return output


@alternative(ulysses_all_to_all)
def gathered_and_cut(comm, X_u):
    """Every rank gets everything, and keeps its own heads: right, though it sends more than it must."""
    if X_u.shape[1] % comm.size:
        raise ValueError
    each = X_u.shape[1] // comm.size
    X = np.vstack(comm.allgather(X_u))
    return X[:, comm.rank * each :][:, :each]


@alternative(ulysses_all_to_all)
def reshaped_before_and_after(comm, X_u):
    P, (rows, h, d) = comm.size, X_u.shape
    if h != h // P * P:
        raise ValueError(h)
    by_rank = X_u.reshape(rows, P, h // P, d).transpose(1, 0, 2, 3)
    return np.array(comm.alltoall(list(by_rank))).reshape(P * rows, h // P, d)


@alternative(ulysses_all_to_all)
def pair_by_pair(comm, X_u):
    P, r = comm.size, comm.rank
    parts = np.split(X_u, P, axis=1)
    received = {r: parts[r]}
    for s in range(1, P):
        to, source = (r + s) % P, (r - s) % P
        received[source] = comm.sendrecv(parts[to], dest=to, source=source)
    return [row for u in range(P) for row in received[u].tolist()]


@alternative(ulysses_all_to_all)
def one_gathers_after_the_other(comm, X_u):
    parts = np.split(X_u, comm.size, axis=1)
    found = [comm.gather(parts[root], root=root) for root in range(comm.size)]
    return np.concatenate(found[comm.rank], axis=0)


def heads_for_each(comm, X_u):
    """The heads of each rank, (n/P, h/P, d) each. Raises ValueError when P does not divide h."""
    if X_u.shape[1] % comm.size:
        raise ValueError("heads left over")
    return np.split(X_u, comm.size, axis=1)


@misconception(
    ulysses_all_to_all,
    hint="On rank 1, whose tokens stand first in yours: its own, or those of rank 0?",
)
def own_tokens_first(comm, X_u):
    received = comm.alltoall(heads_for_each(comm, X_u))
    return np.concatenate([received[(comm.rank - s) % comm.size] for s in range(comm.size)])


@misconception(
    ulysses_all_to_all,
    hint="Which heads has rank 0 in the end: the first h/P, or every P-th? Which were asked for?",
)
def every_pth_head(comm, X_u):
    heads_for_each(comm, X_u)
    return np.concatenate(comm.alltoall([X_u[:, j :: comm.size] for j in range(comm.size)]))


@misconception(
    ulysses_all_to_all,
    hint="Three heads on two ranks: what does each rank hold in the end? Is that what the caller counts on?",
)
def uneven_shares_of_heads(comm, X_u):
    return np.concatenate(comm.alltoall(np.array_split(X_u, comm.size, axis=1)))


@misconception(
    ulysses_all_to_all,
    hint="Three heads on two ranks, one head each: where has the third one gone, and who noticed?",
)
def last_heads_dropped(comm, X_u):
    each = X_u.shape[1] // comm.size
    return np.concatenate(comm.alltoall([X_u[:, j * each :][:, :each] for j in range(comm.size)]))


@misconception(
    ulysses_all_to_all,
    hint="Print the result on two ranks: do both hold the same heads? Who has the others?",
)
def the_same_heads_everywhere(comm, X_u):
    return np.concatenate(comm.allgather(heads_for_each(comm, X_u)[0]))


@misconception(
    ulysses_all_to_all,
    hint="A rank is to end with all tokens. How many has yours, and along which axis did the parts meet?",
)
def joined_along_the_heads(comm, X_u):
    return np.concatenate(comm.alltoall(heads_for_each(comm, X_u)), axis=1)


@misconception(
    ulysses_all_to_all,
    hint="How many axes has your result? Should the rank that a token came from have one of its own?",
)
def a_new_axis_for_the_ranks(comm, X_u):
    return np.stack(comm.alltoall(heads_for_each(comm, X_u)))


@misconception(
    ulysses_all_to_all,
    hint="Tokens 0 and 1 both lie on rank 0. In your result, does token 1 follow token 0?",
)
def a_token_of_each_rank_in_turn(comm, X_u):
    parts = np.stack(comm.alltoall(heads_for_each(comm, X_u)), axis=1)
    return parts.reshape(-1, *parts.shape[2:])


@misconception(
    ulysses_all_to_all,
    hint="Each rank is to keep some heads of every token. What did you cut before sending, heads or tokens?",
)
def tokens_cut(comm, X_u):
    heads_for_each(comm, X_u)
    return np.concatenate(comm.alltoall(np.array_split(X_u, comm.size, axis=0)), axis=1)


@misconception(
    ulysses_all_to_all,
    hint="Your rank keeps its own heads. Of how many tokens: its own, or all n? Who has the others?",
)
def nothing_exchanged(comm, X_u):
    return heads_for_each(comm, X_u)[comm.rank]


@misconception(
    ulysses_all_to_all,
    hint="A send waits until its receiver receives. If every rank begins with its sends, who receives first?",
)
def all_sends_before_any_receive(comm, X_u):
    parts = heads_for_each(comm, X_u)
    others = [u for u in range(comm.size) if u != comm.rank]
    for u in others:
        comm.send(parts[u], dest=u)
    received = {u: comm.recv(source=u) for u in others} | {comm.rank: parts[comm.rank]}
    return np.concatenate([received[u] for u in range(comm.size)])
