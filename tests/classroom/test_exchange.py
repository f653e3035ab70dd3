"""What is handed in through a folder that all can write to: whose it is, and what of it is taken."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest
from nbgrader.auth import Authenticator
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from autograder.classroom import exchange
from autograder.classroom.exchange import NotHandedIn, OwnersCollect, PrivateSubmit, copy_plain

MEGABYTE = 1 << 20
ME = os.getuid()


def folder_of(tmp_path: Path) -> Path:
    folder = tmp_path / "handed_in"
    (folder / "pictures").mkdir(parents=True)
    (folder / "lesson.ipynb").write_text("{}")
    (folder / "pictures" / "mine.png").write_bytes(b"png")
    return folder


def test_plain_files_and_folders_are_copied(tmp_path: Path) -> None:
    copy_plain(folder_of(tmp_path), tmp_path / "copy", MEGABYTE)
    assert (tmp_path / "copy" / "lesson.ipynb").read_text() == "{}"
    assert (tmp_path / "copy" / "pictures" / "mine.png").read_bytes() == b"png"


def test_a_link_to_the_answers_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "solutions.py").write_text("the answers")
    folder = folder_of(tmp_path)
    (folder / "pictures" / "loot.html").symlink_to(tmp_path / "solutions.py")
    with pytest.raises(NotHandedIn, match=r"'loot.html' is a link or can't be read"):
        copy_plain(folder, tmp_path / "copy", MEGABYTE)


def test_a_link_to_a_folder_is_not_followed(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    (folder / "all").symlink_to(tmp_path)
    with pytest.raises(NotHandedIn, match="'all' is a link"):
        copy_plain(folder, tmp_path / "copy", MEGABYTE)
    (tmp_path / "alias").symlink_to(folder)
    with pytest.raises(OSError, match="alias"):
        copy_plain(tmp_path / "alias", tmp_path / "another", MEGABYTE)


def test_a_pipe_does_not_make_the_class_wait(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    os.mkfifo(folder / "pipe")
    with pytest.raises(NotHandedIn, match="'pipe' is neither a file nor a folder"):
        copy_plain(folder, tmp_path / "copy", MEGABYTE)


def test_a_file_of_another_owner_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hard link to it; what its owner is said to be is made up, since root alone could give a file away."""
    folder = folder_of(tmp_path)
    theirs = (folder / "lesson.ipynb").stat().st_ino
    real = os.fstat

    def of_another(descriptor: int) -> os.stat_result:
        found = real(descriptor)
        changed = [*found[:4], ME + 1, *found[5:]]
        return os.stat_result(changed) if found.st_ino == theirs else found

    monkeypatch.setattr(exchange.os, "fstat", of_another)
    with pytest.raises(NotHandedIn, match=r"'lesson\.ipynb' belongs to somebody else"):
        copy_plain(folder, tmp_path / "copy", MEGABYTE)


def test_too_much_is_refused(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    with pytest.raises(NotHandedIn, match="larger than"):
        copy_plain(folder, tmp_path / "small", 4)
    for number in range(exchange.MOST_FILES):
        (folder / str(number)).touch()
    with pytest.raises(NotHandedIn, match="more than 1000 files"):
        copy_plain(folder, tmp_path / "many", MEGABYTE)


def test_folders_without_end_are_refused(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    (folder / "/".join("abcdefghi")).mkdir(parents=True)
    with pytest.raises(NotHandedIn, match="nested more than 8 deep"):
        copy_plain(folder, tmp_path / "copy", MEGABYTE)


# --- through nbgrader's own steps ---


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A course whose exchange and class lie in folders of their own."""
    for folder in ("exchange/tiny/outbound/lesson", "exchange/tiny/inbound", "class/submitted", "cache"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "exchange/tiny/outbound/lesson/lesson.ipynb").write_text("{}")
    (tmp_path / "exchange/tiny/inbound").chmod(0o3733)
    settings = Config()
    settings.CourseDirectory.root = str(tmp_path / "class")
    settings.CourseDirectory.course_id = "tiny"
    settings.CourseDirectory.assignment_id = "lesson"
    settings.Exchange.root = str(tmp_path / "exchange")
    settings.Exchange.cache = str(tmp_path / "cache")
    settings.Exchange.assignment_dir = str(tmp_path / "work")
    return settings


def step(kind: type, config: Config):
    """One of nbgrader's steps, with these settings."""
    return kind(
        coursedir=CourseDirectory(config=config), authenticator=Authenticator(config=config), config=config
    )


def inbound(config: Config, student: str, at: str = "2026-01-01 00:00:00 UTC") -> Path:
    """A folder in the exchange that says it is this student's; the account of this test makes it."""
    folder = Path(config.Exchange.root, "tiny", "inbound", f"{student}+lesson+{at}+x")
    folder.mkdir()
    (folder / "lesson.ipynb").write_text(at)
    (folder / "timestamp.txt").write_text(at)
    return folder


def collected(config: Config) -> dict[str, str]:
    submitted = Path(config.CourseDirectory.root, "submitted")
    return {path.parts[-3]: path.read_text() for path in submitted.glob("*/lesson/lesson.ipynb")}


@pytest.fixture
def me(monkeypatch: pytest.MonkeyPatch) -> str:
    """This test's account, under a student's name; `neighbour` is another account."""
    accounts = {"ada": ME, "neighbour": ME + 1}

    monkeypatch.setattr(exchange.pwd, "getpwnam", lambda name: SimpleNamespace(pw_uid=accounts[name]))
    return "ada"


def test_a_submission_is_closed_to_other_students(config: Config, tmp_path: Path) -> None:
    (tmp_path / "work/lesson").mkdir(parents=True)
    (tmp_path / "work/lesson/lesson.ipynb").write_text("mine")
    step(PrivateSubmit, config).start()
    (folder,) = Path(config.Exchange.root, "tiny", "inbound").iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o770
    assert (folder / "lesson.ipynb").read_text() == "mine"


def test_where_the_course_has_no_group_a_submission_stays_readable_for_it(
    config: Config, tmp_path: Path
) -> None:
    Path(config.Exchange.root, "tiny", "inbound").chmod(0o733)
    (tmp_path / "work/lesson").mkdir(parents=True)
    (tmp_path / "work/lesson/lesson.ipynb").write_text("mine")
    step(PrivateSubmit, config).start()
    (folder,) = Path(config.Exchange.root, "tiny", "inbound").iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o777


def test_a_submission_in_anothers_name_is_not_collected(
    config: Config, me: str, caplog: pytest.LogCaptureFixture
) -> None:
    inbound(config, me)
    inbound(config, "neighbour")
    collect = step(OwnersCollect, config)
    collect.log = logging.getLogger("collecting")
    collect.start()
    assert set(collected(config)) == {me}
    assert "neighbour+lesson+2026-01-01 00:00:00 UTC+x is not collected" in caplog.text


def test_a_forged_later_one_does_not_replace_the_students_own(config: Config, me: str) -> None:
    inbound(config, me, "2026-01-01 00:00:00 UTC")
    forged = inbound(config, me, "2026-01-02 00:00:00 UTC")
    forged.rename(forged.with_name("real"))
    forged.symlink_to(forged.with_name("real"))  # not a folder: it bears the name, and is nobody's submission
    step(OwnersCollect, config).start()
    assert collected(config) == {me: "2026-01-01 00:00:00 UTC"}


def test_one_that_can_not_be_taken_costs_no_other_and_keeps_what_was_there(
    config: Config, me: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange.pwd, "getpwnam", lambda name: SimpleNamespace(pw_uid=ME))
    inbound(config, "ada", "2026-01-01 00:00:00 UTC")
    step(OwnersCollect, config).start()
    bad = inbound(config, "ada", "2026-01-02 00:00:00 UTC")
    (bad / "loot.html").symlink_to("/etc/passwd")
    inbound(config, "zoe", "2026-01-02 00:00:00 UTC")
    config.ExchangeCollect.update = True
    step(OwnersCollect, config).start()
    assert collected(config) == {"ada": "2026-01-01 00:00:00 UTC", "zoe": "2026-01-02 00:00:00 UTC"}
    assert [path.name for path in Path(config.CourseDirectory.root).glob(".collecting-*")] == []


def test_a_newer_one_replaces_what_was_collected(config: Config, me: str) -> None:
    inbound(config, me, "2026-01-01 00:00:00 UTC")
    step(OwnersCollect, config).start()
    inbound(config, me, "2026-01-02 00:00:00 UTC")
    config.ExchangeCollect.update = True
    step(OwnersCollect, config).start()
    assert collected(config) == {me: "2026-01-02 00:00:00 UTC"}
