# SPDX-License-Identifier: Apache-2.0
"""Make sparse sources for any module, and check what comes of weaving them."""

import ast
import re
from collections import Counter
from collections.abc import Iterator

from tools.fork.source.weave import weave

Function = ast.FunctionDef | ast.AsyncFunctionDef
BEFORE, AFTER = "MARK('before')", "MARK('after')"
_INSERTED = re.compile(rb"[^\r\n]*MARK[^\r\n]*(\r\n|\r|\n)")


def functions(
    scope: ast.Module | ast.ClassDef, outer: tuple[ast.ClassDef, ...] = ()
) -> Iterator[tuple[tuple[ast.ClassDef, ...], Function]]:
    """Yield each function that a sparse source can name, with its classes."""
    for node in scope.body:
        if isinstance(node, Function):
            yield outer, node
        elif isinstance(node, ast.ClassDef):
            yield from functions(node, (*outer, node))


def statements(node: ast.AST) -> Iterator[ast.stmt]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.stmt) and inner is not node:
            yield inner


def anchors(text: bytes, function: Function) -> list[ast.stmt]:
    """Return the statements of a function that it has once, on lines of their own."""
    lines = text.decode().replace("\r\n", "\n").replace("\r", "\n").split("\n")
    times = Counter(map(ast.dump, statements(function)))

    def fits(node: ast.stmt) -> bool:
        first = min(it.lineno for it in (node, *getattr(node, "decorator_list", [])))
        before = lines[node.lineno - 1].encode()[: node.col_offset].strip()
        after = lines[(node.end_lineno or 0) - 1].encode()[node.end_col_offset :]
        code = ast.unparse(node)
        return (
            times[ast.dump(node)] == 1
            and not before
            and re.fullmatch(rb"\s*(#.*)?", after) is not None
            and not lines[first - 2].endswith("\\")
            and not lines[node.lineno - 1].lstrip().startswith("elif ")
            and ast.dump(ast.parse(code).body[0]) == ast.dump(node)
            and not is_constant(node)
            and not any(map(is_dots, ast.walk(node)))
        )

    return [node for node in statements(function) if fits(node)]


def is_constant(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def is_dots(node: ast.AST) -> bool:
    return is_constant(node) and ast.unparse(node) == "..."


def sparse(
    outer: tuple[ast.ClassDef, ...], function: Function, body: list[str]
) -> bytes:
    """Write a sparse source with this body between two ``...``."""
    fields = dict(ast.iter_fields(function))
    code = "\n".join(["...", *body, "..."])
    node: ast.stmt = type(function)(**{**fields, "body": ast.parse(code).body})
    for scope in reversed(outer):
        node = ast.ClassDef(**{**dict(ast.iter_fields(scope)), "body": [node]})
    text = ast.unparse(ast.fix_missing_locations(node))
    # unparse has no comments; this one is to travel with the statement. And it puts an
    # empty line above some, which would travel too.
    return re.sub(r"( *)(MARK.*\n)\n*", r"\1# MARK, größer: 温度\n\1\2", text).encode()


def check_around(
    upstream: bytes,
    outer: tuple[ast.ClassDef, ...],
    function: Function,
    anchor: ast.stmt,
) -> None:
    """Weave a statement before an anchor and one after it, and check all of it."""
    code = ast.unparse(anchor)
    ours = sparse(outer, function, [BEFORE, code, AFTER])

    woven = weave(ours, upstream, "module.py")

    assert weave(ours, woven, "module.py") == woven
    (newline,) = re.findall(rb"\r\n|\r|\n", upstream)[:1]
    end = b"" if upstream.endswith((b"\n", b"\r")) else newline
    assert _INSERTED.subn(b"", woven + end) == (upstream + end, 4)
    wanted = [ast.dump(ast.parse(it).body[0]) for it in (BEFORE, code, AFTER)]
    assert wanted in list(neighbours(ast.parse(woven)))


def neighbours(module: ast.Module) -> Iterator[list[str]]:
    """Yield each three neighbours in a block, of which the first is a call or so."""
    for node in ast.walk(module):
        for _, block in ast.iter_fields(node):
            for at in range(len(block) - 2) if isinstance(block, list) else ():
                if isinstance(block[at], ast.Expr):
                    yield [ast.dump(it) for it in block[at : at + 3]]
