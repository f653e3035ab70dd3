"""`make bench`: how long grading a submission of lesson 1 takes, beside stock nbgrader and bare execution.

The three are run in turn on the same honest submissions, which are in mixed states: right in many
styles, wrong, half done, blank. Prints one JSON object. Seconds are wall time per submission of the class.

stock  nbgrader autograde with its own preprocessors: a kernel for each notebook, one after another. It runs
       the experiments too, which ours leaves out; same_cells is stock on notebooks without them
ours   autograder.classroom.grade: sandbox on, gradebook and notebooks written, all workers
bare   the same cells in forked processes that hold NumPy and an IPython shell, as many at a time
"""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nbformat
from sample_class import LESSON, RECIPES, handed_in, read_answers

from autograder.classroom.grade import grade
from autograder.classroom.progress import Progress
from autograder.course import Course
from autograder.judging.restore import grade_id, read, restore

REPOSITORY = Path(__file__).resolve().parents[1]
#: Submissions that a benchmark of grading honest work leaves out: they measure limits, not speed.
UNUSUAL = {"truncated", "endless_loop", "prints_a_flood", "leaves_python", "patches_everything"}


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        course = Course(Path(folder) / "ours", REPOSITORY)
        students = hand_in(course, options.students)
        sample = students[:: max(1, len(students) // options.stock)][: options.stock]
        measured = {
            "stock": stock(course, Path(folder) / "stock", sample),
            "stock_same_cells": stock(course, Path(folder) / "same_cells", sample, experiments=False),
            "ours": ours(course, options.workers),
            "bare": bare(course, students, options.workers),
        }
    print(json.dumps(_summary(measured, options), indent=1))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure grading against stock nbgrader and bare execution.")
    cores = len(os.sched_getaffinity(0))
    parser.add_argument("--students", type=int, default=100, help="size of the class (default 100)")
    parser.add_argument(
        "--stock", type=int, default=6, help="of these, how many stock nbgrader grades (default 6)"
    )
    parser.add_argument("--workers", type=int, default=cores, help=f"processes at a time (default {cores})")
    return parser.parse_args()


def hand_in(course: Course, size: int) -> list[str]:
    """A class of `size`: the sample class's honest submissions over and over."""
    answers = read_answers(course.solutions)
    honest = [recipe for recipe in RECIPES if recipe.make.__name__ not in UNUSUAL]
    texts = [handed_in(recipe, course.released(LESSON), answers) for recipe in honest]
    students = [f"student{number:04d}" for number in range(size)]
    for student, text in zip(students, itertools.cycle(texts), strict=False):
        path = _submission(course, student)
        path.parent.mkdir(parents=True)
        path.write_text(text, encoding="utf-8")
    return students


def stock(course: Course, folder: Path, students: list[str], experiments: bool = True) -> dict[str, Any]:
    """nbgrader as it comes, in a course folder of its own, in this process."""
    from nbgrader.apps import NbGraderAPI
    from nbgrader.converters import Autograde
    from nbgrader.coursedir import CourseDirectory
    from traitlets.config import Config

    shutil.copytree(course.solved(LESSON).parent, folder / "source" / LESSON)
    for student in students:
        shutil.copytree(_submission(course, student).parent, folder / "submitted" / student / LESSON)
    if not experiments:
        for path in folder.rglob("*.ipynb"):
            _drop_experiments(path)
    config = Config()
    config.CourseDirectory.root = str(folder)
    config.CourseDirectory.assignment_id = LESSON
    directory = CourseDirectory(config=config)
    made = NbGraderAPI(directory, config=config).generate_assignment(LESSON)
    if not made["success"]:
        raise SystemExit(f"nbgrader could not release the lesson:\n{made.get('error') or made.get('log')}")
    converter = Autograde(coursedir=directory, config=config)
    converter.create_student = True
    started = time.perf_counter()
    converter.start()
    seconds = time.perf_counter() - started
    return {"submissions": len(students), "seconds": seconds / len(students)}


def _drop_experiments(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if not _is_experiment(cell)]
    nbformat.write(notebook, path)


def _is_experiment(cell: nbformat.NotebookNode) -> bool:
    return "experiment" in cell.metadata.get("tags", ())


def ours(course: Course, workers: int) -> dict[str, Any]:
    """The whole of `autograder grade`, from the start of its workers to the last verdict."""
    started = time.perf_counter()
    (run,) = grade(course, [LESSON], workers=workers, make_progress=_Quiet)
    seconds = time.perf_counter() - started
    if run.troubled:
        raise SystemExit(f"honest submissions were in trouble: {run.troubled}")
    return {"submissions": run.graded, "workers": workers, "seconds": seconds / run.graded}


def bare(course: Course, students: list[str], workers: int) -> dict[str, Any]:
    released = nbformat.read(course.released(LESSON), as_version=4)
    work = {
        "workers": workers,
        "preload": ["numpy", "matplotlib.pyplot", course.student_library],
        "submissions": [
            _cells(restore(read(_submission(course, student)), released)) for student in students
        ],
    }
    command = [sys.executable, str(REPOSITORY / "scripts" / "bare_execution.py")]
    done = subprocess.run(command, input=json.dumps(work), capture_output=True, text=True, check=True)
    return {
        "submissions": len(students),
        "workers": workers,
        "seconds": float(done.stdout.splitlines()[-1]) / len(students),
    }


def _cells(notebook: nbformat.NotebookNode) -> list[str]:
    """The cells that grading runs: no checks, no experiments, nothing empty."""
    return [
        cell.source
        for cell in notebook.cells
        if cell.cell_type == "code"
        and cell.source.strip()
        and not (grade_id(cell) or "").startswith("test_")
        and not _is_experiment(cell)
    ]


def _submission(course: Course, student: str) -> Path:
    return course.submitted / student / LESSON / f"{LESSON}.ipynb"


class _Quiet(Progress):
    def _show(self, now: float) -> None:
        """The benchmark prints JSON and nothing else."""


def _summary(measured: dict[str, dict[str, Any]], options: argparse.Namespace) -> dict[str, Any]:
    seconds = {name: found["seconds"] for name, found in measured.items()}
    rounded = {name: {**found, "seconds": round(found["seconds"], 4)} for name, found in measured.items()}
    kib = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {
        "lesson": LESSON,
        "class": options.students,
        **rounded,
        "stock_over_ours": round(seconds["stock"] / seconds["ours"], 1),
        "stock_same_cells_over_ours": round(seconds["stock_same_cells"] / seconds["ours"], 1),
        "ours_over_bare": round(seconds["ours"] / seconds["bare"], 2),
        "largest_process_mib": round(kib / 1024),
        "machine": {
            "cores": len(os.sched_getaffinity(0)),
            "kernel": platform.release(),
            "python": platform.python_version(),
            **{name: version(name) for name in ("numpy", "ipython", "nbgrader")},
        },
    }


if __name__ == "__main__":
    # nbgrader starts alembic by its name
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")  # nbgrader's and SQLAlchemy's own
    main()
