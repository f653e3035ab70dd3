"""What the instructor sees while a class is graded: one line that moves, or plain lines in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

from autograder.wording import printable

#: Seconds between lines where the output is no terminal.
PLAIN_INTERVAL = 10.0
#: Seconds between changes of the line on a terminal.
TERMINAL_INTERVAL = 0.1


class Progress:
    """Counts submissions of one lesson and says how many, how fast, how long still, and who is in trouble."""

    def __init__(
        self,
        lesson: str,
        total: int,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._lesson, self._total = lesson, total
        self._stream = stream or sys.stderr
        self._clock = clock
        self._terminal = self._stream.isatty()
        self._started = self._shown = clock()
        self._done = 0
        self._width = 0

    def advance(self, student: str, trouble: str | None = None) -> None:
        """One more submission is recorded; `trouble` says what a person should know about it."""
        self._done += 1
        if trouble:
            self._line(f"{printable(student)}: {printable(trouble)}")
        interval = TERMINAL_INTERVAL if self._terminal else PLAIN_INTERVAL
        if self._done == self._total or self._clock() - self._shown >= interval:
            self._shown = self._clock()
            self._show()

    def close(self) -> None:
        """Leave the terminal's line as it is and go to the next."""
        if self._terminal and self._width:
            self._stream.write("\n")
            self._width = 0

    def _show(self) -> None:
        elapsed = max(self._clock() - self._started, 1e-9)
        left = elapsed / self._done * (self._total - self._done)
        text = f"{self._lesson}: {self._done}/{self._total}, {self._done / elapsed:.1f} a second"
        text += f", {duration(left)} left" if self._done < self._total else f", {duration(elapsed)}"
        if self._terminal:
            self._stream.write("\r" + text.ljust(self._width))
            self._width = len(text)
        else:
            self._stream.write(text + "\n")
        self._stream.flush()

    def _line(self, text: str) -> None:
        self._stream.write(("\r" + text.ljust(self._width) if self._terminal else text) + "\n")
        self._width = 0


def duration(seconds: float) -> str:
    """A length of time as a person says it."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
