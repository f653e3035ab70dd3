"""What becomes of each file in an archive of submissions: collected, older than another, or not placed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from autograder.classroom.collecting_names import Named, named, uncopied
from autograder.classroom.collecting_people import Find, Nobody, id_problem
from autograder.course import Course
from autograder.judging.restore import Unreadable, grade_id, read
from autograder.library import lesson_names

COLLECTED, OLDER, UNPLACED, OTHER = "collected", "older", "not placed", "no notebook"
#: A notebook is of the lesson that this share of the lesson's cells came from.
ENOUGH = 0.5


@dataclass(frozen=True)
class Line:
    """One file: where it lies, whose it is, what became of it, and why."""

    file: str
    student: str
    what: str
    why: str = ""
    number: str = ""
    #: The later of a student's files is the greater: when its archive was made, the system's number of the
    #: file, the copy's number, and whether it has just the name that it should.
    rank: tuple[float, int, int, bool] = (0.0, 0, 0, False)
    late: bool = False


class Lessons:
    """The released lessons, by the grade ids of their cells."""

    def __init__(self, course: Course):
        names = [name for name in lesson_names(course.solutions) if course.released(name).is_file()]
        self._cells = {name: _grade_ids(course.released(name)) for name in names}

    def of(self, notebook: Path) -> str | None:
        """The lesson that a notebook was made from, whatever it is called; None where nothing tells. Raises
        Unreadable."""
        found = _grade_ids(notebook)
        shares = {name: len(found & cells) / len(cells) for name, cells in self._cells.items() if cells}
        best = max(shares.values(), default=0.0)
        fits = [name for name, share in shares.items() if share == best]
        return fits[0] if best >= ENOUGH and len(fits) == 1 else None


def plan(
    root: Path, files: Iterable[Path], pattern: str, find: Find, lesson: str, lessons: Lessons
) -> dict[Path, Line]:
    """What becomes of `files`, which lie below `root`, when `lesson` is collected."""
    lines = {path: _line(root, path, pattern, find, lesson, lessons) for path in files}
    return _latest(_unclaimed(lines))


def _line(root: Path, path: Path, pattern: str, find: Find, lesson: str, lessons: Lessons) -> Line:
    relative = path.relative_to(root)
    line = Line(str(relative), "", UNPLACED)
    if path.suffix != ".ipynb":
        return replace(line, what=OTHER, why="its name does not end in .ipynb")
    found = _named(pattern, relative.parts)
    if found is None:
        return replace(line, why="not called as this system calls submissions: put it in its place by hand")
    who = find(found)
    if isinstance(who, Nobody):
        return replace(line, why=who.reason)
    stem, copy = uncopied(Path(found.file).stem)
    exact = found.file == f"{lesson}.ipynb"
    rank = (path.stat().st_mtime, found.order, copy, exact)
    line = replace(line, student=who.id, number=found.number, rank=rank, late=found.late)
    if problem := id_problem(who.id):
        return replace(line, why=problem)
    taken, why = _taken(path, stem, lesson, lessons)
    return replace(line, what=COLLECTED if taken else UNPLACED, why=why)


def _named(pattern: str, parts: Sequence[str]) -> Named | None:
    """What a file's path says, from its start or below its archive's folder: students named the rest."""
    tried = (named(pattern, "/".join(parts[start:])) for start in range(min(2, len(parts))))
    return next((found for found in tried if found), None)


def _taken(path: Path, stem: str, lesson: str, lessons: Lessons) -> tuple[bool, str]:
    """Whether a notebook is this lesson's, and what to say of it: its name tells, and its cells."""
    called = stem == lesson
    try:
        told = lessons.of(path)
    except Unreadable as damage:
        return called, damage.reason if called else f"not called {lesson}.ipynb, and {damage.reason}"
    if told == lesson:
        return True, "" if called else f"called {path.name}: its cells are this lesson's"
    if told is not None:
        return False, f"its cells are those of {told}: collect it there"
    if called:
        return True, "few cells of this lesson are left in it"
    return False, f"not called {lesson}.ipynb, and its cells are of no lesson"


def _unclaimed(lines: Mapping[Path, Line]) -> dict[Path, Line]:
    """Two people of the system who were taken for one student: neither's work is placed."""
    numbers = defaultdict(set)
    for line in lines.values():
        if line.student:
            numbers[line.student].add(line.number)
    return {
        path: replace(line, what=UNPLACED, why=_two(line.student, sorted(numbers[line.student])))
        if len(numbers[line.student]) > 1
        else line
        for path, line in lines.items()
    }


def _two(student: str, numbers: list[str]) -> str:
    return f"{' and '.join(numbers)} are different people, and both fit {student}: give each an lms_user_id"


def _latest(lines: Mapping[Path, Line]) -> dict[Path, Line]:
    """Of several notebooks of one student the last one is collected."""
    best: dict[str, Path] = {}
    for path, line in lines.items():
        if line.what == COLLECTED and (
            line.student not in best or line.rank >= lines[best[line.student]].rank
        ):
            best[line.student] = path
    return {
        path: replace(line, what=OLDER, why=f"{lines[best[line.student]].file} is taken for the later one")
        if line.what == COLLECTED and best[line.student] != path
        else line
        for path, line in lines.items()
    }


def _grade_ids(notebook: Path) -> frozenset[str]:
    return frozenset(name for cell in read(notebook).cells if (name := grade_id(cell)))
