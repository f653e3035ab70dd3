"""A picture with a slider, and the same picture standing still where nothing can move it.

Both are shown. The moving one hides the still one, which so appears wherever widgets do not: in a front end
without them, in an export, and in a notebook opened again, whose kernel knows its old sliders no more. (One
display with two forms will not do: JupyterLab then prints "model not found" in place of the picture, and
nbconvert an empty space.)
"""

from __future__ import annotations

import html
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from attention_lib import notebook
from attention_lib.picture import Picture, held_back, image

_VIEW = "application/vnd.jupyter.widget-view+json"


def slider(
    draw: Callable[[Any], Picture],
    values: Sequence[Any],
    start: Any,
    *,
    name: str,
    title: str,
    alt: str = "",
) -> Picture:
    """Show the picture `draw(start)` under the running cell, with a slider `name` over `values`.

    `draw` takes one of `values` and returns what a function of `attention_lib.plotting` drew. A value is
    drawn when the slider first comes to it; its picture is kept. `title` and `alt` describe the whole; the
    alt text of the picture at each value is read after `alt`. Returns the picture at `start`. Raises what
    `draw(start)` raises; an error at another value is shown in place of its picture.
    """
    frames = _Frames(draw, list(values), name, alt)
    if start not in frames.values:
        raise ValueError(f"start is {start!r}: expected one of the values {frames.values}")
    number = frames.values.index(start)
    picture = frames.draw_at(number)
    if notebook.shell() is not None:
        png = picture.png()
        frames.keep(number, picture, png)
        caption = f"{frames.place(number)}, one of {', '.join(map(_short, frames.values))}"
        still = f"{_strong(title)}<br>{frames.at(number)}<br>{html.escape(caption)}"
        mark = f"still-{uuid.uuid4().hex}"
        text = f"{title}\n[picture: {frames.alt_at(number, picture)}]\n{caption}"
        notebook.show_html(f'<div id="{mark}">{still}</div>{_without_complaint(mark)}', text, png)
        _show_moving(frames, number, title, mark)
        picture.mark_as_shown()
    return picture


@dataclass(frozen=True)
class _Frames:
    """The pictures of a slider as HTML, each drawn when it is first asked for."""

    draw: Callable[[Any], Picture]
    values: list[Any]
    name: str
    alt: str
    kept: dict[int, str] = field(default_factory=dict)

    def place(self, number: int) -> str:
        return f"{self.name} = {_short(self.values[number])}"

    def draw_at(self, number: int) -> Picture:
        with held_back():
            picture = self.draw(self.values[number])
        if not isinstance(picture, Picture):
            found = type(picture).__name__
            raise TypeError(f"draw({self.values[number]!r}) returned {found}: expected a picture of plotting")
        return picture

    def alt_at(self, number: int, picture: Picture) -> str:
        return f"{self.alt} {self.place(number)}: {picture.alt}" if self.alt else picture.alt

    def keep(self, number: int, picture: Picture, png: str) -> None:
        self.kept[number] = image(self.alt_at(number, picture), png)

    def at(self, number: int) -> str:
        """The picture, or what kept it from being drawn: nobody sees a traceback of a slider's move."""
        if number not in self.kept:
            try:
                picture = self.draw_at(number)
            except Exception as error:
                return html.escape(f"{self.place(number)}: {type(error).__name__}: {error}")
            self.keep(number, picture, picture.png())
        return self.kept[number]


def _show_moving(frames: _Frames, start: int, title: str, still: str) -> None:
    """Show the slider with the picture below it, and hide the element `still`. Nothing without ipywidgets."""
    widgets = notebook.widgets()
    if widgets is None:
        return
    options = [(_short(value), number) for number, value in enumerate(frames.values)]
    wide = {"style": {"description_width": "initial"}, "layout": {"width": "min(100%, 30em)"}}
    handle = widgets.SelectionSlider(options=options, value=start, description=frames.name, **wide)
    picture = widgets.HTML(frames.at(start))

    def move(change: dict[str, Any]) -> None:
        picture.value = frames.at(change["new"])

    handle.observe(move, names="value")
    # JupyterLab leaves a gap for an output that is empty, so that is hidden too.
    hiding = f"<style>#{still}, .jp-OutputArea-child:has(#{still}) {{display: none}}</style>"
    whole = widgets.VBox([widgets.HTML(_strong(title) + hiding), handle, picture])
    notebook.show({_VIEW: whole._repr_mimebundle_()[_VIEW], "text/html": "", "text/plain": ""})


def _without_complaint(still: str) -> str:
    """Hides what JupyterLab writes below the element `still` once the kernel has forgotten its slider:
    "Error displaying widget: model not found", a text where a living slider has elements."""
    below = f".jp-OutputArea-child:has(#{still}) + .jp-OutputArea-child"
    return f"<style>{below} > .jupyter-widgets:not(:has(*)) {{display: none}}</style>"


def _strong(title: str) -> str:
    return f"<strong>{html.escape(title)}</strong>"


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
