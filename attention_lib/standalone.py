"""A notebook's function as a program of its own: its source, and what it uses of the notebook.

No code is pickled: the notebook's functions go along as the text in their cells, imported things as
imports, and all else that they name (a number, an array) as values.
"""

from __future__ import annotations

import inspect
import pickle
import symtable
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from attention_lib import notebook


class CantStandAlone(notebook.Message):
    """What of the function can't be taken along, and why."""


@dataclass(frozen=True)
class Standalone:
    """`source` defines the function and what it uses, once the names of `values` (pickled) are bound."""

    source: str
    values: dict[str, bytes]


def standalone(function: Callable[..., Any]) -> Standalone:
    """Collect `function` with what it uses, and what that uses, of the namespace that it is defined in.

    Raises CantStandAlone where a source can't be found (a lambda, a function inside a function,
    something typed without a cell or file) or a value can't be pickled.
    """
    original = inspect.unwrap(function)
    if not inspect.isfunction(original):
        raise CantStandAlone(
            f"{function!r} is a {type(function).__name__}: a function made with def is needed."
        )
    collected = _Collected(original.__globals__)
    collected.add(function.__name__, function)
    return Standalone("\n\n".join(collected.parts), collected.values)


class _Collected:
    """The parts of a program, each after those that it needs when it is defined."""

    def __init__(self, home: dict[str, Any]) -> None:
        self.home = home
        self.parts: list[str] = []
        self.values: dict[str, bytes] = {}
        self._bound: dict[str, Any] = {}

    def add(self, name: str, value: Any) -> None:
        if name in self._bound:
            if self._bound[name] is not value:
                raise CantStandAlone(
                    f"Two different things are called {name}: run the notebook from its top."
                )
            return
        self._bound[name] = value
        if isinstance(value, ModuleType):
            self.parts.append(f"import {value.__name__} as {name}")
        elif self._is_imported(value):
            self.parts.append(f"from {value.__module__} import {value.__qualname__} as {name}")
        elif inspect.isfunction(inspect.unwrap(value)) or inspect.isclass(value):
            self._add_source(name, value)
        else:
            self.values[name] = _pickled(name, value)

    def _is_imported(self, value: Any) -> bool:
        """Can another process import it by its name? Not from the notebook or file that is taken along."""
        module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
        if not isinstance(module, str) or not isinstance(name, str) or module == self.home.get("__name__"):
            return False
        return module != "__main__" and getattr(sys.modules.get(module), name, None) is value

    def _add_source(self, name: str, value: Any) -> None:
        own_name = value.__name__
        if own_name != name:
            self.add(own_name, value)
            self.parts.append(f"{name} = {own_name}")
            return
        source = _source(name, value)
        for used in dict.fromkeys(_global_names(symtable.symtable(source, f"<{name}>", "exec"))):
            if used in self.home and not used.startswith("__"):
                self.add(used, self.home[used])
        self.parts.append(source)


def _source(name: str, value: Any) -> str:
    if name == "<lambda>":
        raise CantStandAlone("A lambda can't be taken to another process: write it as a function with def.")
    if getattr(getattr(inspect.unwrap(value), "__code__", None), "co_freevars", ()):
        raise CantStandAlone(f"{name} was defined inside another function: define it in a cell, at the left.")
    try:
        return textwrap.dedent(inspect.getsource(value)).strip("\n")
    except (OSError, TypeError):
        raise CantStandAlone(
            f"The source of {name} can't be found: define it in a cell, and run that."
        ) from None


def _global_names(scope: symtable.SymbolTable) -> Iterator[str]:
    """The names that `scope`, or a scope within it, takes from the notebook."""
    yield from (symbol.get_name() for symbol in scope.get_symbols() if symbol.is_global())
    for inner in scope.get_children():
        yield from _global_names(inner)


def _pickled(name: str, value: Any) -> bytes:
    try:
        return pickle.dumps(value)
    except Exception as error:
        what = f"{type(error).__name__}: {error}"
        raise CantStandAlone(f"{name} is used, and can't be handed to another process ({what}).") from None
