"""One commit of just the folder's files, the same whoever makes it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from autograder.authoring.bundle import bundle
from autograder.authoring.git_history import commit_folder
from autograder.course import Course
from autograder.library import UserError

from .conftest import needs_git

pytestmark = needs_git

FILES = {"README.md": b"# Hi\n", "data/a.bin": b"\x00\r\n\xff", ".gitignore": b"*.log\n", "kept.log": b"x"}
REFUSES = "#!/bin/sh\nexit 1\n"


def make(folder: Path) -> Path:
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def git(folder: Path, *arguments: str) -> bytes:
    return subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True).stdout


def committed(folder: Path) -> dict[str, bytes]:
    """The files of the commit's tree."""
    names = git(folder, "ls-tree", "-r", "-z", "--name-only", "HEAD").decode().split("\0")[:-1]
    return {name: git(folder, "cat-file", "blob", f"HEAD:{name}") for name in names}


def on_disk(folder: Path) -> dict[str, bytes]:
    names = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in names.items() if not name.startswith(".git/")}


def objects(folder: Path) -> set[str]:
    listed = git(folder, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)")
    return set(listed.decode().split())


def reached(folder: Path) -> set[str]:
    return {line.split()[0] for line in git(folder, "rev-list", "--objects", "HEAD").decode().splitlines()}


def test_the_bundles_history_is_one_commit_of_its_files_and_nothing_else(
    built: Course, tmp_path: Path
) -> None:
    made = bundle(built, tmp_path / "students", git=True)
    folder = tmp_path / "students"

    assert git(folder, "rev-list", "--all").decode().split() == [made.commit]
    assert git(folder, "for-each-ref", "--format=%(refname)").decode().split() == ["refs/heads/main"]
    assert committed(folder) == on_disk(folder)
    assert {Path(name) for name in committed(folder)} == set(made.files)
    assert objects(folder) == reached(folder)
    assert git(folder, "status", "--porcelain", "--ignored") == b""


def test_bytes_and_files_that_a_rule_would_ignore_are_kept(tmp_path: Path) -> None:
    commit_folder(make(tmp_path), "A course", "First")
    assert committed(tmp_path) == FILES


def test_author_date_and_message_are_fixed(tmp_path: Path) -> None:
    commit_folder(make(tmp_path), "A course", "First")
    shown = git(tmp_path, "log", "--format=%an <%ae> %cn <%ce> %aI %cI %s %G?").decode().strip()
    who, when = "A course <course@course.invalid>", "2000-01-01T00:00:00"
    assert shown.replace("+00:00", "").replace("Z", "") == f"{who} {who} {when} {when} First N"


def test_nothing_of_the_persons_git_set_up_takes_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = commit_folder(make(tmp_path / "plain"), "A course", "First")
    home, template = tmp_path / "home", tmp_path / "template"
    for hook in (template / "hooks" / "pre-commit", home / "hooks" / "commit-msg"):
        hook.parent.mkdir(parents=True)
        hook.write_text(REFUSES)
        hook.chmod(0o755)
    (home / ".config" / "git").mkdir(parents=True)
    (home / ".config" / "git" / "ignore").write_text("*.md\n")
    (home / ".config" / "git" / "attributes").write_text(
        "* text=auto eol=crlf working-tree-encoding=UTF-16\n"
    )
    (home / ".gitconfig").write_text(
        "[user]\nname = Me\nemail = me@example.org\nsigningkey = none\n[commit]\ngpgsign = true\n"
        f"[core]\nautocrlf = true\nhooksPath = {home}/hooks\n[init]\ntemplateDir = {template}\n"
        "defaultBranch = trunk\ndefaultObjectFormat = sha256\n"
    )
    for name, value in {
        "HOME": str(home),
        "GIT_DIR": str(tmp_path / "other.git"),
        "GIT_INDEX_FILE": str(tmp_path / "index"),
        "GIT_AUTHOR_NAME": "Me",
        "GIT_AUTHOR_DATE": "2020-02-02T02:02:02",
        "GIT_TEMPLATE_DIR": str(template),
        "TZ": "America/New_York",
    }.items():
        monkeypatch.setenv(name, value)

    found = commit_folder(make(tmp_path / "mine"), "A course", "First")

    assert found == expected
    assert not (tmp_path / "other.git").exists()
    assert not (tmp_path / "mine" / ".git" / "hooks").exists()
    assert (tmp_path / "mine" / ".git" / "HEAD").read_text() == "ref: refs/heads/main\n"


def test_inside_another_repository_it_has_a_history_of_its_own(tmp_path: Path) -> None:
    commit_folder(make(tmp_path), "The private one", "Secret")
    inner = commit_folder(make(tmp_path / "students"), "A course", "First")
    assert git(tmp_path / "students", "rev-list", "--all").decode().split() == [inner]


def test_without_git_it_says_so_before_anything_is_made(
    built: Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    with pytest.raises(UserError, match="--git needs git, which is not installed"):
        bundle(built, tmp_path / "students", git=True)
    assert list(tmp_path.iterdir()) == []


def test_what_git_says_is_passed_on(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"git commit failed: .*empty ident name"):
        commit_folder(make(tmp_path), "", "First")
