"""What repo2docker, the program behind Binder, makes of a folder: its own words, with no Docker engine."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

PROGRAM = Path(sys.executable).parent / "jupyter-repo2docker"


@dataclass(frozen=True)
class Reading:
    """The Python that it chose for a conda environment, the file that it would make that from, and the
    Dockerfile that it would build. None where it would do something else."""

    python: str | None
    environment_file: str | None
    dockerfile: str

    def line(self, *words: str) -> int:
        """The number of the Dockerfile's first line with all of `words` in it."""
        for number, line in enumerate(self.dockerfile.splitlines()):
            if all(word in line for word in words):
                return number
        raise AssertionError(f"no line with {words} in\n{self.dockerfile}")


def read(folder: Path) -> Reading:
    """Have repo2docker read `folder`."""
    words = [PROGRAM, "--no-build", "--debug", folder]
    done = subprocess.run(words, cwd=folder.parent, capture_output=True, text=True, check=False, timeout=60)
    told = done.stdout + done.stderr
    assert done.returncode == 0, told
    return Reading(
        python=_first(r"Building conda environment for python=(\S+)", told),
        environment_file=_first(r'env update -p \S+ --file "([^"]+)"', told),
        dockerfile=told[told.index("FROM ") :],
    )


def _first(pattern: str, text: str) -> str | None:
    found = re.search(pattern, text)
    return found[1] if found else None


def base_versions(python: str) -> dict[str, str]:
    """Package → version of the base that repo2docker locks for `python`, to which a repository adds."""
    [installed] = find_spec("repo2docker").submodule_search_locations
    lock = Path(installed) / "buildpacks" / "conda" / f"environment.py-{python}-linux-64.lock"
    pinned = r"/([^/]+)-([^/-]+)-([^/-]+)\.(?:conda|tar\.bz2)#"
    return {name: version for name, version, _ in re.findall(pinned, lock.read_text(encoding="utf-8"))}
