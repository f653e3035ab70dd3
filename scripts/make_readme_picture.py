"""Draw docs/check.png: what `check` shows under a wrong answer, with its real output.

    .venv/bin/python scripts/make_readme_picture.py

Runs CELL in an IPython shell as a notebook would, and puts the cell, the message and the heat maps that come
back above one another.
"""

from __future__ import annotations

import base64
import io
import re
import tempfile
import textwrap
from pathlib import Path

import matplotlib

matplotlib.use("agg")

import matplotlib.image
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from matplotlib.figure import Figure

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "check.png"
DPI = 100  # pixels an inch
LINE = 0.2  # inches
COLUMNS = 104  # characters a line of the message
WIDTH = 9.6  # inches

#: A mistake that many make: the mask comes after the softmax, so the rows no longer sum to 1.
CELL = """\
def causal_weights(S):
    exp_scores = np.exp(S)
    weights = exp_scores / exp_scores.sum(axis=1, keepdims=True)
    return np.tril(weights)


check("causal_weights")"""


def run_as_notebook(cell: str) -> tuple[str, list[bytes]]:
    """Run `cell`; the text of the error it ends with, and the pictures (PNG) that it shows."""
    with tempfile.TemporaryDirectory() as folder:
        InteractiveShell.ipython_dir = folder
        shell = InteractiveShell.instance()
        with capture_output() as captured:
            shell.run_cell("import numpy as np\nfrom attention_lib.check import check")
            result = shell.run_cell(cell)
    if result.error_in_exec is None:
        raise SystemExit(f"{cell}\npassed: the picture is to show a wrong answer")
    html = "".join(output.data.get("text/html", "") for output in captured.outputs)
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    return str(result.error_in_exec), [base64.b64decode(picture) for picture in pictures]


def wrapped(message: str) -> list[str]:
    """The message's lines, broken where a notebook would break them."""
    return [
        piece
        for line in message.splitlines()
        for piece in textwrap.wrap(line, COLUMNS, subsequent_indent=" " * (len(line) - len(line.lstrip())))
        or [""]
    ]


def compose(cell: str, message: str, pictures: list[bytes]) -> Figure:
    """The cell on grey, its message on red as a notebook shows errors, the pictures below."""
    code, text = cell.splitlines(), wrapped(message)
    images = [matplotlib.image.imread(io.BytesIO(picture)) for picture in pictures]
    shown = [min(WIDTH - 0.4, image.shape[1] / DPI) for image in images]
    tall = [width * image.shape[0] / image.shape[1] for width, image in zip(shown, images, strict=True)]
    blocks = [LINE * len(code) + 0.3, *tall, LINE * len(text) + 0.3]
    height = sum(blocks) + 0.1 * (len(blocks) - 1)
    figure = Figure(figsize=(WIDTH, height), facecolor="white")
    top = height
    top = _text_block(figure, code, top, height, "#f3f3f3")
    for image, width, tallness in zip(images, shown, tall, strict=True):
        place = (0.2 / WIDTH, (top - tallness) / height, width / WIDTH, tallness / height)
        axes = figure.add_axes(place)
        axes.imshow(image, aspect="auto")
        axes.axis("off")
        top -= tallness + 0.1
    _text_block(figure, text, top, height, "#fdecea")
    return figure


def _text_block(figure: Figure, lines: list[str], top: float, height: float, colour: str) -> float:
    """Write `lines` from `top` (inches from the bottom) down; where the next block starts."""
    tallness = LINE * len(lines) + 0.3
    axes = figure.add_axes((0, (top - tallness) / height, 1, tallness / height), facecolor=colour)
    axes.set(xlim=(0, WIDTH), ylim=(-tallness, 0), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    for number, line in enumerate(lines):
        axes.text(0.2, -0.25 - LINE * number, line, family="monospace", fontsize=9.5, va="center")
    return top - tallness - 0.1


def main() -> None:
    message, pictures = run_as_notebook(CELL)
    PICTURE.parent.mkdir(exist_ok=True)
    compose(CELL, message, pictures).savefig(PICTURE, dpi=2 * DPI, metadata={"Software": None})
    print(message)
    print(f"{len(pictures)} pictures; wrote {PICTURE}")


if __name__ == "__main__":
    main()
