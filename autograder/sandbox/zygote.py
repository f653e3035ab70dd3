"""A process that holds NumPy, matplotlib and an IPython shell ready, and forks a child per request.

Started as a fresh program with a clean environment; it never imports what knows an answer, and drops
the course's folders from its import path before the first fork. Control comes over a socket on
descriptor 0, one JSON message each way: {"fork": folder} with the child's end of a socket attached →
{"pid"}; {"reap": pid} → {"status"}. When that socket ends, so does the zygote, and the kernel
kills its children.

A shared zygote serves no children itself: whoever sends it {"join": folder} with the end of a socket
gets a fork of it, a zygote of its own that is controlled over that socket.
"""

from __future__ import annotations

import dataclasses
import gc
import importlib
import json
import os
import shutil
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from autograder.sandbox import isolation
from autograder.sandbox.isolation import Layer, Walls
from autograder.sandbox.kernel import call_process

if TYPE_CHECKING:
    from autograder.sandbox.capture import Shell
    from autograder.sandbox.child import Caps

_STATUS = struct.Struct("<i")


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
    """What every child starts from, and who is alive."""

    shell: Shell
    layers: list[Layer]
    walls: Callable[[str], Walls]
    caps: Caps
    waiting: dict[int, tuple[int, int]] = field(default_factory=dict)  # child → process to wait for, its pipe

    @property
    def above(self) -> list[Layer]:
        """The layers that children find in force."""
        return [layer for layer in self.layers if layer.name not in isolation.BASE]

    @property
    def processes_of_their_own(self) -> bool:
        return any(layer.name == isolation.PROCESSES and layer.in_force for layer in self.layers)


def main() -> None:
    """Read the order, get ready, serve."""
    order = Order(**json.loads(sys.argv[1]))
    control = socket.socket(fileno=os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    call_process("zygote")
    layers = isolation.probe(order.namespaces)
    if isolation.missing(layers) and not order.unsafe:
        _refuse(control, layers, order.shared)
        return
    if any(layer.name == isolation.NAMESPACES and layer.in_force for layer in layers):
        isolation.enter_namespaces()
    shell = _ready_shell(order)
    from autograder.sandbox.child import Caps

    _forget_folders()
    readable = (*order.readable, f"{order.scratch}/config")
    walls = isolation.prepare(readable, order.memory_bytes, order.cpu_seconds)
    zygote = Zygote(shell, layers, walls, Caps(order.answer_bytes, order.output_bytes))
    _freeze()
    try:
        if order.shared:
            _serve_joiners(zygote, control)
        else:
            _serve(zygote, control, order.clears)
    finally:
        shutil.rmtree(order.scratch, ignore_errors=True)


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
        isolation.die_with_parent()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _serve(dataclasses.replace(zygote, waiting={}), control, clears)
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
    gc.collect()
    gc.disable()
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
            _say(control, _answer(zygote, json.loads(text), descriptors))
            for descriptor in descriptors:
                os.close(descriptor)
    except OSError:
        return  # the other side is gone
    finally:
        shutil.rmtree(clears, ignore_errors=True)


def _answer(zygote: Zygote, request: dict[str, Any], descriptors: list[int]) -> dict[str, Any]:
    try:
        if "fork" in request:
            return {"pid": _fork(zygote, descriptors[0], request["fork"])}
        return {"status": _reap(zygote, request["reap"])}
    except OSError as error:
        return {"error": str(error)}


def _fork(zygote: Zygote, end: int, private: str) -> int:
    """Fork a child that lives in `private`; its process id as this process sees it."""
    if not zygote.processes_of_their_own:
        pid = os.fork()
        if pid == 0:
            _become_child(zygote, end, private)
        zygote.waiting[pid] = (pid, -1)
        return pid
    reader, writer = os.pipe()
    keeper = os.fork()
    if keeper == 0:
        _keep(zygote, end, private, writer)
    os.close(writer)
    told = os.read(reader, _STATUS.size)
    if len(told) < _STATUS.size:
        os.close(reader)
        os.waitpid(keeper, 0)
        raise OSError("a process namespace could not be had for the child")
    (pid,) = _STATUS.unpack(told)
    zygote.waiting[pid] = (keeper, reader)
    return int(pid)


def _keep(zygote: Zygote, end: int, private: str, writer: int) -> None:
    """Be the parent of a child in a process namespace of its own: wait for it and tell how it ended."""
    try:
        call_process("keeper")
        isolation.die_with_parent()
        if not isolation.enter_process_namespace(private).in_force:
            os._exit(1)
        pid = os.fork()
        if pid == 0:
            _become_child(zygote, end, private)
        os.write(writer, _STATUS.pack(pid))
        os.dup2(writer, 3)
        os.closerange(4, os.sysconf("SC_OPEN_MAX"))
        os.write(3, _STATUS.pack(os.waitpid(pid, 0)[1]))
    finally:
        os._exit(0)


def _become_child(zygote: Zygote, end: int, private: str) -> None:
    from autograder.sandbox.child import live

    call_process("student")
    gc.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    live(end, zygote.walls(private), zygote.caps, zygote.shell, zygote.above)


def _reap(zygote: Zygote, pid: int) -> int:
    """How the child ended (as `waitpid` says it). Asked for only when it has."""
    waited, reader = zygote.waiting.pop(pid)
    if reader < 0:
        return os.waitpid(waited, 0)[1]
    told = os.read(reader, _STATUS.size)
    os.close(reader)
    os.waitpid(waited, 0)
    return int(_STATUS.unpack(told)[0]) if len(told) == _STATUS.size else signal.SIGKILL


if __name__ == "__main__":
    main()
