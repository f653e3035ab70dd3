"""Attacks that end the process, stay behind it, or act when the grader believes that all is over."""

from __future__ import annotations

from sample_class.handed_in import HandedIn

from attacks.recipe import attack


@attack("outliving", "dot_score")
def exits(submission: HandedIn) -> None:
    """The function leaves Python: by SystemExit."""
    submission.fill("dot_score", "import sys\n\ndef dot_score(x_i, x_j):\n    sys.exit(0)")


@attack("outliving", "cosine_score_matrix")
def exits_at_once(submission: HandedIn) -> None:
    """The function ends the process with a status of success."""
    submission.fill(
        "cosine_score_matrix", "import os\n\ndef cosine_score_matrix(X, eps=1e-12):\n    os._exit(0)"
    )


@attack("outliving", "cosine_score_matrix")
def exits_in_its_cell(submission: HandedIn) -> None:
    """The solution's own cell ends the process while it runs."""
    submission.fill("cosine_score_matrix", "import os\n\nos._exit(0)")


@attack("outliving", "cosine_score_matrix")
def crashes(submission: HandedIn) -> None:
    """The function reads address zero."""
    submission.fill(
        "cosine_score_matrix",
        "import ctypes\n\ndef cosine_score_matrix(X, eps=1e-12):\n    return ctypes.string_at(0)",
    )


@attack("outliving", "dot_score")
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


@attack("outliving", "dot_score")
def kills_its_group(submission: HandedIn) -> None:
    """The whole process group is killed: the grader, if it shares it."""
    submission.fill(
        "dot_score",
        "import os\nimport signal\n\ndef dot_score(x_i, x_j):\n    os.killpg(0, signal.SIGKILL)",
    )


@attack("outliving", "cosine_score_matrix")
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


@attack("outliving", "dot_score")
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


@attack("outliving", "dot_score")
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


@attack("outliving", "dot_score")
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


@attack("outliving", "cosine_score_matrix")
def stops_itself(submission: HandedIn) -> None:
    """The process stops itself by a signal: it is neither dead nor busy."""
    submission.fill(
        "cosine_score_matrix",
        """
        import os
        import signal

        def cosine_score_matrix(X, eps=1e-12):
            os.kill(os.getpid(), signal.SIGSTOP)
            return np.zeros((len(X), len(X)))
        """,
    )


@attack("outliving", "cosine_score_matrix")
def interrupts_answered(submission: HandedIn) -> None:
    """The interrupt at the end of the time is caught, and answered with more of the same."""
    submission.fill(
        "cosine_score_matrix",
        """
        import signal

        def cosine_score_matrix(X, eps=1e-12):
            try:
                while True:
                    pass
            except KeyboardInterrupt:
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                return X @ X.T
        """,
    )


@attack("outliving", "dot_score")
def signals_to_everyone(submission: HandedIn) -> None:
    """Signals of every kind are sent to the parent, its group, its neighbours, and everyone."""
    submission.fill(
        "dot_score",
        """
        import contextlib
        import os
        import signal
        import threading

        def shots():
            me, parent = os.getpid(), os.getppid()
            targets = [parent, 1, 0, -1, -parent, *range(max(me - 20, 2), me), *range(me + 1, me + 20)]
            for word in ("STOP", "TERM", "INT", "CHLD", "IO", "KILL"):
                number = getattr(signal, f"SIG{word}")
                for target in targets:
                    if target != me:
                        with contextlib.suppress(OSError):
                            os.kill(target, number)
                            print("LOOT signalled", target, number)
            for target in (parent, 1):
                with contextlib.suppress(OSError):
                    signal.pidfd_send_signal(os.pidfd_open(target), signal.SIGKILL)
                    print("LOOT signalled", target)

        if os.getpid() != 1:
            shots()

        def dot_score(x_i, x_j):
            shots()
            return 0.0
        """,
    )


@attack("outliving", "dot_score")
def timers_left_running(submission: HandedIn) -> None:
    """Timers and alarms go off again and again while later exercises are asked, and rewrite what they can."""
    submission.fill(
        "dot_score",
        """
        import signal
        import sys

        def go_off(number, frame):
            sys.stdout.write("1000.0")
            get_ipython().user_ns["dot_score"] = lambda x_i, x_j: 3.0
            get_ipython().display_pub.publish({"text/plain": "1000.0"})

        signal.signal(signal.SIGALRM, go_off)
        signal.signal(signal.SIGVTALRM, go_off)
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.01, 0.01)

        def dot_score(x_i, x_j):
            return 0.0
        """,
    )


@attack("outliving", "dot_score")
def death_with_the_parent_cancelled(submission: HandedIn) -> None:
    """The process leaves its session, asks not to die with its parent, and waits in a thread."""
    submission.fill(
        "dot_score",
        """
        import contextlib
        import ctypes
        import os
        import threading
        import time

        libc = ctypes.CDLL(None, use_errno=True)
        PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_SET_KEEPCAPS = 1, 36, 8
        for option in (PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_SET_KEEPCAPS):
            if libc.prctl(option, 0 if option == PR_SET_PDEATHSIG else 1, 0, 0, 0) == 0:
                print("LOOT allowed: prctl", option)
        for act in (os.setsid, lambda: os.setpgid(0, 0), lambda: os.daemon(0, 0), os.fork, os.forkpty):
            with contextlib.suppress(OSError, AttributeError):
                act()
        threading.Thread(target=time.sleep, args=(3600,)).start()

        def dot_score(x_i, x_j):
            return 0.0
        """,
    )


@attack("outliving", "dot_score")
def threads_that_answer_instead(submission: HandedIn) -> None:
    """Threads wait for the arrays that come back and rewrite the answer between the call and the reply."""
    submission.fill(
        "dot_score",
        """
        import gc
        import sys
        import threading
        import time

        answer = np.zeros(())

        def rewrite():
            for _ in range(300):
                answer[...] = np.random.default_rng().normal()
                time.sleep(0.001)

        sys.setswitchinterval(1e-6)
        for _ in range(4):
            threading.Thread(target=rewrite, daemon=True).start()

        def dot_score(x_i, x_j):
            time.sleep(0.002)
            return answer
        """,
    )
