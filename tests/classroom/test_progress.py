"""What a person sees of a run: the line that moves, the lines in a log, and the summary at the end."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import termios
import threading

import pytest
from tiny_course import LESSON

from autograder.classroom import progress as module
from autograder.classroom.progress import MOST_TOLD, Progress, duration, spoken_rate
from autograder.classroom.results import DAMAGED, GRADER_ERROR, Result
from autograder.classroom.summary import (
    MOST_NAMED,
    Kind,
    LessonRun,
    Trouble,
    overlooked_lines,
    trouble_of,
)
from autograder.wording import columns, fitted, one_line, printable


class Clock:
    """A clock that a test sets."""

    def __init__(self):
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


class Terminal:
    """A pseudo-terminal of some columns, and what was written to it."""

    def __init__(self, width: int):
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
        self.stream = os.fdopen(slave, "w", encoding="utf-8")
        self._read: list[bytes] = []
        self._reader = threading.Thread(target=self._keep_reading)
        self._reader.start()

    def _keep_reading(self) -> None:
        try:
            while part := os.read(self._master, 1 << 16):
                self._read.append(part)
        except OSError:  # what Linux says when the other end is closed
            return

    def written(self) -> str:
        """All that was written; the terminal is closed then."""
        self.close()
        return b"".join(self._read).decode()

    def close(self) -> None:
        if not self.stream.closed:
            self.stream.close()
            self._reader.join()
            os.close(self._master)


@pytest.fixture
def terminal(monkeypatch):
    opened = []

    def make(width):
        opened.append(Terminal(width))
        return opened[-1]

    monkeypatch.setenv("TERM", "xterm")
    yield make
    for one in opened:
        one.close()


def logged(clock, total=4, **options):
    log = io.StringIO()
    return log, Progress(LESSON, total, log, clock=clock, tick=None, **options)


def test_progress_says_how_many_how_fast_how_long_and_who(clock):
    log, progress = logged(clock)
    with progress:
        progress.begin()
        for student, trouble in [("ada", None), ("b\x1b]0;en", "it is \x1b[31mbroken"), ("cem", None)]:
            clock.now += 10
            progress.advance(student, trouble)
        clock.now += 10
        progress.advance("dee")
    assert log.getvalue().splitlines() == [
        f"{LESSON}: 0/4",
        f"{LESSON}: 1/4, 10 s each, 30 s left",
        "b\ufffd]0;en: it is \ufffd[31mbroken",
        f"{LESSON}: 2/4, 10 s each, 20 s left, 1 in trouble, the last b\ufffd]0;en",
        f"{LESSON}: 3/4, 10 s each, 10 s left, 1 in trouble, the last b\ufffd]0;en",
        f"{LESSON}: 4/4 in 40 s, 10 s each, 1 in trouble, the last b\ufffd]0;en",
    ]


def test_a_log_gets_a_line_now_and_then_and_one_at_the_end(clock):
    log, progress = logged(clock, 1000)
    with progress:
        progress.begin()
        for number in range(1000):
            clock.now += 0.03
            progress.advance(f"s{number}")
    lines = log.getvalue().splitlines()
    assert [line.split(": ")[1].split("/")[0] for line in lines] == ["0", "334", "668", "1,000"]
    assert lines[-1] == f"{LESSON}: 1,000/1,000 in 30 s, 33.3 a second"


def test_time_left_goes_by_the_recent_past_after_a_slow_start(clock):
    _, progress = logged(clock, 1000)
    with progress:
        progress.begin()
        clock.now = 300.0
        progress.advance("slow")
        for _ in range(499):
            clock.now += 0.1
            progress.advance("fast")
        clock.now += 0.1
        progress.advance("fast")
    assert progress._told(clock.now)[0] == f"{LESSON}: 501/1,000, 10.0 a second, 50 s left"


def test_getting_ready_counts_in_the_whole_time_and_not_in_the_rate(clock):
    _, progress = logged(clock, 3)
    clock.now = 20.0
    progress.begin()
    clock.now = 21.0
    progress.advance("ada")
    assert progress._told(clock.now)[0] == f"{LESSON}: 1/3, 1.0 a second, 2.0 s left"
    progress.advance("ben")
    progress.advance("cem")
    assert progress._told(clock.now)[0].startswith(f"{LESSON}: 3/3 in 21 s")


def test_what_hangs_makes_the_time_left_longer(clock):
    _, progress = logged(clock, 10)
    progress.begin()
    clock.now = 1.0
    progress.advance("ada")
    told = [progress._told(now)[0] for now in (1.0, 30.0, 300.0)]
    assert [line.split(", ")[-1] for line in told] == ["9.0 s left", "4 min 30 s left", "45 min 0 s left"]


def test_batches_that_come_minutes_apart_still_give_a_rate(clock):
    _, progress = logged(clock, 1000)
    progress.begin()
    for _ in range(20):
        clock.now += 240
        for _ in range(8):
            progress.advance("one")
    clock.now += 120
    rate = progress._rate(clock.now)
    assert rate == pytest.approx(8 / 240, rel=0.15)


def test_the_line_goes_on_while_a_submission_hangs():
    shown = threading.Event()

    class Told(io.StringIO):
        def isatty(self):
            return True

        def write(self, text):
            if self.tell() and text.startswith("\r"):
                shown.set()
            return super().write(text)

    with Progress(LESSON, 2, Told(), tick=0.01):
        assert shown.wait(30)


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (10, "602/1,000"),
        (20, "602/1,000"),
        (40, "602/1,000, 1 min 20 s left"),
        (80, f"{LESSON}: 602/1,000, 5.0 a second, 1 min 20 s left, 1 in trouble"),
        (200, f"{LESSON}: 602/1,000, 5.0 a second, 1 min 20 s left, 1 in trouble, the last student 500"),
    ],
)
def test_the_line_fits_the_terminal_and_is_written_over(terminal, clock, width, line):
    shown = terminal(width)
    with Progress(LESSON, 1000, shown.stream, clock=clock, tick=None) as progress:
        progress.begin()
        for number in range(1000):
            clock.now += 0.2
            progress.advance(f"student {number}", "x" * 300 if number == 500 else None)
    moved = [text for text in re.split(r"[\r\n]+", shown.written()) if re.search(r"\d/1", text)]
    assert len(moved) == 1001
    assert max(map(columns, moved)) < width
    assert moved[602].strip() == line


def test_a_shorter_line_leaves_nothing_of_a_longer_one(terminal, clock):
    shown = terminal(80)
    with Progress(LESSON, 2, shown.stream, clock=clock, tick=None) as progress:
        progress.begin()
        clock.now = 100.0
        progress.advance("ada")
        progress.advance("ben")
    longest, shortest = shown.written().replace("\r\n", "\n").rstrip("\n").split("\r")[-2:]
    assert longest == f"{LESSON}: 1/2, 1 min 40 s each, 1 min 40 s left"
    assert len(shortest) == len(longest)
    assert shortest.strip() == f"{LESSON}: 2/2 in 1 min 40 s, 50 s each"


def test_no_escape_sequence_is_written_to_a_terminal(terminal, clock):
    shown = terminal(80)
    with Progress(LESSON, 1, shown.stream, clock=clock, tick=None) as progress:
        progress.advance("a\x1b[2Jda", "\x1b]0;title\x07")
    assert not set(shown.written()) - {"\r", "\n"} & set(map(chr, range(32)))


def test_a_dumb_terminal_gets_whole_lines(terminal, clock, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    shown = terminal(80)
    with Progress(LESSON, 1, shown.stream, clock=clock, tick=None) as progress:
        progress.advance("ada")
    assert shown.written().split("\r\n") == [f"{LESSON}: 0/1", f"{LESSON}: 1/1 in 0.0 s", ""]


def test_three_hundred_in_trouble_do_not_scroll_the_rest_away(clock):
    log, progress = logged(clock, 1000)
    with progress:
        progress.begin()
        for number in range(1000):
            clock.now += 0.05
            progress.advance(f"s{number}", "broken" if number % 10 < 3 else None)
    lines = log.getvalue().splitlines()
    named = [line for line in lines if line.endswith(": broken")]
    assert named[0] == "s0: broken"
    assert len(named) == MOST_TOLD
    assert sum("counted here" in line for line in lines) == 1
    assert lines[-1].endswith("300 in trouble, the last s992")
    assert len(lines) < 30


def test_nothing_to_do_says_nothing(clock):
    log, progress = logged(clock, 0)
    with progress:
        progress.begin()
    assert log.getvalue() == ""


@pytest.mark.parametrize("gone", ["closed", "full"])
def test_a_reader_that_is_gone_stops_no_run(gone, clock):
    stream = open(os.devnull, "w") if gone == "closed" else open("/dev/full", "w")  # noqa: SIM115
    if gone == "closed":
        stream.close()
        stream.isatty = lambda: False
    done = 0
    with Progress(LESSON, 3, stream, clock=clock, tick=None) as progress:
        for _ in range(3):
            clock.now += 20
            progress.advance("ada", "broken")
            done += 1
    assert done == 3
    if gone == "full":
        with pytest.raises(OSError, match="No space left"):
            stream.close()


def test_a_closed_stderr_stops_no_run(clock, monkeypatch):
    monkeypatch.setattr(module.sys, "stderr", None)
    with Progress(LESSON, 1, clock=clock, tick=None) as progress:
        progress.advance("ada", "broken")
    assert progress._done == 1


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (59.4, "59 s"),
        (61, "1 min 1 s"),
        (3599, "59 min 59 s"),
        (7260, "2 h 1 min"),
    ],
)
def test_lengths_of_time_read_as_a_person_says_them(seconds, said):
    assert duration(seconds) == said


def test_rates_read_as_a_person_says_them():
    assert [spoken_rate(rate) for rate in (12.345, 1.0, 0.25)] == [
        "12.3 a second",
        "1.0 a second",
        "4.0 s each",
    ]


def test_text_is_measured_in_columns():
    assert columns("ada") == 3
    assert columns("李四e\u0301") == 5
    assert fitted("李四王五", 5) == "李四…"
    assert fitted("ada", 3) == "ada"
    assert fitted("adam", 0) == ""


def test_a_line_is_one_line_of_text_alone():
    assert one_line("a\nb\r\nc\td\x00") == "a b c d\ufffd"
    assert one_line("x" * 500, 10) == "x" * 9 + "…"
    assert printable("\u202ea\ud800") == "\ufffda\ufffd"


def verdict(**outcomes):
    return {"exercises": {name: {"outcome": outcome} for name, outcome in outcomes.items()}, "questions": {}}


def without_grade(kind, why="broken"):
    return {"error": why, "kind": kind}


def test_trouble_names_cells_that_were_stopped_and_what_the_grader_failed_on():
    stopped = [{"cell": "cell 3", "why": "ran longer than 30 s"}]
    found = trouble_of("ada", {**verdict(double="grader_error", other="passed"), "stopped": stopped})
    assert found == Trouble("ada", Kind.FAULT, "cell 3: ran longer than 30 s; grader error: double")
    late = trouble_of("ada", verdict(double="timed_out", treble="timed_out"))
    assert late == Trouble("ada", Kind.STOPPED, "timed out: double, treble")
    assert trouble_of("ada", verdict(double="failed")) is None


def test_the_summary_names_who_needs_a_person_by_kind_and_the_gravest_first():
    run = LessonRun(LESSON)
    run.add("ada", Result("ada", LESSON, verdict(double="passed"), "{}"))
    run.add("ben", Result("ben", LESSON, verdict(double="timed_out"), "{}"))
    run.add("cem", Result("cem", LESSON, without_grade(DAMAGED, "no\nnotebook")))
    run.add("dee", Result("dee", LESSON, without_grade(GRADER_ERROR, "OSError: no room")))
    run.add("eli", Result("eli", LESSON, verdict(double="grader_error"), "{}"))
    run.keep("fay", without_grade(DAMAGED))
    run.keep("gus", verdict(double="timed_out"))
    assert run.lines() == [
        f"{LESSON}: 3 graded, 2 unchanged (1 of them without a grade), 2 without a grade",
        f"  {Kind.FAULT.value}",
        "    dee: OSError: no room",
        "    eli: grader error: double",
        f"  {Kind.DAMAGED.value}",
        "    cem: no notebook",
        "    fay: broken",
        f"  {Kind.STOPPED.value}",
        "    ben: timed out: double",
    ]
    assert run.troubled[0] == ("ben", "timed out: double")


def test_the_summary_of_many_troubles_is_short_and_says_where_the_rest_is():
    run = LessonRun(LESSON)
    for number in range(300):
        run.add(f"s{number}", Result("s", LESSON, without_grade(DAMAGED, "x" * 1000)))
    lines = run.lines()
    assert len(lines) == 3 + MOST_NAMED
    assert lines[-1] == f"    and {300 - MOST_NAMED} more: `autograder report` names all"
    assert max(map(len, lines)) <= 204


def test_what_lies_in_the_wrong_place_is_listed_and_bounded():
    assert overlooked_lines([]) == []
    assert overlooked_lines(["submitted/a: a file"]) == [
        "not graded: 1 file or folder in the wrong place",
        "    submitted/a: a file",
    ]
    many = overlooked_lines([f"submitted/{number}: a file" for number in range(1000)])
    assert many[0] == "not graded: 1,000 files and folders in the wrong place"
    assert len(many) == 2 + MOST_NAMED


def test_a_class_on_another_release_is_named_at_the_end_and_not_while_it_is_graded() -> None:
    run = LessonRun(LESSON)
    other = {**verdict(double="passed"), "other_release": "0.0.1-00000000"}
    told = [run.add(student, Result(student, LESSON, other, notebook="{}")) for student in ("ada", "ben")]
    assert told == [None, None]
    assert run.lines()[1:] == [
        f"  {Kind.RELEASE.value}",
        "    ada: release 0.0.1-00000000",
        "    ben: release 0.0.1-00000000",
    ]
    late = trouble_of("ada", {**other, **verdict(double="timed_out"), "other_release": "0.0.1-00000000"})
    assert late == Trouble("ada", Kind.STOPPED, "timed out: double; release 0.0.1-00000000")
