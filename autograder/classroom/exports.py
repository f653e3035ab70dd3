"""Grades for Canvas and Moodle: exporters for `nbgrader export`.

    nbgrader export --exporter autograder.classroom.exports.CanvasExporter \\
        --CanvasExporter.roster=canvas_export.csv --to canvas.csv

Both take a file that the system itself exported as `roster`: its rows and columns come back with our scores
in them. Without one they write a file of their own. `docs/lms.md` says which columns they know, and where
these are documented.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from nbgrader.api import Gradebook
from nbgrader.plugins import ExportPlugin
from traitlets import Bool, Dict, Unicode

from autograder.classroom import exports_canvas, exports_moodle
from autograder.classroom.exports_csv import Table, neutral, read_table, write_table
from autograder.classroom.exports_fill import Filled, Rules, fill, other_maximum, unplaced_lessons
from autograder.classroom.exports_layout import Layout
from autograder.classroom.exports_scores import Scores, read_scores
from autograder.library import UserError
from autograder.wording import counted, printable


class LmsExporter(ExportPlugin):
    """What both exporters share: they read the gradebook, fill in scores, and say what found no place."""

    file_name = "grades.csv"
    fixed: frozenset[str] = frozenset()

    roster = Unicode("", help="A file that the system exported, to fill our scores into").tag(config=True)
    columns = Dict(help="Lesson → the roster's column of it, where the names do not tell").tag(config=True)
    zero_missing = Bool(False, help="Give 0 points to who handed in nothing").tag(config=True)
    unfinished = Bool(False, help="Export scores that still wait for a person, as they are").tag(config=True)
    scale = Bool(False, help="Scale points to the maximum that the system has").tag(config=True)
    decimal = Unicode(".", help="The decimal sign").tag(config=True)

    def export(self, gradebook: Gradebook) -> None:
        """Write the file. What the instructor can mend ends the command with one line."""
        try:
            self._export(gradebook)
        except UserError as error:
            if not hasattr(self.parent, "fail"):
                raise
            self.parent.fail(str(error))

    def own_table(self, scores: Scores) -> Table:
        """A table with a row for each student, where the system exported none."""
        raise NotImplementedError

    def layout(self, table: Table, scores: Scores) -> Layout:
        """Which rows and columns of `table` are whose."""
        raise NotImplementedError

    def _export(self, gradebook: Gradebook) -> None:
        scores = read_scores(gradebook, _named(self.assignment), _named(self.student))
        table = read_table(Path(self.roster)) if self.roster else self.own_table(scores)
        layout = self.layout(table, scores)
        filled = fill(table, layout.first, layout.keys, layout.columns, scores, self._rules())
        option = f"c.{type(self).__name__}.columns"
        notes = [*unplaced_lessons(table.name, layout.columns, scores, option), *filled.notes]
        if not self.scale:
            notes += other_maximum(layout.columns, scores)
        self._write(table, layout, filled, notes)

    def _write(self, table: Table, layout: Layout, filled: Filled, notes: Sequence[str]) -> None:
        to = Path(self.to or self.file_name)
        rows = [[row[index] for index in layout.kept] for row in filled.rows]
        write_table(to, rows, table.delimiter)
        for note in (*notes, *_altered(filled, layout)):
            self.log.warning("%s", note)
        lessons = ", ".join(column.lesson for column in layout.columns)
        self.log.info("%s: %s, of %s", to, counted(filled.count, "score"), lessons)

    def _rules(self) -> Rules:
        return Rules(self.zero_missing, self.unfinished, self.scale, self.decimal, frozenset(self.fixed))


class CanvasExporter(LmsExporter):
    """Scores for Canvas's "Import Grades": by default into `canvas.csv`."""

    file_name = "canvas.csv"
    #: Excused, and not assigned to this student.
    fixed = frozenset(("ex", "n/a"))

    def own_table(self, scores: Scores) -> Table:
        return exports_canvas.own_table(scores)

    def layout(self, table: Table, scores: Scores) -> Layout:
        return exports_canvas.layout(table, scores, self.columns)


class MoodleExporter(LmsExporter):
    """Scores for Moodle's gradebook import, or an assignment's grading worksheet: into `moodle.csv`."""

    file_name = "moodle.csv"
    identity = Dict(
        exports_moodle.IDENTITY, help="Columns that tell who a row is: email, number, username, participant"
    ).tag(config=True)

    def own_table(self, scores: Scores) -> Table:
        return exports_moodle.own_table(scores)

    def layout(self, table: Table, scores: Scores) -> Layout:
        return exports_moodle.layout(table, scores, self.columns, self.identity)


def _altered(filled: Filled, layout: Layout) -> Iterator[str]:
    """The keys that a spreadsheet would have run, and that the system will not know as they are now."""
    for row in filled.rows[layout.first :]:
        for index in layout.keys:
            if neutral(row[index]) != row[index]:
                yield f"{printable(row[index])!r} begins like a formula, and was written with ' before it"


def _named(chosen: Sequence[object]) -> list[str]:
    """Names that were given on the command line, where `1` becomes a number."""
    return [str(each) for each in chosen]
