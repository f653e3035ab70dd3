"""What a rank speaks through: the lower-case interface of mpi4py, over whatever carries an operation out.

The simulated ranks of `attention_lib.ranks` carry them out in one process, a judge in several.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from attention_lib.routing import Operation, validate

#: The numbers that MPICH has for them.
ANY_SOURCE = -2
ANY_TAG = -1

_METHODS = (
    *("rank", "size", "Get_rank", "Get_size", "send", "recv", "sendrecv", "bcast", "scatter", "gather"),
    *("allgather", "allreduce", "alltoall", "barrier", "work"),
)


def SUM(a: Any, b: Any) -> Any:
    """Elementwise a + b, of arrays or numbers. Raises TypeError for anything else."""
    _check_addends("SUM", a, b)
    return a + b


def MAX(a: Any, b: Any) -> Any:
    """Elementwise the larger of a and b, arrays or numbers; NaN where one is. TypeError for anything else."""
    _check_addends("MAX", a, b)
    larger = np.maximum(a, b)
    return larger if isinstance(a, _NUMPY) or isinstance(b, _NUMPY) else larger.item()


_NUMPY = (np.ndarray, np.generic)


def _check_addends(name: str, *values: Any) -> None:
    for value in values:
        if not isinstance(value, (*_NUMPY, int, float)):
            raise TypeError(
                f"{name} takes arrays and numbers, and a {type(value).__name__} came: "
                "reduce its parts one by one, or as one array"
            )


class Comm:
    """What a rank speaks through. The methods and their parameters are mpi4py's; an object is None, a number,
    text, bytes, an array of numbers, or a list, tuple or dict (its keys are text) of these.

    Raises TypeError for any other object, ValueError for a rank that there is not, and for too many or too
    few objects.

    `post(operation)` carries an operation out and returns the payloads that are for this rank, as copies.
    """

    def __init__(self, rank: int, size: int, post: Callable[[Operation], tuple[Any, ...]]) -> None:
        self._rank = rank
        self._size = size
        self._carry_out = post

    @property
    def rank(self) -> int:
        return self._rank

    @property
    def size(self) -> int:
        return self._size

    def Get_rank(self) -> int:
        return self._rank

    def Get_size(self) -> int:
        return self._size

    def send(self, obj: Any, dest: int, tag: int = 0) -> None:
        """Hand `obj` to rank `dest`, and wait until it receives it."""
        self._post("send", (obj,), dest=whole(dest), sendtag=whole(tag))

    def recv(
        self, buf: None = None, source: int = ANY_SOURCE, tag: int = ANY_TAG, status: None = None
    ) -> Any:
        """What rank `source` sends here. `buf` and `status` stay None."""
        _check_none("recv", buf=buf, status=status)
        return self._post("recv", (), **_from(source, tag))[0]

    def sendrecv(
        self,
        sendobj: Any,
        dest: int,
        sendtag: int = 0,
        recvbuf: None = None,
        source: int = ANY_SOURCE,
        recvtag: int = ANY_TAG,
        status: None = None,
    ) -> Any:
        """Send to `dest` and receive from `source` at once. `recvbuf` and `status` stay None."""
        _check_none("sendrecv", recvbuf=recvbuf, status=status)
        halves = _from(source, recvtag)
        return self._post("sendrecv", (sendobj,), dest=whole(dest), sendtag=whole(sendtag), **halves)[0]

    def bcast(self, obj: Any, root: int = 0) -> Any:
        """The root's `obj`, on every rank; what the others pass is not looked at."""
        root = whole(root)
        return self._post("bcast", (obj,) if self._rank == root else (), root=root)[0]

    def scatter(self, sendobj: Any, root: int = 0) -> Any:
        """Of the root's P objects the one with this rank's number; what the others pass is not looked at."""
        root = whole(root)
        parts = _parts("scatter", sendobj) if self._rank == root else ()
        return self._post("scatter", parts, root=root)[0]

    def gather(self, sendobj: Any, root: int = 0) -> list[Any] | None:
        """On the root: what each rank sent, by rank. None elsewhere."""
        root = whole(root)
        received = self._post("gather", (sendobj,), root=root)
        return list(received) if self._rank == root else None

    def allgather(self, sendobj: Any) -> list[Any]:
        """What each rank sent, by rank."""
        return list(self._post("allgather", (sendobj,)))

    def allreduce(self, sendobj: Any, op: Callable[[Any, Any], Any] = SUM) -> Any:
        """op over what all ranks sent, the same on every rank to the last bit: neighbours by two, then their
        results by two, as mpi4py does it."""
        if not callable(op):
            raise TypeError(f"op is {op!r}: expected MAX, SUM or a function of two objects")
        return _reduced(list(self._post("allreduce", (sendobj,))), op)

    def alltoall(self, sendobj: Any) -> list[Any]:
        """Object j of `sendobj` goes to rank j; what each rank has for this one, by rank."""
        return list(self._post("alltoall", _parts("alltoall", sendobj)))

    def barrier(self) -> None:
        """Wait until every rank is here."""
        self._post("barrier", ())

    def work(self, multiplies: float) -> None:
        """Let this rank's simulated clock go on by a computation of so many multiply-adds."""
        self._post("work", (), amount=multiplies)

    def _post(self, kind: str, payloads: tuple[Any, ...], **where: Any) -> tuple[Any, ...]:
        operation = Operation(kind, payloads, **where)
        validate(self._rank, operation, self._size)
        payload_bytes(payloads)
        return self._carry_out(operation)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"comm has no {name}: it has {', '.join(_METHODS)}")

    def __repr__(self) -> str:
        return f"<rank {self._rank} of {self._size}>"


def whole(value: Any) -> Any:
    """A whole number of NumPy as Python's; what is no whole number stays what it is, to be refused."""
    try:
        return operator.index(value)
    except TypeError:
        return value


def _from(source: Any, tag: Any) -> dict[str, Any]:
    return {"source": _or_any(source, ANY_SOURCE), "recvtag": _or_any(tag, ANY_TAG)}


def _or_any(value: Any, any_of_them: int) -> Any:
    number = whole(value)
    if type(number) is not int:
        raise ValueError(f"a source or tag is {value!r}: expected a whole number")
    return None if number == any_of_them else number


def _check_none(method: str, **arguments: Any) -> None:
    for name, value in arguments.items():
        if value is not None:
            raise TypeError(
                f"{method} got {name}={value!r}: it stays None here; name the others, as in source=0"
            )


def _parts(method: str, objects: Any) -> tuple[Any, ...]:
    if not isinstance(objects, list | tuple | np.ndarray):
        raise TypeError(f"{method} got a {type(objects).__name__}: expected a list, one object for each rank")
    return tuple(objects)


def _reduced(values: list[Any], op: Callable[[Any, Any], Any]) -> Any:
    step = 1
    while step < len(values):
        for first in range(0, len(values) - step, 2 * step):
            values[first] = op(values[first], values[first + step])
        step *= 2
    return values[0]


def payload_bytes(value: Any) -> int:
    """Bytes that `value` counts as on its way: those of an array's numbers or of a NumPy number, 8 for any
    other number or truth value, those of text in UTF-8, 0 for None; for a list, tuple or dict what is in it,
    with the keys.

    Raises TypeError for anything else.
    """
    kind = type(value)
    if kind is np.ndarray or isinstance(value, np.generic):
        if value.dtype.kind in "biuf":
            return int(value.nbytes)
        raise TypeError(f"an array of dtype {value.dtype} can't be sent: expected bool, int or float")
    if kind in (int, float, bool):
        return 8
    if kind in (list, tuple):
        return sum(map(payload_bytes, value))
    if kind is dict and all(type(key) is str for key in value):
        return sum(map(payload_bytes, [*value, *value.values()]))
    if kind is str:
        return len(value.encode("utf-8", "surrogatepass"))
    if value is None or kind is bytes:
        return len(value or b"")
    keys = " whose keys are no text" if kind is dict else ""
    raise TypeError(
        f"{_named(value)}{keys} can't be sent: expected numbers, arrays, text, None, "
        "or lists, tuples and dicts of these"
    )


def _named(value: Any) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"
