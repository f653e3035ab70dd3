"""What students import stands on numpy and matplotlib alone, and starts quickly."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import attention_lib

PACKAGE = Path(attention_lib.__file__).parent
ROOT = PACKAGE.parent
MODULES = sorted(path.stem for path in PACKAGE.glob("*.py") if path.stem != "__init__")

BARE = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ImportError(name + " is blocked")

sys.meta_path.insert(0, Blocked())
"""
BLOCKED = {
    "IPython", "ipykernel", "ipywidgets", "nbformat", "nbclient", "nbconvert", "nbgrader", "jupyter_client",
    "jupyter_core", "jupytext", "traitlets", "click", "jinja2", "scipy", "pandas", "torch", "autograder",
}  # fmt: skip


def run(source: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", BARE.format(blocked=BLOCKED) + source],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("module", MODULES)
def test_no_module_names_a_package_other_than_numpy_and_matplotlib(module):
    allowed = sys.stdlib_module_names | {"numpy", "matplotlib", "attention_lib"}
    for node in ast.walk(ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert {name.partition(".")[0] for name in names} <= allowed


def test_every_module_works_where_only_numpy_and_matplotlib_are_installed():
    source = "".join(f"import attention_lib.{module}\n" for module in MODULES)
    source += "attention_lib.plotting.bars([1, 2], ['a', 'b'])\nprint('drawn')"
    assert run(source) == "drawn\n"


def test_importing_check_leaves_matplotlib_for_later():
    source = (
        "from attention_lib import check\nimport sys\nprint('matplotlib' in sys.modules, callable(check))"
    )
    assert run(source) == "False True\n"


def test_the_version_is_the_distribution_s():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert attention_lib.__version__ == project["version"]
