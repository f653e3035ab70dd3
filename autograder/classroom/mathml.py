"""TeX to MathML, which browsers draw by themselves: pages with formulas need no script and no network.

Students write TeX too. What leaves this module holds the elements and attributes named here and no
others, with all text escaped; it takes bounded time; and what can't be converted is shown as it was written.
"""

from __future__ import annotations

import functools
import html
import re
from xml.etree.ElementTree import Element

from latex2mathml.converter import convert_to_element

from autograder.classroom.mathml_layout import lay_out
from autograder.sandbox.outputs import clean_text

#: Characters. The longest formula of the lessons has 231; time grows with the square of the length.
LONGEST = 1000
#: Levels of nesting, in the source and in what is made of it. A browser stops at 512 elements.
DEEPEST = 30

#: Element → how many children it must have, None for any number.
_ELEMENTS = {
    **dict.fromkeys(("math", "mrow", "mstyle", "mpadded", "mphantom", "mtable", "mtr", "mtd", "msqrt")),
    **dict.fromkeys(("mi", "mo", "mn", "mtext", "mspace"), 0),
    **dict.fromkeys(("mfrac", "mroot", "msub", "msup", "munder", "mover"), 2),
    **dict.fromkeys(("msubsup", "munderover"), 3),
}
_LENGTH = r"[+-]?[\d.]{1,8}(?:em|ex|px|pt|mu)?"
_BOOLEAN = "true|false"
_ATTRIBUTES = {
    "display": "block",
    "class": "prime",
    "displaystyle": _BOOLEAN,
    "scriptlevel": r"[+-]?\d",
    "mathvariant": "normal",
    "form": "prefix|infix|postfix",
    "columnalign": "left|center|right",
    "mathcolor": "#?[A-Za-z0-9]{1,20}",
    **dict.fromkeys(("fence", "largeop", "movablelimits", "separator", "stretchy", "symmetric"), _BOOLEAN),
    **dict.fromkeys(("accent", "accentunder"), _BOOLEAN),
    **dict.fromkeys(("width", "height", "depth", "lspace", "rspace", "voffset"), _LENGTH),
    **dict.fromkeys(("minsize", "maxsize", "linethickness"), _LENGTH),
}
_CHARACTER = re.compile("&#x([0-9A-Fa-f]{1,6});")
#: A few such lines can stand for as many symbols as there are atoms.
_DEFINES = re.compile(
    r"\\(?:newcommand|renewcommand|providecommand|newenvironment|def|gdef|edef|let|Declare)"
)


class NotConverted(ValueError):
    """A formula that stays as it was written."""


@functools.lru_cache(maxsize=8192)
def mathml(tex: str, display: bool = False) -> str:
    """`tex`, without its dollar signs, as a <math> element, on a line of its own with `display`; as <code>
    where it can't be converted."""
    try:
        return _converted(tex, display)
    except NotConverted:
        mark = "$$" if display else "$"
        return f'<code class="tex">{html.escape(f"{mark}{tex}{mark}")}</code>'


def _converted(tex: str, display: bool) -> str:
    source = clean_text(tex).strip()
    if len(source) > LONGEST or _depth(source) > DEEPEST or _DEFINES.search(source):
        raise NotConverted(source)
    try:
        element = convert_to_element(source, display="block" if display else "inline")
        _unescape(element)
        lay_out(element)
    except Exception as error:  # the library raises whatever its code runs into
        raise NotConverted(source) from error
    return _written(element)


def _unescape(element: Element) -> None:
    """Characters for the numbers that the library writes in their place."""
    for part in element.iter():
        text = _CHARACTER.sub(lambda match: chr(int(match[1], 16)), part.text or "")
        part.text = clean_text(text)


def _depth(source: str) -> int:
    """How deep braces are nested."""
    depth = deepest = 0
    for mark in re.findall(r"\\.|[{}]", source):
        depth += {"{": 1, "}": -1}.get(mark, 0)
        deepest = max(deepest, depth)
    return deepest


def _written(element: Element, level: int = 0) -> str:
    """The element as HTML. Raises NotConverted for what a browser would not draw as it is meant."""
    wanted = _ELEMENTS.get(element.tag, -1)
    if level > 2 * DEEPEST or wanted not in (None, len(element)):
        raise NotConverted(element.tag)
    text = element.text or ""
    if text.startswith("\\"):  # a command that the library does not know
        raise NotConverted(text)
    attributes = "".join(
        f' {name}="{value}"'
        for name, value in element.attrib.items()
        if re.fullmatch(_ATTRIBUTES.get(name, ""), value)
    )
    inside = html.escape(text) + "".join(_written(child, level + 1) for child in element)
    if element.tag == "mrow" and (level == 1 or len(element) == 1) and not element.attrib:
        return inside  # in <math>, and around a single element, a row says nothing
    return f"<{element.tag}{attributes}>{inside}</{element.tag}>"
