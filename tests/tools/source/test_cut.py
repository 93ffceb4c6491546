# SPDX-License-Identifier: Apache-2.0
"""Cutting: what is named goes with all that only it used, and the rest is formatted."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.fork import ForkError
from tools.fork.bootstrap import ROOT
from tools.fork.source.cut import bound, cut, drop
from tools.fork.source.syntax import Function

TESTS = sorted(ROOT.glob("tests/v1/**/*.py"))
SOURCE = b"""\
# The licence.
import time

from a import b, c
from d import d

# Of all.
ALL = 1
# Of one.
ONE = d(2)


# Why.
@pytest.mark.parametrize("one", [ONE])
def first(one):
    return c(one)


class Sampler(Base):
    @property
    # Why.
    def sample(self):
        time = ALL
        return time

    def other(self):
        return time.time()


def last(ALL):
    return b(ALL)
"""


def test_what_only_a_function_used_goes_with_it() -> None:
    left = cut(SOURCE, "a.py", {"first"})

    gone = SOURCE[SOURCE.index(b"# Of one.") : SOURCE.index(b"class")]
    expected = SOURCE.replace(gone, b"\n\n").replace(b", c\nfrom d import d\n", b"\n")
    assert left == expected


def test_a_local_of_the_same_name_is_another() -> None:
    left = cut(SOURCE, "a.py", {"Sampler.other", "Sampler.sample", "last"})

    assert (
        left
        == b"# The licence.\nfrom a import c\nfrom d import d\n"
        + (SOURCE[SOURCE.index(b"\n# Of one.") : SOURCE.index(b"\n\nclass")])
    )


def test_the_first_method_leaves_no_gap() -> None:
    assert b"Sampler(Base):\n    def other" in cut(SOURCE, "a.py", {"Sampler.sample"})


def test_dropping_leaves_what_only_they_used() -> None:
    left = drop(SOURCE, "a.py", {"first", "c"})

    gone = SOURCE[SOURCE.index(b"# Why.") : SOURCE.index(b"class")]
    assert left == SOURCE.replace(gone, b"").replace(b", c", b"")


def test_what_cannot_be_cut() -> None:
    with pytest.raises(ForkError, match=r"a\.py: `a = 1` would read otherwise"):
        drop(b"a = 1; b = 2\n", "a.py", {"a"})
    with pytest.raises(ForkError, match=r"a\.py is not valid Python"):
        cut(b"def", "a.py", set())


@pytest.mark.parametrize("path", TESTS, ids=lambda it: it.name)
@settings(derandomize=True, deadline=None, max_examples=30)
@given(data=st.data())
def test_a_formatted_test_stays_formatted(path: Path, data: st.DataObject) -> None:
    whole = path.read_bytes()
    functions = sorted(bound(whole, path.name, Function))
    left = cut(whole, path.name, data.draw(st.sets(st.sampled_from(functions))))

    ruff = [sys.executable, "-m", "ruff"]
    for options in (["format", "--check"], ["check", "--select=F401,F811,I"]):
        command = [*ruff, *options, "--quiet", f"--stdin-filename={path}", "-"]
        done = subprocess.run(command, input=left, capture_output=True, cwd=ROOT)
        assert done.returncode == 0, done.stdout.decode()
