"""What student code tries, in both tiers, asserted on what the code itself sees."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from autograder.sandbox import client
from autograder.sandbox.client import Child, NoSandbox, Sandbox, doctor
from autograder.sandbox.isolation import BASE, Layer, missing

from .conftest import ROOT


def attempt(child: Child, attack: str, setup: str = "") -> str:
    """Run `attack` in a cell: "through", or the name of the exception that stopped it."""
    body = "\n".join(f"    {line}" for line in attack.splitlines())
    caught = "except BaseException as error:\n    seen = type(error).__name__"
    child.run_cell(f"{setup}\ntry:\n{body}\n    seen = 'through'\n{caught}")
    seen = child.look("seen")
    assert isinstance(seen, str), f"the cell said nothing: {seen!r}"
    return seen


@pytest.fixture(scope="session")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("course") / "secret"
    path.write_text("the answer")
    return path


@pytest.mark.parametrize(
    "path", ["/proc/1/environ", "/proc/self/mem", "/proc/self/maps", "/etc/passwd", "/etc/hostname"]
)
def test_system_files_can_not_be_read(child: Child, path: str) -> None:
    assert attempt(child, f"open({path!r}, 'rb').read(1)") == "PermissionError"


@pytest.mark.parametrize(
    "folder", ["/", "/tmp", "/root", "/home", "/proc", str(ROOT), str(ROOT / "solutions")]
)
def test_folders_can_not_be_listed(child: Child, folder: str) -> None:
    assert attempt(child, f"import os; os.listdir({folder!r})") == "PermissionError"


def test_what_knows_an_answer_can_not_be_read_or_imported(child: Child) -> None:
    for path in [*(ROOT / "solutions" / "exercises").rglob("*.py"), ROOT / "autograder" / "library.py"]:
        assert attempt(child, f"open({str(path)!r})") == "PermissionError"
    assert attempt(child, "import solutions") == "ModuleNotFoundError"
    assert attempt(child, "import autograder.exercise") in ("PermissionError", "ModuleNotFoundError")


def test_nothing_of_the_engine_is_loaded_beside_the_sandbox_itself(child: Child) -> None:
    child.run_cell("import sys\nloaded = [name for name in sys.modules if name.startswith('autograder')]")
    loaded = child.look("loaded")
    assert isinstance(loaded, list)
    assert {name for name in loaded if not name.startswith("autograder.sandbox")} == {"autograder"}
    trusted = {"client", "conversation", "clock", "launch", "outputs"}
    assert trusted.isdisjoint(name.rpartition(".")[2] for name in loaded)


def test_a_file_of_the_course_can_be_neither_read_nor_damaged(child: Child, secret: Path) -> None:
    name, before = str(secret), secret.stat()
    for attack in (
        f"open({name!r}).read()",
        f"open({name!r}, 'w')",
        f"os.truncate({name!r}, 0)",
        f"os.unlink({name!r})",
        f"os.rename({name!r}, 'mine')",
        f"os.link({name!r}, 'mine')",
        f"os.chmod({name!r}, 0)",
        f"os.utime({name!r}, (0, 0))",
        f"os.setxattr({name!r}, 'user.x', b'1')",
        f"os.open({name!r}, os.O_RDONLY | os.O_TRUNC)",
        f"os.mkdir({str(secret.parent / 'new')!r})",
    ):
        assert attempt(child, attack, "import os") in ("PermissionError", "OSError"), attack
    assert secret.read_text() == "the answer"
    assert (secret.stat().st_mode, secret.stat().st_mtime_ns) == (before.st_mode, before.st_mtime_ns)


def test_readable_files_can_not_be_emptied(child: Child) -> None:
    library = ROOT / "attention_lib" / "__init__.py"
    before = library.read_bytes()
    attack = f"os.open({str(library)!r}, os.O_RDONLY | os.O_TRUNC)"
    assert attempt(child, attack, "import os") == "PermissionError"
    assert library.read_bytes() == before


def test_the_private_folder_is_empty_and_can_be_written(child: Child) -> None:
    child.run_cell("import os, tempfile\nfound = os.listdir('.')")
    assert child.look("found") == []
    assert (
        attempt(child, "open('notes.txt', 'w').write('x')\nassert open('notes.txt').read() == 'x'")
        == "through"
    )
    assert attempt(child, "tempfile.NamedTemporaryFile('w').write('x')") == "through"


def test_one_file_has_a_limited_size(child: Child) -> None:
    assert attempt(child, "f = open('big', 'wb')\nfor _ in range(100): f.write(bytes(1 << 20))") == "OSError"


def test_the_private_folder_is_gone_with_the_child_and_the_next_has_its_own(sandbox: Sandbox) -> None:
    with sandbox.child() as first:
        first.run_cell("import os; open('trace', 'w').write('x'); here = os.getcwd()")
        here = str(first.look("here"))
    with sandbox.child() as second:
        second.run_cell("import os; found = os.listdir('.')")
        assert second.look("found") == []
    assert not os.path.exists(here)


@pytest.mark.parametrize(
    "attack",
    [
        "socket.socket()",
        "socket.socket(socket.AF_UNIX)",
        "socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)",
        "socket.create_connection(('127.0.0.1', 80), 1)",
        "socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)",
        "socket.socketpair()[0].sendmsg([b'x'])",
        "import urllib.request; urllib.request.urlopen('http://127.0.0.1/')",
    ],
)
def test_nothing_leaves_over_the_network(child: Child, attack: str) -> None:
    assert attempt(child, attack, "import socket") in ("PermissionError", "URLError", "gaierror")


@pytest.mark.parametrize(
    "attack",
    [
        "os.fork()",
        "os.forkpty()",
        "os.posix_spawn('/bin/true', ['true'], {})",
        "os.execv('/bin/true', ['true'])",
        "import subprocess; subprocess.run(['/bin/true'])",
        "import multiprocessing; multiprocessing.get_context('fork').Process(target=print).start()",
        "os.unshare(1) if hasattr(os, 'unshare') else call(272, 0x10000000)",
        "call(435, 0, 0)",  # clone3
        "call(322, 0, 0, 0, 0, 0)",  # execveat
    ],
)
def test_no_process_can_be_started(child: Child, attack: str) -> None:
    assert attempt(child, attack, CALL) in ("PermissionError", "OSError")


#: A raw system call that raises as Python's own do.
CALL = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    if libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), 'refused')
"""


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers are x86_64's")
@pytest.mark.parametrize(
    "attack",
    [
        pytest.param("call(101, 16, {pid}, 0, 0)", id="ptrace"),
        pytest.param("call(310, {pid}, 0, 0, 0, 0, 0)", id="process_vm_readv"),
        pytest.param("call(311, {pid}, 0, 0, 0, 0, 0)", id="process_vm_writev"),
        pytest.param("call(434, {pid}, 0)", id="pidfd_open"),
        pytest.param("os.kill({pid}, 9)", id="kill"),
        pytest.param("os.kill({pid}, 0)", id="kill with nothing"),
        pytest.param("os.kill(-1, 9)", id="kill everyone"),
        pytest.param("os.killpg(0, 9)", id="kill the group"),
        pytest.param("call(302, {pid}, 7, 0, 0)", id="prlimit"),
        pytest.param("os.setpriority(os.PRIO_PROCESS, {pid}, 19)", id="setpriority"),
        pytest.param("os.sched_setaffinity({pid}, [0])", id="sched_setaffinity"),
        pytest.param("import fcntl; fcntl.fcntl(3, fcntl.F_SETOWN, {pid})", id="own a descriptor's signals"),
        pytest.param("call(157, 1, 0, 0, 0, 0)", id="outlive the parent"),
        pytest.param("call(157, 4, 1, 0, 0, 0)", id="become dumpable"),
        pytest.param("call(29, 0, 4096, 0o1777)", id="shmget"),
        pytest.param("call(68, 0, 0o1777)", id="msgget"),
        pytest.param("call(64, 0, 1, 0o1777)", id="semget"),
        pytest.param("call(240, b'/q', 66, 0o600, 0)", id="mq_open"),
        pytest.param("call(319, b'x', 0)", id="memfd_create"),
        pytest.param("call(425, 8, 0)", id="io_uring_setup"),
        pytest.param("call(321, 0, 0, 0)", id="bpf"),
        pytest.param("call(323, 0)", id="userfaultfd"),
        pytest.param("call(298, 0, 0, -1, -1, 0)", id="perf_event_open"),
        pytest.param("call(250, 0, 0, 0, 0)", id="keyctl"),
        pytest.param("call(165, b'x', b'/', b'tmpfs', 0, 0)", id="mount"),
        pytest.param("call(155, b'.', b'.')", id="pivot_root"),
        pytest.param("os.chroot('.')", id="chroot"),
        pytest.param("call(135, 0x0040000)", id="personality"),
        pytest.param("call(304, -100, 0, 0)", id="open_by_handle_at"),
        pytest.param("os.setuid(0)", id="setuid"),
        pytest.param("call(126, 0, 0)", id="capset"),
        pytest.param("call(294, 0)", id="inotify_init1"),
        pytest.param("open('/dev/shm/x', 'w')", id="a file in shared memory"),
        pytest.param(
            "from multiprocessing import shared_memory as s; s.SharedMemory('x', True, 10)", id="shm"
        ),
        pytest.param("import resource; resource.setrlimit(resource.RLIMIT_AS, (-1, -1))", id="lift a limit"),
    ],
)
def test_other_processes_and_the_kernel_are_out_of_reach(child: Child, attack: str) -> None:
    source = attack.format(pid=os.getpid())
    assert attempt(child, source, CALL) in ("PermissionError", "OSError", "ValueError"), source


def test_the_child_sees_no_environment_of_the_persons(child: Child) -> None:
    child.run_cell("import os; names = sorted(os.environ)")
    names = child.look("names")
    kept = {"HOME", "IPYTHONDIR", "LANG", "LC_ALL", "MPLBACKEND", "MPLCONFIGDIR", "PATH", "PYTHONHASHSEED"}
    kept |= {"PWD", "TMPDIR", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"}
    assert set(names) - kept <= {"LC_CTYPE", "LINES", "COLUMNS", "KMP_DUPLICATE_LIB_OK", "KMP_INIT_AT_FORK"}


def test_the_only_open_descriptors_are_null_and_the_childs_own_socket(child: Child) -> None:
    child.run_cell(
        "import os, stat\nopen_ones = []\nfor number in range(64):\n"
        "    try: open_ones.append((number, stat.S_IFMT(os.fstat(number).st_mode)))\n"
        "    except OSError: pass\n"
    )
    device, sock = 0o020000, 0o140000
    found = child.look("open_ones")
    assert found[:4] == [(0, device), (1, device), (2, device), (3, sock)]
    assert {kind for _, kind in found[4:]} <= {device}


def test_threads_and_asyncio_still_work(child: Child) -> None:
    child.run_cell(
        "import threading\nseen = []\n"
        "t = threading.Thread(target=seen.append, args=(1,)); t.start(); t.join()"
    )
    assert child.look("seen") == [1]
    child.run_cell(
        "import asyncio\nasync def late(): await asyncio.sleep(0.01); return 7\nvalue = await late()"
    )
    assert child.look("value") == 7


def test_doctor_names_every_layer_and_a_reason() -> None:
    layers = doctor()
    assert {layer.name for layer in layers} == {*BASE, "namespaces", "process-namespace"}
    assert all(layer.why for layer in layers)
    assert missing(layers) == []


def test_below_the_base_tier_the_sandbox_refuses_and_says_what_to_do() -> None:
    layers = [Layer(name, name != "landlock", "no Landlock here") for name in BASE]
    with pytest.raises(NoSandbox, match=r"landlock: no Landlock here.*autograder doctor.*--unsafe"):
        client._require(layers, unsafe=False)
    client._require(layers, unsafe=True)


def test_a_zygote_that_can_not_start_is_a_clear_refusal() -> None:
    with pytest.raises(NoSandbox, match="no_such_module"), Sandbox(preload=["no_such_module"]):
        pass
