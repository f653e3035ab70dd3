"""The cell tags that mean something to the build."""

from __future__ import annotations

#: The cell in which a question's answer is assigned: it is released as `NAME = None`.
QUESTION = "question"
#: A provided cell that shows a known mistake on purpose.
SHOWS_MISTAKE = "shows-mistake"
