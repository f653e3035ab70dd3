"""Calls everything that a student could call, and tells what answers an exercise.

Everything called here was written by the course's authors. It runs in a process of its own all the
same, since a student library may open figures, print, or wait: `passing_callables` starts it, and
`python -m autograder.authoring.probe` is what runs there.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import inspect
import io
import json
import os
import pkgutil
import signal
import subprocess
import sys
import tempfile
import types
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import autograder
from autograder.authoring import tags
from autograder.authoring.source import python_of
from autograder.library import Library, UserError, load

SECONDS_PER_CALL = 2.0
SECONDS_IN_ALL = 300.0
_PROVIDED = "<provided cell>"
# Draws the cases' values; their structure, which is what a leak shows in, is the same for every secret.
_SECRET = b"leak check"


class _Expired(BaseException):
    """The time of one call is up. No Exception, so that code under test can't swallow it by accident."""


def passing_callables(loaded: Sequence[Library], texts: Mapping[str, str], library_dir: Path) -> list[str]:
    """A line for each callable of the student library below `library_dir`, or of a provided cell of a
    notebook among `texts`, that answers all cases of some aspect of an exercise.

    Raises UserError when the process that tries them fails.
    """
    if not loaded:
        return []
    task = {
        "libraries": [[str(library.solutions.resolve()), library.lesson] for library in loaded],
        "home": str(library_dir.parent.resolve()),
        "package": library_dir.name,
        "notebooks": {name: text for name, text in texts.items() if name.endswith(".ipynb")},
    }
    with tempfile.TemporaryDirectory() as folder:
        found = _run(json.dumps(task), Path(folder))
    return [
        f"{where}: calling {name} answers {exercise} ({aspect})" for where, name, exercise, aspect in found
    ]


def _run(task: str, folder: Path) -> list[list[str]]:
    paths = [str(Path(autograder.__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
    environment = {
        **os.environ,
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": os.environ.get("MPLCONFIGDIR", str(folder / "matplotlib")),
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }
    try:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "autograder.authoring.probe", str(folder / "found.json")],
            input=task,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=SECONDS_IN_ALL,
        )
    except subprocess.TimeoutExpired as error:
        raise UserError(f"the leak check of callables took more than {SECONDS_IN_ALL:.0f} seconds") from error
    if done.returncode:
        reason = done.stderr.strip().split("\n")[-1].removeprefix("autograder.judging.cases.GraderFault: ")
        raise UserError(f"the leak check of callables failed: {reason}")
    found: list[list[str]] = json.loads((folder / "found.json").read_text())
    return found


def main() -> None:
    """Read the task on standard input, write what was found to the file named by the first argument."""
    task = json.loads(sys.stdin.read())
    destination = Path(sys.argv[1])
    sys.path.insert(0, task["home"])
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        found = [list(line) for line in _find(task)]
    destination.write_text(json.dumps(found))


def _find(task: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    from autograder.judging.cases import HiddenCases

    libraries = [load(Path(solutions), lesson) for solutions, lesson in task["libraries"]]
    candidates = [*_of_package(task["package"])]
    for name, text in task["notebooks"].items():
        candidates += _of_notebook(name, text)
    for library in libraries:
        cases = HiddenCases(library, _SECRET)
        for exercise in library.exercises:
            for where, name, candidate in candidates:
                for aspect in _answered_aspects(cases, exercise, candidate):
                    yield where, name, exercise, aspect


def _answered_aspects(cases: Any, exercise: str, candidate: Callable[..., Any]) -> list[str]:
    """The aspects of `exercise` whose cases `candidate` answers all."""
    by_aspect: dict[str, list[Any]] = {}
    for case in cases.of(exercise):
        if _tells_anything(case):
            by_aspect.setdefault(case.aspect, []).append(case)
    return [
        aspect
        for aspect, asked in by_aspect.items()
        if all(_answers(case, exercise, candidate) for case in asked)
    ]


def _tells_anything(case: Any) -> bool:
    """Whether a right answer shows that the exercise was solved: no exception, not just zeros, and not
    one of the inputs handed back."""
    import numpy as np

    from attention_lib.compare import compare
    from autograder.sandbox.script import Returned

    for event in case.expected:
        if not isinstance(event, Returned):
            return False
    answers = [event.value for event in case.expected]
    handed_back = any(
        compare(answer, given, case.tolerance) is None for answer in answers for given in case.inputs.values()
    )
    try:
        zeros = not any(np.any(np.asarray(answer)) for answer in answers)
    except ValueError:
        zeros = False
    return not handed_back and not zeros


def _answers(case: Any, name: str, candidate: Callable[..., Any]) -> bool:
    from autograder.judging.cases import answer
    from autograder.judging.events import difference

    try:
        with _time_limit(SECONDS_PER_CALL):
            events = answer(name, candidate, case.steps)
            return difference(case.expected, events, case.tolerance) is None
    except (Exception, _Expired, SystemExit, KeyboardInterrupt):
        # A candidate may give back an object that `compare` was never meant for: no answer.
        return False


@contextlib.contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    def expire(*_: object) -> None:
        raise _Expired

    previous = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


Candidate = tuple[str, str, Callable[..., Any]]


def _of_package(package: str) -> Iterator[Candidate]:
    """The callables that the package's own modules define, private ones too, once each."""
    seen: set[int] = set()
    for module in _modules(package):
        for name, value in vars(module).items():
            for path, found in _callables(name, value, package):
                if id(found) not in seen:
                    seen.add(id(found))
                    yield module.__name__, path, found


def _modules(package: str) -> Iterator[types.ModuleType]:
    root = importlib.import_module(package)
    yield root
    for found in pkgutil.walk_packages(root.__path__, f"{package}."):
        if found.name.rsplit(".", 1)[-1] != "__main__":
            # A module for an optional extra that is not installed can be called by nobody either.
            with contextlib.suppress(ImportError):
                yield importlib.import_module(found.name)


def _callables(name: str, value: Any, package: str) -> Iterator[tuple[str, Callable[..., Any]]]:
    """`value` itself if it can be called and is the package's own; of a class also what needs no instance."""
    home = str(getattr(value, "__module__", None) or type(value).__module__)
    if name.startswith("__") or isinstance(value, types.ModuleType) or not callable(value):
        return
    if isinstance(value, type | types.FunctionType) and home.split(".")[0] != package:
        return
    if isinstance(value, types.BuiltinFunctionType) or home.split(".")[0] in ("numpy", "builtins", "typing"):
        return
    yield name, value
    if isinstance(value, type):
        for inner, attribute in vars(value).items():
            if isinstance(attribute, staticmethod | classmethod):
                yield f"{name}.{inner}", getattr(value, inner)


def _of_notebook(name: str, text: str) -> list[Candidate]:
    """The functions that the notebook's provided cells define, run as a student would, stubs and all."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for cell in json.loads(text)["cells"]:
        if cell["cell_type"] == "code" and not _is_asked(cell):
            _define(python_of("".join(cell["source"])), namespace)
    return [
        (name, found, value) for found, value in namespace.items() if callable(value) and _is_provided(value)
    ]


def _is_asked(cell: Mapping[str, Any]) -> bool:
    """A check cell, an answer, or a stub: not provided."""
    metadata = cell["metadata"]
    nbgrader = metadata.get("nbgrader", {})
    return bool(
        nbgrader.get("grade") or nbgrader.get("solution") or tags.QUESTION in metadata.get("tags", [])
    )


def _define(source: str, namespace: dict[str, Any]) -> None:
    """Run a cell statement by statement: what fails for want of a student's solution is passed over."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return
    for statement in tree.body:
        code = compile(ast.Module([statement], []), _PROVIDED, "exec")
        with contextlib.suppress(Exception, _Expired, SystemExit), _time_limit(SECONDS_PER_CALL):
            exec(code, namespace)


def _is_provided(value: Any) -> bool:
    code = getattr(inspect.unwrap(value), "__code__", None)
    return isinstance(code, types.CodeType) and code.co_filename == _PROVIDED


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
