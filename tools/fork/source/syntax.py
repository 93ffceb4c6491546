# SPDX-License-Identifier: Apache-2.0
"""A Python file as lines and as a syntax tree."""

import ast

from tools.fork import ForkError

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef
Import = ast.Import | ast.ImportFrom
Scope = ast.Module | Definition


class Source:
    """A file's lines, and the tree that says where each statement stands.

    Attributes:
        name: The file's name, for errors.
        module: The tree; whoever edits the lines edits it alike.
        lines: With their ends, which are ``newline``, also that of the last line.
    """

    def __init__(self, name: str, data: bytes) -> None:
        self.name = name
        try:
            self.module = ast.parse(data.decode("utf-8-sig"))
        except (SyntaxError, ValueError) as error:
            raise ForkError(f"{name} is not valid Python: {error}.") from error
        # As Python does, this takes a lone \r for a line end, and no form feed.
        self.lines = data.splitlines(keepends=True)
        first = self.lines[0] if self.lines else b""
        self.newline = first[len(first.rstrip(b"\r\n")) :] or b"\n"
        self._ends_in_newline = not data or data.endswith((b"\n", b"\r"))
        if not self._ends_in_newline:
            self.lines[-1] += self.newline
        # A string's last line may look like a comment.
        statements = [it for it in ast.walk(self.module) if isinstance(it, ast.stmt)]
        self._ends = {0, *map(stop, statements)}

    def data(self) -> bytes:
        """Return the lines, ending as the file did."""
        data = b"".join(self.lines)
        return data if self._ends_in_newline else data.removesuffix(self.newline)

    def agrees(self) -> bool:
        """Tell whether the lines, as edited, still read as the tree does."""
        try:
            module = ast.parse(self.data().decode("utf-8-sig"))
        except (SyntaxError, ValueError):
            return False
        return ast.dump(module) == ast.dump(self.module)

    def indent(self, node: ast.stmt) -> bytes:
        """Return the white space before the first line of a statement."""
        line = self.lines[start(node)]
        return line[: len(line) - len(line.lstrip())]

    def comment_start(self, node: ast.stmt) -> int:
        """Return the first of the comment lines right above a statement, from 0."""
        first, comment = start(node), self.indent(node) + b"#"
        while first not in self._ends and self.lines[first - 1].startswith(comment):
            first -= 1
        return first


def start(node: ast.stmt) -> int:
    """Return the first line of a statement, decorators included, counted from 0."""
    decorators = node.decorator_list if isinstance(node, Definition) else []
    return min([node.lineno, *(it.lineno for it in decorators)]) - 1


def stop(node: ast.stmt) -> int:
    """Return the line after a statement, counted from 0."""
    return node.end_lineno or node.lineno


def names(node: ast.stmt) -> list[str]:
    """Return the names that a definition, an import or an assignment to one binds."""
    if isinstance(node, Definition):
        return [node.name]
    if isinstance(node, Import):
        return [bound_by(alias) for alias in node.names]
    targets = node.targets if isinstance(node, ast.Assign) else []
    return [it.id for it in targets if isinstance(it, ast.Name) and len(targets) == 1]


def bound_by(alias: ast.alias) -> str:
    """Return the name that a part of an import binds."""
    return alias.asname or alias.name.partition(".")[0]
