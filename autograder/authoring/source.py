"""Where a function stands in its file, as a syntax tree."""

from __future__ import annotations

import ast
import functools
import inspect
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@functools.lru_cache(maxsize=64)
def parsed(text: str) -> ast.Module:
    """The tree of `text`, shared by all who ask: treat it as read-only."""
    return ast.parse(text)


def source_of(function: Any) -> tuple[str, FunctionNode] | None:
    """The text of the file that defines `function` and the function's node in it.

    None for what has no Python source: builtins, callable objects, functions of a file that is gone.
    """
    while isinstance(function, functools.partial):
        function = function.func
    code = getattr(inspect.unwrap(function), "__code__", None)
    if not isinstance(code, types.CodeType):
        return None
    try:
        text = Path(code.co_filename).read_text(encoding="utf-8")
    except OSError:
        return None
    for node in ast.walk(parsed(text)):
        if isinstance(node, FunctionNode) and _is_of(node, code):
            return text, node
    return None


def _is_of(node: FunctionNode, code: types.CodeType) -> bool:
    arguments = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    if list(code.co_varnames[: len(arguments)]) != arguments:
        return False
    if isinstance(node, ast.Lambda):
        return code.co_name == "<lambda>" and code.co_firstlineno == node.lineno
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    return code.co_name == node.name and code.co_firstlineno == first


def statements(node: FunctionNode) -> list[ast.stmt]:
    """The statements of a function's body without its docstring; a lambda's is one return."""
    if isinstance(node, ast.Lambda):
        return [ast.copy_location(ast.Return(node.body), node)]
    return without_docstring(node.body)


def without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    """`body` without a string that stands alone as its first statement."""
    return body[1:] if body and _is_string(body[0]) else body


def _is_string(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def bound_names(tree: ast.AST) -> set[str]:
    """Every name that some statement of `tree` binds: assigned, imported, defined, or a parameter."""
    return set(_bindings(tree))


def _bindings(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.alias(name=name, asname=alias):
                yield alias or name.split(".")[0]
            case _:
                pass


def read_names(tree: ast.AST) -> set[str]:
    """Every name that `tree` reads."""
    return {
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }


def python_of(source: str) -> str:
    """A code cell's source with IPython's line magics and shell lines blanked, so that it parses."""
    lines = source.splitlines()
    return "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in lines)
