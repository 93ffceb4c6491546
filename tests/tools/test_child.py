# SPDX-License-Identifier: Apache-2.0
"""A module of ours in a process of its own; here one made for the purpose."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.fork import ForkError, child

MODULE = """
def main(end):
    print("chatter")
    yield {"number": 1}
    if end: raise SystemExit(end)
    yield {"number": 2}
"""


def test_each_result_comes_as_it_is_there_and_chatter_does_not(tmp_path: Path) -> None:
    (tmp_path / "counting.py").write_text(MODULE)
    variables, log = {"PYTHONPATH": str(tmp_path)}, tmp_path / "logs/log"

    def call(end: int) -> Iterator[dict[str, int]]:
        return child.call([sys.executable], "counting", {"end": end}, variables, log)

    assert [*call(0)] == [{"number": 1}, {"number": 2}]
    assert log.read_text() == "chatter\n"
    results = call(3)
    assert next(results) == {"number": 1}
    with pytest.raises(ForkError, match=r"counting failed; .*log ends:\nchatter"):
        next(results)
