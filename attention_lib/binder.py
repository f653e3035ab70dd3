"""A server on Binder is thrown away: a notebook that runs on one says in its first cell how to keep work."""

from __future__ import annotations

import html
import os

from attention_lib import notebook

#: Binder sets it on each of its servers; the toolbar's buttons file what they save under it.
MARK = "BINDER_REPO_URL"

_TITLE = "This server forgets."
_WHY = (
    "Left alone for some minutes it is thrown away, and with it what you wrote. Keep your work with the "
    "buttons in the bar above this notebook:"
)
_HOW = (
    "Download puts a copy on your computer: do it before each break. It is the file to hand in, too. To go "
    "on from it on a new server, close the notebook unsaved, upload the copy over it (the arrow above the "
    "list of files) and open it again.",
    "The cloud with the arrow down, Save to browser storage, keeps a copy in this browser; the one with the "
    "arrow up, Restore from browser storage, brings it back on a new server. It is the lesser copy: another "
    "browser does not have it, nor another of Binder's addresses.",
    "Both work when the server is gone already, for as long as this page stays open.",
)


def remind() -> bool:
    """On Binder, show under the running cell how to keep one's work. Whether it was shown."""
    if not os.environ.get(MARK):
        return False
    text = "\n".join((f"{_TITLE} {_WHY}", *(f"- {line}" for line in _HOW)))
    if not notebook.show_html(_as_html(), text):
        print(text)
    return True


def _as_html() -> str:
    points = "".join(f"<li>{html.escape(line)}</li>" for line in _HOW)
    return (
        '<div style="border-left: 4px solid #d55e00; padding: 0.2em 0 0.2em 1em">'
        f"<strong>{_TITLE}</strong> {html.escape(_WHY)}<ul>{points}</ul></div>"
    )
