"""What pictures of matrices have in common: the size and names of their cells, the scale of colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from attention_lib.picture import Picture, finite_range, picture, short_number, ticks

#: So many panels stand side by side, the next ones below.
ACROSS = 4

_MOST_NUMBERS = 150
_WIDE_CELL, _NARROW_CELL = 0.55, 0.26  # inches: with a number in it, and without
_ROOM = (9.3, 10.6)  # inches down and across, for the cells of several matrices beside their labels
_COLUMN = 8.0  # inches across that a notebook shows without making them smaller


def as_rows(matrix: Any, name: str) -> np.ndarray:
    """`matrix` (n, m) or (m,) as floats (n, m) or (1, m). Raises ValueError for any other shape."""
    array = np.asarray(matrix, dtype=float)
    if array.ndim not in (1, 2) or array.size == 0:
        raise ValueError(f"{name} has shape {array.shape}: expected (n, m) or (n,), not empty")
    return np.atleast_2d(array)


def has_room(shape: tuple[int, ...]) -> bool:
    """Is there room for a number in each cell?"""
    return shape[0] * shape[1] <= _MOST_NUMBERS and max(shape) <= 20


def cells_size(shape: tuple[int, ...], cell: float | None = None) -> tuple[float, float]:
    """Inches across and down for a matrix of `shape`, with cells of `cell` inches."""
    cell = cell or (_WIDE_CELL if has_room(shape) else _NARROW_CELL)
    return max(1.6, min(11.0, cell * shape[1])), max(0.9, min(6.0, cell * shape[0]))


def scale(matrices: Sequence[Any]) -> tuple[tuple[float, float], list[int] | None]:
    """The range of the colours, and the ticks of their bar where they stand for True and False alone."""
    if all(np.asarray(matrix).dtype == bool for matrix in matrices):
        return (0.0, 1.0), [0, 1]
    low, high = finite_range(np.concatenate([np.ravel(matrix).astype(float) for matrix in matrices]))
    if low == high:
        # A range of one point is widened by the colour bar, but for one of several panels only.
        low, high = low - 0.1 * (abs(low) or 1), high + 0.1 * (abs(high) or 1)
    return (low, high), None


def name_cells(
    axes: Axes,
    shape: tuple[int, ...],
    rows: Sequence[Any] | None = None,
    columns: Sequence[Any] | None = None,
    size: tuple[float, float] | None = None,
) -> None:
    """Label the rows and columns of a matrix drawn in `size` inches; without labels, number them."""
    for labels, count, name in ((rows, shape[0], "row"), (columns, shape[1], "column")):
        if labels is not None and len(labels) != count:
            raise ValueError(f"{len(labels)} {name} labels for {count} {name}s: expected one for each")
    width, height = size or cells_size(shape)
    ticks(axes, "x", columns if columns is not None else range(shape[1]), width)
    if shape[0] > 1 or rows is not None:
        ticks(axes, "y", rows if rows is not None else range(shape[0]), height)
    else:
        axes.set_yticks([])


def labels_by_shape(
    labels: Sequence[Any] | None, counts: Sequence[int], name: str
) -> list[Sequence[Any] | None]:
    """The labels for each matrix that has as many rows (or columns). Raises ValueError where none has."""
    if labels is not None and len(labels) not in counts:
        found = " or ".join(map(str, sorted(set(counts))))
        raise ValueError(f"{len(labels)} {name} labels for {found} {name}s: expected one for each")
    return [labels if labels is not None and len(labels) == count else None for count in counts]


def shared_cell(matrices: Sequence[np.ndarray]) -> tuple[float, bool]:
    """Inches across and down one cell of every panel, and whether a number fits into it."""
    down, across = (
        sum(map(max, counts)) for counts in _by_row_and_column([matrix.shape for matrix in matrices])
    )
    most = min(_WIDE_CELL, _ROOM[0] / down, _ROOM[1] / across)
    longest = max(len(short_number(number)) for matrix in matrices for number in matrix.flat)
    number = 0.07 * longest + 0.05
    if all(has_room(matrix.shape) for matrix in matrices) and number < most:
        return min(most, max(number, _COLUMN / across)), True
    return min(most, _NARROW_CELL), False


def three_panels(shape: tuple[int, ...], alt: str) -> tuple[Picture, list[Axes]]:
    """Side by side where that fits a page, one above the other where the matrix is wide."""
    width, height = cells_size(shape)
    if 3 * width + 3.4 <= 13 or height > 3:
        figure = picture(3 * width + 3.4, height + 1.3, alt)
        return figure, list(figure.subplots(1, 3))
    figure = picture(width + 1.8, 3 * height + 2.6, alt)
    return figure, list(figure.subplots(3, 1))


def panels_in_rows(sizes: Sequence[tuple[float, float]], alt: str) -> tuple[Picture, list[Axes]]:
    """One panel for each of `sizes`, inches across and down."""
    heights, widths = (
        list(map(max, inches)) for inches in _by_row_and_column([size[::-1] for size in sizes])
    )
    figure = picture(sum(widths) + 0.2 * len(widths) + 1.9, sum(heights) + 0.4 * len(heights) + 1.2, alt)
    grid = figure.add_gridspec(len(heights), len(widths), width_ratios=widths, height_ratios=heights)
    panels = [figure.add_subplot(grid[divmod(number, ACROSS)]) for number in range(len(sizes))]
    if len(set(sizes)) > 1:
        for panel, (width, height) in zip(panels, sizes, strict=True):
            panel.set_box_aspect(height / width)
    return figure, panels


def _by_row_and_column(shapes: Sequence[tuple[Any, ...]]) -> tuple[list[list[Any]], list[list[Any]]]:
    """The first numbers of `shapes` by rows of panels, the second ones by columns of panels."""
    across = [
        [shape[0] for shape in shapes[first : first + ACROSS]] for first in range(0, len(shapes), ACROSS)
    ]
    down = [[shape[1] for shape in shapes[column::ACROSS]] for column in range(min(ACROSS, len(shapes)))]
    return across, down


def matrix_alt(title: str, values: np.ndarray) -> str:
    low, high = finite_range(values)
    return f"Heat map, {values.shape[0]} by {values.shape[1]}: {title}. Values from {low:.3g} to {high:.3g}."


def matrices_alt(title: str, matrices: Mapping[str, np.ndarray]) -> str:
    low, high = finite_range(np.concatenate([np.ravel(matrix) for matrix in matrices.values()]))
    names = ", ".join(matrices)
    return f"{len(matrices)} heat maps, {title}: {names}. Values from {low:.3g} to {high:.3g}."


def comparison_alt(title: str, difference: np.ndarray) -> str:
    off = np.abs(np.nan_to_num(difference, nan=np.inf)) > 1e-9
    counted = f"{int(off.sum())} of {difference.size} cells differ"
    return f"Three heat maps, {title}: expected, yours and their difference. {counted}."
