"""Formulas as MathML: every one of the course converts, what can't stays readable, nothing that a student
writes becomes more than text."""

from __future__ import annotations

import re
import time
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import nbformat
import pytest

from autograder import library
from autograder.authoring.cells import free_text_prompt, question_text
from autograder.classroom.markdown import html
from autograder.classroom.mathml import DEEPEST, LONGEST, mathml

REPOSITORY = Path(__file__).parents[2]
LESSONS = library.lesson_names(REPOSITORY / "solutions")


def inside(tex: str, display: bool = False) -> str:
    """The MathML of `tex` without the elements around it."""
    return re.sub(r"^<math[^>]*>|</math>$", "", mathml(tex, display))


# --- every formula of the course ---------------------------------------------------------------------------


def _texts(lesson: str) -> list[str]:
    """All Markdown of a lesson: released and solved, prompts, rubrics."""
    hidden = library.load(REPOSITORY / "solutions", lesson)
    texts = [question_text(question) for question in hidden.questions.values()]
    for item in hidden.free_texts.values():
        texts += [free_text_prompt(item), item.model_answer, *(criterion for _, criterion in item.rubric)]
    for folder in ("notebooks", "build/source"):
        path = REPOSITORY / folder / lesson / f"{lesson}.ipynb"
        cells = nbformat.read(path, as_version=4).cells if path.is_file() else []
        texts += [cell.source for cell in cells if cell.cell_type == "markdown"]
    return texts


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_formula_of_a_lesson_is_drawn(lesson: str) -> None:
    for text in _texts(lesson):
        page = html(text)
        assert 'class="tex"' not in page, text
        prose = re.sub(r"<math.*?</math>|<(code|pre).*?</\1>", "", page, flags=re.DOTALL)
        assert "$" not in prose, text
        assert re.findall(r"\\[a-z]+", prose) == [], text


def test_the_lessons_have_many_formulas() -> None:
    drawn = sum(html(text).count("<math") for lesson in LESSONS for text in _texts(lesson))
    assert drawn > 1000


# --- what TeX does unasked ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tex", "drawn"),
    [
        (r"\ln 2", '<mi>ln</mi><mspace width="0.1667em"></mspace><mn>2</mn>'),
        (r"x\ln x", "<mi>x</mi><mspace"),
        (r"\exp(x)", "<mi>exp</mi><mo"),
        (r"\exp(-x)", '<mo form="prefix" lspace="0" rspace="0">−</mo>'),
        (r"[1, -2]", '<mo form="prefix" lspace="0" rspace="0">−</mo>'),
        (r"a - b", "<mi>a</mi><mo>−</mo><mi>b</mi>"),
        (r"f(a) - b", "</mo><mo>−</mo><mi>b</mi>"),
        (r"a/b", '<mo lspace="0" rspace="0">/</mo>'),
        (r"\lvert x\rvert", '<mo lspace="0" rspace="0" stretchy="false">|</mo>'),
        (r"\left|x\right|", 'stretchy="true"'),
        (r"-\infty", '<mi mathvariant="normal">∞</mi>'),
        ("32{,}768", '<mn>32</mn><mo lspace="0" rspace="0">,</mo>'),
        ("x_{i}", "<msub><mi>x</mi><mi>i</mi></msub>"),
        (r"\mathrm{softmax}(x)", "<mi>softmax</mi>"),
        (r"\max_j x", "<munder><mo"),
        (r"\frac{1}{\sum_{i=0}^{n} x}", "<munderover><mo>∑</mo>"),
        ("m'", '<mrow><mi>m</mi><mtext class="prime">′</mtext></mrow>'),
        ("x_i'", '<msub><mrow><mi>x</mi><mtext class="prime">′</mtext></mrow><mi>i</mi></msub>'),
        (r"f\left(x\right)", '<mi>f</mi><mspace width="0.1667em"></mspace><mrow>'),
    ],
)
def test_what_tex_does_unasked_is_done(tex: str, drawn: str) -> None:
    assert drawn in inside(tex)


@pytest.mark.parametrize(
    ("tex", "elements"),
    [
        (r"\frac{a}{b}", {"mfrac"}),
        (r"\tfrac12", {"mfrac"}),
        (r"\sqrt{d_k}", {"msqrt", "msub"}),
        (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", {"mtable", "mtr", "mtd"}),
        (r"\begin{cases}1 & x > 0\\0 & \text{else}\end{cases}", {"mtable", "mtext"}),
        (r"\underbrace{a}_{n}", {"munder"}),
    ],
)
def test_each_construction_of_the_lessons_has_its_element(tex: str, elements: set[str]) -> None:
    assert elements <= set(re.findall(r"<(\w+)", mathml(tex)))


def test_a_formula_between_two_dollar_signs_each_stands_alone() -> None:
    assert mathml("x", display=True).startswith('<math display="block">')
    assert mathml("x").startswith("<math>")


# --- what can't be converted -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tex",
    [
        r"\nosuchcommand{x}",
        r"\frac{1}",
        r"\left( x",
        r"x_1_2",
        r"\begin{cases} 1",
        r"\sqrt",
        "{" * (DEEPEST + 1) + "}" * (DEEPEST + 1),
        "x" * (LONGEST + 1),
        r"\sqrt" * 150,
        r"\newcommand{\a}{xx}\a",
    ],
)
def test_what_cannot_be_converted_is_shown_as_it_was_written(tex: str) -> None:
    assert mathml(tex) == f'<code class="tex">${tex}$</code>'


def test_what_cannot_be_converted_is_escaped() -> None:
    assert mathml(r"\nosuch<img src=x>") == '<code class="tex">$\\nosuch&lt;img src=x&gt;$</code>'


# --- hostile formulas --------------------------------------------------------------------------------------

HOSTILE = [
    r"\text{<script>document.title='PWNED'</script>}",
    r"<img src=x onerror=alert(1)>",
    r"</math><script>alert(1)</script>",
    r"\text{&#x3c;script&#x3e;alert(1)&#x3c;/script&#x3e;}",
    r"\text{&lt;script&gt;}",
    r"\unicode{x3c}script\unicode{x3e}",
    r"\href{javascript:alert(1)}{x}",
    r"\style{position:fixed;background:url(//example.org)}{x}",
    r"\class{navbar}{x}",
    r"\color{red\" onclick=\"alert(1)}x",
    r"\textcolor{url(x)}{x}",
    r"\colorbox{red;position:fixed}{x}",
    r"\rule{1px;position:fixed}{9em}",
    r"\hspace{1em\" onclick=\"f()}x",
    r"\operatorname{a}\begin{array}{l}\text{<style>*{display:none}</style>}\end{array}",
    "\\text{\u202eabc}",
    r"\verb|<svg onload=alert(1)>|",
    r"\mathchoice{<b>}{<i>}{x}{y}",
    r"\fcolorbox{x}{y}{<iframe>}",
    '"\' onmouseover=f() x="',
]
ALLOWED = {
    *("display", "displaystyle", "scriptlevel", "mathvariant", "form", "columnalign", "mathcolor", "fence"),
    *("largeop", "movablelimits", "separator", "stretchy", "symmetric", "accent", "accentunder", "width"),
    *("height", "depth", "lspace", "rspace", "voffset", "minsize", "maxsize", "linethickness", "class"),
}


class Elements(HTMLParser):
    """Tags and attributes, as a browser finds them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str]] = set()
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {(name, value or "") for name, value in attrs}


@pytest.mark.parametrize("tex", HOSTILE)
def test_a_hostile_formula_is_a_formula_or_text(tex: str) -> None:
    for source in (tex, tex.replace("<", "<\u200b")):
        drawn = mathml(source)
        found = Elements(drawn)
        assert all(tag == "code" or re.fullmatch("m[a-z]+", tag) for tag in found.tags), drawn
        assert {name for name, _ in found.attributes} <= ALLOWED, drawn
        assert all(re.fullmatch(r"[#\w.+-]{1,20}", value) for _, value in found.attributes), drawn
        assert "\u202e" not in unescape(drawn) or "<code" in drawn
        ElementTree.fromstring(drawn)


@pytest.mark.parametrize(
    "tex",
    [
        "{" * DEEPEST + "x" + "}" * DEEPEST,
        r"\left(" * 80 + r"\right)" * 80,
        "x" * LONGEST,
        "x_{" * 300,
        r"\frac" * 200,
        r"\sqrt[" * 150,
        r"\begin{a}" * 110,
        "'" * LONGEST,
        r"\def\a{\b\b}\def\b{\c\c}\def\c{\d\d}\def\d{xx}" + r"\a" * 100,
        r"\text{" * 160,
        r"\color{red}" * 90,
        "a^" * 500,
        r"\not" * 300,
    ],
)
def test_no_formula_takes_long(tex: str) -> None:
    began = time.process_time()
    drawn = mathml(tex)
    assert time.process_time() - began < 5  # seconds; the slowest here takes a tenth of one
    assert len(drawn) < 100 * LONGEST
