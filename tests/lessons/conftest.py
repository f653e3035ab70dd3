"""The lessons, loaded once: every test in this folder runs over all of them."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

import pytest

from autograder.judging.cases import HiddenCases
from autograder.library import lesson_names, load, topic

ROOT = Path(__file__).resolve().parents[2]
SOLUTIONS = ROOT / "solutions"
SECRETS = [b"one class", b"another", b"a third"]

library = cache(lambda lesson: load(SOLUTIONS, lesson))
hidden_cases = cache(lambda lesson, secret: HiddenCases(library(lesson), secret))


@cache
def oracle(lesson):
    """The module of loop-written oracles of `lesson`, None when there is none."""
    path = Path(__file__).parent / "oracles" / f"{topic(lesson)}.py"
    if not path.is_file():
        return None
    spec = importlib.util.spec_from_file_location(f"oracle_{topic(lesson)}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def right(request):
    """The references, by name, of the lesson that the test's module is about."""
    return library(request.module.LESSON).exercises


@pytest.fixture(scope="module")
def world(request):
    """What the cells of that lesson's notebook define when every function is right."""
    from .test_sources import run

    return run(request.module.LESSON, lambda exercise: exercise.reference)


def pytest_generate_tests(metafunc):
    """`lesson`, `exercise`, `known` (a misconception) and `question` stand for every one of every lesson."""
    wanted = [name for name in ("lesson", "exercise", "known", "question") if name in metafunc.fixturenames]
    if wanted:
        rows = list(_rows(wanted[-1]))
        metafunc.parametrize(wanted, [[row[name] for name in wanted] for row in rows], ids=map(_id, rows))


def _rows(innermost):
    """One dict for each lesson, exercise, misconception or question, with what it belongs to."""
    for lesson in lesson_names(SOLUTIONS):
        if innermost == "lesson":
            yield {"lesson": lesson}
        elif innermost == "question":
            yield from ({"lesson": lesson, "question": item} for item in library(lesson).questions.values())
        else:
            for exercise in library(lesson).exercises.values():
                row = {"lesson": lesson, "exercise": exercise}
                mistakes = exercise.misconceptions if innermost == "known" else [None]
                yield from ({**row, "known": known} for known in mistakes)


def _id(row):
    parts = [row[name].name for name in ("exercise", "known", "question") if row.get(name)]
    return "-".join(parts) or row["lesson"]
