"""`autograder grade --preview`: its numbers are those that `grade` then writes, and it writes none."""

from __future__ import annotations

import csv
import fcntl
import io

import nbformat
import pytest
from click.testing import CliRunner
from gradebooks import give, release, run
from nbgrader.api import Gradebook
from tiny_course import HALF, LESSON, MISTAKEN, RIGHT, FakeGrader, InThisProcess, released_notebook

from autograder.classroom import grade as grading
from autograder.classroom import worker
from autograder.classroom.changes import Change, table
from autograder.classroom.database import Database
from autograder.classroom.dump import canonical_dump
from autograder.classroom.preview import preview
from autograder.classroom.standings import Points, Standing, standings
from autograder.cli import main
from autograder.library import UserError

#: nbgrader's own way to add a submission makes SQLAlchemy warn.
pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
DUE, LATE = "2025-03-01 18:00:00 UTC", "2025-03-02 12:00:00 UTC"
THRICE = "def double(x):\n    return 3 * x"


def look(course, **options):
    """The preview of a run in this process."""
    (found,) = preview(course, make_workers=InThisProcess, **options)
    return found


def written(db_url):
    """Where the class stands by the gradebook."""
    database = Database(db_url)
    try:
        return database.read(lambda connection: standings(connection, LESSON))
    finally:
        database.close()


def url(course):
    return f"sqlite:///{course.gradebook}"


def state(folder):
    """Every file and folder with its content, mode and time of change: who makes a file and takes it away
    again changes its folder's time."""
    return {
        path.relative_to(folder): (
            path.lstat().st_mode,
            path.lstat().st_mtime_ns,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in (folder, *folder.rglob("*"))
    }


def edit(course, old, new):
    exercises = course.solutions / "exercises" / "tiny.py"
    text = exercises.read_text()
    assert old in text
    exercises.write_text(text.replace(old, new))


def with_points(points):
    """The released notebook where `double` is out of `points`."""
    notebook = released_notebook()
    (check,) = [cell for cell in notebook.cells if cell.source == 'check("double")']
    check.metadata.nbgrader.points = points
    return notebook


def more_points(course):
    edit(course, "@exercise(points=3, aspects=[values(3,", "@exercise(points=5, aspects=[values(5,")
    release(course, with_points(5))


def other_reference(course):
    edit(course, "return 2 * x", "return 3 * x")


def other_name(course):
    edit(course, "def squares(x)", "def takes_the_square(x)")


@pytest.mark.parametrize(
    ("change", "told", "scores"),
    [
        (
            more_points,
            [
                "ada  4 → 6 of 8  double 3 → 5 of 3 → 5 (values 3 → 5)",
                "ben  0 → 0 of 8  double 0 → 0 of 3 → 5",
                "cem  0 → 0 of 8  double 0 → 0 of 3 → 5",
                "1 up, 0 down, 2 the same; on average +0.667 points",
            ],
            {"ada": 6.0, "ben": 0.0, "cem": 0.0},
        ),
        (
            other_reference,
            [
                "ada  4 → 1 of 6  double 3 → 0 (passed → failed)",
                "cem  0 → 3 of 6  double 0 → 3 (failed → passed)",
                "1 up, 1 down, 1 the same; on average +0 points",
            ],
            {"ada": 1.0, "ben": 0.0, "cem": 3.0},
        ),
        (
            other_name,
            ["0 up, 0 down, 3 the same; on average +0 points"],
            {"ada": 4.0, "ben": 0.0, "cem": 0.0},
        ),
    ],
)
def test_what_a_changed_exercise_does_to_a_class_is_told_before_it_is_written(
    genuine, hand_in, change, told, scores
):
    hand_in("ada", double=RIGHT, sum_of_two="sum_of_two = 4")
    hand_in("ben", double=MISTAKEN)
    hand_in("cem", double=THRICE)
    run(genuine)
    worker.close_grader()
    change(genuine)
    before = state(genuine.root)
    seen = look(genuine)
    assert state(genuine.root) == before
    worker.close_grader()
    assert {change.student: change.after.score for change in seen.changes} == scores
    assert [line.strip() for line in seen.lines()[1:]] == told
    assert run(genuine).graded == 3
    assert {change.student: change.after for change in seen.changes} == written(url(genuine))


def test_the_processes_of_a_run_write_nothing_either(genuine, hand_in):
    hand_in("ada", double=MISTAKEN)
    run(genuine)
    worker.close_grader()
    more_points(genuine)
    before = state(genuine.root)
    (seen,) = preview(genuine, workers=1)
    assert state(genuine.root) == before
    assert [change.after.out_of for change in seen.changes] == [8.0]


class MendedGrader(FakeGrader):
    """The same grader after an exercise was mended: the half answer is as good as the whole."""

    def grade_notebook(self, submitted):
        for cell in submitted.cells:
            cell.source = RIGHT if cell.source == HALF else cell.source
        return super().grade_notebook(submitted)


@pytest.fixture
def mend(course, monkeypatch):
    """Mend the exercise, so that all is due for a regrade."""

    def mend():
        monkeypatch.setattr(worker, "Grader", MendedGrader)
        worker.close_grader()
        edit(course, "Twice x.", "Twice x, whatever x is.")

    return mend


def test_a_class_of_every_kind_is_previewed_as_it_is_graded_then(small_class, hand_in, mend):
    run(small_class)
    hand_in("cem", double=RIGHT, timestamp="2025-03-01 13:00:00 UTC")
    (hand_in("dee") / f"{LESSON}.ipynb").write_text("{ cut of")
    hand_in("new", double=HALF)
    mend()
    before = state(small_class.root)
    seen = look(small_class)
    assert state(small_class.root) == before
    assert (len(seen.regraded), len(seen.changes)) == (11, 12)
    text = "\n".join(seen.lines())
    assert seen.lines()[0] == f"{LESSON}: 11 would be graded again, 1 for the first time, 0 unchanged"
    assert "  ben  1.5 → 3 of 6  double 1.5 → 3 (partial → passed)\n" in text
    assert "  cem  0 → 3 of 6  tell_why open → 0; double 0 → 3 (squares → passed); handed in again\n" in text
    assert "  2 up, 0 down, 9 the same; on average +0.409 points\n" in text
    assert "    dee: the file is no notebook: it is not valid JSON" in text
    assert "  new  " not in text
    run(small_class)
    now = written(url(small_class))
    assert set(now) == {change.student for change in seen.changes}
    assert {change.student: change.after for change in seen.changes} == now


def test_what_would_not_be_graded_is_not_looked_at_unless_forced(course, hand_in):
    hand_in("ada", double=RIGHT)
    hand_in("ben", double=HALF)
    run(course)
    hand_in("ben", double=MISTAKEN)
    FakeGrader.graded.clear()
    seen = look(course)
    assert FakeGrader.graded == ["ben"]
    assert seen.lines() == [
        f"{LESSON}: 1 would be graded again, 1 unchanged",
        "  ben  1.5 → 0 of 6  double 1.5 → 0 (partial → squares)",
        "  0 up, 1 down, 0 the same; on average -1.5 points",
    ]
    FakeGrader.graded.clear()
    assert len(look(course, force=True).changes) == 2
    assert sorted(FakeGrader.graded) == ["ada", "ben"]
    assert [change.student for change in look(course, force=True, student="ada").changes] == ["ada"]


def test_points_that_a_person_gave_stay_and_are_named(course, hand_in, database, mend):
    hand_in("ada", double=HALF, tell_why="So.")
    hand_in("ben", double=HALF, tell_why="So.")
    run(course)
    with Gradebook(database, "attention") as gradebook:
        give(gradebook, "ada", "test_double", 2.5, extra=0.25)
        give(gradebook, "ada", "tell_why", 1.0)
    mend()
    before = canonical_dump(database)
    seen = look(course)
    assert canonical_dump(database) == before
    assert seen.lines() == [
        f"{LESSON}: 2 would be graded again, 0 unchanged",
        "  ben  1.5 → 3 of 6  double 1.5 → 3 (partial → passed)",
        "  1 up, 0 down, 1 the same; on average +0.75 points",
        "  points that a person gave, which stay; the formgrader asks for a look at each again",
        "    ada: tell_why 1; double 2.5 + 0.25 extra (the grader 1.5 → 3)",
    ]
    run(course)
    assert {change.student: change.after for change in seen.changes} == written(database)
    with Gradebook(database, "attention") as gradebook:
        assert gradebook.find_submission(LESSON, "ada").score == 3.75
        assert gradebook.find_grade("tell_why", LESSON, LESSON, "ada").needs_manual_grade


def take_off_all_that_is_late(course):
    with (course.root / "nbgrader_config.py").open("a") as settings:
        settings.write("c.LateSubmissionPlugin.penalty_method = 'zero'\n")


def test_late_penalties_are_in_the_numbers(course, hand_in, database, mend):
    take_off_all_that_is_late(course)
    hand_in("ada", double=HALF, timestamp=LATE)
    hand_in("ben", double=HALF)
    run(course)
    with Gradebook(database, "attention") as gradebook:
        gradebook.update_or_create_assignment(LESSON, duedate=DUE)
    mend()
    seen = look(course)
    assert seen.lines() == [
        f"{LESSON}: 2 would be graded again, 0 unchanged",
        "  ada  1.5 → 0 of 6  double 1.5 → 3 (partial → passed); late penalty 0 → 3",
        "  ben  1.5 → 3 of 6  double 1.5 → 3 (partial → passed)",
        "  1 up, 1 down, 0 the same; on average +0 points",
    ]
    run(course)
    assert {change.student: change.after for change in seen.changes} == written(database)


def test_a_penalty_that_changes_without_a_regrade_is_told(course, hand_in):
    take_off_all_that_is_late(course)
    hand_in("ada", double=RIGHT, timestamp=LATE)
    hand_in("ben", double=RIGHT)
    run(course)
    with Gradebook(url(course), "attention") as gradebook:
        gradebook.update_or_create_assignment(LESSON, duedate=DUE)
    FakeGrader.graded.clear()
    assert look(course).lines()[:2] == [
        f"{LESSON}: 1 would be graded again, 1 unchanged",
        "  ada  3 → 0 of 6  late penalty 0 → 3",
    ]
    assert FakeGrader.graded == []


def test_without_an_earlier_run_there_is_nothing_to_compare_with(course, hand_in):
    hand_in("ada")
    with pytest.raises(UserError, match=r"has no \.course_secret"):
        look(course)
    assert not (course.root / ".course_secret").exists()


def test_a_gradebook_that_is_gone_is_not_made(course, hand_in):
    hand_in("ada", double=RIGHT)
    run(course)
    course.gradebook.unlink()
    seen = look(course)
    assert not course.gradebook.exists()
    assert [(change.before, change.after.score) for change in seen.changes] == [(None, 3.0)]


def test_while_a_run_grades_there_is_no_preview(course, hand_in):
    hand_in("ada")
    run(course)
    with grading._only_run(course), pytest.raises(UserError, match="a run is grading"):
        look(course)
    with (course.verdicts / ".lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        assert look(course).unchanged == 1, "two may look at once"


def test_a_lesson_whose_cells_came_or_went_is_refused_as_grade_refuses_it(course, hand_in):
    hand_in("ada", double=RIGHT)
    run(course)
    released = nbformat.read(course.released(LESSON), as_version=4)
    del released.cells[1]
    nbformat.write(released, course.released(LESSON))
    with pytest.raises(UserError, match="cells were added or removed"):
        look(course)


def test_the_table_has_a_row_for_each_that_would_be_graded(course, hand_in, mend):
    for student in ("ada", "ben", "=1+1"):
        hand_in(student, double=HALF if student == "ada" else RIGHT)
    run(course)
    hand_in("new")
    mend()
    rows = list(csv.DictReader(io.StringIO(table([look(course)]))))
    assert [row["student"] for row in rows] == ["'=1+1", "ada", "ben", "new"], "no formula for a spreadsheet"
    assert rows[1] == {
        "lesson": LESSON,
        "student": "ada",
        "before": "1.5",
        "after": "3",
        "change": "1.5",
        "out_of": "6",
        "penalty_before": "0",
        "penalty_after": "0",
        "cells": "double 1.5 → 3 (partial → passed)",
        "manual": "",
    }
    assert [(row["before"], row["after"], row["change"]) for row in rows[2:]] == [
        ("3", "3", "0"),
        ("", "0", ""),
    ]


@pytest.fixture
def command(course, monkeypatch):
    """Run `autograder` in the tiny course with the fake grader."""
    ours = {**grading.grade.__kwdefaults__, "make_workers": InThisProcess}
    monkeypatch.setattr(grading.grade, "__kwdefaults__", ours)

    def run(*arguments):
        return CliRunner().invoke(main, ["--course", str(course.root), *map(str, arguments)])

    return run


def test_the_command_tells_it_and_writes_the_table_that_was_asked_for(
    course, hand_in, command, mend, tmp_path_factory
):
    hand_in("ada", double=HALF)
    command("grade")
    mend()
    before = state(course.root)
    file = tmp_path_factory.mktemp("tables") / "changes.csv"
    done = command("grade", LESSON, "--preview", "--csv", file)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [
        f"{LESSON}: 1 would be graded again, 0 unchanged",
        "  ada  1.5 → 3 of 6  double 1.5 → 3 (partial → passed)",
        "  1 up, 0 down, 0 the same; on average +1.5 points",
        "nothing was written: the same command without --preview writes it",
    ]
    assert state(course.root) == before
    assert file.read_text().splitlines()[1].startswith(f"{LESSON},ada,1.5,3,1.5,6,")
    assert "graded again" not in command("grade").stdout
    assert written(url(course))["ada"].score == 3.0


def test_a_table_without_a_preview_is_refused(course, hand_in, command, tmp_path):
    hand_in("ada")
    done = command("grade", "--csv", tmp_path / "table.csv")
    assert done.exit_code == 2
    assert "add --preview" in done.stderr
    assert not course.gradebook.exists()


@pytest.mark.parametrize(
    ("points", "score"),
    [
        (Points(1.0, None, None, 3.0), 1.0),
        (Points(1.0, 2.5, None, 3.0), 2.5),
        (Points(None, 2.0, 0.5, 3.0), 2.5),
        (Points(None, None, 0.5, 3.0), 0.0),
    ],
)
def test_points_count_as_nbgrader_counts_them(points, score):
    assert points.score == score
    assert Standing(cells={"a": points, "b": points}, penalty=0.5).score == max(0.0, 2 * score - 0.5)


def test_rounding_is_no_change():
    before = Standing(cells={"test_a": Points(0.1 + 0.2, None, None, 1.0)})
    after = Standing(cells={"test_a": Points(0.3, None, None, 1.0)})
    assert not Change("ada", before, after).is_felt
