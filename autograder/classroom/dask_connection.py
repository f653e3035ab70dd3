"""The way to a dask.distributed cluster: connect to one, or start one on this machine. Dask's settings,
its logs and its ways to fail are known here alone.

A cluster of our own listens on the loopback interface only, and lets nobody in but the processes of this
run: the exercises and the class's secret go over these connections.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from autograder import lean
from autograder.classroom import elsewhere, parcel
from autograder.classroom.forking import fork_server
from autograder.classroom.workers import Lost
from autograder.library import UserError
from autograder.sandbox.scratch import Scratch

if TYPE_CHECKING:
    from distributed import Client, Future

CONNECT_SECONDS = 15.0
ANSWER_SECONDS = 30.0
CLOSE_SECONDS = 10.0
#: How long a cluster may be without a worker, where dask's own `no-workers-timeout` says nothing else.
NO_WORKERS_SECONDS = 60.0
#: In a cluster of our own: a batch that loses a second worker comes back, to be graded one by one.
LOSSES_BORNE = 1
LOOPBACK = "127.0.0.1"
SCHEMES = ("tcp", "tls", "ws", "wss", "inproc")
STAYS = "what is recorded stays, and the same command goes on from there"
#: Dask asks for thought about what is larger; a batch of notebooks may be.
LARGE = "1 GiB"
IMPORTED_ONCE = [lean.__name__, "distributed.nanny", parcel.__name__]

#: For a cluster of our own: one import of the grading code for all workers, no web pages, nothing measured
#: that nobody reads.
OUR_SETTINGS = {
    "distributed.worker.multiprocessing-method": "forkserver",
    "distributed.worker.preload": [elsewhere.__name__],
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.worker.profile.enabled": False,
}


@dataclass
class Connection:
    """A client of a cluster; `ends` is what ends with it."""

    client: Client
    where: str
    ends: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def workers(self) -> dict[str, int]:
        """The threads of each worker, by its address. Raises UserError when the scheduler is gone."""
        try:
            threads: dict[str, int] = self.client.sync(
                self.client.scheduler.ncores, callback_timeout=ANSWER_SECONDS
            )
        except Exception as error:
            raise self.gone() from error
        return threads

    def drop(self, futures: Sequence[Future]) -> None:
        """Have the cluster not begin with what nobody waits for any more."""
        with contextlib.suppress(*_unreachable()):
            self.client.cancel(list(futures))

    def ask_all(self, function: Callable[[], None], seconds: float) -> None:
        """Have every worker call `function`, and wait so long for those that are not busy: these do it
        later. Where the scheduler is gone nobody is asked, and nothing waited for."""
        from distributed import fire_and_forget, wait

        if self.client.status != "running":  # "connecting": it tries to find its scheduler again
            return
        with contextlib.suppress(*_unreachable()), self.client.as_current():
            asked = [self.client.submit(function, workers=[worker], pure=False) for worker in self.workers()]
            if asked:
                fire_and_forget(asked)
                wait(asked, timeout=seconds)

    def gone(self) -> UserError:
        return UserError(f"the connection to the scheduler at {self.where} is lost: {STAYS}")

    def close(self) -> None:
        """Leave the cluster, and end it if it is our own."""
        with self.ends, contextlib.suppress(*_unreachable()):
            self.client.close(CLOSE_SECONDS)


def require_packages(*packages: str) -> None:
    """Raises UserError when one of `packages` is not installed."""
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    if missing:
        raise UserError(
            f"grading on a cluster needs {' and '.join(missing)}, not installed here: "
            "pip install 'attention-course[cluster]'"
        )


def connect(address: str) -> Connection:
    """A client of the scheduler at `address`. Raises UserError when none answers there."""
    require_packages("distributed")
    _prepare_dask()
    from distributed import Client

    _require_reachable(address)
    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TypeError, RuntimeError, ImportError) as error:
        raise UserError(
            f"no dask scheduler answers at {address} ({_reason(error)}): "
            "start one with `dask scheduler`, or name another one with --scheduler"
        ) from error
    return Connection(client, address)


def start(count: int) -> Connection:
    """A cluster of `count` processes on this machine; they come up one after another."""
    require_packages("distributed", "cryptography")
    _prepare_dask()
    import dask
    from distributed import Client, LocalCluster

    fork_server(IMPORTED_ONCE)  # before dask starts one with modules of its own choice
    ends = contextlib.ExitStack()
    try:
        scratch = Scratch()
        ends.callback(scratch.remove)
        ends.enter_context(dask.config.set({**OUR_SETTINGS, "temporary-directory": str(scratch.path)}))
        cluster = LocalCluster(
            n_workers=0,
            threads_per_worker=1,
            processes=True,
            host=LOOPBACK,
            security=True,  # keys of its own, in memory: nobody else on this machine can connect
            memory_limit=None,
            silence_logs=logging.CRITICAL,
            dashboard_address=None,
            scheduler_kwargs={"allowed_failures": LOSSES_BORNE, "dashboard_address": f"{LOOPBACK}:0"},
        )
        ends.callback(cluster.close, timeout=CLOSE_SECONDS)
        client = Client(cluster, timeout=CONNECT_SECONDS, set_as_default=False)
        cluster.scale(count)
    except BaseException:
        ends.close()
        raise
    return Connection(client, "the cluster of this run", ends)


def _require_reachable(address: str) -> None:
    """Raises UserError for an address of no known kind, or one that needs certificates where none are set:
    of such a client something would go on running here."""
    from distributed import Security

    scheme, found, _ = address.partition("://")
    if found and scheme not in SCHEMES:
        raise UserError(f"no scheduler can be at {address}: expected tcp://HOST:PORT or tls://HOST:PORT")
    if scheme == "tls" and Security().get_connection_args("client")["ssl_context"] is None:
        raise UserError(
            f"to reach {address}, name certificates in dask's configuration: "
            "distributed.comm.tls.ca-file, distributed.comm.tls.client.cert and .key (docs/cluster.md)"
        )


def meaning(error: BaseException, connection: Connection) -> BaseException:
    """What an exception of a batch that came back says: Lost, a UserError, or itself."""
    from distributed import CancelledError, KilledWorker

    if isinstance(error, CancelledError) and getattr(error, "reason", None) == "scheduler-connection-lost":
        return connection.gone()
    if isinstance(error, CancelledError | KilledWorker | OSError | TimeoutError):
        return Lost()
    if isinstance(error, ImportError | AttributeError | RuntimeError | pickle.UnpicklingError):
        return UserError(
            f"{connection.where} can't run the grading code ({_reason(error)}): the same packages must be "
            "installed for the scheduler and the workers as here"
        )
    return error


def patience() -> float:
    """How many seconds a cluster may be without any worker before the run gives up."""
    import dask
    from dask.utils import parse_timedelta

    chosen = dask.config.get("distributed.scheduler.no-workers-timeout", None)
    return float(parse_timedelta(chosen)) if chosen else NO_WORKERS_SECONDS


def _unreachable() -> tuple[type[BaseException], ...]:
    """What dask raises when the other side is gone or does not answer in time."""
    from distributed import CancelledError
    from distributed.client import ClosedClientError

    return OSError, TimeoutError, CancelledError, ClosedClientError, UserError


def _prepare_dask() -> None:
    """Dask's logs would break up our lines, so they are for those who configure them (`logging` in dask's
    own configuration, which comes first)."""
    import dask

    loggers = ("distributed", "distributed.client", "distributed.gc", "tornado.application")
    dask.config.update_defaults({"logging": dict.fromkeys(loggers, "critical")})
    import distributed  # noqa: F401 - reads the settings above, and has defaults of its own

    dask.config.update_defaults({"distributed": {"admin": {"large-graph-warning-threshold": LARGE}}})


def _reason(error: BaseException) -> str:
    first: Any = next(iter(str(error).strip().splitlines()), "")
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
