"""Nothing that tells who somebody is leaves an anonymous report."""

from __future__ import annotations

import dataclasses
import re

import pytest
from report_classes import NOW, hidden, page_of, unreadable, verdict
from tiny_course import LESSON, MISTAKEN, RIGHT, InThisProcess

from autograder.classroom import records, report
from autograder.classroom.class_report.gathering import ClassData, Handed, gather
from autograder.classroom.class_report.masking import masked
from autograder.classroom.grade import grade
from autograder.course import Course

#: What must not leave, by where it comes from.
MARKS = {
    "id": "idmark",
    "first name": "Firstmark",
    "last name": "Lastmark",
    "e-mail": "mailmark",
    "LMS": "lmsmark",
    "text": "textmark",
    "exception": "Exceptionmark",
    "message": "messagemark",
    "cell": "cellmark",
    "answer": "answermark",
    "number as an answer": "20251",
    "release": "releasemark",
    "reason": "reasonmark",
    "path": "pathmark",
    "mistake": "mistakemark",
    "layer": "layermark",
    "time of handing in": "2031",
}
#: What the named page shows of them; the rest is read by nobody.
NAMED = set(MARKS) - {"e-mail", "LMS", "text", "layer", "time of handing in"}


def marked(student, **more):
    """A verdict of which whatever a student could have a hand in carries a mark."""
    made = verdict(
        student,
        "errored",
        MARKS["mistake"],
        MARKS["answer"],
        stopped=[{"cell": MARKS["cell"], "why": f"/home/{MARKS['path']}/x.py"}],
        other_release=MARKS["release"],
        sandbox=[MARKS["layer"]],
        needs_manual=["tell_why", MARKS["cell"]],
        **more,
    )
    made["exercises"]["double"]["message"] = f"values: raises {MARKS['exception']}: {MARKS['message']}"
    made["exercises"][MARKS["cell"]] = made["exercises"]["double"]
    return made


@pytest.fixture
def marked_class(course, hand_in):
    """Six students with names in a gradebook, and verdict files full of marks."""
    students = [f"{MARKS['id']}.{letter}" for letter in "abcdef"]
    for place, student in enumerate(students):
        timestamp = f"{MARKS['time of handing in']}-03-01 12:00:00 UTC"
        hand_in(student, timestamp, double="fault" if place == 2 else RIGHT, tell_why=MARKS["text"])
    grade(course, make_workers=InThisProcess)
    name_all(course, students)
    broken = marked(students[2])
    broken["exercises"]["double"] |= {"outcome": "grader_error", "score": None}
    number = [marked(student) | {"sandbox": []} for student in students[3:5]]
    for each in number:  # an id typed as an answer, by two
        each["questions"]["sum_of_two"]["answer"] = MARKS["number as an answer"]
        each["exercises"]["double"] |= {"misconception": None, "outcome": "failed"}
    named_mistake = marked(students[5])
    named_mistake["exercises"]["double"] |= {"outcome": "failed", "carried_from": None}
    rows = [marked(students[0]), unreadable(students[1], f"{MARKS['reason']} in /home/{MARKS['path']}")]
    rows += [broken, *number, named_mistake]
    for row in rows:
        records.write_verdict(course, LESSON, row["student"], row)
    return course


def name_all(course, students):
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{course.gradebook}") as gradebook:
        for student in students:
            gradebook.update_or_create_student(
                student,
                first_name=MARKS["first name"],
                last_name=MARKS["last name"],
                email=f"{MARKS['e-mail']}@example.org",
                lms_user_id=MARKS["LMS"],
            )


def found_in(page):
    return {what for what, mark in MARKS.items() if mark.lower() in page.lower()}


def test_no_mark_of_a_student_leaves_an_anonymous_page(marked_class):
    assert found_in(report.write(marked_class, NOW, anonymous=True).read_text()) == set()
    (page,) = report.write_lessons(marked_class, [LESSON], NOW, anonymous=True)
    assert found_in(page.read_text()) == set()


def test_the_named_page_says_what_the_anonymous_one_leaves_out(marked_class):
    assert found_in(report.write(marked_class, NOW).read_text()) == NAMED


def test_an_anonymous_page_still_says_what_happened(marked_class):
    page = report.write(marked_class, NOW, anonymous=True).read_text()
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))
    assert "the file could not be read or mended" in text
    assert "out of time, or its process ended" in text
    assert "another answer" in text
    assert "answers to read" in text
    assert re.search(r"student \d", text)


def test_nowhere_in_what_a_page_is_made_of_is_a_mark_left(marked_class):
    assert found_in(everything_in(masked(gather(marked_class)))) == set()


def everything_in(data):
    """All that hangs from `data`, but for the course's own library."""
    lessons = [{**vars(handed), "hidden": None} for handed in data.lessons]
    return repr((lessons, data.names))


def crowd(count, **more):
    rows = tuple(verdict(f"name{place:04}", **more) for place in range(count))
    return rows, {row["student"]: "" for row in rows}


def test_numbers_follow_neither_the_alphabet_nor_the_last_page(course):
    rows, names = crowd(60)
    data = ClassData((Handed(hidden(course), rows),), names)
    drawn = [[one["score"] for one in masked(with_scores(data)).lessons[0].verdicts] for _ in range(2)]
    in_order = [one["score"] for one in with_scores(data).lessons[0].verdicts]
    assert sorted(drawn[0]) == sorted(drawn[1]) == in_order
    assert len({tuple(order) for order in (*drawn, in_order)}) == 3


def with_scores(data):
    """`data` with each student's place in the alphabet as the score."""
    (handed,) = data.lessons
    rows = tuple({**row, "score": float(place)} for place, row in enumerate(handed.verdicts))
    return ClassData((dataclasses.replace(handed, verdicts=rows),), data.names)


def test_one_student_has_one_number_on_a_page_and_everything_is_in_its_order(course):
    rows, names = crowd(30, stopped=[{"cell": "double", "why": "slow"}])
    lesson = Handed(hidden(course), rows, absent=(), ungraded=())
    data = masked(ClassData((lesson, lesson), names))
    first, second = ([one["student"] for one in handed.verdicts] for handed in data.lessons)
    assert first == second == [f"student {number}" for number in range(1, 31)] == list(data.names)


def test_an_anonymous_course_page_has_no_row_of_scores_for_a_student(course):
    rows, names = crowd(8)
    lesson = Handed(hidden(course), rows)
    for anonymous in (False, True):
        page = report.page_on(ClassData((lesson, lesson), names), NOW, anonymous=anonymous)
        assert ('<table class="stand">' in page) is not anonymous


def test_an_anonymous_page_lists_no_names_of_those_who_wait_or_are_absent(course):
    rows, names = crowd(8)
    names |= {"absentmark": "Absent Mark", "latemark": ""}
    more = {"absent": ("absentmark",), "ungraded": ("latemark",)}
    assert "absentmark" in page_of(hidden(course), *rows, names=names, **more)
    page = page_of(hidden(course), *rows, names=names, anonymous=True, **more)
    assert "mark" not in page.replace("docs", "")
    assert "name0" not in page
    assert "Not handed in:" not in page


def test_an_unknown_part_of_a_verdict_does_not_pass(course: Course):
    row = verdict("ada", new_part="newmark")
    row["exercises"]["double"]["new_part"] = row["questions"]["sum_of_two"]["new_part"] = "newmark"
    row["exercises"]["double"]["aspects"] = {"newmark": {"outcome": "passed"}}
    data = masked(ClassData((Handed(hidden(course), (row,)),), {"ada": ""}))
    assert "newmark" not in everything_in(data)


def test_pythons_own_exceptions_are_named_and_a_students_are_not(course):
    own, python = verdict("ada", "errored"), verdict("ben", "errored")
    own["exercises"]["double"]["message"] = "values: raises AnnaLovelace: x"
    python["exercises"]["double"]["message"] = "values: raises ZeroDivisionError: Anna by zero"
    mistaken = verdict("cem", "failed", "squares")
    other = verdict("dee", "errored")
    other["exercises"]["double"]["message"] = "values: raises bytearray: a class, and no exception"
    page = page_of(hidden(course), own, python, mistaken, other, anonymous=True)
    assert "bytearray" not in page
    assert "ZeroDivisionError" in page
    assert "squares" in page
    assert "Anna" not in page
    assert MISTAKEN not in page
