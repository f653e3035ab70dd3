"""`bring("causal_weights", "01_dot_product_similarity")`: your own function, from your earlier notebook.

It copies the cell that you wrote there into the cell that called it. It has no other source: where you
have not written the function yet, there is nothing to bring.
"""

from __future__ import annotations

import json
import linecache
import re
from pathlib import Path
from typing import Any

from attention_lib import notebook

#: How a lesson's notebook spells the call: the function, and the lesson that it was written in.
CALL = re.compile(r'bring\("(\w+)", "(\w+)"\)')
_STUB = re.compile(r"^\s*raise NotImplementedError\b", re.MULTILINE)


class NothingToBring(notebook.Message):
    """Why the function can't be brought, and what to do."""


def bring(name: str, lesson: str) -> None:
    """Write your cell `name` of `lesson`'s notebook into the calling cell, and define what it defines.

    The notebook is looked for beside this one: in `../LESSON/LESSON.ipynb`, `LESSON/LESSON.ipynb` and
    `LESSON.ipynb`. Raises NothingToBring when it is not there, has no such cell, or the cell is still
    the stub that it came with.
    """
    shell = notebook.shell()
    if shell is None:
        raise NothingToBring("bring writes into a notebook's cell: call it in a notebook.")
    path = _find(lesson, Path.cwd())
    source = _written(name, path)
    shell.set_next_input(source, replace=True)
    _define(source, f"<{name} from {path.name}>", notebook.namespace())
    print(
        f"{name} is now in this cell as you wrote it in {path.name}. Save this notebook to keep it.\n"
        f'If you change it there, write bring("{name}", "{path.stem}") here and run that again.'
    )


def _find(lesson: str, folder: Path) -> Path:
    lesson = lesson.removesuffix(".ipynb")
    places = [folder.parent / lesson / f"{lesson}.ipynb", folder / lesson / f"{lesson}.ipynb"]
    places.append(folder / f"{lesson}.ipynb")
    for place in places:
        if place.is_file():
            return place
    looked = "".join(f"\n    {place}" for place in places)
    raise NothingToBring(
        f"There is no notebook {lesson}.ipynb beside this one. Looked at:{looked}\n"
        "Put your notebook of that lesson at one of these places, or paste your function into this cell."
    )


def _written(name: str, path: Path) -> str:
    """The source of the student's cell `name`."""
    cells = [cell for cell in _cells(path) if _is_answer(cell, name)]
    if not cells:
        known = sorted(_grade_id(cell) for cell in _cells(path) if _is_answer(cell, _grade_id(cell)))
        there = f" It has cells for {', '.join(known)}." if known else ""
        raise NothingToBring(f"{path} has no cell in which you wrote {name}.{there}")
    source = cells[0].get("source", "")
    source = "".join(source) if isinstance(source, list) else source
    if not source.strip() or _STUB.search(source):
        raise NothingToBring(f"{name} is not written yet in {path}: write it there first, and save.")
    return source


def _cells(path: Path) -> list[dict[str, Any]]:
    try:
        return list(json.loads(path.read_text(encoding="utf-8"))["cells"])
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise NothingToBring(
            f"{path} can't be read as a notebook ({type(error).__name__}: {error})."
        ) from None


def _nbgrader(cell: dict[str, Any]) -> dict[str, Any]:
    return cell.get("metadata", {}).get("nbgrader") or {}


def _grade_id(cell: dict[str, Any]) -> str:
    return str(_nbgrader(cell).get("grade_id", ""))


def _is_answer(cell: dict[str, Any], name: str) -> bool:
    """Only a code cell that was the student's to write."""
    is_solution = _nbgrader(cell).get("solution") is True
    return cell.get("cell_type") == "code" and is_solution and _grade_id(cell) == name


def _define(source: str, filename: str, names: dict[str, Any]) -> None:
    # Running all cells goes on below this one, while the new source runs only the next time.
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    try:
        exec(compile(source, filename, "exec"), names)
    except Exception as error:
        what = f"{type(error).__name__}: {error}"
        raise NothingToBring(f"Your cell is here now, but running it raises {what}. Mend it below.") from None
