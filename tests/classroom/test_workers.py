"""Batches, lost workers, and the processes of this machine."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import nullcontext

import pytest
from tiny_course import LESSON, RIGHT

from autograder.classroom import worker, workers
from autograder.classroom.grade import grade
from autograder.classroom.local_workers import LocalWorkers
from autograder.classroom.results import GRADER_ERROR, Result, without_grade
from autograder.classroom.submissions import Submission
from autograder.classroom.workers import DIED, Lost, grade_all
from autograder.library import UserError
from autograder.sandbox.client import Limits


class Scripted:
    """Workers that are lost whenever a batch holds one of `deadly`, as often as the number says."""

    def __init__(self, count: int = 2, **deadly: int):
        self.count = count
        self.deadly = deadly
        self.batches: list[list[str]] = []

    def submit(self, job, tasks) -> Future[list[Result]]:
        students = [task.student for task in tasks]
        self.batches.append(students)
        future: Future[list[Result]] = Future()
        for student in students:
            if self.deadly.get(student, 0):
                self.deadly[student] -= 1
                future.set_exception(Lost())
                return future
        future.set_result([_graded(student) for student in students])
        return future


def _graded(student: str) -> Result:
    return Result(student, LESSON, {"lesson": LESSON}, "{}")


@pytest.fixture
def job(course):
    return worker.Job(course, LESSON, "engine", Limits())


@pytest.fixture
def todo(hand_in) -> list[Submission]:
    return [Submission(name, LESSON, hand_in(name)) for name in ("ada", "ben", "cem", "dee", "eli")]


def kinds(found) -> dict[str, str | None]:
    return {submission.student: result.kind for submission, result in found}


def test_every_submission_comes_back_once_in_batches_that_keep_all_workers_busy(job, hand_in):
    todo = [Submission(f"s{number}", LESSON, hand_in(f"s{number}")) for number in range(50)]
    scripted = Scripted(count=2)
    found = [submission.student for submission, _ in grade_all(scripted, job, todo)]
    assert sorted(found) == sorted(submission.student for submission in todo)
    sizes = [len(batch) for batch in scripted.batches]
    assert sizes[0] == 50 // 8
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == 1


def test_nothing_to_do_asks_no_worker(job):
    assert list(grade_all(Scripted(), job, [])) == []


def test_a_worker_lost_once_costs_no_grade(job, todo):
    assert set(kinds(grade_all(Scripted(cem=1), job, todo)).values()) == {None}


def test_a_submission_that_loses_every_worker_is_left_open_and_the_others_are_graded(job, todo):
    found = kinds(grade_all(Scripted(cem=99), job, todo))
    assert found == {"ada": None, "ben": None, "cem": GRADER_ERROR, "dee": None, "eli": None}
    assert dict(without_grade(LESSON, "cem", GRADER_ERROR, DIED).verdict)["error"] == DIED


def test_a_worker_that_can_not_even_be_given_a_batch_counts_as_lost(job, todo):
    class Unreachable(Scripted):
        def submit(self, job, tasks):
            raise Lost

    assert set(kinds(grade_all(Unreachable(), job, todo)).values()) == {GRADER_ERROR}


def test_a_task_carries_the_bytes_of_its_notebook_or_why_there_are_none(hand_in):
    folder = hand_in("ada")
    submission = Submission("ada", LESSON, folder)
    assert workers.task_for(submission).content == submission.notebook.read_bytes()
    submission.notebook.unlink()
    task = workers.task_for(submission)
    assert (task.content, "found nothing" in task.problem) == (None, True)


def _dies_on_cem(job: worker.Job, tasks: Sequence[worker.Task]) -> list[Result]:
    if any(task.student == "cem" for task in tasks):
        os.kill(os.getpid(), signal.SIGKILL)
    verdict = {"lesson": job.lesson, "exercises": {}, "questions": {}}
    return [Result(task.student, job.lesson, verdict, "{}") for task in tasks]


def _does_nothing(job: worker.Job) -> None:
    pass


def test_a_process_that_dies_costs_nobody_but_the_one_it_died_on(course, hand_in, monkeypatch):
    for student in ("ada", "ben", "cem", "dee", "eli"):
        hand_in(student, double="die" if student == "cem" else RIGHT)
    monkeypatch.setattr(worker, "grade_batch", _dies_on_cem)
    monkeypatch.setattr("autograder.classroom.local_workers._open_ahead", _does_nothing)
    (done,) = grade(course, workers=2)
    assert done.graded == 4
    assert done.troubled == [("cem", DIED)]


def _own_pid(job: worker.Job) -> int:
    return os.getpid()


def _wait(job: worker.Job) -> None:
    signal.pause()


def test_workers_end_with_the_run_and_can_be_started_again(job):
    local = LocalWorkers(1)
    try:
        first = local._call(job, _own_pid).result()
        waiting = local._call(job, _wait)
        os.kill(first, signal.SIGKILL)
        with pytest.raises(Lost):
            waiting.result()
        second = local._call(job, _own_pid).result()
        assert second != first
    finally:
        local.close(at_once=True)
    assert not os.path.exists(f"/proc/{second}")


class _Note:
    """Stands for a grader; writes a note when it is closed."""

    def __init__(self, path: str):
        self.path = path

    def __exit__(self, *_) -> None:
        with open(self.path, "w") as note:
            note.write("closed")


def _open_one(job: worker.Job, path: str) -> None:
    worker._opened = worker.Opened(job, _Note(path), None)


def test_a_worker_that_leaves_closes_its_grader(job, tmp_path):
    local = LocalWorkers(1)
    local._call(job, _open_one, str(tmp_path / "note")).result()
    local.close()
    assert (tmp_path / "note").read_text() == "closed"


def _dies_once(job: worker.Job) -> None:
    mark = job.course.root / "died"
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def _dies(job: worker.Job) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(("opening", "refused"), [(_dies_once, False), (_dies, True)])
def test_processes_that_die_when_they_start_are_started_again_a_few_times(job, monkeypatch, opening, refused):
    monkeypatch.setattr("autograder.classroom.local_workers._open_ahead", opening)
    local = LocalWorkers(2)
    try:
        local.prepare(job)
        with pytest.raises(UserError, match="die when they start") if refused else nullcontext():
            local.await_ready()
        assert local._call(job, _own_pid).result() != os.getpid()
    finally:
        local.close(at_once=True)
