"""A process that holds NumPy, matplotlib and an IPython shell ready, and forks a child per request.

Started as a fresh program with a clean environment; it never imports what knows an answer, and drops
the course's folders from its import path before the first fork. Control comes over a socket on
descriptor 0, one JSON message each way: {"fork": folder} with the child's end of a socket attached →
{"pid"} as the zygote sees it, with a descriptor of the process; {"reap": pid} → {"status"}. When that
socket ends, so does the zygote, and the kernel kills its children.

A shared zygote serves no children itself: whoever sends it {"join": folder} with the end of a socket
gets a fork of it, a zygote of its own that is controlled over that socket.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from autograder.sandbox import isolation, namespaces
from autograder.sandbox.isolation import Layer, Walls
from autograder.sandbox.kernel import call_process, die_with_parent
from autograder.sandbox.namespaces import Processes
from autograder.sandbox.probe import probe

if TYPE_CHECKING:
    from autograder.sandbox.capture import Shell
    from autograder.sandbox.child import Caps


@dataclass(frozen=True)
class Order:
    """How the client wants its children. Paths are absolute; `scratch` is the zygote's own folder,
    `clears` is another one that is to be gone with it."""

    readable: list[str]
    preload: list[str]
    scratch: str
    memory_bytes: int
    cpu_seconds: int
    answer_bytes: int
    output_bytes: int
    namespaces: bool
    unsafe: bool
    clears: str = ""
    shared: bool = False


@dataclass
class Zygote:
    """What every child starts from."""

    shell: Shell
    layers: list[Layer]
    walls: Callable[[str], Walls]
    caps: Caps
    processes: Processes | None

    @property
    def above(self) -> list[Layer]:
        """The layers that children find in force."""
        return [layer for layer in self.layers if layer.name not in isolation.BASE]


def main() -> None:
    """Read the order, get ready, serve."""
    gc.disable()
    order = Order(**json.loads(sys.argv[1]))
    control = socket.socket(fileno=os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    call_process("zygote")
    layers = probe(order.namespaces)
    if isolation.missing(layers) and not order.unsafe:
        _refuse(control, layers, order.shared)
        return
    processes = _own_namespaces({layer.name for layer in layers if layer.in_force})
    shell = _ready_shell(order)
    from autograder.sandbox.child import Caps

    _forget_folders()
    readable = (*order.readable, f"{order.scratch}/config")
    walls = isolation.prepare(readable, order.memory_bytes, order.cpu_seconds)
    zygote = Zygote(shell, layers, walls, Caps(order.answer_bytes, order.output_bytes), processes)
    _freeze()
    try:
        if order.shared:
            _serve_joiners(zygote, control)
        else:
            _serve(zygote, control, order.clears)
    finally:
        shutil.rmtree(order.scratch, ignore_errors=True)


def _own_namespaces(in_force: set[str]) -> Processes | None:
    """Enter those that hold here; gives what children get processes of their own from."""
    if isolation.NAMESPACES in in_force:
        namespaces.enter()
    if isolation.PROCESSES not in in_force:
        return None
    namespaces.become_first_process()
    call_process("zygote")
    return Processes()


def _refuse(control: socket.socket, layers: list[Layer], shared: bool) -> None:
    """Say which layers there are, which is too few. Who would join a shared zygote finds it gone, starts
    one of their own and hears it then."""
    if not shared:
        _say(control, {"layers": [asdict(layer) for layer in layers]})


def _serve_joiners(zygote: Zygote, door: socket.socket) -> None:
    """Fork a zygote for each that joins, until nobody is left who could."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        text, descriptors, _, _ = socket.recv_fds(door, 1 << 16, 1)
        if not text:
            return
        if os.fork() == 0:
            door.close()
            _be_joined(zygote, socket.socket(fileno=descriptors[0]), json.loads(text)["join"])
        for descriptor in descriptors:
            os.close(descriptor)


def _be_joined(zygote: Zygote, control: socket.socket, clears: str) -> NoReturn:
    """Be the zygote of one that joined; ends with the shared one."""
    try:
        die_with_parent()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _serve(zygote, control, clears)
    finally:
        os._exit(0)


def _ready_shell(order: Order) -> Shell:
    """Import everything that a child may need; a readable folder that is a package is imported from there."""
    sys.path[:0] = [os.path.dirname(path) for path in order.readable if os.path.exists(f"{path}/__init__.py")]
    from autograder.sandbox import capture, child  # noqa: F401 - imported here, once, for all children

    for name in order.preload:
        importlib.import_module(name)
    shell = capture.make_shell()
    capture.warm_up(shell)
    return shell


def _forget_folders() -> None:
    """Leave only this Python's own folders to import from: the course's, `solutions` beside them, go."""
    own = isolation.system_folders()
    sys.path[:] = [path for path in sys.path if _is_beneath(path, own)]
    for path in list(sys.path_importer_cache):
        if not _is_beneath(path, own):
            del sys.path_importer_cache[path]


def _is_beneath(path: str, folders: tuple[str, ...]) -> bool:
    real = os.path.realpath(path)
    return bool(path) and any(real == folder or real.startswith(folder + os.sep) for folder in folders)


def _freeze() -> None:
    """Take what is there out of the collector's sight, so that children do not copy its pages."""
    if threading.active_count() > 1:
        raise RuntimeError(f"threads before the fork: {threading.enumerate()}")
    import numpy as np

    np.random.seed(0)
    gc.freeze()


def _say(control: socket.socket, message: dict[str, Any]) -> None:
    control.sendall(json.dumps(message).encode())


def _serve(zygote: Zygote, control: socket.socket, clears: str) -> None:
    """Say which layers hold, then do what `control` asks for until it ends; then take away `clears`."""
    try:
        _say(control, {"layers": [asdict(layer) for layer in zygote.layers]})
        while True:
            text, descriptors, _, _ = socket.recv_fds(control, 1 << 16, 4)
            if not text:
                return
            _answer(zygote, control, json.loads(text), descriptors)
            for descriptor in descriptors:
                os.close(descriptor)
    except OSError:
        return  # the other side is gone
    finally:
        shutil.rmtree(clears, ignore_errors=True)


def _answer(zygote: Zygote, control: socket.socket, request: dict[str, Any], descriptors: list[int]) -> None:
    if "reap" in request:
        _say(control, {"status": os.waitpid(request["reap"], 0)[1]})  # asked for only when it has ended
        return
    try:
        pid = _fork(zygote, descriptors[0], request["fork"])
        process = os.pidfd_open(pid)
    except OSError as error:
        _say(control, {"error": str(error)})
        return
    socket.send_fds(control, [json.dumps({"pid": pid}).encode()], [process])
    os.close(process)


def _fork(zygote: Zygote, end: int, private: str) -> int:
    """Fork a child that lives in `private`; its process id as this process sees it. Raises OSError."""
    with zygote.processes.next_child_alone() if zygote.processes else nullcontext():
        pid = os.fork()
        if pid == 0:
            _become_child(zygote, end, private)
    return pid


def _become_child(zygote: Zygote, end: int, private: str) -> NoReturn:
    from autograder.sandbox.child import live

    try:
        call_process("student")
        if zygote.processes:
            namespaces.own_mounts(private)
        gc.enable()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        live(end, zygote.walls(private), zygote.caps, zygote.shell, zygote.above)
    finally:
        os._exit(1)


if __name__ == "__main__":
    main()
