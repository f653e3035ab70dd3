"""Two Python environments with a student's JupyterLab, made by uv below build/browser/ and kept there.

`binder` has the versions that repo2docker's locked base has, and its Python where this machine has one;
`newest` has those of requirements.lock.
"""

from __future__ import annotations

import fcntl
import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
NAMES = ("binder", "newest")
ENVIRONMENTS = REPOSITORY / "build" / "browser" / "environments"
UV = Path(sys.executable).parent / "uv"
#: What a student's JupyterLab is made of. PyPI and conda-forge call these the same.
WANTED = ("jupyterlab", "notebook", "ipywidgets", "numpy", "matplotlib")
KEEPING_WORK = "jupyter-offlinenotebook"
#: What repo2docker's base pins of it, and of what it stands on.
PINNED_BY_BINDER = (
    *("jupyterlab", "notebook", "ipywidgets", KEEPING_WORK, "jupyter_server", "ipykernel"),
    *("jupyterlab_server", "jupyterlab_widgets", "widgetsnbextension", "jupyter-resource-usage"),
)


def binder_versions(python: str = "3.12") -> dict[str, str]:
    """Package → version of repo2docker's locked base for `python`."""
    [repo2docker] = find_spec("repo2docker").submodule_search_locations
    lock = Path(repo2docker) / "buildpacks" / "conda" / f"environment.py-{python}-linux-64.lock"
    return dict(
        re.findall(r"/([^/]+)-([^/-]+)-[^/-]+\.(?:conda|tar\.bz2)#", lock.read_text(encoding="utf-8"))
    )


def python_for(version: str) -> str:
    """A Python of `version` ("3.12") on this machine; the one that runs the tests where there is none."""
    places = [shutil.which(f"python{version}"), *Path.home().glob(f".pyenv/versions/{version}.*/bin/python")]
    for program in filter(None, places):
        told = subprocess.run([program, "-V"], capture_output=True, text=True, check=False)
        if told.returncode == 0 and told.stdout.startswith(f"Python {version}."):
            return str(program)
    return sys.executable


def environment(name: str) -> Path:
    """The folder of programs of the environment `name`, one of NAMES; made when it is not there yet."""
    versions = binder_versions()
    if name == "binder":
        pins = [f"{package}=={versions[package]}" for package in PINNED_BY_BINDER]
        return _made(name, python_for("3.12"), [*WANTED, *pins])
    lock = REPOSITORY / "requirements.lock"
    words = [*WANTED, f"{KEEPING_WORK}=={versions[KEEPING_WORK]}", "--constraint", str(lock)]
    return _made(name, sys.executable, words, lock.read_text(encoding="utf-8"))


def _made(name: str, python: str, words: Sequence[str], also: str = "") -> Path:
    """A fresh environment for each set of words, whole or not at all, made by one process at a time."""
    digest = hashlib.sha256("\n".join((python, *words, also)).encode()).hexdigest()[:8]
    folder = ENVIRONMENTS / f"{name}-{digest}"
    ENVIRONMENTS.mkdir(parents=True, exist_ok=True)
    with Path(f"{folder}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "made").exists():
            shutil.rmtree(folder, ignore_errors=True)
            _uv("venv", "--python", python, str(folder))
            _uv("pip", "install", "--python", str(folder / "bin" / "python"), *words)
            (folder / "made").touch()
    return folder / "bin"


def _uv(*words: str) -> None:
    told = subprocess.run([UV, *words, "--quiet"], capture_output=True, text=True, check=False)
    assert told.returncode == 0, f"uv {' '.join(words)}\n{told.stderr}"
