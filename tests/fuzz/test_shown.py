"""Outputs from any plain data: strict, fit to show, the same when cleaned again; or a BadOutput."""

from __future__ import annotations

import sys
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.sandbox import outputs, wire

from .promises import check_cleaning, check_fit_to_show, check_outputs
from .values import OUTPUTS, PLAIN, POINTED, STEADY, TEXT

MUCH_TEXT = TEXT | st.lists(st.sampled_from(POINTED) | st.characters(), max_size=30).map("".join)


@STEADY
@given(OUTPUTS | PLAIN)
def test_whatever_a_child_calls_outputs_is_strict_and_fit_to_show_or_refused(value: Any) -> None:
    check_outputs(value)


@STEADY
@given(OUTPUTS)
def test_what_is_kept_survives_the_wire_as_well(value: Any) -> None:
    check_cleaning(wire.encode(value))


@STEADY
@given(MUCH_TEXT)
def test_cleaned_text_is_fit_to_show_and_stays_as_it_is(text: str) -> None:
    cleaned = outputs.clean_text(text)
    check_fit_to_show(cleaned)
    assert outputs.clean_text(cleaned) == cleaned
    assert all(char in text for char in cleaned)


@STEADY
@given(st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]) | st.sampled_from("\t\r\n")))
def test_text_without_unseen_characters_is_left_alone(text: str) -> None:
    assert outputs.clean_text(text) == text


@STEADY
@given(MUCH_TEXT, st.integers(0, 40))
def test_short_text_is_fit_to_show_and_no_longer_than_asked(text: str, length: int) -> None:
    short = outputs.short_text(text, length)
    check_fit_to_show(short)
    assert len(short) <= length
    assert outputs.clean_text(text[: 4 * length]).startswith(short)


def test_no_control_or_format_character_of_unicode_stays() -> None:
    kinds = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    everything = "".join(
        char for char in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(char) in kinds
    )
    assert len(everything) > 2000
    seen = outputs.clean_text(everything)
    check_fit_to_show(seen)
    assert {"\t", "\n", "\r"} <= set(seen)


@pytest.mark.parametrize("mime", ["text/html", "image/svg+xml", "application/javascript", "text/latex"])
def test_no_mime_type_but_text_and_pictures_stays(mime: str) -> None:
    for content in ("<script>alert(1)</script>", ["<b>"], 1, None):
        shown = {"output_type": "display_data", "data": {mime: content}, "metadata": {mime: {"width": 1}}}
        [cleaned] = outputs.clean([shown])
        assert cleaned["data"] == {"text/plain": f"[output of type {mime} left out]"}
        assert cleaned["metadata"] == {}
