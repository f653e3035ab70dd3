"""Attacks that exhaust what grading needs: time, memory, processes, files, disk, the reader of an answer."""

from __future__ import annotations

from sample_class.handed_in import HandedIn

from attacks.recipe import attack


@attack("exhausting", "cosine_score_matrix")
def endless_loop(submission: HandedIn) -> None:
    """The function never returns."""
    submission.fill(
        "cosine_score_matrix", "def cosine_score_matrix(X, eps=1e-12):\n    while True:\n        pass"
    )


@attack("exhausting", "cosine_score_matrix")
def waits_for_ever(submission: HandedIn) -> None:
    """The cell awaits a future that never comes, and costs no CPU time."""
    submission.fill("cosine_score_matrix", "import asyncio\n\nawait asyncio.Event().wait()")


@attack("exhausting", "cosine_score_matrix")
def reads_from_the_keyboard(submission: HandedIn) -> None:
    """The function asks for input, where nobody types."""
    submission.fill(
        "cosine_score_matrix",
        "def cosine_score_matrix(X, eps=1e-12):\n    return float(input('answer, please: '))",
    )


@attack("exhausting", "cosine_score_matrix")
def huge_allocation(submission: HandedIn) -> None:
    """64 GiB are asked for, and touched."""
    submission.fill(
        "cosine_score_matrix",
        "def cosine_score_matrix(X, eps=1e-12):\n    held = bytearray(64 << 30)\n    return np.ones(8 << 30)",
    )


@attack("exhausting", "cosine_score_matrix")
def hoarded_memory(submission: HandedIn) -> None:
    """Memory is taken piece by piece, and a MemoryError is answered by asking again."""
    submission.fill(
        "cosine_score_matrix",
        """
        hoard = []

        def cosine_score_matrix(X, eps=1e-12):
            for _ in range(200):
                try:
                    hoard.append(np.empty(8 << 20))
                except MemoryError:
                    continue
            return hoard[0]
        """,
    )


@attack("exhausting", "cosine_score_matrix")
def huge_broadcast(submission: HandedIn) -> None:
    """An answer of eight bytes that would fill eight tebibytes once it is written out."""
    submission.fill(
        "cosine_score_matrix",
        "def cosine_score_matrix(X, eps=1e-12):\n    return np.broadcast_to(1.0, (1 << 20, 1 << 20))",
    )


@attack("exhausting", "cosine_score_matrix")
def answer_above_the_limit(submission: HandedIn) -> None:
    """An answer of 72 MiB, all of it real, where 64 MiB are allowed."""
    submission.fill(
        "cosine_score_matrix",
        "def cosine_score_matrix(X, eps=1e-12):\n    return np.ones((3072, 3072))",
    )


@attack("exhausting", "dot_score", "cosine_score_matrix")
def bottomless_lists(submission: HandedIn) -> None:
    """A list that holds itself, and one that is nested ten thousand deep."""
    submission.fill(
        "dot_score",
        """
        def dot_score(x_i, x_j):
            ring = []
            ring.append(ring)
            return ring
        """,
    )
    submission.fill(
        "cosine_score_matrix",
        """
        def cosine_score_matrix(X, eps=1e-12):
            deep = 1.0
            for _ in range(10_000):
                deep = [deep]
            return deep
        """,
    )


@attack("exhausting", "cosine_score_matrix")
def flood_of_output(submission: HandedIn) -> None:
    """The function prints 100 MB on one line, and then some."""
    submission.fill(
        "cosine_score_matrix",
        """
        import sys

        def cosine_score_matrix(X, eps=1e-12):
            for _ in range(100):
                sys.stdout.write("spam" * (1 << 18))
            return np.zeros((len(X), len(X)))
        """,
    )


@attack("exhausting", "cosine_score_matrix")
def flood_of_displays(submission: HandedIn) -> None:
    """A cell displays thousands of objects and one enormous one."""
    submission.fill(
        "cosine_score_matrix",
        """
        from IPython.display import HTML, display

        for _ in range(2000):
            display(HTML("<script>document.title = '1000 points'</script>"))
        display(HTML("x" * (1 << 24)))

        def cosine_score_matrix(X, eps=1e-12):
            return np.zeros((len(X), len(X)))
        """,
    )


@attack("exhausting", "cosine_score_matrix")
def flood_below_python(submission: HandedIn) -> None:
    """Bytes are written past sys.stdout, straight to descriptors 1 and 2."""
    submission.fill(
        "cosine_score_matrix",
        """
        import os

        def cosine_score_matrix(X, eps=1e-12):
            for _ in range(64):
                os.write(1, b"spam" * 4096)
                os.write(2, b"3.0\\n" * 4096)
            return np.zeros((len(X), len(X)))
        """,
    )


@attack("exhausting", "cosine_score_matrix")
def fork_bomb(submission: HandedIn) -> None:
    """Processes that make processes; a few hundred would do to show that nothing stops them."""
    submission.fill(
        "cosine_score_matrix",
        """
        import os
        import time

        def cosine_score_matrix(X, eps=1e-12):
            parent = os.getpid()
            for _ in range(8):
                try:
                    os.fork()
                except OSError:
                    pass
            if os.getpid() != parent:
                os.setsid()
                time.sleep(3600)
            return np.zeros((len(X), len(X)))
        """,
    )


@attack("exhausting", "dot_score")
def limits_lifted(submission: HandedIn) -> None:
    """The process raises its own limits and priority, and changes the rules it runs under."""
    submission.fill(
        "dot_score",
        """
        import ctypes
        import os
        import resource

        for kind in range(16):
            try:
                resource.setrlimit(kind, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
                print("LIFTED", kind) if resource.getrlimit(kind)[1] < 0 and kind in (0, 1, 6) else None
            except (OSError, ValueError):
                pass
        libc = ctypes.CDLL(None)
        PR_SET_SECCOMP, PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 22, 4, 38
        libc.prctl(PR_SET_SECCOMP, 0, 0, 0, 0)
        libc.prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0)
        for act in (lambda: os.setuid(0), lambda: os.chroot("/"), lambda: os.nice(-20)):
            try:
                act()
            except OSError:
                pass

        def dot_score(x_i, x_j):
            return 0.0
        """,
    )


@attack("exhausting", "dot_score")
def disk_filled(submission: HandedIn) -> None:
    """Every folder that can be written is filled: with one large file and with many."""
    submission.fill(
        "dot_score",
        """
        import os
        from pathlib import Path

        for folder in (".", "~", "/tmp", "/dev/shm", "/var/tmp", "/srv/course"):
            try:
                with open(Path(folder).expanduser() / "large.bin", "wb") as file:
                    for _ in range(256):
                        file.write(bytes(1 << 20))
            except OSError as error:
                print(folder, type(error).__name__)

        def dot_score(x_i, x_j):
            return 0.0
        """,
    )


@attack("exhausting", "dot_score", "cosine_score_matrix")
def deep_recursion(submission: HandedIn) -> None:
    """Calls without end: in Python with the limit lifted, in C below it, and in the compiler."""
    submission.fill(
        "dot_score",
        """
        import sys

        def dot_score(x_i, x_j):
            sys.setrecursionlimit(10**9)
            def deeper(n):
                return deeper(n + 1) + 1
            return deeper(0)
        """,
    )
    submission.fill(
        "cosine_score_matrix",
        """
        def cosine_score_matrix(X, eps=1e-12):
            try:
                eval("(" * 10**4 + ")" * 10**4)
            except (MemoryError, SyntaxError, RecursionError):
                pass
            deep = []
            for _ in range(10**5):
                deep = [deep]
            return deep == eval("-" * 10**5 + "1")
        """,
    )


@attack("exhausting", "cosine_score_matrix")
def busy_below_python(submission: HandedIn) -> None:
    """One call into C that takes hours, and looks at no signal meanwhile."""
    submission.fill(
        "cosine_score_matrix", "def cosine_score_matrix(X, eps=1e-12):\n    return 3 ** (10**8) % 7"
    )


@attack("exhausting", "cosine_score_matrix")
def backtracking_without_end(submission: HandedIn) -> None:
    """A regular expression that tries every way to split thirty letters."""
    submission.fill(
        "cosine_score_matrix",
        """
        import re

        def cosine_score_matrix(X, eps=1e-12):
            return float(bool(re.match(r"(a|a)*$", "a" * 60 + "b")))
        """,
    )


@attack("exhausting", "cosine_score_matrix")
def strides_beyond_the_array(submission: HandedIn) -> None:
    """Strides reach far beyond the array's memory: reading the answer crashes whoever reads it."""
    submission.fill(
        "cosine_score_matrix",
        """
        from numpy.lib.stride_tricks import as_strided

        def cosine_score_matrix(X, eps=1e-12):
            return as_strided(X, shape=(len(X), len(X)), strides=(1 << 40, 8))
        """,
    )


@attack("exhausting", "cosine_score_matrix")
def a_billion_items_shared(submission: HandedIn) -> None:
    """Ten lists that each hold the one before ten times: small to keep, without end to write out."""
    submission.fill(
        "cosine_score_matrix",
        """
        asked = []

        def cosine_score_matrix(X, eps=1e-12):
            asked.append(len(X))
            laughs = [0.0]
            for _ in range(12):
                laughs = [laughs] * 10
            return laughs if len(asked) < 3 else 0.0
        """,
    )


@attack("exhausting", "dot_score")
def as_many_items_as_allowed(submission: HandedIn) -> None:
    """Numbers by the hundred thousand in a list, for each question: the judge is to look at every one."""
    submission.fill(
        "dot_score",
        """
        numbers = [0.5] * 150_000

        def dot_score(x_i, x_j):
            return numbers
        """,
    )


@attack("exhausting", "dot_score", "third_output")
def numbers_without_end(submission: HandedIn) -> None:
    """Integers of a million digits, texts of millions of letters, arrays of as many axes as there can be."""
    submission.fill(
        "dot_score",
        """
        answers = [10 ** 10**6, "9" * 10**7, b"0" * 10**7, {"a" * 10**6: 1}]
        answers += [np.zeros((1,) * 32), np.zeros((0,) * 20)]

        def dot_score(x_i, x_j):
            answers.append(answers.pop(0))
            return answers[-1]
        """,
    )
    submission.fill("third_output", "third_output = [10 ** 10**5, float(2**1000)]")


@attack("exhausting", "dot_score")
def threads_by_the_hundred(submission: HandedIn) -> None:
    """Threads that start threads, each with a small stack, until no more can be had."""
    submission.fill(
        "dot_score",
        """
        import threading
        import time

        threading.stack_size(65536)

        def dot_score(x_i, x_j):
            try:
                for _ in range(200):
                    threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
            except RuntimeError:
                pass
            return 0.0
        """,
    )


@attack("exhausting", "dot_score")
def descriptors_used_up(submission: HandedIn) -> None:
    """Files, pipes, sockets and polls are opened until there are none left, and kept open."""
    submission.fill(
        "dot_score",
        """
        import os
        import select
        import socket

        kept = []

        def dot_score(x_i, x_j):
            for make in (os.pipe, select.epoll, lambda: socket.socketpair(), lambda: open(os.devnull)):
                try:
                    while True:
                        kept.append(make())
                except OSError:
                    pass
            return 0.0
        """,
    )


@attack("exhausting", "dot_score")
def small_files_by_the_thousand(submission: HandedIn) -> None:
    """More files and folders than anybody needs, in the private folder."""
    submission.fill(
        "dot_score",
        """
        import os

        try:
            for number in range(2200):
                os.mkdir(f"folder {number}")
                with open(f"folder {number}/file", "wb") as file:
                    file.write(b"x")
        except OSError as error:
            print(error.errno)

        def dot_score(x_i, x_j):
            return 0.0
        """,
    )


@attack("exhausting", "dot_score")
def files_without_names(submission: HandedIn) -> None:
    """Large files are removed while they are open: they fill the disk, and no folder lists them."""
    submission.fill(
        "dot_score",
        """
        kept = []
        try:
            for number in range(8):
                file = open("large", "w+b", buffering=0)
                kept.append(file)
                os.unlink("large")
                file.write(bytes(31 << 20))
        except OSError as error:
            print(error.errno)

        def dot_score(x_i, x_j):
            return 0.0
        """.replace("kept = []", "import os\n\n        kept = []"),
    )


@attack("exhausting", "dot_score")
def texts_that_take_ages(submission: HandedIn) -> None:
    """Values whose text is made slowly, and has no end: shown by a cell, and carried by an exception."""
    submission.fill(
        "dot_score",
        """
        class Slow(Exception):
            def __repr__(self):
                return "slow " * 10**6
            __str__ = _repr_html_ = _repr_pretty_ = lambda self, *arguments: Slow.__repr__(self)

        def deeper(n):
            raise Slow() from (deeper(n - 1) if n else Slow())

        def dot_score(x_i, x_j):
            raise Slow()

        Slow()
        """,
    )
    submission.after("dot_score", "deeper(200)")


@attack("exhausting", "dot_score")
def outputs_rewritten_for_ever(submission: HandedIn) -> None:
    """One display is updated ten thousand times, cleared, and shown again, with a million letters each."""
    submission.fill(
        "dot_score",
        """
        from IPython.display import clear_output, display

        shown = display("x", display_id=True)
        for number in range(300):
            if shown is not None:
                shown.update("y" * 10**5)
            print("z" * 10**5)
            if number % 100 == 0:
                clear_output()

        def dot_score(x_i, x_j):
            return 0.0
        """,
    )


@attack("exhausting", "dot_score")
def figures_by_the_hundred(submission: HandedIn) -> None:
    """Figures of enormous size are opened, drawn nowhere, and left for whoever shows them."""
    submission.fill(
        "dot_score",
        """
        import matplotlib.pyplot as plt

        for _ in range(30):
            plt.figure(figsize=(400, 400))

        def dot_score(x_i, x_j):
            plt.figure(figsize=(2000, 2000))
            return 0.0
        """,
    )
