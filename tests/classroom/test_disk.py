"""Full disks and read-only folders: one line that names the file and the remedy, nothing half-written, and
the same end as an undisturbed run once the cause is gone."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from capabilities import bound_by_permissions
from click.testing import CliRunner, Result
from tiny_course import HALF, LESSON, MISTAKEN, RIGHT, InThisProcess

from autograder.classroom import grade as grading
from autograder.classroom import records
from autograder.classroom.feedback import generate_feedback
from autograder.classroom.gradebook import canonical_dump
from autograder.cli import main
from autograder.course import Course
from autograder.files import WRITING, write_whole
from autograder.library import UserError

STUDENTS = {"ada": RIGHT, "ben": HALF, "cem": MISTAKEN, "dee": "", "eli": RIGHT}
#: More than a gradebook needs, and what goes with a notebook is larger still.
ROOM = 1 << 20


@pytest.fixture
def a_class(course, hand_in) -> Course:
    """A class in a folder of its own, below the course."""
    for student, answer in STUDENTS.items():
        folder = hand_in(student, double=answer, tell_why="Because.")
        (folder / "data.bin").write_bytes(b"x" * 20_000)
    (hand_in("fay") / f"{LESSON}.ipynb").write_text("{ not json")
    root = course.root / "class"
    root.mkdir()
    shutil.move(course.submitted, root / "submitted")
    return Course.find(root)


@pytest.fixture
def command(monkeypatch) -> Callable[..., Result]:
    """Run `autograder` with the fake grader, in this process."""
    defaults = {**grading.grade.__kwdefaults__, "make_workers": InThisProcess}
    monkeypatch.setattr(grading.grade, "__kwdefaults__", defaults)

    def run(course: Course, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["--course", str(course.root), *arguments])

    return run


@dataclass(frozen=True)
class Left:
    """What a run left: the gradebook's dump, the graded files, and the verdicts without times."""

    gradebook: list[str]
    files: dict[str, bytes]
    verdicts: list[dict[str, object]]


def left_by(course: Course) -> Left:
    found = [path for path in course.autograded.rglob("*") if path.is_file()]
    return Left(
        canonical_dump(f"sqlite:///{course.gradebook}").splitlines(),
        {str(path.relative_to(course.autograded)): path.read_bytes() for path in found},
        list(records.verdicts(course, LESSON)),
    )


@pytest.fixture
def undisturbed(a_class, command, tmp_path_factory) -> Left:
    """What the class comes to where nothing is in the way."""
    copy = tmp_path_factory.mktemp("undisturbed") / "course"
    shutil.copytree(a_class.home, copy)
    course = Course.find(copy / "class")
    (course.root / ".course_secret").write_text("ab" * 32)
    (a_class.root / ".course_secret").write_text("ab" * 32)
    assert command(course, "grade").exit_code == 0
    return left_by(course)


def assert_one_line(done: Result, *words: str) -> None:
    *progress, line = done.stderr.splitlines()
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    assert not [told for told in progress if "Traceback" in told]
    assert line.startswith("autograder: ")
    for word in words:
        assert word in line


def assert_nothing_half_written(course: Course, whole: Left) -> None:
    """What is there is what an undisturbed run leaves, file by file."""
    for path in course.autograded.rglob("*"):
        if path.is_file() and WRITING not in path.parts:
            assert path.read_bytes() == whole.files[str(path.relative_to(course.autograded))], path
    for path in (course.verdicts / LESSON).glob("*.json"):
        assert json.loads(path.read_text()) in whole.verdicts, path
    assert not list((course.autograded / WRITING).glob("*"))
    assert not list(course.root.rglob(f"*{WRITING}?*"))
    assert not list(course.root.glob(".course_secret?*"))


def mount(*options: str) -> None:
    """Raises pytest's skip where this user may not mount."""
    done = subprocess.run(["mount", *options], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"NOT TESTED: no disk can be mounted here ({done.stderr.strip()}); run this as root")


@pytest.fixture
def unmounting() -> Iterator[Callable[[Path], None]]:
    """Unmount these in the end."""
    places: list[Path] = []
    yield places.append
    for place in reversed(places):
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
def small_disk(a_class, unmounting) -> Course:
    """The class on a disk of its own, of a few megabytes."""
    aside = a_class.home / "aside"
    a_class.root.rename(aside)
    a_class.root.mkdir()
    mount("-t", "tmpfs", "-o", "size=4m", "tmpfs", str(a_class.root))
    unmounting(a_class.root)
    shutil.copytree(aside, a_class.root, dirs_exist_ok=True)
    return a_class


def fill(folder: Path, room: int) -> Path:
    """Leave `room` bytes on the disk; the file that takes the rest."""
    ballast = folder / ".ballast"
    status = os.statvfs(folder)
    ballast.write_bytes(bytes(max(0, status.f_bavail * status.f_frsize - room)))
    return ballast


@pytest.mark.parametrize("room", [0, 4, 12, 40, 120, 200, 236, 260, 300, 340])
def test_a_disk_that_fills_up_stops_the_run_in_one_line_and_the_next_run_ends_the_same(
    small_disk, undisturbed, command, room
):
    """At every size something else is written last: the settings, the gradebook, a notebook, a verdict."""
    (small_disk.root / ".course_secret").write_text("ab" * 32)
    ballast = fill(small_disk.root, room << 10)
    assert_one_line(command(small_disk, "grade"), str(small_disk.root), "room", "same command")
    assert_nothing_half_written(small_disk, undisturbed)
    ballast.unlink()
    assert command(small_disk, "grade").exit_code == 0
    assert left_by(small_disk) == undisturbed


def test_a_disk_that_is_full_when_work_is_graded_again_keeps_the_old_or_nothing(
    small_disk, undisturbed, command
):
    assert command(small_disk, "grade").exit_code == 0
    ballast = fill(small_disk.root, 4096)
    assert_one_line(command(small_disk, "grade", "--force"), "room", "same command")
    assert not list((small_disk.autograded / WRITING).glob("*"))
    ballast.unlink()
    assert command(small_disk, "grade").exit_code == 0
    assert left_by(small_disk).gradebook == undisturbed.gradebook
    assert left_by(small_disk).files == undisturbed.files


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """What every machine can do in place of a small disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [0, 100, 1000, 4096, 18_000, 100_000])
def test_files_that_may_not_grow_stop_the_run_in_one_line(a_class, undisturbed, command, size):
    with no_file_larger_than(size):
        done = command(a_class, "grade")
    assert_one_line(done, str(a_class.root))
    assert_nothing_half_written(a_class, undisturbed)
    assert command(a_class, "grade").exit_code == 0
    assert left_by(a_class) == undisturbed


def test_a_graded_notebook_that_does_not_fit_leaves_nothing_of_itself(a_class, undisturbed, command):
    assert command(a_class, "grade").exit_code == 0
    large = a_class.submitted / "ada" / LESSON / "large.bin"
    large.write_bytes(bytes(2 * ROOM))
    with no_file_larger_than(ROOM):
        done = command(a_class, "grade")
    graded = a_class.autograded / "ada" / LESSON
    assert_one_line(done, f"{graded} can't be written", "File too large", "ulimit -f", "same command again")
    assert not list((a_class.autograded / WRITING).glob("*"))
    assert not (graded / "large.bin").exists()
    large.unlink()
    assert command(a_class, "grade").exit_code == 0
    assert left_by(a_class) == undisturbed


@contextmanager
def without_write_permission(folder: Path) -> Iterator[None]:
    mode = folder.stat().st_mode
    folder.chmod(mode & ~0o222)
    try:
        with bound_by_permissions():
            yield
    finally:
        folder.chmod(mode)


@contextmanager
def mounted_read_only(folder: Path) -> Iterator[None]:
    mount("--bind", str(folder), str(folder))
    try:
        mount("-o", "remount,bind,ro", str(folder))
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


Closing = Callable[[Path], AbstractContextManager[None]]
BOTH_WAYS = pytest.mark.parametrize("closed", [without_write_permission, mounted_read_only])


@pytest.mark.parametrize(
    ("place", "closed"),
    [
        ("autograded", mounted_read_only),
        ("autograded/ada", without_write_permission),
        ("verdicts", mounted_read_only),
        (f"verdicts/{LESSON}", without_write_permission),
        (f"verdicts/{LESSON}", mounted_read_only),
        (".", mounted_read_only),
    ],
)
def test_a_folder_that_is_closed_for_writing_is_named_with_what_to_do(
    a_class, undisturbed, command, place, closed: Closing
):
    assert command(a_class, "grade").exit_code == 0
    with closed(a_class.root / place):
        done = command(a_class, "grade", "--force")
    assert_one_line(done, str(a_class.root / place), "writ", "then run the same command again")
    assert_nothing_half_written(a_class, undisturbed)
    assert command(a_class, "grade").exit_code == 0
    assert left_by(a_class) == undisturbed


@pytest.mark.parametrize("place", ["autograded", "verdicts"])
def test_an_empty_folder_that_is_closed_for_writing_is_named(a_class, undisturbed, command, place):
    (a_class.root / place).mkdir()
    with without_write_permission(a_class.root / place):
        done = command(a_class, "grade")
    assert_one_line(done, str(a_class.root / place), "Permission denied; make it and its folder writable")
    assert command(a_class, "grade").exit_code == 0
    assert left_by(a_class) == undisturbed


@BOTH_WAYS
def test_a_class_folder_that_is_closed_from_the_start_is_named(
    a_class, undisturbed, command, closed: Closing
):
    with closed(a_class.root):
        done = command(a_class, "grade")
    assert_one_line(done, str(a_class.root), "writ", "then run the same command again")
    assert sorted(path.name for path in a_class.root.iterdir()) == [".course_secret", "submitted"]
    assert command(a_class, "grade").exit_code == 0
    assert left_by(a_class) == undisturbed


@BOTH_WAYS
def test_submissions_need_not_be_writable(a_class, undisturbed, command, closed: Closing):
    with closed(a_class.submitted):
        assert command(a_class, "grade").exit_code == 0
    assert left_by(a_class) == undisturbed


def test_a_gradebook_that_is_closed_for_writing_is_named(a_class, undisturbed, command):
    assert command(a_class, "grade").exit_code == 0
    with without_write_permission(a_class.gradebook):
        done = command(a_class, "grade", "--force")
    assert_one_line(done, str(a_class.gradebook), "writable")
    assert command(a_class, "grade").exit_code == 0
    assert left_by(a_class) == undisturbed


@pytest.mark.parametrize("place", ["autograded", "verdicts"])
def test_a_file_in_the_place_of_a_folder_is_named(a_class, undisturbed, command, place):
    (a_class.root / place).write_text("in the way")
    assert_one_line(command(a_class, "grade"), str(a_class.root / place), "in the way: move it away")
    (a_class.root / place).unlink()
    assert command(a_class, "grade").exit_code == 0
    assert left_by(a_class) == undisturbed


@BOTH_WAYS
def test_a_report_that_can_not_be_written_leaves_the_old_one(a_class, command, closed: Closing):
    assert command(a_class, "grade").exit_code == 0
    assert command(a_class, "report").exit_code == 0
    page = (a_class.report / "index.html").read_bytes()
    with closed(a_class.report):
        assert_one_line(command(a_class, "report"), str(a_class.report / "index.html"), "same command again")
    with no_file_larger_than(1000):
        assert_one_line(command(a_class, "report"), "File too large")
    assert [path.name for path in a_class.report.iterdir()] == ["index.html"]
    assert (a_class.report / "index.html").read_bytes() == page


def test_a_report_needs_to_write_nothing_but_its_page(a_class, command):
    assert command(a_class, "grade").exit_code == 0
    a_class.report.mkdir()
    with without_write_permission(a_class.root), without_write_permission(a_class.gradebook):
        assert command(a_class, "report").exit_code == 0
    with mounted_read_only(a_class.root):
        done = command(a_class, "report")
    assert_one_line(done, f"{a_class.report / 'index.html'} can't be written: Read-only file system")


@BOTH_WAYS
def test_feedback_that_can_not_be_written_names_the_cause_and_leaves_no_half_page(
    a_class, command, closed: Closing
):
    assert command(a_class, "grade").exit_code == 0
    assert generate_feedback(a_class, LESSON, "ben") == 1
    with (
        closed(a_class.feedback),
        pytest.raises(UserError, match=r"feedback/ada|Read-only|Permission denied"),
    ):
        generate_feedback(a_class, LESSON, "ada")
    with no_file_larger_than(1000), pytest.raises(UserError, match="File too large"):
        generate_feedback(a_class, LESSON, "ada")
    assert not (a_class.feedback / "ada" / LESSON / f"{LESSON}.html").exists()
    assert generate_feedback(a_class, LESSON, "ada") == 2


def test_what_could_not_be_written_whole_stays_as_it_was(tmp_path):
    write_whole(tmp_path / "page", "old")
    with no_file_larger_than(10), pytest.raises(UserError, match=r"page can't be written: File too large"):
        write_whole(tmp_path / "page", "new" * 100)
    assert (tmp_path / "page").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["page"]


def test_settings_of_a_class_are_written_whole_or_not_at_all(a_class, command):
    """Half a settings file would stop every later run."""
    with no_file_larger_than(80):
        assert command(a_class, "grade").exit_code == 2
    assert not (a_class.root / "nbgrader_config.py").exists()
    assert command(a_class, "grade").exit_code == 0


def test_what_a_killed_run_left_is_taken_away_by_the_next_one(a_class, undisturbed, command):
    for place in (a_class.autograded / WRITING / "abc", a_class.verdicts / LESSON):
        place.mkdir(parents=True)
    (a_class.autograded / WRITING / "abc" / f"{LESSON}.ipynb").write_text("{")
    stale = a_class.verdicts / LESSON / f"{WRITING}abc"
    stale.write_text("{")
    os.utime(stale, (0, 0))
    at_work = a_class.verdicts / LESSON / f"{WRITING}def"
    at_work.write_text("{")
    assert command(a_class, "grade").exit_code == 0
    assert not stale.exists()
    assert at_work.exists(), "another process may be writing it"
    assert not list((a_class.autograded / WRITING).glob("*"))
    assert left_by(a_class) == undisturbed
