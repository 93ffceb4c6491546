# SPDX-License-Identifier: Apache-2.0
"""Take definitions out of a Python source, complete or sparse."""

import ast
from collections.abc import Collection, Iterator
from symtable import SymbolTable, symtable
from types import UnionType

from tools.fork import ForkError

_Import = ast.Import | ast.ImportFrom
_NAMES = _Import | ast.Assign
_Scope = ast.Module | ast.ClassDef
FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef
_Definition = FUNCTIONS | ast.ClassDef
_WIDTH = 88


def cut(source: bytes, name: str, without: Collection[str]) -> bytes:
    """Return a source without some definitions and without what only they used.

    What goes with them are the imports and the module's assignments that nothing left
    refers to. A formatted source stays formatted.

    Args:
        source: The source.
        name: The file's name, for errors.
        without: The definitions to leave out, methods as ``Class.method``.

    Raises:
        ForkError: It is not valid Python, or lacks one of the definitions.
    """
    left = drop(source, name, without)
    before = _referred_to(source)
    while unused := (before - _referred_to(left)) & bound(left, name, _NAMES):
        left = drop(left, name, unused)
    return left


def drop(source: bytes, name: str, without: Collection[str]) -> bytes:
    """Return a source without some of the names that `bound` yields.

    A class goes once none of its members is left.

    Raises:
        ForkError: It is not valid Python, lacks a name, or has it among other code.
    """
    tree = _parse(source, name)
    if unknown := {*without} - {*_bound(tree, "", ast.stmt)}:
        raise ForkError(
            f"{name} does not define {', '.join(sorted(unknown))}; name only what it "
            "defines."
        )
    lines = source.splitlines(keepends=True)
    _drop_from(tree, "", without, lines)
    left = b"".join(lines)
    try:
        intact = ast.dump(ast.parse(left)) == ast.dump(tree)
    except (SyntaxError, ValueError):
        intact = False
    if not intact:
        raise ForkError(
            f"{name}: one of {', '.join(sorted(without))} shares its lines with other "
            "code; give it lines of its own."
        )
    return left


def bound(
    source: bytes, name: str, kind: type[ast.stmt] | UnionType = ast.stmt
) -> set[str]:
    """Return what a source defines, imports and assigns, members as ``Class.member``.

    Args:
        source: The source.
        name: The file's name, for errors.
        kind: The statements to look at.

    Raises:
        ForkError: It is not valid Python.
    """
    return {*_bound(_parse(source, name), "", kind)}


def _parse(source: bytes, name: str) -> ast.Module:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError) as error:
        raise ForkError(f"{name} is not valid Python: {error}.") from error


def _bound(
    scope: _Scope, prefix: str, kind: type[ast.stmt] | UnionType
) -> Iterator[str]:
    for node in scope.body:
        if isinstance(node, kind):
            yield from (prefix + it for it in _names(node))
        if isinstance(node, ast.ClassDef):
            yield from _bound(node, f"{prefix}{node.name}.", kind)


def _names(node: ast.stmt) -> list[str]:
    """Return the names that a statement of a scope binds, if it binds nothing else."""
    if isinstance(node, _Definition):
        return [node.name]
    if isinstance(node, _Import):
        return [_bound_by(alias) for alias in node.names]
    targets = node.targets if isinstance(node, ast.Assign) else []
    return [it.id for it in targets if isinstance(it, ast.Name) and len(targets) == 1]


def _bound_by(alias: ast.alias) -> str:
    return alias.asname or alias.name.partition(".")[0]


def _drop_from(
    scope: _Scope, prefix: str, without: Collection[str], lines: list[bytes]
) -> None:
    """Take names out of a scope, in the tree and in the lines."""
    for node in reversed(scope.body[:]):  # the lines above keep their numbers
        if _goes(node, prefix, without):
            _drop_lines(scope, node, lines)
            scope.body.remove(node)
        elif isinstance(node, ast.ClassDef):
            _drop_from(node, f"{prefix}{node.name}.", without, lines)
        elif isinstance(node, _Import):
            kept = [it for it in node.names if prefix + _bound_by(it) not in without]
            if kept != node.names:
                node.names = kept
                lines[node.lineno - 1 : node.end_lineno] = _import_lines(node)


def _goes(node: ast.stmt, prefix: str, without: Collection[str]) -> bool:
    names = [prefix + it for it in _names(node)]
    if isinstance(node, ast.ClassDef) and names[0] not in without:
        return all(_goes(it, f"{names[0]}.", without) for it in node.body)
    return bool(names) and all(it in without for it in names)


def _drop_lines(scope: _Scope, node: ast.stmt, lines: list[bytes]) -> None:
    """Take a statement out, with the comment above, and leave the wider gap there."""
    decorators = node.decorator_list if isinstance(node, _Definition) else []
    start = min([node.lineno, *(it.lineno for it in decorators)]) - 1
    stop = node.end_lineno or start
    comment = b" " * node.col_offset + b"#"
    above = start
    while above and lines[above - 1].startswith(comment):
        above -= 1
    start = above or start  # the file's first comment is the file's
    above, below = start, stop
    while above and not lines[above - 1].strip():
        above -= 1
    while below < len(lines) and not lines[below].strip():
        below += 1
    gap = max(start - above, below - stop)
    after = scope.body[1:2] if isinstance(scope, ast.Module) else []
    if not above or below == len(lines):
        gap = 0
    elif node is scope.body[0] and all(isinstance(it, _Import) for it in after):
        gap = start - above  # what follows now begins the imports, or the class
    lines[above:below] = [b"\n"] * gap


def _import_lines(node: _Import) -> list[bytes]:
    text = ast.unparse(node)
    if len(text) > _WIDTH:
        head, _, names = text.partition(" import ")
        listed = names.replace(", ", ",\n    ")
        text = f"{head} import (\n    {listed},\n)"
    return [f"{line}\n".encode() for line in text.split("\n")]


def _referred_to(source: bytes) -> set[str]:
    """Return the names that a source reads from its module's scope or from builtins."""
    module = symtable(source.decode("utf-8-sig"), "", "exec")

    def inside(table: SymbolTable) -> Iterator[str]:
        for it in table.get_symbols():
            if it.is_referenced() and (table is module or it.is_global()):
                yield it.get_name()
        for child in table.get_children():
            yield from inside(child)

    return set(inside(module))
