"""CSV files that learning management systems and spreadsheets write, read and written again."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from autograder.files import CantWrite, write_whole
from autograder.library import UserError
from autograder.wording import printable

#: More is no gradebook of a class.
MAX_BYTES = 50_000_000
DELIMITERS = (",", ";", "\t")
#: What makes a spreadsheet take a cell for a formula (OWASP, "CSV Injection"; the wide ones in Japanese and
#: Chinese settings): https://owasp.org/www-community/attacks/CSV_Injection
FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
#: Begins like a formula, and is a login, an address or a phone number: one sign, then letters and digits.
KEY = re.compile(r"[+\-@](\w+(@[\w.-]+)?)?")
NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?")


@dataclass(frozen=True)
class Table:
    """A CSV file: where it came from, its rows of equal width, and what stands between its cells."""

    name: str
    rows: tuple[tuple[str, ...], ...]
    delimiter: str = ","

    @property
    def header(self) -> tuple[str, ...]:
        return tuple(cell.strip() for cell in self.rows[0])


def read_table(path: Path) -> Table:
    """The CSV file at `path`: UTF-8 or UTF-16 with or without a byte-order mark; commas, semicolons or tabs.

    Raises UserError for what can't be read as that, naming the file and the line.
    """
    name = printable(str(path))
    text = _decoded(path, name)
    delimiter = _delimiter(text)
    try:
        read = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        rows = [row for row in read if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise UserError(f"{name}, line {read.line_num}: no CSV ({error}): export it anew") from error
    if not rows:
        raise UserError(f"{name} is empty: expected a CSV file with a row of column names")
    width = max(map(len, rows))
    return Table(name, tuple((*row, *[""] * (width - len(row))) for row in rows), delimiter)


def write_table(path: Path, rows: Iterable[Sequence[str]], delimiter: str = ",") -> None:
    """Write rows as CSV in UTF-8, with no byte-order mark, since Canvas compares its first column's name
    to the letter. Cells that a spreadsheet would run are made text. Raises CantWrite."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(
        [neutral(cell) for cell in row] for row in rows
    )
    write_whole(path, text.getvalue())


def neutral(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula: with an apostrophe before it, where it would be.

    Numbers, a lone dash and keys such as `+49123` or `-kim` stay, since the system looks them up.
    """
    if not FORMULA.match(cell) or NUMBER.fullmatch(cell) or KEY.fullmatch(cell):
        return cell
    return f"'{cell}"


def _decoded(path: Path, name: str) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise CantWrite(path, error, "read") from error
    if len(content) > MAX_BYTES:
        raise UserError(f"{name} is larger than {MAX_BYTES:,} bytes: expected the grades of one class")
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise UserError(
            f"{name} is not UTF-8 (byte {error.start}): export it anew, or save it as 'CSV UTF-8'"
        ) from error


def _delimiter(text: str) -> str:
    """The one that gives the header the most columns."""
    line = text.lstrip("\r\n").splitlines()[:1]
    return max(DELIMITERS, key=lambda each: len(next(csv.reader(line, delimiter=each), [])))
