"""`autograder grade` on a class: what is written, what is left alone, and what survives."""

from __future__ import annotations

import json
import os

import nbformat
import pytest
from nbgrader.api import Gradebook
from tiny_course import HALF, LESSON, MISTAKEN, RIGHT, FakeGrader, InThisProcess

from autograder.classroom import grade as grading
from autograder.classroom import records
from autograder.classroom.grade import grade
from autograder.classroom.gradebook import Book, canonical_dump
from autograder.library import UserError
from autograder.sandbox.client import Limits
from autograder.wording import printable


def run(course, lessons=(), **options):
    (done,) = grade(course, lessons, make_workers=InThisProcess, **options)
    return done


def append(path, line):
    path.write_text(path.read_text() + line + "\n")


def dump(course):
    return canonical_dump(f"sqlite:///{course.gradebook}")


def grades_of(course, student):
    with Gradebook(f"sqlite:///{course.gradebook}") as gradebook:
        notebook = gradebook.find_submission_notebook(LESSON, LESSON, student)
        return {grade.name: (grade.auto_score, grade.needs_manual_grade) for grade in notebook.grades}


def test_scores_faults_and_free_texts_reach_the_gradebook(small_class):
    done = run(small_class)
    assert (done.graded, done.ungraded, done.unchanged) == (6, 6, 0)
    assert grades_of(small_class, "ada") == {
        "test_double": (3.0, False),
        "test_sum_of_two": (1.0, False),
        "tell_why": (None, True),
    }
    assert grades_of(small_class, "dee") == {
        "test_double": (0.0, False),
        "test_sum_of_two": (0.0, False),
        "tell_why": (0.0, False),
    }
    assert grades_of(small_class, "eli")["test_double"] == (None, True)
    for student in ("fay", "hal", "jon", "kim", "lou"):
        assert set(grades_of(small_class, student).values()) == {(None, True)}, student
        assert not (small_class.autograded / student / LESSON).exists()


def test_every_damaged_submission_is_named_with_its_reason_and_the_class_goes_on(small_class):
    done = run(small_class)
    told = dict(done.troubled)
    assert set(told) == {"eli", "fay", "gus", "hal", "ida", "jon", "kim", "lou"}
    assert "not valid JSON" in told["hal"]
    assert "nothing" in told["ida"]
    assert "a folder" in told["jon"]
    assert "a link" in told["lou"]
    assert told["fay"] == "MemoryError: no room"
    assert "timed out: double" in told["gus"]
    verdict = records.read_verdict(records.verdict_path(small_class, LESSON, "hal"))
    assert (verdict["kind"], verdict["error"]) == ("damaged", told["hal"])


def test_graded_notebook_holds_the_judges_outputs_and_the_other_files(small_class):
    (small_class.submitted / "ada" / LESSON / "data").mkdir()
    (small_class.submitted / "ada" / LESSON / "data" / "mine.txt").write_text("kept")
    (small_class.submitted / "ada" / LESSON / "secret").symlink_to(small_class.solutions)
    run(small_class)
    folder = small_class.autograded / "ada" / LESSON
    notebook = nbformat.read(folder / f"{LESSON}.ipynb", as_version=4)
    (check,) = [cell for cell in notebook.cells if cell.source == 'check("double")']
    assert check.outputs[-1].data["text/plain"] == "3"
    assert (folder / "data" / "mine.txt").read_text() == "kept"
    assert not (folder / "secret").exists()


def test_unchanged_work_is_skipped_and_changed_work_is_not(small_class, hand_in):
    run(small_class)
    first = dump(small_class)
    FakeGrader.graded.clear()
    done = run(small_class)
    assert (done.graded, done.unchanged, done.still_ungraded) == (0, 11, 5)
    assert FakeGrader.graded == ["fay"], "a fault of the grader's own is tried again"
    assert dump(small_class) == first
    hand_in("ben", double=RIGHT)
    FakeGrader.graded.clear()
    run(small_class)
    assert sorted(FakeGrader.graded) == ["ben", "fay"]
    assert grades_of(small_class, "ben")["test_double"] == (3.0, False)


def make_folder(path, more):
    """The exercises in a folder, with `more` in a file of its own."""
    folder = path.with_suffix("")
    folder.mkdir()
    path.rename(folder / "__init__.py")
    (folder / "more.py").write_text(more)


@pytest.mark.parametrize(
    "change",
    [
        lambda course: append(course.solutions / "exercises" / "tiny.py", "# changed"),
        lambda course: make_folder(course.solutions / "exercises" / "tiny.py", "# more"),
        lambda course: (course.library_dir / "compare.py").write_text("# changed\n"),
        lambda course: (course.root / ".course_secret").write_text("ab" * 32),
        lambda course: append(course.root / "nbgrader_config.py", "c.Limits.cell_seconds = 7"),
    ],
)
def test_a_change_of_exercises_engine_secret_or_limits_grades_again(course, hand_in, change):
    hand_in("ada", double=RIGHT)
    run(course)
    change(course)
    assert run(course).graded == 1


def test_force_grades_again_and_loses_no_manual_score(course, hand_in):
    hand_in("ada", double=HALF, tell_why="Because.")
    run(course)
    with Gradebook(f"sqlite:///{course.gradebook}") as gradebook:
        for name, score in (("test_double", 2.5), ("tell_why", 1.0)):
            gradebook.find_grade(name, LESSON, LESSON, "ada").manual_score = score
        gradebook.find_comment("double", LESSON, LESSON, "ada").manual_comment = "Nearly."
        gradebook.db.commit()
    hand_in("ada", double=MISTAKEN, tell_why="Because.")
    assert run(course, force=True).graded == 1
    with Gradebook(f"sqlite:///{course.gradebook}") as gradebook:
        grade = gradebook.find_grade("test_double", LESSON, LESSON, "ada")
        assert (grade.auto_score, grade.manual_score, grade.score) == (0.0, 2.5, 2.5)
        assert grade.needs_manual_grade, "a person looks again where a person scored before"
        assert gradebook.find_grade("tell_why", LESSON, LESSON, "ada").manual_score == 1.0
        assert gradebook.find_comment("double", LESSON, LESSON, "ada").comment == "Nearly."


def test_a_damaged_resubmission_opens_the_grade_again_and_takes_the_old_notebook_away(course, hand_in):
    folder = hand_in("ada", double=RIGHT)
    run(course)
    (folder / f"{LESSON}.ipynb").write_bytes(b"\xff\xfe")
    run(course)
    assert set(grades_of(course, "ada").values()) == {(None, True)}
    assert not (course.autograded / "ada" / LESSON).exists()


@pytest.mark.parametrize("step", ["remove_verdict", "write_graded", "enter", "write_verdict"])
def test_a_run_that_is_killed_at_any_step_and_run_again_ends_in_the_same_place(
    course, hand_in, monkeypatch, step, tmp_path_factory
):
    class Killed(BaseException):
        pass

    def die(*arguments, **keywords):
        raise Killed

    for student, answer in (("ada", RIGHT), ("ben", HALF), ("cem", MISTAKEN)):
        hand_in(student, double=answer)
    run(course)
    undisturbed = dump(course)
    hand_in("ben", double=RIGHT)
    owner = Book if step == "enter" else records
    with monkeypatch.context() as killed:
        killed.setattr(owner, step, die)
        with pytest.raises(Killed):
            run(course)
    run(course)
    assert grades_of(course, "ben")["test_double"] == (3.0, False)
    hand_in("ben", double=HALF)
    run(course)
    assert dump(course) == undisturbed
    assert not list(course.autograded.glob(f"{records.WRITING}/*"))


def test_a_gradebook_that_was_deleted_is_filled_again(course, hand_in):
    hand_in("ada", double=RIGHT)
    run(course)
    before = dump(course)
    course.gradebook.unlink()
    assert run(course).graded == 1
    assert dump(course) == before


def test_one_student_only(small_class):
    done = run(small_class, student="ben")
    assert done.graded == 1
    assert FakeGrader.graded == ["ben"]


def test_a_refused_sandbox_stops_the_run_before_anything_is_written(course, hand_in, monkeypatch):
    hand_in("ada", double=RIGHT)

    def refuse(self):
        raise UserError("no sandbox here")

    monkeypatch.setattr(FakeGrader, "__enter__", refuse)
    with pytest.raises(UserError, match="no sandbox here"):
        run(course)
    assert not course.autograded.exists()
    assert not list(course.verdicts.glob("*/*.json"))


def test_two_runs_at_once_are_refused(course, hand_in):
    hand_in("ada")
    with grading._only_run(course), pytest.raises(UserError, match="another run is grading"):
        run(course)


def test_late_work_gets_the_courses_penalty(course, hand_in):
    append(course.root / "nbgrader_config.py", "c.LateSubmissionPlugin.penalty_method = 'zero'")
    hand_in("ada", double=RIGHT, timestamp="2025-03-02 12:00:00 UTC")
    hand_in("ben", double=RIGHT, timestamp="2025-03-01 12:00:00 UTC")
    run(course)
    with Gradebook(f"sqlite:///{course.gradebook}", "attention") as gradebook:
        gradebook.update_or_create_assignment(LESSON, duedate="2025-03-01 18:00:00 UTC")
    run(course, force=True)
    with Gradebook(f"sqlite:///{course.gradebook}") as gradebook:
        penalties = {
            student: gradebook.find_submission_notebook(LESSON, LESSON, student).late_submission_penalty
            for student in ("ada", "ben")
        }
    assert penalties == {"ada": 3.0, "ben": None}


@pytest.mark.parametrize("timestamp", ["", "no time at all", "9" * 5000])
def test_a_timestamp_that_is_none_costs_nothing(course, hand_in, timestamp):
    hand_in("ada", double=RIGHT, timestamp=timestamp)
    assert run(course).graded == 1


def test_students_can_be_called_anything(course, hand_in):
    names = ["ada's", "ben & b>", "cem\x1b[31m", "d e e", "élise", "x" * 128]
    for name in names:
        hand_in(name, double=RIGHT)
    folder = os.fsencode(hand_in("bad"))
    os.rename(os.path.dirname(folder), os.path.dirname(os.path.dirname(folder)) + b"/\xff")
    done = run(course)
    assert done.graded == len(names)
    ((student, reason),) = done.troubled
    assert "not valid UTF-8" in reason
    assert printable(student) == "\ufffd"
    for name in names:
        assert grades_of(course, name)["test_double"] == (3.0, False)


def test_students_markdown_reaches_nobodys_browser_as_markup(course, hand_in):
    hand_in("ada", tell_why="<script>alert(1)</script> [here](javascript:alert(2)) and 1 < 2 <b>")
    run(course)
    notebook = (course.autograded / "ada" / LESSON / f"{LESSON}.ipynb").read_text()
    assert "<script" not in notebook
    assert "](" not in notebook
    assert "1 < 2" in notebook


def test_verdict_file_is_the_judges_json_and_the_mark_of_a_finished_record(course, hand_in):
    hand_in("ada", double=MISTAKEN)
    run(course)
    verdict = json.loads(records.verdict_path(course, LESSON, "ada").read_text())
    assert verdict["exercises"]["double"]["misconception"] == "squares"
    assert set(verdict) >= {"lesson", "score", "max_score", "needs_manual", "sandbox", "seconds", "digest"}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("c.Limits.patience = 3", "no limit c.Limits.patience"),
        ("c.Limits.cell_seconds = -1", "expected a positive number"),
        ("this is not Python", "can't be read"),
    ],
)
def test_settings_that_make_no_sense_are_named(course, hand_in, line, told):
    hand_in("ada")
    append(course.root / "nbgrader_config.py", line)
    with pytest.raises(UserError, match=told):
        run(course)


def test_limits_come_from_the_courses_settings(course):
    from autograder.classroom.settings import limits, nbgrader_config

    append(course.root / "nbgrader_config.py", "c.Limits.cell_seconds = 7")
    chosen = limits(nbgrader_config(course))
    assert chosen.cell_seconds == 7
    assert chosen.question_seconds == Limits().question_seconds


def test_changed_cells_with_submissions_recorded_are_refused(course, hand_in):
    hand_in("ada", double=RIGHT)
    run(course)
    released = nbformat.read(course.released(LESSON), as_version=4)
    del released.cells[1]
    nbformat.write(released, course.released(LESSON))
    with pytest.raises(UserError, match="cells were added or removed"):
        run(course)
