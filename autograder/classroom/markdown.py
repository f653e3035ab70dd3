"""Markdown with formulas to HTML that needs nothing but itself: no script, no network.

`html` is for text of the course's own in pages of our own, `render` for the cells of a notebook.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any, ClassVar

from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath, MathInlineParser

from autograder.classroom.mathml import mathml

#: For a page with formulas: fonts that can stretch a brace, and columns as TeX sets them.
STYLE = """
math { font-family: "Latin Modern Math", "STIX Two Math", "Cambria Math", "Libertinus Math",
  "DejaVu Math TeX Gyre", math; font-size: 1.08em; }
math[display="block"] { margin: .7em 0; max-width: 100%; overflow-x: auto; overflow-y: hidden; }
mtd[columnalign="left"] { text-align: left; padding-left: 0; }
mtd[columnalign="left"] + mtd[columnalign="left"] { padding-left: 1em; }
mtd[columnalign="right"] { text-align: right; padding-right: 0; }
math .prime { font-family: "Times New Roman", "Liberation Serif", "DejaVu Serif", serif; }
code.tex { white-space: pre-wrap; }
"""


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


def render(text: str, attachments: Mapping[str, Mapping[str, str]], path: str) -> str:
    """A cell's Markdown as HTML, as nbconvert does it: HTML in it stays as it is."""
    return _rendered(text, _Renderer(escape=False, attachments=attachments, path=path))


def plain(text: str) -> str:
    """`text` as it was written."""
    return f'<pre class="markdown">{escape(text)}</pre>'


def _rendered(text: str, renderer: IPythonRenderer) -> str:
    markdown: Any = MarkdownWithMath(renderer=renderer, inline=_Inline(hard_wrap=False))
    return str(markdown.render(text))
