"""Grades out of the gradebook into the files of Canvas and Moodle, in their documented layouts."""

from __future__ import annotations

import csv
import logging
import shutil
from pathlib import Path

import pytest
from gradebooks import enter, give, run
from nbgrader.api import Gradebook
from nbgrader.apps import ExportApp
from sqlalchemy import create_engine, text
from tiny_course import HALF, LESSON, MISTAKEN, RIGHT

from autograder.classroom.exports import CanvasExporter, MoodleExporter
from autograder.classroom.settings import nbgrader_config
from autograder.course import Course
from autograder.library import UserError

#: nbgrader's own way to add a submission makes SQLAlchemy warn.
pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")

PEOPLE = {
    "ada": ("Ada", "Lovelace", "ada@uni.example", "101"),
    "ben": ("Ben", 'O\'Neil, "Jr."', "ben@uni.example", "102"),
    "cem": ("Cem", "Öztürk", "cem@uni.example", "103"),
    "eli": ("Eli", "Fault", "eli@uni.example", "105"),
    "zoe": ("Zoë", "Absent", "zoe@uni.example", "126"),
}
CANVAS_HEADER = [
    *("Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Notes"),
    *("Tiny (4711)", "Essay (4712)", "Assignments Current Score", "Final Grade"),
]
CANVAS_HIDDEN = ["", "", "", "", "", "", "Manual Posting", "", "", ""]
CANVAS_POINTS = ["    Points Possible", "", "", "", "", "", "6.00", "10.00", "(read only)", "(read only)"]
CANVAS_CLASS = [
    ["Lovelace, Ada", "101", "S1", "ada", "A", "front row", "", "7.00", "70", "C"],
    ['O\'Neil, "Jr.", Ben', "102", "S2", "ben", "A and B", "", "0.50", "", "", ""],
    ["Öztürk, Cem", "103", "S3", "cem", "A", "", "", "", "", ""],
    ["Fault, Eli", "105", "S5", "eli", "A", "", "2.00", "", "", ""],
    ["Absent, Zoë", "126", "S26", "zoe", "A", "", "", "", "", ""],
    ["Student, Test", "900", "", "f00", "A", "", "", "", "", ""],
]
MOODLE_HEADER = [
    *("First name", "Last name", "ID number", "Institution", "Department", "Email address"),
    *("Assignment: Tiny (Real)", "Assignment: Tiny (Percentage)", "Assignment: Tiny (Feedback)"),
    *("Quiz: Essay (Real)", "Course total (Real)", "Last downloaded from this course"),
]
WORKSHEET_HEADER = [
    *("Identifier", "Full name", "Email address", "Status", "Grade", "Maximum grade"),
    *("Grade can be changed", "Last modified (submission)", "Last modified (grade)", "Feedback comments"),
]


#: The gradebook of the class below, graded once.
GRADED: list[bytes] = []


@pytest.fixture
def graded(course, hand_in) -> Course:
    """Two finished submissions, one that awaits a person, one fault of the grader's, one student without."""
    if not GRADED:
        GRADED.append(_grade(course, hand_in))
        shutil.rmtree(course.submitted)
    course.gradebook.write_bytes(GRADED[0])
    return course


def _grade(course, hand_in) -> bytes:
    hand_in("ada", double=RIGHT, sum_of_two="sum_of_two = 4")
    hand_in("ben", double=HALF)
    hand_in("cem", double=MISTAKEN, tell_why="I think so.")
    hand_in("eli", double="fault", sum_of_two="sum_of_two = 4")
    run(course)
    with opened(course) as gradebook:
        for name, (first, last, email, lms) in PEOPLE.items():
            gradebook.update_or_create_student(
                name, first_name=first, last_name=last, email=email, lms_user_id=lms
            )
    return course.gradebook.read_bytes()


def opened(course: Course) -> Gradebook:
    return Gradebook(f"sqlite:///{course.gradebook}", "attention")


def write(path: Path, rows, encoding="utf-8", delimiter=",") -> str:
    with path.open("w", newline="", encoding=encoding) as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)
    return str(path)


def moodle_rows(*people, delimiter=","):
    return [
        [*PEOPLE[name][:2], name, "", "", PEOPLE[name][2], "-", "-", "", "3.00", "3.00", "1772366400"]
        for name in people
    ]


def canvas_roster(course: Course, rows=CANVAS_CLASS, **how) -> str:
    return write(
        course.root / "canvas_export.csv", [CANVAS_HEADER, CANVAS_HIDDEN, CANVAS_POINTS, *rows], **how
    )


def export(course: Course, exporter, caplog=None, **options) -> list[list[str]]:
    """The rows that the exporter writes, read by Python's csv."""
    to = course.root / "out.csv"
    plugin = exporter(to=str(to), log=logging.getLogger("export"), **options)
    with opened(course) as gradebook, (caplog or logging_ignored()).at_level("INFO"):
        plugin.export(gradebook)
    with to.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file, delimiter=options.get("delimiter", ",")))


class logging_ignored:
    def at_level(self, _):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def column(rows, name: str, by: str) -> dict[str, str]:
    """What a column says, by another column."""
    place, key = rows[0].index(name), rows[0].index(by)
    return {row[key]: row[place] for row in rows[1:]}


def messages(caplog) -> list[str]:
    return [record.getMessage() for record in caplog.records]


class TestCanvas:
    def test_scores_come_back_in_canvass_own_rows_and_columns(self, graded):
        rows = export(graded, CanvasExporter, roster=canvas_roster(graded))
        assert rows[0] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Tiny (4711)"]
        assert rows[1] == ["", "", "", "", "", "Manual Posting"]
        assert rows[2] == ["    Points Possible", "", "", "", "", "6.00"]
        assert rows[3] == ["Lovelace, Ada", "101", "S1", "ada", "A", "4"]
        assert rows[4] == ['O\'Neil, "Jr.", Ben', "102", "S2", "ben", "A and B", "1.5"]
        assert len(rows) == 3 + len(CANVAS_CLASS)

    def test_what_awaits_a_person_keeps_canvass_cell_and_is_named(self, graded, caplog):
        rows = export(graded, CanvasExporter, caplog, roster=canvas_roster(graded))
        found = column(rows, "Tiny (4711)", "SIS Login ID")
        assert (found["cem"], found["eli"]) == ("", "2.00")
        told = messages(caplog)
        assert f"cem, {LESSON}: not exported, waits for a person: tell_why" in told
        assert f"eli, {LESSON}: not exported, waits for a person: test_double" in told
        assert not any(line.startswith(("ada", "ben", "zoe")) for line in told)
        assert told[-1].endswith(f"out.csv: 2 scores, of {LESSON}")

    def test_unfinished_scores_go_out_when_that_is_asked_and_are_named(self, graded, caplog):
        rows = export(graded, CanvasExporter, caplog, roster=canvas_roster(graded), unfinished=True)
        assert column(rows, "Tiny (4711)", "SIS Login ID")["eli"] == "1"
        assert f"eli, {LESSON}: exported as it is, waits for a person: test_double" in messages(caplog)

    def test_a_score_that_a_person_gave_is_exported(self, graded):
        with opened(graded) as gradebook:
            give(gradebook, "cem", "tell_why", 1.25)
        rows = export(graded, CanvasExporter, roster=canvas_roster(graded))
        assert column(rows, "Tiny (4711)", "SIS Login ID")["cem"] == "1.25"

    def test_who_handed_in_nothing_stays_empty_or_gets_0_where_asked(self, graded):
        roster = canvas_roster(graded)
        rows = export(graded, CanvasExporter, roster=roster)
        assert column(rows, "Tiny (4711)", "SIS Login ID")["zoe"] == ""
        rows = export(graded, CanvasExporter, roster=roster, zero_missing=True)
        found = column(rows, "Tiny (4711)", "SIS Login ID")
        assert (found["zoe"], found["f00"], found["cem"]) == ("0", "", "")

    @pytest.mark.parametrize("cell", ["EX", "N/A"])
    def test_excused_and_unassigned_cells_stay_and_are_named(self, graded, caplog, cell):
        rows = [["Lovelace, Ada", "101", "", "ada", "A", "", cell, "", "", ""], *CANVAS_CLASS[1:]]
        found = export(graded, CanvasExporter, caplog, roster=canvas_roster(graded, rows))
        assert column(found, "Tiny (4711)", "SIS Login ID")["ada"] == cell
        assert f"ada, {LESSON}: the cell says {cell!r}, and stays so" in messages(caplog)

    def test_a_submission_whose_student_canvas_does_not_list_is_named(self, graded, caplog):
        rows = [row for row in CANVAS_CLASS if row[3] != "ben"]
        export(graded, CanvasExporter, caplog, roster=canvas_roster(graded, rows))
        (line,) = [line for line in messages(caplog) if line.startswith("ben")]
        assert line.startswith(f"ben: handed in {LESSON}, and is in no row of ")

    @pytest.mark.parametrize(
        "row", [["x", "101", "", "other"], ["x", "7", "ada", ""], ["x", "7", "", "ADA@uni.example"]]
    )
    def test_students_are_found_by_id_sis_id_login_or_email(self, graded, row):
        found = export(
            graded, CanvasExporter, roster=canvas_roster(graded, [[*row, "A", "", "", "", "", ""]])
        )
        assert found[3][5] == "4"

    def test_canvas_ids_are_not_mistaken_for_our_student_ids(self, graded, caplog):
        with opened(graded) as gradebook:
            gradebook.update_or_create_student("999", last_name="Numbered")
        enter(graded, "999", {"test_double": 3.0, "test_sum_of_two": 1.0, "tell_why": 2.0})
        rows = [*CANVAS_CLASS, ["Somebody, Else", "999", "", "somebody", "A", "", "", "", "", ""]]
        found = export(graded, CanvasExporter, caplog, roster=canvas_roster(graded, rows))
        assert column(found, "Tiny (4711)", "SIS Login ID")["somebody"] == ""
        assert any(line.startswith("999: handed in") for line in messages(caplog))

    def test_a_row_that_fits_two_students_and_two_rows_of_one_are_left_and_named(self, graded, caplog):
        rows = [
            ["Who", "101", "", "ben", "A", "", "", "", "", ""],
            ["Cem", "103", "", "", "A", "", "", "", "", ""],
            ["Cem", "", "", "cem", "A", "", "", "", "", ""],
            ["Eli", "105", "", "", "A", "", "", "", "", ""],
        ]
        found = export(graded, CanvasExporter, caplog, roster=canvas_roster(graded, rows), unfinished=True)
        assert [row[5] for row in found[3:]] == ["", "", "", "1"]
        told = "\n".join(messages(caplog))
        assert "row 4 of" in told
        assert "fits ada, ben: left as it was" in told
        assert "cem: rows 5 and 6 of" in told

    @pytest.mark.parametrize("how", [{"encoding": "utf-8-sig"}, {"delimiter": ";"}, {"encoding": "utf-16"}])
    def test_byte_order_marks_and_semicolons_are_read(self, graded, how):
        export(graded, CanvasExporter, roster=canvas_roster(graded, **how))
        content = (graded.root / "out.csv").read_bytes()
        assert content.startswith(b"Student")
        delimiter = how.get("delimiter", ",")
        assert f"{delimiter}102{delimiter}S2{delimiter}ben{delimiter}" in content.decode()
        assert "Öztürk, Cem" in content.decode()

    def test_names_in_two_columns_are_read(self, graded):
        header = ["LastName", "FirstName", "ID", "SIS Login ID", "Section", "Tiny (4711)"]
        points = ["    Points Possible", "", "", "", "", "6"]
        roster = write(graded.root / "r.csv", [header, points, ["Lovelace", "Ada", "101", "", "A", ""]])
        assert export(graded, CanvasExporter, roster=roster)[2][5] == "4"

    @pytest.mark.parametrize("name", ["Homework 1 (4711)", "Homework 1", "4711"])
    def test_a_column_of_another_name_can_be_said(self, graded, name):
        header = [title.replace("Tiny", "Homework 1") for title in CANVAS_HEADER]
        roster = write(graded.root / "r.csv", [header, CANVAS_POINTS, *CANVAS_CLASS])
        with pytest.raises(
            UserError, match=r"no column of .* is named after a lesson \(01_tiny\).*'Homework 1"
        ):
            export(graded, CanvasExporter, roster=roster)
        rows = export(graded, CanvasExporter, roster=roster, columns={LESSON: name})
        assert column(rows, "Homework 1 (4711)", "SIS Login ID")["ada"] == "4"

    def test_two_columns_for_one_lesson_are_refused(self, graded):
        header = [title.replace("Essay", "01_tiny") for title in CANVAS_HEADER]
        roster = write(graded.root / "r.csv", [header, CANVAS_POINTS, *CANVAS_CLASS])
        with pytest.raises(UserError, match="01_tiny has 2 columns"):
            export(graded, CanvasExporter, roster=roster)

    def test_a_read_only_column_is_never_ours(self, graded):
        points = [*CANVAS_POINTS[:6], "(read only)", *CANVAS_POINTS[7:]]
        roster = write(graded.root / "r.csv", [CANVAS_HEADER, CANVAS_HIDDEN, points, *CANVAS_CLASS])
        with pytest.raises(UserError, match="no column"):
            export(graded, CanvasExporter, roster=roster)

    @pytest.mark.parametrize("above", [[], [CANVAS_HIDDEN], [["", "", "", "", "", "", "Muted", "", "", ""]]])
    def test_another_maximum_is_named_and_scaled_when_asked(self, graded, caplog, above):
        points = [cell.replace("6.00", "100") for cell in CANVAS_POINTS]
        roster = write(graded.root / "r.csv", [CANVAS_HEADER, *above, points, *CANVAS_CLASS])
        rows = export(graded, CanvasExporter, caplog, roster=roster)
        assert column(rows, "Tiny (4711)", "SIS Login ID")["ada"] == "4"
        assert any("100 points there, 6 in the gradebook" in line for line in messages(caplog))
        caplog.clear()
        rows = export(graded, CanvasExporter, caplog, roster=roster, scale=True)
        assert column(rows, "Tiny (4711)", "SIS Login ID")["ada"] == "66.67"
        assert not any("points there" in line for line in messages(caplog))

    def test_without_a_roster_the_documented_columns_are_written(self, graded):
        rows = export(graded, CanvasExporter)
        assert rows[0] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", LESSON]
        assert rows[1] == ["    Points Possible", "", "", "", "", "6"]
        assert rows[2] == ["Absent, Zoë", "126", "", "zoe", "", ""]
        assert ["Lovelace, Ada", "101", "", "ada", "", "4"] in rows

    def test_students_and_lessons_can_be_chosen(self, graded):
        rows = export(graded, CanvasExporter, student=["ada"], assignment=[LESSON])
        assert [row[3] for row in rows[2:]] == ["ada"]
        with pytest.raises(UserError, match="no column"):
            export(graded, CanvasExporter, assignment=["09_other"])

    @pytest.mark.parametrize(
        ("content", "told"),
        [
            (b"", "is empty"),
            ("Student,ID,Section\nÖ".encode("latin-1"), "is not UTF-8"),
            (b'Student,ID,Section\n"open', "no CSV"),
            (b"name,points\nada,3\n", "is no gradebook of Canvas's"),
            (b"Student,ID,Section,Tiny (1)\nNobody,1,A,\n", "no row of .* is a student of the gradebook"),
        ],
    )
    def test_a_roster_that_is_none_is_refused_and_nothing_is_written(self, graded, content, told):
        (graded.root / "r.csv").write_bytes(content)
        with pytest.raises(UserError, match=told):
            export(graded, CanvasExporter, roster=str(graded.root / "r.csv"))
        assert not (graded.root / "out.csv").exists()


class TestMoodle:
    def roster(self, course, *rows, header=MOODLE_HEADER) -> str:
        return write(course.root / "moodle_export.csv", [header, *(rows or moodle_rows(*PEOPLE))])

    def test_scores_come_back_with_the_columns_that_tell_who_and_when(self, graded):
        rows = export(graded, MoodleExporter, roster=self.roster(graded))
        assert rows[0] == [*MOODLE_HEADER[:7], "Last downloaded from this course"]
        assert rows[1] == ["Ada", "Lovelace", "ada", "", "", "ada@uni.example", "4", "1772366400"]

    def test_no_grade_is_a_dash_since_moodle_reads_it_so(self, graded):
        rows = export(graded, MoodleExporter, roster=self.roster(graded))
        found = column(rows, "Assignment: Tiny (Real)", "ID number")
        assert found == {"ada": "4", "ben": "1.5", "cem": "-", "eli": "-", "zoe": "-"}

    def test_the_decimal_sign_can_be_a_comma(self, graded):
        rows = export(graded, MoodleExporter, roster=self.roster(graded), decimal=",")
        assert column(rows, "Assignment: Tiny (Real)", "ID number")["ben"] == "1,5"

    def test_columns_in_another_language_can_be_said(self, graded):
        header = ["Vorname", "E-Mail-Adresse", "Aufgabe: Hausaufgabe 1 (Punkte)", "Kurs gesamt (Punkte)"]
        roster = self.roster(graded, ["Ada", "ada@uni.example", "-", "-"], header=header)
        with pytest.raises(UserError, match="In another language"):
            export(graded, MoodleExporter, roster=roster)
        rows = export(
            graded,
            MoodleExporter,
            roster=roster,
            identity={"E-Mail-Adresse": "email"},
            columns={LESSON: "Hausaufgabe 1"},
        )
        assert rows == [header[:3], ["Ada", "ada@uni.example", "4"]]

    def test_without_a_roster_users_can_be_mapped_by_email_number_or_name(self, graded):
        rows = export(graded, MoodleExporter)
        assert rows[0] == ["First name", "Last name", "ID number", "Email address", "Username", LESSON]
        assert rows[1] == ["Zoë", "Absent", "126", "zoe@uni.example", "zoe", "-"]

    def test_a_grading_worksheet_comes_back_whole_with_its_grades(self, graded):
        ada = ["Participant 7", "Ada Lovelace", "ada@uni.example", "Submitted for grading - ", "", "6.00"]
        ada += ["Yes", "Sunday, 1 March 2026, 4:05 PM", "-", ""]
        roster = write(graded.root / "w.csv", [WORKSHEET_HEADER, ada], encoding="utf-8-sig")
        rows = export(graded, MoodleExporter, roster=roster)
        assert rows == [WORKSHEET_HEADER, [*ada[:4], "4", *ada[5:]]]

    def test_a_worksheet_of_an_anonymous_assignment_is_matched_by_participant(self, graded, hand_in):
        hand_in("participant-7", double=HALF)
        run(graded)
        row = ["Participant 7", "Submitted for grading - ", "", "6.00", "-", ""]
        header = [
            "Identifier",
            "Status",
            "Grade",
            "Maximum grade",
            "Last modified (grade)",
            "Feedback comments",
        ]
        roster = write(graded.root / "w.csv", [header, row])
        assert export(graded, MoodleExporter, roster=roster)[1][2] == "1.5"

    def test_a_worksheet_needs_one_lesson(self, graded):
        (graded.solutions / "lessons" / "02_other.md").write_text("# Other\n")
        with opened(graded) as gradebook:
            gradebook.add_assignment("02_other")
            gradebook.add_submission("02_other", "ada")
        row = ["Participant 7", "Ada Lovelace", "ada@uni.example", "", "", "6", "Yes", "-", "-", ""]
        roster = write(graded.root / "w.csv", [WORKSHEET_HEADER, row])
        with pytest.raises(UserError, match="--assignment"):
            export(graded, MoodleExporter, roster=roster)
        assert export(graded, MoodleExporter, roster=roster, assignment=[LESSON])[1][4] == "4"


@pytest.mark.parametrize("exporter", [CanvasExporter, MoodleExporter])
def test_late_penalties_are_taken_off_and_nobody_gets_less_than_0(graded, exporter):
    engine = create_engine(f"sqlite:///{graded.gradebook}")
    with engine.begin() as connection:
        connection.execute(text("UPDATE submitted_notebook SET late_submission_penalty = 1.75"))
    engine.dispose()
    rows = export(graded, exporter)
    key = {CanvasExporter: "SIS Login ID", MoodleExporter: "Username"}[exporter]
    found = column(rows, LESSON, key)
    assert (found["ada"], found["ben"]) == ("2.25", "0")


FORMULAS = ["=1+1", "+1;cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", " =1+1", "\t=1", "＝1+1", "-x|y"]


@pytest.mark.parametrize("exporter", [CanvasExporter, MoodleExporter])
def test_a_name_can_not_become_a_spreadsheets_formula(graded, exporter):
    with opened(graded) as gradebook:
        for number, name in enumerate(FORMULAS):
            gradebook.update_or_create_student(f"s{number}", last_name=name, first_name="")
    names = {row[0 if exporter is CanvasExporter else 1] for row in export(graded, exporter)}
    assert names >= {"'" + name for name in FORMULAS}
    assert not names & set(FORMULAS)


def test_a_key_that_had_to_be_changed_is_named(graded, caplog):
    with opened(graded) as gradebook:
        gradebook.update_or_create_student("=hyperlink(A1)", last_name="Odd")
    rows = export(graded, MoodleExporter, caplog)
    assert ["", "Odd", "", "", "'=hyperlink(A1)", "-"] in rows
    assert any("'=hyperlink(A1)' begins like a formula" in line for line in messages(caplog))


def test_logins_that_begin_with_a_sign_stay_as_the_system_knows_them(graded):
    with opened(graded) as gradebook:
        gradebook.update_or_create_student("+491234", last_name="Phone", email="-kim@uni.example")
    rows = export(graded, MoodleExporter)
    assert ["", "Phone", "", "-kim@uni.example", "+491234", "-"] in rows


def test_lessons_with_submissions_and_no_column_are_named(graded, caplog):
    with opened(graded) as gradebook:
        gradebook.add_assignment("02_other")
        gradebook.add_assignment("03_nobody")
        gradebook.add_submission("02_other", "ada")
    export(graded, CanvasExporter, caplog, roster=canvas_roster(graded))
    (line,) = [line for line in messages(caplog) if line.startswith("0")]
    assert line.startswith("02_other: 1 submission")
    assert "c.CanvasExporter.columns['02_other']" in line


def test_nbgrader_export_ends_with_one_line_where_the_instructor_can_mend_it(graded, caplog):
    """The real command is run in test_collecting.py."""
    config = nbgrader_config(graded)
    config.ExportApp.plugin_class = MoodleExporter
    config.MoodleExporter.roster = "nowhere.csv"
    app = ExportApp(config=config, log=logging.getLogger("export"))
    app.init_plugin()
    with opened(graded) as gradebook, pytest.raises(SystemExit):
        app.plugin_inst.export(gradebook)
    assert messages(caplog) == [
        "nowhere.csv can't be read: No such file or directory",
    ]
