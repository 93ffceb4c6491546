# SPDX-License-Identifier: Apache-2.0
"""Weaving: our statements go in, every other byte stays, and nothing is guessed."""

import re
import textwrap
from typing import Any

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
THIRD = "            third = op(y)\n"
STRING = 'mark("""a\n  b""")'
SIGNED = "# Why.\n@patched\n# Too.\n@new()\ndef op(\n    x, y=1\n):  # so\n"
NEW = "# Why.\ndef new(): pass\n"
OP = "@decorated(dynamic=True)\ndef op(x):\n"


def woven(ours: str, upstream: str = UPSTREAM, name: str = "module.py") -> str:
    source = Source(f"our {name}", ours.encode())
    return weave(source, upstream.encode(), name).decode()


def gather(body: str) -> str:
    """Return a sparse source with this body of `Sampler.gather`."""
    header = "class Sampler(Base):\n    def gather(*_: ...):\n"
    return header + textwrap.indent(body, " " * 8)


def amid(body: str) -> str:
    """Return a sparse source with this amid the body of `Sampler.gather`."""
    return gather(f"...\n{body}\n...")


def changed(*pairs: tuple[str, str]) -> str:
    """Return upstream's module with each text, which is there once, replaced."""
    text = UPSTREAM
    for old, new in pairs:
        assert text.count(old) == 1
        text = text.replace(old, new)
    return text


# Our source, and what replaces what in upstream's module.
FITS = {
    "above an anchor and its comment": (
        amid("# Why.\nmark(x)\n\nsecond = op(x)"),
        (COMMENT, f"            # Why.\n            mark(x)\n\n{COMMENT}"),
    ),
    "between two anchors": (
        amid("second = op(x)\nmark(y)\nthird = op(y)"),
        (THIRD, f"            mark(y)\n{THIRD}"),
    ),
    "two runs": (
        amid("first = x.first()\nmark(x)\n...\nmark(y)\nthird = op(y)"),
        (FIRST, f"{FIRST}        mark(x)\n"),
        (THIRD, f"            mark(y)\n{THIRD}"),
    ),
    "a statement replaced": (
        amid("# Why.\n# instead of: first = x.first()\nfirst = 1\nmark(x)"),
        (FIRST, "        # Why.\n        first = 1\n        mark(x)\n"),
    ),
    "the replaced is gone": (
        amid("# Why.\n# instead of: mark(1)\nmark(x)\nfirst = x.first()"),
        (FIRST, f"        # Why.\n        mark(x)\n{FIRST}"),
    ),
    "upstream has both": (
        amid("# instead of: third = op(y)\nfirst = x.first()"),
        (THIRD, ""),
    ),
    "a string that is indented less": (
        amid("STRING\nfirst = x.first()").replace("STRING", STRING),
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
    "imports and assignments": (
        "import time\nimport torch\nimport torch.nn as nn\nfrom a import b, c\n"
        "LIMIT = 3\nlog = logger(__name__)\nmore = log\n",
        ("import torch\n", "import time\n\nimport torch\nimport torch.nn as nn\nTAIL"),
        ("TAIL", "from a import b, c\n\nlog = logger(__name__)\nmore = log\n"),
    ),
}


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("end", ["\n", "\n# größer 温度 \x0c\u2028\n"])
@pytest.mark.parametrize("case", FITS.values(), ids=FITS)
def test_what_fits(case: tuple[Any, ...], end: str, newline: str) -> None:
    ours, *changes = case
    upstream = (UPSTREAM.rstrip() + end).replace("\n", newline)
    expected = (changed(*changes).rstrip() + end).replace("\n", newline)

    assert woven(ours, upstream) == expected
    assert woven(ours, expected) == expected


def test_the_last_line_gets_an_end() -> None:
    assert woven("def new(): pass", "a = 1") == "a = 1\n\n\ndef new(): pass\n"


def test_imports_go_where_isort_would_have_them() -> None:
    upstream = "import torch\n\n# First party.\nfrom vllm.b import b\n# End.\n"
    ours = "import time\nimport numpy\nfrom vllm.a import a\nfrom vllm.c import c\n"

    assert woven(ours, upstream, "vllm/module.py") == (
        "import time\n\nimport numpy\nimport torch\n\nfrom vllm.a import a\n"
        "# First party.\nfrom vllm.b import b\nfrom vllm.c import c\n# End.\n"
    )
    last = woven("from vllm.a import a\n", "import torch\n", "vllm/module.py")
    assert last == "import torch\n\nfrom vllm.a import a\n"
    late = woven("import time\n", '"""Words."""\nfrom __future__ import annotations\n')
    assert late.endswith("annotations\n\nimport time\n")


TORN = "would read otherwise at line"
KIND = "is another kind of definition"
BOTH_ENDS = "stands where only `...` may: at an end"
NO_MEMBER = "is neither import, assignment nor definition"
NOT_ONE = "`mark(x)` has an `# instead of:` that does not name one statement"
UNREAD = "`# instead of:` may stand only right above"
# Our source, what the error says, and how upstream's module is another.
ERRORS = [
    (
        amid("mark(x)"),
        "our module.py: in `Sampler.gather`, `mark(x)` has no anchor left beside it; "
        "fit our sparse source to this release.",
    ),
    (
        amid("mark(x)\nsecond = op(x)"),
        "in `Sampler.gather`, `second = op(x)` is there more than once",
        ("third = op(y)", "second = op(x)"),
    ),
    (
        amid("second = op(x)\nmark(x)\n...\nfirst = x.first()"),
        "upstream's module.py: in `Sampler.gather`, `first = x.first()` comes in",
    ),
    (
        amid("with x: y = 1\n...\nmark(x)\ny = 1"),
        "`y = 1` comes in another order",
        ("first =", "with x:\n            y = 1\n        first ="),
    ),
    (
        amid("first = x.first()\nmark(x)\nsecond = op(x)"),
        "`second = op(x)` has other code before it",
    ),
    (
        amid("mark(x)\nfirst = x.first()"),
        f"`mark(x)` {TORN} 20",
        ("first =", "a(); first ="),
    ),
    (
        amid("# instead of: third = op(y)\nfirst = x.first()"),
        f"upstream's module.py: `third = op(y)` {TORN}",
        ("third = op(y)", "third = op(y); keep()"),
    ),
    (
        "class Sampler(Base):\n    def lost(*_: ...): ...\n",
        "in `Sampler.lost`, `def lost(*_: ...):` is gone from upstream's; fit our",
    ),
    (
        "def op(): pass",
        "in `op`, `@decorated(dynamic=True)` defines it more than once",
        ("LIMIT = 3", "def op(): pass"),
    ),
    ("def new(): pass", KIND, ("LIMIT = 3", "if x:\n    def new(): pass")),
    ("def LIMIT(): pass", f"`LIMIT = 3` {KIND}"),
    ("def op(x): pass", KIND, ("def op", "async def op")),
    ("from c import torch", "`import torch` clashes with our `from c impo"),
    (
        "from __future__ import annotations",
        "the woven module.py is not valid Python",
        ("import torch\n", ""),
        ('"""Upstream\'s module."""', "a = 1"),
    ),
    (
        amid("# instead of: second = op(x)\nif y:\n    1\n    second = op(x)"),
        "weaving our source twice would change it twice",
    ),
    (gather("first = x.first()\n..."), f"`first = x.first()` {BOTH_ENDS}"),
    (gather("...\nfirst = x.first()"), f"`first = x.first()` {BOTH_ENDS}"),
    (amid("with x:\n    ..."), "`with x:` has a `...` inside"),
    ("class Sampler(Base):\n    a = 1\n", f"in `Sampler`, `a = 1` {NO_MEMBER}"),
    ("if x:\n    def op(x): ...\n", f"`if x:` {NO_MEMBER}"),
    (amid("# instead of:\nmark(x)"), NOT_ONE),
    (amid("# instead of: a b\nmark(x)"), NOT_ONE),
    ("def op(x):\n    # instead of: a\n    return x\n", UNREAD),
    (amid("# instead of: a\n\nfirst = x.first()"), UNREAD),
    ("def", "our module.py is not valid Python"),
    ("import a", "upstream's module.py is empty", (UPSTREAM, "# A comment.\n")),
]


@pytest.mark.parametrize("case", ERRORS, ids=lambda it: it[1])
def test_what_does_not_fit_or_breaks_the_rules(case: tuple[Any, ...]) -> None:
    ours, message, *changes = case
    with pytest.raises(ForkError, match=re.escape(message)):
        woven(ours, changed(*changes))
