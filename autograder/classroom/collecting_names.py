"""How Moodle and Canvas call the files in an archive of submissions.

Moodle, "Download all submissions": a folder for each student (since 3.1), or all files in one. Its code is
`mod/assign/classes/downloader.php` in https://github.com/moodle/moodle; underscores in names become spaces,
and the characters that no file name may have are left out.

    Jane Doe_1234567_assignsubmission_file/01_topic.ipynb
    Jane Doe_1234567_assignsubmission_file_/01_topic.ipynb
    Jane Doe_1234567_assignsubmission_file_01_topic.ipynb
    Participant_1234567_assignsubmission_file_/01_topic.ipynb       anonymous submissions

The number belongs to the student and this one assignment; the grading worksheet has it as `Participant
1234567`.

Canvas, "Download Submissions": all files in one folder. Its code is `lib/content_zipper.rb` in
https://github.com/instructure/canvas-lms; the name is the sortable one in lower case, without what is neither
letter nor digit.

    doejane_12345_6789012_01_topic.ipynb
    doejane_LATE_12345_6789012_01_topic.ipynb
    doejane_12345_6789012_01_topic-1.ipynb                          handed in again under the same name
    anon_a1B2c_6789012_01_topic.ipynb                               anonymous submissions

The first number is the user's (`ID` in Canvas's gradebook), the second the file's: a later one is larger.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

#: Applied to the path below the archive's own folder. The first place that fits counts: what a student
#: calls a file or a folder comes after it, and can't name anybody else.
MOODLE = r"(?P<name>[^/]*?)_(?P<number>\d+)_assignsubmission_[a-z]+(?:_?/|_)(?P<file_id>.+)$"
CANVAS = (
    r"(?P<name>[^/]*?)_?(?:(?:^|(?<=_))(?P<late>LATE)_)?(?:(?P<number>\d+)|anon_(?P<anonymous>[^/_]+))"
    r"_(?P<order>\d+)_(?P<file_id>.+)$"
)
#: What a browser, Canvas or a student's system adds to a name: `x (1)`, `x-1`, `x - Copy`, `x-Copy1`.
COPY = re.compile(r"(?:\s*\((?P<browser>\d+)\)|-(?P<again>\d+)|\s*-\s*Copy\s*(?P<copy>\d*))$", re.IGNORECASE)


@dataclass(frozen=True)
class Named:
    """What a file's name says: who handed it in, what they called it, and which of several is later."""

    name: str
    number: str
    file: str
    order: int = 0
    late: bool = False
    anonymous: bool = False


def named(pattern: str, path: str) -> Named | None:
    """What `path` says by the pattern of its system, None where it does not fit."""
    found = re.match(pattern, path)
    if found is None:
        return None
    groups = found.groupdict()
    return Named(
        name=groups.get("name") or "",
        number=groups.get("number") or groups.get("anonymous") or "",
        file=groups["file_id"].rsplit("/", 1)[-1],
        order=int(groups.get("order") or 0),
        late=bool(groups.get("late")),
        anonymous=bool(groups.get("anonymous")),
    )


def uncopied(stem: str) -> tuple[str, int]:
    """A name without what a copy adds, and the copy's number: `x (1)` is copy 1 of `x`."""
    number = 0
    while found := COPY.search(stem):
        number = max(number, int(next((each for each in found.groups() if each), "1")))
        stem = stem[: found.start()]
    return stem, number


def words(name: str) -> tuple[str, ...]:
    """A person's name as names are compared: `Doe, Jane` and `Jane Doe` are the same, and so are `O'Neil` and
    Moodle's `ONeil`."""
    plain = unicodedata.normalize("NFKC", name).casefold().replace("_", " ").replace(",", " ")
    return tuple(sorted("".join(filter(_is_of_a_word, word)) for word in plain.split()))


def letters(name: str) -> str:
    """A person's name as Canvas writes it: `Doe, Jane` → `doejane`."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return "".join(letter for letter in plain if letter.isalnum())


def _is_of_a_word(letter: str) -> bool:
    return letter.isalnum() or unicodedata.combining(letter) != 0
