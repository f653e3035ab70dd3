"""The `pip:` part of the students' environment.yml, installed as conda and Binder do it: from a file in the
bundle's folder, by pip itself, in an environment of Python 3.12 where this machine has one.

What conda installs before it is missing here, so pip fetches that too. That conda finds its is not shown.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from browser.environments import python_for

from autograder.authoring.bundle import fill
from autograder.course import Course

ROOT = Path(__file__).resolve().parents[2]
#: Lesson 8's processes are there, and the course is the bundle's own.
USE = "import attention_lib, mpi4py, sys; print(attention_lib.__file__, '%d.%d' % sys.version_info[:2])"


@pytest.mark.timeout(600)
def test_the_pip_part_installs(tmp_path: Path) -> None:
    course, environment = tmp_path / "course", tmp_path / "environment"
    course.mkdir()
    fill(Course.find(ROOT), course)
    entries = yaml.safe_load((course / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    [pip_part] = [entry["pip"] for entry in entries if isinstance(entry, dict)]
    assert "-e ." in pip_part
    (course / "from_environment.txt").write_text("\n".join(pip_part) + "\n", encoding="utf-8")

    python = python_for("3.12")
    subprocess.run([python, "-m", "venv", environment], check=True)
    installing = [environment / "bin" / "python", "-m", "pip", "install", "--quiet", "--upgrade"]
    subprocess.run([*installing, "-r", "from_environment.txt"], cwd=course, check=True)

    done = subprocess.run(
        [environment / "bin" / "python", "-c", USE], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    where, version = done.stdout.split()
    assert Path(where) == course / "attention_lib" / "__init__.py"
    assert version == "3.12" or python == sys.executable
    assert (environment / "bin" / "mpiexec").exists()
