"""One submission: its cells run in order in the sandbox, and the judge is asked at its check cells.

Trusted side. The student's code runs in a child behind `sandbox`; what comes back is data. A child that
dies or hangs is replaced: the cell that was running is blamed, a new child runs the earlier ones again,
and grading goes on after it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import nbformat
from nbformat import NotebookNode

from attention_lib.bring import CALL
from autograder.exercise import Outcome
from autograder.judging import feedback
from autograder.judging.judge import Judge
from autograder.judging.on_ranks import is_on_ranks
from autograder.judging.rank_processes import RankProcesses
from autograder.judging.restore import grade_id
from autograder.judging.scoring import Written
from autograder.judging.verdict import ExerciseVerdict, QuestionVerdict
from autograder.sandbox.client import Child, ChildDied, ChildTimedOut, Limits, Sandbox
from autograder.sandbox.script import Event, Script, Step

T = TypeVar("T")
CHECK = "test_"
#: Characters that all cells of a submission can show together.
MOST_SHOWN = 20_000_000
TOO_MUCH = f"[left out: all cells of a notebook can show {MOST_SHOWN:,} characters together]\n"


@dataclass(frozen=True)
class Run:
    """The verdicts on one submission, how many seconds it took, and how many of these its cells ran."""

    exercises: dict[str, ExerciseVerdict]
    questions: dict[str, QuestionVerdict]
    seconds: float
    cells_seconds: float


@dataclass(frozen=True)
class Ran:
    """What one cell showed, and how it failed, if it did."""

    outputs: list[dict[str, Any]]
    failed: Outcome | None = None
    reason: str = ""


class KilledFromOutside(Exception):
    """The student's process was killed by none of ours while the cell at `place` was run or asked: this
    submission is to be graded again."""

    def __init__(self, place: int):
        super().__init__(f"the student's process was killed at cell {place}")
        self.place = place


@dataclass
class Session:
    """The children that one submission's cells run in, one after another. Where `blames` the cell that is
    at work, `place`, a process that is killed from outside counts as one that the student's code ended."""

    sandbox: Sandbox
    limits: Limits
    blames: Callable[[int], bool] = lambda place: True
    place: int = 0
    _child: Child | None = None
    _answered: dict[int, list[Event]] = field(default_factory=dict)
    _history: list[str] = field(default_factory=list)
    _started: float = field(default_factory=lambda: time.monotonic())

    def __post_init__(self) -> None:
        self._ranks = RankProcesses(self._new_child)

    def run_cell(self, source: str) -> Ran:
        """Run a cell. One that kills or blocks the child is left out of what a new child runs again."""
        try:
            ran = self._with_child(lambda child: child.run_cell(source))
        except ChildTimedOut as blamed:
            shown = [*blamed.outputs, _error_output("TimeLimit", blamed.reason)]
            return Ran(shown, Outcome.TIMED_OUT, blamed.reason)
        except ChildDied as blamed:
            return Ran([_error_output("Stopped", blamed.reason)], Outcome.ERRORED, f"failed: {blamed.reason}")
        self._history.append(source)
        failed = Outcome.ERRORED if ran.error else None
        return Ran(ran.outputs, failed, f"ended with {ran.error}" if ran.error else "")

    def ask(self, steps: Sequence[Step]) -> list[Event]:
        """Put a script to the student's functions. Raises ChildDied or ChildTimedOut."""
        if is_on_ranks(steps):
            return self._ask_ranks(steps)
        known = self._answered.pop(id(steps), None)
        return self._with_child(lambda child: child.ask(steps)) if known is None else known

    def ask_ahead(self, scripts: Sequence[Script]) -> None:
        """Put the scripts that `ask` will be called with next in one question, which takes a fraction of
        the time. Where that ends in any trouble, nothing is known ahead, and each is asked alone."""
        if any(map(is_on_ranks, scripts)):
            return
        try:
            answers = self._with_child(lambda child: child.ask_all(scripts))
        except (ChildDied, ChildTimedOut):
            answers = None
        self._answered = dict(zip(map(id, scripts), answers or (), strict=False))

    def look(self, name: str) -> Any:
        """The value of a variable of the student's. Raises ChildDied or ChildTimedOut."""
        return self._with_child(lambda child: child.look(name))

    def close(self) -> None:
        self._ranks.close()
        self._close_child()

    def _close_child(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child = None

    def _ask_ranks(self, steps: Sequence[Step]) -> list[Event]:
        """As `_with_child`, with a child for each rank."""
        self._require_time()
        is_new = not self._ranks
        self._ranks.go_on(self._history)
        try:
            return self._ranks.ask(steps)
        except ChildDied as death:
            self._require_blame(death)
            if death.caught and not is_new:
                return self._ask_ranks(steps)
            raise

    def _with_child(self, use: Callable[[Child], T]) -> T:
        """Where a child is caught at what an earlier question may have left behind, the same once more
        with a new child."""
        self._require_time()
        is_new = self._child is None
        child = self._child = self._child or self._new_child()
        try:
            return use(child)
        except ChildDied as death:
            self._close_child()
            self._require_blame(death)
            if death.caught and not is_new:
                return self._with_child(use)
            raise
        except ChildTimedOut as error:
            if not error.alive:
                self._close_child()
            raise

    def _require_blame(self, death: ChildDied) -> None:
        if death.killed and not self.blames(self.place):
            raise KilledFromOutside(self.place) from death

    def _require_time(self) -> None:
        """Raise ChildTimedOut, and end the child, when the submission's time is over."""
        if time.monotonic() - self._started > self.limits.submission_seconds:
            self.close()
            raise ChildTimedOut(
                f"the submission as a whole ran longer than {self.limits.submission_seconds:g} s", alive=False
            )

    def _new_child(self) -> Child:
        """A new child that has run the earlier cells. Raises ChildTimedOut when the submission's time is
        over before all have run."""
        while True:
            child = self.sandbox.child()
            try:
                if self._has_run_the_earlier_cells(child):
                    return child
            except BaseException:
                child.kill()
                raise
            child.kill()

    def _has_run_the_earlier_cells(self, child: Child) -> bool:
        """Whether `child` comes through them; a cell that ends it is dropped from them."""
        for position, source in enumerate(self._history):
            self._require_time()
            try:
                child.run_cell(source)
            except (ChildDied, ChildTimedOut) as error:
                if isinstance(error, ChildDied):
                    self._require_blame(error)
                del self._history[position]
                self._ranks.close()  # their cells are counted
                return False
        return True


def run(
    notebook: NotebookNode,
    judge: Judge,
    sandbox: Sandbox,
    limits: Limits,
    blames: Callable[[int], bool] = lambda place: True,
) -> Run:
    """Grade the restored `notebook`, writing each cell's outputs into it.

    Raises SandboxLost, and KilledFromOutside at a cell that `blames` does not name: then it is to be
    graded again.
    """
    started = time.monotonic()
    graded = _Graded(judge, Session(sandbox, limits, blames), _own_code(notebook))
    try:
        for place, cell in enumerate(notebook.cells):
            if cell.cell_type == "code":
                graded.session.place = place
                graded.visit(cell)
    finally:
        graded.session.close()
    return Run(graded.exercises, graded.questions, time.monotonic() - started, graded.cells_seconds)


class _Graded:
    """The verdicts on one submission, as they come about."""

    def __init__(self, judge: Judge, session: Session, own_code: str):
        self.session = session
        self.exercises: dict[str, ExerciseVerdict] = {}
        self.questions: dict[str, QuestionVerdict] = {}
        self.cells_seconds = 0.0
        self._library = judge.library
        self._sitting = judge.sitting()
        self._own_code = own_code
        self._written: dict[str, Written] = {}
        self._room = MOST_SHOWN

    def visit(self, cell: NotebookNode) -> None:
        """Run the cell, or judge what it checks; write its outputs."""
        name = grade_id(cell) or ""
        asked = name.removeprefix(CHECK) if name.startswith(CHECK) else ""
        if asked in self._library.exercises:
            self._sitting.announce(asked, self.session.ask_ahead)
            verdict = self._sitting.exercise(asked, self.session.ask, self._written.get(asked))
            self.exercises[asked] = verdict
            cell.outputs = feedback.outputs(verdict)
        elif asked in self._library.questions:
            self.questions[asked] = self._question(asked)
            cell.outputs = feedback.outputs(self.questions[asked])
        elif not _is_skipped(cell):
            started = time.monotonic()
            ran = self.session.run_cell(cell.source)
            self.cells_seconds += time.monotonic() - started
            self._written[name] = Written(cell.source, self._own_code, ran.failed, ran.reason)
            cell.outputs = [_as_output(output) for output in self._kept(ran.outputs)]

    def _kept(self, outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """What a cell showed, or a note where the submission has shown too much by now."""
        size = len(json.dumps(outputs))
        if size > self._room:
            return [{"output_type": "stream", "name": "stderr", "text": TOO_MUCH}]
        self._room -= size
        return outputs

    def _question(self, name: str) -> QuestionVerdict:
        try:
            return self._sitting.question(name, self.session.look(name), self._written.get(name))
        except (ChildDied, ChildTimedOut) as error:
            outcome = Outcome.TIMED_OUT if isinstance(error, ChildTimedOut) else Outcome.ERRORED
            return QuestionVerdict(name, outcome, 0, self._library.questions[name].points, str(error))


def _own_code(notebook: NotebookNode) -> str:
    """The source of the cells that the student added."""
    own = [cell.source for cell in notebook.cells if cell.cell_type == "code" and grade_id(cell) is None]
    return "\n".join(own)


def _is_skipped(cell: NotebookNode) -> bool:
    """Experiments are provided and locked, nothing is graded on them; an empty cell does nothing, and one
    that was to bring a function finds no earlier notebook here."""
    source = cell.source.strip()
    return "experiment" in cell.metadata.get("tags", ()) or not source or bool(CALL.fullmatch(source))


def _error_output(name: str, reason: str) -> dict[str, Any]:
    return {"output_type": "error", "ename": name, "evalue": reason, "traceback": [f"{name}: {reason}"]}


def _as_output(output: dict[str, Any]) -> NotebookNode:
    """`output`, which the sandbox's trusted side has made strict nbformat v4, as a notebook holds it."""
    return nbformat.from_dict(output)
