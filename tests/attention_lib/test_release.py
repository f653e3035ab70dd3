"""A notebook's first cell says when the library is not the one that it was released with."""

from __future__ import annotations

import pytest

from attention_lib import begin
from attention_lib.release import same_release

# The conftest's lesson 01_numbers has the release 0.2.0-3f2a9c81.


@pytest.mark.usefixtures("example_files")
class TestSameRelease:
    def test_of_one_release_nothing_is_said(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert same_release("01_numbers", "0.2.0-3f2a9c81")
        assert capsys.readouterr() == ("", "")

    def test_both_releases_are_named_and_what_to_do(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert not same_release("01_numbers", "0.1.0-77777777")
        said = capsys.readouterr().out
        assert "release 0.1.0 of the course (0.1.0-77777777)" in said
        assert "installed here of 0.2.0 (0.2.0-3f2a9c81)" in said
        assert "take notebook and attention_lib from one release" in said

    def test_a_lesson_that_did_not_change_needs_nothing_done(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert not same_release("01_numbers", "0.1.0-3f2a9c81")
        said = capsys.readouterr().out
        assert "the same in both: go on" in said
        assert "To mend it" not in said

    def test_a_library_without_the_lesson_says_so(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert not same_release("09_later", "0.3.0-00000000")
        assert "a release without this lesson" in capsys.readouterr().out

    def test_a_notebook_begins_with_both_warnings_and_with_none_where_all_is_well(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("BINDER_REPO_URL", raising=False)
        begin("01_numbers", "0.2.0-3f2a9c81")
        assert capsys.readouterr() == ("", "")

        monkeypatch.setenv("BINDER_REPO_URL", "https://example.org/course")
        begin("01_numbers", "0.1.0-77777777")
        said = capsys.readouterr().out
        assert said.index("This server forgets.") < said.index("This notebook is of release 0.1.0")
