"""What all pictures of the course have in common: colours, alt text, ticks, numbers and labels in them."""

from __future__ import annotations

import base64
import html
import io
import math
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from matplotlib.transforms import Bbox

from attention_lib import notebook

#: Even steps of lightness from dark to bright, the same for every kind of colour vision.
SIZE_COLOURS = "cividis"
#: White is no difference, black the largest.
DIFFERENCE_COLOURS = "Greys"
#: From Okabe and Ito's palette (2008), ordered so that neighbours differ in lightness too.
SERIES_COLOURS = ("#0072B2", "#E69F00", "#000000", "#D55E00", "#56B4E9", "#009E73")
HATCHES = ("", "///", "...", "xx", "\\\\", "++")
MARKERS = ("o", "^", "s", "D", "v", "P")
LINES = ("-", "--", ":", "-.", (0, (6, 1.5, 1, 1.5, 1, 1.5)), (0, (8, 2.5)))

_LARGEST = (13.0, 11.0)  # inches
_CHARACTER = 0.085  # inches, one character of a tick label with its share of the gap
_BESIDE = 1.4  # characters, the room that a tick label needs besides its own
_LINE = 0.2  # inches
_held_back: ContextVar[bool] = ContextVar("held back", default=False)


class Picture(Figure):
    """A figure with an alt text, which a notebook shows once however it is returned."""

    alt: str = ""
    _shown_in: int | None = None

    def to_html(self) -> str:
        """The picture as an HTML image with its alt text."""
        return image(self.alt, self.png())

    def show(self) -> None:
        """Show the picture under the running cell. Does nothing outside a notebook."""
        if notebook.shell() is None:
            return
        png = self.png()
        notebook.show_html(image(self.alt, png), f"[picture: {self.alt}]", png)
        self.mark_as_shown()

    def mark_as_shown(self) -> None:
        """Have the running cell not show the picture again when it is the cell's last value."""
        self._shown_in = notebook.cell_number()

    def png(self) -> str:
        """The picture as PNG in base64."""
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=100, bbox_inches="tight")
        return base64.b64encode(buffer.getvalue()).decode("ascii")

    def _ipython_display_(self) -> None:
        # A drawing function has shown the picture already; the cell's last value would show it twice.
        if self._shown_in != notebook.cell_number():
            self.show()


def picture(width: float, height: float, alt: str) -> Picture:
    """An empty figure of this size in inches. pyplot is left out of it: it would show figures again."""
    size = min(width, _LARGEST[0]), min(height, _LARGEST[1])
    figure = Picture(figsize=size, layout="constrained", facecolor="white")
    figure.alt = alt
    return figure


def image(alt: str, png: str) -> str:
    """HTML of a picture in base64 with its alt text."""
    return f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{png}" style="max-width: 100%">'


def shown(figure: Picture) -> Picture:
    """Show `figure` under the running cell unless pictures are held back, and hand it back."""
    if not _held_back.get():
        figure.show()
    return figure


@contextmanager
def held_back() -> Iterator[None]:
    """Within it drawing functions only draw: whoever asked for the picture shows it."""
    before = _held_back.set(True)
    try:
        yield
    finally:
        _held_back.reset(before)


def finite_range(values: np.ndarray) -> tuple[float, float]:
    """The smallest and the largest finite value, (0, 1) when there is none."""
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)


def draw_matrix(
    axes: Axes,
    values: np.ndarray,
    limits: tuple[float, float],
    colours: str,
    written: np.ndarray | None = None,
) -> None:
    """Draw `values` (n, m) in colours between `limits`, and `written` as numbers; nan and ±inf hatched."""
    image = axes.imshow(values, cmap=colours, vmin=limits[0], vmax=limits[1], aspect="auto")
    for row, column in np.argwhere(~np.isfinite(values)):
        across = [column - 0.5, column + 0.5]
        style = {"facecolor": "0.95", "edgecolor": "0.8", "hatch": "///", "linewidth": 0}
        axes.fill_between(across, row - 0.5, row + 0.5, **style)
    if written is not None:
        _write_numbers(axes, image, values, written)


def _write_numbers(axes: Axes, image: Any, values: np.ndarray, written: np.ndarray) -> None:
    for (row, column), number in np.ndenumerate(written):
        value = values[row, column]
        red, green, blue, _ = image.cmap(image.norm(value)) if math.isfinite(value) else (1, 1, 1, 1)
        colour = "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.5 else "black"
        axes.text(column, row, short_number(number), ha="center", va="center", fontsize=8, color=colour)


def short_number(value: float) -> str:
    """The number in at most six characters: 0.25, −1.30, 427.3, 1204, 3e5, −∞, nan."""
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    size = abs(value)
    if value == round(value) and size < 1e5:
        return f"{value + 0.0:.0f}".replace("-", "−")
    for below, digits in ((0.001, None), (0.01, 3), (10, 2), (1000, 1), (1e5, 0)):
        if size < below and digits is not None:
            return f"{value:.{digits}f}".replace("-", "−")
        if size < below:
            break
    mantissa, exponent = f"{value:.0e}".split("e")
    return f"{mantissa}e{int(exponent)}".replace("-", "−")


def ticks(axes: Axes, axis: str, labels: Sequence[Any], inches: float) -> None:
    """One tick per label along `inches`. Long labels are broken at spaces or, where that is not enough,
    slanted; every second, third, … is left out only where even that is too wide."""
    texts = [str(label) for label in labels]
    room = inches / max(1, len(texts))
    if axis == "x":
        texts = [broken(text, room - _BESIDE * _CHARACTER) for text in texts]
    longest = max((len(line) for text in texts for line in text.split("\n")), default=0)
    width = (longest + _BESIDE) * _CHARACTER
    # Three characters, most often a number, are easier left out than read aslant.
    slanted = axis == "x" and longest > 3 and width > room
    needed = width if axis == "x" and not slanted else _LINE
    step = max(1, math.ceil(needed / room - 0.1))
    style = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if slanted else {}
    (axes.set_xticks if axis == "x" else axes.set_yticks)(range(0, len(texts), step), texts[::step], **style)


def broken(text: str, inches: float) -> str:
    """`text` in lines that fit `inches`, where its words are that short and three lines do."""
    width = int(inches / _CHARACTER)
    lines = textwrap.wrap(text, max(1, width), break_long_words=False)
    fits = 1 < len(lines) <= 3 and max(map(len, lines)) <= width
    return "\n".join(lines) if fits else text


def legend(figure: Figure, axes: Axes, names: Sequence[str]) -> None:
    """Name the series below the axes, where no point or bar can lie under their names. None for one."""
    if len(names) < 2:
        return
    inches = [0.8 + _CHARACTER * len(name) for name in names]
    beside = len(names)
    if sum(inches) > figure.get_figwidth():
        fitting = max(1, int(figure.get_figwidth() / max(inches)))
        beside = math.ceil(len(names) / math.ceil(len(names) / fitting))
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=beside, fontsize=9)


def log_scale(axis: Axis, values: np.ndarray) -> None:
    """Make `axis` logarithmic, in powers of two if all `values` are such, at 1, 2, 5, 10, 20, … where they
    span three decades or less. Linear where none is above 0."""
    drawn = values[np.isfinite(values) & (values > 0)]
    if not drawn.size:
        return
    powers_of_two = bool(np.all(np.frexp(drawn)[0] == 0.5))
    style = {"base": 2} if powers_of_two else {}
    (axis.axes.set_xscale if axis.axis_name == "x" else axis.axes.set_yscale)(
        "log", nonpositive="mask", **style
    )
    short = drawn.max() <= 1000 * drawn.min()
    if short and not powers_of_two:
        # Powers of ten alone would be two or three, too few to read a value off.
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_minor_formatter(NullFormatter())
    if short or powers_of_two:
        axis.set_major_formatter(lambda value, _: f"{value:.7g}")


def make_room(axes: Axes, values: tuple[float, float] | None) -> None:
    """Have the vertical axis hold `values` besides what is drawn."""
    if values is not None:
        axes.update_datalim([(0, value) for value in values], updatex=False)
        axes.autoscale_view(scalex=False)


def without_box(axes: Axes) -> None:
    """Leave only the two axes of a plot's frame."""
    axes.spines[["top", "right"]].set_visible(False)


def label_points(
    figure: Figure, axes: Axes, points: np.ndarray, labels: Sequence[str], others: np.ndarray
) -> None:
    """Write each label beside its point (n, 2), on the first side where it covers no label and no point,
    those of `others` (m, 2) included.

    A label that finds no place is left out: fewer words that can be read say more.
    """
    figure.draw_without_rendering()
    obstacles = np.concatenate([points, others])
    taken = [Bbox.from_bounds(x - 3, y - 3, 6, 6) for x, y in axes.transData.transform(obstacles)]
    frame = axes.get_window_extent()
    for point, label in zip(points, labels, strict=True):
        for offset, side in (((6, 0), "left"), ((-6, 0), "right"), ((0, 9), "center"), ((0, -9), "center")):
            style = {"textcoords": "offset points", "ha": side, "va": "center", "fontsize": 8}
            text = axes.annotate(label, point, offset, **style)
            box = text.get_window_extent()
            inside = frame.containsx(box.x0) and frame.containsx(box.x1)
            if inside and not any(box.overlaps(other) for other in taken):
                taken.append(box)
                break
            text.remove()
