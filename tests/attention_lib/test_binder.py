"""On Binder, whose servers are thrown away, a notebook says how to keep the work; elsewhere nothing."""

from __future__ import annotations

import types

import pytest

from attention_lib import binder

#: What a student has to find: the three buttons of jupyter-offlinenotebook, by the words on them.
BUTTONS = ("Download", "Save to browser storage", "Restore from browser storage")


@pytest.fixture
def on_binder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BINDER_REPO_URL", "https://example.org/course")


@pytest.mark.usefixtures("on_binder")
def test_a_notebook_on_binder_shows_the_buttons_that_keep_work(notebook_cell: types.SimpleNamespace) -> None:
    assert binder.remind()
    [shown] = notebook_cell.shown
    assert shown["text/html"].count("<li>") == 3
    for form in shown.values():
        assert "This server forgets." in form
        assert all(button in form for button in BUTTONS)


@pytest.mark.usefixtures("on_binder")
def test_outside_a_notebook_it_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert binder.remind()
    said = capsys.readouterr().out
    assert said.startswith("This server forgets. ")
    assert all(button in said for button in BUTTONS)


@pytest.mark.parametrize("elsewhere", [None, ""])
def test_elsewhere_nothing_is_said(
    elsewhere: str | None,
    notebook_cell: types.SimpleNamespace,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("BINDER_REPO_URL", raising=False)
    if elsewhere is not None:
        monkeypatch.setenv("BINDER_REPO_URL", elsewhere)
    assert not binder.remind()
    assert notebook_cell.shown == []
    assert capsys.readouterr().out == ""
