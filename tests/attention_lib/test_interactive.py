"""A slider moves the picture where widgets are, and the picture stands still where they are not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from ipywidgets.widgets.widget import _instances
from nbclient import NotebookClient
from nbconvert import HTMLExporter

from attention_lib import plotting
from attention_lib.notebook import made_with

ROOT = Path(__file__).parents[2]
VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture
def kernel_cell(notebook_cell):
    """A notebook's cell whose kernel can be asked for other pictures."""
    notebook_cell.kernel = object()
    return notebook_cell


class Drawing:
    """Draws a bar as high as the value, and counts."""

    def __init__(self):
        self.asked = []

    def __call__(self, height):
        self.asked.append(height)
        if height < 0:
            raise ValueError("below <zero>")
        return plotting.bars([height], ["a"], title="A bar", alt=f"One bar, {height} high.")


def slide(draw, values=(0.5, 1, 2), start=1, alt="Bars."):
    return plotting.slider(draw, values, start, name="height", title="Higher & higher", alt=alt)


def moving(shown):
    """The widgets of what was shown: title, slider and picture."""
    return _instances[shown[1][VIEW]["model_id"]].children


def test_without_a_kernel_the_picture_stands_still_and_ipywidgets_is_not_imported(notebook_cell, monkeypatch):
    monkeypatch.delitem(sys.modules, "ipywidgets")
    draw = Drawing()
    slide(draw)
    [shown] = notebook_cell.shown
    assert sorted(shown) == ["image/png", "text/html", "text/plain"]
    assert "<strong>Higher &amp; higher</strong>" in shown["text/html"]
    assert '<img alt="Bars. height = 1: One bar, 1 high." src=' in shown["text/html"]
    assert "height = 1, one of 0.5, 1, 2" in shown["text/html"]
    assert "[picture: Bars. height = 1: One bar, 1 high.]" in shown["text/plain"]
    assert draw.asked == [1]
    assert "ipywidgets" not in sys.modules


def test_without_ipywidgets_the_picture_stands_still(kernel_cell, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    slide(Drawing())
    [shown] = kernel_cell.shown
    assert VIEW not in shown


def test_with_ipywidgets_a_slider_stands_above_the_picture_and_hides_the_still_one(kernel_cell):
    slide(Drawing())
    still, view = kernel_cell.shown
    assert "<img alt=" in still["text/html"]
    assert (view["text/html"], view["text/plain"]) == ("", "")
    title, handle, picture = moving(kernel_cell.shown)
    mark = still["text/html"].split('id="')[1].split('"')[0]
    assert f"#{mark}" in title.value
    assert f":has(#{mark}) +" in still["text/html"].split("<style>")[1]
    assert (handle.description, handle.label) == ("height", "1")
    assert picture.value.startswith('<img alt="Bars. height = 1: One bar, 1 high."')


def test_each_picture_is_drawn_once_when_the_slider_comes_to_it(kernel_cell):
    draw = Drawing()
    slide(draw)
    _, handle, picture = moving(kernel_cell.shown)
    assert draw.asked == [1]
    pictures = {}
    for label in ("2", "0.5", "2", "1", "0.5"):
        handle.label = label
        assert pictures.setdefault(label, picture.value) == picture.value
        assert f"height = {label}: One bar, {label} high." in picture.value
    assert draw.asked == [1, 2, 0.5]
    assert len(set(pictures.values())) == 3


def test_drawing_shows_nothing_by_itself_neither_first_nor_later(kernel_cell):
    slide(Drawing())
    moving(kernel_cell.shown)[1].label = "2"
    assert len(kernel_cell.shown) == 2
    plotting.bars([1], ["a"])
    assert len(kernel_cell.shown) == 3


def test_the_picture_that_comes_back_is_not_shown_twice_in_one_cell(kernel_cell):
    picture = slide(Drawing())
    picture._ipython_display_()
    assert len(kernel_cell.shown) == 2
    assert picture.alt == "One bar, 1 high."


def test_an_error_at_a_later_value_takes_the_place_of_the_picture(kernel_cell):
    slide(Drawing(), values=[-1, 1])
    _, handle, picture = moving(kernel_cell.shown)
    handle.label = "-1"
    assert picture.value == "height = -1: ValueError: below &lt;zero&gt;"
    handle.label = "1"
    assert picture.value.startswith("<img")


def test_an_error_at_the_first_value_is_raised_and_pictures_are_shown_again(kernel_cell):
    with pytest.raises(ValueError, match="below <zero>"):
        slide(Drawing(), values=[-1, 1], start=-1)
    assert kernel_cell.shown == []
    plotting.bars([1], ["a"])
    assert len(kernel_cell.shown) == 1


def test_a_function_not_yet_written_is_named(kernel_cell, capsys):
    def unwritten(value):
        raise NotImplementedError

    with made_with("softmax"):
        slide(unwritten)
    assert capsys.readouterr().out.startswith("Waits for your softmax:")
    assert kernel_cell.shown == []


def test_without_an_alt_text_of_its_own_the_picture_s_is_read(notebook_cell):
    slide(Drawing(), alt="")
    assert '<img alt="One bar, 1 high."' in notebook_cell.shown[0]["text/html"]


def test_outside_a_notebook_the_first_picture_is_drawn_and_returned():
    draw = Drawing()
    assert slide(draw).axes[0].patches[0].get_height() == 1
    assert draw.asked == [1]


def test_a_start_that_is_no_value_is_refused():
    with pytest.raises(ValueError, match=r"start is 3: expected one of the values \[0.5, 1, 2\]"):
        slide(Drawing(), start=3)


def test_what_draws_no_picture_is_refused():
    with pytest.raises(TypeError, match=r"draw\(1\) returned NoneType: expected a picture"):
        slide(lambda value: None)


def test_importing_plotting_leaves_ipywidgets_for_later():
    source = "from attention_lib import plotting\nimport sys\nprint('ipywidgets' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=True, cwd=ROOT, timeout=120
    )
    assert done.stdout == "False\n"


CELLS = [
    """
from attention_lib import plotting
def draw(height):
    return plotting.bars([height], ["a"], title="A bar", alt=f"One bar, {height} high.")
def slide():
    plotting.slider(draw, [0.5, 1], 1, name="height", title="Higher", alt="Bars.")
slide()
""",
    """
import sys
sys.modules["ipywidgets"] = None
slide()
""",
]


@pytest.mark.parametrize("state", [True, False], ids=["widgets' state saved", "not saved"])
def test_an_export_to_html_shows_the_picture_with_its_alt_text(state):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    resources = {"metadata": {"path": str(ROOT)}}
    NotebookClient(notebook, timeout=120, store_widget_state=state, resources=resources).execute()
    assert [sorted(output.data) for output in notebook.cells[0].outputs] == [
        ["image/png", "text/html", "text/plain"],
        [VIEW, "text/html", "text/plain"],
    ]
    assert len(notebook.cells[1].outputs) == 1
    assert ("widgets" in notebook.metadata) == state
    exported, _ = HTMLExporter().from_notebook_node(notebook)
    assert exported.count('<img alt="Bars. height = 1: One bar, 1 high."') == 2
