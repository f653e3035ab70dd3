"""The cell tags that mean something to the build."""

from __future__ import annotations

#: The cell in which a question's answer is assigned: it is released as `NAME = None`.
QUESTION = "question"
#: The cell into which a student's own function of an earlier lesson is brought.
BROUGHT = "brought"
#: A provided cell that shows a known mistake on purpose.
SHOWS_MISTAKE = "shows-mistake"
