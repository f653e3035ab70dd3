"""docs/instructors.md names commands, options, settings and files that are there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from nbgrader.api import Student
from nbgrader.apps.nbgraderapp import NbGraderApp
from nbgrader.coursedir import CourseDirectory
from nbgrader.plugins import LateSubmissionPlugin
from nbgrader.preprocessors import AssignLatePenalties

from autograder.classroom.late import PerDay
from autograder.classroom.summary import Kind
from autograder.cli import main

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs" / "instructors.md"
TEXT = PAGE.read_text(encoding="utf-8")
BLOCK = re.compile(r"^ {4}\S.*$", re.MULTILINE)
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
SETTING = re.compile(r"\bc\.(\w+)\.(\w+)")
PROGRAMS = ("autograder", "nbgrader", "make")
CONFIGURABLE = {
    kind.__name__: kind for kind in (PerDay, AssignLatePenalties, LateSubmissionPlugin, CourseDirectory)
}


def commands() -> Iterator[str]:
    """Every command line in a block of code or between backquotes, without its comment."""
    lines = [line.strip() for line in BLOCK.findall(TEXT)] + SPAN.findall(TEXT)
    for line in lines:
        bare = line.split("  #")[0].strip()
        if bare.split(" ")[0] in PROGRAMS and " " in bare:
            yield bare


def words_of(line: str) -> list[str]:
    return shlex.split(line)


COMMANDS = sorted(set(commands()))


def test_the_page_has_the_commands_of_a_semester():
    named = {" ".join(line.split()[:2]) for line in COMMANDS}
    assert named >= {
        "make setup",
        "autograder doctor",
        "autograder bundle",
        "autograder build",
        "autograder grade",
        "autograder judge",
        "autograder report",
        "nbgrader db",
        "nbgrader generate_feedback",
        "nbgrader export",
    }


def problem_with(line: str) -> str | None:
    """What is wrong with a command line, if anything."""
    program, *words = words_of(line)
    return {"autograder": _ours, "nbgrader": _nbgraders, "make": _makes}[program](words)


def _ours(words: list[str]) -> str | None:
    known = {option for parameter in main.params for option in parameter.opts}
    command = main
    for word in words:
        if word.startswith("-"):
            if word.split("=")[0] not in known:
                return f"no option {word}"
        elif command is main and word in main.commands:
            command = main.commands[word]
            known |= {option for parameter in command.params for option in parameter.opts}
        elif command is main and words[words.index(word) - 1] not in known:
            return f"no command {word}"
    return None


def _nbgraders(words: list[str]) -> str | None:
    app, rest = NbGraderApp(), list(words)
    while rest and app.subcommands and not rest[0].startswith("-"):
        name = rest.pop(0)
        if name not in app.subcommands:
            return f"no command {name}"
        app = app.subcommands[name][0]()
    known = {
        name for key in (*app.aliases, *app.flags) for name in (key if isinstance(key, tuple) else (key,))
    }
    for word in rest:
        name = word.lstrip("-").split("=")[0]
        if word.startswith("-") and "." not in name and name not in known:
            return f"no option {word}"
    return None


def _makes(words: list[str]) -> str | None:
    targets = re.findall(r"^([\w-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    return next((f"no target {word}" for word in words if word not in targets), None)


@pytest.mark.parametrize("line", COMMANDS)
def test_each_command_and_option_is_there(line):
    assert problem_with(line) is None


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("autograder grad", "no command grad"),
        ("autograder grade --previews", "no option --previews"),
        ("autograder --course DIR grade --csv x", None),
        ("nbgrader db student imports x.csv", "no command imports"),
        ("nbgrader db assignment add x --due=1", "no option --due=1"),
        ("nbgrader autograde x --force", None),
        ("make setups", "no target setups"),
    ],
)
def test_a_command_that_is_not_there_would_be_found(line, problem):
    assert problem_with(line) == problem


@pytest.mark.parametrize("link", sorted(set(LINK.findall(TEXT))))
def test_each_link_leads_to_a_file(link):
    assert (PAGE.parent / link.partition("#")[0]).is_file()


@pytest.mark.parametrize(("kind", "name"), sorted(set(SETTING.findall(TEXT))))
def test_each_setting_is_one(kind, name):
    assert name in CONFIGURABLE[kind].class_trait_names(config=True)


def test_the_columns_of_the_students_file_are_nbgraders():
    (titles,) = re.findall(r"^ {4}(id,\S+)$", TEXT, re.MULTILINE)
    assert set(titles.split(",")) == set(Student.__table__.columns.keys())


def test_the_scripts_that_are_named_are_there():
    named = re.findall(r"scripts/\w+\.py", TEXT)
    assert named == ["scripts/move_gradebook.py"]
    assert (REPOSITORY / named[0]).is_file()


def test_what_the_summary_says_of_another_release_is_explained():
    assert Kind.RELEASE.value in TEXT


def test_it_is_two_printed_pages_at_the_most():
    assert len(TEXT.splitlines()) <= 200
