# SPDX-License-Identifier: Apache-2.0
"""Take definitions out of a Python source, complete or sparse."""

import ast
from collections.abc import Collection, Iterator
from symtable import SymbolTable, symtable
from types import UnionType

from tools.fork import ForkError
from tools.fork.source.syntax import (
    Import,
    Scope,
    Source,
    bound_by,
    names,
    start,
    stop,
)

_LINE_LENGTH = 88


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
    while True:
        unused = before - _referred_to(left)
        unused &= bound(left, name, Import | ast.Assign)
        if not unused:
            return left
        left = drop(left, name, unused)


def drop(source: bytes, name: str, without: Collection[str]) -> bytes:
    """Return a source without some of the names that `bound` returns.

    The comment right above a statement goes with it. A class goes once none of its
    members is left.

    Raises:
        ForkError: It is not valid Python, lacks a name, or has it among other code.
    """
    if unknown := {*without} - bound(source, name):
        raise ForkError(
            f"{name} does not define {', '.join(sorted(unknown))}; name only what it "
            "defines."
        )
    file = Source(name, source)
    _drop_from(file, file.module, "", without)
    if not file.agrees():
        raise ForkError(
            f"{name}: one of {', '.join(sorted(without))} shares its lines with other "
            "code; give it lines of its own."
        )
    return file.data()


def bound(
    source: bytes, name: str, kind: type[ast.stmt] | UnionType = ast.stmt
) -> set[str]:
    """Return what a source defines, imports and assigns, members as ``Class.member``.

    Args:
        source: The source.
        name: The file's name, for errors.
        kind: The kind of statement to look at.

    Raises:
        ForkError: It is not valid Python.
    """
    return {*_bound(Source(name, source).module, "", kind)}


def _bound(
    scope: Scope, prefix: str, kind: type[ast.stmt] | UnionType
) -> Iterator[str]:
    for node in scope.body:
        if isinstance(node, kind):
            yield from (prefix + it for it in names(node))
        if isinstance(node, ast.ClassDef):
            yield from _bound(node, f"{prefix}{node.name}.", kind)


def _drop_from(
    file: Source, scope: Scope, prefix: str, without: Collection[str]
) -> None:
    """Take names out of a scope, in the tree and in the lines."""
    for node in reversed(scope.body[:]):  # the lines above keep their numbers
        if _goes(node, prefix, without):
            _drop_lines(file, scope, node)
            scope.body.remove(node)
        elif isinstance(node, ast.ClassDef):
            _drop_from(file, node, f"{prefix}{node.name}.", without)
        elif isinstance(node, Import):
            kept = [it for it in node.names if prefix + bound_by(it) not in without]
            if kept != node.names:
                node.names = kept
                file.lines[start(node) : stop(node)] = _import_lines(file, node)


def _goes(node: ast.stmt, prefix: str, without: Collection[str]) -> bool:
    bound = [prefix + it for it in names(node)]
    if isinstance(node, ast.ClassDef) and bound[0] not in without:
        return all(_goes(it, f"{bound[0]}.", without) for it in node.body)
    return bool(bound) and all(it in without for it in bound)


def _drop_lines(file: Source, scope: Scope, node: ast.stmt) -> None:
    """Take a statement out, with the comment above, and leave the wider gap there."""
    lines = file.lines
    # The file's first comment is the file's.
    first, last = file.comment_start(node) or start(node), stop(node)
    above, below = first, last
    while above and not lines[above - 1].strip():
        above -= 1
    while below < len(lines) and not lines[below].strip():
        below += 1
    gap = max(first - above, below - last)
    after = scope.body[1:2] if isinstance(scope, ast.Module) else []
    if not above or below == len(lines):
        gap = 0
    elif node is scope.body[0] and all(isinstance(it, Import) for it in after):
        gap = first - above  # what follows now begins the imports, or the class
    lines[above:below] = [file.newline] * gap


def _import_lines(file: Source, node: Import) -> list[bytes]:
    text = ast.unparse(node)
    if len(text) > _LINE_LENGTH:
        head, _, listed = text.partition(" import ")
        listed = listed.replace(", ", ",\n    ")
        text = f"{head} import (\n    {listed},\n)"
    return [line.encode() + file.newline for line in text.split("\n")]


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
