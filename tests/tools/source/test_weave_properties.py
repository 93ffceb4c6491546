# SPDX-License-Identifier: Apache-2.0
"""What must hold whatever upstream's file looks like, be it drawn or real."""

import ast
import re
import textwrap
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tools.fork import ForkError
from tools.fork.bootstrap import ROOT
from tools.fork.source.syntax import Function, Scope, Source, start
from tools.fork.source.weave import weave

# {0} is a number of its own, so that a statement can be told from all others.
SHAPES = (
    "a{0} = call({0})  # größer, 温度; \\",
    "a{0}['größer 温度'] += {0}",
    "# Above.\n# größer 温度\na{0} = {0}",
    "a{0} = call(\n    {0},  # why\n# outside\n)",
    'a{0} = """{0}\nno comment\n    # nor this"""',
    'a{0} = f"""{0}\n# no comment"""',
    "a{0} = {0} + \\\n  1",
    "a{0} = 1; b{0} = 2",
    "a{0} = 1; \\\nb{0} = 2",
    "\x0ca{0} = {0}\n",
    "assert call({0}), '\\u2028'\n\n\n",
    "global g{0}",
    "if call({0}): pass",
    "if {0}:\n    a{0} = 1\nelif 1:\n    b{0} = 1\nelse:\n    # Below.\n    c{0} = 1",
    "for a{0} in call({0}):\n    b{0} = 1\n    # after {0}",
    "try:\n    a{0} = 1\nexcept call({0}):\n    b{0} = 1\nfinally:\n    c{0} = 1",
    "@(lambda it: it)\n@call(\n    {0}\n)\ndef f{0}(a=lambda: {0}):\n\n    a{0} = 1",
    "class C{0}(Base):\n    a{0} = 1",
)
HEADERS = (
    "def f(a, b=(lambda: 0)):",
    "async def f(\n    a,  # größer 温度\n    b: 'X' = 0,\n) -> None:",
    "@call\n# Between.\n@(lambda f: f)\ndef f(a):  # why\n\n    # Below.",
    "@call(\n    0,\n)\ndef f(a):\n    '''Words.\n\n    # No comment.'''\n",
)
# After `make build`, the modules that we weave into are among them.
SAMPLING = sorted(ROOT.glob("build/*/stock/vllm/v1/sample/**/*.py"))
FILES = (it.read_bytes() for it in (Path(textwrap.__file__), *SAMPLING))
REAL = [it for it in FILES if b"def " in it]
same_examples_in_every_run = settings(derandomize=True, deadline=None, max_examples=150)


@st.composite
def modules(draw: st.DrawFn) -> bytes:
    """Draw a module with a function and a method ``f``."""

    def function() -> str:
        shapes = draw(st.permutations(SHAPES))[: draw(st.integers(1, len(SHAPES)))]
        body = "\n".join(it.format(at) for at, it in enumerate(shapes))
        header = draw(st.sampled_from(HEADERS))
        return f"{header}\n{textwrap.indent(body, '    ')}\n"

    text = f"{function()}\nclass A:\n{textwrap.indent(function(), '    ')}"
    if draw(st.booleans()):
        text = text.replace("    ", "\t")
    return text.replace("\n", draw(st.sampled_from(["\n", "\r\n", "\r"]))).encode()


def functions(module: ast.Module) -> Iterator[tuple[Scope, Function]]:
    """Yield each function that a sparse source can name, with where it stands."""
    classes = (it for it in module.body if isinstance(it, ast.ClassDef))
    scopes: list[Scope] = [module, *classes]
    for scope in scopes:
        yield from ((scope, it) for it in scope.body if isinstance(it, Function))


def anchors(function: Function) -> list[ast.stmt]:
    """Return the statements that a function has once, but for docstrings and dots."""
    inside = [it for it in ast.walk(function) if isinstance(it, ast.stmt)][1:]
    times = Counter(map(ast.dump, inside))
    return [
        it
        for it in inside
        if times[ast.dump(it)] == 1
        and not (isinstance(it, ast.Expr) and isinstance(it.value, ast.Constant))
    ]


def woven(ours: bytes, upstream: bytes) -> bytes:
    return weave(Source("our module.py", ours), upstream, "module.py")


def sparse(scope: Scope, function: Function, body: list[str]) -> bytes:
    """Write a sparse function with this body between two ``...``."""
    nodes = ast.parse("\n".join(["...", *body, "..."])).body
    inner = type(function)(**{**dict(ast.iter_fields(function)), "body": nodes})
    node = type(scope)(**{**dict(ast.iter_fields(scope)), "body": [inner]})
    return ast.unparse(ast.fix_missing_locations(node)).encode()


@same_examples_in_every_run
@given(modules() | st.sampled_from(REAL), st.data())
def test_around_any_statement(upstream: bytes, data: st.DataObject) -> None:
    scope, function = data.draw(st.sampled_from([*functions(ast.parse(upstream))]))
    anchor = data.draw(st.sampled_from(anchors(function)))
    body = ["MARK('above')", ast.unparse(anchor), "MARK('below')"]
    # With a comment each; and unparse puts an empty line above some statements.
    ours = re.sub(
        rb"( *)(MARK.*\n)\n*", rb"\1# MARK\n\1\2", sparse(scope, function, body)
    )
    try:
        result = woven(ours, upstream)
    except ForkError:
        # Where lines are shared, or a string ends in what looks like a comment.
        until = re.split("\r\n|\r|\n", upstream.decode())[: start(anchor) + 1]
        refused = r'(; |; \\\n|elif |: pass|"""\n([ \t]*#.*\n)*).*\Z'
        assert re.search(refused, "\n".join(until))
        return
    inserted = re.compile(rb"[^\r\n]*MARK[^\r\n]*(\r\n|\r|\n)")
    assert inserted.subn(b"", result) == (upstream, 4)
    file = Source("module.py", result)
    statements = (it for it in ast.walk(file.module) if isinstance(it, ast.stmt))
    (above,) = (it for it in statements if ast.unparse(it) == body[0])
    at = file.block(above).index(above)
    around = file.block(above)[at : at + 3]
    assert [*map(ast.dump, around)] == [*map(ast.dump, ast.parse("\n".join(body)).body)]


@same_examples_in_every_run
@given(modules(), modules(), st.data())
def test_what_does_not_fit_is_a_sentence(
    upstream: bytes, other: bytes, data: st.DataObject
) -> None:
    (scope, function), *_ = functions(ast.parse(upstream))
    (_, another), *_ = functions(ast.parse(other))
    lines = [ast.unparse(it) for it in (*function.body, *another.body)]
    body = data.draw(st.lists(st.sampled_from([*lines, "..."]), min_size=1))
    first, size = data.draw(st.integers(0, 99)), data.draw(st.integers(0, 99))
    rest = other.splitlines(keepends=True)
    del rest[first : first + size]

    for ours in (sparse(scope, function, body), b"".join(rest)):
        with suppress(ForkError):
            woven(ours, upstream)
