"""One submission: its cells run in order in the sandbox, and the judge is asked at its check cells.

Trusted side. The student's code runs in a child behind `sandbox`; what comes back is data. A child that
dies or hangs is replaced: the cell that was running is blamed, a new child runs the earlier ones again,
and grading goes on after it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from nbformat import NotebookNode
from nbformat.v4 import new_output

from autograder.exercise import Outcome
from autograder.judging import feedback
from autograder.judging.judge import Judge
from autograder.judging.restore import grade_id
from autograder.judging.verdict import ExerciseVerdict, QuestionVerdict
from autograder.sandbox.client import Child, ChildDied, ChildTimedOut, Limits, Sandbox
from autograder.sandbox.script import Event, Step

T = TypeVar("T")
CHECK = "test_"


@dataclass(frozen=True)
class Run:
    """The verdicts on one submission, and how many seconds it took."""

    exercises: dict[str, ExerciseVerdict]
    questions: dict[str, QuestionVerdict]
    seconds: float


@dataclass
class Session:
    """The children that one submission's cells run in, one after another."""

    sandbox: Sandbox
    limits: Limits
    _child: Child | None = None
    _history: list[str] = field(default_factory=list)
    _started: float = field(default_factory=time.monotonic)

    def run_cell(self, source: str) -> list[dict[str, Any]]:
        """Run a cell and give back its outputs. A cell that kills or blocks the child is left out of what
        a new child runs again."""
        try:
            outputs = self._with_child(lambda child: child.run_cell(source)).outputs
        except ChildTimedOut as blamed:
            return [*blamed.outputs, _error_output("TimeLimit", blamed.reason)]
        except ChildDied as blamed:
            return [_error_output("Stopped", blamed.reason)]
        self._history.append(source)
        return outputs

    def ask(self, steps: list[Step]) -> list[Event]:
        """Put a script to the student's functions. Raises ChildDied or ChildTimedOut."""
        return self._with_child(lambda child: child.ask(steps))

    def look(self, name: str) -> Any:
        """The value of a variable of the student's. Raises ChildDied or ChildTimedOut."""
        return self._with_child(lambda child: child.look(name))

    def close(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child = None

    def _with_child(self, use: Callable[[Child], T]) -> T:
        if time.monotonic() - self._started > self.limits.submission_seconds:
            self.close()
            raise ChildTimedOut(
                f"the submission as a whole ran longer than {self.limits.submission_seconds:g} s", alive=False
            )
        child = self._child or self._revived()
        try:
            return use(child)
        except ChildDied:
            self.close()
            raise
        except ChildTimedOut as error:
            if not error.alive:
                self.close()
            raise

    def _revived(self) -> Child:
        """A new child that has run the earlier cells; a cell that now kills it is dropped from them."""
        while True:
            child = self.sandbox.child()
            for position, source in enumerate(self._history):
                try:
                    child.run_cell(source)
                except (ChildDied, ChildTimedOut):
                    child.kill()
                    del self._history[position]
                    break
            else:
                self._child = child
                return child


def run(notebook: NotebookNode, judge: Judge, sandbox: Sandbox, limits: Limits) -> Run:
    """Grade the restored `notebook`, writing each cell's outputs into it."""
    started = time.monotonic()
    sitting = judge.sitting()
    exercises: dict[str, ExerciseVerdict] = {}
    questions: dict[str, QuestionVerdict] = {}
    session = Session(sandbox, limits)
    try:
        for cell in notebook.cells:
            if cell.cell_type != "code":
                continue
            name = (grade_id(cell) or "").removeprefix(CHECK) if _is_check(cell) else None
            if name in judge.library.exercises:
                exercises[name] = sitting.exercise(name, session.ask)
                cell.outputs = feedback.outputs(exercises[name])
            elif name in judge.library.questions:
                questions[name] = _question(name, sitting.question, session, judge)
                cell.outputs = feedback.outputs(questions[name])
            elif not _is_skipped(cell):
                cell.outputs = [_as_output(output) for output in session.run_cell(cell.source)]
    finally:
        session.close()
    return Run(exercises, questions, time.monotonic() - started)


def _question(
    name: str, judge_answer: Callable[[str, Any], QuestionVerdict], session: Session, judge: Judge
) -> QuestionVerdict:
    try:
        return judge_answer(name, session.look(name))
    except (ChildDied, ChildTimedOut) as error:
        outcome = Outcome.TIMED_OUT if isinstance(error, ChildTimedOut) else Outcome.ERRORED
        return QuestionVerdict(name, outcome, 0, judge.library.questions[name].points, str(error))


def _is_check(cell: NotebookNode) -> bool:
    return (grade_id(cell) or "").startswith(CHECK)


def _is_skipped(cell: NotebookNode) -> bool:
    """Experiments are provided and locked, nothing is graded on them; an empty cell does nothing."""
    return "experiment" in cell.metadata.get("tags", ()) or not cell.source.strip()


def _error_output(name: str, reason: str) -> dict[str, Any]:
    return {"output_type": "error", "ename": name, "evalue": reason, "traceback": [f"{name}: {reason}"]}


def _as_output(output: dict[str, Any]) -> NotebookNode:
    kind = output["output_type"]
    return new_output(kind, **{key: value for key, value in output.items() if key != "output_type"})
