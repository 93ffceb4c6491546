# SPDX-License-Identifier: Apache-2.0
"""A module of ours in a process of its own; here some made for the purpose."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tools.fork import ForkError, child
from tools.fork.bootstrap import ROOT

MODULE = """
import os
def main(count, end=0):
    print("chatter")
    for number in range(count):
        yield {"number": number}
    if end: raise SystemExit(end)
"""


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "counting.py").write_text(MODULE)
    return {"PYTHONPATH": str(tmp_path)}


def test_each_result_comes_and_chatter_does_not(
    env: dict[str, str], tmp_path: Path
) -> None:
    log = tmp_path / "logs/log"

    found = list(child.call([sys.executable], "counting", {"count": 2}, env, log))

    assert found == [{"number": 0}, {"number": 1}]
    assert log.read_text() == "chatter\n"


def test_a_process_that_fails_ends_with_what_it_printed(
    env: dict[str, str], tmp_path: Path
) -> None:
    results = child.call(
        [sys.executable], "counting", {"count": 1, "end": 3}, env, tmp_path / "log"
    )

    assert next(results) == {"number": 0}
    with pytest.raises(ForkError, match=r"counting failed; .*log ends:\nchatter"):
        next(results)


def test_keywords_may_be_an_argument(env: dict[str, str]) -> None:
    words = [sys.executable, "-m", "tools.fork.child", "counting", '{"count": 1}']

    done = subprocess.run(words, cwd=ROOT, env=env, capture_output=True, check=True)

    assert json.loads(done.stdout) == {"number": 0}
