"""The notebook around a call: its names, its display, and messages meant for the person in front of it.

IPython is used where the program that imports this package has loaded it, and never imported.
"""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any


class Message(Exception):
    """An error whose text is all that the reader needs: a notebook shows it without a traceback."""

    def _render_traceback_(self) -> list[str]:
        return str(self).splitlines()


def shell() -> Any | None:
    """The running IPython shell, None outside a notebook."""
    ipython = sys.modules.get("IPython")
    get_ipython = getattr(ipython, "get_ipython", None)
    return get_ipython() if get_ipython is not None else None


def namespace() -> dict[str, Any]:
    """The names that the notebook's cells (or the running script) have defined."""
    running = shell()
    return running.user_ns if running is not None else vars(sys.modules["__main__"])


def cell_number() -> int | None:
    """The number of the running cell, None outside a notebook."""
    running = shell()
    return running.execution_count if running is not None else None


def show_html(html: str, text: str, png: str = "") -> bool:
    """Show `html` under the running cell; where HTML can't be shown, `png` (a picture in base64) or
    `text`. False outside a notebook."""
    if shell() is None:
        return False
    show({"text/html": html, **({"image/png": png} if png else {}), "text/plain": text})
    return True


def show(forms: Mapping[str, Any]) -> None:
    """Show under the notebook's running cell the first of `forms`, by MIME type, that its front end can."""
    sys.modules["IPython"].display.display(dict(forms), raw=True)


def widgets() -> Any | None:
    """ipywidgets, None where it is not installed or no kernel runs that could be asked for another picture.

    Imported when asked for: the shell that grading uses has no kernel, and is spared the time.
    """
    if getattr(shell(), "kernel", None) is None:
        return None
    try:
        return importlib.import_module("ipywidgets")
    except ImportError:
        return None


@contextmanager
def made_with(*names: str) -> Iterator[None]:
    """Run a block that calls the student's functions `names`; while one is missing, say which and go on.

    Raises what the block raises for any other reason.
    """
    try:
        yield
    except (NotImplementedError, NameError) as error:
        if isinstance(error, NameError) and error.name not in names:
            raise
        print(f"Waits for your {_missing(error, names)}: run this cell again when it is written.")


def _missing(error: NotImplementedError | NameError, names: tuple[str, ...]) -> str:
    """The function of `names` that is not there, or whose stub raised; all of them where none did."""
    if isinstance(error, NameError):
        return str(error.name)
    called = [frame.f_code.co_name for frame, _ in traceback.walk_tb(error.__traceback__)]
    stubs = [name for name in called if name in names]
    return stubs[-1] if stubs else ", ".join(names)
