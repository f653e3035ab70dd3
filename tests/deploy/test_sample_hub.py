"""`make hub` and the set-up of a real one leave alone what is not theirs, and say what is missing."""

from __future__ import annotations

import json
import os
import socket
import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "deploy" / "jupyterhub"))
import places
import sample_hub
import steps


@pytest.fixture
def hub(tmp_path: Path) -> places.Hub:
    """A sample hub in a folder of this test, of which nothing is made yet."""
    return replace(places.SAMPLE, prefix=str(tmp_path), state=str(tmp_path / "state"))


def test_an_account_that_was_there_before_is_left_alone(
    hub: places.Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "user_exists", lambda name: name == "ada")
    monkeypatch.setattr(steps, "group_exists", lambda name: name == hub.instructors)
    with pytest.raises(steps.CantSetUp, match="the account ada, the group formgrade-attention exists"):
        sample_hub.refuse_what_is_not_ours(hub)


def test_accounts_of_an_earlier_sample_are_used_again(
    hub: places.Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "user_exists", lambda name: name in ("ada", "ben"))
    monkeypatch.setattr(steps, "group_exists", lambda name: False)
    sample_hub.made(hub).write_text(json.dumps(["ada", "ben"]))
    sample_hub.refuse_what_is_not_ours(hub)

    sample_hub.made(hub).write_text(json.dumps(["ada"]))
    with pytest.raises(steps.CantSetUp, match="the account ben exists"):
        sample_hub.refuse_what_is_not_ours(hub)


def test_without_a_sample_there_is_nothing_to_remove(
    hub: places.Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "run", lambda *command, **options: pytest.fail(f"ran {command}"))
    kept = Path(hub.prefix, "somebodys.txt")
    kept.touch()
    sample_hub.clean(hub)
    assert kept.exists()


def test_programs_are_kept_for_the_next_time_and_can_be_removed_then(hub: places.Hub) -> None:
    for folder in ("env", "proxy", "state", "exchange"):
        Path(hub.prefix, folder).mkdir()
    sample_hub.made(hub).write_text("[]")
    sample_hub.clean(hub, keep_programs=True)
    assert sorted(path.name for path in Path(hub.prefix).iterdir()) == ["env", "made.json", "proxy"]
    sample_hub.clean(hub)
    assert not Path(hub.prefix).exists()


def test_without_root_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(steps.CantSetUp, match=r"run this as root \(sudo\)"):
        steps.check_machine()


def test_a_port_that_is_taken_is_named(hub: places.Hub) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        with pytest.raises(steps.CantSetUp, match=f"port {taken} is taken"):
            sample_hub.refuse_if_running(replace(hub, port=taken))


@pytest.mark.parametrize(("mode", "refused"), [(0o755, True), (0o711, True), (0o700, False)])
def test_the_answers_must_be_closed_to_students_before_a_real_hub_is_set_up(
    mode: int, refused: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path = Path(os.path.realpath(tmp_path))
    monkeypatch.setattr(steps, "REPOSITORY", tmp_path / "course")
    (tmp_path / "course" / "solutions").mkdir(parents=True)
    # pytest's own folders are closed: what counts here is the repository's mode
    real = Path.stat
    monkeypatch.setattr(
        Path, "stat", lambda path, **how: _open(real(path, **how)) if path in tmp_path.parents else real(path)
    )
    tmp_path.chmod(0o755)
    (tmp_path / "course").chmod(mode)
    if refused:
        with pytest.raises(steps.CantSetUp, match="can read the answers"):
            steps.refuse_an_open_repository()
    else:
        steps.refuse_an_open_repository()


def _open(found: os.stat_result) -> os.stat_result:
    return os.stat_result([found.st_mode | 0o001, *found[1:]])


def test_the_sample_shares_no_folder_and_no_port_with_a_real_hub() -> None:
    def of(hub: places.Hub) -> tuple[set[str], set[int]]:
        folders = {hub.prefix, hub.state, hub.exchange, hub.homes, hub.runtime}
        return folders, {hub.port, hub.hub_port, hub.proxy_port, hub.course_port}

    (sample_folders, sample_ports), (real_folders, real_ports) = of(places.SAMPLE), of(places.REAL)
    assert not sample_folders & real_folders
    assert not sample_ports & real_ports
    assert all(folder.startswith(places.SAMPLE.prefix) for folder in sample_folders)
