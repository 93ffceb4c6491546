# SPDX-License-Identifier: Apache-2.0
"""Weaving: our statements go in, every other byte stays, and nothing is guessed."""

import textwrap

import pytest

from tools.fork import ForkError
from tools.fork.source.weave import definitions, weave

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


def woven(ours: str, upstream: str = UPSTREAM) -> str:
    ours = textwrap.dedent(ours).lstrip("\n")
    return weave(ours.encode(), upstream.encode(), "module.py").decode()


def in_gather(body: str, upstream: str = UPSTREAM) -> str:
    """Weave a sparse `Sampler.gather` with this body."""
    header = "class Sampler(Base):\n    @staticmethod\n    def gather(x, y):\n"
    return woven(header + textwrap.indent(textwrap.dedent(body), " " * 8), upstream)


def misfit(body: str, upstream: str = UPSTREAM) -> str:
    with pytest.raises(ForkError) as error:
        in_gather(body, upstream)
    return str(error.value)


def test_inserts_above_the_anchor_and_its_comment() -> None:
    result = in_gather("...\n# Why.\nmark(x)\n\nsecond = op(x)\n...")

    comment = "            # Upstream's comment.\n"
    added = "            # Why.\n            mark(x)\n\n"
    assert result == UPSTREAM.replace(comment, added + comment)


def test_inserts_below_the_anchor() -> None:
    result = in_gather("...\nthird = op(y)\nmark(\n    y\n)\n...")

    anchor = "            third = op(y)\n"
    added = "            mark(\n                y\n            )\n"
    assert result == UPSTREAM.replace(anchor, anchor + added)


def test_inserts_between_two_anchors() -> None:
    result = in_gather("...\nsecond = op(x)\nmark(y)\nthird = op(y)\n...")

    anchor = "            third = op(y)\n"
    assert result == UPSTREAM.replace(anchor, "            mark(y)\n" + anchor)


def test_weaving_twice_is_weaving_once() -> None:
    body = "...\nfirst = x.first()\nmark(x)\n...\nmark(y)\nsecond = op(x)\n..."
    once = in_gather(body)

    assert once != UPSTREAM
    assert in_gather(body, once) == once


def test_replaces_a_statement() -> None:
    body = "...\n# instead of: first = x.first()\nfirst = x.last()\n..."
    once = in_gather(body)

    assert once == UPSTREAM.replace("x.first()", "x.last()")
    assert in_gather(body, once) == once


def test_replacing_what_is_gone_inserts() -> None:
    result = in_gather(
        "...\n# Why.\n# instead of: mark(x, 1)\nmark(x)\nsecond = op(x)\n..."
    )

    assert "            # Why.\n            mark(x)\n" in result
    assert "instead of" not in result


def test_where_upstream_has_both_the_other_goes() -> None:
    upstream = UPSTREAM.replace("second =", "mark(x, 1)\n            second =")
    upstream = upstream.replace("first =", "mark(x)\n        first =")

    result = in_gather(
        "...\n# instead of: mark(x, 1)\nmark(x)\nfirst = x.first()\n...", upstream
    )

    assert result == upstream.replace("            mark(x, 1)\n", "")


def test_a_complete_function_replaces_upstreams() -> None:
    ours = '@decorated\ndef op(x):\n    """Ours."""\n    return x\n'
    result = woven(ours)

    assert result.startswith(UPSTREAM[: UPSTREAM.index("@decorated")] + ours)
    assert result.endswith(UPSTREAM[UPSTREAM.index("\n\nclass") :])
    assert woven(ours, result) == result


def test_the_comment_above_our_decorators_goes_along() -> None:
    ours = """
        # Why.
        @patched
        @decorated(dynamic=True)
        def op(x):
            ...
            return x + 1
            ...
    """
    once = woven(ours)

    decorator = "@decorated(dynamic=True)\n"
    assert once == UPSTREAM.replace(decorator, f"# Why.\n@patched\n{decorator}")
    assert woven(ours, once) == once


def test_a_sparse_function_takes_decorators_and_signature_over() -> None:
    result = woven(
        "@decorated()\ndef op(\n    x, y=1\n):\n    ...\n    return x + 1\n    ...\n"
    )

    old = "@decorated(dynamic=True)\ndef op(x):\n"
    assert result == UPSTREAM.replace(old, "@decorated()\ndef op(\n    x, y=1\n):\n")


def test_an_open_signature_stays_upstreams() -> None:
    result = woven(
        "class Sampler(Base):\n    def gather(*_: ...):\n        ...\n"
        "        first = x.first()\n        mark(x)\n        ...\n"
    )

    anchor = "        first = x.first()\n"
    assert result == UPSTREAM.replace(anchor, f"{anchor}        mark(x)\n")
    with pytest.raises(
        ForkError, match=r"`op`, .* `\.\.\.`, but none of its body's own"
    ):
        woven("def op(*_: ...):\n    return 1\n")


def test_adds_functions_methods_and_imports() -> None:
    ours = """
        import torch
        import torch.nn as nn
        from a import b, c

        class Sampler(Base):
            # Why.
            def added(self):
                return 2

        def new():
            return 3
        """
    result = woven(ours)

    assert "import torch\nimport torch.nn as nn\nfrom a import b, c\n\nLIMIT" in result
    assert (
        "    def other(self): return 1\n\n    # Why.\n    def added(self):\n" in result
    )
    assert result.endswith("        return 2\n\n\ndef new():\n    return 3\n")
    assert woven(ours, result) == result


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("indent", ["    ", "\t"])
def test_keeps_line_ends_and_indentation(newline: str, indent: str) -> None:
    upstream = UPSTREAM.replace("    ", indent).replace("\n", newline)

    result = in_gather("...\nmark(x)\nsecond = op(x)\n...", upstream)

    added = f"{indent * 3}mark(x){newline}"
    at = result.index(added)
    assert result[:at] + result[at + len(added) :] == upstream


def test_keeps_a_missing_last_newline_and_other_scripts() -> None:
    upstream = UPSTREAM.replace("unrelated", "größer 温度 \x0c\u2028").rstrip("\n")

    result = in_gather("...\nmark(x)\nsecond = op(x)\n...", upstream)

    assert result.replace("            mark(x)\n", "") == upstream


def test_no_anchor() -> None:
    assert misfit("...\nmark(x)\n...") == (
        "upstream's module.py: in `Sampler.gather`, `mark(x)` has no anchor left "
        "beside it; fit our sparse source to this release."
    )


def test_an_anchor_twice() -> None:
    upstream = UPSTREAM.replace("third = op(y)", "second = op(x)")

    said = misfit("...\nmark(x)\nsecond = op(x)\n...", upstream)

    assert "in `Sampler.gather`, `second = op(x)` is there more than once" in said


def test_anchors_out_of_order() -> None:
    said = misfit("...\nsecond = op(x)\nmark(x)\n...\nfirst = x.first()\n...")

    assert "`first = x.first()` comes in another order" in said


def test_anchors_that_are_no_longer_neighbours() -> None:
    said = misfit("...\nfirst = x.first()\nmark(x)\nsecond = op(x)\n...")

    assert "`second = op(x)` has other code before it" in said


def test_an_anchor_that_shares_its_line() -> None:
    upstream = UPSTREAM.replace("first = x.first()", "first = x.first(); pass")

    said = misfit("...\nmark(x)\nfirst = x.first()\n...", upstream)

    assert "`first = x.first()` shares its line" in said


def test_a_sparse_function_must_be_open_at_both_ends() -> None:
    assert "only `...` may" in misfit("first = x.first()\n...")
    assert "only `...` may" in misfit("...\nfirst = x.first()")


def test_dots_inside_a_statement() -> None:
    assert "has a `...` inside" in misfit("...\nwith context(x):\n    ...\n...")


def test_a_definition_that_is_gone() -> None:
    lost = "    def lost(self):\n        ...\n        a()\n        ...\n"
    with pytest.raises(ForkError, match=r"in `Sampler\.lost`, .* is gone"):
        woven(f"class Sampler(Base):\n{lost}")
    with pytest.raises(ForkError, match="in `Lost`, `class Lost:` is gone"):
        woven(f"class Lost:\n{lost}")


def test_a_definition_that_is_there_twice_or_of_another_kind() -> None:
    with pytest.raises(ForkError, match=r"`op`.* more than once"):
        woven("def op(x):\n    return x\n", UPSTREAM + "\ndef op(): pass\n")
    with pytest.raises(ForkError, match="another kind"):
        woven("def Sampler():\n    return 1\n")


def test_a_function_may_be_all_upstreams() -> None:
    assert woven("class Sampler(Base):\n    def gather(*_: ...): ...\n") == UPSTREAM
    with pytest.raises(ForkError, match=r"`Sampler\.lost`, .* is gone"):
        woven("class Sampler(Base):\n    def lost(*_: ...): ...\n")


def test_leaves_out_what_another_source_defines() -> None:
    ours = b"""
from a import new
def op(*_: ...):
    ...
    # instead of: return x + 1
    return x
    ...
class Sampler(Base):
    def gather(*_: ...):
        ...
        mark(x)
        first = x.first()
        ...
"""
    other = b"def new(): pass\ndef op(x): pass\nclass A:\n    def a(): pass\nb = 1\n"
    names = definitions(other, "module.py")
    assert names == {"new", "op", "A.a"}

    result = weave(ours, UPSTREAM.encode(), "module.py", names).decode()

    anchor = "        first = x.first()\n"
    assert result == UPSTREAM.replace(anchor, f"        mark(x)\n{anchor}")


@pytest.mark.parametrize("other", ["LIMIT += 4", "LIMIT = MOST = 3", "print()"])
def test_our_source_holds_no_other_statements(other: str) -> None:
    with pytest.raises(ForkError, match="is neither import, assignment nor"):
        woven(other)


def test_adds_an_assignment_behind_the_imports() -> None:
    result = woven("log = logger(__name__)\n")

    assert "import torch\n\nlog = logger(__name__)\n\nLIMIT" in result
    assert woven("log = logger(__name__)\n", result) == result
    assert woven("LIMIT = 3\n") == UPSTREAM


def test_an_assignment_to_what_upstream_uses_otherwise() -> None:
    with pytest.raises(ForkError, match="`LIMIT = 3` clashes with our `LIMIT = 4`"):
        woven("LIMIT = 4\n")
    with pytest.raises(ForkError, match="`import torch` shares its lines"):
        woven("a = 1\n", UPSTREAM.replace("import torch", "import torch; b = 1"))


def test_imports_go_where_isort_would_have_them() -> None:
    upstream = "import torch\n\n# First party.\nfrom vllm.b import b\n\nA = 1\n"
    ours = b"import time\nimport numpy\nfrom vllm.a import a\nfrom vllm.c import c\n"

    result = weave(ours, upstream.encode(), "vllm/module.py").decode()

    assert result == (
        "import time\n\nimport numpy\nimport torch\n\nfrom vllm.a import a\n"
        "# First party.\nfrom vllm.b import b\nfrom vllm.c import c\n\nA = 1\n"
    )
    last = weave(b"from vllm.a import a\n", b"import torch\n", "vllm/module.py")
    assert last == b"import torch\n\nfrom vllm.a import a\n"


def test_a_definition_is_added_behind_the_one_above_it() -> None:
    ours = """
        def op(x):
            ...
            return x + 1
            ...

        def new():
            return 3

        def newer():
            return 4
        """
    result = woven(ours)

    added = "    return x + 1\n\n\ndef new():\n    return 3\n\n\ndef newer():\n"
    assert f"{added}    return 4\n\n\nclass Sampler" in result
    assert woven(ours, result) == result


@pytest.mark.parametrize("text", ["", "a b", "a; b", "if a"])
def test_instead_of_names_one_statement(text: str) -> None:
    said = misfit(f"...\n# instead of: {text}\nmark(x)\nsecond = op(x)\n...")

    assert "`mark(x)` has an `# instead of:` that does not name one statement" in said


@pytest.mark.parametrize(
    "ours",
    [
        "def op(x):\n    # instead of: a\n    return x\n",
        "# instead of: a\nclass Sampler(Base):\n    'Words.'\n",
        "def op(x):\n    ...\n    # instead of: a\n\n    return x + 1\n    ...\n",
        "def op(x):\n    ...\n    return x + 1  # instead of: a\n    ...\n",
    ],
)
def test_instead_of_where_it_would_do_nothing(ours: str) -> None:
    with pytest.raises(ForkError, match="`# instead of:` may stand only right above"):
        woven(ours)


def test_what_goes_must_own_its_lines() -> None:
    upstream = UPSTREAM.replace("third = op(y)", "third = op(y); keep()")

    body = "...\n# instead of: third = op(y)\nfirst = x.first()\n..."

    assert "`third = op(y)` shares its lines" in misfit(body, upstream)


def test_an_elif_is_not_taken_for_an_if() -> None:
    upstream = UPSTREAM.replace(
        "first =",
        "if x:\n            a()\n        elif y:\n            b()\n        first =",
    )

    said = misfit("...\n# instead of: if y: b()\nif y: c()\n...", upstream)
    assert "`if y:` shares its lines" in said
    said = misfit("...\nif y: b()\nmark(x)\n...", upstream)
    assert "`if y:` shares its lines" in said


def test_an_anchor_on_a_continued_line() -> None:
    upstream = UPSTREAM.replace(
        "first = x.first()", "a(); \\\n        first = x.first()"
    )

    said = misfit("...\nmark(x)\nfirst = x.first()\n...", upstream)

    assert "`first = x.first()` shares its lines" in said


def test_our_statements_must_own_their_lines() -> None:
    said = misfit("...\nmark(x); second = op(x)\n...")

    assert "our module.py: in `Sampler.gather`, `mark(x)` shares its lines" in said


def test_the_end_of_a_string_is_no_comment() -> None:
    text = '            text = """\n            # no comment"""\n'
    comment = "            # Upstream's comment.\n"
    upstream = UPSTREAM.replace(comment, text)

    result = in_gather("...\nmark(x)\nsecond = op(x)\n...", upstream)

    assert result == upstream.replace(text, text + "            mark(x)\n")


def test_an_anchor_inside_another_is_in_another_order() -> None:
    block = "with context(x):\n    second = op(x)\n    third = op(y)\n"

    said = misfit(f"...\n{block}...\nmark(x)\nthird = op(y)\n...")

    assert "`third = op(y)` comes in another order" in said


def test_a_decorator_that_becomes_a_base() -> None:
    upstream = UPSTREAM.replace("class Sampler(Base)", "@Base\nclass Sampler")

    result = in_gather("...\nmark(x)\nsecond = op(x)\n...", upstream)

    assert "\n\n\nclass Sampler(Base):\n" in result


def test_a_signature_over_a_first_line_of_two_statements() -> None:
    upstream = "def op(x):\n    a = 1; b = 2\n    return x\n"

    result = woven("def op(x, y):\n    ...\n    return x\n    ...\n", upstream)

    assert result == upstream.replace("(x)", "(x, y)")


def test_an_upstream_body_on_the_line_of_its_signature() -> None:
    with pytest.raises(ForkError, match="`return 1` shares its line with other code"):
        woven(
            "class Sampler(Base):\n    def other(self):\n        ...\n"
            "        return 1\n        ...\n"
        )


def test_dots_in_a_class_or_in_a_nested_block_only() -> None:
    with pytest.raises(ForkError, match=r"`\.\.\.` is neither import, .*definition"):
        woven("class Sampler(Base):\n    ...\n")
    with pytest.raises(ForkError, match=r"`op`, .* has a `\.\.\.`, but none"):
        woven("def op(x):\n    if x:\n        ...\n        mark(x)\n")


def test_a_definition_of_ours_in_a_block() -> None:
    with pytest.raises(ForkError, match="py: `if x:` is neither import, "):
        woven("if x:\n    def op(x):\n        ...\n")


@pytest.mark.parametrize(
    "theirs",
    ["if x:\n    def new(): pass\n", "from a import new\n", "new = wrap(op)\n"],
)
def test_a_definition_that_upstream_has_in_another_way(theirs: str) -> None:
    with pytest.raises(ForkError, match=r"`new`, .* is another kind of definition"):
        woven("def new():\n    return 1\n", UPSTREAM + theirs)


def test_a_coroutine_is_another_kind_of_function() -> None:
    with pytest.raises(ForkError, match="another kind"):
        woven("def op(x):\n    return x\n", UPSTREAM.replace("def op", "async def op"))


def test_an_import_of_what_upstream_has_from_elsewhere() -> None:
    upstream = UPSTREAM.replace("import torch\n", "import torch\nfrom a import b\n")

    with pytest.raises(ForkError, match="`from a import b` clashes with our `from c"):
        woven("from c import b\n", upstream)


def test_an_import_that_cannot_stand_among_the_others() -> None:
    with pytest.raises(ForkError, match=r"the woven module\.py is not valid Python"):
        woven("from __future__ import annotations\n", "LIMIT = 3\n")
    with pytest.raises(ForkError, match="`import torch` shares its lines"):
        woven("import a\n", UPSTREAM.replace("import torch", "import torch; b = (\n1)"))


def test_an_empty_upstream_file() -> None:
    with pytest.raises(ForkError, match="is empty"):
        woven("import a\n", "# A comment.\n")


def test_a_string_that_is_indented_less_stays_as_it_is() -> None:
    ours = (
        "class Sampler(Base):\n    @staticmethod\n    def gather(x, y):\n        ...\n"
        '        mark("""a\n  b""")\n        second = op(x)\n        ...\n'
    )
    assert 'mark("""a\n  b""")\n' in woven(ours)


def test_two_changes_of_the_same_lines() -> None:
    ours = "def op(x):\n    return 2\n"

    with pytest.raises(ForkError, match="our source changes line 8 twice"):
        woven(f"{ours}\n\n{ours}")


def test_text_that_cannot_be_moved_is_refused() -> None:
    said = misfit('...\nmark("""a\n  b""")\nsecond = op(x)\n...')

    assert "twice" in said


@pytest.mark.parametrize(("ours", "theirs"), [("def", "a = 1\n"), ("a = 1\n", "def")])
def test_a_file_that_is_not_python(ours: str, theirs: str) -> None:
    with pytest.raises(ForkError, match=r"module\.py is not valid Python"):
        woven(ours, theirs)
