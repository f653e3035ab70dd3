"""Work out of an LMS's archive: collectors for `nbgrader zip_collect`.

    nbgrader zip_collect 01_dot_product_similarity --force \\
        --collector autograder.classroom.collecting.MoodleCollector

An archive as Moodle or Canvas gives it lies in `downloaded/LESSON/archive/`. Each student's last notebook
goes to `submitted/STUDENT/LESSON/LESSON.ipynb`, and `downloaded/LESSON/collected.csv` says what became of
each file. Nothing is removed: what could not be placed stays in `downloaded/LESSON/extracted/`.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from nbgrader.plugins import FileNameCollectorPlugin
from traitlets import Bool, Unicode

from autograder.classroom import collecting_names, collecting_people
from autograder.classroom.collecting_archives import BoundedExtractor as BoundedExtractor
from autograder.classroom.collecting_names import Named
from autograder.classroom.collecting_people import Handed, Nobody, People
from autograder.classroom.collecting_plan import COLLECTED, OLDER, OTHER, UNPLACED, Lessons, Line, plan
from autograder.classroom.exports_csv import write_table
from autograder.classroom.exports_fill import few
from autograder.classroom.exports_scores import Person
from autograder.course import Course
from autograder.library import UserError
from autograder.wording import counted, one_line

REPORT = "collected.csv"


class LmsCollector(FileNameCollectorPlugin):
    """What both collectors share: nbgrader asks about one file at a time, and which of a student's files
    counts shows when all have been looked at. So all are looked at when the first is asked about."""

    roster = Unicode(
        "",
        help="A CSV file of students (id, first_name, last_name, email, lms_user_id); else the gradebook's",
    ).tag(config=True)

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._lines: dict[Path, Line] | None = None
        self._people = People(())

    def collect(self, submitted_file: str) -> dict[str, Any] | None:
        """Whose a file is, or None where it is not collected."""
        if self._lines is None:
            try:
                self._lines = self._plan()
            except UserError as error:
                self.parent.fail(str(error))
        line = (self._lines or {}).get(Path(submitted_file))
        if line is None or line.what != COLLECTED:
            return None
        lesson = self.parent.coursedir.assignment_id
        return {
            "student_id": line.student,
            "file_id": f"{lesson}.ipynb",
            "timestamp": self.handed_in_at(line),
        }

    def find(self, found: Named) -> Person | Nobody:
        """The student whom a file's name means."""
        raise NotImplementedError

    def handed_in_at(self, line: Line) -> datetime | None:
        """When a file was handed in, in UTC, where anything tells."""
        return None

    def _plan(self) -> dict[Path, Line]:
        directory = self.parent.coursedir
        root = Path(self.parent._format_collect_path(self.parent.extracted_directory))
        self._people = self._known(directory.db_url, directory.course_id)
        self.prepare()
        lessons = Lessons(Course.find(Path(directory.root)))
        files = sorted(path for path in root.rglob("*") if path.is_file())
        lines = plan(root, files, self.named_regexp, self.find, directory.assignment_id, lessons)
        self._report(root.parent / REPORT, list(lines.values()))
        return lines

    def prepare(self) -> None:
        """Read what `find` needs besides the students."""
        if not self._people.all:
            raise UserError(collecting_people.NO_STUDENTS.format(name=type(self).__name__))

    def _known(self, url: str, course_id: str) -> People:
        if self.roster:
            return collecting_people.of_csv(Path(self.roster))
        return collecting_people.of_gradebook(url, course_id)

    def _report(self, path: Path, lines: list[Line]) -> None:
        rows = [(line.file, line.student, line.what, line.why) for line in lines]
        write_table(path, [("file", "student", "what", "why"), *rows])
        for line in lines:
            if line.why and line.what != OTHER:
                say = self.log.warning if line.what == UNPLACED else self.log.info
                say("%s", one_line(f"{line.file}: {line.what}: {line.why}"))
        late = [line.student for line in lines if line.late and line.what == COLLECTED]
        if late:
            self.log.warning("handed in late, and no time is known: %s", few(late))
        counts = [
            (sum(line.what == what for line in lines), what) for what in (COLLECTED, OLDER, UNPLACED, OTHER)
        ]
        told = ", ".join(f"{count} {what}" for count, what in counts)
        self.log.info("%s: %s; %s", counted(len(lines), "file"), told, path)


class MoodleCollector(LmsCollector):
    """Collects from "Download all submissions", in folders or not."""

    named_regexp = Unicode(collecting_names.MOODLE, help="How Moodle calls a file").tag(config=True)
    worksheet = Unicode(
        "", help="The assignment's grading worksheet: tells addresses for numbers, and when work came in"
    ).tag(config=True)
    timezone = Unicode("UTC", help="The time zone of the worksheet, Europe/Berlin for example").tag(
        config=True
    )
    anonymous = Bool(False, help="Take participant numbers for student ids: participant-1234567").tag(
        config=True
    )

    def prepare(self) -> None:
        self._handed: dict[str, Handed] = {}
        if self.worksheet:
            self._handed = collecting_people.worksheet(Path(self.worksheet), _zone(self.timezone))
        if not self.anonymous:
            super().prepare()

    def find(self, found: Named) -> Person | Nobody:
        if self.anonymous:
            return Person(f"participant-{found.number}")
        return self._people.in_moodle(found, self._handed)

    def handed_in_at(self, line: Line) -> datetime | None:
        row = self._handed.get(line.number)
        return row.at if row else None


class CanvasCollector(LmsCollector):
    """Collects from "Download Submissions". Canvas tells no times; a student's last file is all it holds."""

    named_regexp = Unicode(collecting_names.CANVAS, help="How Canvas calls a file").tag(config=True)

    def find(self, found: Named) -> Person | Nobody:
        return self._people.in_canvas(found)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UserError(f"timezone is {name!r}, expected a name such as Europe/Berlin") from error
