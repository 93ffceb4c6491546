# SPDX-License-Identifier: Apache-2.0
"""Take definitions out of a Python source, complete or sparse."""

import ast
from collections.abc import Iterator, Set
from types import UnionType

from tools.fork.source.syntax import Import, Scope, Source, bound_by, names, start, stop


def cut(source: bytes, name: str, without: Set[str]) -> bytes:
    """Return a source without some definitions and without what only they used.

    What goes with them are the imports and the module's assignments that nothing left
    refers to. A formatted source stays formatted.

    Args:
        source: The source.
        name: The file's name, for errors.
        without: The definitions to leave out, methods as ``Class.method``.
    """
    left = drop(source, name, without)
    before = _read(Source(name, source))
    while True:
        file = Source(name, left)
        unused = (before - _read(file)) & bound(left, name, Import | ast.Assign)
        if not unused:
            return left
        left = drop(left, name, unused)


def drop(source: bytes, name: str, without: Set[str]) -> bytes:
    """Return a source without some of the names that `bound` returns.

    The comment right above a statement goes with it. A class goes once none of its
    members is left.
    """
    file = Source(name, source)
    _drop_from(file, file.module, "", without)
    return file.data()


def bound(
    source: bytes, name: str, kind: type[ast.stmt] | UnionType = ast.stmt
) -> set[str]:
    """Return what a source defines, imports and assigns, members as ``Class.member``.

    Args:
        source: The source.
        name: The file's name, for errors.
        kind: The kind of statement to look at.
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


def _drop_from(file: Source, scope: Scope, prefix: str, without: Set[str]) -> None:
    for node in [*scope.body]:
        if _goes(node, prefix, without):
            _drop_statement(file, scope, node)
        elif isinstance(node, ast.ClassDef):
            _drop_from(file, node, f"{prefix}{node.name}.", without)
        elif isinstance(node, Import):
            kept = [it for it in node.names if prefix + bound_by(it) not in without]
            if kept != node.names:
                node.names = kept
                text = [ast.unparse(node).encode() + file.newline]
                file.edit(start(node), stop(node), text, node, node)


def _goes(node: ast.stmt, prefix: str, without: Set[str]) -> bool:
    bound = {prefix + it for it in names(node)}
    if isinstance(node, ast.ClassDef) and not bound & without:
        return all(_goes(it, f"{prefix}{node.name}.", without) for it in node.body)
    return bool(bound) and bound <= without


def _drop_statement(file: Source, scope: Scope, node: ast.stmt) -> None:
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
    file.edit(above, below, [file.newline] * gap, node)


def _read(file: Source) -> set[str]:
    """Return the names that a source reads."""
    read = (it for it in ast.walk(file.module) if isinstance(it, ast.Name))
    return {it.id for it in read if isinstance(it.ctx, ast.Load)}
