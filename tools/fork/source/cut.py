# SPDX-License-Identifier: Apache-2.0
"""Take definitions out of a Python source, complete or sparse."""

import ast
from collections.abc import Iterator, Set
from types import UnionType

from tools.fork.source.syntax import Import, Source, bound_by, names, start, stop


def cut(file: Source, without: Set[str]) -> None:
    """Leave out definitions, methods as ``Class.method``, and what only they used.

    What goes with them are the imports and the module's assignments that nothing left
    refers to. A formatted source stays formatted.
    """
    before = _read(file)
    drop(file, without)
    while unused := (before - _read(file)) & bound(file, Import | ast.Assign):
        drop(file, unused)


def drop(file: Source, without: Set[str]) -> None:
    """Leave names out of a source, as `bound` returns them.

    The comment right above a statement goes with it, and a class with its last member.
    """
    for binds, scope, node in [*_members(file)]:
        if binds and binds <= without:
            _drop(file, scope if scope and scope.body == [node] else node)
        elif isinstance(node, Import) and binds & without:
            node.names = [it for it in node.names if bound_by(it) not in without]
            file.edit(start(node), stop(node), file.text(node), node, node)


def bound(file: Source, kind: type[ast.stmt] | UnionType) -> Set[str]:
    """Return what statements of a kind bind, in a class as ``Class.member``."""
    found = (binds for binds, _, node in _members(file) if isinstance(node, kind))
    return set().union(*found)


def _members(
    file: Source,
) -> Iterator[tuple[Set[str], ast.ClassDef | None, ast.stmt]]:
    """Yield what is bound by each statement of the module and of its classes."""
    for node in file.module.body:
        yield names(node), None, node
        if isinstance(node, ast.ClassDef):
            for it in node.body:
                yield {f"{node.name}.{name}" for name in names(it)}, node, it


def _drop(file: Source, node: ast.stmt) -> None:
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
    if below == len(lines):
        gap = 0
    elif node is file.block(node)[0]:
        gap = first - above  # what follows now begins the class, or the imports
    file.edit(above, below, [file.newline] * gap, node)


def _read(file: Source) -> Set[str]:
    """Return the names that a source reads."""
    found = (it for it in ast.walk(file.module) if isinstance(it, ast.Name))
    return {it.id for it in found if isinstance(it.ctx, ast.Load)}
