"""What a notebook's first cell asks: is there anything here that could cost its reader work?"""

from __future__ import annotations

from attention_lib import binder
from attention_lib.release import same_release


def begin(lesson: str, stamp: str) -> None:
    """Say so when this server forgets what is written on it, and when attention_lib is of another release
    than the notebook of `lesson` whose first cell calls this; else say nothing."""
    binder.remind()
    same_release(lesson, stamp)
