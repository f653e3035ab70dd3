"""What the instructor sees while a class is graded: one line that moves on a terminal, or lines in a log.

It tells how many are done and how fast of late, how long still, and who is in trouble. It never stops a
run: where nobody reads it any more, it falls silent.
"""

from __future__ import annotations

import io
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self, TextIO

from autograder.wording import columns, fitted, one_line

#: Seconds between lines in a log.
PLAIN_INTERVAL = 10.0
#: Seconds between changes of the line on a terminal.
TERMINAL_INTERVAL = 0.1
#: Seconds between looks at the clock: a submission that hangs must not freeze the line.
TICK = 1.0
#: The rate is that of so many seconds, or of so many submissions where these took longer: time left is told
#: by the recent past, whatever the start was like.
RECENT_SECONDS, RECENT_COUNT = 30.0, 50
#: In so few seconds no rate is told.
SOON = 0.1
#: Troubles that are told as they come. More would scroll away unread: they are counted, and the summary
#: and the report name them.
MOST_TOLD = 10
DEFAULT_COLUMNS = 80


class Progress:
    """Counts the submissions of one lesson. Use it as a context manager: it shows how time goes by."""

    def __init__(
        self,
        lesson: str,
        total: int,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
        tick: float | None = TICK,
    ):
        self._lesson, self._total = lesson, total
        self._stream = stream or sys.stderr or io.StringIO()  # stderr may have been closed
        self._clock, self._tick = clock, tick
        self._terminal = _is_terminal(self._stream)
        self._started = clock()
        self._shown = -PLAIN_INTERVAL
        self._recent: deque[tuple[float, int]] = deque([(self._started, 0)])
        self._done = self._troubled = 0
        self._last = ""
        self._width = 0
        self._busy, self._ended = threading.Lock(), threading.Event()

    def __enter__(self) -> Self:
        if self._total:
            self._refresh()
            if self._tick is not None:
                threading.Thread(target=self._keep_refreshing, args=(self._tick,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def begin(self) -> None:
        """The workers are ready: the rate counts from here."""
        with self._busy:
            self._recent = deque([(self._clock(), self._done)])

    def advance(self, student: str, trouble: str | None = None) -> None:
        """One more submission is recorded; `trouble` says what a person should know about it."""
        with self._busy:
            self._done += 1
            self._recent.append((self._clock(), self._done))
            if trouble:
                self._tell(student, trouble)
        self._refresh()

    def close(self) -> None:
        """Leave the terminal's line as it is and go to the next."""
        self._ended.set()
        with self._busy:
            if self._terminal and self._width:
                self._write("\n")
                self._width = 0

    def _keep_refreshing(self, tick: float) -> None:
        while not self._ended.wait(tick):
            self._refresh()

    def _refresh(self) -> None:
        """Show how things stand, unless that was just shown."""
        interval = TERMINAL_INTERVAL if self._terminal else PLAIN_INTERVAL
        with self._busy:
            now = self._clock()
            if not self._ended.is_set() and (self._done == self._total or now - self._shown >= interval):
                self._shown = now
                self._show(now)

    def _show(self, now: float) -> None:
        told = self._told(now)
        if not self._terminal:
            self._write(told[0] + "\n")
            return
        width = _width(self._stream) - 1
        text = fitted(next((text for text in told if columns(text) <= width), told[-1]), width)
        self._write("\r" + text + " " * (self._width - columns(text)))
        self._width = columns(text)

    def _tell(self, student: str, trouble: str) -> None:
        """Name the first ones in trouble, each in a line."""
        self._troubled += 1
        self._last = one_line(student, 40)
        if self._troubled <= MOST_TOLD:
            self._line(f"{one_line(student, 60)}: {one_line(trouble, 200)}")
        elif self._troubled == MOST_TOLD + 1:
            self._line("More are in trouble: they are counted here, and named in the summary and the report.")

    def _told(self, now: float) -> Sequence[str]:
        """How things stand, from the fullest to the shortest."""
        count = f"{self._done:,}/{self._total:,}"
        if self._done == self._total:
            parts = [f"{count} in {duration(now - self._started)}"]
            rate = rate_of(self._done, now - self._started)
            left: list[str] = []
        else:
            parts, rate = [count], self._rate(now)
            left = [f"{duration((self._total - self._done) / rate)} left"] if rate else []
        speed = [spoken_rate(rate)] if rate else []
        trouble = [f"{self._troubled:,} in trouble"] if self._troubled else []
        last = [f"the last {self._last}"] if self._troubled else []
        named = f"{self._lesson}: {parts[0]}"
        return [
            ", ".join(part)
            for part in (
                [named, *speed, *left, *trouble, *last],
                [named, *speed, *left, *trouble],
                [*parts, *speed, *left, *trouble],
                [*parts, *left, *trouble],
                [*parts, *left],
                parts,
            )
        ]

    def _rate(self, now: float) -> float:
        """Submissions a second of late; what hangs counts as time."""
        while len(self._recent) > RECENT_COUNT and self._recent[1][0] <= now - RECENT_SECONDS:
            self._recent.popleft()
        since, before = self._recent[0]
        return rate_of(self._done - before, now - since)

    def _line(self, text: str) -> None:
        if self._terminal:
            text = "\r" + text + " " * (self._width - columns(text))
        self._write(text + "\n")
        self._width = 0

    def _write(self, text: str) -> None:
        """Where the reader is gone or the disk of the log full, grading goes on unseen."""
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            self._ended.set()


def rate_of(done: int, seconds: float) -> float:
    """How many a second; 0 where it is too soon to tell."""
    return done / seconds if seconds >= SOON else 0.0


def spoken_rate(rate: float) -> str:
    """How fast, as a person says it: `12.3 a second`, or `4.0 s each`."""
    return f"{rate:.1f} a second" if rate >= 1 else f"{duration(1 / rate)} each"


def duration(seconds: float) -> str:
    """A length of time as a person says it."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _is_terminal(stream: TextIO) -> bool:
    """Whether a line on `stream` can be written over."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def _width(stream: TextIO) -> int:
    """The terminal's columns, asked for each time: a person resizes a window."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or DEFAULT_COLUMNS
    except (OSError, ValueError):
        return DEFAULT_COLUMNS
