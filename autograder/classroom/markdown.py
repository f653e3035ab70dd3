"""Markdown with formulas to HTML that needs nothing but itself: no script, no network.

`html` is for text of the course's own in pages of our own, `render` for the cells of a notebook.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any, ClassVar

from nbconvert.filters.markdown_mistune import (
    InvalidNotebook,
    IPythonRenderer,
    MarkdownWithMath,
    MathInlineParser,
)

from autograder.classroom.mathml import mathml

#: For a page with formulas: fonts that can stretch a brace, and columns as TeX sets them.
STYLE = (Path(__file__).parent / "page_templates" / "base" / "math.css").read_text(encoding="utf-8")


class _Inline(MathInlineParser):
    """JupyterLab pairs no dollar signs across a code span either."""

    SPECIFICATION: ClassVar[dict[str, str]] = {
        **MathInlineParser.SPECIFICATION,
        "inline_math_tex": r"(?s:(?<![$\\])\$(?P<math_inline_tex>[^`]+?)(?<![$\\])\$)",
    }


class _Renderer(IPythonRenderer):
    """nbconvert's, with formulas as MathML."""

    def block_math(self, body: str) -> str:
        return mathml(body, display=True)

    def inline_math(self, body: str) -> str:
        return mathml(body)

    def latex_environment(self, name: str, body: str) -> str:
        return mathml(f"\\begin{{{name}}}{body}\\end{{{name}}}", display=True)

    def block_mermaidjs(self, code: str) -> str:
        """As code: drawing it wants a script, and nbconvert hands it on unescaped."""
        return f"<pre><code>{escape(code)}</code></pre>\n"


class _HarmlessRenderer(_Renderer):
    """One that lets no HTML through and loads no picture."""

    def __init__(self) -> None:
        super().__init__(escape=True, allow_harmful_protocols=False, exclude_anchor_links=True)

    def image(self, text: str, url: str, title: str | None = None) -> str:
        return text


def html(text: str) -> str:
    """`text`, Markdown, as HTML in paragraphs. HTML in it is escaped, a picture is its description."""
    return _rendered(text, _HarmlessRenderer())


def render(text: str, attachments: Mapping[str, Mapping[str, str]] | None = None) -> str:
    """A cell's Markdown as HTML, as nbconvert does it: HTML in it stays as it is. What can't be rendered
    is shown as it was written."""
    return _rendered_cell(text) if not attachments else _rendered(text, _cells_renderer(attachments))


@functools.lru_cache(maxsize=1024)
def _rendered_cell(text: str) -> str:
    """Most of a class's cells are the lesson's own, the same for each student."""
    return _rendered(text, _cells_renderer({}))


def _cells_renderer(attachments: Mapping[str, Mapping[str, str]]) -> _Renderer:
    return _Renderer(escape=False, attachments=attachments)


def plain(text: str) -> str:
    """`text` as it was written."""
    return f'<pre class="markdown">{escape(text)}</pre>'


def _rendered(text: str, renderer: IPythonRenderer) -> str:
    markdown: Any = MarkdownWithMath(renderer=renderer, inline=_Inline(hard_wrap=False))
    try:
        return str(markdown.render(text))
    except (RecursionError, InvalidNotebook):  # nested too deep, or an attachment that is not there
        return plain(text)
