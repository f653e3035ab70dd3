"""Text from anywhere, made fit for one line of a terminal, a log or a page."""

from __future__ import annotations

import unicodedata

#: A message longer than this helps nobody; what it quotes can have any length.
MOST_CHARACTERS = 400


def printable(text: str) -> str:
    """`text` for a terminal: control and other invisible characters become a replacement mark."""
    return "".join("\ufffd" if unicodedata.category(letter).startswith("C") else letter for letter in text)


def one_line(text: str, most: int = MOST_CHARACTERS) -> str:
    """`text` without line breaks and control characters, cut to `most` characters."""
    # cut first: a stranger's text can have any length
    line = printable(" ".join(text[: most + 1].replace("\t", " ").splitlines()))
    return line if len(line) <= most else line[: most - 1] + "…"


def counted(count: int, thing: str, things: str | None = None) -> str:
    """`1 file`, `2 files`."""
    return f"{count:,} {thing if count == 1 else things or thing + 's'}"


def columns(text: str) -> int:
    """How many columns of a terminal `text` takes: some letters take two, combining marks none."""
    return sum(map(_columns_of, text))


def fitted(text: str, most: int) -> str:
    """`text`, cut so that it takes `most` columns or fewer."""
    if columns(text) <= most:
        return text
    kept, left = "", most - 1
    for letter in text:
        left -= _columns_of(letter)
        if left < 0:
            break
        kept += letter
    return kept + "…" if most > 0 else ""


def _columns_of(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1
