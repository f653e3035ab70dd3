"""Where the time of grading a class goes: milliseconds of CPU time a submission, as tables.

python scripts/where_time_goes.py [--students 100]

One process grades, so that each part can be told apart; a cgroup of its own counts what all processes of
a part take, the kernel's work for them included. Needs root and a cgroup file system (version 1 or 2).
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import LESSON, REPOSITORY, hand_in

from autograder.classroom import records, submissions, worker, workers
from autograder.classroom.gradebook import Book, open_book, submitted_at
from autograder.classroom.settings import nbgrader_config
from autograder.course import Course
from autograder.sandbox import client, conversation

CGROUPS = Path("/sys/fs/cgroup")
STARTED = "start a process for the student's code"
PARTS_OF_A_CHILD = {
    "run_cell": "run the cells",
    "ask_all": "put the questions",
    "ask": "put the questions",
    "look": "put the questions",
    "kill": "end it and clear up",
}

Parts = dict[str, float]


class Meter:
    """CPU seconds of every process of this one's control group, by part."""

    def __init__(self) -> None:
        self.parts: Parts = Counter()
        self.group, self._read = _own_group()

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        started = self._read()
        try:
            yield
        finally:
            self.parts[name] += self._read() - started

    def wrap(self, owner: Any, name: str, part: str) -> None:
        """Count every call of the method towards `part`."""
        as_it_is = getattr(owner, name)

        def counted(*arguments: Any, **keywords: Any) -> Any:
            with self.part(part):
                return as_it_is(*arguments, **keywords)

        setattr(owner, name, counted)


def _own_group() -> tuple[Path, Callable[[], float]]:
    second = (CGROUPS / "cgroup.controllers").exists()
    group = (CGROUPS if second else CGROUPS / "cpuacct") / f"where-time-goes-{os.getpid()}"
    group.mkdir()
    (group / "cgroup.procs").write_text(str(os.getpid()))
    if not second:
        return group, lambda: int((group / "cpuacct.usage").read_text()) / 1e9
    return group, lambda: int((group / "cpu.stat").read_text().split()[1]) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--students", type=int, default=100)
    size = parser.parse_args().students
    with tempfile.TemporaryDirectory() as folder:
        course = Course(Path(folder), REPOSITORY)
        hand_in(course, size)
        meter = Meter()
        start = measure(course, meter)
    print_tables(start, meter.parts, size)


def measure(course: Course, meter: Meter) -> Parts:
    """Grade the class, recording as `grade` does; what the start takes, while the meter keeps the rest."""
    for name, part in PARTS_OF_A_CHILD.items():
        meter.wrap(conversation.Child, name, part)
    meter.wrap(client.Sandbox, "child", STARTED)
    with meter.part("zygote, hidden library, first submission"):
        job = worker.job_for(course, LESSON, nbgrader_config(course))
        found = submissions.find(course, LESSON)
        worker.grade(job, workers.task_for(found[0]))
    with meter.part("gradebook"):
        book = open_book(course)
        book.register(course.released(LESSON))
    start = {name: meter.parts[name] for name in ("zygote, hidden library, first submission", "gradebook")}
    meter.parts.clear()
    with book:
        for submission in found:
            grade_and_record(course, book, job, submission, meter)
    worker.close_grader()
    return start


def grade_and_record(
    course: Course, book: Book, job: worker.Job, submission: submissions.Submission, meter: Meter
) -> None:
    with meter.part("grading"):
        result = worker.grade(job, workers.task_for(submission))
    with meter.part("write the graded notebook and the verdict"):
        records.write_graded(course, submission, result.notebook or "")
        records.write_verdict(course, LESSON, submission.student, result.verdict)
    with meter.part("write the gradebook"):
        book.enter(result, submitted_at(submission.folder))


def print_tables(start: Parts, parts: Parts, size: int) -> None:
    within = sum(parts[name] for name in {*PARTS_OF_A_CHILD.values(), STARTED})
    parts = {**parts, "restore, compare, diagnose, give feedback": parts["grading"] - within}
    del parts["grading"]
    print(f"{size} submissions, one process\n\n| part of a submission | ms of CPU |\n|---|---|")
    for name, seconds in sorted(parts.items(), key=lambda row: -row[1]):
        print(f"| {name} | {1000 * seconds / size:.1f} |")
    print(f"| **together** | **{1000 * sum(parts.values()) / size:.1f}** |\n")
    print("| once a run | ms of CPU |\n|---|---|")
    for name, seconds in start.items():
        print(f"| {name} | {1000 * seconds:.0f} |")


if __name__ == "__main__":
    main()
