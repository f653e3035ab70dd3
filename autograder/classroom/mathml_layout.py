"""What TeX does unasked and latex2mathml leaves out: limits above and below, room beside function names
and stretched brackets, none around a sign, a bar, a slash or an operator in braces, primes that can be seen.

In place, on the elements that latex2mathml makes.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from latex2mathml.commands import FUNCTIONS

#: Symbols as latex2mathml writes them.
_SIGNS = {"+", "-", "±", "−"}
_OPENING = {"(", "[", "{", "⟨", "⌊", "⌈"}
_CLOSING = {")", "]", "}", "⟩", "⌋", "⌉", "!", "′"}
_BARS = {"|", "‖", "∥"}
_TIGHT = {"/", "…", *_BARS}
#: Symbols that are no operators, though latex2mathml says so.
_LETTERS = {"∞", "∅", "∂", "∇", "⊤", "⊥", "∀", "∃"}
_LIMITS_BELOW = {"∑", "∏", "⋃", "⋂", "max", "min", "lim", "sup", "inf"}
_NAMES = {name.removeprefix("\\") for name in FUNCTIONS} | {"max", "min", "lim", "sup", "inf"}
_WITH_LIMITS = {"msub": "munder", "msup": "mover", "msubsup": "munderover"}
_SCRIPTED = {*_WITH_LIMITS, *_WITH_LIMITS.values()}
_SEQUENCES = {"math", "mrow", "mstyle", "mpadded", "mphantom", "mtd", "msqrt"}
_THIN = "0.1667em"
_PRIMES = {"′", "″", "‴", "⁗"}


def lay_out(element: Element) -> None:
    """Mend `element` and all within it."""
    for child in element:
        lay_out(child)
    if element.tag == "mo" and element.text in _LETTERS:
        element.tag, element.attrib["mathvariant"] = "mi", "normal"
    elif element.tag == "mrow" and _is_upright_word(element):
        element.tag, element.text = "mi", "".join(child.text or "" for child in element)
        element[:] = []
    elif element.tag == "mrow" and len(element) == 1 and element[0].tag == "mo":
        element[0].attrib |= {"lspace": "0", "rspace": "0"}
    elif element.tag in ("msup", "msubsup") and len(element) and element[-1].text in _PRIMES:
        _set_prime(element)
    elif element.tag in _WITH_LIMITS and len(element) and element[0].text in _LIMITS_BELOW:
        element.tag = _WITH_LIMITS[element.tag]
    if element.tag in _SEQUENCES:
        element[:] = _spaced(list(element))


def _is_upright_word(row: Element) -> bool:
    """The letters of one \\mathrm."""
    return len(row) > 1 and all(
        child.tag == "mi" and child.get("mathvariant") == "normal" and len(child.text or "") == 1
        for child in row
    )


def _set_prime(scripts: Element) -> None:
    """A prime as a text font has it, small and raised: in a math font it may be so or not, and raised twice
    it is a speck."""
    *kept, prime = scripts
    prime.tag, prime.attrib = "mtext", {"class": "prime"}
    base = Element("mrow")
    base[:] = [kept[0], prime]
    if len(kept) == 1:
        scripts.tag, scripts[:] = "mrow", [*base]
    else:
        scripts.tag, scripts[:] = "msub", [base, kept[1]]


def _spaced(children: list[Element]) -> Iterator[Element]:
    before: Element | None = None
    for child in children:
        if child.tag == "mspace":
            yield child
            continue
        _set_operator(child, before)
        if before is not None and _needs_room(before, child):
            yield Element("mspace", width=_THIN)
        yield child
        before = child


def _set_operator(element: Element, before: Element | None) -> None:
    """Give an operator the room that TeX gives it, where a browser's dictionary knows it otherwise."""
    core = _core(element)
    if core.tag != "mo":
        return
    if core.text in _NAMES:
        core.attrib |= {"lspace": "0", "rspace": "0", "movablelimits": "true"}
    elif core.text in _TIGHT:
        core.attrib |= {"lspace": "0", "rspace": "0"}
        if core.text in _BARS:
            core.attrib.setdefault("stretchy", "false")
    elif core.text in _SIGNS and not _ends_a_term(before):
        core.attrib |= {"form": "prefix", "lspace": "0", "rspace": "0"}


def _needs_room(before: Element, after: Element) -> bool:
    """Whether a function's name or stretched brackets touch what they are applied to or multiplied by."""
    if _is_name(before) or _is_bracketed(before):
        return _is_name(after) or not _is_operator(after)
    return (_is_name(after) or _is_bracketed(after)) and _ends_a_term(before)


def _is_bracketed(element: Element) -> bool:
    """What stands between \\left and \\right."""
    return element.tag == "mrow" and len(element) > 0 and element[0].get("fence") == "true"


def _core(element: Element) -> Element:
    """What an element's indices hang on."""
    while element.tag in _SCRIPTED and len(element):
        element = element[0]
    return element


def _is_name(element: Element) -> bool:
    return _core(element).tag in ("mi", "mo") and _core(element).text in _NAMES


def _is_operator(element: Element) -> bool:
    return _core(element).tag == "mo" and not _is_name(element)


def _ends_a_term(element: Element | None) -> bool:
    """Whether a sign after it is a sum's or a difference's."""
    if element is None or _is_name(element):
        return False
    return not _is_operator(element) or _core(element).text in _CLOSING | _TIGHT
