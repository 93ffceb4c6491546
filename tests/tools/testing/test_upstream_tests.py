# SPDX-License-Identifier: Apache-2.0
"""Upstream's tests on both trees: here a few of our own, on trees without vLLM."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from fake_release import write
from tools.fork import ForkError
from tools.fork.release import described
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
    "better": ("skipped", "passed"),
    "odd": ("passed", "failed"),
}


def test_both_trees_are_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trees, patch = Trees.inside(tmp_path), monkeypatch.setattr
    write(trees.stock, {IT: b"", upstream_tests._PROMPTS: b""})
    write(trees.fork, {IT: b"", "tests/test_only_here.py": b""})
    lines = f"{IT} tests/test_only_here.py", "tests/test_gone.py"
    patch(upstream_tests, "TESTS", lines)
    patch(upstream_tests, "ROOT", tmp_path)
    patch(upstream_tests, "tree_name", lambda tree: "1234")
    patch(upstream_tests, "report_folder", lambda _: tmp_path / "report")
    patch(upstream_tests.build, "make", lambda _: trees)
    patch(hub, "make_hub", lambda *_: None)
    asked: list[Sequence[str]] = []

    def run(tests: Sequence[str], tree: Path, *_: Any) -> dict[str, str]:
        asked.append(tests)
        place = ("stock", "fork").index(tree.name)
        endings = {f"{IT}::{name}": it[place] for name, it in ENDINGS.items()}
        if place and len(asked) > 4:
            endings[f"{IT}::odd"] = "passed"
        return {name: it for name, it in endings.items() if it}

    patch(run_pytest, "run", run)

    with pytest.raises(ForkError, match="Not every test ends as well"):
        upstream_tests.run(described(None))

    report = json.loads((tmp_path / "report/upstream-tests.json").read_text())
    worse = [f"{IT}::{it}" for it in ("no_longer_run", "now_skipped", "worse")]
    odd = f"{IT}::odd"
    assert (report["worse"], report["flaky"]) == (worse, [odd])
    assert report["better"] == [f"{IT}::better"]
    assert report["fork"][f"{IT}::same"] == "passed"
    # Stock's modules, not test_only_here; then what is worse, again on both.
    again = sorted([odd, *worse])
    assert asked == [[IT], [IT], *[again] * 2 * upstream_tests._RERUNS]
    printed = capsys.readouterr().out.splitlines()
    place = printed.index("3 worse on the fork")
    assert printed[place + 1] == f"    {worse[0]}: stock passed, fork not run"
    patch(run_pytest, "run", lambda *_: {IT: "failed"})
    with pytest.raises(ForkError, match="nothing was compared"):
        upstream_tests.run(described(None))


@pytest.mark.parametrize(
    ("text", "patience", "endings"),
    [
        ("def test_a(): pass\ndef test_b(): os.abort()", 60, ["passed", "error"]),
        ("os.abort()", 60, ["error"]),
        # At the test, or before it on a busy machine.
        ("def test_a(): time.sleep(99)", 1, ["error"]),
    ],
)
def test_a_test_that_crashes_or_hangs_is_an_error(
    text: str,
    patience: int,
    endings: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run_pytest, "PATIENCE", patience)
    write(tmp_path, {IT: f"import os, time\n{text}".encode()})

    found = run_pytest.run([IT], tmp_path, {}, tmp_path / "log")

    assert [*found.values()] == endings
    said = r"This pytest (was ended by signal 6|did not end within 1 s)\."
    assert re.search(said, (tmp_path / "log").read_text())
