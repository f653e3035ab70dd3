"""An IPython shell that records what a cell shows, in order, as a notebook would keep it.

Runs beside student code and is polite only: it keeps a cell's output within its cap and says what it
left out. The trusted side checks all of it again (`outputs`).
"""

from __future__ import annotations

import base64
import builtins
import getpass
import io
from collections.abc import Mapping
from typing import Any

from IPython.core.async_helpers import get_asyncio_loop
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.error import StdinNotImplementedError
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.text import SList
from matplotlib._pylab_helpers import Gcf
from matplotlib_inline import backend_inline
from traitlets import Type
from traitlets.config import Config

MAX_OUTPUTS = 500
_TRACEBACK_CHARACTERS = 20_000

Output = dict[str, Any]


class Recorder:
    """The outputs of one cell. Off between cells: what is written then is dropped."""

    def __init__(self) -> None:
        self.outputs: list[Output] = []
        self._by_id: dict[str, Output] = {}
        self._limit = self._room = self._dropped = 0

    def start(self, limit: int) -> None:
        """Record, keeping up to `limit` characters."""
        self.outputs, self._by_id = [], {}
        self._limit = self._room = limit
        self._dropped = 0

    def finish(self) -> list[Output]:
        """What was recorded, each stream's text in one piece, and a note where something was cut."""
        if self._dropped:
            self._append_text("stderr", self._note())
        recorded, limit = self.outputs, self._limit
        self.start(0)
        self._limit = limit
        for output in recorded:
            if output["output_type"] == "stream":
                output["text"] = "".join(output["text"])
        return recorded

    def _note(self) -> str:
        return f"\n[{self._dropped:,} characters of output left out: a cell keeps {self._limit:,}]\n"

    def write(self, name: str, text: str) -> None:
        """Text for `name`, "stdout" or "stderr"; neighbours of one name are one output."""
        kept = text[: max(self._room, 0)]
        self._room -= len(kept)
        self._dropped += len(text) - len(kept)
        if kept:
            self._append_text(name, kept)

    def _append_text(self, name: str, text: str) -> None:
        if not self.outputs or self.outputs[-1].get("name") != name:
            if not self._has_room_for_one():
                self._dropped += len(text)
                return
            self.outputs.append({"output_type": "stream", "name": name, "text": []})
        self.outputs[-1]["text"].append(text)

    def _has_room_for_one(self) -> bool:
        return len(self.outputs) < MAX_OUTPUTS

    def show(self, output: Output, display_id: str | None = None) -> None:
        """A display or a result, whole or not at all."""
        size = sum(len(content) for content in output["data"].values())
        if size > self._room or not self._has_room_for_one():
            self._dropped += size
            return
        self._room -= size
        self.outputs.append(output)
        if display_id is not None:
            self._by_id[display_id] = output

    def update(self, output: Output, display_id: str | None) -> None:
        """Put new content into an earlier display of this cell."""
        shown = self._by_id.get(display_id or "")
        size = sum(len(content) for content in output["data"].values())
        if shown is not None and size <= self._room:
            self._room -= size
            shown["data"], shown["metadata"] = output["data"], output["metadata"]

    def clear(self) -> None:
        self.start(self._limit)

    def error(self, name: str, message: str, lines: list[str]) -> None:
        """An exception, kept when the rest is cut; a very long traceback loses its middle."""
        if len(self.outputs) > MAX_OUTPUTS + 20:
            return
        text = "\n".join(lines)
        if len(text) > _TRACEBACK_CHARACTERS:
            half = _TRACEBACK_CHARACTERS // 2
            lines = [f"{text[:half]}\n[...]\n{text[-half:]}"]
        self.outputs.append(
            {
                "output_type": "error",
                "ename": name,
                "evalue": message[:_TRACEBACK_CHARACTERS],
                "traceback": lines,
            }
        )


RECORDER = Recorder()


class Stream(io.TextIOBase):
    """Standard output or error of the student's code."""

    encoding = "utf-8"

    def __init__(self, name: str) -> None:
        self.name = name

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() takes a str, not {type(text).__name__}")
        RECORDER.write(self.name, text)
        return len(text)


def _bundle(data: Mapping[str, Any]) -> dict[str, str]:
    """MIME types to text; bytes in base64, as a notebook keeps them."""
    return {
        mime: base64.b64encode(content).decode() if isinstance(content, bytes) else str(content)
        for mime, content in data.items()
    }


def _alt_texts(metadata: Mapping[str, Any] | None) -> dict[str, dict[str, Any]]:
    """Metadata for a MIME type, as far as it is text and whole numbers."""
    return {
        mime: {key: item for key, item in entry.items() if type(item) in (str, int)}
        for mime, entry in (metadata or {}).items()
        if isinstance(entry, dict)
    }


class Publisher(DisplayPublisher):
    """Where `display(...)` ends."""

    def publish(
        self,
        data: Mapping[str, Any],
        metadata: Mapping[str, Any] | None = None,
        *,
        transient: Mapping[str, Any] | None = None,
        update: bool = False,
        **others: Any,
    ) -> None:
        output = {"output_type": "display_data", "data": _bundle(data), "metadata": _alt_texts(metadata)}
        display_id = (transient or {}).get("display_id")
        if update:
            RECORDER.update(output, display_id)
        else:
            RECORDER.show(output, display_id)

    def clear_output(self, wait: bool = False) -> None:
        RECORDER.clear()


class ResultHook(DisplayHook):
    """Where the value of a cell's last expression ends."""

    def write_output_prompt(self) -> None:
        pass

    def write_format_data(
        self, format_dict: Mapping[str, Any], md_dict: Mapping[str, Any] | None = None
    ) -> None:
        RECORDER.show(
            {
                "output_type": "execute_result",
                "execution_count": self.prompt_count,
                "data": _bundle(format_dict),
                "metadata": _alt_texts(md_dict),
            }
        )

    def finish_displayhook(self) -> None:
        self._is_active = False


class Shell(InteractiveShell):
    """IPython as a kernel has it, without the kernel."""

    displayhook_class = Type(ResultHook)
    display_pub_class = Type(Publisher)

    def _showtraceback(self, etype: Any, evalue: Any, stb: list[str]) -> None:
        RECORDER.error(str(getattr(etype, "__name__", etype)), _readable(evalue), list(stb))

    def system(self, cmd: str) -> None:
        """`!pip install …` in a cell: no program can be started here, and what stands below it still runs."""
        RECORDER.write("stderr", f"[not run while a notebook is graded: !{cmd}]\n")
        self.user_ns["_exit_code"] = 1

    system_piped = system_raw = system

    def getoutput(self, cmd: str, split: bool = True, depth: int = 0) -> Any:
        """`files = !ls`: nothing."""
        self.system(cmd)
        return SList() if split else ""

    def enable_gui(self, gui: Any = None) -> None:
        pass

    def ask_exit(self) -> None:
        """`exit` does nothing: the cells after it still run."""


def _readable(error: Any) -> str:
    try:
        return str(error)
    except Exception as second:
        return f"(its message can't be read: {type(second).__name__})"


def no_input(*arguments: Any, **keywords: Any) -> str:
    """In the place of `input` and `getpass.getpass`."""
    raise StdinNotImplementedError(
        "nobody is there to answer input() while a notebook is graded: write the value into the cell instead"
    )


def make_shell() -> Shell:
    """A shell with inline figures, no history file and no threads."""
    settings = Config()
    settings.HistoryManager.enabled = False
    settings.InteractiveShell.colors = "nocolor"
    shell: Shell = Shell.instance(config=settings)
    builtins.input = no_input
    getpass.getpass = no_input
    shell.enable_matplotlib("inline")
    return shell


_WARM_UP = (
    "1 + 1",
    "import matplotlib.pyplot as plt\nplt.imshow([[1.0, 2.0]]); plt.colorbar(); plt.title('$x_i$')",
    "import asyncio\nawait asyncio.sleep(0)",
    "def broken(): return 1 / 0\nbroken()",
    "open('/nonexistent')",
    "import warnings; warnings.warn('once')",
)


def warm_up(shell: Shell) -> None:
    """Go once through what cells do (results, figures, tracebacks, await), so that no child has to import
    or build it, and leave no trace in the shell."""
    for source in _WARM_UP:
        RECORDER.start(1_000_000)
        shell.run_cell(source, store_history=True)
    RECORDER.start(0)
    shell.reset(new_session=True)
    shell.execution_count = 1
    get_asyncio_loop().close()  # a child makes its own: this one's descriptors are closed there


def drop_figures() -> None:
    """Forget figures that no cell asked for."""
    if Gcf.get_num_fig_managers():
        Gcf.destroy_all()
    queue: Any = backend_inline.show
    queue._to_draw, queue._draw_called = [], False
