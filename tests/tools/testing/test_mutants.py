# SPDX-License-Identifier: Apache-2.0
"""Mutants: each of our statements is taken out once, and nothing else."""

from tools.fork.testing.mutants import mutants

UPSTREAM = b'''
@decorated(dynamic=True)
def op(x):
    """Upstream's words."""
    return x + 1


def gather(x):
    with context(x):
        return op(x)
'''
WOVEN = b'''import new
@decorated
def op(x):
    """Our words."""
    check(x)
    return x + 1


def gather(x):
    with context(x):
        mark(
            x
        )
        return op(x)
'''


def test_takes_out_each_statement_and_decorator_of_ours() -> None:
    found = dict(mutants(WOVEN, UPSTREAM))

    assert found == {
        "decorated (line 2)": WOVEN.replace(b"@decorated\n", b""),
        "check(x) (line 5)": WOVEN.replace(b"check(x)", b"pass"),
        "mark(x) (line 11)": WOVEN.replace(b"mark(\n            x\n        )", b"pass"),
    }


def test_nothing_to_take_out() -> None:
    assert list(mutants(UPSTREAM, UPSTREAM)) == []
