"""The class report: what it says, and that nothing in it can act."""

from __future__ import annotations

import re
from datetime import datetime

import pytest
from tiny_course import HALF, LESSON, MISTAKEN, RIGHT, InThisProcess

from autograder import library
from autograder.classroom import records, report
from autograder.classroom.grade import grade
from autograder.exercise import Outcome
from autograder.library import UserError
from autograder.sandbox.isolation import BASE, NAMESPACES, PROCESSES

LAYERS = (*BASE, NAMESPACES, PROCESSES)


@pytest.fixture
def page(small_class):
    grade(small_class, make_workers=InThisProcess)
    return report.write(small_class, datetime(2025, 3, 1, 12, 0)).read_text()


def verdict(student="ada", outcome="passed", misconception=None, **more):
    exercise = {"outcome": outcome, "score": 3.0 if outcome == "passed" else 0.0, "max_score": 3.0}
    exercise |= {"misconception": misconception, "carried_from": None, "message": "off", "aspects": {}}
    question = {"outcome": "passed", "score": 1.0, "max_score": 1.0, "message": ""}
    return {
        "student": student,
        "lesson": LESSON,
        "score": exercise["score"] + 1,
        "max_score": 4.0,
        "needs_manual": ["tell_why"],
        "exercises": {"double": exercise},
        "questions": {"sum_of_two": question},
        "sandbox": list(LAYERS),
        "seconds": 0.1,
        **more,
    }


@pytest.fixture
def hidden(course):
    return library.load(course.solutions, LESSON)


def test_scores_are_counted_by_tenths_and_full_marks_are_in_the_last(hidden):
    made = report.lesson_report(hidden, [verdict(), verdict("ben"), verdict("cem", "failed")])
    assert [one.count for one in made.bins] == [0, 0, 1, 0, 0, 0, 0, 0, 0, 2]
    assert (made.graded, made.median) == (3, 4.0)
    assert made.mean == pytest.approx(3.0)


def test_outcomes_of_an_exercise_share_its_whole_bar(hidden):
    made = report.lesson_report(hidden, [verdict(), verdict("ben", "failed"), verdict("cem", "timed_out")])
    (double,) = made.exercises
    assert [(part.outcome, part.count) for part in double.segments] == [
        (Outcome.PASSED, 1),
        (Outcome.FAILED, 1),
        (Outcome.TIMED_OUT, 1),
    ]
    assert sum(part.share for part in double.segments) == pytest.approx(1.0)
    assert double.points_won == pytest.approx(1 / 3)


def test_mistakes_come_most_frequent_first_with_the_hint_students_read(hidden):
    made = report.lesson_report(hidden, [verdict(s, "failed", "squares") for s in ("ada", "ben")])
    assert made.mistakes == (report.Mistake("double", "squares", "Try <b>3</b>: is it 6 or 9?", 2),)


def test_free_texts_that_a_person_has_graded_wait_no_longer(hidden):
    verdicts = [verdict("ada"), verdict("ben")]
    (text,) = report.lesson_report(hidden, verdicts, waiting={("ben", "tell_why")}).free_texts
    assert text.students == ("ben",)
    assert text.rubric == ((1, "names a reason"), (1, "is right"))


def test_submissions_graded_with_less_than_the_full_sandbox_are_named_with_what_was_missing(hidden):
    weak = verdict("ben", sandbox=[*BASE])
    made = report.lesson_report(hidden, [verdict(), weak])
    (row,) = made.weaker_sandbox
    assert (row.student, row.what, row.why) == ("ben", f"{NAMESPACES}, {PROCESSES}", "1 of 2 submissions")
    assert made.unheld == ()


def test_each_submission_that_was_graded_below_the_base_tier_is_named_as_unsafe(hidden):
    without = {"ben": "landlock", "cem": "seccomp"}
    unsafe = [verdict(s, sandbox=[name for name in LAYERS if name != gone]) for s, gone in without.items()]
    made = report.lesson_report(hidden, [verdict(), *unsafe])
    assert [(row.student, row.what) for row in made.unheld] == list(without.items())
    assert made.weaker_sandbox == ()
    page = report.render([made], datetime(2025, 3, 1))
    assert "2 submissions graded without a full base sandbox (--unsafe)" in page
    for student, gone in without.items():
        assert f'<code>{student}</code></td><td class="name"><code>{gone}</code>' in page
    assert "Every submission was graded with the full sandbox" not in page


def test_nothing_is_called_unsafe_that_was_held(hidden):
    page = report.render([report.lesson_report(hidden, [verdict()])], datetime(2025, 3, 1))
    assert "--unsafe" not in page
    assert "Every submission was graded with the full sandbox." in page


def test_the_page_names_all_that_needs_a_person(page):
    for name in ("eli", "fay", "gus", "hal", "ida", "jon", "kim", "lou"):
        assert f"<code>{name}</code>" in page, name
    assert "MemoryError: no room" in page
    assert "out of time" in page
    assert "2 answers to read" in page
    assert "names a reason" in page


def test_the_page_escapes_hints_and_loads_nothing(page):
    assert "Try &lt;b&gt;3&lt;/b&gt;" in page
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page
    assert not re.search(r'(?:src|href)="(?!#)', page)
    assert "<script" not in page


def test_what_students_are_called_and_wrote_is_text_and_nothing_else(hidden):
    hostile = "<script>alert(1)</script>\x1b[31m\u202e"
    rows = [
        verdict(hostile, "grader_error", stopped=[{"cell": hostile, "why": hostile}]),
        {"student": hostile, "lesson": LESSON, "error": hostile, "kind": "damaged"},
    ]
    page = report.render([report.lesson_report(hidden, rows)], datetime(2025, 3, 1))
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert not set(page) & {"\x1b", "\u202e"}


def test_every_outcome_has_words_and_a_look_of_its_own(page):
    assert set(report.WORDS) == set(Outcome)
    for outcome in Outcome:
        assert f".{outcome} {{ fill:" in page


def test_a_class_without_grades_is_told_what_to_do(course):
    with pytest.raises(UserError, match="run `autograder grade` first"):
        report.write(course)


def test_a_lesson_in_which_nothing_could_be_graded_still_has_a_page(course):
    records.write_verdict(course, LESSON, "ada", {"lesson": LESSON, "error": "broken", "kind": "damaged"})
    assert "Nothing was graded." in report.write(course).read_text()


def test_the_report_counts_what_the_class_did(course, hand_in):
    for student, answer in (("ada", RIGHT), ("ben", HALF), ("cem", MISTAKEN)):
        hand_in(student, double=answer)
    grade(course, make_workers=InThisProcess)
    page = report.write(course).read_text()
    assert "double: 1 partly right" in page
    assert "<td>squares</td>" in page
