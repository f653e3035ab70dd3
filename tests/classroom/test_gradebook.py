"""What is in the gradebook is what nbgrader would have put there, and what a person put there stays."""

from __future__ import annotations

import json
from datetime import datetime

import nbformat
import pytest
from gradebooks import (
    counts,
    enter,
    give,
    lines,
    register,
    release,
    run,
    say,
    use_database,
    with_another_cell,
)
from nbgrader.api import Gradebook
from nbgrader.preprocessors import SaveAutoGrades, SaveCells
from tiny_course import HALF, LESSON, MISTAKEN, RIGHT, released_notebook

from autograder.classroom import recording
from autograder.classroom.dump import canonical_dump
from autograder.classroom.gradebook import open_book
from autograder.classroom.records import verdicts

#: nbgrader's own way to add a submission makes SQLAlchemy warn.
pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
OF_A_SUBMISSION = ("student", "submission", "submitted notebook", "grade", "comment")
LATE = "2025-03-02 12:00:00 UTC"
DUE = "2025-03-01 18:00:00 UTC"


def register_with_nbgrader(course, db_url):
    """What `nbgrader generate_assignment` does to the gradebook."""
    resources = {"nbgrader": {"notebook": LESSON, "assignment": LESSON, "db_url": db_url}}
    with Gradebook(db_url, "attention") as gradebook:
        gradebook.update_or_create_assignment(LESSON)
    SaveCells().preprocess(nbformat.read(course.released(LESSON), as_version=4), resources)


def record_with_nbgrader(course, db_url, student, timestamp):
    """What stock `nbgrader autograde` writes of a notebook whose cells have run."""
    with Gradebook(db_url, "attention") as gradebook:
        gradebook.update_or_create_student(student)
        gradebook.update_or_create_submission(LESSON, student, timestamp=timestamp)
    named = {"notebook": LESSON, "assignment": LESSON, "student": student, "db_url": db_url}
    graded = course.autograded / student / LESSON / f"{LESSON}.ipynb"
    SaveAutoGrades().preprocess(nbformat.read(graded, as_version=4), {"nbgrader": named})


def test_nbgrader_reads_scores_averages_comments_and_what_waits(course, hand_in, database):
    hand_in("ada", double=RIGHT, sum_of_two="sum_of_two = 4", tell_why="Because.")
    hand_in("ben", double=HALF)
    run(course)
    with Gradebook(database, "attention") as gradebook:
        ada, ben = (gradebook.find_submission(LESSON, student) for student in ("ada", "ben"))
        assert (ada.score, ada.max_score, ada.needs_manual_grade) == (4.0, 6.0, True)
        assert (ben.score, ben.max_score, ben.needs_manual_grade) == (1.5, 6.0, False)
        assert ada.timestamp == datetime(2025, 3, 1, 12)
        assert (ada.code_score, ada.max_written_score) == (4.0, 2.0)
        assert [notebook.failed_tests for notebook in (*ada.notebooks, *ben.notebooks)] == [False, True]
        assert gradebook.average_assignment_score(LESSON) == 2.75
        assert gradebook.find_assignment(LESSON).num_submissions == 2
        assert gradebook.find_comment("tell_why", LESSON, LESSON, "ben").comment == "No response."
        assert gradebook.find_comment("double", LESSON, LESSON, "ben").comment is None


def test_rows_are_those_that_nbgraders_own_preprocessors_write(small_class, database, tmp_path):
    stock = f"sqlite:///{tmp_path / 'stock.db'}"
    run(small_class)
    register_with_nbgrader(small_class, stock)
    of_our_own = {"eli"}  # a fault of the grader's is 0 to nbgrader, and open here
    graded = [
        found["student"]
        for found in verdicts(small_class, LESSON)
        if "error" not in found and found["student"] not in of_our_own
    ]
    for student in graded:
        record_with_nbgrader(
            small_class, stock, student, None if student == "dee" else "2025-03-01 12:00:00 UTC"
        )
    ours = [line for line in lines(database, *OF_A_SUBMISSION) if json.loads(line)[1] in graded]
    assert graded == ["ada", "ben", "cem", "dee", "gus"]
    assert ours == lines(stock, *OF_A_SUBMISSION)
    rest = ("assignment", "notebook", "cell", "source")
    assert lines(database, *rest) == lines(stock, *rest)


def test_a_regrade_keeps_what_a_person_entered(course, hand_in, database):
    hand_in("ada", double=HALF, tell_why="Because.")
    run(course)
    with Gradebook(database, "attention") as gradebook:
        give(gradebook, "ada", "test_double", 2.5, extra=0.25)
        give(gradebook, "ada", "tell_why", 1.0)
        give(gradebook, "ada", "test_sum_of_two", None, extra=0.5)
        say(gradebook, "ada", "double", "Nearly.")
    hand_in("ada", double=MISTAKEN, tell_why="Because.", sum_of_two="sum_of_two = 4")
    run(course)
    with Gradebook(database, "attention") as gradebook:
        found = {
            grade.name: (grade.auto_score, grade.manual_score, grade.extra_credit, grade.needs_manual_grade)
            for grade in gradebook.find_submission_notebook(LESSON, LESSON, "ada").grades
        }
        assert found == {
            "test_double": (0.0, 2.5, 0.25, True),
            "tell_why": (None, 1.0, None, True),
            "test_sum_of_two": (1.0, None, 0.5, False),
        }
        assert gradebook.find_submission(LESSON, "ada").score == 5.25
        assert gradebook.find_comment("double", LESSON, LESSON, "ada").comment == "Nearly."


def test_a_resubmission_that_has_no_grade_keeps_what_a_person_entered(course, hand_in, database):
    folder = hand_in("ada", double=HALF)
    run(course)
    with Gradebook(database, "attention") as gradebook:
        give(gradebook, "ada", "test_double", 2.5)
        say(gradebook, "ada", "tell_why", "Where is it?")
    (folder / f"{LESSON}.ipynb").write_text("{ not json")
    run(course)
    with Gradebook(database, "attention") as gradebook:
        grade = gradebook.find_grade("test_double", LESSON, LESSON, "ada")
        assert (grade.auto_score, grade.manual_score, grade.needs_manual_grade) == (None, 2.5, True)
        comment = gradebook.find_comment("tell_why", LESSON, LESSON, "ada")
        assert (comment.auto_comment, comment.manual_comment) == (None, "Where is it?")


def late_class(course, hand_in, database):
    """Ada a day late, Ben in time, under a policy that takes off all that is late."""
    with (course.root / "nbgrader_config.py").open("a") as settings:
        settings.write("c.LateSubmissionPlugin.penalty_method = 'zero'\n")
    hand_in("ada", double=RIGHT, timestamp=LATE)
    hand_in("ben", double=RIGHT)
    register(course)
    with Gradebook(database, "attention") as gradebook:
        gradebook.update_or_create_assignment(LESSON, duedate=DUE)


def penalties(database):
    return {json.loads(line)[1]: json.loads(line)[-1] for line in lines(database, "submitted notebook")}


def test_late_work_gets_the_courses_penalty_of_all_points_a_persons_among_them(course, hand_in, database):
    late_class(course, hand_in, database)
    run(course)
    assert penalties(database) == {"ada": 3.0, "ben": None}
    with Gradebook(database, "attention") as gradebook:
        give(gradebook, "ada", "tell_why", 1.5)
        assert gradebook.find_submission(LESSON, "ada").late_submission_penalty == 3.0
    run(course, force=True)
    assert penalties(database) == {"ada": 4.5, "ben": None}


@pytest.mark.parametrize("change", ["extension", "due date", "resubmission", "damage"])
def test_a_penalty_goes_when_its_reason_goes(course, hand_in, database, change):
    late_class(course, hand_in, database)
    run(course)
    with Gradebook(database, "attention") as gradebook:
        if change == "extension":
            gradebook.grant_extension(LESSON, "ada", days=1)
        if change == "due date":
            gradebook.update_or_create_assignment(LESSON, duedate=None)
    if change == "resubmission":
        hand_in("ada", double=RIGHT, timestamp="2025-03-01 17:00:00 UTC")
    if change == "damage":
        (hand_in("ada", timestamp=LATE) / f"{LESSON}.ipynb").write_text("")
    run(course, force=True)
    assert penalties(database) == {"ada": None, "ben": None}


def test_an_extension_that_is_too_short_leaves_the_rest_late(course, hand_in, database):
    late_class(course, hand_in, database)
    run(course)
    with Gradebook(database, "attention") as gradebook:
        gradebook.grant_extension(LESSON, "ada", hours=17)
    run(course, force=True)
    assert penalties(database) == {"ada": 3.0, "ben": None}


@pytest.mark.parametrize(
    ("due", "extended_by", "late"),
    [(None, None, 0.0), (None, 3600, 0.0), (0, None, 60.0), (0, 59, 1.0), (0, 60, 0.0), (0, 61, 0.0)],
)
def test_seconds_late_count_from_the_students_own_due_date(due, extended_by, late):
    from datetime import timedelta

    day = datetime(2025, 3, 1)
    found = recording.seconds_late(
        day + timedelta(seconds=60),
        None if due is None else day,
        None if extended_by is None else timedelta(seconds=extended_by),
    )
    assert found == late


def test_a_submission_without_a_time_keeps_the_one_it_has(course, database):
    enter(course, timestamp=datetime(2025, 3, 1, 12))
    enter(course, timestamp=None)
    assert lines(database, "submission") == [
        f'["submission", "ada", "{LESSON}", "2025-03-01 12:00:00", null]'
    ]


def test_grading_again_with_the_same_result_writes_nothing(course, hand_in):
    hand_in("ada", double=RIGHT, tell_why="Because.")
    run(course)
    before = course.gradebook.stat()
    assert run(course, force=True).graded == 1
    after = course.gradebook.stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)


@pytest.mark.parametrize("table", ["grade", "comment", "submitted_notebook"])
def test_rows_that_are_missing_from_a_submission_are_put_back(course, database, table):
    enter(course, scores={"test_double": 3.0})
    whole = canonical_dump(database)
    with Gradebook(database, "attention") as gradebook:
        notebook = gradebook.find_submission_notebook(LESSON, LESSON, "ada")
        gone = [*notebook.grades, *notebook.comments, notebook]
        kept = {"grade": 3, "comment": 3, "submitted_notebook": 0}[table]
        for row in gone if not kept else [row for row in gone if row.__tablename__ == table]:
            gradebook.db.delete(row)
        gradebook.db.commit()
    assert counts(database)[table] == 0
    enter(course, scores={"test_double": 3.0})
    assert canonical_dump(database) == whole


def with_other_points():
    notebook = released_notebook()
    notebook.cells[3].metadata.nbgrader["points"] = 5
    notebook.cells[3].source = 'check("double")  # now worth 5'
    return notebook


def with_a_cell_less():
    notebook = released_notebook()
    del notebook.cells[4:6]
    return notebook


def with_another_kernel():
    notebook = with_other_points()
    notebook.metadata.kernelspec = {"name": "xpython", "display_name": "Xeus"}
    return notebook


@pytest.mark.parametrize(
    "change", [with_another_cell, with_other_points, with_a_cell_less, with_another_kernel]
)
def test_a_changed_lesson_is_registered_as_nbgrader_does_it(course, database, tmp_path, change):
    stock = f"sqlite:///{tmp_path / 'stock.db'}"
    for notebook in (released_notebook(), change()):
        release(course, notebook)
        register(course)
        register_with_nbgrader(course, stock)
    assert canonical_dump(database) == canonical_dump(stock)


@pytest.mark.parametrize("change", [with_other_points, with_another_kernel])
def test_points_may_change_after_the_first_submission_as_in_nbgrader(course, database, tmp_path, change):
    stock = f"sqlite:///{tmp_path / 'stock.db'}"
    release(course, released_notebook())
    enter(course)
    register_with_nbgrader(course, stock)
    with Gradebook(stock, "attention") as gradebook:
        gradebook.add_student("ada")
        gradebook.add_submission(LESSON, "ada")
    release(course, change())
    register(course)
    register_with_nbgrader(course, stock)
    cells = ("assignment", "notebook", "cell", "source")
    assert lines(database, *cells) == lines(stock, *cells)
    assert any('"test_double", 5.0' in line for line in lines(database, "cell"))


def test_task_cells_are_graded_by_a_person_and_keep_their_score(course, database):
    release(course, with_another_cell())
    enter(course, scores={"test_double": 3.0})
    with Gradebook(database, "attention") as gradebook:
        assert gradebook.find_grade("drawing", LESSON, LESSON, "ada").needs_manual_grade
        give(gradebook, "ada", "drawing", 3.5, extra=1.0)
        say(gradebook, "ada", "drawing", "Fine.")
    enter(course, scores={"test_double": 3.0})
    with Gradebook(database, "attention") as gradebook:
        assert gradebook.find_submission(LESSON, "ada").score == 7.5
        assert gradebook.find_comment("drawing", LESSON, LESSON, "ada").comment == "Fine."


def test_the_report_asks_for_what_the_gradebook_waits_for(course, hand_in, database):
    hand_in("ada", double=RIGHT, tell_why="Because.")
    hand_in("ben", double=RIGHT, tell_why="Since.")
    run(course)
    with Gradebook(database, "attention") as gradebook:
        give(gradebook, "ben", "tell_why", 2.0)
    with open_book(course) as book:
        assert book.waiting(LESSON) == {("ada", "tell_why")}
        assert book.recorded_students(LESSON) == {"ada", "ben"}
        assert (book.waiting("02_other"), book.recorded_students("02_other")) == (set(), set())


def test_a_relative_file_lies_in_the_class_whatever_the_current_folder(
    course, hand_in, tmp_path_factory, monkeypatch
):
    use_database(course, "sqlite:///books/ours.db")
    (course.root / "books").mkdir()
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    hand_in("ada", double=RIGHT)
    assert run(course).graded == 1
    assert counts(f"sqlite:///{course.root}/books/ours.db")["student"] == 1
