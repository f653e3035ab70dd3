"""The course's pictures. Each is labelled, survives greyscale and colour blindness, and has a text.

Every function draws a figure, shows it under the running cell and returns it. `alt` is the sentence
that a screen reader reads instead of the picture; say what the picture shows, not what it is made of.

The picture is shown as `<img alt="…">`: JupyterLab's own display of a PNG has no alt text, while it
and nbconvert both keep the one of an image in HTML.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from attention_lib.interactive import slider as slider
from attention_lib.matrices import (
    ACROSS,
    as_rows,
    cells_size,
    comparison_alt,
    has_room,
    labels_by_shape,
    matrices_alt,
    matrix_alt,
    name_cells,
    panels_in_rows,
    scale,
    shared_cell,
    three_panels,
)
from attention_lib.picture import (
    DIFFERENCE_COLOURS,
    HATCHES,
    LINES,
    MARKERS,
    SERIES_COLOURS,
    SIZE_COLOURS,
    Picture,
    broken,
    draw_matrix,
    finite_range,
    label_points,
    legend,
    log_scale,
    make_room,
    picture,
    short_number,
    shown,
    ticks,
    without_box,
)

_MOST_MARKERS = 25


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
    that hold nan or ±inf are hatched; True and False are drawn as 1 and 0. Raises ValueError unless
    `matrix` has one or two axes.
    """
    cells = as_rows(matrix, "matrix")
    width, height = cells_size(cells.shape)
    figure = picture(width + 1.9, height + 1.3, alt or matrix_alt(title or value, cells))
    axes = figure.add_subplot()
    limits, bar_ticks = scale([matrix])
    draw_matrix(axes, cells, limits, SIZE_COLOURS, cells if has_room(cells.shape) else None)
    name_cells(axes, cells.shape, row_labels, column_labels)
    axes.set(title=title, xlabel=columns, ylabel=rows if np.ndim(matrix) == 2 else "")
    figure.colorbar(axes.images[0], ax=axes, label=value, ticks=bar_ticks)
    return shown(figure)


def heat_maps(
    matrices: Mapping[str, Any],
    row_labels: Sequence[Any] | None = None,
    column_labels: Sequence[Any] | None = None,
    title: str = "",
    alt: str = "",
    *,
    value: str = "weight",
    rows: str = "position i",
    columns: str = "position j",
) -> Picture:
    """Draw several matrices, each (n, m) or (m,) and under its own title, on one scale of colours.

    Four stand side by side, the next four below. Neighbours with as many rows or columns share the
    labels at the left and at the bottom. The shapes may differ: labels then name the cells of those
    matrices that have as many rows or columns. The rest is as in `heat_map`. Raises ValueError for labels
    that fit no matrix.
    """
    cells = {name: as_rows(matrix, f"the matrix {name!r}") for name, matrix in matrices.items()}
    if not cells:
        raise ValueError("there is no matrix to draw: expected a dict of one or more, each under its title")
    shapes = [values.shape for values in cells.values()]
    row_names = labels_by_shape(row_labels, [shape[0] for shape in shapes], "row")
    column_names = labels_by_shape(column_labels, [shape[1] for shape in shapes], "column")
    cell, written = shared_cell(list(cells.values()))
    sizes = [cells_size(shape, cell) for shape in shapes]
    figure, panels = panels_in_rows(sizes, alt or matrices_alt(title or value, cells))
    limits, bar_ticks = scale(list(matrices.values()))
    for number, (name, values) in enumerate(cells.items()):
        panel, beside, below = panels[number], number - 1, number + ACROSS
        draw_matrix(panel, values, limits, SIZE_COLOURS, values if written else None)
        name_cells(panel, values.shape, row_names[number], column_names[number], sizes[number])
        panel.set(title=broken(name, sizes[number][0]), xlabel=columns)
        panel.set(ylabel=rows if np.ndim(matrices[name]) == 2 else "")
        if number % ACROSS and shapes[beside][0] == values.shape[0]:
            panel.set(yticks=[], ylabel="")
        if below < len(shapes) and shapes[below][1] == values.shape[1]:
            panel.set(xticks=[], xlabel="")
    figure.colorbar(panels[0].images[0], ax=panels, label=value, ticks=bar_ticks, pad=0.02, aspect=30)
    figure.suptitle(title)
    return shown(figure)


def compare_heat_maps(expected: Any, yours: Any, title: str = "", alt: str = "") -> Picture:
    """Draw `expected`, `yours` and the size of their difference; (n, m) or (n,), of one shape.

    The first two share one scale of colours. The numbers in the third are yours − expected.
    Raises ValueError when the shapes differ.
    """
    wanted, given = as_rows(expected, "expected"), as_rows(yours, "yours")
    if wanted.shape != given.shape:
        raise ValueError(f"expected has shape {np.shape(expected)}, yours {np.shape(yours)}: they must agree")
    with np.errstate(invalid="ignore", over="ignore"):
        difference = np.where((wanted == given) | (np.isnan(wanted) & np.isnan(given)), 0.0, given - wanted)
    figure, panels = three_panels(wanted.shape, alt or comparison_alt(title, difference))
    common, _ = scale([wanted, given])
    largest = finite_range(np.abs(difference))[1] or 1.0
    written = [wanted, given, difference] if has_room(wanted.shape) else [None] * 3
    draw_matrix(panels[0], wanted, common, SIZE_COLOURS, written[0])
    draw_matrix(panels[1], given, common, SIZE_COLOURS, written[1])
    draw_matrix(panels[2], np.abs(difference), (0.0, largest), DIFFERENCE_COLOURS, written[2])
    for panel, name in zip(panels, ("expected", "yours", "yours − expected"), strict=True):
        name_cells(panel, wanted.shape)
        flat = np.ndim(expected) < 2
        panel.set(title=name, xlabel="position" if flat else "column j", ylabel="" if flat else "row i")
    figure.colorbar(panels[1].images[0], ax=list(panels[:2]), label="value")
    figure.colorbar(panels[2].images[0], ax=panels[2], label="size of difference")
    figure.suptitle(title)
    return shown(figure)


def bars(
    values: Any,
    labels: Sequence[Any],
    title: str = "",
    alt: str = "",
    *,
    value: str = "weight",
    across: str = "",
    room: tuple[float, float] | None = None,
) -> Picture:
    """Draw one bar per label; `values` (n,), or a dict of several such series by name.

    `value` names the axis of the bars, with its unit, `across` the axis of the labels. With `room`, the
    axis of the bars holds these two values whatever is drawn: pictures of one slider can be compared.
    """
    series = _series(values, len(labels), "labels")
    width = min(11.0, max(4.0, 1.2 + 0.36 * len(labels) * (1 + len(series))))
    figure = picture(width, 3.6, alt or title or value)
    axes = figure.add_subplot()
    thickness = 0.8 / len(series)
    for number, (name, heights) in enumerate(series.items()):
        positions = np.arange(len(labels)) + (number - (len(series) - 1) / 2) * thickness
        drawn = axes.bar(positions, heights, thickness, label=name, edgecolor="black", linewidth=0.6)
        for bar in drawn:
            bar.set(facecolor=SERIES_COLOURS[number % 6], hatch=HATCHES[number % 6])
        if len(labels) * len(series) <= 20:
            axes.bar_label(drawn, fmt=short_number, fontsize=7.5, padding=2)
    axes.margins(y=0.12)
    axes.axhline(0, color="black", linewidth=0.8)
    make_room(axes, room)
    ticks(axes, "x", labels, width - 1)
    axes.set(title=title, ylabel=value, xlabel=across)
    without_box(axes)
    legend(figure, axes, list(series))
    return shown(figure)


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

    `y` may be a dict of several series by name, each with a marker of its own; the labels are then
    written at the first series. `x_name` and `y_name` name the axes, with their units.
    """
    places = np.asarray(x, dtype=float)
    series = _series(y, len(places), "x")
    figure = picture(6.4, 4.4, alt or title or f"{y_name} against {x_name}")
    axes = figure.add_subplot()
    for number, (name, heights) in enumerate(series.items()):
        style = {"marker": MARKERS[number % 6], "color": SERIES_COLOURS[number % 6]}
        axes.scatter(places, heights, s=28, label=name, edgecolors="white", linewidths=0.5, **style)
    axes.set(title=title, xlabel=x_name, ylabel=y_name)
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
    without_box(axes)
    legend(figure, axes, list(series))
    if labels is not None:
        points, *others = [np.column_stack([places, heights]) for heights in series.values()]
        texts = [str(label) for label in labels]
        label_points(figure, axes, points, texts, np.concatenate([points[:0], *others]))
    return shown(figure)


def lines(
    x: Any,
    y: Any,
    title: str = "",
    alt: str = "",
    *,
    x_name: str = "x",
    y_name: str = "y",
    log_x: bool = False,
    log_y: bool = False,
    room: tuple[float, float] | None = None,
) -> Picture:
    """Draw curves through the points (x, y), both (n,), with a marker at each point, or at some of very many.

    `y` may be a dict of several series by name, each with its own marker and kind of line. A curve has a
    gap where it holds nan or ±inf. `x_name` and `y_name` name the axes, with their units; `log_x` and
    `log_y` make an axis logarithmic: its curves have gaps at 0 and below, too. With `room`, the axis of y
    holds these two values whatever is drawn.
    """
    places = np.asarray(x, dtype=float)
    series = _series(y, len(places), "x")
    figure = picture(6.4, 4.2, alt or title or f"{y_name} against {x_name}")
    axes = figure.add_subplot()
    for number, (name, heights) in enumerate(series.items()):
        style = {"marker": MARKERS[number % 6], "color": SERIES_COLOURS[number % 6]}
        style |= {"linestyle": LINES[number % 6], "markeredgecolor": "white", "markeredgewidth": 0.5}
        style["markevery"] = max(1, len(places) // _MOST_MARKERS)
        axes.plot(places, heights, label=name, linewidth=1.6, markersize=6.5, **style)
    axes.set(title=title, xlabel=x_name, ylabel=y_name)
    make_room(axes, room)
    if log_x:
        log_scale(axes.xaxis, places)
    if log_y:
        log_scale(axes.yaxis, np.concatenate(list(series.values())))
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
    without_box(axes)
    legend(figure, axes, list(series))
    return shown(figure)


def vectors_2d(
    points: Any,
    labels: Sequence[str] | None = None,
    title: str = "",
    alt: str = "",
    *,
    x_name: str = "component 0",
    y_name: str = "component 1",
    room: float = 0.0,
) -> Picture:
    """Draw the rows of `points` (n, 2) as arrows from the origin, with equal scales on both axes.

    With `room`, there is room for an arrow of this length in every direction, whatever is drawn.
    """
    ends = np.asarray(points, dtype=float)
    if ends.ndim != 2 or ends.shape[1] != 2:
        raise ValueError(f"points has shape {ends.shape}: expected (n, 2), one row per arrow")
    names = [str(label) for label in labels] if labels is not None else [""] * len(ends)
    width = 5.6 if room else 4.6
    figure = picture(width, width - 0.2, alt or title or f"{len(ends)} arrows in the plane")
    axes = figure.add_subplot()
    _frame(axes, ends, room)
    for number, (end, name) in enumerate(zip(ends, names, strict=True)):
        _arrow(axes, end, name, SERIES_COLOURS[number % 6])
    axes.set(title=title, xlabel=x_name, ylabel=y_name)
    return shown(figure)


def _series(values: Any, count: int, against: str) -> dict[str, np.ndarray]:
    named = values if isinstance(values, Mapping) else {"": values}
    series = {name: np.asarray(numbers, dtype=float) for name, numbers in named.items()}
    for name, numbers in series.items():
        if numbers.shape != (count,):
            which = f"the values of {name!r} have" if name else "the values have"
            raise ValueError(f"{which} shape {numbers.shape}: expected ({count},), one per {against}")
    return series


def _frame(axes: Axes, ends: np.ndarray, room: float) -> None:
    """Equal scales, the origin in view, and a margin for the labels."""
    low, high = np.minimum(ends.min(axis=0, initial=0), -room), np.maximum(ends.max(axis=0, initial=0), room)
    margin = (0.12 if room else 0.22) * max(1e-9, float(np.max(high - low)))
    axes.set(xlim=(low[0] - margin, high[0] + margin), ylim=(low[1] - margin, high[1] + margin))
    axes.set_aspect("equal")
    axes.axhline(0, color="0.5", linewidth=0.8)
    axes.axvline(0, color="0.5", linewidth=0.8)
    axes.grid(alpha=0.3)


def _arrow(axes: Axes, end: np.ndarray, name: str, colour: str) -> None:
    head = {"arrowstyle": "-|>", "color": colour, "lw": 2, "mutation_scale": 16, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", end, (0, 0), arrowprops=head)
    length = math.hypot(end[0], end[1]) or 1.0
    side = "left" if end[0] > 0.3 * length else "right" if end[0] < -0.3 * length else "center"
    backing = {"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.8}
    offset = (6 * end[0] / length, 10 * end[1] / length)
    if len(name) > 5:
        # A long label beside the tip would leave the frame.
        side, offset = "center", (0, 12 if end[1] >= 0 else -12)
    axes.annotate(
        name,
        end,
        offset,
        textcoords="offset points",
        ha=side,
        va="center",
        bbox=backing,
        annotation_clip=False,
    )
