"""A job that travels: what it carries, where that lies on the worker, and who may do it."""

from __future__ import annotations

import dataclasses
import pickle
import socket
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest
from tiny_course import LESSON, REPOSITORY, RIGHT, FakeGrader

from autograder.classroom import parcel, worker
from autograder.classroom.engine import installed
from autograder.classroom.parcel import NOWHERE, Parcel, differences
from autograder.classroom.settings import nbgrader_config
from autograder.course import Course
from autograder.library import UserError


@pytest.fixture
def job(genuine):
    return worker.job_for(genuine, LESSON, nbgrader_config(genuine))


@pytest.fixture
def tasks(hand_in):
    folders = {"ada": hand_in("ada", double=RIGHT), "ben": hand_in("ben")}
    return [
        worker.Task(student, (folder / f"{LESSON}.ipynb").read_bytes()) for student, folder in folders.items()
    ]


@pytest.fixture
def dask_worker(monkeypatch):
    """This process plays a dask worker; it says how many threads it has."""
    told = SimpleNamespace(address="tcp://10.0.0.9:4444", state=SimpleNamespace(nthreads=1))
    monkeypatch.setattr("distributed.get_worker", lambda: told)
    parcel._installed_here.cache_clear()
    yield told.state
    parcel._installed_here.cache_clear()


def sent(job, tasks):
    return (*Parcel.of(job).arguments, pickle.dumps(tasks))


def without_times(results):
    """All of each result but the seconds that it took."""
    return [
        dataclasses.replace(result, verdict={**result.verdict, "seconds": None, "cells_seconds": None})
        for result in results
    ]


def test_a_packed_course_is_in_no_folder_and_in_a_private_one_while_it_is_read(
    genuine, tmp_path, monkeypatch
):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    packed = parcel.pack(genuine, LESSON)
    assert (packed.home, packed.root) == (NOWHERE, NOWHERE)
    assert not NOWHERE.exists()
    with packed.on_disk() as course:
        assert stat.S_IMODE(course.home.stat().st_mode) == 0o700
        files = [path for path in course.home.rglob("*") if path.is_file()]
        assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
        assert course.secret() == genuine.secret()
        assert course.released(LESSON).read_bytes() == genuine.released(LESSON).read_bytes()
        assert (course.solutions / "exercises" / "tiny.py").is_file()
        assert course.library_dir.resolve() == REPOSITORY / "attention_lib"
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_packed_job_gives_the_same_results_where_the_class_is_not(job, tasks, dask_worker, genuine):
    at_home = worker.grade_batch(job, tasks)
    worker.close_grader()
    arguments = sent(job, tasks)
    genuine.root.rename(genuine.root.with_name("moved"))
    elsewhere = parcel.grade_here(*arguments)
    assert [result.scores["test_double"] for result in elsewhere] == [3.0, 0.0]
    assert without_times(elsewhere) == without_times(at_home)


def test_a_batch_that_is_graded_twice_gives_the_same_twice_and_writes_nothing(
    job, tasks, dask_worker, genuine, monkeypatch
):
    arguments = sent(job, tasks)
    before = snapshot(genuine.root)
    first, second = parcel.grade_here(*arguments), parcel.grade_here(*arguments)
    assert first[0].scores["test_double"] == 3.0
    assert without_times(first) == without_times(second)
    assert snapshot(genuine.root) == before


def snapshot(folder: Path):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if not path.is_symlink()}


def test_nothing_of_the_course_is_on_the_workers_disk_while_it_grades(
    job, tasks, dask_worker, tmp_path, monkeypatch
):
    """A child of the sandbox can't read what is in no file."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    arguments = sent(job, tasks)
    secret = job.course.secret().hex().encode()
    parcel.open_here(*arguments[:3])
    left = [path for path in (tmp_path / "temporary").rglob("*") if path.is_file()]
    assert left, "the sandbox has files of its own there"
    assert not [path for path in left if path.name == "tiny.py" or secret in path.read_bytes()]
    worker.close_grader()


def test_a_grader_is_opened_once_for_all_batches_of_a_job(job, tasks, dask_worker, monkeypatch):
    opened = []

    class Counted(FakeGrader):
        def __init__(self, *arguments, **options):
            opened.append(arguments)
            super().__init__(*arguments, **options)

    monkeypatch.setattr(worker, "Grader", Counted)
    parcel.open_here(*Parcel.of(job).arguments)
    for _ in range(2):
        parcel.grade_here(*sent(job, tasks))
    assert len(opened) == 1


def test_what_can_not_be_packed_is_named(genuine):
    exercises = genuine.solutions / "exercises" / "tiny.py"
    exercises.unlink()
    with pytest.raises(UserError, match=str(exercises)):
        parcel.pack(genuine, LESSON)


@pytest.mark.parametrize("name", ["python", "numpy", "ipython", "autograder", "attention_lib"])
def test_a_worker_with_other_code_refuses_and_names_both_sides(job, tasks, dask_worker, name):
    library, expected, *rest = sent(job, tasks)
    theirs = {**expected, name: "0123456789abcdef"}
    with pytest.raises(UserError) as refused:
        parcel.grade_here(library, theirs, *rest)
    assert f"{name} is 0123456789ab where grading started, {expected[name][:12]} there" in str(refused.value)
    assert f"worker tcp://10.0.0.9:4444 on {socket.gethostname()}" in str(refused.value)
    assert str(refused.value).count("where grading started,") == 1


def test_a_worker_without_the_student_library_says_so():
    here = installed("attention_lib", REPOSITORY / "attention_lib")
    there = installed("attention_lib", parcel.folder_of("no_such_package"))
    (only,) = differences(here, there)
    assert only.endswith("missing there")


def test_other_code_has_another_digest(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / name / "part").mkdir(parents=True)
        (tmp_path / name / "part" / "x.py").write_text("1")
    (tmp_path / "b" / "part" / "x.py").write_text("2")
    (tmp_path / "c" / "part" / "x.py").rename(tmp_path / "c" / "part" / "y.py")
    (tmp_path / "a" / "part" / "notes.txt").write_text("no code")
    digests = {installed("lib", tmp_path / name)["lib"] for name in ("a", "b", "c")}
    assert len(digests) == 3
    (tmp_path / "a" / "part" / "notes.txt").unlink()
    assert installed("lib", tmp_path / "a")["lib"] in digests


def test_a_worker_with_several_threads_refuses(job, tasks, dask_worker):
    dask_worker.nthreads = 4
    with pytest.raises(UserError, match=r"4 threads.*--nthreads 1"):
        parcel.open_here(*Parcel.of(job).arguments)
    with pytest.raises(UserError, match="4 threads"):
        parcel.grade_here(*sent(job, tasks))


def test_a_grader_that_can_not_be_opened_is_told_with_the_workers_name(job, dask_worker, monkeypatch):
    def broken(*_):
        raise OSError("no room")

    monkeypatch.setattr(worker, "open_grader", broken)
    with pytest.raises(UserError, match=r"worker tcp://10\.0\.0\.9:4444 .* OSError: no room"):
        parcel.open_here(*Parcel.of(job).arguments)


def test_a_course_on_disk_is_itself(course: Course):
    with course.on_disk() as found:
        assert found is course
