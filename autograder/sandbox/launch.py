"""How the zygote is started: a fresh program in a clean environment. Trusted side."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

PACKAGE_ROOT = Path(__file__).resolve().parents[2]


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
