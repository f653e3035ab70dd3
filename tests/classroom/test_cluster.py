"""Grading on dask.distributed: the same grades, whatever becomes of workers and schedulers."""

from __future__ import annotations

import contextlib
import datetime
import functools
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import dask
import distributed
import pytest
from clusters import LOOPBACK, Programs, in_this_process, listening
from distributed.client import FutureCancelledError
from processes import alive, descendants, wait_until
from sample_class import LESSON as LESSON_1
from sample_course import make_class
from test_same_grades import copy_of, dump
from tiny_course import LESSON, MISTAKEN, REPOSITORY, RIGHT, FakeGrader, InThisProcess

from autograder.classroom import cluster, dask_connection, elsewhere, records, worker
from autograder.classroom.cluster import DaskWorkers
from autograder.classroom.dask_connection import meaning
from autograder.classroom.grade import grade
from autograder.classroom.progress import Progress
from autograder.classroom.settings import nbgrader_config
from autograder.classroom.workers import Lost
from autograder.library import UserError

#: Takes long enough for something to happen meanwhile.
PAUSE = "import time\ntime.sleep(0.7)"


@pytest.fixture(autouse=True)
def same_environment() -> Iterator[None]:
    """Dask sets variables for its workers in the process that starts them."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory) -> Iterator[tuple[str, Programs]]:
    """A scheduler's address, and the programs: itself and two workers."""
    programs = Programs(tmp_path_factory.mktemp("elsewhere"))
    try:
        address = programs.scheduler()
        for _ in range(2):
            programs.worker(address)
        yield address, programs
    finally:
        programs.close()


@pytest.fixture
def programs(tmp_path) -> Iterator[Programs]:
    started = Programs(tmp_path / "elsewhere")
    yield started
    started.close()


@pytest.fixture
def unhurried(genuine, hand_in):
    """A class of ten: once the first two are recorded, there is work for seconds."""
    for number in range(10):
        answer = MISTAKEN if number % 3 == 0 else RIGHT
        hand_in(f"s{number}", double=answer if number < 4 else f"{PAUSE}\n{answer}")
    (genuine.root / ".course_secret").write_text("5e" * 32)  # the same in each test: so is what a run leaves
    return genuine


@pytest.fixture(scope="module")
def undisturbed() -> dict[str, object]:
    """What `expected` has found."""
    return {}


@pytest.fixture
def expected(unhurried, undisturbed, tmp_path_factory):
    """What a run that nothing disturbs leaves of `unhurried`."""
    if not undisturbed:
        undisturbed["left"] = left_by_an_undisturbed_run(unhurried, tmp_path_factory.mktemp("copies"))
    return undisturbed["left"]


def left_by(course, lesson=LESSON):
    """All that a run leaves of its grades, but for times."""
    graded = {
        str(path.relative_to(course.autograded)): path.read_text()
        for path in sorted(course.autograded.rglob("*"))
        if path.is_file()
    }
    verdicts = {
        verdict["student"]: {**verdict, "seconds": None, "cells_seconds": None}
        for verdict in records.verdicts(course, lesson)
    }
    return dump(course).splitlines(), graded, verdicts


def left_by_an_undisturbed_run(course, elsewhere, lesson=LESSON):
    other = copy_of(course, elsewhere / "undisturbed")
    grade(other, workers=2)
    return left_by(other, lesson)


def recorded(course):
    return len(list(records.verdicts(course, LESSON)))


def command_of(pid):
    with contextlib.suppress(OSError):  # it may be gone by now
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


class Striking(Progress):
    """Calls `strike` when the second submission is recorded."""

    def __init__(self, strike, lesson, total):
        super().__init__(lesson, total)
        self.strike, self.seen = strike, 0

    def advance(self, student, trouble=None):
        self.seen += 1
        if self.seen == 2:
            self.strike()
        super().advance(student, trouble)


# --- a cluster of our own --------------------------------------------------------------------------------


def autograder(course, *arguments, **options):
    command = [sys.executable, "-m", "autograder.cli", "--course", str(course.root), "grade", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


@pytest.mark.filterwarnings("ignore")  # nbgrader's and SQLAlchemy's own
def test_the_command_on_dask_leaves_what_it_leaves_on_local_processes(tmp_path_factory):
    """A dozen of lesson 1's sample class: right, mistaken, blank, endless, flooding, hostile, unreadable."""
    course = make_class(tmp_path_factory.mktemp("class"))
    for extra in sorted(course.submitted.iterdir())[1::2]:
        shutil.rmtree(extra)
    expected = left_by_an_undisturbed_run(course, tmp_path_factory.mktemp("copies"), LESSON_1)
    temporary = tmp_path_factory.mktemp("temporary")
    run = autograder(
        course, "--executor", "dask", "--workers", "2", env={**os.environ, "TMPDIR": str(temporary)}
    )
    printed, told = run.communicate()
    assert run.returncode == 0, told
    assert left_by(course, LESSON_1) == expected
    assert printed.startswith(f"{LESSON_1}: ")
    assert all(line.startswith((LESSON_1, *expected[2])) for line in told.splitlines()), told
    assert list(temporary.iterdir()) == []


def test_a_worker_that_is_killed_costs_no_grade_and_leaves_no_process(unhurried, expected):
    made: list[DaskWorkers] = []
    killed: set[int] = set()

    def make(count):
        made.append(DaskWorkers(count))
        return made[0]

    def kill_one():
        (victim, *_) = made[0]._begun().client.run(os.getpid).values()
        killed.update(descendants(victim))
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: not any(map(alive, killed)))

    (run,) = grade(
        unhurried, workers=2, make_workers=make, make_progress=functools.partial(Striking, kill_one)
    )
    assert len(killed) > 1, "a worker and its sandbox"
    assert run.troubled == []
    assert left_by(unhurried) == expected


def test_our_own_cluster_is_for_this_run_alone(genuine):
    """Nobody else on the machine gets in: what a scheduler is asked it does, with this person's rights."""
    workers = DaskWorkers(1)
    try:
        workers.prepare(worker.job_for(genuine, LESSON, nbgrader_config(genuine)))
        workers.await_ready()
        assert workers.count == 1
        assert listening(os.getpid()) == {LOOPBACK}
        client = workers._begun().client
        address = client.scheduler.address
        with pytest.raises(OSError, match=r"SSL|certificate|closed|Timed out"):
            distributed.Client(address, timeout=1, security=distributed.Security.temporary())
        lost = client.submit(os._exit, 1, pure=False).exception(timeout=60)
        assert isinstance(meaning(lost, workers._begun()), Lost)
        wait_until(lambda: client.run(os.getpid))
        family = {pid for begun in client.run(os.getpid).values() for pid in descendants(begun)}
    finally:
        workers.close(at_once=True)
    assert not any(map(alive, family))


@pytest.mark.parametrize("blow", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_stopped_leaves_no_process_and_goes_on_from_there(unhurried, expected, blow):
    run = autograder(unhurried, "--executor", "dask", "--workers", "2", start_new_session=True)
    wait_until(lambda: run.poll() is not None or recorded(unhurried) >= 2)
    family = descendants(run.pid)
    if blow == signal.SIGINT:  # as a terminal sends it: to everyone
        os.killpg(run.pid, blow)
    else:
        run.kill()
    _, told = run.communicate()
    wait_until(lambda: not any(map(alive, family)))
    if blow == signal.SIGINT:
        assert run.returncode == 130, told
        assert "What is recorded stays" in told
        assert "Traceback" not in told
    assert 2 <= recorded(unhurried) < 10
    grade(unhurried, workers=2)
    assert left_by(unhurried) == expected


# --- a cluster elsewhere ---------------------------------------------------------------------------------


def test_a_cluster_elsewhere_gives_the_same_grades_without_the_class_folder(
    genuine, hand_in, two_workers, tmp_path_factory
):
    """What a task needs it carries: the folder is gone before the first worker hears of it."""
    address, programs = two_workers
    job = worker.job_for(genuine, LESSON, nbgrader_config(genuine))
    tasks = [
        worker.Task(student, (hand_in(student, double=answer) / f"{LESSON}.ipynb").read_bytes())
        for student, answer in (("ada", RIGHT), ("ben", MISTAKEN), ("cem", "def double(x)"))
    ]
    at_home = worker.grade_batch(job, tasks)
    workers = DaskWorkers(scheduler=address)
    workers._at(job)
    genuine.root.rename(genuine.root.with_name("moved"))
    try:
        workers.prepare(job)
        workers.await_ready()
        first, again = (workers.submit(job, tasks) for _ in range(2))
        for batch in (first.result(60), again.result(60)):
            assert [result.scores for result in batch] == [result.scores for result in at_home]
            assert [result.notebook for result in batch] == [result.notebook for result in at_home]
        lying_there = [path.name for path in programs.temporary.rglob("*")]
        assert not {"tiny.py", ".course_secret"} & set(lying_there)
    finally:
        workers.close()
        genuine.root.with_name("moved").rename(genuine.root)


def test_a_run_elsewhere_that_is_stopped_goes_on_from_there_though_a_worker_is_killed(
    unhurried, expected, two_workers
):
    """Ctrl-C ends the run, not the cluster; and a worker that is lost costs no grade."""
    address, programs = two_workers
    run = autograder(unhurried, "--executor", "dask", "--scheduler", address)
    wait_until(lambda: run.poll() is not None or recorded(unhurried) >= 2)
    run.send_signal(signal.SIGINT)
    _, told = run.communicate()
    assert run.returncode == 130, told
    assert "What is recorded stays" in told
    assert "Traceback" not in told
    assert all(program.poll() is None for program in programs._started)
    before = recorded(unhurried)
    assert 2 <= before < 10

    def kill_one():
        with distributed.Client(address, set_as_default=False) as client:
            (victim, *_) = client.run(os.getpid).values()
        os.kill(victim, signal.SIGKILL)

    make = functools.partial(DaskWorkers, scheduler=address)
    (run,) = grade(unhurried, make_workers=make, make_progress=functools.partial(Striking, kill_one))
    assert (run.graded, run.unchanged, run.troubled) == (10 - before, before, [])
    assert left_by(unhurried) == expected
    pids = [pid for program in programs._started for pid in descendants(program.pid)]
    wait_until(lambda: not [pid for pid in pids if alive(pid) and b"zygote" in command_of(pid)])


def test_a_scheduler_that_is_killed_ends_the_run_and_its_workers_and_the_next_run_goes_on(
    unhurried, expected, two_workers
):
    """The last test here that uses `two_workers`."""
    address, programs = two_workers
    scheduler, *others = programs._started
    with pytest.raises(UserError, match=r"connection to the scheduler at tcp://.* is lost: what is recorded"):
        grade(
            unhurried,
            make_workers=functools.partial(DaskWorkers, scheduler=address),
            make_progress=functools.partial(Striking, scheduler.kill),
        )
    assert 2 <= recorded(unhurried) < 10
    wait_until(lambda: all(program.poll() is not None for program in others))
    grade(unhurried, workers=2)
    assert left_by(unhurried) == expected


def test_nobody_is_asked_over_a_connection_that_is_lost():
    """To wait for an answer took the run 15 s to end."""
    client = SimpleNamespace(status="connecting")  # has nothing else that could be called
    dask_connection.Connection(client, "tcp://10.0.0.1:8786").ask_all(elsewhere.leave, 5)


def test_a_worker_with_other_code_stops_the_run_and_says_what_differs(genuine, hand_in, programs, tmp_path):
    other = tmp_path / "other"
    for package in ("autograder", "attention_lib"):
        shutil.copytree(REPOSITORY / package, other / package)
    with (other / "autograder" / "judging" / "judge.py").open("a") as module:
        module.write("# a line more\n")
    hand_in("ada", double=RIGHT)
    address = programs.scheduler()
    programs.worker(address, PYTHONPATH=str(other))
    with pytest.raises(
        UserError, match=r"worker tcp.*\(autograder is \w+ where grading started, \w+ there\)"
    ):
        grade(genuine, make_workers=functools.partial(DaskWorkers, scheduler=address))
    assert list(records.verdicts(genuine, LESSON)) == []


def test_a_cluster_without_the_packages_is_told_what_it_lacks(genuine, hand_in, programs, tmp_path):
    (tmp_path / "none" / "autograder").mkdir(parents=True)
    (tmp_path / "none" / "autograder" / "__init__.py").write_text("")
    hand_in("ada", double=RIGHT)
    programs._environment["PYTHONPATH"] = str(tmp_path / "none")
    address = programs.scheduler()
    programs.worker(address)
    with pytest.raises(
        UserError, match="the same packages must be installed for the scheduler and the workers"
    ):
        grade(genuine, make_workers=functools.partial(DaskWorkers, scheduler=address))


# --- a cluster in this process, with a grader that takes no time -----------------------------------------


@pytest.fixture
def quick(genuine, hand_in, monkeypatch):
    """A class of one, graded by the fake grader."""
    monkeypatch.setattr(worker, "Grader", FakeGrader)
    hand_in("ada", double=RIGHT)
    return genuine


def on(made):
    return functools.partial(DaskWorkers, scheduler=made.scheduler_address)


def test_a_worker_with_several_threads_stops_the_run(quick):
    with in_this_process(threads=2) as made, pytest.raises(UserError, match=r"2 threads.*--nthreads 1"):
        grade(quick, make_workers=on(made))
    assert list(records.verdicts(quick, LESSON)) == []


def test_workers_that_come_later_count_and_open_their_graders(quick, monkeypatch):
    monkeypatch.setattr(cluster, "LOOK_AGAIN_SECONDS", 0.05)
    with in_this_process() as made:
        workers = on(made)()
        try:
            workers.prepare(worker.job_for(quick, LESSON, nbgrader_config(quick)))
            workers.await_ready()
            wait_until(lambda: workers.count == 1)
            made.scale(2)
            wait_until(lambda: workers.count == 2)
            wait_until(lambda: len(workers._lesson.opening) == 2)
            made.scale(0)
            wait_until(lambda: workers._lesson.opening == {})
            assert workers.count == 1
        finally:
            workers.close()


def test_a_cluster_without_workers_is_waited_for_and_given_up(quick):
    patience = {"distributed.scheduler.no-workers-timeout": "0.5s"}
    told = pytest.raises(UserError, match=r"no worker for 0\.5 s: start some with `dask worker")
    with in_this_process(workers=0) as made, dask.config.set(patience), told:
        grade(quick, make_workers=on(made))
    assert list(records.verdicts(quick, LESSON)) == []


def test_workers_that_are_busy_with_other_work_are_waited_for_and_given_up(quick, monkeypatch):
    monkeypatch.setattr(cluster, "READY_SECONDS", 0.3)
    told = pytest.raises(
        UserError, match=r"was ready to grade within 0\.3 s: are they busy with other work\?"
    )
    with in_this_process() as made, distributed.Client(made, set_as_default=False) as someone:
        work = someone.submit(time.sleep, 2, pure=False)
        wait_until(lambda: work.key in str(someone.processing()))
        with told:
            grade(quick, make_workers=on(made))
    assert list(records.verdicts(quick, LESSON)) == []


def test_a_worker_that_is_busy_when_a_run_ends_closes_its_grader_later(tmp_path):
    with in_this_process() as made:
        connection = dask_connection.connect(made.scheduler_address)
        work = connection.client.submit(time.sleep, 1, pure=False)
        wait_until(lambda: work.key in str(connection.client.processing()))
        connection.ask_all((tmp_path / "closed").touch, 0.1)
        connection.close()
        assert not (tmp_path / "closed").exists()
        wait_until((tmp_path / "closed").exists)


def test_a_cluster_with_certificates_is_reached_by_dasks_own_settings(quick, tmp_path):
    certificate, key = self_made_certificate(tmp_path)
    files = {"ca_file": certificate} | {
        f"{who}_{what}": path
        for who in ("scheduler", "worker", "client")
        for what, path in (("cert", certificate), ("key", key))
    }
    theirs = distributed.Security(**{f"tls_{name}": str(path) for name, path in files.items()})
    with in_this_process(protocol="tls", security=theirs) as made:
        address = made.scheduler_address
        assert address.startswith("tls://")
        with pytest.raises(UserError, match=f"to reach {address}, name certificates in dask's configuration"):
            grade(quick, make_workers=on(made))
        ours = {"ca-file": certificate, "client.cert": certificate, "client.key": key}
        with dask.config.set({f"distributed.comm.tls.{name}": str(path) for name, path in ours.items()}):
            (run,) = grade(quick, make_workers=on(made))
    assert run.graded == 1


def self_made_certificate(folder: Path) -> tuple[Path, Path]:
    """One certificate for all, as `openssl req -x509` makes it: files for it and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "grading")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    (folder / "certificate.pem").write_bytes(made.public_bytes(encoding))
    (folder / "key.pem").write_bytes(
        key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "certificate.pem", folder / "key.pem"


def test_a_cluster_that_has_nothing_to_do_is_not_started(quick, monkeypatch):
    grade(quick, make_workers=InThisProcess)

    def started(count):
        raise AssertionError("nothing has changed")

    monkeypatch.setattr(dask_connection, "start", started)
    (run,) = grade(quick, make_workers=DaskWorkers)
    assert run.unchanged == 1


# --- what can be mended ----------------------------------------------------------------------------------


def test_a_scheduler_that_does_not_answer_is_named(quick, monkeypatch):
    monkeypatch.setattr(dask_connection, "CONNECT_SECONDS", 0.5)
    with pytest.raises(UserError, match=r"no dask scheduler answers at tcp://127\.0\.0\.1:9"):
        grade(quick, make_workers=functools.partial(DaskWorkers, scheduler="tcp://127.0.0.1:9"))
    assert not quick.gradebook.exists()


@pytest.mark.parametrize(
    "address", ["nonsense://127.0.0.1:1", "tcp://no.such.host.invalid:8786", "127.0.0.1"]
)
def test_an_address_that_is_none_is_named(monkeypatch, address):
    monkeypatch.setattr(dask_connection, "CONNECT_SECONDS", 0.5)
    with pytest.raises(UserError, match=f"at {address}"):
        DaskWorkers(scheduler=address)


@pytest.mark.parametrize("package", ["distributed", "cryptography"])
def test_a_missing_package_is_named_with_what_to_install(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=rf"needs {package}, .* pip install 'attention-course\[cluster\]'"):
        DaskWorkers()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (distributed.KilledWorker("task", None, 1), Lost),
        (FutureCancelledError("task", "scheduler-restart"), Lost),
        (FutureCancelledError("task", "scheduler-connection-lost"), UserError),
        (OSError("closed"), Lost),
        (TimeoutError(), Lost),
        (ImportError("no module named autograder"), UserError),
        (ZeroDivisionError(), ZeroDivisionError),
    ],
)
def test_what_dask_raises_is_told_apart(error, expected):
    connection = dask_connection.Connection(None, "tcp://10.0.0.1:8786")
    assert type(meaning(error, connection)) is expected
