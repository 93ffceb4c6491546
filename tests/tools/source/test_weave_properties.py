# SPDX-License-Identifier: Apache-2.0
"""What must hold whatever upstream's file looks like, over generated modules."""

import ast
import textwrap
from contextlib import suppress
from itertools import count

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sparse_source import anchors, check_around, functions, sparse
from tools.fork import ForkError
from tools.fork.source.weave import weave

# The same examples in every run: a failure is of this change, not of the day.
settings.register_profile("same", derandomize=True, deadline=None, max_examples=150)
settings.load_profile("same")

# {0} is a number of its own, so that a statement can be told from all others.
SIMPLE = (
    "a{0} = call({0})",
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
    "if call({0}): pass",
)
NESTED = (
    "if call({0}):\n{b}\nelif {0}:\n{b}\nelse:\n    # Below.\n{b}",
    "for a{0} in call({0}):\n{b}\n    # after {0}",
    "with call({0}) as a{0}, call():\n\n{b}",
    "try:\n{b}\nexcept call({0}):\n{b}\nfinally:\n{b}",
    "@(lambda it: it)\n@call(\n    {0}\n)\ndef f{0}(a=lambda: {0}):\n{b}",
    "class C{0}(Base):\n{b}",
)
HEADERS = (
    "def f{0}(a, b=(lambda: {0})):",
    "async def f{0}(\n    a,  # größer 温度\n    b: 'X' = {0},\n) -> None:",
    "@call\n# Between.\n@(lambda f: f)\ndef f{0}(a):  # why\n\n    # Below.",
    "@call(\n    {0},\n)\ndef f{0}(a):\n    '''Words.\n\n    # No comment.'''\n",
)


@st.composite
def blocks(draw: st.DrawFn, number: "count[int]", depth: int = 2) -> str:
    """Draw an indented block."""
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        shape = draw(st.sampled_from(SIMPLE + NESTED * bool(depth)))
        while "{b}" in shape:
            inner = draw(blocks(number, depth - 1)).replace("{", "{{")
            shape = shape.replace("{b}", inner.replace("}", "}}"), 1)
        parts.append(shape.format(next(number)))
    return textwrap.indent("\n".join(parts), "    ")


@st.composite
def modules(draw: st.DrawFn) -> bytes:
    """Draw a module with functions and methods."""
    number = count(1)

    def function() -> str:
        header = draw(st.sampled_from(HEADERS)).format(next(number))
        return f"{header}\n{draw(blocks(number))}\n"

    parts = [draw(st.sampled_from(["", '"""Words."""\n\n', "# größer\nimport a\n"]))]
    for _ in range(draw(st.integers(1, 2))):
        parts.append(function())
        if draw(st.booleans()):
            method = textwrap.indent(function(), "    ")
            parts.append(f"class C{next(number)}(Base):\n{method}")
    text = "\n".join(parts)
    if draw(st.booleans()):
        text = text.replace("    ", "\t")
    if draw(st.booleans()):
        text = text.rstrip()
    newline = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    return text.replace("\n", newline).encode()


@given(modules(), st.data())
def test_around_any_anchor(upstream: bytes, data: st.DataObject) -> None:
    places = [
        (upstream, outer, function, anchor)
        for outer, function in functions(ast.parse(upstream))
        for anchor in anchors(upstream, function)
    ]
    assume(places)
    check_around(*data.draw(st.sampled_from(places)))


@given(modules(), st.data())
def test_what_does_not_fit_is_a_sentence_or_woven_whole(
    upstream: bytes, data: st.DataObject
) -> None:
    module = ast.parse(upstream)
    outer, function = data.draw(st.sampled_from(list(functions(module))))
    theirs = [ast.unparse(node) for node in function.body]
    own = [*SIMPLE, *NESTED, "# instead of: a1 = call(1)\nb()", "..."]
    choice = st.sampled_from([*theirs, *(it.format(1, b="    c()") for it in own)])
    body = data.draw(st.lists(choice, min_size=1, max_size=4))
    try:
        ours = sparse(outer, function, body)
    except SyntaxError:
        assume(False)

    with suppress(ForkError):
        woven = weave(ours, upstream, "module.py")
        assert weave(ours, woven, "module.py") == woven
        ast.parse(woven)


@given(modules(), modules(), st.integers(0, 99), st.integers(0, 99))
def test_any_two_files(ours: bytes, upstream: bytes, start: int, size: int) -> None:
    lines = ours.splitlines(keepends=True)
    del lines[start : start + size]

    with suppress(ForkError):
        woven = weave(b"".join(lines), upstream, "module.py")
        assert weave(b"".join(lines), woven, "module.py") == woven
