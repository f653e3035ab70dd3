"""docs/authors.md, done as it says in a course of its own: what its blocks show is what happens."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from autograder.cli import main

REPOSITORY = Path(__file__).parents[2]
DOC = REPOSITORY / "docs" / "authors.md"
TEXT = DOC.read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (\S+\.py)\n")
PART = re.compile(r"# in (\S+\.py), in place of (\w+)\n")


@dataclass(frozen=True)
class Shown:
    """What a console block shows of a command, and what the command says; blanks and seconds don't count."""

    command: str
    shown: str
    said: str


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A folder with a student library and no lesson."""
    home = tmp_path_factory.mktemp("course")
    (home / "solutions" / "lessons").mkdir(parents=True)
    shutil.copytree(
        REPOSITORY / "attention_lib",
        home / "attention_lib",
        ignore=shutil.ignore_patterns("__pycache__", "examples"),
    )
    return home


@pytest.fixture(scope="module")
def followed(course):
    """The page's blocks, done in order: the consoles among them."""
    return [shown for kind, text in BLOCK.findall(TEXT) for shown in _follow(course, kind, text)]


def _follow(course, kind, text):
    if kind == "console":
        command, _, shown = text.partition("\n")
        yield Shown(command, _plain(shown), _plain(run(course, command.removeprefix("$ autograder ")).output))
    elif kind == "python" and (part := PART.match(text)):
        _replace(course / part[1], part[2], text[part.end() :])
    elif kind == "python":
        _write(course / FILE.match(text)[1], text[text.index("\n") + 1 :])


def run(course, command):
    return CliRunner().invoke(main, ["--course", str(course), *shlex.split(command)])


def _plain(text):
    return re.sub(r"\d+\.\d s\b", "… s", " ".join(text.split()))


def _write(path, text):
    assert path.exists(), f"the page writes {path.name}, which the template does not make"
    path.write_text(text, encoding="utf-8")


def _replace(path, name, text):
    """Put `text` in place of the function or value called `name`."""
    whole = path.read_text(encoding="utf-8")
    [node] = [node for node in ast.parse(whole).body if name in _names(node)]
    lines = whole.splitlines(keepends=True)
    path.write_text("".join([*lines[: node.lineno - 1], text, *lines[node.end_lineno :]]), encoding="utf-8")


def _names(node):
    targets = node.targets if isinstance(node, ast.Assign) else []
    return [getattr(node, "name", None), *(getattr(target, "id", None) for target in targets)]


def test_every_command_says_what_the_page_shows(followed):
    assert len(followed) == 3
    for one in followed:
        assert one.said == one.shown, one.command


def test_the_page_shows_findings_and_then_a_proof(followed):
    """Fails when the worked example no longer shows what the engine is for."""
    assert "positions_ignored` is right on all" in followed[1].said
    assert followed[2].said.startswith("09_positions rotate: holds")


def test_the_lesson_that_the_page_writes_builds(course, followed):
    done = run(course, "build 09_positions")
    assert done.exit_code == 0, done.output
    assert (course / "notebooks" / "09_positions" / "09_positions.ipynb").is_file()


def test_the_oracle_that_the_page_writes_agrees(course, followed):
    import numpy as np

    oracle: dict = {}
    exec((course / "tests/lessons/oracles/positions.py").read_text(encoding="utf-8"), oracle)
    from autograder.library import load

    rotate = load(course / "solutions", "09_positions").exercises["rotate"]
    X, positions = np.random.default_rng(0).normal(size=(3, 8)), np.array([7, 0, 90])
    assert np.allclose(oracle["rotate"](X, positions), rotate(X, positions))


@pytest.mark.parametrize("command", sorted(set(re.findall(r"`autograder ([a-z]+)", TEXT))))
def test_commands_that_the_page_names_exist(command):
    assert command in main.commands


def test_words_of_the_vocabulary_that_the_page_names_exist():
    """Fails when an option is renamed and the page goes on naming it."""
    import inspect

    from autograder import exercise

    options = set(re.findall(r"^\| `(\w+)=", TEXT, re.MULTILINE))
    assert options == {"tolerance", "compared", "repeatable", "writes", "budget"}
    assert options <= set(inspect.signature(exercise.exercise).parameters)
    named = ("values", "aspect", "unchanged", "raising", "thrifty", "example", "question", "free_text")
    assert all(f"`{name}(" in TEXT and callable(getattr(exercise, name)) for name in named)


def test_modules_of_the_student_library_that_the_page_says_the_engine_needs_are_those():
    """Fails when the engine comes to need another one."""
    found = set()
    for path in (REPOSITORY / "autograder").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "attention_lib":
                names = [alias.name for alias in node.names]
                found |= {node.module.split(".")[1]} if "." in node.module else set(names)
    [listed] = re.findall(r"the engine itself\nimports (.*?): keep", TEXT, re.DOTALL)
    assert found == set(re.findall(r"`(\w+)`", listed))
