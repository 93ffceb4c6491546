# SPDX-License-Identifier: Apache-2.0
"""Upstream's tests on both trees: here a few of our own, on trees without vLLM."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from fake_release import write
from tools.fork import ForkError
from tools.fork.source.tree import Trees
from tools.fork.testing import hub, run_pytest, upstream_tests

IT = "tests/test_it.py"
# name: the outcomes on stock and on the fork; "" is not run
ENDINGS = {
    "same": ("passed", "passed"),
    "both_wrong": ("error", "failed"),
    "worse": ("passed", "failed"),
    "no_longer_run": ("passed", ""),
    "now_skipped": ("passed", "skipped"),
    "skipped_before": ("skipped", "passed"),
    "better": ("failed", "passed"),
    "odd": ("passed", "failed"),
}


@pytest.fixture
def trees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trees:
    for side in ("stock", "fork"):
        write(tmp_path / side, {IT: b""})
    write(tmp_path / "fork", {"tests/test_only_here.py": b""})
    lines = f"{IT} tests/test_only_here.py", "tests/test_gone.py"
    monkeypatch.setattr(upstream_tests, "TESTS", lines)
    monkeypatch.setattr(upstream_tests, "ROOT", tmp_path)
    monkeypatch.setattr(upstream_tests, "tree_name", lambda tree: "1234")
    monkeypatch.setattr(hub, "make_hub", lambda *_: None)
    return Trees.inside(tmp_path)


def test_both_trees_are_compared(
    trees: Trees,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked: list[Sequence[str]] = []

    def run(
        tests: Sequence[str], tree: Path, env: Mapping[str, str], *_: Any
    ) -> dict[str, str]:
        asked.append(tests)
        assert env["HF_HOME"].startswith(str(tmp_path))
        place = ("stock", "fork").index(tree.name)
        endings = {f"{IT}::{name}": it[place] for name, it in ENDINGS.items()}
        if place and len(asked) > 2:
            endings[f"{IT}::odd"] = "passed"
        return {name: it for name, it in endings.items() if it}

    monkeypatch.setattr(run_pytest, "run", run)

    assert upstream_tests.run(trees, tmp_path / "report") == 1

    report = json.loads((tmp_path / "report/upstream-tests.json").read_text())
    worse = [f"{IT}::{it}" for it in ("no_longer_run", "now_skipped", "worse")]
    odd = f"{IT}::odd"
    assert report["worse"] == worse
    assert report["better"] == [f"{IT}::better", f"{IT}::skipped_before"]
    assert report["flaky"] == [odd]
    assert report["fork"][f"{IT}::same"] == "passed"
    # Stock's modules, not test_only_here; then what is worse, again on both.
    again = sorted([odd, *worse])
    assert asked == [[IT], [IT], *[again] * 2 * upstream_tests._RERUNS]
    printed = capsys.readouterr().out.splitlines()
    assert "fork: 7 tests: 3 failed, 3 passed, 1 skipped" in printed
    place = printed.index("3 worse on the fork")
    assert printed[place + 1] == f"    {worse[0]}: stock passed, fork not run"


def test_nothing_compared_is_an_error(
    trees: Trees, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_pytest, "run", lambda *_: {IT: "failed"})

    with pytest.raises(ForkError, match="nothing was compared"):
        upstream_tests.run(trees, tmp_path / "report")


PASSES = "def test_a(): pass"
ABORTED = "was ended by signal 6"


@pytest.mark.parametrize(
    ("text", "patience", "said", "endings"),
    [
        (f"{PASSES}\ndef test_b(): os.abort()", 60, ABORTED, ["passed", "error"]),
        ("os.abort()", 60, ABORTED, ["error"]),
        # At the test, or before it on a busy machine.
        ("def test_a(): time.sleep(99)", 1, "did not end within 1 s", ["error"]),
    ],
)
def test_a_test_that_crashes_or_hangs_is_an_error(
    text: str,
    patience: int,
    said: str,
    endings: list[str],
    trees: Trees,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run_pytest, "PATIENCE", patience)
    (trees.fork / IT).write_text(f"import os, time\n{text}")

    found = run_pytest.run([IT], trees.fork, {}, tmp_path / "log")

    assert [*found.values()] == endings
    assert f"This pytest {said}." in (tmp_path / "log").read_text()
