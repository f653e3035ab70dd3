"""Outputs from a student's process, before the instructor's browser sees them."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from autograder.sandbox.outputs import BadOutput, clean, clean_text, short_text

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n rest").decode()


def shown(data: dict, metadata: dict | None = None) -> dict:
    return {"output_type": "display_data", "data": data, "metadata": metadata or {}}


def error(name: str) -> dict:
    return {"output_type": "error", "ename": name, "evalue": "", "traceback": []}


def test_colours_and_line_breaks_stay_other_controls_go() -> None:
    text = "a\x1b[31mred\x1b[0m\r\n\tb\x1b[2J\x07\x1b]0;title\x07\x00\x9b1m\u202e"
    assert clean_text(text) == "a\x1b[31mred\x1b[0m\r\n\tb[2J]0;title1m"


def test_a_colour_behind_a_control_character_stays_whole() -> None:
    assert clean_text("\x07\x1b[31mred\x1b\x1b[0m") == "\x1b[31mred\x1b[0m"


def test_what_reorders_breaks_or_hides_text_goes() -> None:
    assert clean_text("a\u202eb\u061cc\u2028d\xade\U000e0041f\ud800g\u206ah\ufffbi") == "abcdefghi"


@pytest.mark.parametrize("length", range(3, 9))
def test_text_is_never_cut_within_a_colour(length: int) -> None:
    expected = "red\x1b[31m" if length == 8 else "red"
    assert short_text("red\x1b[31m!", length) == expected
    [output] = clean([error("x" * 193 + "red" + "\x1b[31m!" * 3)])
    assert output["ename"] == "x" * 193 + "red"


def test_html_javascript_and_svg_give_way_to_the_plain_text() -> None:
    data = {
        "text/html": "<script>",
        "application/javascript": "x",
        "image/svg+xml": "<svg/>",
        "text/plain": "frame",
    }
    [output] = clean([shown(data)])
    assert output["data"] == {"text/plain": "frame"}


def test_a_display_of_html_alone_says_what_was_left_out() -> None:
    [output] = clean([shown({"text/html": "<script>"})])
    assert output["data"] == {"text/plain": "[output of type text/html left out]"}


def test_pictures_keep_size_and_alt_text_and_nothing_else() -> None:
    about = {"image/png": {"width": 300, "alt": "weights", "onload": "x", "height": -1}, "evil": 1}
    [output] = clean([shown({"image/png": PNG, "text/plain": "<Figure>"}, about)])
    assert output["data"] == {"image/png": PNG, "text/plain": "<Figure>"}
    assert output["metadata"] == {"image/png": {"width": 300, "alt": "weights"}}


def test_a_picture_that_is_none_is_left_out() -> None:
    html = base64.b64encode(b"<html>").decode()
    for content in (html, "not base64", 5):
        [output] = clean([shown({"image/png": content})])
        assert output["data"] == {"text/plain": "[output of type image/png left out]"}


def test_unknown_keys_of_an_output_are_dropped() -> None:
    [output] = clean([{"output_type": "stream", "name": "stdout", "text": "hi", "extra": "x"}])
    assert output == {"output_type": "stream", "name": "stdout", "text": "hi"}


def test_an_execution_count_that_is_no_count_becomes_none() -> None:
    for count in (True, -1, 10**9, "1"):
        made = {**shown({"text/plain": "1"}), "output_type": "execute_result", "execution_count": count}
        assert clean([made])[0]["execution_count"] is None


@pytest.mark.parametrize(
    "outputs",
    [
        None,
        [1],
        [{"output_type": "update_display_data"}],
        [{"output_type": np.array(["stream", "error"])}],
        [{"output_type": "stream", "name": np.zeros(2), "text": ""}],
        [{"output_type": "stream", "name": "stdin", "text": ""}],
        [{"output_type": "stream", "name": "stdout", "text": b""}],
        [{"output_type": "error", "ename": "E", "evalue": "", "traceback": "no list"}],
        [shown({"text/plain": 5})],
        [{"output_type": "stream", "name": "stdout", "text": ""}] * 1001,
    ],
)
def test_what_no_child_would_send_is_refused(outputs: object) -> None:
    with pytest.raises(BadOutput):
        clean(outputs)
