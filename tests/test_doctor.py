"""`autograder doctor`: an instructor learns which walls are up, why one is not, and what to do about it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import lesser_kernel
import pytest

from autograder.doctor import WIDTH, lines
from autograder.sandbox.isolation import BASE, NAMESPACES, PROCESSES, Layer

ALL = (*BASE, NAMESPACES, PROCESSES)


def told(*gone: str, why: str = "refused", settings: Path = Path("/nonexistent")) -> str:
    """What doctor says of a machine that lacks the layers `gone`, in one line."""
    layers = [Layer(name, name not in gone, why if name in gone else "it holds") for name in ALL]
    return " ".join(" ".join(lines(layers, settings)).split())


def doctor_on(kernel: str | None) -> tuple[int, str]:
    """The command itself, on such a kernel."""
    filtered = [sys.executable, lesser_kernel.__file__, kernel] if kernel else []
    command = [*filtered, sys.executable, "-m", "autograder.cli", "doctor"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    return done.returncode, " ".join(done.stdout.split())


def test_every_layer_is_named_with_its_state_and_the_reason() -> None:
    said = told("landlock", why="the kernel is too old")
    for name in BASE:
        assert f"missing {name}" in said if name == "landlock" else f"in force {name}" in said
    assert "the kernel is too old" in said


@pytest.mark.parametrize("name", ALL)
def test_every_missing_layer_comes_with_something_to_do(name: str) -> None:
    assert "->" in told(name)
    assert "->" not in told()


@pytest.mark.parametrize(
    ("setting", "value", "remedy"),
    [
        ("user/max_user_namespaces", "0", "sysctl user.max_user_namespaces=15000"),
        ("kernel/unprivileged_userns_clone", "0", "sysctl kernel.unprivileged_userns_clone=1"),
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "apparmor_restrict_unprivileged_userns=0"),
    ],
)
def test_the_setting_that_keeps_namespaces_away_is_named(
    setting: str, value: str, remedy: str, tmp_path: Path
) -> None:
    path = tmp_path / setting
    path.parent.mkdir()
    path.write_text(f"{value}\n")
    assert remedy in told(NAMESPACES, settings=tmp_path)
    path.write_text("7\n")
    assert remedy not in told(NAMESPACES, settings=tmp_path)


def test_the_outcome_says_whether_grading_works() -> None:
    assert "Grading works here, with every wall up." in told()
    assert "Grading works here, on the base tier" in told(NAMESPACES, PROCESSES)
    refused = told("landlock", "seccomp")
    assert "Grading is refused here: without landlock and seccomp" in refused
    assert "--unsafe" in refused
    assert "--unsafe" not in told(NAMESPACES)


@pytest.mark.parametrize(("user", "warned"), [(0, True), (1000, False)])
def test_root_is_told_to_grade_under_another_account(
    user: int, warned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    assert ("under an account of its own" in told()) == warned


def test_no_line_is_wider_than_a_terminal() -> None:
    layers = [Layer(name, False, "a reason that is rather long, " * 9) for name in ALL]
    assert max(map(len, lines(layers))) <= WIDTH


def test_on_another_system_the_one_reason_is_given() -> None:
    said = " ".join(lines([Layer("linux", False, "grading is for Linux, this is darwin: see README.md")]))
    assert "grading is for Linux, this is darwin" in said
    assert "Grading is refused here" in said


def test_this_machine_can_grade() -> None:
    code, said = doctor_on(None)
    assert (code, "Grading works here" in said) == (0, True)


def test_in_an_unprivileged_container_the_container_is_named() -> None:
    code, said = doctor_on("container")
    assert (code, "on the base tier" in said) == (0, True)
    assert "this process is under a seccomp filter already, most likely a container's" in said


@pytest.mark.parametrize("layer", ["landlock", "seccomp"])
def test_below_the_base_tier_the_exit_code_says_so_too(layer: str) -> None:
    code, said = doctor_on(f"no-{layer}")
    assert code == 1
    assert f"missing {layer}" in said
    assert f"Grading is refused here: without {layer}" in said
