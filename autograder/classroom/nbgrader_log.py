"""nbgrader's log, in which it prints a traceback for whatever happens to one submission."""

from __future__ import annotations

import logging
import sys

from nbgrader.converters.base import NbGraderException

from autograder.library import UserError
from autograder.wording import one_line

#: What says all that a person needs in its own words. Anything else keeps its traceback.
TOLD_IN_ONE_LINE = (NbGraderException, UserError, OSError)


class OneLine(logging.Filter):
    """Puts an exception's own words in the place of its traceback, and keeps them in `told`."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def filter(self, record: logging.LogRecord) -> bool:
        error = sys.exc_info()[1]
        if isinstance(error, TOLD_IN_ONE_LINE) and record.getMessage().startswith("Traceback "):
            record.msg, record.args = one_line(str(error)), ()
            self.told.append(record.msg)
        return True


def without_tracebacks(log: logging.Logger) -> OneLine:
    """Let `log` print what is told in one line so, from now on."""
    found = next((one for one in log.filters if isinstance(one, OneLine)), None)
    made = found or OneLine()
    log.addFilter(made)
    return made
