"""Pictures: labelled, with an alt text, shown once, readable in greyscale."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from attention_lib import picture, plotting
from attention_lib.picture import short_number

WORDS = ["the", "cat", "sat"]
WORDY = ["the", "landscape", "was", "near", "the", "river", "bank"]
WEIGHTS = np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.2, 0.3, 0.5]])


def texts(axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def tick_texts(axis) -> list[str]:
    return [label.get_text() for label in axis.get_ticklabels()]


def legend_texts(figure) -> list[str]:
    [legend] = figure.legends
    return [text.get_text() for text in legend.get_texts()]


def in_view(labels, limits, axis) -> list:
    """Matplotlib keeps labels of ticks beyond the limits too, and does not draw them."""
    low, high = sorted(limits)
    return [label for label in labels if low <= label.get_position()[axis] <= high]


def lightness(colour) -> float:
    red, green, blue = to_rgb(colour)
    return 0.299 * red + 0.587 * green + 0.114 * blue


def test_a_heat_map_names_its_axes_its_cells_and_its_unit():
    figure = plotting.heat_map(
        WEIGHTS, WORDS, WORDS, "Weights", "Causal weights.", rows="query i", columns="key j"
    )
    axes, colours = figure.axes
    assert (axes.get_title(), axes.get_xlabel(), axes.get_ylabel()) == ("Weights", "key j", "query i")
    assert tick_texts(axes.xaxis) == WORDS
    assert tick_texts(axes.yaxis) == WORDS
    assert colours.get_ylabel() == "weight"
    assert texts(axes) == ["1", "0", "0", "0.50", "0.50", "0", "0.20", "0.30", "0.50"]
    assert figure.alt == "Causal weights."


def test_a_heat_map_draws_the_numbers_it_is_given():
    figure = plotting.heat_map(WEIGHTS)
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), WEIGHTS)


def test_a_large_matrix_is_drawn_without_numbers():
    figure = plotting.heat_map(np.ones((30, 40)))
    assert texts(figure.axes[0]) == []
    assert len(tick_texts(figure.axes[0].xaxis)) < 40


def test_masked_scores_are_hatched_and_do_not_stretch_the_colours():
    figure = plotting.heat_map(np.array([[1.0, -np.inf], [3.0, np.nan]]))
    axes = figure.axes[0]
    assert texts(axes) == ["1", "−∞", "3", "nan"]
    assert axes.images[0].get_clim() == (1.0, 3.0)
    assert [bool(collection.get_hatch()) for collection in axes.collections] == [True, True]


def test_one_row_of_weights_has_no_row_axis():
    axes = plotting.heat_map([0.2, 0.8], column_labels=["a", "b"]).axes[0]
    assert axes.get_ylabel() == ""
    assert tick_texts(axes.yaxis) == []


def test_numbers_are_written_in_a_colour_that_stands_out():
    axes = plotting.heat_map(np.linspace(0, 1, 11)).axes[0]
    image = axes.images[0]
    for text in axes.texts:
        column = round(text.get_position()[0])
        background = lightness(image.cmap(image.norm(image.get_array()[0, column]))[:3])
        assert abs(lightness(text.get_color()) - background) > 0.35


@pytest.mark.parametrize("name", [picture.SIZE_COLOURS, picture.DIFFERENCE_COLOURS])
def test_colour_maps_change_lightness_in_one_direction(name):
    steps = [lightness(colour[:3]) for colour in matplotlib.colormaps[name](np.linspace(0, 1, 64))]
    changes = np.diff(steps)
    assert np.all(changes > 0) or np.all(changes < 0)


def test_neighbouring_series_differ_in_lightness():
    shades = [lightness(colour) for colour in picture.SERIES_COLOURS]
    assert min(abs(np.diff(shades))) > 0.1


def test_wrong_labels_are_refused_with_both_numbers():
    with pytest.raises(ValueError, match="2 row labels for 3 rows"):
        plotting.heat_map(WEIGHTS, ["a", "b"])


def test_a_mask_is_drawn_as_zeros_and_ones():
    allowed = np.array([[True, False], [True, True]])
    axes, colours = plotting.heat_map(allowed).axes
    assert texts(axes) == ["1", "0", "1", "1"]
    np.testing.assert_array_equal(axes.images[0].get_array(), [[1, 0], [1, 1]])
    assert list(colours.get_yticks()) == [0, 1]


def test_a_mask_that_allows_everything_has_the_colours_of_any_other():
    axes = plotting.heat_map(np.ones((2, 2), dtype=bool)).axes[0]
    assert axes.images[0].get_clim() == (0, 1)


@pytest.mark.parametrize("matrix", [1.0, np.ones((2, 2, 2)), np.ones((0, 3))])
def test_what_is_no_matrix_is_refused_with_its_shape(matrix):
    with pytest.raises(ValueError, match=r"matrix has shape .*: expected \(n, m\) or \(n,\)"):
        plotting.heat_map(matrix)


@pytest.mark.parametrize("shape", [(3, 3), (2, 17), (5,), (14,), (40, 30)])
def test_a_comparison_shows_expected_yours_and_the_difference(shape):
    expected, yours = np.zeros(shape), np.full(shape, -0.25)
    figure = plotting.compare_heat_maps(expected, yours, "double")
    panels = figure.axes[:3]
    assert [panel.get_title() for panel in panels] == ["expected", "yours", "yours − expected"]
    for panel, numbers in zip(panels, (expected, yours, np.abs(yours)), strict=True):
        np.testing.assert_array_equal(panel.images[0].get_array(), np.atleast_2d(numbers))
    assert all(panel.get_xlabel() for panel in panels)
    assert panels[0].images[0].get_clim() == panels[1].images[0].get_clim()
    size = expected.size
    assert figure.alt == (
        f"Three heat maps, double: expected, yours and their difference. {size} of {size} cells differ."
    )


def test_the_difference_is_written_with_its_sign():
    figure = plotting.compare_heat_maps([1.0, 2.0], [0.5, 2.0])
    assert texts(figure.axes[2]) == ["−0.50", "0"]


def test_two_infinities_or_two_nans_do_not_differ():
    figure = plotting.compare_heat_maps([-np.inf, np.nan, 1.0], [-np.inf, np.nan, np.nan])
    assert texts(figure.axes[2]) == ["0", "0", "nan"]


def test_a_comparison_of_two_shapes_is_refused():
    with pytest.raises(ValueError, match=r"expected has shape \(2,\), yours \(3,\)"):
        plotting.compare_heat_maps([1, 2], [1, 2, 3])


def test_heat_maps_share_one_scale_of_colours_and_one_bar():
    scores = np.array([[1.0, -np.inf, 0.0], [3.0, 2.0, np.nan]])
    figure = plotting.heat_maps({"before": WEIGHTS, "after": scores}, title="Masked", value="score")
    before, after, colours = figure.axes
    np.testing.assert_array_equal(before.images[0].get_array(), WEIGHTS)
    assert before.images[0].get_clim() == after.images[0].get_clim() == (0, 3)
    assert colours.get_ylabel() == "score"
    assert [before.get_title(), after.get_title()] == ["before", "after"]
    assert texts(after) == ["1", "−∞", "0", "3", "2", "nan"]
    assert [bool(collection.get_hatch()) for collection in after.collections] == [True, True]
    assert figure.alt == "2 heat maps, Masked: before, after. Values from 0 to 3."


def test_neighbouring_heat_maps_share_the_labels_at_the_left_and_at_the_bottom():
    figure = plotting.heat_maps(
        {f"head {k}": WEIGHTS for k in range(6)}, WORDS, WORDS, rows="query i", columns="key j"
    )
    panels = figure.axes[:6]
    assert [tick_texts(panel.yaxis) for panel in panels] == [WORDS, [], [], [], WORDS, []]
    assert [panel.get_ylabel() for panel in panels] == ["query i", "", "", "", "query i", ""]
    assert [tick_texts(panel.xaxis) for panel in panels] == [[], [], WORDS, WORDS, WORDS, WORDS]
    assert [panel.get_xlabel() for panel in panels] == ["", "", "key j", "key j", "key j", "key j"]


def test_after_four_heat_maps_a_new_row_begins():
    figure = plotting.heat_maps({f"head {k}": WEIGHTS for k in range(5)})
    figure.draw_without_rendering()
    first, second, *_, fifth = (panel.get_position() for panel in figure.axes[:5])
    assert second.y0 == pytest.approx(first.y0)
    assert fifth.y1 < first.y0
    assert fifth.x0 == pytest.approx(first.x0)


def test_labels_name_the_cells_of_the_matrices_that_have_as_many():
    queries, scores = np.zeros((3, 2)), np.zeros((3, 3))
    left, right, _ = plotting.heat_maps({"Q": queries, "scores": scores}, WORDS, WORDS).axes
    assert tick_texts(left.xaxis) == ["0", "1"]
    assert tick_texts(right.xaxis) == WORDS
    assert tick_texts(left.yaxis) == WORDS


def test_cells_of_heat_maps_of_different_shapes_have_one_size():
    figure = plotting.heat_maps({"Q": np.zeros((3, 4)), "K": np.zeros((6, 4)), "scores": np.zeros((3, 6))})
    figure.draw_without_rendering()
    shapes = [panel.images[0].get_array().shape for panel in figure.axes[:3]]
    boxes = [panel.get_window_extent() for panel in figure.axes[:3]]
    sides = [(box.height / n, box.width / m) for box, (n, m) in zip(boxes, shapes, strict=True)]
    assert np.ptp(sides) < 0.25 * np.mean(sides)


@pytest.mark.parametrize("number", [0.0, -2.0, np.inf])
def test_equal_numbers_have_equal_colours_in_every_panel(number):
    figure = plotting.heat_maps({"a": np.full((2, 2), number), "b": np.full(3, number)})
    figure.draw_without_rendering()
    low, high = figure.axes[0].images[0].get_clim()
    assert low < high
    assert figure.axes[1].images[0].get_clim() == (low, high)


def test_labels_that_fit_no_heat_map_are_refused():
    with pytest.raises(ValueError, match="2 row labels for 3 or 4 rows"):
        plotting.heat_maps({"a": WEIGHTS, "b": np.zeros((4, 3))}, ["x", "y"])


def test_heat_maps_of_nothing_are_refused():
    with pytest.raises(ValueError, match="no matrix to draw"):
        plotting.heat_maps({})
    with pytest.raises(ValueError, match=r"the matrix 'W' has shape \(2, 2, 2\)"):
        plotting.heat_maps({"W": np.ones((2, 2, 2))})


def test_numbers_that_do_not_fit_several_panels_are_left_out():
    wide = {f"head {k}": np.full((9, 9), 0.12) for k in range(4)}
    assert texts(plotting.heat_maps(wide).axes[0]) == []
    narrow = {f"head {k}": np.full((9, 9), True) for k in range(4)}
    assert texts(plotting.heat_maps(narrow).axes[0]) == ["1"] * 81


def test_bars_are_labelled_and_as_high_as_their_values():
    figure = plotting.bars([0.25, 0.75], ["a", "b"], "Weights", "Two bars.", value="weight", across="token")
    [axes] = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("token", "weight")
    assert tick_texts(axes.xaxis) == ["a", "b"]
    assert [bar.get_height() for bar in axes.patches] == [0.25, 0.75]
    assert figure.alt == "Two bars."


def test_several_series_of_bars_have_a_legend_and_hatches():
    figure = plotting.bars({"dot": [1, 2], "cosine": [3, 4]}, ["a", "b"])
    [axes] = figure.axes
    assert legend_texts(figure) == ["dot", "cosine"]
    assert len({bar.get_hatch() for bar in axes.patches}) == 2


def test_bars_without_a_label_each_are_refused():
    with pytest.raises(ValueError, match=r"the values of 'dot' have shape \(2,\): expected \(3,\)"):
        plotting.bars({"dot": [1, 2]}, ["a", "b", "c"])


def test_a_scatter_names_its_axes_and_places_its_points():
    figure = plotting.scatter([1, 2], [3, 4], ["a", "b"], x_name="norm", y_name="weight (%)")
    [axes] = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("norm", "weight (%)")
    np.testing.assert_array_equal(axes.collections[0].get_offsets(), [[1, 3], [2, 4]])
    assert texts(axes) == ["a", "b"]
    assert figure.alt == "weight (%) against norm"


def test_labels_of_points_on_top_of_each_other_are_left_out():
    [axes] = plotting.scatter(np.ones(20), np.ones(20), [f"word {n}" for n in range(20)]).axes
    assert 0 < len(texts(axes)) < 20


def test_labels_keep_clear_of_the_points_of_every_series():
    x = np.linspace(0, 1, 9)
    series = {"labelled": np.full(9, 0.5), "other": np.tile([0.4, 0.55, 0.6], 3)}
    figure = plotting.scatter(x, series, [f"word {n}" for n in range(9)])
    [axes] = figure.axes
    figure.draw_without_rendering()
    for points in axes.collections:
        for x_pixel, y_pixel in axes.transData.transform(points.get_offsets()):
            assert not any(text.get_window_extent().contains(x_pixel, y_pixel) for text in axes.texts)
    assert texts(axes)


def test_a_legend_lies_outside_the_axes():
    figure = plotting.bars({"one series": [1, 2], "another series": [3, 4]}, ["a", "b"])
    figure.draw_without_rendering()
    [legend] = figure.legends
    assert not legend.get_window_extent().overlaps(figure.axes[0].get_window_extent())


def test_long_labels_are_broken_at_spaces_and_long_words_slanted():
    [broken] = plotting.bars([1, 2], ["water and landscape again", "money"]).axes
    assert "\n" in tick_texts(broken.xaxis)[0]
    assert broken.get_xticklabels()[0].get_rotation() == 0
    [slanted] = plotting.bars([1] * 6, ["incomprehensibility"] * 6).axes
    assert slanted.get_xticklabels()[0].get_rotation() == 45


def test_a_label_one_character_too_long_is_broken_rather_than_slanted():
    four = ["model", "model, tied", "random", "random, tied"]
    [axes] = plotting.bars({"a": [1, 2, 3, 4], "b": [1, 2, 3, 4]}, four).axes
    assert tick_texts(axes.xaxis)[3] == "random,\ntied"
    assert axes.get_xticklabels()[3].get_rotation() == 0


def test_two_series_of_points_have_markers_of_their_own():
    figure = plotting.scatter([1, 2], {"dot": [3, 4], "cosine": [1, 1]})
    [axes] = figure.axes
    assert legend_texts(figure) == ["dot", "cosine"]
    first, second = axes.collections
    assert first.get_paths()[0].vertices.shape != second.get_paths()[0].vertices.shape


def test_lines_go_through_their_points_each_with_a_marker():
    figure = plotting.lines([1, 2, 5], [3, 4, 5], "Time", x_name="n", y_name="time (s)")
    [axes] = figure.axes
    [curve] = axes.lines
    np.testing.assert_array_equal(curve.get_xydata(), [[1, 3], [2, 4], [5, 5]])
    assert curve.get_marker() == "o"
    assert (axes.get_title(), axes.get_xlabel(), axes.get_ylabel()) == ("Time", "n", "time (s)")
    assert (axes.get_xscale(), axes.get_yscale()) == ("linear", "linear")
    assert figure.alt == "Time"
    assert figure.legends == []


def test_lines_differ_in_marker_and_kind_of_line():
    figure = plotting.lines([1, 2], {name: [1, 2] for name in "abcdef"})
    curves = figure.axes[0].lines
    assert len({curve.get_marker() for curve in curves}) == 6
    assert len({str(curve._dash_pattern) for curve in curves}) == 6
    assert legend_texts(figure) == list("abcdef")


def test_lines_have_a_gap_where_a_point_is_missing():
    [axes] = plotting.lines([1, 2, 3], {"all": [1, 2, 3], "some": [1, np.nan, np.inf]}).axes
    np.testing.assert_array_equal(axes.lines[1].get_ydata(), [1, np.nan, np.inf])
    assert axes.get_ylim()[1] < 4


def test_logarithmic_axes_are_asked_for():
    [axes] = plotting.lines([1, 10, 1000], [0, 1, 2], log_x=True).axes
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "linear")
    [axes] = plotting.lines([1, 10, 1000], [0, 1, 2], log_y=True).axes
    assert (axes.get_xscale(), axes.get_yscale()) == ("linear", "log")


@pytest.mark.parametrize("values", [[0, 0, 0], [-1, -2, -3], [np.nan] * 3])
def test_an_axis_with_nothing_above_zero_stays_linear(values):
    figure = plotting.lines([1, 2, 4], values, log_y=True)
    figure.draw_without_rendering()
    assert figure.axes[0].get_yscale() == "linear"


def test_a_logarithmic_axis_of_powers_of_two_counts_in_them():
    figure = plotting.lines(2.0 ** np.arange(4, 9), np.arange(5), log_x=True)
    figure.draw_without_rendering()
    [axes] = figure.axes
    shown = in_view(axes.get_xticklabels(), axes.get_xlim(), 0)
    assert [label.get_text() for label in shown] == ["16", "32", "64", "128", "256"]


def test_a_short_logarithmic_axis_can_be_read_between_the_powers_of_ten():
    [short] = plotting.lines([1, 2, 3], [1, 8, 60], log_y=True).axes
    short.figure.draw_without_rendering()
    seen = [label.get_text() for label in in_view(short.get_yticklabels(), short.get_ylim(), 1)]
    assert seen == ["1", "2", "5", "10", "20", "50"]
    [long] = plotting.lines([1, 2, 3], [1, 8, 60000], log_y=True).axes
    assert "50" not in tick_texts(long.yaxis)


def test_pictures_with_the_same_room_have_the_same_axes():
    """Fails when a slider's picture stretches its axes, so that what stayed the same seems to move."""

    def limits(draw):
        return [draw(size).axes[0].get_ylim() for size in (0.2, 0.9)]

    for draw in (
        lambda size: plotting.bars([size, size], ["a", "b"], room=(0, 1)),
        lambda size: plotting.lines([1, 2], [0, size], room=(0, 1)),
        lambda size: plotting.vectors_2d([[size, 0], [0, -size]], room=1),
    ):
        first, second = limits(draw)
        assert first == pytest.approx(second)
        assert first[1] >= 1
    [without] = plotting.lines([1, 2], [0, 0.2]).axes
    assert without.get_ylim()[1] < 1


def test_very_many_points_have_fewer_markers():
    [axes] = plotting.lines(np.arange(100), np.arange(100)).axes
    assert axes.lines[0].get_markevery() == 4


def test_a_curve_of_another_length_is_refused():
    with pytest.raises(ValueError, match=r"the values of 'a' have shape \(2,\): expected \(3,\)"):
        plotting.lines([1, 2, 3], {"a": [1, 2]})


def test_many_names_in_a_legend_take_as_few_rows_as_fit():
    figure = plotting.lines([1, 2], {f"a name of series {k}": [1, 2] for k in range(6)})
    [legend] = figure.legends
    assert legend._ncols == 2


def test_vectors_start_at_the_origin_with_equal_scales():
    figure = plotting.vectors_2d([[3, 4], [-1, 2]], ["x_0", "x_1"])
    [axes] = figure.axes
    arrows = [text for text in axes.texts if text.arrow_patch is not None]
    assert [tuple(arrow.xy) for arrow in arrows] == [(3, 4), (-1, 2)]
    assert all(arrow.xyann == (0, 0) for arrow in arrows)
    assert axes.get_aspect() == 1
    assert [name for name in texts(axes) if name] == ["x_0", "x_1"]
    assert axes.get_xlim()[0] < -1
    assert axes.get_ylim()[1] > 4


def test_vectors_of_another_width_are_refused():
    with pytest.raises(ValueError, match=r"points has shape \(2, 3\): expected \(n, 2\)"):
        plotting.vectors_2d(np.ones((2, 3)))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.25, "0.25"),
        (-1.3, "−1.30"),
        (-0.0, "0"),
        (3.0, "3"),
        (427.26, "427.3"),
        (1204.4, "1204"),
        (-300000.0, "−3e5"),
        (0.0051, "0.005"),
        (0.00002, "2e−5"),
        (float("-inf"), "−∞"),
        (float("nan"), "nan"),
    ],
)
def test_numbers_in_cells_are_short(value, text):
    assert short_number(value) == text


def test_a_notebook_gets_an_image_with_the_alt_text_escaped(notebook_cell):
    plotting.bars([1], ["a"], alt='one "bar" & <no more>')
    [shown] = notebook_cell.shown
    assert shown["text/html"].startswith(
        '<img alt="one &quot;bar&quot; &amp; &lt;no more&gt;" src="data:image/png;base64,iVBOR'
    )
    assert shown["text/plain"] == '[picture: one "bar" & <no more>]'


def test_a_picture_that_ends_a_cell_is_shown_once_and_again_in_another(notebook_cell):
    figure = plotting.bars([1], ["a"])
    figure._ipython_display_()
    assert len(notebook_cell.shown) == 1
    notebook_cell.execution_count = 2
    figure._ipython_display_()
    assert len(notebook_cell.shown) == 2


def test_pyplot_knows_nothing_of_the_pictures():
    import matplotlib.pyplot as plt

    plotting.bars([1], ["a"])
    assert plt.get_fignums() == []


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plotting.heat_map(WEIGHTS, WORDS, WORDS, "A title"),
        lambda: plotting.compare_heat_maps(WEIGHTS, WEIGHTS.T, "A title"),
        lambda: plotting.compare_heat_maps(np.ones(14), np.zeros(14), "A title"),
        lambda: plotting.bars({"dot": [1, 2], "cosine": [3, 4]}, ["a long word", "another"], "A title"),
        lambda: plotting.scatter([1, 2], [3, 4], ["a", "b"], "A title"),
        lambda: plotting.vectors_2d([[3, 4], [-1, 2]], ["x_0 = (3, 4)", "x_1"], "A title"),
        lambda: plotting.lines([1, 2, 1024], {"dot": [1, 2, 3], "cosine": [3, 4, 5]}, "A title", log_x=True),
        lambda: plotting.lines([1, 10, 1e5], [1e-9, 1, 1e5], "A title", log_x=True, log_y=True),
        lambda: plotting.heat_maps({"one": WEIGHTS, "two": WEIGHTS}, WORDS, WORDS, "A title"),
        lambda: plotting.heat_maps(
            {f"head {k}": np.ones((7, 7)) for k in range(12)}, WORDY, range(7), "A title"
        ),
        lambda: plotting.heat_maps(
            {"Q": np.ones((7, 32)), "scores": np.ones((7, 7))}, WORDY, range(7), "A title"
        ),
        lambda: plotting.heat_maps({f"a rather long title {k}": [0.5] for k in range(4)}, title="A title"),
    ],
)
def test_no_text_lies_on_another(draw):
    figure = draw()
    figure.draw_without_rendering()
    boxes = []
    for axes in figure.axes:
        labels = [axes.title, axes.xaxis.label, axes.yaxis.label, *axes.texts]
        ticks = [*in_view(axes.get_xticklabels(), axes.get_xlim(), 0)]
        ticks += in_view(axes.get_yticklabels(), axes.get_ylim(), 1)
        boxes += [item.get_window_extent() for item in labels + ticks if item.get_text()]
    boxes += [figure._suptitle.get_window_extent()] if figure._suptitle else []
    for number, box in enumerate(boxes):
        assert not any(box.padded(-1).overlaps(other.padded(-1)) for other in boxes[number + 1 :])
