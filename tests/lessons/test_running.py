"""Every lesson's notebook, run from top to bottom as in Jupyter: solved and as released."""

from __future__ import annotations

import json

import nbformat
import pytest
from nbclient import NotebookClient

from .conftest import ROOT, library

#: What a small Binder server gives without complaint.
MOST_CPU_SECONDS, MOST_MEGABYTES = 20, 400
#: What getrusage calls the largest size is inherited from the process that started the kernel.
USAGE = """
import re as _re, time as _time
_largest = _re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]
print([_time.process_time(), int(_largest) / 1000])
"""

# nbclient leaves the closing of its sockets to the garbage collector
pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


def run(path, monkeypatch):
    """The notebook at `path` after a run on one core, the seconds of it and the megabytes at its peak."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(USAGE, id="usage"))
    NotebookClient(
        notebook, timeout=120, allow_errors=True, resources={"metadata": {"path": str(ROOT)}}
    ).execute()
    seconds, megabytes = json.loads(notebook.cells.pop().outputs[0].text)
    return notebook, seconds, megabytes


def errors(notebook):
    """The cells that ended in an error, with it."""
    return {
        cell.id: output.evalue
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "error"
    }


def is_the_students(cell):
    return cell.metadata.get("nbgrader", {}).get("solution") or "brought" in cell.metadata.get("tags", ())


def test_solved_lesson_runs_on_one_small_core(lesson, monkeypatch):
    """Fails when a lesson raises where everything is right, or asks too much of a small server."""
    notebook, seconds, megabytes = run(ROOT / "build" / "source" / lesson / f"{lesson}.ipynb", monkeypatch)
    assert errors(notebook) == {}
    assert seconds < MOST_CPU_SECONDS
    assert megabytes < MOST_MEGABYTES


def test_released_lesson_fails_in_the_students_cells_and_their_checks_alone(lesson, monkeypatch):
    """Fails when a provided cell ends in a traceback for a student who has written nothing yet."""
    notebook, _, _ = run(ROOT / "notebooks" / lesson / f"{lesson}.ipynb", monkeypatch)
    own = {cell.id for cell in notebook.cells if is_the_students(cell)}
    found = errors(notebook).keys()
    assert found - own - {f"test_{name}" for name in own} == set()
    assert {f"test_{name}" for name in library(lesson).exercises} <= found
