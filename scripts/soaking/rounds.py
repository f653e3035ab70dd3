"""One round of the soak: a run is struck, run again until nothing is open, and compared with what a run
leaves that nobody disturbs."""

from __future__ import annotations

import contextlib
import math
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from autograder.course import Course
from autograder.sandbox.scratch import PREFIX
from soaking import processes
from soaking.classes import REPOSITORY, Record, State, by_hand, recorded, remove
from soaking.processes import Family, Process, wait_until

#: A run that takes longer hangs: many times what the slowest takes.
LONGEST_RUN = 180.0
#: How long a run that has ended may take to clear up.
CLEARING_SECONDS = 10.0
MOST_RUNS = 4
#: Between two looks at the processes, in seconds: a student's process lives for some 50 ms.
INTERVAL = 0.004
#: How often a round is begun anew when the run ended before its victim was there.
TRIES = 3
#: In seconds; recording a verdict takes a tenth of it.
LONGEST_DELAY = 0.1
#: The exit code of what a person has to mend.
USER_ERROR = 2


@dataclass(frozen=True)
class Victim:
    """Who is struck: processes of `kind`, with `number`; the whole process group with it where `group`."""

    name: str
    kind: str
    number: signal.Signals = signal.SIGKILL
    group: bool = False


VICTIMS = {
    victim.name: victim
    for victim in (
        *(Victim(kind, kind) for kind in processes.KINDS if kind != processes.MAIN),
        Victim("run", processes.MAIN),
        Victim("run's group", processes.MAIN, group=True),
        Victim("run by SIGTERM", processes.MAIN, signal.SIGTERM),
        Victim("run by SIGINT", processes.MAIN, signal.SIGINT),
        Victim("run by Ctrl-C", processes.MAIN, signal.SIGINT, group=True),
    )
}


@dataclass(frozen=True)
class Blow:
    """When whom to strike: `at` seconds after the run began or later, once it has written `verdicts`,
    `delay` seconds after both hold, and as soon as there is such a process. `luck` (below 1) chooses
    among several."""

    victim: Victim
    at: float = 0.0
    verdicts: int = 0
    delay: float = 0.0
    luck: float = 0.0

    def sooner(self) -> Blow:
        """For a run that ended before its victim was there."""
        return replace(self, at=self.at / 2, verdicts=self.verdicts // 2, delay=0.0)


@dataclass
class Round:
    """What came of a round. `struck` says who was, and when; `left_*` what runs left behind them."""

    state: str
    struck: list[str] = field(default_factory=list)
    codes: list[int | None] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    open_first: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    left_processes: list[str] = field(default_factory=list)
    left_files: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def left_sandboxes(self) -> list[str]:
        """Folders of sandboxes, which one blow must not leave behind. (What a run that is killed leaves of
        multiprocessing's is Python's; after two blows the next run that opens a sandbox clears up.)"""
        return [name for name in self.left_files if name.startswith(PREFIX) and len(self.struck) == 1]

    @property
    def failed(self) -> bool:
        return bool(self.differences or self.left_processes or self.left_sandboxes)


@dataclass
class Run:
    """One `autograder grade`, as a person starts it, in a process group of its own."""

    course: Course
    folder: Path
    process: subprocess.Popen[bytes]
    family: Family
    began: float
    clock: float

    @classmethod
    def start(cls, course: Course, folder: Path, force: bool, workers: int) -> Run:
        """`folder` is where the run puts its temporary files and its log."""
        temporary = folder / "t"
        temporary.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "autograder.cli", "--course", str(course.root), "grade"]
        options = ["--workers", str(workers), *(["--force"] if force else [])]
        # this repository's code, wherever another copy of it is installed
        ours = {"PYTHONPATH": str(REPOSITORY), "TMPDIR": str(temporary), "PYTHONFAULTHANDLER": "1"}
        with open(folder / "log", "ab") as log:
            process = subprocess.Popen(
                [*command, *options],
                cwd=REPOSITORY,
                env={**os.environ, **ours},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        family = Family.beginning_with(process.pid)
        return cls(course, folder, process, family, time.time(), time.monotonic())

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.clock

    @property
    def is_over(self) -> bool:
        return self.process.poll() is not None

    def new_verdicts(self) -> int:
        """How many verdicts this run has written so far."""
        found = 0
        for path in self.course.verdicts.glob("*/*.json"):
            with contextlib.suppress(FileNotFoundError):
                found += path.stat().st_mtime >= self.began - 0.01
        return found

    def end(self, outcome: Round) -> None:
        """Wait for the run's end; note a run that hangs, and whatever it leaves."""
        try:
            self.process.wait(LONGEST_RUN)
        except subprocess.TimeoutExpired:
            outcome.differences.append(f"hangs: no end after {LONGEST_RUN:g} s; {self._traceback()}")
        outcome.codes.append(self.process.poll())
        if self.process.returncode == USER_ERROR:
            outcome.refusals.append((self.folder / "log").read_text(errors="replace").splitlines()[-1])
        left = self.family.left(CLEARING_SECONDS)
        outcome.left_processes += [f"{kind} {process.pid}" for kind, process in left]
        self.family.end()
        self.process.wait()

    def _traceback(self) -> str:
        """Where the main process is: faulthandler writes it to the log on SIGABRT."""
        self.process.send_signal(signal.SIGABRT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        return f"its threads are in {self.folder / 'log'}"


def play(state: State, folder: Path, blows: Sequence[Blow], workers: int = 2) -> Round:
    """A copy of `state`'s class in `folder`, a run that is struck, and runs until nothing is open."""
    clock = time.monotonic()
    for _ in range(TRIES):
        remove(folder)
        folder.mkdir(parents=True)
        course = state.copy_to(folder / "class")
        outcome = Round(state.name)
        run = Run.start(course, folder, state.force, workers)
        for blow in blows:
            strike(run, blow, outcome)
        run.end(outcome)
        if outcome.struck:
            break
        blows = [blow.sooner() for blow in blows]
    check_between(state, course, outcome)
    if not outcome.failed:
        run_again(state, course, folder, workers, outcome)
        outcome.differences += recorded(course).differences(state.expected)
    outcome.left_files = _left_in(folder / "t")
    outcome.seconds = time.monotonic() - clock
    return outcome


def undisturbed(state: State, folder: Path, workers: int = 2) -> tuple[Record, Windows]:
    """What a run of `state` leaves that nobody disturbs, and when it had which processes. Raises
    RuntimeError when it can't be graded."""
    folder.mkdir(parents=True)
    course = state.copy_to(folder / "class")
    run = Run.start(course, folder, state.force, workers)
    windows = Windows.watch(run)
    outcome = Round(state.name)
    run.end(outcome)
    if outcome.codes != [0] or outcome.left_processes or recorded(course).open or _left_in(folder / "t"):
        raise RuntimeError(f"the undisturbed run failed: {outcome}\n{(folder / 'log').read_text()}")
    return recorded(course), windows


def _left_in(folder: Path) -> list[str]:
    """What lies in the runs' temporary folder, and what is in that."""
    return [
        " ".join([path.name, *(str(one.relative_to(path)) for one in sorted(path.rglob("*")))])
        for path in sorted(folder.iterdir())
    ]


def check_between(state: State, course: Course, outcome: Round) -> None:
    """Whatever was struck, the gradebook can be read and no score that a person gave is lost."""
    try:
        found = recorded(course)
    except Exception as error:  # whatever makes it unreadable is the finding
        outcome.differences.append(f"unreadable: {type(error).__name__}: {error}")
        return
    outcome.open_first = found.open
    lost = by_hand(state.expected.rows) - by_hand(found.rows)
    outcome.differences += [f"a manual score or comment is lost: {one}" for one in sorted(lost)]


def run_again(state: State, course: Course, folder: Path, workers: int, outcome: Round) -> None:
    """The same command, until it ends well and leaves nothing open."""
    while outcome.codes[-1] != 0 or recorded(course).open:
        if len(outcome.codes) == MOST_RUNS:
            outcome.differences.append(f"still not graded after {MOST_RUNS} runs: {recorded(course).open}")
            return
        Run.start(course, folder, state.force, workers).end(outcome)


def strike(run: Run, blow: Blow, outcome: Round) -> None:
    """Wait for the moment and the victim, then strike; nothing where the run ends before."""
    due = math.inf
    while not run.is_over:
        if due == math.inf and run.seconds >= blow.at and run.new_verdicts() >= blow.verdicts:
            due = run.seconds + blow.delay
        if run.seconds >= due:
            victims = run.family.of_kind(blow.victim.kind)
            if victims and _hit(victims[int(blow.luck * len(victims))], blow.victim):
                told = f"{blow.victim.name} at {run.seconds:.2f} s with {run.new_verdicts()} verdicts written"
                outcome.struck.append(told)
                return
        time.sleep(INTERVAL)


def _hit(process: Process, victim: Victim) -> bool:
    """Whether the signal found its process."""
    try:
        if victim.group:
            os.killpg(process.pid, victim.number)
        else:
            os.kill(process.pid, victim.number)
    except ProcessLookupError:
        return False
    return True


@dataclass
class Windows:
    """When a run that nobody disturbs has processes of each kind, in seconds: the first and the last
    sight; and how many verdicts it writes."""

    seen: dict[str, tuple[float, float]] = field(default_factory=dict)
    verdicts: int = 0

    @classmethod
    def watch(cls, run: Run) -> Windows:
        windows = cls()

        def look() -> bool:
            for kind, _ in run.family.alive():
                first, _ = windows.seen.get(kind, (run.seconds, 0.0))
                windows.seen[kind] = first, run.seconds
            return run.is_over

        wait_until(look, LONGEST_RUN, INTERVAL)
        windows.verdicts = run.new_verdicts()
        return windows

    def random_blow(self, victim: Victim, rng: random.Random) -> Blow:
        """Start-up is long and quiet, and takes another time in each run: most blows fall after a number of
        verdicts, up to all of them; the others at a time, for what is there before the first."""
        start, end = self.seen.get(victim.kind, (0.0, 0.0))
        grading = self.seen.get(processes.CHILD, (end, end))[0]
        if start < grading and rng.random() < 0.4:
            return Blow(victim, at=rng.uniform(start, grading), luck=rng.random())
        last = self.verdicts if start < grading else self.verdicts - 1
        return Blow(
            victim, verdicts=rng.randint(0, last), delay=rng.uniform(0, LONGEST_DELAY), luck=rng.random()
        )


def random_blows(
    victim: Victim, windows: Windows, rng: random.Random, others: Callable[[], Victim]
) -> list[Blow]:
    """A blow at `victim`, and sometimes one at another."""
    blows = [windows.random_blow(victim, rng)]
    return blows if rng.random() > 0.15 else [*blows, windows.random_blow(others(), rng)]
