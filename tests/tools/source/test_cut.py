# SPDX-License-Identifier: Apache-2.0
"""Cutting: what is named goes with all that only it used, and the rest is formatted."""

import subprocess
import sys

from hypothesis import given, settings
from hypothesis import strategies as st

from tools.fork import UPSTREAM_TEST
from tools.fork.bootstrap import ROOT
from tools.fork.source.cut import bound, cut, drop
from tools.fork.source.syntax import Function, Source

SOURCE = b"""\
# The licence.
import time

from a import b, c
from d import d

# Of all.
ALL = 1
# Of one.
ONE = d(2)
assert True


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
REST = SOURCE[SOURCE.index(b"class") :]
SAMPLE = REST[REST.index(b"    @property") : REST.index(b"    def other")]
FIRST = SOURCE[SOURCE.index(b"# Why.") : -len(REST)]
ALL = b"# Of all.\nALL = 1\n"
ONE = b"# Of one.\nONE = d(2)\n"
EVERY = {"Sampler.other", "Sampler.sample", "last"}


def test_what_only_they_used_goes_with_definitions() -> None:
    for work, without, gone in (
        (cut, {"first"}, [FIRST, ONE, b", c\nfrom d import d"]),
        (drop, {"first", "c", "no such name"}, [FIRST, b", c"]),
        (cut, {"Sampler.sample"}, [SAMPLE]),
        (cut, EVERY, [b"\n\n" + REST, ALL, b"import time\n\n", b"b, "]),
    ):
        file, expected = Source("a.py", SOURCE), SOURCE
        work(file, without)
        for text in gone:
            expected = expected.replace(text, b"", 1)
        assert file.data() == expected


@settings(derandomize=True, deadline=None, max_examples=30)
@given(data=st.data())
def test_a_formatted_test_stays_formatted(data: st.DataObject) -> None:
    file = Source("our test", (ROOT / UPSTREAM_TEST).read_bytes())
    functions = sorted(bound(file, Function))
    cut(file, data.draw(st.sets(st.sampled_from(functions))))

    ruff = [sys.executable, "-m", "ruff"]
    for options in (["format", "--check"], ["check", "--select=F401,F811,I"]):
        command = [*ruff, *options, "--quiet", f"--stdin-filename={UPSTREAM_TEST}", "-"]
        done = subprocess.run(command, input=file.data(), capture_output=True, cwd=ROOT)
        assert done.returncode == 0, done.stdout.decode()
