"""A late policy for nbgrader: a share of the points for each day begun, after some minutes of grace.

In nbgrader_config.py:

    c.AssignLatePenalties.plugin_class = "autograder.classroom.late.PerDay"
    c.PerDay.share = 0.1          # 10 % of the points that were earned, for each day begun
    c.PerDay.grace_minutes = 15
    c.PerDay.most = 0.5           # never more than half of them
    c.PerDay.extra_days = {"ada": 2}

`autograder grade`, `nbgrader autograde` and the formgrader's button apply it alike. nbgrader hands a policy
the student, the points and how late the work is, and no lesson, so `extra_days` holds for every lesson. For
one lesson there is nbgrader's own `Gradebook.grant_extension`.
"""

from __future__ import annotations

import math

from nbgrader.plugins import BasePlugin
from traitlets import Dict, Float, Unicode

MINUTE, DAY = 60.0, 24 * 3600.0
#: Three times 0.1 is 0.3 in a gradebook, and no 0.30000000000000004.
DIGITS = 9


class PerDay(BasePlugin):
    """Takes a share of the points for each day begun."""

    share = Float(
        0.1, min=0.0, max=1.0, help="What each day begun costs, of the points that were earned: 0.1 is 10 %"
    ).tag(config=True)
    grace_minutes = Float(
        0.0, min=0.0, help="Work that is late by no more than so many minutes is in time"
    ).tag(config=True)
    most = Float(
        1.0, min=0.0, max=1.0, help="What being late costs at the most, of the points that were earned"
    ).tag(config=True)
    extra_days = Dict(
        key_trait=Unicode(),
        value_trait=Float(min=0.0),
        help="Days by which every lesson's due date is later, by student",
    ).tag(config=True)

    def late_submission_penalty(
        self, student_id: str, score: float, total_seconds_late: float
    ) -> float | None:
        """The points that it costs to be so many seconds late; None for none."""
        days = self.days_begun(student_id, total_seconds_late)
        return round(score * min(self.most, self.share * days), DIGITS) if days else None

    def days_begun(self, student_id: str, seconds: float) -> int:
        """Days begun since the student's own due date; grace that was not enough is no part of them."""
        late = seconds - self.extra_days.get(student_id, 0.0) * DAY
        return 0 if late <= self.grace_minutes * MINUTE else math.ceil(late / DAY)
