"""Ways to points without an answer, one idea each, as edits of an otherwise honest submission.

`ATTACKS` holds them by name, each with its family. `written` gives the notebook of one of them: the
exercises and questions that it attacks hold no right answer, all others hold an honest one. The absolute
path of the course's folder is spelled `COURSE`; a test that grades puts the real one in its place.
"""

from attacks import (
    escaping,
    exhausting,
    ipython,
    leniency,
    outliving,
    patching,
    protocol,
    reading,
    recognising,
    recording,
    tampering,
    writing,
)
from attacks.recipe import ATTACKS, COURSE, FAMILIES, LESSON, Attack, attacks_by, index, text, written

__all__ = [
    "ATTACKS",
    "COURSE",
    "FAMILIES",
    "LESSON",
    "Attack",
    "attacks_by",
    "escaping",
    "exhausting",
    "index",
    "ipython",
    "leniency",
    "outliving",
    "patching",
    "protocol",
    "reading",
    "recognising",
    "recording",
    "tampering",
    "text",
    "writing",
    "written",
]
