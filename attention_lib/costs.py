"""What it costs that ranks speak to each other: messages, bytes, and seconds of a simulated clock.

With P ranks, b bytes (for the time: the most that a rank has), latency L in seconds, bandwidth W in bytes
per second, R = ceil(log2 P):

    operation        seconds                          messages   bytes of a rank
    send, sendrecv   L + b/W, once both are there     1          b
    barrier          R L                              R          0
    bcast            R (L + b/W)                      P-1        (P-1) b, the root's
    scatter          R L + (bytes for others)/W       P-1        its parts for others, the root's
    gather           R L + (bytes of others)/W        1          b, of all but the root
    allgather        (P-1) (L + b/W)                  P-1        (P-1) b
    allreduce        2 (P-1) (L + b/(P W))            2 (P-1)    2 (P-1) b/P, rounded up
    alltoall         (P-1) L + (bytes for others)/W   P-1        its parts for others

The algorithms are the usual ones (Thakur, Rabenseifner and Gropp, 2005): dissemination for the barrier,
binomial trees for bcast, scatter and gather, rings for allgather and allreduce, pairs for alltoall. Bytes and
messages are counted for the rank whose data they are, however they are forwarded. What a rank sends to
itself is not counted and takes no time; a link carries both directions at once; the additions of an
allreduce take no time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

#: `sizes[r]` are the bytes of each object that rank r hands over.
Sizes = Sequence[tuple[int, ...]]


@dataclass(frozen=True)
class Machine:
    """What the simulated clock runs on: `latency` in seconds per message, `bandwidth` in bytes per second,
    `multiply` in seconds per multiply-add of one rank.

    The defaults are round numbers, assumed and not measured: 2 µs and 10 GB/s, the order of a cluster's
    network, and 10 billion multiply-adds per second, the order of one CPU core's matrix product.

    Raises ValueError for a negative or infinite number, or a bandwidth of 0.
    """

    latency: float = 2e-6
    bandwidth: float = 1e10
    multiply: float = 1e-10

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (isfinite(value) and value >= 0) or (name == "bandwidth" and value == 0):
                raise ValueError(f"{name} is {value}: expected a finite number above 0")

    def seconds(self, messages: int, size: float) -> float:
        """Time of so many messages, one after the other, with `size` bytes in all."""
        return messages * self.latency + size / self.bandwidth


def counted(kind: str, root: int, rank: int, sizes: Sizes) -> tuple[int, int]:
    """The messages and bytes of `rank` in the collective `kind`."""
    ranks, others = len(sizes), len(sizes) - 1
    match kind:
        case "barrier":
            return others.bit_length(), 0
        case "gather":
            return (0, 0) if rank == root else (1, sizes[rank][0])
        case "allreduce":
            return 2 * others, -(-2 * others * sizes[rank][0] // ranks)
        case "allgather":
            return others, others * sizes[rank][0]
        case "alltoall":
            return others, _for_others(rank, sizes)
    if rank != root:
        return 0, 0
    return others, others * sizes[root][0] if kind == "bcast" else _for_others(root, sizes)


def duration(kind: str, root: int, sizes: Sizes, machine: Machine) -> float:
    """Seconds from the last rank's arrival to the end of the collective `kind`."""
    ranks, others = len(sizes), len(sizes) - 1
    rounds = others.bit_length()
    match kind:
        case "bcast":
            return machine.seconds(rounds, rounds * sizes[root][0])
        case "scatter":
            return machine.seconds(rounds, _for_others(root, sizes))
        case "gather":
            return machine.seconds(rounds, sum(size[0] for size in sizes) - sizes[root][0])
        case "allgather":
            return machine.seconds(others, others * max(sizes)[0])
        case "allreduce":
            return machine.seconds(2 * others, 2 * others * max(sizes)[0] / ranks)
        case "alltoall":
            return machine.seconds(others, max(_for_others(rank, sizes) for rank in range(ranks)))
    return machine.seconds(rounds, 0)


def _for_others(rank: int, sizes: Sizes) -> int:
    return sum(sizes[rank]) - sizes[rank][rank]
