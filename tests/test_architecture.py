"""Which side of the trust boundary a module is on shows in what it imports."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]

#: What runs in the student's process, or is forked to become it.
UNTRUSTED = {
    f"autograder.sandbox.{name}"
    for name in (
        *(
            "capture",
            "child",
            "isolation",
            "kernel",
            "landlock",
            "namespaces",
            "probe",
            "script",
            "seccomp",
            "zygote",
        ),
        *("codes", "decoder", "encoder", "wire"),
    )
}
#: Package → what of this repository it may import, besides itself.
MAY_IMPORT = {
    "attention_lib": set(),
    "autograder.sandbox": {
        "attention_lib.comm",
        "attention_lib.compare",
        "attention_lib.routing",
        "autograder.library",
    },
    "autograder.judging": {
        "attention_lib.bring",
        "attention_lib.comm",
        "attention_lib.compare",
        "attention_lib.ranks",
        "attention_lib.routing",
        "attention_lib.tolerance",
        "autograder.exercise",
        "autograder.library",
        "autograder.sandbox",
        "autograder.wording",
    },
    "autograder.authoring": {
        "attention_lib",
        "autograder.course",
        "autograder.exercise",
        "autograder.files",
        "autograder.judging",
        "autograder.library",
        "autograder.sandbox",
        "autograder.wording",
    },
    "autograder.classroom": {
        "autograder.authoring",
        "autograder.course",
        "autograder.exercise",
        "autograder.files",
        "autograder.grading",
        "autograder.judging",
        "autograder.lean",
        "autograder.library",
        "autograder.sandbox",
        "autograder.wording",
    },
}
FILES = {
    ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__"): path
    for package in ("attention_lib", "autograder")
    for path in sorted((REPOSITORY / package).rglob("*.py"))
}


def imported_by(module: str) -> set[str]:
    """Full names of what a module imports anywhere in it: `a.b` for `from a.b import c`, and `a.b.c`."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(FILES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def within(name: str, packages: set[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def is_ours(name: str) -> bool:
    return "." in name and name.split(".")[0] in ("attention_lib", "autograder", "solutions")


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_run_one_way(package: str) -> None:
    allowed = MAY_IMPORT[package] | {package}
    for module in FILES:
        if within(module, {package}):
            strays = {name for name in imported_by(module) if is_ours(name) and not within(name, allowed)}
            assert not strays, f"{module} imports {sorted(strays)}"


def test_nothing_imports_the_solutions() -> None:
    for module in FILES:
        assert not {name for name in imported_by(module) if within(name, {"solutions"})}, module


def test_the_students_library_needs_numpy_and_matplotlib_only() -> None:
    allowed = {*sys.stdlib_module_names, "numpy", "matplotlib", "attention_lib"}
    for module in FILES:
        if within(module, {"attention_lib"}):
            assert {name.split(".")[0] for name in imported_by(module)} <= allowed, module


@pytest.mark.parametrize("module", sorted(UNTRUSTED))
def test_what_runs_beside_student_code_knows_no_exercise(module: str) -> None:
    allowed = UNTRUSTED | {
        "attention_lib.comm",
        "attention_lib.compare",
        "attention_lib.routing",
        "autograder.sandbox",
    }
    strays = {name for name in imported_by(module) if is_ours(name) and not within(name, allowed)}
    assert not strays, f"{module} imports {sorted(strays)}"
    assert not within("autograder.exercise", imported_by(module))


def test_every_module_of_the_sandbox_is_on_one_side() -> None:
    trusted = {
        f"autograder.sandbox.{name}"
        for name in ("client", "clock", "conversation", "launch", "outcomes", "outputs", "scratch")
    }
    found = {module for module in FILES if module.startswith("autograder.sandbox.")}
    assert found == UNTRUSTED | trusted


def test_nbgrader_is_known_to_the_classroom_and_the_release_alone() -> None:
    for module in FILES:
        if any(within(name, {"nbgrader"}) for name in imported_by(module)):
            assert module == "autograder.authoring.release" or module.startswith("autograder.classroom."), (
                module
            )


def test_only_the_sandbox_forks() -> None:
    for module, path in FILES.items():
        if "os.fork" in path.read_text(encoding="utf-8"):
            assert module.startswith("autograder.sandbox."), module


def test_a_zygote_holds_no_module_that_knows_an_answer() -> None:
    import subprocess

    program = (
        "import sys, autograder.sandbox.zygote\n"
        "ours = [n for n in sys.modules if n.split('.')[0] in ('autograder', 'solutions')]\n"
        "print(*sorted(ours))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= UNTRUSTED | {"autograder", "autograder.sandbox"}


def test_what_a_grade_is_made_with_counts_as_the_engine() -> None:
    """All that a worker imports: a change to any of it must have the class graded again."""
    from autograder.classroom.engine import GRADING_CODE, PACKAGE

    counted = {file for part in GRADING_CODE for file in [PACKAGE / part, *(PACKAGE / part).rglob("*.py")]}
    reached, waiting = set(), ["autograder.classroom.worker"]
    while waiting:
        module = waiting.pop()
        reached.add(module)
        names = {name for found in imported_by(module) for name in (found, found.rpartition(".")[0])}
        waiting += [name for name in names if name in FILES and name not in reached]
    ours = {name for name in reached if within(name, {"autograder"}) and FILES[name].name != "__init__.py"}
    assert "autograder.judging.judge" in ours
    assert {name for name in ours if FILES[name] not in counted} <= {"autograder.lean"}
