"""From a lesson's source (MyST Markdown and the hidden library) to its solved notebook, nbgrader's source."""

from __future__ import annotations

import ast
import builtins
import difflib
import keyword
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nbformat import v4
from nbformat.notebooknode import NotebookNode

from attention_lib import bring
from autograder.authoring import cells
from autograder.authoring.source import bound_names, python_of, read_names, source_of, statements
from autograder.exercise import Exercise, FreeText, Question
from autograder.library import Library, UserError, load

Item = Exercise | Question | FreeText

# Nothing of the author's own machine: the same bytes wherever the lesson is built.
NOTEBOOK_METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
_NO_ALT_TEXT = re.compile(r"!\[\s*\]\([^)]*\)")
_SLUG_LENGTH = 40


def items(library: Library) -> dict[str, Item]:
    """Everything that a lesson can ask for by name. Raises UserError when two kinds of item share a name."""
    kinds: list[dict[str, Item]] = [{**library.exercises}, {**library.questions}, {**library.free_texts}]
    shared = [name for name, count in Counter(name for kind in kinds for name in kind).items() if count > 1]
    if shared:
        raise UserError(f"{library.lesson}: more than one item is named {', '.join(shared)}; rename one")
    return {name: item for kind in kinds for name, item in kind.items()}


def solved_notebook(path: Path, library: Library) -> NotebookNode:
    """The solved notebook of the lesson whose source is `path`.

    Raises UserError, naming lesson and item, when the source can't be read, names an item that the
    library does not have, uses one twice or leaves one out, or when a solution would not run in the
    notebook because it uses a name that no earlier cell defines.
    """
    made: list[NotebookNode] = []
    known = items(library)
    used: Counter[str] = Counter()
    label = _Labels()
    for cell in _read(path):
        name = cell.source.strip()
        if brought := bring.CALL.fullmatch(name):
            made.append(_brought(path, *brought.groups()))
        elif cell.cell_type == "code" and _is_name(name):
            made += _expand(_find(name, known, path))
            used[name] += 1
        else:
            made.append(_as_written(cell, label))
    _require_each_once(path, known, used)
    _require_names_defined(path, library, made)
    new_notebook: Any = v4.new_notebook
    notebook: NotebookNode = new_notebook(cells=made, metadata=NOTEBOOK_METADATA)
    return notebook


def _read(path: Path) -> list[NotebookNode]:
    import jupytext

    reads: Any = jupytext.reads
    try:
        notebook = reads(path.read_text(encoding="utf-8"), fmt="md:myst")
    except Exception as error:
        first_line = str(error).strip().split("\n")[0]
        raise UserError(f"{path} can't be read as MyST Markdown: {first_line}") from error
    return [cell for cell in notebook.cells if cell.source.strip()]


def _is_name(source: str) -> bool:
    return source.isidentifier() and not keyword.iskeyword(source)


def _find(name: str, known: dict[str, Item], path: Path) -> Item:
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1)
    meant = f" (is {near[0]} meant?)" if near else ""
    raise UserError(
        f"{path}: a code cell holds just {name!r}, which is no exercise, question or free text of the "
        f"lesson{meant}. To show a variable, write print({name})"
    )


def _expand(item: Item) -> list[NotebookNode]:
    match item:
        case Exercise():
            return cells.of_exercise(item)
        case Question():
            return cells.of_question(item)
        case FreeText():
            return cells.of_free_text(item)


def _brought(path: Path, name: str, lesson: str) -> NotebookNode:
    """The cell for the function `name` of the earlier `lesson`. Raises UserError when there is none such."""
    if lesson >= path.stem:
        raise UserError(f"{path}: {name} is brought from {lesson}, which is no earlier lesson")
    exercises = load(path.parent.parent, lesson).exercises
    if name not in exercises:
        raise UserError(f"{path}: {lesson} has no exercise {name} to bring; it has {', '.join(exercises)}")
    return cells.of_brought(exercises[name], lesson)


def _as_written(cell: NotebookNode, label: _Labels) -> NotebookNode:
    if cell.cell_type == "code":
        return cells.provided(cell.source, label.next(), dict(cell.metadata))
    if _NO_ALT_TEXT.search(cell.source):
        raise UserError(
            f"a picture has no alt text: {_NO_ALT_TEXT.findall(cell.source)[0]}; write ![what it shows](...)"
        )
    label.see(cell.source)
    return cells.prose(cell.source, label.next(), dict(cell.metadata))


class _Labels:
    """Ids for the cells that have no name: the heading above and a running number below it.

    They change only when the section itself does, and hold a hyphen, so no item's name can be one.
    """

    def __init__(self) -> None:
        self._slug = "start"
        self._count: Counter[str] = Counter()

    def see(self, text: str) -> None:
        """Go on below the last heading of `text`, if it has one."""
        headings = _HEADING.findall(_without_fences(text))
        if headings:
            self._slug = _slug(headings[-1])

    def next(self) -> str:
        self._count[self._slug] += 1
        return f"{self._slug}-{self._count[self._slug]}"


def _without_fences(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def _slug(heading: str) -> str:
    plain = unicodedata.normalize("NFKD", heading).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_SLUG_LENGTH].strip("-") or "section"


def _require_each_once(path: Path, known: Iterable[str], used: Counter[str]) -> None:
    twice = [name for name, count in used.items() if count > 1]
    if twice:
        raise UserError(f"{path}: {', '.join(twice)} stands in more than one cell; an item is asked once")
    missing = [name for name in known if name not in used]
    if missing:
        raise UserError(
            f"{path}: no cell asks for {', '.join(missing)}; give each a code cell that holds just its name"
        )


def _require_names_defined(path: Path, library: Library, made: list[NotebookNode]) -> None:
    """A reference may use only what the notebook's earlier cells define: it is the solved notebook."""
    defined = set(dir(builtins))
    for cell in made:
        exercise = library.exercises.get(cell.id)
        if cell.cell_type == "code" and exercise is not None:
            _require_defined(path, library, exercise, defined)
            defined.add(exercise.name)
        elif cell.cell_type == "code":
            defined |= _bound_in(path, cell)


def _require_defined(path: Path, library: Library, exercise: Exercise, defined: set[str]) -> None:
    found = source_of(exercise.reference)
    assert found is not None
    node = found[1]
    # Without its decorators: they are the library's, not the notebook's.
    read = read_names(node.args).union(*map(read_names, statements(node)))
    from_library = (read - bound_names(node)) & set(exercise.reference.__globals__)
    missing = sorted(from_library - defined)
    if missing:
        raise UserError(
            f"{path}: the solution of {exercise.name} uses {', '.join(missing)}, which no earlier cell of "
            "the notebook defines; import or define it in a provided cell, or write it inside the function"
        )


def _bound_in(path: Path, cell: NotebookNode) -> set[str]:
    try:
        return bound_names(ast.parse(python_of(cell.source)))
    except SyntaxError as error:
        raise UserError(
            f"{path}: cell {cell.id} is not valid Python: {error.msg} (line {error.lineno})"
        ) from error
