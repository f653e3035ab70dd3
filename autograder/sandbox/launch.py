"""How a zygote is started: a fresh program in a clean environment. Trusted side."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from autograder.sandbox.scratch import Scratch

PACKAGE_ROOT = Path(__file__).resolve().parents[2]


class ZygoteProcess:
    """A zygote and the folder of its own; `control` is our end of its socket."""

    def __init__(self, order: dict[str, Any]) -> None:
        self._folder = Scratch()
        try:
            self._start({**order, "scratch": str(self.scratch)})
        except BaseException:
            self._folder.remove()
            raise

    @property
    def scratch(self) -> Path:
        return self._folder.path

    def _start(self, order: dict[str, Any]) -> None:
        (self.scratch / "config").mkdir()
        copy_font_cache(font_cache(), self.scratch / "config")
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, open(self.scratch / "log", "wb") as log:
            self._process = subprocess.Popen(
                command(order),
                stdin=theirs.fileno(),
                stdout=log,
                stderr=log,
                env=environment(self.scratch / "config"),
                cwd=self.scratch / "config",
                start_new_session=True,
                pass_fds=[self._folder.lock],
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def keep_font_cache(self) -> None:
        """What matplotlib had to make is there for the next zygote."""
        copy_font_cache(self.scratch / "config", font_cache())

    def last_words(self) -> str:
        """The end of its log."""
        try:
            lines = (self.scratch / "log").read_text(errors="replace").strip().splitlines()
        except OSError:
            return "its log is gone"
        return lines[-1] if lines else "it said nothing"

    def stop(self) -> None:
        """End it, its children with it, and clear its folder."""
        self.control.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._folder.remove()


def command(order: dict[str, Any]) -> list[str]:
    """A fresh Python that looks at no environment variable, folder or file of the person's; the hash
    seed is set by `environment`, so -E (and with it -I) is left out."""
    found = f"import sys; sys.path.insert(0, {str(PACKAGE_ROOT)!r})"
    start = "from autograder.sandbox.zygote import main; main()"
    return [sys.executable, "-s", "-P", "-c", f"{found}; {start}", json.dumps(order)]


def environment(config: Path) -> dict[str, str]:
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "HOME": str(config),
        "MPLCONFIGDIR": str(config),
        "IPYTHONDIR": str(config),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYTHONHASHSEED": "0",
        **one_thread,
    }


def font_cache() -> Path:
    """Where matplotlib keeps its list of fonts for this person, which takes seconds to make."""
    if "MPLCONFIGDIR" in os.environ:
        return Path(os.environ["MPLCONFIGDIR"])
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "matplotlib"


def copy_font_cache(source: Path, target: Path) -> None:
    """Copy the lists of fonts that `target` lacks, as far as that works."""
    try:
        target.mkdir(parents=True, exist_ok=True)
        for path in source.glob("fontlist-*.json"):
            if not (target / path.name).exists():
                partial = target / f".{path.name}.{os.getpid()}"
                shutil.copyfile(path, partial)
                partial.replace(target / path.name)
    except OSError:
        return
