"""The course's pictures. Each is labelled, survives greyscale and colour blindness, and has a text.

Every function draws a figure, shows it under the running cell and returns it. `alt` is the sentence
that a screen reader reads instead of the picture; say what the picture shows, not what it is made of.

The picture is shown as `<img alt="…">`: JupyterLab's own display of a PNG has no alt text, while it
and nbconvert both keep the one of an image in HTML.
"""

from __future__ import annotations

import base64
import html
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from attention_lib import notebook

#: Even steps of lightness from dark to bright, the same for every kind of colour vision.
SIZE_COLOURS = "cividis"
#: White is no difference, black the largest.
DIFFERENCE_COLOURS = "Greys"
#: Okabe and Ito's palette (2008), ordered so that neighbours differ in lightness too.
SERIES_COLOURS = ("#0072B2", "#E69F00", "#000000", "#56B4E9", "#D55E00", "#009E73")
_HATCHES = ("", "///", "...", "xx", "\\\\", "++")
_MARKERS = ("o", "^", "s", "D", "v", "P")
_MOST_NUMBERS = 150
_MOST_TICKS = 40


class Picture(Figure):
    """A figure with an alt text, which a notebook shows once however it is returned."""

    alt: str = ""
    _shown_in: int | None = None

    def to_html(self) -> str:
        """The picture as an HTML image with its alt text."""
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=100, bbox_inches="tight")
        data = base64.b64encode(buffer.getvalue()).decode("ascii")
        return f'<img alt="{html.escape(self.alt)}" src="data:image/png;base64,{data}">'

    def show(self) -> None:
        """Show the picture under the running cell. Does nothing outside a notebook."""
        if notebook.show_html(self.to_html(), f"[picture: {self.alt}]"):
            self._shown_in = notebook.shell().execution_count

    def _ipython_display_(self) -> None:
        # A drawing function has shown the picture already; the cell's last value would show it twice.
        if self._shown_in != notebook.shell().execution_count:
            self.show()


def heat_map(
    matrix: Any,
    row_labels: Sequence[Any] | None = None,
    column_labels: Sequence[Any] | None = None,
    title: str = "",
    alt: str = "",
    *,
    value: str = "weight",
    rows: str = "position i",
    columns: str = "position j",
) -> Picture:
    """Draw `matrix` (n, m), or one row (m,), as colours, with the numbers written in when they fit.

    `value` names what the colours stand for, with its unit; `rows` and `columns` name the axes. Cells
    that hold nan or ±inf are hatched. Raises ValueError unless `matrix` has one or two axes.
    """
    shown = _as_rows(matrix, "matrix")
    if np.ndim(matrix) < 2:
        rows = ""
    width, height = _cells_size(shown.shape)
    figure = _picture(width + 1.9, height + 1.3, alt or _matrix_alt(title or value, shown))
    axes = figure.add_subplot()
    _draw_matrix(axes, shown, _finite_range(shown), SIZE_COLOURS)
    _name_cells(axes, shown.shape, row_labels, column_labels)
    axes.set(title=title, xlabel=columns, ylabel=rows)
    figure.colorbar(axes.images[0], ax=axes, label=value, shrink=0.9 if height > 1.5 else 1.0)
    return _shown(figure)


def compare_heat_maps(expected: Any, yours: Any, title: str = "", alt: str = "") -> Picture:
    """Draw `expected`, `yours` and the size of their difference side by side; (n, m) or (n,), of one shape.

    The first two share one scale of colours. The numbers in the third are yours − expected.
    """
    wanted, given = _as_rows(expected, "expected"), _as_rows(yours, "yours")
    if wanted.shape != given.shape:
        raise ValueError(f"expected has shape {np.shape(expected)}, yours {np.shape(yours)}: they must agree")
    with np.errstate(invalid="ignore", over="ignore"):
        difference = np.where(wanted == given, 0.0, given - wanted)
    width, height = _cells_size(wanted.shape)
    across = np.ndim(expected) == 2 or width < 3.5
    panels = (1, 3) if across else (3, 1)
    size = (3 * width + 3.4, height + 1.2) if across else (width + 1.6, 3 * height + 2.4)
    figure = _picture(*size, alt or _comparison_alt(title, difference))
    axes = figure.subplots(*panels, squeeze=False).ravel()
    common = _finite_range(np.stack([wanted, given]))
    _draw_matrix(axes[0], wanted, common, SIZE_COLOURS)
    _draw_matrix(axes[1], given, common, SIZE_COLOURS)
    size_range = (0.0, _finite_range(np.abs(difference))[1] or 1.0)
    _draw_matrix(axes[2], np.abs(difference), size_range, DIFFERENCE_COLOURS, written=difference)
    for panel, name in zip(axes, ("expected", "yours", "yours − expected"), strict=True):
        _name_cells(panel, wanted.shape, None, None)
        panel.set(title=name, xlabel="column j" if np.ndim(expected) == 2 else "position")
        if np.ndim(expected) == 2:
            panel.set_ylabel("row i")
    figure.colorbar(axes[0].images[0], ax=list(axes[:2]), label="value")
    figure.colorbar(axes[2].images[0], ax=axes[2], label="size of difference")
    figure.suptitle(title)
    return _shown(figure)


def bars(
    values: Any,
    labels: Sequence[Any],
    title: str = "",
    alt: str = "",
    *,
    value: str = "weight",
    across: str = "",
) -> Picture:
    """Draw one bar per label; `values` (n,), or a dict of several such series by name.

    `value` names the axis of the bars, with its unit, `across` the axis of the labels.
    """
    series = _series(values, len(labels), "labels")
    figure = _picture(max(4.0, 1.2 + 0.32 * len(labels) * (1 + len(series))), 3.4, alt or title or value)
    axes = figure.add_subplot()
    thickness = 0.8 / len(series)
    for number, (name, heights) in enumerate(series.items()):
        positions = np.arange(len(labels)) + (number - (len(series) - 1) / 2) * thickness
        drawn = axes.bar(positions, heights, thickness, label=name, edgecolor="black", linewidth=0.6)
        for bar in drawn:
            bar.set(facecolor=SERIES_COLOURS[number % 6], hatch=_HATCHES[number % 6])
        if len(labels) * len(series) <= 24:
            axes.bar_label(drawn, fmt=_short_number, fontsize=8, padding=2)
    axes.margins(y=0.12)
    axes.axhline(0, color="black", linewidth=0.8)
    _ticks(axes, "x", labels)
    axes.set(title=title, ylabel=value, xlabel=across)
    _without_box(axes)
    if len(series) > 1:
        figure.legend(*axes.get_legend_handles_labels(), loc="outside upper right", ncols=len(series))
    return _shown(figure)


def scatter(
    x: Any,
    y: Any,
    labels: Sequence[str] | None = None,
    title: str = "",
    alt: str = "",
    *,
    x_name: str = "x",
    y_name: str = "y",
) -> Picture:
    """Draw the points (x, y), both (n,), and beside each its label where there is room for it.

    `y` may be a dict of several series by name, each with a marker of its own. `x_name` and `y_name`
    name the axes, with their units.
    """
    places = np.asarray(x, dtype=float)
    series = _series(y, len(places), "x")
    figure = _picture(6.4, 4.4, alt or title or f"{y_name} against {x_name}")
    axes = figure.add_subplot()
    for number, (name, heights) in enumerate(series.items()):
        axes.scatter(
            places, heights, s=28, label=name, marker=_MARKERS[number % 6],
            color=SERIES_COLOURS[number % 6], edgecolors="white", linewidths=0.5,
        )  # fmt: skip
    axes.set(title=title, xlabel=x_name, ylabel=y_name)
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
    _without_box(axes)
    if len(series) > 1:
        axes.legend()
    if labels is not None:
        first = next(iter(series.values()))
        _label_points(figure, axes, np.column_stack([places, first]), [str(label) for label in labels])
    return _shown(figure)


def vectors_2d(
    points: Any,
    labels: Sequence[str] | None = None,
    title: str = "",
    alt: str = "",
    *,
    x_name: str = "component 0",
    y_name: str = "component 1",
) -> Picture:
    """Draw the rows of `points` (n, 2) as arrows from the origin, with equal scales on both axes."""
    ends = np.asarray(points, dtype=float)
    if ends.ndim != 2 or ends.shape[1] != 2:
        raise ValueError(f"points has shape {ends.shape}: expected (n, 2), one row per arrow")
    names = [str(label) for label in labels] if labels is not None else [""] * len(ends)
    figure = _picture(4.6, 4.4, alt or title or f"{len(ends)} arrows in the plane")
    axes = figure.add_subplot()
    reach = 1.15 * max(1e-9, float(np.max(np.abs(ends), initial=0.0)))
    for number, (end, name) in enumerate(zip(ends, names, strict=True)):
        head = {"arrowstyle": "-|>", "color": SERIES_COLOURS[number % 6], "lw": 2, "mutation_scale": 16}
        axes.annotate("", end, (0, 0), arrowprops={**head, "shrinkA": 0, "shrinkB": 0})
        axes.annotate(name, end, _outwards(end), textcoords="offset points", ha="center", va="center")
    low, high = np.minimum(ends.min(axis=0, initial=0), 0), np.maximum(ends.max(axis=0, initial=0), 0)
    axes.set(
        xlim=(low[0] - 0.2 * reach, high[0] + 0.2 * reach), ylim=(low[1] - 0.2 * reach, high[1] + 0.2 * reach)
    )
    axes.set(title=title, xlabel=x_name, ylabel=y_name, aspect="equal")
    axes.axhline(0, color="0.5", linewidth=0.8)
    axes.axvline(0, color="0.5", linewidth=0.8)
    axes.grid(alpha=0.3)
    return _shown(figure)


def _picture(width: float, height: float, alt: str) -> Picture:
    """An empty figure of this size in inches. pyplot is left out of it: it would show figures again."""
    figure = Picture(figsize=(min(width, 13.0), min(height, 9.0)), layout="constrained", facecolor="white")
    figure.alt = alt
    return figure


def _shown(figure: Picture) -> Picture:
    figure.show()
    return figure


def _as_rows(matrix: Any, name: str) -> np.ndarray:
    array = np.asarray(matrix, dtype=float)
    if array.ndim not in (1, 2) or array.size == 0:
        raise ValueError(f"{name} has shape {array.shape}: expected (n, m) or (n,), not empty")
    return np.atleast_2d(array)


def _cells_size(shape: tuple[int, ...]) -> tuple[float, float]:
    """Inches across and down for `shape` cells: large enough for a number in each where there are few."""
    cell = 0.52 if shape[0] * shape[1] <= _MOST_NUMBERS else 0.26
    return max(1.6, min(7.0, cell * shape[1])), max(0.6, min(6.0, cell * shape[0]))


def _finite_range(values: np.ndarray) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)


def _draw_matrix(
    axes: Axes,
    values: np.ndarray,
    limits: tuple[float, float],
    colours: str,
    written: np.ndarray | None = None,
) -> None:
    image = axes.imshow(values, cmap=colours, vmin=limits[0], vmax=limits[1], aspect="auto")
    for row, column in np.argwhere(~np.isfinite(values)):
        axes.fill_between([column - 0.5, column + 0.5], row - 0.5, row + 0.5,
                          facecolor="0.92", edgecolor="0.6", hatch="///", linewidth=0)  # fmt: skip
    if values.size <= _MOST_NUMBERS:
        _write_numbers(axes, image, values, values if written is None else written)


def _write_numbers(axes: Axes, image: Any, values: np.ndarray, written: np.ndarray) -> None:
    for (row, column), number in np.ndenumerate(written):
        value = values[row, column]
        red, green, blue, _ = image.cmap(image.norm(value)) if math.isfinite(value) else (1, 1, 1, 1)
        dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
        axes.text(column, row, _short_number(number), ha="center", va="center", fontsize=8,
                  color="white" if dark else "black")  # fmt: skip


def _short_number(value: float) -> str:
    """At most five characters or so: 0.25, −1.3, 1e+03, −∞, nan."""
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0 or (abs(value) < 100 and value == round(value)):
        return f"{value:.0f}".replace("-", "−")
    text = (
        f"{value:.2f}"
        if 0.01 <= abs(value) < 10
        else f"{value:.1f}"
        if 10 <= abs(value) < 1000
        else f"{value:.0e}"
    )
    return text.replace("-", "−")


def _name_cells(
    axes: Axes, shape: tuple[int, ...], rows: Sequence[Any] | None, columns: Sequence[Any] | None
) -> None:
    for labels, count, name in ((rows, shape[0], "row"), (columns, shape[1], "column")):
        if labels is not None and len(labels) != count:
            raise ValueError(f"{len(labels)} {name} labels for {count} {name}s: expected one for each")
    _ticks(axes, "x", columns if columns is not None else range(shape[1]))
    if shape[0] > 1 or rows is not None:
        _ticks(axes, "y", rows if rows is not None else range(shape[0]))
    else:
        axes.set_yticks([])


def _ticks(axes: Axes, axis: str, labels: Sequence[Any]) -> None:
    """One tick per label, or every second, third, … where there are too many to read."""
    step = max(1, math.ceil(len(labels) / _MOST_TICKS))
    texts = [str(label) for label in labels][::step]
    long = axis == "x" and max(map(len, texts), default=0) > 4
    slant = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if long else {}
    (axes.set_xticks if axis == "x" else axes.set_yticks)(range(0, len(labels), step), texts, **slant)


def _series(values: Any, count: int, against: str) -> dict[str, np.ndarray]:
    named = values if isinstance(values, Mapping) else {"": values}
    series = {name: np.asarray(numbers, dtype=float) for name, numbers in named.items()}
    for name, numbers in series.items():
        if numbers.shape != (count,):
            raise ValueError(
                f"the values {name or 'given'} have shape {numbers.shape}: "
                f"expected ({count},), one for each of the {against}"
            )
    return series


def _without_box(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)


def _outwards(end: np.ndarray) -> tuple[float, float]:
    """Where a label goes beside an arrow's tip: 12 points further out."""
    length = math.hypot(end[0], end[1]) or 1.0
    return 12 * end[0] / length, 12 * end[1] / length


def _label_points(figure: Figure, axes: Axes, points: np.ndarray, labels: Sequence[str]) -> None:
    """Write each label beside its point, on the first side where it covers no other label or point.

    A label that finds no place is left out: a picture with fewer words that can be read says more.
    """
    figure.draw_without_rendering()
    taken = [_around(x, y) for x, y in axes.transData.transform(points)]
    frame = axes.get_window_extent()
    for (x, y), label in zip(points, labels, strict=True):
        for across, up, side in ((6, 0, "left"), (-6, 0, "right"), (0, 9, "center"), (0, -9, "center")):
            text = axes.annotate(label, (x, y), (across, up), textcoords="offset points",
                                 ha=side, va="center", fontsize=8)  # fmt: skip
            box = text.get_window_extent()
            if (
                frame.containsx(box.x0)
                and frame.containsx(box.x1)
                and not any(box.overlaps(other) for other in taken)
            ):
                taken.append(box)
                break
            text.remove()


def _around(x: float, y: float) -> Any:
    from matplotlib.transforms import Bbox

    return Bbox.from_bounds(x - 3, y - 3, 6, 6)


def _matrix_alt(title: str, values: np.ndarray) -> str:
    low, high = _finite_range(values)
    return f"Heat map, {values.shape[0]} by {values.shape[1]}: {title}. Values from {low:.3g} to {high:.3g}."


def _comparison_alt(title: str, difference: np.ndarray) -> str:
    off = np.argwhere(np.abs(np.nan_to_num(difference, nan=np.inf)) > 1e-9)
    counted = f"{len(off)} of {difference.size} cells differ"
    return f"Three heat maps, {title}: expected, yours and their difference. {counted}."
