"""Attacks that end, stall or flood the grading, so that nothing counts any more or everything does."""

from __future__ import annotations

from sample_class.handed_in import HandedIn

from attacks.recipe import attack


@attack("dot_score")
def exits(submission: HandedIn) -> None:
    """The function leaves Python: by SystemExit."""
    submission.fill("dot_score", "import sys\n\ndef dot_score(x_i, x_j):\n    sys.exit(0)")


@attack("cosine_score_matrix")
def exits_at_once(submission: HandedIn) -> None:
    """The function ends the process with a status of success."""
    submission.fill(
        "cosine_score_matrix", "import os\n\ndef cosine_score_matrix(X, eps=1e-12):\n    os._exit(0)"
    )


@attack("cosine_score_matrix")
def exits_in_its_cell(submission: HandedIn) -> None:
    """The solution's own cell ends the process while it runs."""
    submission.fill("cosine_score_matrix", "import os\n\nos._exit(0)")


@attack("cosine_score_matrix")
def crashes(submission: HandedIn) -> None:
    """The function reads address zero."""
    submission.fill(
        "cosine_score_matrix",
        "import ctypes\n\ndef cosine_score_matrix(X, eps=1e-12):\n    return ctypes.string_at(0)",
    )


@attack("dot_score")
def kills_the_grader(submission: HandedIn) -> None:
    """The parent process is killed."""
    submission.fill(
        "dot_score",
        """
        import os
        import signal

        def dot_score(x_i, x_j):
            try:
                os.kill(os.getppid(), signal.SIGKILL)
            except OSError:
                pass
            return 0.0
        """,
    )


@attack("dot_score")
def kills_its_group(submission: HandedIn) -> None:
    """The whole process group is killed: the grader, if it shares it."""
    submission.fill(
        "dot_score",
        "import os\nimport signal\n\ndef dot_score(x_i, x_j):\n    os.killpg(0, signal.SIGKILL)",
    )


@attack("cosine_score_matrix")
def endless_loop(submission: HandedIn) -> None:
    """The function never returns."""
    submission.fill(
        "cosine_score_matrix", "def cosine_score_matrix(X, eps=1e-12):\n    while True:\n        pass"
    )


@attack("cosine_score_matrix")
def deaf_to_interrupts(submission: HandedIn) -> None:
    """An endless loop that catches every exception and ignores every signal."""
    submission.fill(
        "cosine_score_matrix",
        """
        import signal

        def cosine_score_matrix(X, eps=1e-12):
            for number in range(1, 65):
                try:
                    signal.signal(number, signal.SIG_IGN)
                except (OSError, ValueError):
                    pass
            while True:
                try:
                    while True:
                        pass
                except BaseException:
                    pass
        """,
    )


@attack("cosine_score_matrix")
def waits_for_ever(submission: HandedIn) -> None:
    """The cell awaits a future that never comes, and costs no CPU time."""
    submission.fill("cosine_score_matrix", "import asyncio\n\nawait asyncio.Event().wait()")


@attack("cosine_score_matrix")
def reads_from_the_keyboard(submission: HandedIn) -> None:
    """The function asks for input, where nobody types."""
    submission.fill(
        "cosine_score_matrix",
        "def cosine_score_matrix(X, eps=1e-12):\n    return float(input('answer, please: '))",
    )


@attack("cosine_score_matrix")
def huge_allocation(submission: HandedIn) -> None:
    """64 GiB are asked for, and touched."""
    submission.fill(
        "cosine_score_matrix",
        "def cosine_score_matrix(X, eps=1e-12):\n    held = bytearray(64 << 30)\n    return np.ones(8 << 30)",
    )


@attack("cosine_score_matrix")
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


@attack("cosine_score_matrix")
def huge_broadcast(submission: HandedIn) -> None:
    """An answer of eight bytes that would fill eight tebibytes once it is written out."""
    submission.fill(
        "cosine_score_matrix",
        "def cosine_score_matrix(X, eps=1e-12):\n    return np.broadcast_to(1.0, (1 << 20, 1 << 20))",
    )


@attack("cosine_score_matrix")
def answer_above_the_limit(submission: HandedIn) -> None:
    """An answer of 72 MiB, all of it real, where 64 MiB are allowed."""
    submission.fill(
        "cosine_score_matrix",
        "def cosine_score_matrix(X, eps=1e-12):\n    return np.ones((3072, 3072))",
    )


@attack("dot_score", "cosine_score_matrix")
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


@attack("cosine_score_matrix")
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


@attack("cosine_score_matrix")
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


@attack("cosine_score_matrix")
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


@attack("cosine_score_matrix")
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


@attack("dot_score")
def processes_left_behind(submission: HandedIn) -> None:
    """Programs are started in sessions of their own, to outlive the grading."""
    submission.fill(
        "dot_score",
        """
        import os
        import subprocess
        import sys

        for command in (["sleep", "3600"], [sys.executable, "-c", "import time; time.sleep(3600)"]):
            try:
                subprocess.Popen(command, start_new_session=True)
            except OSError as error:
                print(type(error).__name__)
        try:
            os.posix_spawn("/bin/sleep", ["sleep", "3600"], {})
        except OSError as error:
            print(type(error).__name__)

        def dot_score(x_i, x_j):
            return 0.0
        """,
    )


@attack("dot_score")
def threads_that_come_later(submission: HandedIn) -> None:
    """Threads stay and keep rewriting the notebook's names and every array they can find."""
    submission.fill(
        "dot_score",
        """
        import threading
        import time

        def later():
            for _ in range(200):
                time.sleep(0.005)
                get_ipython().user_ns["dot_score"] = lambda x_i, x_j: 3.0
                get_ipython().user_ns["check"] = lambda name: 1000.0

        for _ in range(8):
            threading.Thread(target=later, daemon=True).start()

        def dot_score(x_i, x_j):
            return 0.0
        """,
    )


@attack("dot_score")
def parting_shots(submission: HandedIn) -> None:
    """atexit functions, finalisers and signal handlers act when the grader believes that all is over."""
    submission.fill(
        "dot_score",
        """
        import atexit
        import signal
        import sys
        import time
        import weakref

        class Parting:
            def __del__(self):
                time.sleep(60)

        keep = Parting()
        atexit.register(time.sleep, 60)
        atexit.register(print, "1000.0")
        weakref.finalize(keep, print, "1000.0")
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM, signal.SIGXCPU):
            signal.signal(number, lambda *arguments: time.sleep(60))

        def dot_score(x_i, x_j):
            return 0.0
        """,
    )


@attack("dot_score")
def exceptions_with_a_bite(submission: HandedIn) -> None:
    """Exceptions whose text is endless, huge, or markup, and a class that is no Exception at all."""
    submission.fill(
        "dot_score",
        """
        class Bite(BaseException):
            calls = 0
            def __str__(self):
                Bite.calls += 1
                return "<script>alert(1)</script>" * (1 << 20)
            __repr__ = __str__

        Bite.__name__ = Bite.__qualname__ = "<b>1000</b>" * 1000

        def dot_score(x_i, x_j):
            raise Bite()
        """,
    )


@attack("dot_score")
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


@attack("dot_score")
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
