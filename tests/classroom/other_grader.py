"""Grade a tiny course in a process of its own, with the fake grader: `other_grader.py ROOT [DIES_ON]`.

It waits for a line on its input once it is ready. On the student DIES_ON it is killed with every row of that
submission written and none committed.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from gradebooks import run
from tiny_course import FakeGrader

from autograder.classroom import recording, worker
from autograder.course import Course
from autograder.library import UserError


def main(root: str, dies_on: str = "") -> None:
    worker.Grader = FakeGrader
    record = recording.record

    def record_or_die(connection, layout, entry, penalty):
        record(connection, layout, entry, penalty)
        if entry.student == dies_on:
            os.kill(os.getpid(), signal.SIGKILL)

    recording.record = record_or_die
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        print(run(Course.find(Path(root)), force=True).summary())
    except UserError as error:
        sys.exit(f"autograder: {error}")


if __name__ == "__main__":
    main(*sys.argv[1:])
