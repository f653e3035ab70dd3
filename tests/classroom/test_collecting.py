"""Archives laid out as Moodle's and Canvas's become submissions that can be graded."""

from __future__ import annotations

import csv
import json
import logging
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest
from gradebooks import run
from nbformat.v4 import new_code_cell, new_notebook
from nbgrader.api import Gradebook
from nbgrader.apps import ZipCollectApp
from nbgrader.coursedir import CourseDirectory
from tiny_course import HALF, LESSON, MISTAKEN, RIGHT, released_notebook

from autograder.classroom.collecting import CanvasCollector, MoodleCollector
from autograder.classroom.settings import link_class, nbgrader_config
from autograder.course import Course
from autograder.judging.restore import grade_id

STUDENTS = """\
id,first_name,last_name,email,lms_user_id
ada,Ada,Lovelace,ada@uni.example,101
ben,Ben,O'Neil,ben@uni.example,102
cem,Cem,Öztürk-Weiß,cem@uni.example,103
dan,"Dan, Jr.",van der Berg,dan@uni.example,
eve1,Eve,Twin,eve1@uni.example,105
eve2,Eve,Twin,eve2@uni.example,106
"""
NOTEBOOK = f"{LESSON}.ipynb"


def notebook(**answers: str) -> str:
    """The lesson with answers filled in, as a student downloads it."""
    made = released_notebook()
    for cell in made.cells:
        cell.source = answers.get(grade_id(cell) or "", cell.source)
    return json.dumps(made)


def archive(
    course: Course, files: dict[str, str | bytes], name: str = "C1-Tiny-77.zip", at=(2026, 3, 1)
) -> Path:
    """An archive in its place, made on a day."""
    folder = course.root / "downloaded" / LESSON / "archive"
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / name, "w") as opened:
        for path, content in files.items():
            opened.writestr(zipfile.ZipInfo(path, (*at, 12, 0, 0)), content)
    return folder / name


def collect(course: Course, collector, lesson: str = LESSON, **options) -> dict[str, str]:
    """`nbgrader zip_collect LESSON --force` in this process: what became of each file, by its name."""
    (course.root / "students.csv").write_text(STUDENTS)
    config = nbgrader_config(course)
    config.CourseDirectory.assignment_id = lesson
    config.ZipCollectApp.update(collector_plugin=collector, force=True)
    config[collector.__name__].update({"roster": str(course.root / "students.csv"), **options})
    app = ZipCollectApp(config=config, log=logging.getLogger("collect"))
    app.coursedir = CourseDirectory(parent=app)
    app.init_plugins()
    app.extract_archive_files()
    app.process_extracted_files()
    with (course.root / "downloaded" / lesson / "collected.csv").open(encoding="utf-8", newline="") as file:
        return {row["file"].split("/", 1)[-1]: row["what"] for row in csv.DictReader(file)}


def submitted(course: Course) -> dict[str, str]:
    """Who has a submission, and the answer in it."""
    found = {}
    for path in course.submitted.glob(f"*/{LESSON}/*"):
        if path.name == NOTEBOOK:
            cells = nbformat.read(path, as_version=4).cells
            found[path.parts[-3]] = next(cell.source for cell in cells if grade_id(cell) == "double")
    return found


def messages(caplog) -> str:
    return "\n".join(record.getMessage() for record in caplog.records)


MOODLE_LAYOUTS = [
    "{}_assignsubmission_file/" + NOTEBOOK,
    "{}_assignsubmission_file_/" + NOTEBOOK,
    "{}_assignsubmission_file_" + NOTEBOOK,
    "{}_assignsubmission_file_/my work/" + NOTEBOOK,
]


class TestMoodle:
    @pytest.mark.parametrize("layout", MOODLE_LAYOUTS)
    def test_names_are_matched_however_moodle_spells_them(self, course, layout):
        people = {
            "ADA lovelace_1": "ada",
            "ONeil Ben_2": "ben",  # an apostrophe is in no file name; some sites put the last name first
            "Öztürk-Weiß, Cem_3": "cem",
            "van der Berg Dan, Jr._4": "dan",
        }
        archive(course, {layout.format(name): notebook(double=f"# {who}") for name, who in people.items()})
        collect(course, MoodleCollector)
        assert submitted(course) == {who: f"# {who}" for who in people.values()}

    def test_a_decomposed_umlaut_is_the_same_letter(self, course):
        archive(course, {f"Cem O\u0308ztu\u0308rk-Weiß_3_assignsubmission_file_/{NOTEBOOK}": notebook()})
        collect(course, MoodleCollector)
        assert set(submitted(course)) == {"cem"}

    def test_two_students_of_one_name_are_not_guessed_at(self, course, caplog):
        archive(course, {f"Eve Twin_5_assignsubmission_file_/{NOTEBOOK}": notebook()})
        assert set(collect(course, MoodleCollector).values()) == {"not placed"}
        assert submitted(course) == {}
        assert "may be eve1, eve2: nothing tells which" in messages(caplog)

    def test_the_worksheet_tells_twins_apart_and_when_they_handed_in(self, course):
        folders = {"Eve Twin_5": "# one", "Eve Twin_6": "# two", "Ada Lovelace_1": "# ada"}
        archive(
            course,
            {
                f"{who}_assignsubmission_file_/{NOTEBOOK}": notebook(double=code)
                for who, code in folders.items()
            },
        )
        rows = [
            "Identifier,Full name,Email address,Status,Grade,Maximum grade,Last modified (submission)",
            'Participant 5,Eve Twin,EVE1@uni.example,,,6,"Wednesday, 10 June 2026, 2:14 PM"',
            'Participant 6,Eve Twin,eve2@uni.example,,,6,"Wednesday, September 23, 2020, 9:00 PM"',
            "Participant 1,Ada Lovelace,ada@uni.example,,,6,-",
        ]
        (course.root / "w.csv").write_text("\n".join(rows), encoding="utf-8-sig")
        collect(course, MoodleCollector, worksheet=str(course.root / "w.csv"), timezone="Europe/Berlin")
        assert submitted(course) == {"eve1": "# one", "eve2": "# two", "ada": "# ada"}
        times = course.submitted.glob(f"*/{LESSON}/timestamp.txt")
        assert {path.parts[-3]: path.read_text() for path in times} == {
            "eve1": "2026-06-10 12:14:00",
            "eve2": "2020-09-23 19:00:00",
        }

    def test_who_is_unknown_is_named_and_the_others_are_collected(self, course, caplog):
        archive(
            course,
            {
                f"Ada Lovelace_1_assignsubmission_file_/{NOTEBOOK}": notebook(double=RIGHT),
                f"Group A_17_assignsubmission_file_/{NOTEBOOK}": notebook(),
                "readme.ipynb": notebook(),
                f"deeper/Ben ONeil_2_assignsubmission_file_/{NOTEBOOK}": notebook(),
                "Ada Lovelace_1_assignsubmission_onlinetext_/onlinetext.html": "<p>",
            },
        )
        found = collect(course, MoodleCollector)
        assert submitted(course) == {"ada": RIGHT}
        assert sorted(found.values()) == ["collected", "no notebook", *["not placed"] * 3]
        assert "'Group A', participant 17: no student" in messages(caplog)
        assert "readme.ipynb: not placed: not called as this system calls submissions" in messages(caplog)

    def test_anonymous_participants_can_be_student_ids(self, course):
        archive(course, {f"Participant_1234_assignsubmission_file_/{NOTEBOOK}": notebook(double=HALF)})
        assert set(collect(course, MoodleCollector).values()) == {"not placed"}
        collect(course, MoodleCollector, anonymous=True)
        assert submitted(course) == {"participant-1234": HALF}

    @pytest.mark.parametrize(
        "path",
        [
            "Ada Lovelace_1_assignsubmission_file_/Ben O'Neil_2_assignsubmission_file_/" + NOTEBOOK,
            "Ada Lovelace_1_assignsubmission_file_Ben O'Neil_2_assignsubmission_file_" + NOTEBOOK,
            "Ada Lovelace_1_assignsubmission_file_/x/ben_2_assignsubmission_file_/a.ipynb",
        ],
    )
    def test_nobody_can_hand_in_for_another_by_a_name(self, course, path):
        archive(course, {path: notebook(double=MISTAKEN)})
        collect(course, MoodleCollector)
        assert submitted(course) == {"ada": MISTAKEN}

    def test_two_people_who_fit_one_student_are_both_left_out(self, course, caplog):
        archive(
            course,
            {
                f"Ada Lovelace_1_assignsubmission_file_/{NOTEBOOK}": notebook(double=RIGHT),
                f"Lovelace Ada_9_assignsubmission_file_/{NOTEBOOK}": notebook(double=MISTAKEN),
                f"Ben ONeil_2_assignsubmission_file_/{NOTEBOOK}": notebook(double=HALF),
            },
        )
        collect(course, MoodleCollector)
        assert submitted(course) == {"ben": HALF}
        assert "1 and 9 are different people, and both fit ada" in messages(caplog)


class TestCanvas:
    def test_students_are_found_by_number_and_late_ones_are_named(self, course, caplog):
        archive(
            course,
            {
                f"lovelaceada_101_5001_{NOTEBOOK}": notebook(double="# ada"),
                f"oneilben_LATE_102_5002_{NOTEBOOK}": notebook(double="# ben"),
                f"renamedsince_103_5003_{LESSON}-1.ipynb": notebook(double="# cem"),
                f"vanderbergdanjr_104_5004_{LESSON} (1).ipynb": notebook(double="# dan"),
            },
        )
        collect(course, CanvasCollector)
        assert submitted(course) == {who: f"# {who}" for who in ("ada", "ben", "cem", "dan")}
        assert "handed in late, and no time is known: ben" in messages(caplog)

    def test_of_several_files_the_one_with_the_highest_number_counts(self, course, caplog):
        archive(
            course,
            {
                f"lovelaceada_101_5009_{NOTEBOOK}": notebook(double="# later"),
                f"lovelaceada_101_5001_{LESSON}-2.ipynb": notebook(double="# earlier"),
            },
        )
        found = collect(course, CanvasCollector)
        assert submitted(course) == {"ada": "# later"}
        assert sorted(found.values()) == ["collected", "older"]

    def test_a_name_of_a_student_whose_number_is_known_is_not_enough(self, course):
        archive(course, {f"lovelaceada_999_5001_{NOTEBOOK}": notebook()})
        assert set(collect(course, CanvasCollector).values()) == {"not placed"}

    def test_a_file_can_not_name_another_student(self, course):
        archive(course, {f"lovelaceada_101_5001_oneilben_102_5002_{NOTEBOOK}": notebook(double="# ada")})
        collect(course, CanvasCollector)
        assert submitted(course) == {"ada": "# ada"}

    def test_anonymous_work_is_left_until_canvas_shows_names(self, course, caplog):
        archive(course, {f"anon_a1B2c_5001_{NOTEBOOK}": notebook()})
        assert set(collect(course, CanvasCollector).values()) == {"not placed"}
        assert "show the names in Canvas" in messages(caplog)

    def test_canvass_own_gradebook_can_be_the_roster(self, course):
        roster = course.root / "canvas_export.csv"
        rows = ["Student,ID,SIS User ID,SIS Login ID,Section,Tiny (1)", "    Points Possible,,,,,6"]
        roster.write_text("\n".join([*rows, '"Lovelace, Ada",101,S1,alovelace,A,']), encoding="utf-8-sig")
        archive(course, {f"lovelaceada_101_5001_{NOTEBOOK}": notebook(double=RIGHT)})
        collect(course, CanvasCollector, roster=str(roster))
        assert submitted(course) == {"alovelace": RIGHT}


def moodle(name: str) -> str:
    return f"Ada Lovelace_1_assignsubmission_file_/{name}"


@pytest.mark.parametrize(
    "name", [f"{LESSON} (1).ipynb", f"{LESSON}-2.ipynb", f"{LESSON} - Copy.ipynb", "Lesson1.ipynb"]
)
def test_a_renamed_notebook_is_put_in_its_place(course, name):
    archive(course, {moodle(name): notebook(double=RIGHT)})
    collect(course, MoodleCollector)
    assert submitted(course) == {"ada": RIGHT}


def test_a_later_download_of_the_browser_counts(course):
    archive(
        course,
        {
            moodle(NOTEBOOK): notebook(double="# first"),
            moodle(f"{LESSON} (2).ipynb"): notebook(double="# third"),
            moodle(f"{LESSON} (1).ipynb"): notebook(double="# second"),
        },
    )
    assert sorted(collect(course, MoodleCollector).values()) == ["collected", "older", "older"]
    assert submitted(course) == {"ada": "# third"}


def test_an_archive_that_was_made_later_counts_whatever_it_is_called(course):
    archive(course, {moodle(f"{LESSON} (1).ipynb"): notebook(double="# new")}, "a.zip", at=(2026, 3, 2))
    archive(course, {moodle(f"{LESSON} (7).ipynb"): notebook(double="# old")}, "b.zip", at=(2026, 3, 1))
    collect(course, MoodleCollector)
    assert submitted(course) == {"ada": "# new"}


def test_another_lessons_notebook_is_not_taken_even_under_this_ones_name(course, caplog):
    other = course.notebooks / "02_other" / "02_other.ipynb"
    other.parent.mkdir()
    made = released_notebook()
    for cell in made.cells:
        if name := grade_id(cell):
            cell.metadata.nbgrader.grade_id = f"other_{name}"
    nbformat.write(made, other)
    (course.solutions / "lessons" / "02_other.md").write_text("# Other\n")
    archive(course, {moodle(NOTEBOOK): json.dumps(made)})
    assert set(collect(course, MoodleCollector).values()) == {"not placed"}
    assert "its cells are those of 02_other: collect it there" in messages(caplog)


@pytest.mark.parametrize(
    "content", ["{ not json", json.dumps(new_notebook(cells=[new_code_cell("1", id="a")]))]
)
def test_what_is_no_lesson_is_taken_under_its_name_alone(course, content):
    """The grader then says what is wrong with it, to the student too."""
    archive(course, {moodle(NOTEBOOK): content, moodle("notes.ipynb"): content})
    found = collect(course, MoodleCollector)
    assert (found[moodle(NOTEBOOK)], found[moodle("notes.ipynb")]) == ("collected", "not placed")
    assert (course.submitted / "ada" / LESSON / NOTEBOOK).read_text() == content


def test_the_students_of_the_gradebook_are_the_roster_where_none_is_named(course, hand_in):
    hand_in("ben", double=RIGHT)
    run(course)
    with Gradebook(f"sqlite:///{course.gradebook}", "attention") as gradebook:
        gradebook.update_or_create_student("ada", first_name="Ada", last_name="Lovelace")
    archive(course, {moodle(NOTEBOOK): notebook(double=HALF)})
    collect(course, MoodleCollector, roster="")
    assert submitted(course) == {"ada": HALF, "ben": RIGHT}


@pytest.mark.parametrize(
    ("students", "told"),
    [
        ("id,last_name\nada,Lovelace\nada,Other\n", "has id ada more than once"),
        ("id,lms_user_id\nada,1\nben,1\n", "has lms_user_id 1 more than once"),
        ("name,points\nada,1\n", "is no list of students"),
        ("id,last_name\n", "no student is known"),
    ],
)
def test_a_roster_that_is_none_ends_the_command_with_one_line(course, caplog, students, told):
    archive(course, {moodle(NOTEBOOK): notebook()})
    (course.root / "r.csv").write_text(students)
    with pytest.raises(SystemExit):
        collect(course, MoodleCollector, roster=str(course.root / "r.csv"))
    assert told in messages(caplog)
    assert not course.submitted.exists()


@pytest.mark.parametrize("student", ["../up", "a/b", ".hidden", "<b>"])
def test_an_id_that_can_not_name_a_folder_is_said(course, caplog, student):
    archive(course, {moodle(NOTEBOOK): notebook()})
    (course.root / "r.csv").write_text(f"id,first_name,last_name\n{student},Ada,Lovelace\n")
    collect(course, MoodleCollector, roster=str(course.root / "r.csv"))
    assert "change it" in messages(caplog)
    assert not course.submitted.exists()


def command(course: Course, *words: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-m", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        program, cwd=course.root, env=environment, capture_output=True, text=True, check=False
    )


def test_from_the_archive_to_the_grades_in_the_systems_own_file(course):
    """The real commands, in a class folder below the repository; grading itself with the fake grader."""
    (course.root / "class").mkdir()
    own = Course.find(course.root / "class")
    link_class(own)
    archive(
        own,
        {
            f"lovelaceada_101_5001_{NOTEBOOK}": notebook(double=RIGHT, sum_of_two="sum_of_two = 4"),
            f"oneilben_LATE_102_5002_{LESSON} (1).ipynb": notebook(double=HALF),
            f"öztürkweißcem_103_5003_{NOTEBOOK}": notebook(double=RIGHT, tell_why="I think so."),
            "../../../../evil.ipynb": notebook(),
        },
    )
    (own.root / "students.csv").write_text(STUDENTS)
    done = command(
        own,
        *("nbgrader", "zip_collect", LESSON, "--force"),
        *("--collector", "autograder.classroom.collecting.CanvasCollector"),
        "--CanvasCollector.roster=students.csv",
    )
    assert done.returncode == 0, done.stderr
    assert "evil.ipynb: its name leads out of the folder, left out" in done.stderr
    assert not list(course.root.rglob("evil.ipynb"))
    run(own)
    header = "Student,ID,SIS User ID,SIS Login ID,Section,Tiny (4711)\n    Points Possible,,,,,6\n"
    rows = [f"{who},{number},,{who},A,\n" for who, number in (("ada", 101), ("ben", 102), ("cem", 103))]
    (own.root / "canvas_export.csv").write_text(header + "".join(rows))
    done = command(
        own,
        *("nbgrader", "export", "--exporter", "autograder.classroom.exports.CanvasExporter"),
        *("--CanvasExporter.roster=canvas_export.csv", "--to", "out.csv"),
    )
    assert done.returncode == 0, done.stderr
    assert f"cem, {LESSON}: not exported, waits for a person: tell_why" in done.stderr
    with (own.root / "out.csv").open(encoding="utf-8", newline="") as file:
        assert [row[5] for row in csv.reader(file)] == ["Tiny (4711)", "6", "4", "1.5", ""]
