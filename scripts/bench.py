"""`make bench`: how long grading a submission of lesson 1 takes, beside stock nbgrader and bare execution.

They are run in turn on the same honest submissions, which are in mixed states: right in many styles,
wrong, half done, blank. Prints one JSON object. Seconds are wall time per submission of the class.

stock   nbgrader autograde with its own preprocessors: a kernel for each notebook, one after another. It runs
        the experiments too, which ours leaves out; same_cells is stock on notebooks without them
ours    autograder.classroom.grade: sandbox on, gradebook and notebooks written, all workers (bench_ours.py)
bare    the same cells in forked processes that hold NumPy and an IPython shell, as many at a time

Ours and bare are measured in turn, several times; the medians are compared. Then ours again: on a class ten
times as large, and on 1 and 2 processes here and on a local dask cluster; and what a person waits for on the
command line.
"""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import os
import platform
import shutil
import statistics
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

from autograder.course import Course
from autograder.judging.restore import grade_id, read, restore

REPOSITORY = Path(__file__).resolve().parents[1]
SCRIPTS = REPOSITORY / "scripts"
BIN = Path(sys.executable).parent
#: Submissions that a benchmark of grading honest work leaves out: they measure limits, not speed; and stock
#: nbgrader ends its run at cells that a student has doubled.
UNUSUAL = {
    "truncated",
    "endless_loop",
    "prints_a_flood",
    "leaves_python",
    "patches_everything",
    "duplicated_cells",
}

Measured = dict[str, Any]


def main() -> None:
    options = _options()
    # below the repository, where the `autograder` command finds its lessons
    with tempfile.TemporaryDirectory(prefix="bench-", dir=REPOSITORY / "build") as made:
        folder = Path(made)
        course = Course(folder / "class", REPOSITORY)
        students = hand_in(course, options.students)
        sample = students[:: max(1, len(students) // options.stock)][: options.stock]
        told = {
            "stock": stock(course, folder / "stock", sample),
            "stock_same_cells": stock(course, folder / "same_cells", sample, experiments=False),
            **in_turn(course, students, options),
        }
        told |= ratios(told)
        if options.large:
            told["ours_large"] = large(folder, options)
        if options.executors:
            told["executors"] = executors(course, folder)
        told["commands"] = commands(course)
    print(json.dumps({"lesson": LESSON, "class": options.students, **told, "machine": machine()}, indent=1))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure grading against stock nbgrader and bare execution.")
    cores = len(os.sched_getaffinity(0))
    parser.add_argument("--students", type=int, default=100, help="size of the class (default 100)")
    parser.add_argument(
        "--stock", type=int, default=6, help="of these, how many stock nbgrader grades (default 6)"
    )
    parser.add_argument("--workers", type=int, default=cores, help=f"processes at a time (default {cores})")
    parser.add_argument("--repeat", type=int, default=3, help="runs of ours and bare each (default 3)")
    parser.add_argument("--large", type=int, default=1000, help="a larger class; 0 leaves it out")
    parser.add_argument("--no-executors", dest="executors", action="store_false", help="leave dask out")
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
    return {"submissions": len(students), "seconds": round(seconds / len(students), 4)}


def _drop_experiments(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if not _is_experiment(cell)]
    nbformat.write(notebook, path)


def _is_experiment(cell: nbformat.NotebookNode) -> bool:
    return "experiment" in cell.metadata.get("tags", ())


def in_turn(course: Course, students: list[str], options: argparse.Namespace) -> dict[str, Measured]:
    """Ours and bare, one after the other, several times: the run of median time of each."""
    runs = [
        (ours(course.root, options.workers), bare(course, students, options.workers))
        for _ in range(options.repeat)
    ]
    return {
        name: _median(found) for name, found in zip(("ours", "bare"), zip(*runs, strict=True), strict=True)
    }


def _median(runs: list[Measured]) -> Measured:
    ordered = sorted(runs, key=lambda run: float(run["seconds"]))
    spread = [round(run["seconds"], 4) for run in ordered]
    return {**ordered[len(ordered) // 2], "seconds": statistics.median(spread), "all_seconds": spread}


def ours(folder: Path, workers: int, executor: str = "local") -> Measured:
    """The whole of `autograder grade` on a fresh class, from the start of its workers to the last verdict."""
    for made in ("autograded", "verdicts", "gradebook.db"):
        _remove(folder / made)
    command = [sys.executable, str(SCRIPTS / "bench_ours.py"), str(folder)]
    command += ["--workers", str(workers), "--executor", executor]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: Measured = json.loads(done.stdout.splitlines()[-1])
    return {**found, "seconds": round(found["seconds"], 4)}


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def large(folder: Path, options: argparse.Namespace) -> Measured:
    course = Course(folder / "large", REPOSITORY)
    hand_in(course, options.large)
    return ours(course.root, options.workers)


def executors(course: Course, folder: Path) -> list[Measured]:
    """The class on 1 and 2 processes, here and on a local cluster."""
    return [ours(course.root, workers, executor) for executor in ("local", "dask") for workers in (1, 2)]


def commands(course: Course) -> dict[str, float]:
    """Seconds that a person waits: for the whole class again from nothing, for one notebook, for the help."""
    autograder = [str(BIN / "autograder"), "--course", str(course.root)]
    notebook = str(_submission(course, "student0000"))
    for made in ("autograded", "verdicts", "gradebook.db"):
        _remove(course.root / made)
    return {
        "grade the class": _wall([*autograder, "grade"]),
        "grade nothing new": _wall([*autograder, "grade"]),
        "judge one notebook": _wall([*autograder, "judge", notebook]),
        "--help": _wall([*autograder, "--help"]),
    }


def _wall(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, capture_output=True, check=True)
    return round(time.perf_counter() - started, 2)


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
        "seconds": round(float(done.stdout.splitlines()[-1]) / len(students), 4),
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


def ratios(told: dict[str, Measured]) -> dict[str, float]:
    seconds = {name: found["seconds"] for name, found in told.items()}
    return {
        "stock_over_ours": round(seconds["stock"] / seconds["ours"], 1),
        "stock_same_cells_over_ours": round(seconds["stock_same_cells"] / seconds["ours"], 1),
        "ours_over_bare": round(seconds["ours"] / seconds["bare"], 2),
    }


def machine() -> dict[str, Any]:
    return {
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "ipython", "nbgrader")},
    }


if __name__ == "__main__":
    # nbgrader starts alembic by its name
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")  # nbgrader's and SQLAlchemy's own
    main()
