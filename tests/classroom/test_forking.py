"""Processes that are forked from one that holds the grading code."""

from __future__ import annotations

import os
import subprocess
import sys

PROGRAM = """
import os, sys
sys.path[:] = [folder for folder in sys.path if folder not in ("", os.getcwd())]
from autograder.classroom.forking import fork_server

if __name__ == "__main__":
    process = fork_server(["json.tool"]).Process(target=print, args=("forked",))
    process.start()
    process.join()
    print(os.environ.get("PYTHONSAFEPATH"))
"""


def test_the_current_folder_is_not_imported_from(tmp_path):
    """Fails when the server starts as Python would start it: a class's folder may hold files by any name."""
    there = tmp_path / "submitted" / "ada"
    (there / "json").mkdir(parents=True)
    (there / "json" / "__init__.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()")
    (there / "multiprocessing.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()")
    (tmp_path / "program.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "program.py")],
        cwd=there,
        env={name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["forked", "None"]
    assert not (tmp_path / "ran").exists()


def test_a_folder_for_temporary_files_whose_path_is_too_long_is_named(tmp_path):
    """A socket lies there, and the kernel takes paths of 107 bytes for those."""
    deep = tmp_path / ("d" * 110)
    deep.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", "from autograder.classroom.forking import fork_server; fork_server([])"],
        env={**os.environ, "TMPDIR": str(deep)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "UserError: the grading processes can't be started (AF_UNIX path too long): " in done.stderr
    assert f"{deep}, must be writable and its path short; set TMPDIR" in done.stderr
