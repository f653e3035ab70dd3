"""The class report: what it says, and that nothing in it can act."""

from __future__ import annotations

import re

import pytest
from report_classes import LAYERS, NOW, hidden, page_of, report_on, standing, unreadable, verdict
from tiny_course import HALF, LESSON, MISTAKEN, RIGHT, InThisProcess

from autograder.classroom import records, report
from autograder.classroom.class_report.mistakes import Carried, Mistake
from autograder.classroom.class_report.next_steps import lesson_steps
from autograder.classroom.class_report.page import WORDS
from autograder.classroom.grade import grade
from autograder.exercise import Outcome
from autograder.sandbox.isolation import BASE, NAMESPACES, PROCESSES


@pytest.fixture
def page(small_class):
    grade(small_class, make_workers=InThisProcess)
    return report.write(small_class, NOW).read_text()


@pytest.fixture
def tiny(course):
    return hidden(course)


def text_of(page):
    """The page as it is read, without its markup."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))


def test_outcomes_of_an_exercise_share_its_whole_bar(tiny):
    made = report_on(tiny, verdict(), verdict("ben", "failed"), verdict("cem", "timed_out"))
    double = made.items[0]
    assert [(part.outcome, part.count) for part in double.segments] == [
        (Outcome.PASSED, 1),
        (Outcome.FAILED, 1),
        (Outcome.TIMED_OUT, 1),
    ]
    assert [part.start for part in double.segments] == pytest.approx([0, 1 / 3, 2 / 3])
    assert sum(part.share for part in double.segments) == pytest.approx(1.0)


def test_a_known_mistake_has_its_shares_and_the_hint_that_students_read(tiny):
    mistaken = [verdict(name, "failed", "squares") for name in ("ada", "ben")]
    made = report_on(tiny, *mistaken, verdict("cem", "failed"), verdict("dee", "errored"), verdict("eli"))
    (double,) = made.mistakes
    hint = "Try <b>3</b>: is it 6 or 9?"
    assert double.known == (Mistake("double", "squares", hint, 2, of_submissions=2 / 5, of_wrong=2 / 4),)
    assert (double.wrong, double.unknown, double.broken) == (4, ("cem",), 1)
    assert made.to_discuss == double.known


def test_an_answer_that_is_right_given_an_earlier_mistake_is_no_wrong_one(tiny):
    carried = verdict("ada", "partial")
    carried["exercises"]["double"]["carried_from"] = "triple"
    (double,) = report_on(tiny, carried, verdict("ben")).mistakes
    assert (double.wrong, double.known, double.unknown) == (0, (), ())
    assert double.carried == (Carried("triple", 1),)


def test_a_question_is_counted_by_what_was_answered(tiny):
    given = ["4", "4", "5", "5", "5", "6", None]
    rows = [verdict(str(place), answer=answer) for place, answer in enumerate(given)]
    rows[-1]["questions"]["sum_of_two"]["outcome"] = "missing"
    before = verdict("before")  # graded when answers were not kept
    del before["questions"]["sum_of_two"]["answer"]
    (asked,) = report_on(tiny, *rows, verdict("form", answer=None), before).answers
    assert [(one.answer, one.count, one.is_right, one.is_known) for one in asked.options] == [
        ("4", 3, True, True),
        ("5", 3, False, False),
    ]
    assert asked.options[0].share == pytest.approx(3 / 9)
    assert dict(asked.rest) == {
        "another answer": 1,
        "not answered": 1,
        "not of the form that was asked for": 1,
    }
    assert asked.misleads is None


def test_a_wrong_answer_that_leads_is_named(tiny):
    rows = [verdict(str(place), answer=answer) for place, answer in enumerate("445556")]
    made = report_on(tiny, *rows)
    assert made.answers[0].misleads.answer == "5"
    assert report_on(tiny, *rows[2:]).answers[0].misleads is None, "four are too few to tell"
    assert ("sum_of_two", "more chose 5, which is wrong, than the right answer") in made.to_look_at


def test_free_texts_that_a_person_has_graded_wait_no_longer(tiny):
    scores = {"ada": standing(3, 1, text=2), "ben": standing(3, 1)}
    made = report_on(tiny, verdict(), verdict("ben"), standings=scores, waiting={"ben": {"tell_why"}})
    (text,) = made.free_texts
    assert text.students == ("ben",)
    assert text.rubric == ((1, "names a reason"), (1, "is right"))
    assert made.scores.open == 1


def test_a_submission_that_a_person_has_graded_by_hand_counts_and_waits_no_longer(tiny):
    scores = {"ada": standing(1, 1, text=1), "ben": standing(None, None)}
    made = report_on(
        tiny, unreadable("ada"), unreadable("ben"), standings=scores, waiting={"ben": {"test_double"}}
    )
    assert made.scores.by_student == {"ada": 3.0}
    assert [trouble.students for trouble in made.troubles.ungraded] == [("ben",)]


def test_submissions_graded_with_less_than_the_full_sandbox_are_named_with_what_was_missing(tiny):
    made = report_on(tiny, verdict(), verdict("ben", sandbox=[*BASE])).troubles
    (row,) = made.weaker_sandbox
    assert (row.students, row.what) == (("ben",), f"{NAMESPACES}, {PROCESSES}")
    assert made.unheld == ()


def test_each_submission_that_was_graded_below_the_base_tier_is_named_as_unsafe(tiny):
    without = {"ben": "landlock", "cem": "seccomp"}
    unsafe = [verdict(s, sandbox=[name for name in LAYERS if name != gone]) for s, gone in without.items()]
    made = report_on(tiny, verdict(), *unsafe)
    assert [(row.students, row.what) for row in made.troubles.unheld] == [
        ((student,), gone) for student, gone in without.items()
    ]
    assert made.troubles.weaker_sandbox == ()
    first = lesson_steps(made)[0]
    assert first.is_alarm
    assert first.what == "2 submissions graded without a full base sandbox (--unsafe)"
    page = page_of(tiny, verdict(), *unsafe)
    for student, gone in without.items():
        assert f"<code>{student}</code></td><td><code>{gone}</code>" in page
    assert "Every submission was graded with the full sandbox" not in page


def test_nothing_is_called_unsafe_that_was_held(tiny):
    page = page_of(tiny, verdict())
    assert "--unsafe" not in page
    assert "Every submission was graded with the full sandbox." in page


def test_what_to_do_comes_gravest_first(tiny):
    rows = [
        verdict(),
        unreadable("cem"),
        verdict("eli", "grader_error"),
        verdict("gus", other_release="1-abc"),
    ]
    made = report_on(tiny, *rows, ungraded=("zoe",))
    assert [step.what for step in lesson_steps(made)] == [
        "1 submission without a grade",
        "1 grader error",
        "1 submission handed in and not graded yet",
        "3 free texts to read",
        "1 submission made with another release of the notebook",
    ]


def test_every_step_leads_to_a_place_on_the_page(tiny):
    rows = [verdict(), unreadable("cem"), verdict("eli", "timed_out"), verdict("gus", "failed")]
    page = page_of(tiny, *rows, *(verdict(str(n), "failed", "squares") for n in range(5)))
    wanted = set(re.findall(r'href="#([^"]*)"', page))
    assert {f"{LESSON}-person", f"{LESSON}-trouble", f"{LESSON}-mistakes", f"{LESSON}-items"} <= wanted
    assert wanted <= set(re.findall(r'id="([^"]*)"', page))


def test_the_page_names_all_that_needs_a_person(page):
    for name in ("eli", "fay", "gus", "hal", "ida", "jon", "kim", "lou"):
        assert f"<code>{name}</code>" in page, name
    assert "MemoryError: no room" in page
    assert "out of time" in page
    assert "2 answers to read" in page
    assert "names a reason" in page


def test_the_slowest_are_named_with_the_seconds_of_their_own_cells(tiny):
    page = text_of(page_of(tiny, verdict(), verdict("ben", seconds=12.3, cells_seconds=9.5)))
    assert "ben 12.3 9.5" in page
    assert "12.3 s for the slowest" in page


def test_the_page_escapes_hints_and_loads_nothing(page):
    assert "Try &lt;b&gt;3&lt;/b&gt;" in page
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page
    assert not re.search(r'(?:src|href)="(?!#)', page)
    assert "@import" not in page
    assert "<script" not in page


def test_what_students_are_called_and_wrote_is_text_and_nothing_else(tiny):
    hostile = "<script>alert(1)</script>\x1b[31m\u202e\" onload='x'"
    judged = verdict(hostile, "grader_error", answer=hostile, stopped=[{"cell": hostile, "why": hostile}])
    judged["exercises"]["double"] |= {"message": f"raises {hostile}", "misconception": hostile}
    judged |= {"other_release": hostile}
    rows = [judged, judged | {"student": "twice"}, unreadable(hostile + "2", hostile)]
    names = {row["student"]: hostile for row in rows}
    for anonymous in (False, True):
        page = page_of(tiny, *rows, names=names, anonymous=anonymous, absent=(hostile + "2",))
        assert "<script" not in page
        assert "onload='x'" not in page
        assert ("&lt;script&gt;alert(1)" in page) is not anonymous
        assert not set(page) & {"\x1b", "\u202e"}


def test_every_outcome_has_words_and_a_look_of_its_own(page):
    assert set(WORDS) == set(Outcome)
    for outcome in Outcome:
        assert f".{outcome} {{ fill:" in page


def test_every_chart_can_be_read_without_seeing_it(page):
    charts = re.findall(r"<svg[^>]*>", page)
    assert len(charts) > 3
    assert all('aria-label="' in chart or 'aria-hidden="true"' in chart for chart in charts)
    assert 'aria-label="1 passed, 1 partly right, 1 wrong, ' in page


@pytest.mark.parametrize("anonymous", [False, True])
def test_a_lesson_in_which_nothing_could_be_graded_still_has_a_page(course, anonymous):
    for student in ("ada", "ben"):
        records.write_verdict(course, LESSON, student, unreadable(student))
    page = text_of(report.write(course, anonymous=anonymous).read_text())
    assert "Nothing was graded." in page
    assert "2 submissions without a grade" in page


def test_a_class_in_which_all_is_missing_still_has_a_page(tiny):
    blank = verdict("ada", "missing", answer=None, needs_manual=[])
    blank["questions"]["sum_of_two"]["outcome"] = "missing"
    page = text_of(page_of(tiny, *(blank | {"student": name} for name in "abcdef")))
    assert "mean 0 , median 0" in page or "mean 0, median 0" in page
    assert "6 submissions" in page


def test_a_lesson_without_questions_or_exercises_still_has_a_page(tiny):
    for emptied in (
        {"questions": {}},
        {"exercises": {}},
        {"exercises": {}, "questions": {}, "free_texts": {}},
    ):
        lesson = type(tiny)(**{**vars(tiny), **emptied})
        gone = {kind: {} for kind in ("exercises", "questions") if kind in emptied}
        page = page_of(lesson, *(verdict(name, **gone) for name in ("ada", "ben")))
        assert "What to do next" in page


def test_the_report_counts_what_the_class_did(course, hand_in):
    for student, answer in (("ada", RIGHT), ("ben", HALF), ("cem", MISTAKEN)):
        hand_in(student, double=answer)
    grade(course, make_workers=InThisProcess)
    page = report.write(course).read_text()
    assert 'aria-label="1 passed, 1 partly right, 1 wrong"' in page
    assert text_of(page).count("squares") == 1
    assert "squares 1 33 % 50 %" in text_of(page)
