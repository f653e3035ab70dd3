"""Temporary folders: who holds them, and that nothing of them stays."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from capabilities import bound_by_permissions

from autograder.sandbox.clock import is_fuller
from autograder.sandbox.scratch import Scratch, remove, sweep


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place for temporary folders where no other run has its own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def nest(folder: Path, depth: int) -> None:
    """Folders in folders, deeper than any path can name."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("deeper", dir_fd=here)
        below = os.open("deeper", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


def test_a_folder_that_nobody_holds_is_cleared_away_by_the_next(temporary: Path) -> None:
    left = Scratch()
    (left.path / "half").write_text("written")
    os.close(left.lock)  # as the kernel does with a process that is killed
    Scratch().remove()
    assert list(temporary.iterdir()) == []


def test_a_folder_in_use_stays_whoever_holds_it(temporary: Path) -> None:
    held = Scratch()
    inherited = os.dup(held.lock)
    os.close(held.lock)
    Scratch().remove()
    assert held.path.exists()
    os.close(inherited)


def test_what_another_program_left_stays(temporary: Path) -> None:
    (temporary / "other-folder").mkdir()
    (temporary / "autograder-link").symlink_to(temporary / "other-folder")
    (temporary / "autograder-file").touch()
    Scratch().remove()
    assert sorted(path.name for path in temporary.iterdir()) == [
        "autograder-file",
        "autograder-link",
        "other-folder",
    ]


def test_removing_takes_nests_closed_folders_and_links_but_not_what_they_lead_to(temporary: Path) -> None:
    kept = temporary / "kept"
    kept.mkdir()
    (kept / "file").touch()
    folder = temporary / "folder"
    (folder / "closed").mkdir(parents=True)
    (folder / "closed" / "file").touch()
    (folder / "closed").chmod(0)
    (folder / "link").symlink_to(kept)
    nest(folder, 3000)
    remove(folder)
    assert not folder.exists()
    assert (kept / "file").exists()


def test_a_nest_deeper_than_a_path_is_more_than_a_folder_may_hold(temporary: Path) -> None:
    nest(temporary, 3000)
    assert is_fuller(temporary, limit=1 << 30)
    remove(temporary / "deeper")
    assert not is_fuller(temporary, limit=1 << 30)


def test_what_is_in_a_closed_folder_counts_as_too_much(temporary: Path) -> None:
    (temporary / "closed").mkdir(mode=0o300)
    with bound_by_permissions():
        assert is_fuller(temporary, limit=1 << 30)
        (temporary / "closed").chmod(0o700)
        assert not is_fuller(temporary, limit=1 << 30)


def test_a_folder_that_another_clears_away_before_it_is_locked_is_replaced(
    temporary: Path, monkeypatch
) -> None:
    made: list[str] = []

    def swept_once(prefix: str) -> str:
        made.append(str(temporary / f"{prefix}{len(made)}"))
        os.mkdir(made[-1])
        if len(made) == 1:
            sweep()
        return made[-1]

    monkeypatch.setattr(tempfile, "mkdtemp", swept_once)
    scratch = Scratch()
    assert (len(made), str(scratch.path)) == (2, made[-1])
    assert scratch.path.is_dir()
    scratch.remove()
