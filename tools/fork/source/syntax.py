# SPDX-License-Identifier: Apache-2.0
"""A Python file as lines and as syntax, both edited alike."""

import ast
from contextlib import suppress
from copy import deepcopy

from tools.fork import ForkError

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef
Import = ast.Import | ast.ImportFrom
Scope = ast.Module | Definition
Lines = list[bytes]
Block = list[ast.stmt]


class Source:
    """A file that is edited statement by statement; lines have their ends."""

    def __init__(self, name: str, data: bytes) -> None:
        self.name = name
        # As Python does, this takes a lone \r for a line end, and no form feed.
        self.lines = data.splitlines(keepends=True)
        first = b"".join(self.lines[:1])
        self.newline = first[len(first.rstrip(b"\r\n")) :] or b"\n"
        if data and not data.endswith((b"\n", b"\r")):
            self.lines[-1] += self.newline
        try:
            self.module = ast.parse(data)
        except (SyntaxError, ValueError) as error:
            raise ForkError(f"{name} is not valid Python: {error}.") from error

    def data(self) -> bytes:
        """Return the file, whose last line now ends as the others do."""
        return b"".join(self.lines)

    def edit(
        self, first: int, last: int, text: Lines, node: ast.stmt, *nodes: ast.stmt
    ) -> Block:
        """Put text in place of some lines, and statements in place of ``node``.

        Those returned stand there now: copies, but for ``node`` itself.
        """
        block = self.block(node)
        at = block.index(node)
        new = [it if it is node else deepcopy(it) for it in nodes]
        block[at : at + 1] = new
        self.lines[first:last] = text
        read = None
        with suppress(SyntaxError, ValueError):
            read = ast.parse(self.data())
        if not read or ast.dump(read) != ast.dump(self.module):
            problem = (
                f"would read otherwise at line {first + 1}, where other code shares "
                "the lines or a string cannot be indented; our source needs lines of "
                "its own there"
            )
            raise self.error([*new, node][0], problem)
        for it, place in zip(ast.walk(self.module), ast.walk(read), strict=True):
            ast.copy_location(it, place)
        return new

    def text(self, node: ast.stmt) -> Lines:
        """Return a statement that is not compound as a line of this file."""
        return [ast.unparse(node).encode() + self.newline]

    def block(self, node: ast.stmt) -> Block:
        """Return the statements among which a statement stands."""
        return next(
            block
            for it in ast.walk(self.module)
            for _, block in ast.iter_fields(it)
            if isinstance(block, list) and node in block
        )

    def indent(self, node: ast.stmt) -> bytes:
        """Return the white space before the first line of a statement."""
        line = self.lines[start(node)]
        return line[: len(line) - len(line.lstrip())]

    def comment_start(self, node: ast.stmt) -> int:
        """Return the first of the comment lines right above a statement, from 0."""
        first, comment = start(node), self.indent(node) + b"#"
        while first and self.lines[first - 1].startswith(comment):
            first -= 1
        return first

    def error(self, node: ast.stmt, problem: str) -> ForkError:
        """Return an error that names the file, the definition and the statement."""
        definitions = (it for it in ast.walk(self.module) if isinstance(it, Definition))
        around = ".".join(it.name for it in definitions if node in ast.walk(it))
        statement = ast.unparse(node).split("\n", 1)[0]
        where = f"in `{around}`, `{statement}`" if around else f"`{statement}`"
        return ForkError(f"{self.name}: {where} {problem}.")


def start(node: ast.stmt) -> int:
    """Return the first line of a statement, decorators included, counted from 0."""
    decorators = node.decorator_list if isinstance(node, Definition) else []
    return min([node.lineno, *(it.lineno for it in decorators)]) - 1


def stop(node: ast.stmt) -> int:
    """Return the line after a statement, counted from 0."""
    return node.end_lineno or node.lineno


def names(node: ast.stmt) -> set[str]:
    """Return the names that a statement binds where it stands."""
    if isinstance(node, Definition):
        return {node.name}
    found = set()
    for it in ast.walk(node):
        if isinstance(it, ast.alias):
            found.add(bound_by(it))
        elif isinstance(it, Definition):
            found.add(it.name)
        elif isinstance(it, ast.Name) and isinstance(it.ctx, ast.Store):
            found.add(it.id)
    return found


def bound_by(alias: ast.alias) -> str:
    """Return the name that a part of an import binds."""
    return alias.asname or alias.name.partition(".")[0]
