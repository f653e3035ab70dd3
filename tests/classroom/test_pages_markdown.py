"""Markdown of the course's own, in pages of our own: formulas drawn, HTML escaped, nothing loaded."""

from __future__ import annotations

import pytest

from autograder.classroom.markdown import html

X = "<math><mi>x</mi></math>"
ALONE = X.replace("<math>", '<math display="block">')


@pytest.mark.parametrize(
    ("text", "page"),
    [
        ("Why **not** *this*?", "<p>Why <strong>not</strong> <em>this</em>?</p>\n"),
        ("where $x$ is", f"<p>where {X} is</p>\n"),
        ("$$x$$", f"<p>{ALONE}</p>\n"),
        ("`x @ y`", "<p><code>x @ y</code></p>\n"),
        ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n"),
        ("[b](https://example.org)", '<p><a href="https://example.org">b</a></p>\n'),
    ],
)
def test_markdown_is_rendered(text: str, page: str) -> None:
    assert html(text) == page


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("it costs $5", "<p>it costs $5</p>\n"),
        (r"\$5 and \$6", "<p>$5 and $6</p>\n"),
        ("`$x$`", "<p><code>$x$</code></p>\n"),
        ("$5, then `a = $b`", "<p>$5, then <code>a = $b</code></p>\n"),
        ("```\n$x$\n```", "<pre><code>$x$\n</code></pre>\n"),
        ("    $x$", "<pre><code>$x$</code></pre>\n"),
    ],
)
def test_a_lone_dollar_sign_and_code_stay_as_they_are(text: str, shown: str) -> None:
    assert html(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<b>x</b>", "<p>&lt;b&gt;x&lt;/b&gt;</p>\n"),
        ("<script>f()</script>", "<p>&lt;script&gt;f()&lt;/script&gt;</p>\n"),
        ("[a](javascript:f())", '<p><a href="#harmful-link">a</a></p>\n'),
        ("![a $x$ <b>](https://example.org/a.png)", f"<p>a {X} &lt;b&gt;</p>\n"),
        ("```mermaid\n<script>\n```", "<pre><code>&lt;script&gt;\n</code></pre>\n"),
    ],
)
def test_html_is_escaped_and_nothing_is_loaded(text: str, shown: str) -> None:
    assert html(text) == shown
