"""A damaged submission is reported for its student, by reason, and costs nobody else anything."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import stat

import pytest
from capabilities import bound_by_permissions
from click.testing import CliRunner
from damages import FOLDER, IN_ANOTHER_LANGUAGE, damages, notebook, written
from nbgrader.api import Gradebook
from nbgrader.apps.api import NbGraderAPI
from nbgrader.converters import Autograde, NbGraderException
from nbgrader.coursedir import CourseDirectory
from tiny_course import LESSON, RIGHT, FakeGrader, InThisProcess

import autograder.grading
from autograder.classroom import nbgrader_plugin, records, report, submissions
from autograder.classroom.grade import grade
from autograder.classroom.gradebook import canonical_dump
from autograder.classroom.settings import nbgrader_config
from autograder.classroom.submissions import Submission
from autograder.cli import main
from autograder.course import Course
from autograder.judging import restore
from autograder.judging.restore import MAX_BYTES
from autograder.wording import MOST_CHARACTERS

DAMAGES = {damage.name: damage for damage in damages()}
DAMAGED = {name: damage for name, damage in DAMAGES.items() if damage.said}
ODD = {name: damage for name, damage in DAMAGES.items() if not damage.said}

#: nbgrader's own way to add a submission makes SQLAlchemy warn.
pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")


@pytest.fixture(autouse=True)
def no_waiting():
    """What waits for a pipe waits for ever: it fails instead."""
    before = signal.signal(signal.SIGALRM, lambda *_: pytest.fail("it waits"))
    signal.alarm(300)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def run(course, **options):
    (done,) = grade(course, make_workers=InThisProcess, **options)
    return done


def put(course, student, content):
    """Hand in `content`, whatever it is."""
    path = course.submitted / student / LESSON / f"{LESSON}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def dump(course):
    return canonical_dump(f"sqlite:///{course.gradebook}")


def scores(course):
    """Student → cell → (score, whether a person is asked)."""
    with Gradebook(f"sqlite:///{course.gradebook}") as gradebook:
        return {
            submission.student.id: {
                one.name: (one.auto_score, one.needs_manual_grade) for one in submission.notebooks[0].grades
            }
            for submission in gradebook.assignment_submissions(LESSON)
        }


@pytest.fixture
def damaged_class(course, hand_in):
    """A class of damaged files, with one that is right at either end."""
    hand_in("aaa", double=RIGHT)
    hand_in("zzz", double=RIGHT)
    for name, damage in DAMAGES.items():
        put(course, name, damage.path.read_bytes())
    return course


RIGHT_SCORES = {"test_double": (3.0, False), "test_sum_of_two": (1.0, False), "tell_why": (None, True)}


def test_the_files_are_what_their_recipes_give():
    assert {path.name for path in FOLDER.iterdir()} == {path.name for path in written()}
    for path, content in written().items():
        assert path.read_bytes() == content, path.name


def test_every_damaged_file_is_named_with_its_reason_and_the_class_goes_on(damaged_class):
    done = run(damaged_class)
    told = dict(done.troubled)
    assert set(told) == set(DAMAGED)
    for name, damage in DAMAGED.items():
        assert damage.said in told[name], name
    assert (done.graded, done.ungraded) == (len(ODD) + 2, len(DAMAGED))


def test_every_reason_is_one_line_of_bounded_length_and_of_text_alone(damaged_class):
    done = run(damaged_class)
    for name, why in done.troubled:
        assert len(why) <= MOST_CHARACTERS, name
        assert why.replace("\ufffd", "").isprintable(), name
    verdicts = {verdict["student"]: verdict for verdict in records.verdicts(damaged_class, LESSON)}
    assert {name: verdicts[name]["error"] for name in DAMAGED} == dict(done.troubled)
    page = report.write(damaged_class).read_text()
    assert all(f"<code>{name}</code>" in page for name in DAMAGED)


def test_scores_of_the_damaged_wait_for_a_person_and_the_others_are_in(damaged_class):
    run(damaged_class)
    found = scores(damaged_class)
    for name in DAMAGED:
        assert set(found[name].values()) == {(None, True)}, name
        assert not (damaged_class.autograded / name / LESSON).exists()
    for name in ODD:
        assert found[name] == RIGHT_SCORES, name
    assert found["zzz"]["test_double"] == (3.0, False)


def test_what_is_damaged_is_tried_again_when_it_changes_and_not_before(damaged_class, hand_in):
    run(damaged_class)
    FakeGrader.graded.clear()
    again = run(damaged_class)
    assert (again.graded, again.ungraded, again.still_ungraded) == (0, 0, len(DAMAGED))
    assert {trouble.student for trouble in again.still} == set(DAMAGED)
    for name in DAMAGED:
        put(damaged_class, name, json.dumps(notebook(name)).encode())
    mended = run(damaged_class)
    assert sorted(FakeGrader.graded) == sorted(DAMAGED)
    assert (mended.graded, mended.ungraded, mended.still_ungraded) == (len(DAMAGED), 0, 0)
    assert all(found["test_double"] == (3.0, False) for found in scores(damaged_class).values())


@pytest.mark.parametrize("name", DAMAGED)
def test_judge_says_the_same_in_one_line(course, monkeypatch, name):
    monkeypatch.setattr(autograder.grading, "Grader", FakeGrader)
    path = str(put(course, "ada", DAMAGED[name].content))
    done = CliRunner().invoke(main, ["--course", str(course.root), "judge", path])
    assert (done.exit_code, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert DAMAGED[name].said in line
    assert f"{path} can't be graded, ask for the file again: " in line
    as_json = CliRunner().invoke(main, ["--course", str(course.root), "judge", path, "--json"])
    assert as_json.exit_code == 2
    assert DAMAGED[name].said in json.loads(as_json.stdout)["error"]


def nbgrader_autograde(course, log) -> None:
    config = nbgrader_config(course)
    converter = Autograde(coursedir=CourseDirectory(config=config, assignment_id=LESSON), config=config)
    log(converter.log)
    with pytest.raises(NbGraderException):
        converter.start()


def test_nbgrader_autograde_writes_the_same_gradebook_and_one_line_for_each(
    damaged_class, tmp_path_factory, caplog
):
    copy = Course.find(shutil.copytree(damaged_class.root, tmp_path_factory.mktemp("copy") / "class"))
    done = run(damaged_class)
    nbgrader_autograde(copy, lambda log: log.addHandler(caplog.handler))
    assert dump(copy).splitlines() == dump(damaged_class).splitlines()
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    for name, why in done.troubled:
        assert f"{name}: {why}" in errors
    assert not [line for line in errors if "Traceback (" in line or "\n" in line]


def test_the_formgraders_call_reports_the_reason_in_its_log(course, monkeypatch):
    put(course, "ada", DAMAGED["truncated"].content)
    monkeypatch.chdir(course.root)
    answer = NbGraderAPI(config=nbgrader_config(course)).autograde(LESSON, "ada")
    assert not answer["success"]
    assert "ERROR] ada: the file is no notebook: it is not valid JSON (it ends in the middle" in answer["log"]
    assert "Traceback (" not in answer["log"]
    assert set(scores(course)["ada"].values()) == {(None, True)}


def test_a_fault_of_the_graders_own_keeps_its_traceback_in_nbgraders_log(course, hand_in, monkeypatch):
    hand_in("ada", double=RIGHT)
    monkeypatch.chdir(course.root)

    def fail(*arguments):
        raise ZeroDivisionError("planted")

    monkeypatch.setattr("autograder.classroom.nbgrader_plugin.restore", fail)
    answer = NbGraderAPI(config=nbgrader_config(course)).autograde(LESSON, "ada")
    assert "Traceback (most recent call last)" in answer["log"]
    assert "ZeroDivisionError: planted" in answer["log"]


def test_answers_in_another_language_are_graded_as_what_they_are(course):
    """The kernel that a file names decides nothing: R code under any name is no right answer."""
    put(course, "ada", IN_ANOTHER_LANGUAGE)
    assert run(course).troubled == []
    assert scores(course)["ada"] == {**RIGHT_SCORES, "test_double": (0.0, False)}


def test_a_notebook_of_200_MB_is_refused_unread(course, hand_in, monkeypatch):
    path = hand_in("ada", double=RIGHT) / f"{LESSON}.ipynb"
    hand_in("ben", double=RIGHT)
    with path.open("r+b") as file:
        file.truncate(200_000_000)
    reading = []
    monkeypatch.setattr(restore, "_open_file", lambda *opened: reading.append(opened) or os.open(*opened))
    done = run(course)
    ((student, why),) = done.troubled
    assert student == "ada"
    assert why == (
        f"{LESSON}.ipynb has 200,000,000 bytes, the limit is {MAX_BYTES:,}: "
        "clear its outputs and hand it in again"
    )
    assert [os.path.dirname(path) for path, _ in reading] == [str(course.submitted / "ben" / LESSON)]
    assert done.graded == 1


def in_place_of_the_notebook(course):
    """Student → what is where the notebook should be, and what must be said of it."""

    def folder(path):
        path.mkdir()

    def link(path):
        path.symlink_to(course.released(LESSON))

    def dangling_link(path):
        path.symlink_to("nowhere")

    def endless_link(path):
        path.symlink_to(path.name)

    def pipe(path):
        os.mkfifo(path)

    def end_of_a_socket(path):
        before = os.getcwd()
        os.chdir(path.parent)  # a socket's path has 107 bytes at most
        try:
            with socket.socket(socket.AF_UNIX) as end:
                end.bind(path.name)
        finally:
            os.chdir(before)

    def renamed(path):
        path.with_name("tiny (1).ipynb").write_text(json.dumps(notebook()))

    def closed(path):
        path.write_text(json.dumps(notebook()))
        path.chmod(0)

    return {
        folder: "found a folder",
        link: "found a link",
        dangling_link: "found a link",
        endless_link: "found a link",
        pipe: "found a named pipe",
        end_of_a_socket: "found a socket",
        renamed: "found nothing of that name, but tiny (1).ipynb",
        closed: "can't be read: Permission denied",
    }


def test_what_stands_in_a_notebooks_place_is_named_and_never_waited_for(course, hand_in):
    hand_in("zzz", double=RIGHT)
    expected = {make.__name__: said for make, said in in_place_of_the_notebook(course).items()}
    for make in in_place_of_the_notebook(course):
        path = course.submitted / make.__name__ / LESSON / f"{LESSON}.ipynb"
        path.parent.mkdir(parents=True)
        make(path)
    with bound_by_permissions():
        done = run(course)
    assert dict(done.troubled).keys() == expected.keys()
    for student, why in done.troubled:
        assert expected[student] in why, student
        assert set(scores(course)[student].values()) == {(None, True)}, student
    assert done.graded == 1
    with bound_by_permissions():
        assert run(course).still_ungraded == len(expected)
    for student in expected:
        path = course.submitted / student / LESSON / f"{LESSON}.ipynb"
        path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
        path.write_text(json.dumps(notebook(student)))
    assert run(course).graded == len(expected)


def test_a_device_in_a_notebooks_place_is_not_opened(course, hand_in, monkeypatch):
    path = hand_in("ada") / f"{LESSON}.ipynb"
    path.unlink()
    try:
        os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 7))  # /dev/full
    except PermissionError:
        pytest.skip("a device can be made by root alone; tests/judging/test_restore.py reads /dev/full")
    monkeypatch.setattr(restore, "_open_file", lambda *_: pytest.fail("it was opened"))
    ((_, why),) = run(course).troubled
    assert "found a device" in why


def test_a_folder_that_is_a_link_is_not_followed_to_another_students_work(course, hand_in):
    theirs = hand_in("ada", double=RIGHT)
    (course.submitted / "eve").mkdir()
    (course.submitted / "eve" / LESSON).symlink_to(theirs)
    (course.submitted / "mallory").symlink_to(theirs.parent)
    done = run(course)
    assert dict(done.troubled) == {
        "eve": f"the folder {LESSON} is a link: put what was handed in there itself",
        "mallory": "the folder mallory is a link: put what was handed in there itself",
    }
    assert FakeGrader.graded == ["ada"]
    assert set(scores(course)["eve"].values()) == {(None, True)}
    assert not (course.autograded / "eve" / LESSON).exists()


def test_nbgrader_does_not_follow_that_link_either(course, hand_in, monkeypatch):
    theirs = hand_in("ada", double=RIGHT)
    (course.submitted / "eve").mkdir()
    (course.submitted / "eve" / LESSON).symlink_to(theirs)
    monkeypatch.chdir(course.root)
    monkeypatch.setattr(nbgrader_plugin, "read", lambda path: pytest.fail(f"{path} was read"))
    answer = NbGraderAPI(config=nbgrader_config(course)).autograde(LESSON, "eve")
    assert "is a link" in answer["log"]
    assert set(scores(course)["eve"].values()) == {(None, True)}
    assert not (course.autograded / "eve" / LESSON).exists()


def test_a_file_in_the_place_of_a_folder_is_named(course, hand_in):
    hand_in("ada", double=RIGHT)
    (course.submitted / "eve").mkdir()
    (course.submitted / "eve" / LESSON).write_text("{}")
    assert run(course).troubled == [
        ("eve", f"{LESSON} is a file, expected a folder that holds {LESSON}.ipynb")
    ]


@pytest.mark.parametrize("mode", [0, 0o600, 0o300])
@pytest.mark.parametrize("level", ["student", "lesson"])
def test_a_closed_folder_is_named_and_graded_once_it_is_open(course, hand_in, mode, level):
    hand_in("ada", double=RIGHT)
    folder = hand_in("eve", double=RIGHT)
    shut = folder if level == "lesson" else folder.parent
    shut.chmod(mode)
    with bound_by_permissions():
        done = run(course)
    assert done.graded == 1
    ((student, why),) = done.troubled
    assert student == "eve"
    assert why.endswith("can't be read: Permission denied")
    shut.chmod(0o700)
    assert run(course).graded == 1
    assert scores(course)["eve"]["test_double"] == (3.0, False)


def test_a_closed_file_beside_the_notebook_costs_nothing(course, hand_in):
    folder = hand_in("ada", double=RIGHT)
    (folder / "data.txt").write_text("closed")
    (folder / "data.txt").chmod(0)
    (folder / "mine.txt").write_text("open")
    with bound_by_permissions():
        assert run(course).graded == 1
    left = {path.name for path in (course.autograded / "ada" / LESSON).iterdir()}
    assert left == {f"{LESSON}.ipynb", "mine.txt", "timestamp.txt"}


def test_a_pipe_beside_the_notebook_is_not_waited_for(course, hand_in):
    folder = hand_in("ada", double=RIGHT)
    os.mkfifo(folder / "data")
    os.mkfifo(folder / "other.ipynb")
    assert run(course).graded == 1


def test_of_two_notebooks_the_one_with_the_lessons_name_is_graded_and_the_other_is_told(course, hand_in):
    folder = hand_in("ada", double=RIGHT)
    (folder / f"{LESSON}-Copy1.ipynb").write_text("{ not json")
    assert run(course).graded == 1
    assert submissions.overlooked(course) == [
        f"submitted/ada/{LESSON}/{LESSON}-Copy1.ipynb: not graded, {LESSON}.ipynb beside it is"
    ]


def test_a_file_that_changes_between_runs_or_within_one_is_graded_as_it_is_at_last(
    course, hand_in, monkeypatch
):
    """The digest is taken first: what changes after it is looked at again by the next run."""
    path = hand_in("ada") / f"{LESSON}.ipynb"
    wrong, right = path.read_bytes(), json.dumps(notebook("ada")).encode()
    taken = submissions.digest

    def then_hand_in_again(submission, engine):
        found = taken(submission, engine)
        path.write_bytes(right)
        return found

    with monkeypatch.context() as late:
        late.setattr(submissions, "digest", then_hand_in_again)
        run(course)
    assert scores(course)["ada"]["test_double"] == (3.0, False)
    assert run(course).graded == 1, "the digest is that of the old file"
    assert run(course).graded == 0
    path.write_bytes(wrong)
    run(course)
    assert scores(course)["ada"]["test_double"] == (0.0, False)


def test_what_lies_in_the_wrong_place_is_listed(course, hand_in):
    folder = hand_in("ada", double=RIGHT)
    for name in (f"{LESSON} ", "lesson1", "ipynb_1", f".{LESSON}", ".ipynb_checkpoints"):
        (course.submitted / "ada" / name).mkdir()
    (course.submitted / "ada" / f"{LESSON}.ipynb").write_text("{}")
    (course.submitted / "ada" / "evil\x1b[2J").mkdir()
    (course.submitted / "notes.txt").write_text("")
    (course.submitted / ".DS_Store").write_text("")
    (folder / "data.csv").write_text("")
    expected = f"expected submitted/ada/{LESSON}/{LESSON}.ipynb"
    nowhere = "expected submitted/STUDENT/LESSON/LESSON.ipynb"
    assert submissions.overlooked(course) == [
        "submitted/notes.txt: a file, expected one folder for each student",
        f"submitted/ada/{LESSON} : named after no lesson, {expected}",
        f"submitted/ada/{LESSON}.ipynb: named after no lesson, {expected}",
        f"submitted/ada/evil\ufffd[2J: named after no lesson, {nowhere}",
        f"submitted/ada/ipynb_1: named after no lesson, {nowhere}",
        f"submitted/ada/lesson1: named after no lesson, {nowhere}",
    ]
    assert submissions.overlooked(course, "ben") == []
    assert submissions.overlooked(course, "ada") == submissions.overlooked(course)[1:]


def test_a_class_in_the_wrong_place_is_told_where_it_lies(course):
    (course.submitted / "ada" / "lesson 1").mkdir(parents=True)
    with pytest.raises(
        autograder.library.UserError, match=r"nothing handed in.*submitted/ada/lesson 1: named"
    ):
        run(course)


def test_a_submission_that_vanishes_during_the_run_is_named(course, hand_in):
    hand_in("ada", double=RIGHT)
    (submission,) = submissions.find(course, LESSON)
    shutil.rmtree(submission.folder)
    assert re.search("can't be read: No such file", submission.problem)
    assert Submission("ada", LESSON, submission.folder).known_to_nbgrader is False
