"""Fingerprints of Python code: the same for code that differs in layout, comments or names alone.

Two kinds. `verbatim` keeps every name. `folded` numbers the names of variables in the order in which
they appear, so that renaming them hides nothing; names of modules, of builtins and of functions that
are called stay, since they say what the code does.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Collection, Sequence
from typing import Any

from autograder.authoring.source import without_docstring

_MODULES = {"np", "numpy", "math", "scipy"}
_ANCHORS = _MODULES | set(dir(builtins))
_IGNORED = {"ctx", "type_comment", "kind", "annotation", "returns", "type_params", "simple"}
_OPERATIONS = (
    ast.BinOp,
    ast.UnaryOp,
    ast.BoolOp,
    ast.Compare,
    ast.Call,
    ast.Subscript,
    ast.IfExp,
    ast.comprehension,
)


def operations(tree: ast.AST, uncounted: Collection[str] = ()) -> int:
    """How much `tree` computes: operators, calls, look-ups. `X @ X.T` counts 2, `np.sqrt(x)` 1, `x` 0.
    Calls of the functions named `uncounted` count nothing."""
    called = _called(tree)
    return sum(
        (isinstance(node, _OPERATIONS) and not _calls_one_of(node, uncounted)) or _is_look_up(node, called)
        for node in ast.walk(tree)
    )


def _calls_one_of(node: ast.AST, names: Collection[str]) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names


def variables(tree: ast.AST) -> int:
    """How often `tree` names a variable (modules, builtins and called names aside)."""
    called = _called(tree)
    return sum(
        isinstance(node, ast.Name) and id(node) not in called and node.id not in _ANCHORS
        for node in ast.walk(tree)
    )


def _called(tree: ast.AST) -> set[int]:
    return {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}


def _is_look_up(node: ast.AST, called: set[int]) -> bool:
    if not isinstance(node, ast.Attribute) or id(node) in called:
        return False
    return not (isinstance(node.value, ast.Name) and node.value.id in _MODULES)


def shape(statement: ast.stmt) -> tuple[str, int]:
    """A cheap part of a fingerprint: code whose shapes differ has different fingerprints."""
    value = final_value(statement)
    return (
        ("=", operations(value)) if value is not None else (type(statement).__name__, operations(statement))
    )


def final_value(statement: ast.stmt) -> ast.expr | None:
    """The value of a statement that returns it, gives it one name, or is it; None for any other."""
    match statement:
        case ast.Return(value) | ast.Expr(value) | ast.AnnAssign(target=ast.Name(), value=value):
            return value
        case ast.Assign(targets=[ast.Name()], value=value):
            return value
        case _:
            return None


def verbatim(node: ast.AST) -> str:
    """The fingerprint that keeps every name."""
    return _text(node, None)


def folded(body: Sequence[ast.stmt]) -> str:
    """The fingerprint of consecutive statements, blind to the names of variables. Whether the last one
    returns its value or gives it a name makes no difference."""
    names: dict[str, str] = {}
    value = final_value(body[-1])
    ending = body[-1] if value is None else value
    return ";".join(_text(node, names) for node in [*body[:-1], ending])


def _text(node: Any, names: dict[str, str] | None) -> str:
    """`node` as text; with `names`, variables are numbered as they come and remembered there."""
    match node:
        case list():
            return "[" + ",".join(_text(item, names) for item in node) + "]"
        case ast.Name(id=name) | ast.arg(arg=name):
            return _variable(name, names)
        case ast.Call(func=ast.Name(id=name)):
            return f"{name}({_text(node.args, names)}{_text(node.keywords, names)})"
        case ast.AnnAssign(target=target, value=value) if value is not None:
            return f"Assign([{_text(target, names)}]{_text(value, names)})"
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            inner = [node.decorator_list, node.args, without_docstring(node.body)]
            return f"def({''.join(_text(part, names) for part in inner)})"
        case ast.AST():
            fields = [
                _text(value, names)
                for field, value in ast.iter_fields(node)
                if field not in _IGNORED and value is not None
            ]
            return f"{type(node).__name__}({''.join(fields)})"
        case _:
            return repr(node)


def _variable(name: str, names: dict[str, str] | None) -> str:
    if names is None or name in _ANCHORS:
        return name
    return names.setdefault(name, f"${len(names)}")
