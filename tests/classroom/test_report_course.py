"""The report on the course: the lessons beside each other, who stands where, and what to do next."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from report_classes import NOW, hidden, unreadable, verdict

from autograder.classroom import report
from autograder.classroom.class_report.course import course_report
from autograder.classroom.class_report.gathering import ClassData, Handed
from autograder.classroom.class_report.lesson import lesson_report
from autograder.classroom.class_report.next_steps import course_steps

#: By student, the automatic points of 4 in each of four lessons; None where nothing was handed in.
SCORES = {
    "ada": (4, 4, 3, 4),
    "ben": (0, 1, 0, 1),
    "cem": (3, 1, 4, None),
    "dee": (1, 0, None, None),
    "eli": (4, 3, 4, 4),
    "fay": (3, None, 0, 3),
    "gus": (None, None, None, None),
}


@pytest.fixture
def lessons(course):
    """Four times the tiny lesson, under four names."""
    tiny = hidden(course)
    made = []
    for place in range(4):
        rows = [verdict(who) | {"score": row[place]} for who, row in SCORES.items() if row[place] is not None]
        absent = tuple(who for who, row in SCORES.items() if row[place] is None)
        library = type(tiny)(**{**vars(tiny), "lesson": f"0{place + 1}_tiny"})
        made.append(Handed(library, tuple(rows), absent=absent))
    return made


@pytest.fixture
def whole(lessons):
    return course_report([lesson_report(handed) for handed in lessons], list(SCORES))


def test_a_lesson_is_told_in_percent_of_its_points(whole):
    first = whole.rows[0]
    scores = [100 * row[0] / 4 for row in SCORES.values() if row[0] is not None]
    assert (first.mean, first.median) == (pytest.approx(np.mean(scores)), pytest.approx(np.median(scores)))
    quartiles = (first.lower_quartile, first.upper_quartile)
    assert quartiles == pytest.approx(np.quantile(scores, [0.25, 0.75]))


def test_a_lesson_goes_with_the_others_as_numpy_correlates_it_with_their_mean(whole):
    rows = {who: row for who, row in SCORES.items() if row[0] is not None}
    here = [row[0] for row in rows.values()]
    others = [np.mean([score for score in row[1:] if score is not None]) for row in rows.values()]
    assert whole.rows[0].goes_with == pytest.approx(np.corrcoef(here, others)[0, 1])
    assert whole.rows[3].goes_with is None, "four students are too few"


def test_who_handed_in_nothing_of_the_last_lessons_fell_behind(whole):
    assert whole.behind == ("dee",)
    assert whole.silent == ("gus",)
    assert whole.last_lessons == ("03_tiny", "04_tiny")


def test_in_two_lessons_nobody_falls_behind(lessons):
    made = course_report([lesson_report(handed) for handed in lessons[1:3]], list(SCORES))
    assert (made.behind, made.last_lessons) == ((), ())
    assert made.silent == ("gus",)


def test_each_student_has_a_row_of_percentages_and_their_mean(whole):
    rows = {standing.student: standing for standing in whole.standings}
    assert rows["cem"].cells == (75.0, 25.0, 100.0, None)
    assert rows["cem"].mean == pytest.approx(200 / 3)
    assert (rows["gus"].cells, rows["gus"].mean) == ((None,) * 4, None)


def test_what_was_handed_in_and_has_no_score_is_open_and_not_missing(course):
    handed = Handed(hidden(course), (unreadable("ada"),), ungraded=("ben",), absent=("cem",))
    made = course_report([lesson_report(handed)] * 3, ["ada", "ben", "cem"])
    assert [standing.cells[0] for standing in made.standings] == ["open", "open", None]
    assert made.behind == ()


def test_the_same_thing_to_do_in_several_lessons_is_one_step(lessons):
    broken = dataclasses.replace(lessons[3], verdicts=(*lessons[3].verdicts, unreadable("zoe")))
    reports = [lesson_report(handed) for handed in (*lessons[:3], broken)]
    ungraded, texts, behind = course_steps(reports, course_report(reports, list(SCORES)))
    assert ungraded.what == "1 submission without a grade"
    assert ungraded.places == (("04_tiny", 1, "04_tiny-person"),)
    assert texts.what == "20 free texts to read"
    assert [(lesson, count) for lesson, count, _ in texts.places] == [
        ("01_tiny", 6),
        ("02_tiny", 5),
        ("03_tiny", 5),
        ("04_tiny", 4),
    ]
    assert behind.what.startswith("1 student handed in nothing of the last 2 lessons")


def test_the_course_page_shows_the_course_before_its_lessons(lessons):
    page = report.page_on(ClassData(tuple(lessons), dict.fromkeys(SCORES, "")), NOW)
    places = [page.index(f'id="{name}"') for name in ("course", "who-stands-where", "01_tiny", "04_tiny")]
    assert places == sorted(places)
    alone = report.page_on(ClassData(tuple(lessons[:1]), dict.fromkeys(SCORES, "")), NOW)
    assert 'id="course"' not in alone
