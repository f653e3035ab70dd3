"""A class for the soak, the states that it can be in before a run, and all that a run leaves to compare."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook
from sample_class import LESSON, RECIPES, Answers, HandedIn, handed_in, read_answers

from autograder.classroom.dump import canonical_dump
from autograder.course import Course
from autograder.files import WRITING

REPOSITORY = Path(__file__).resolve().parents[2]
#: Endless loops are part of the class: short limits keep a round short.
LIMITS = "c.Limits.cell_seconds = 2\nc.Limits.question_seconds = 1\n"
SECRET = "5e" * 32
SHOWN_DIFFERENCES = 4
#: What a verdict says of time, which no two runs share.
TIMES = ("seconds", "cells_seconds")

#: Of the sample class: right, mistaken, unfinished, unreadable, out of time, dead by its own hand, hostile.
MEMBERS = (
    "plain_numpy",
    "loops",
    "lists_of_floats",
    "not_summed",
    "features_compared",
    "masks_after_the_softmax",
    "several_mistakes",
    "changes_arguments",
    "half_done",
    "blank",
    "raises",
    "truncated",
    "endless_loop",
    "leaves_python",
    "patches_everything",
)
FEW_MEMBERS = ("plain_numpy", "several_mistakes", "blank", "truncated", "leaves_python")
#: Students of the soak's own, beside those of the sample class.
SLOW, SUICIDAL = "zoe.slow", "zeno.suicidal"

#: A manual score is within the points of its cell, and no score that the judge gives.
MANUAL_SCORES = (("longer_vectors_win", 0.75), ("test_dot_score", 0.25))
MANUAL_COMMENT = ("dot_score", "Nearly: look at the sum once more.")


def class_folder(folder: Path) -> Course:
    """A class folder of its own on this repository's lesson, nothing handed in."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("solutions", "notebooks", "attention_lib"):
        (folder / name).symlink_to(REPOSITORY / name)
    settings = (REPOSITORY / "nbgrader_config.py").read_text(encoding="utf-8")
    (folder / "nbgrader_config.py").write_text(settings + LIMITS, encoding="utf-8")
    (folder / ".course_secret").write_text(SECRET)
    return Course.find(folder)


def make_class(folder: Path, members: Sequence[str] = MEMBERS) -> Course:
    """A class with everything handed in, nothing graded."""
    course = class_folder(folder)
    answers = read_answers(course.solutions)
    for recipe in RECIPES:
        if recipe.make.__name__ in members:
            _hand_in(course, recipe.student, handed_in(recipe, course.released(LESSON), answers))
    _hand_in(course, SLOW, _slow(course, answers))
    _hand_in(course, SUICIDAL, _suicidal(course, answers))
    return course


def _hand_in(course: Course, student: str, text: str) -> None:
    path = course.submitted / student / LESSON / f"{LESSON}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _slow(course: Course, answers: Answers) -> str:
    """Right, and long enough on the way for anything to be struck while it is graded."""
    work = HandedIn.read(course.released(LESSON))
    for name in answers.library.exercises:
        work.fill(name, answers.right(name))
    work.first("import time")
    for name in ("dot_score", "causal_weights", "cosine_score_matrix"):
        work.before(name, "time.sleep(0.4)")
    return work.text()


def _suicidal(course: Course, answers: Answers) -> str:
    """Kills its own process, which the kernel does not let the first one of a namespace do."""
    work = HandedIn.read(course.released(LESSON))
    work.fill("dot_score", answers.right("dot_score"))
    work.after("test_dot_score", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    work.fill("normalize_scores", answers.right("normalize_scores"))
    return work.text()


def hand_in_again(course: Course) -> None:
    """Every third student hands in what another one had handed in."""
    students = sorted(folder.name for folder in course.submitted.iterdir())
    texts = {
        student: (course.submitted / student / LESSON / f"{LESSON}.ipynb").read_text(encoding="utf-8")
        for student in students
    }
    for student, other in zip(students[::3], students[1::3], strict=False):
        _hand_in(course, student, texts[other])


def grade_by_hand(course: Course) -> None:
    """A person scores and comments on every other submission."""
    with Gradebook(f"sqlite:///{course.gradebook}") as gradebook:
        for submission in sorted(gradebook.assignment_submissions(LESSON), key=_student)[::2]:
            student = _student(submission)
            for cell, score in MANUAL_SCORES:
                gradebook.find_grade(cell, LESSON, LESSON, student).manual_score = score
            comment = gradebook.find_comment(MANUAL_COMMENT[0], LESSON, LESSON, student)
            comment.manual_comment = MANUAL_COMMENT[1]
        gradebook.db.commit()


def _student(submission: Any) -> str:
    return str(submission.student.id)


def by_hand(rows: Sequence[str]) -> set[str]:
    """The manual scores and comments in a gradebook's canonical dump."""
    found = [json.loads(row) for row in rows]
    scores = {f"{row[1]}: {row[4]} {row[6]}" for row in found if row[0] == "grade" and row[6] is not None}
    comments = {f"{row[1]}: {row[4]} {row[6]}" for row in found if row[0] == "comment" and row[6] is not None}
    return scores | comments


@dataclass(frozen=True)
class Record:
    """All that grading a class leaves in its folder, without times: the gradebook's canonical dump, the
    graded notebooks and what lies beside them, the verdicts, and the names of everything."""

    rows: tuple[str, ...]
    graded: dict[str, bytes]
    verdicts: dict[str, dict[str, Any]]
    names: frozenset[str]

    @property
    def open(self) -> list[str]:
        """The students whose submission the next run will try again."""
        return [student for student, verdict in self.verdicts.items() if "digest" not in verdict]

    def differences(self, other: Record) -> list[str]:
        """What is here and not in `other`, or the other way round, in words; a few of each."""
        return [
            *_unlike("gradebook", set(self.rows), set(other.rows)),
            *_unlike("name", set(self.names), set(other.names)),
            *_unlike("verdict", _told(self.verdicts), _told(other.verdicts)),
            *(
                f"notebook: {name} has other bytes"
                for name in sorted(self.graded.keys() & other.graded.keys())
                if self.graded[name] != other.graded[name]
            ),
        ]


def _unlike(what: str, here: set[str], there: set[str]) -> list[str]:
    more, less = sorted(here - there), sorted(there - here)
    told = [f"{what}: only here: {one[:300].strip()}" for one in more[:SHOWN_DIFFERENCES]]
    told += [f"{what}: not here: {one[:300].strip()}" for one in less[:SHOWN_DIFFERENCES]]
    left_out = len(more) + len(less) - len(told)
    return [*told, *([f"{what}: {left_out} more"] if left_out else [])]


def _told(verdicts: dict[str, dict[str, Any]]) -> set[str]:
    """Every leaf of every verdict with the way to it."""
    return {line for student, verdict in verdicts.items() for line in _leaves(student, verdict)}


def _leaves(way: str, value: Any) -> Iterator[str]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(f"{way}/{key}", inner)
    else:
        yield f"{way}: {json.dumps(value)}"


def recorded(course: Course) -> Record:
    """What is recorded now. Raises what SQLite and nbgrader raise for a gradebook that is damaged."""
    dump = canonical_dump(f"sqlite:///{course.gradebook}") if course.gradebook.exists() else ""
    # the folder for what is half-written is there or not; what lies in it is what matters
    unsaid = {course.submitted, course.autograded / WRITING}
    names = [path for path in sorted(course.root.rglob("*")) if course.submitted not in path.parents]
    return Record(
        tuple(dump.splitlines()),
        {_name(course, path): path.read_bytes() for path in course.autograded.rglob("*") if path.is_file()},
        {path.stem: _without_times(path) for path in course.verdicts.glob("*/*.json")},
        frozenset(_name(course, path) for path in names if path not in unsaid),
    )


def _name(course: Course, path: Path) -> str:
    return str(path.relative_to(course.root))


def _without_times(path: Path) -> dict[str, Any]:
    verdict: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return {key: value for key, value in verdict.items() if key not in TIMES}


@dataclass(frozen=True)
class State:
    """What a run starts from: a class folder to copy, and whether all is graded again. `expected` is
    what a run leaves that nobody disturbs."""

    name: str
    folder: Path
    force: bool = False
    expected: Record = field(default_factory=lambda: Record((), {}, {}, frozenset()))

    def copy_to(self, folder: Path) -> Course:
        shutil.copytree(self.folder, folder, symlinks=True)
        return Course.find(folder)


def remove(folder: Path) -> None:
    """Take away a folder with read-only files in it."""
    for place, _, _ in os.walk(folder):
        with contextlib.suppress(OSError):
            os.chmod(place, 0o755)
    shutil.rmtree(folder, ignore_errors=True)
