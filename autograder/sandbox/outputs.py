"""Outputs that came from a student's process, made fit for a notebook that the instructor opens.

Trusted side. Only the output types, keys and MIME types named here pass; all else is dropped. No
HTML, JavaScript or SVG: the instructor's browser would run it.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

TEXT = "text/plain"
#: What a picture's data starts with.
PICTURES = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff"}
MAX_OUTPUTS = 1000
MAX_NAME = 200

# controls, halves of surrogate pairs, and characters that reorder, break or hide the text around them
_UNSEEN = (
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e007f]"
)
_COLOUR = "\x1b\\[[0-9;]{0,20}m"
_COLOUR_OR_UNSEEN = re.compile(f"({_COLOUR})|{_UNSEEN}")
_TORN_COLOUR = re.compile("\x1b(?:\\[[0-9;]{0,20})?\\Z")

Output = dict[str, Any]


class BadOutput(ValueError):
    """No list of outputs, as a child that keeps to the protocol sends it."""


def clean_text(text: str) -> str:
    """`text` without control characters (newline, tab and return stay) and without escape sequences
    other than colours."""
    return "".join(part for part in _COLOUR_OR_UNSEEN.split(text) if part)


def short_text(text: str, length: int) -> str:
    """The beginning of `text`, cleaned, up to `length` characters. Cut before it is cleaned as well, since
    it can have 64 MiB, and never within a colour: half a sequence would swallow what is printed next."""
    return _TORN_COLOUR.sub("", clean_text(text[: 4 * length])[:length])


def clean(outputs: Any) -> list[Output]:
    """Strict nbformat v4 outputs. Raises BadOutput when `outputs` has not the form of any."""
    if not isinstance(outputs, list) or len(outputs) > MAX_OUTPUTS:
        raise BadOutput("expected a list of outputs")
    return [_clean_one(output) for output in outputs]


def _clean_one(output: Any) -> Output:
    match _word(output, "output_type") if isinstance(output, dict) else None:
        case "stream":
            return _stream(output)
        case "display_data" as kind:
            return {"output_type": kind, **_shown(output)}
        case "execute_result" as kind:
            count = output.get("execution_count")
            known = type(count) is int and 0 <= count < 1_000_000
            return {"output_type": kind, "execution_count": count if known else None, **_shown(output)}
        case "error":
            return _error(output)
    raise BadOutput("an output of an unknown type")


def _word(output: Output, key: str) -> str | None:
    """The text under `key`; None for anything else, which might not even let itself be compared."""
    value = output.get(key)
    return value if isinstance(value, str) else None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise BadOutput(f"expected text, found {type(value).__name__}")
    return clean_text(value)


def _stream(output: Output) -> Output:
    name = _word(output, "name")
    if name not in ("stdout", "stderr"):
        raise BadOutput("a stream that is neither stdout nor stderr")
    return {"output_type": "stream", "name": name, "text": _text(output.get("text"))}


def _error(output: Output) -> Output:
    lines = output.get("traceback")
    if not isinstance(lines, list):
        raise BadOutput("a traceback that is no list")
    return {
        "output_type": "error",
        "ename": short_text(_text(output.get("ename")), MAX_NAME),
        "evalue": _text(output.get("evalue")),
        "traceback": [_text(line) for line in lines],
    }


def _shown(output: Output) -> Output:
    data, metadata = output.get("data"), output.get("metadata")
    if not isinstance(data, dict) or not isinstance(metadata, dict):
        raise BadOutput("a display without data")
    kept = {
        mime: data[mime]
        for mime, magic in PICTURES.items()
        if mime in data and _is_picture(data[mime], magic)
    }
    if TEXT in data:
        kept[TEXT] = _text(data[TEXT])
    elif not kept:
        kinds = ", ".join(sorted(str(mime) for mime in data))[:MAX_NAME]
        kept[TEXT] = clean_text(f"[output of type {kinds or 'unknown'} left out]")
    return {"data": kept, "metadata": _about_pictures(metadata, kept)}


def _is_picture(content: Any, magic: bytes) -> bool:
    if not isinstance(content, str):
        return False
    try:
        return base64.b64decode(content.replace("\n", ""), validate=True).startswith(magic)
    except (binascii.Error, ValueError):
        return False


def _about_pictures(metadata: Output, kept: Output) -> Output:
    """Width, height and the text that stands for a picture."""
    about = {}
    for mime in PICTURES:
        entry = metadata.get(mime)
        if mime in kept and isinstance(entry, dict):
            sizes = {key: entry[key] for key in ("width", "height") if _is_size(entry.get(key))}
            texts = {"alt": clean_text(entry["alt"])} if isinstance(entry.get("alt"), str) else {}
            if sizes or texts:
                about[mime] = {**sizes, **texts}
    return about


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 < value < 10_000
