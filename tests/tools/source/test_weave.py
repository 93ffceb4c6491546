# SPDX-License-Identifier: Apache-2.0
"""Weaving: our statements go in, every other byte stays, and nothing is guessed."""

import re
import textwrap

import pytest

from tools.fork import ForkError
from tools.fork.source.syntax import Source
from tools.fork.source.weave import weave

UPSTREAM = '''\
"""Upstream's module."""

import torch

LIMIT = 3  # unrelated


@decorated(dynamic=True)
def op(x):
    """Upstream's words."""
    return x + 1


class Sampler(Base):
    """Upstream's class."""

    @staticmethod
    def gather(x, y):
        """Upstream's words."""
        first = x.first()
        with context(x):
            # Upstream's comment.
            second = op(x)
            third = op(y)
        return first, second, third

    def other(self): return 1
'''
COMMENT = "            # Upstream's comment.\n"
FIRST = "        first = x.first()\n"
SECOND = "            second = op(x)\n"
THIRD = "            third = op(y)\n"
STRING = 'mark("""a\n  b""")'
SIGNED = "# Why.\n@patched\n# Too.\n@new()\ndef op(\n    x, y=1\n):  # so\n"
NEW = "# Why.\ndef new(): pass\n"


def woven(ours: str, upstream: str = UPSTREAM, name: str = "module.py") -> str:
    source = Source(f"our {name}", ours.encode())
    return weave(source, upstream.encode(), name).decode()


def gather(body: str) -> str:
    """Return a sparse source with this body of `Sampler.gather`."""
    header = "class Sampler(Base):\n    def gather(*_: ...):\n"
    return header + textwrap.indent(body, " " * 8)


def changed(*pairs: tuple[str, str]) -> str:
    """Return upstream's module with each text, which is there once, replaced."""
    text = UPSTREAM
    for old, new in pairs:
        assert text.count(old) == 1
        text = text.replace(old, new)
    return text


OP = "@decorated(dynamic=True)\ndef op(x):\n"
# name: (our source, what replaces what in upstream's module)
FITS = {
    "above an anchor and its comment": (
        gather("...\n# Why.\nmark(x)\n\nsecond = op(x)\n..."),
        (COMMENT, f"            # Why.\n            mark(x)\n\n{COMMENT}"),
    ),
    "below an anchor": (
        gather("...\nthird = op(y)\nmark(\n    y\n)\n..."),
        (THIRD, f"{THIRD}            mark(\n                y\n            )\n"),
    ),
    "between two anchors": (
        gather("...\nsecond = op(x)\nmark(y)\nthird = op(y)\n..."),
        (THIRD, f"            mark(y)\n{THIRD}"),
    ),
    "two runs": (
        gather("...\nfirst = x.first()\nmark(x)\n...\nmark(y)\nthird = op(y)\n..."),
        (FIRST, f"{FIRST}        mark(x)\n"),
        (THIRD, f"            mark(y)\n{THIRD}"),
    ),
    "a statement replaced": (
        gather("...\n# Why.\n# instead of: first = x.first()\nfirst = 1\nmark(x)\n..."),
        (FIRST, "        # Why.\n        first = 1\n        mark(x)\n"),
    ),
    "the replaced is gone": (
        gather("...\n# Why.\n# instead of: mark(1)\nmark(x)\nfirst = x.first()\n..."),
        (FIRST, f"        # Why.\n        mark(x)\n{FIRST}"),
    ),
    "upstream has both": (
        gather("...\n# instead of: third = op(y)\nfirst = x.first()\n..."),
        (THIRD, ""),
    ),
    "a string that is indented less": (
        gather("...\nSTRING\nfirst = x.first()\n...").replace("STRING", STRING),
        (FIRST, f"        {STRING}\n{FIRST}"),
    ),
    "nothing, of a function that is there": (gather("..."),),
    "a complete function": (
        '@decorated\ndef op(x):\n    """Ours."""\n    return x\n',
        (OP, "@decorated\ndef op(x):\n"),
        ('Upstream\'s words."""\n    return x + 1', 'Ours."""\n    return x'),
    ),
    "decorators, with their comment, and a signature": (
        f"{SIGNED}    ...\n    return x + 1\n    ...\n",
        (OP, SIGNED),
    ),
    "another base": (
        "class Sampler(Other):\n    def gather(*_: ...): ...\n",
        ("Sampler(Base)", "Sampler(Other)"),
    ),
    "functions, each behind the one above it": (
        f"def op(*_: ...): ...\n\n{NEW}\ndef newer(): pass\n"
        "\nclass Sampler(Base):\n    @property\n    def added(self): pass\n",
        ("x + 1\n", f"x + 1\n\n\n{NEW}\n\ndef newer(): pass\n"),
        ("return 1\n", "return 1\n\n    @property\n    def added(self): pass\n"),
    ),
    "imports and an assignment": (
        "import time\nimport torch\nimport torch.nn as nn\nfrom a import b, c\n"
        "LIMIT = 3\nlog = logger(__name__)\n",
        ("import torch\n", "import time\n\nimport torch\nimport torch.nn as nn\nTAIL"),
        ("TAIL", "from a import b, c\n\nlog = logger(__name__)\n"),
    ),
}


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("end", ["\n", "\n# größer 温度 \x0c\u2028\n"])
@pytest.mark.parametrize("case", FITS)
def test_what_fits(case: str, end: str, newline: str) -> None:
    ours, *changes = FITS[case]
    upstream = (UPSTREAM.rstrip() + end).replace("\n", newline)
    expected = (changed(*changes).rstrip() + end).replace("\n", newline)

    assert woven(ours, upstream) == expected
    assert woven(ours, expected) == expected


def test_the_last_line_gets_an_end() -> None:
    assert woven("def new(): pass", "a = 1") == "a = 1\n\n\ndef new(): pass\n"


def test_imports_go_where_isort_would_have_them() -> None:
    upstream = "import torch\n\n# First party.\nfrom vllm.b import b\n\nA = 1\n"
    ours = "import time\nimport numpy\nfrom vllm.a import a\nfrom vllm.c import c\n"

    assert woven(ours, upstream, "vllm/module.py") == (
        "import time\n\nimport numpy\nimport torch\n\nfrom vllm.a import a\n"
        "# First party.\nfrom vllm.b import b\nfrom vllm.c import c\n\nA = 1\n"
    )
    last = woven("from vllm.a import a\n", "import torch\n", "vllm/module.py")
    assert last == "import torch\n\nfrom vllm.a import a\n"
    late = woven("import time\n", '"""Words."""\nfrom __future__ import annotations\n')
    assert late.endswith("annotations\n\nimport time\n")


TORN = "would read otherwise at line"
KIND = "is another kind of definition"
# name: (our source, what the error says, what replaces what in upstream's module)
MISFITS = {
    "no anchor": (
        gather("...\nmark(x)\n..."),
        "our module.py: in `Sampler.gather`, `mark(x)` has no anchor left "
        "beside it; fit our sparse source to this release.",
    ),
    "an anchor twice": (
        gather("...\nmark(x)\nsecond = op(x)\n..."),
        "in `Sampler.gather`, `second = op(x)` is there more than once",
        ("third = op(y)", "second = op(x)"),
    ),
    "another order": (
        gather("...\nsecond = op(x)\nmark(x)\n...\nfirst = x.first()\n..."),
        "`first = x.first()` comes in another order",
    ),
    "an anchor inside another": (
        gather("...\nwith x: y = 1\n...\nmark(x)\ny = 1\n..."),
        "`y = 1` comes in another order",
        ("first =", "with x:\n            y = 1\n        first ="),
    ),
    "no neighbours": (
        gather("...\nfirst = x.first()\nmark(x)\nsecond = op(x)\n..."),
        "`second = op(x)` has other code before it",
    ),
    "above half a line": (
        gather("...\nmark(x)\nfirst = x.first()\n..."),
        f"`mark(x)` {TORN} 20",
        ("first =", "a(); first ="),
    ),
    "in place of half a line": (
        gather("...\n# instead of: third = op(y)\nfirst = x.first()\n..."),
        f"upstream's module.py: `third = op(y)` {TORN}",
        ("third = op(y)", "third = op(y); keep()"),
    ),
    "in place of an elif": (
        gather("...\n# instead of: if y: b()\nif y: c()\n..."),
        TORN,
        ("first =", "if x:\n            a()\n        elif y: b()\n        first ="),
    ),
    "half a line of ours": (
        gather("...\nmark(x); second = op(x)\n..."),
        f"`mark(x)` {TORN}",
    ),
    "a string that cannot be indented": (
        gather('...\nmark("""a\n  b""")\nsecond = op(x)\n...'),
        "or a string cannot be indented",
    ),
    "a function is gone": (
        "class Sampler(Base):\n    def lost(*_: ...): ...\n",
        "in `Sampler.lost`, `def lost(*_: ...):` is gone from upstream's; fit our",
    ),
    "a class is gone": (
        "class Lost:\n    def lost(*_: ...): ...\n",
        "in `Lost`, `class Lost:` is gone",
    ),
    "a function is there twice": (
        "def op(): pass",
        "in `op`, `@decorated(dynamic=True)` defines it more than once",
        ("LIMIT = 3", "def op(): pass"),
    ),
    "in a branch": (
        "def new(): pass",
        KIND,
        ("LIMIT = 3", "if x:\n    def new(): pass"),
    ),
    "imported": ("def torch(): pass", KIND),
    "assigned": ("def LIMIT(): pass", f"`LIMIT = 3` {KIND}"),
    "a coroutine": ("def op(x): pass", KIND, ("def op", "async def op")),
    "an import of the name": (
        "from c import torch",
        "`import torch` clashes with our `from c import torch`",
    ),
    "another value": ("LIMIT = 4", "`LIMIT = 3` clashes with our `LIMIT = 4`"),
    "a late import from the future": (
        "from __future__ import annotations",
        "the woven module.py is not valid Python",
        ("import torch\n", ""),
        ('"""Upstream\'s module."""', "a = 1"),
    ),
    "what is replaced is inside what replaces it": (
        gather(
            "...\n# instead of: second = op(x)\nwith y:\n    1\n    second = op(x)\n..."
        ),
        "weaving our source twice would change it twice",
    ),
}


@pytest.mark.parametrize("case", MISFITS)
def test_what_does_not_fit(case: str) -> None:
    ours, message, *changes = MISFITS[case]
    with pytest.raises(ForkError, match=re.escape(message)):
        woven(ours, changed(*changes))


BOTH_ENDS = "stands where only `...` may: at an end"
NO_MEMBER = "is neither import, assignment nor definition"
NOT_ONE = "`mark(x)` has an `# instead of:` that does not name one statement"
UNREAD = "`# instead of:` may stand only right above"


@pytest.mark.parametrize(
    ("ours", "message"),
    [
        (gather("first = x.first()\n..."), f"`first = x.first()` {BOTH_ENDS}"),
        (gather("...\nfirst = x.first()"), f"`first = x.first()` {BOTH_ENDS}"),
        (gather("if x:\n    ..."), f"`if x:` {BOTH_ENDS}"),
        (gather("return 1"), f"`return 1` {BOTH_ENDS}"),
        (gather("...\nwith x:\n    ...\n..."), "`with x:` has a `...` inside"),
        ("class Sampler(Base):\n    ...\n", f"in `Sampler`, `...` {NO_MEMBER}"),
        ("if x:\n    def op(x): ...\n", f"`if x:` {NO_MEMBER}"),
        ("LIMIT += 4", NO_MEMBER),
        (gather("...\n# instead of:\nmark(x)\n..."), NOT_ONE),
        (gather("...\n# instead of: a b\nmark(x)\n..."), NOT_ONE),
        (gather("...\n# instead of: a; b\nmark(x)\n..."), NOT_ONE),
        ("def op(x):\n    # instead of: a\n    return x\n", UNREAD),
        ("# instead of: a\nclass Sampler(Base):\n    'Words.'\n", UNREAD),
        (gather("...\n# instead of: a\n\nfirst = x.first()\n..."), UNREAD),
        (gather("...\nfirst = x.first()  # instead of: a\n..."), UNREAD),
    ],
)
def test_a_sparse_source_that_breaks_the_rules(ours: str, message: str) -> None:
    with pytest.raises(ForkError, match=rf"^our module\.py.* {re.escape(message)}"):
        woven(ours)


def test_files_without_code() -> None:
    with pytest.raises(ForkError, match=r"^our module\.py is not valid Python"):
        woven("def")
    with pytest.raises(ForkError, match=r"^upstream's module\.py is not valid Python"):
        woven("import a", "def")
    with pytest.raises(ForkError, match=r"^upstream's module\.py is empty"):
        woven("import a", "# A comment.\n")
