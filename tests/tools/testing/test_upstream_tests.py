# SPDX-License-Identifier: Apache-2.0
"""Upstream's tests on both trees: here a few of our own, on trees without vLLM."""

import json
from pathlib import Path
from typing import Any

import pytest

from tools.fork import ForkError
from tools.fork.source.tree import Trees
from tools.fork.testing import hub, upstream_tests

TESTS = """
import os, pathlib
def test_same(): assert pathlib.Path("side").exists() and "HF_HOME" in os.environ
def test_fork_is_worse(): assert pathlib.Path("side").read_text() == "stock"
def test_fork_is_better(): assert pathlib.Path("side").read_text() == "fork"
def test_every_other_time():
    runs = pathlib.Path("runs")
    runs.write_text(runs.read_text() + "x" if runs.exists() else "x")
    assert len(runs.read_text()) % 2 or pathlib.Path("side").read_text() == "stock"
"""


@pytest.fixture
def trees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trees:
    for side in ("stock", "fork"):
        (tmp_path / side / "tests/prompts").mkdir(parents=True)
        (tmp_path / side / "tests/prompts/example.txt").touch()
        (tmp_path / side / "side").write_text(side)
    (tmp_path / "fork/tests/test_only_here.py").write_text("def test(): assert 0")
    monkeypatch.setattr(upstream_tests, "TESTS", ("tests",))
    monkeypatch.setattr(upstream_tests, "ROOT", tmp_path)
    monkeypatch.setattr(upstream_tests, "tree_name", lambda tree: "1234")
    monkeypatch.setattr(hub, "make_hub", lambda *_: None)
    return Trees.inside(tmp_path)


def write_tests(trees: Trees, text: str) -> None:
    for tree in (trees.fork, trees.stock):
        (tree / "tests/test_it.py").write_text(text)


def test_both_trees_are_compared(trees: Trees, tmp_path: Path, capsys: Any) -> None:
    write_tests(trees, TESTS)
    (trees.fork / "runs").write_text("x")

    assert upstream_tests.show(trees, tmp_path / "report") == 1

    report = json.loads((tmp_path / "report/upstream-tests.json").read_text())
    it = "tests/test_it.py::test_"
    assert report["worse"] == [it + "fork_is_worse"]
    assert report["better"] == [it + "fork_is_better"]
    assert report["flaky"] == [it + "every_other_time"]
    assert report["fork"][it + "same"] == "passed"
    assert set(report["fork"]) == set(report["stock"])  # not test_only_here
    printed = capsys.readouterr().out.splitlines()
    assert "fork: 4 tests: 2 failed, 2 passed" in printed
    place = printed.index("1 worse on the fork")
    assert printed[place + 1] == f"    {it}fork_is_worse: stock passed, fork failed"


def test_nothing_compared_is_an_error(trees: Trees, tmp_path: Path) -> None:
    write_tests(trees, "def test_bad(): assert 0")

    with pytest.raises(ForkError, match="nothing was compared"):
        upstream_tests.show(trees, tmp_path / "report")


def run(trees: Trees, tmp_path: Path) -> dict[str, str]:
    return upstream_tests._run(["tests/test_it.py"], trees.fork, tmp_path / "log")


def test_a_test_that_hangs_is_stopped(
    trees: Trees, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream_tests, "_SECONDS", 3)
    write_tests(trees, "import time\ndef test_a(): time.sleep(99)\ndef test_b(): 1")

    # At test_a, or before it on a busy machine.
    assert list(run(trees, tmp_path).values()) == ["error"]
    assert "This pytest did not end within 3 s." in (tmp_path / "log").read_text()


def test_a_crash_is_an_error(trees: Trees, tmp_path: Path) -> None:
    write_tests(trees, "import os\ndef test_a(): pass\ndef test_b(): os.abort()")

    of_module = "tests/test_it.py::test_"
    outcomes = {of_module + "a": "passed", of_module + "b": "error"}
    assert run(trees, tmp_path) == outcomes
    assert "This pytest was ended by signal 6." in (tmp_path / "log").read_text()
