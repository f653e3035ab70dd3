"""Ways to points without an answer, one idea each, as edits of an otherwise honest submission.

`ATTACKS` holds them by name. `written` gives the notebook of one of them: the exercises and
questions that it attacks hold no right answer, all others hold an honest one. The absolute path of
the course's folder is spelled `COURSE`; a test that grades puts the real one in its place.
"""

from attacks import forging, harming, ipython, patching, reading
from attacks.recipe import ATTACKS, COURSE, LESSON, Attack, index, written

__all__ = [
    "ATTACKS",
    "COURSE",
    "LESSON",
    "Attack",
    "forging",
    "harming",
    "index",
    "ipython",
    "patching",
    "reading",
    "written",
]
