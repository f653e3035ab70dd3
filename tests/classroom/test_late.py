"""Late work: what it costs, whose clock counts, and that every way to grade takes off the same."""

from __future__ import annotations

import json
from datetime import datetime

import pytest
from gradebooks import give, lines, run
from nbgrader.api import Gradebook
from nbgrader.apps.api import NbGraderAPI
from nbgrader.apps.nbgraderapp import NbGraderApp
from nbgrader.converters import Autograde
from nbgrader.coursedir import CourseDirectory
from test_same_grades import copy_of, dump
from tiny_course import HALF, LESSON, RIGHT, FakeGrader
from traitlets import TraitError
from traitlets.config import Config

from autograder.classroom.gradebook import submitted_at
from autograder.classroom.late import DAY, PerDay
from autograder.classroom.settings import nbgrader_config
from autograder.library import UserError

#: nbgrader's own way to add a submission makes SQLAlchemy warn.
pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
MINUTE, HOUR = 60.0, 3600.0
USUAL = {"share": 0.1, "grace_minutes": 15, "most": 0.5}
PER_DAY = """
c.AssignLatePenalties.plugin_class = "autograder.classroom.late.PerDay"
c.PerDay.share = 0.1
c.PerDay.grace_minutes = 15
c.PerDay.most = 0.5
c.PerDay.extra_days = {"eve": 2}
"""
OF_A_SUBMISSION = ("student", "submission", "submitted notebook", "grade", "comment")
ZERO = 'c.LateSubmissionPlugin.penalty_method = "zero"\n'
OWN = """
from nbgrader.plugins import BasePlugin

class OnePointAnHour(BasePlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return total_seconds_late / 3600

c.AssignLatePenalties.plugin_class = OnePointAnHour
"""
DUE = "2025-03-01 18:00 UTC"


@pytest.mark.parametrize(
    ("seconds", "points"),
    [
        (1, None),
        (15 * MINUTE, None),
        (15 * MINUTE + 1, 1.0),
        (DAY, 1.0),
        (DAY + 1, 2.0),
        (3 * DAY, 3.0),
        (5 * DAY, 5.0),
        (40 * DAY, 5.0),
    ],
)
def test_ten_percent_a_day_with_fifteen_minutes_grace_and_half_at_the_most(seconds, points):
    assert PerDay(**USUAL).late_submission_penalty("ada", 10.0, seconds) == points


def test_a_penalty_is_a_share_of_what_was_earned_and_no_long_float():
    assert PerDay(share=0.1).late_submission_penalty("ada", 1.0, 3 * DAY) == 0.3
    assert PerDay(share=0.25).late_submission_penalty("ada", 4.0, 9 * DAY) == 4.0
    assert PerDay(**USUAL).late_submission_penalty("ada", 0.0, 9 * DAY) == 0.0


def test_a_student_may_have_more_days_for_every_lesson():
    policy = PerDay(**USUAL, extra_days={"ada": 2})
    assert policy.late_submission_penalty("ada", 10.0, 2 * DAY + 15 * MINUTE) is None
    assert policy.late_submission_penalty("ada", 10.0, 2 * DAY + HOUR) == 1.0
    assert policy.late_submission_penalty("ben", 10.0, 2 * DAY + HOUR) == 3.0


@pytest.mark.parametrize(
    "setting",
    [{"share": 10}, {"share": -0.1}, {"most": 50}, {"grace_minutes": -1}, {"extra_days": {"a": -2}}],
)
def test_a_setting_that_makes_no_sense_is_refused(setting):
    with pytest.raises(TraitError, match=next(iter(setting))):
        PerDay(**setting)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("c.PerDay.share = 10", "'share'"),
        ('c.AssignLatePenalties.plugin_class = "nowhere.Policy"', "nowhere"),
        ("c.LateSubmissionPlugin.penalty_method = 'harsh'\n"
         "c.AssignLatePenalties.plugin_class = 'nbgrader.plugins.LateSubmissionPlugin'", "harsh"),
    ],
)  # fmt: skip
def test_a_policy_that_can_not_be_used_stops_the_run_and_is_named(course, hand_in, line, words):
    configure(course, PER_DAY + line)
    hand_in("ada")
    with pytest.raises(UserError, match="the late policy can't be used") as refused:
        run(course)
    assert words in str(refused.value)
    assert not course.gradebook.exists()


def configure(course, text):
    with (course.root / "nbgrader_config.py").open("a") as settings:
        settings.write(text)


def url(course):
    return f"sqlite:///{course.gradebook}"


def late_class(course, hand_in, policy):
    """Students in time, within the grace, late by hours and by days, with more time, and without a time; the
    lesson and its due date are there before anyone's work is, as when they are set by `nbgrader db`."""
    configure(course, policy)
    with Gradebook(url(course), "attention") as gradebook:
        gradebook.update_or_create_assignment(LESSON, duedate=DUE)
    handed_in = {
        "ada": "2025-03-01 18:00:00 UTC",
        "ben": "2025-03-01 18:15:00 UTC",
        "cem": "2025-03-01 20:00:00 UTC",
        "dee": "2025-03-09 12:00:00 UTC",
        "eve": "2025-03-03 20:00:00 UTC",
        "fox": None,
        "gil": "2025-03-01 19:05:00.5 Europe/Berlin",
    }
    for student, timestamp in handed_in.items():
        hand_in(student, double=RIGHT, sum_of_two="sum_of_two = 4", timestamp=timestamp)


def penalties(course):
    found = [json.loads(line) for line in lines(url(course), "submitted notebook")]
    return {row[1]: row[-1] for row in found}


@pytest.mark.parametrize(
    ("policy", "costs"),
    [
        (PER_DAY, {"cem": 0.4, "dee": 2.0, "eve": 0.4}),
        (ZERO, {"ben": 4.0, "cem": 4.0, "dee": 4.0, "eve": 4.0, "gil": 4.0}),
        (OWN, {"ben": 0.25, "cem": 2.0, "dee": 4.0, "eve": 4.0, "gil": pytest.approx(300.5 / 3600)}),
    ],
)
def test_every_way_to_grade_takes_off_the_same(course, hand_in, tmp_path_factory, policy, costs):
    late_class(course, hand_in, policy)
    elsewhere = tmp_path_factory.mktemp("copies")
    nbgraders, formgraders = (copy_of(course, elsewhere / name) for name in ("nbgraders", "formgraders"))
    run(course)
    expected = {**dict.fromkeys(("ada", "ben", "cem", "dee", "eve", "fox", "gil")), **costs}
    assert penalties(course) == expected
    with_nbgrader_autograde(nbgraders)
    assert dump(nbgraders).splitlines() == dump(course).splitlines()
    with_the_formgraders_api(formgraders, ["cem", "dee"])
    of_two = [line for line in lines(url(course), *OF_A_SUBMISSION) if json.loads(line)[1] in ("cem", "dee")]
    assert lines(url(formgraders), *OF_A_SUBMISSION) == of_two


def with_nbgrader_autograde(course):
    config = nbgrader_config(course)
    Autograde(coursedir=CourseDirectory(config=config, assignment_id=LESSON), config=config).start()


def with_the_formgraders_api(course, students):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(course.root)
        api = NbGraderAPI(config=nbgrader_config(course))
        for student in students:
            assert api.autograde(LESSON, student)["success"], student


def test_extra_credit_is_no_reason_to_pay_more_than_was_earned(course, hand_in, tmp_path_factory):
    """nbgrader counts a person's extra credit among the points; so a penalty counts it too, on both ways."""
    late_class(course, hand_in, ZERO)
    run(course)
    with Gradebook(url(course), "attention") as gradebook:
        give(gradebook, "dee", "test_double", None, extra=1.0)
        give(gradebook, "dee", "tell_why", 1.5)
    other = copy_of(course, tmp_path_factory.mktemp("copies") / "other")
    run(course, force=True)
    assert penalties(course)["dee"] == 6.5
    config = nbgrader_config(other)
    directory = CourseDirectory(config=config, assignment_id=LESSON)
    Autograde(coursedir=directory, config=config, force=True).start()
    assert dump(other).splitlines() == dump(course).splitlines()


@pytest.mark.parametrize("change", ["points", "extension", "due date", "policy"])
def test_the_next_run_reckons_penalties_anew_and_grades_nothing_again(course, hand_in, change):
    late_class(course, hand_in, PER_DAY)
    run(course)
    FakeGrader.graded.clear()
    before = penalties(course)
    assert run(course).repriced == []
    with Gradebook(url(course), "attention") as gradebook:
        if change == "points":
            give(gradebook, "dee", "tell_why", 2.0)
        if change == "extension":
            gradebook.grant_extension(LESSON, "dee", days=7)
        if change == "due date":
            gradebook.update_or_create_assignment(LESSON, duedate="2025-03-08 18:00 UTC")
    if change == "policy":
        configure(course, "c.PerDay.most = 0.25\n")
    done = run(course)
    now = penalties(course)
    assert FakeGrader.graded == []
    assert now["dee"] == {"points": 3.0, "extension": 0.4, "due date": 0.4, "policy": 1.0}[change]
    assert sorted(done.repriced) == sorted(student for student in now if now[student] != before[student])
    told = "3 late penalties" if change == "due date" else "1 late penalty"
    assert done.lines()[0] == f"{LESSON}: 0 graded, 7 unchanged, {told} changed"


def test_work_without_a_grade_pays_nothing_when_penalties_are_reckoned_anew(course, hand_in):
    late_class(course, hand_in, ZERO)
    (course.submitted / "dee" / LESSON / f"{LESSON}.ipynb").write_text("{ cut of")
    run(course)
    with Gradebook(url(course), "attention") as gradebook:
        give(gradebook, "dee", "tell_why", 2.0)
    run(course)
    assert penalties(course)["dee"] is None


def test_the_score_and_the_penalty_stay_apart_in_the_gradebook(course, hand_in):
    late_class(course, hand_in, PER_DAY)
    hand_in("dee", double=HALF, timestamp="2025-03-09 12:00:00 UTC")
    run(course)
    with Gradebook(url(course), "attention") as gradebook:
        submission = gradebook.find_submission(LESSON, "dee")
        assert (submission.score, submission.late_submission_penalty) == (1.5, 0.75)


@pytest.mark.parametrize(
    ("written", "utc"),
    [
        ("2025-03-01 18:00 UTC", datetime(2025, 3, 1, 18)),
        ("2025-03-01 18:00", datetime(2025, 3, 1, 18)),
        ("2025-03-01 18:00 Europe/Berlin", datetime(2025, 3, 1, 17)),
        ("2025-07-01 18:00 Europe/Berlin", datetime(2025, 7, 1, 16)),
        ("2025-03-01T18:00+01:00", datetime(2025, 3, 1, 17)),
        ("2025-03-01T18:00:00 -0500", datetime(2025, 3, 1, 23)),
        # traps: an offset after a blank is taken for seconds, a zone that is not known for UTC
        ("2025-03-01 18:00 +0100", datetime(2025, 3, 1, 17, 58, 20)),
        ("2025-07-01 18:00 CEST", datetime(2025, 7, 1, 18)),
    ],
)
def test_due_dates_and_timestamps_are_read_alike(course, hand_in, monkeypatch, written, utc):
    monkeypatch.chdir(course.root)
    NbGraderApp.clear_instance()
    NbGraderApp.launch_instance(["db", "assignment", "add", LESSON, f"--duedate={written}"])
    NbGraderApp.clear_instance()
    with Gradebook(url(course), "attention") as gradebook:
        assert gradebook.find_assignment(LESSON).duedate == utc
    assert submitted_at(hand_in("ada", timestamp=written)) == utc


def test_the_policy_is_settable_by_nbgraders_own_names():
    config = Config({"PerDay": {"share": 0.2, "extra_days": {"ada": 1}}})
    policy = PerDay(config=config)
    assert (policy.share, policy.extra_days) == (0.2, {"ada": 1.0})
