# SPDX-License-Identifier: Apache-2.0
"""Upstream's tests on both trees: here a few of our own, on trees without vLLM."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from fake_release import write
from tools.fork import ForkError
from tools.fork.source.tree import Trees
from tools.fork.testing import hub, run_pytest, upstream_tests

IT = "tests/test_it.py"
ENDINGS = {
    "stock": {"same": "passed", "worse": "passed", "better": "failed", "odd": "passed"},
    "fork": {"same": "passed", "worse": "failed", "better": "passed", "odd": "failed"},
}


@pytest.fixture
def trees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trees:
    files = {IT: b"", "tests/prompts/example.txt": b""}
    for side in ENDINGS:
        write(tmp_path / side, files)
    write(tmp_path / "fork", {"tests/test_only_here.py": b""})
    monkeypatch.setattr(upstream_tests, "TESTS", ("tests",))
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
        tests: Sequence[str],
        tree: Path,
        variables: Mapping[str, str],
        log: Path,
        patience: float,
    ) -> dict[str, str]:
        asked.append(tests)
        assert variables["HF_HOME"].startswith(str(tmp_path))
        endings = {f"{IT}::{name}": it for name, it in ENDINGS[tree.name].items()}
        if tree.name == "fork" and len(asked) > 2:
            endings[f"{IT}::odd"] = "passed"
        return endings

    monkeypatch.setattr(run_pytest, "run", run)

    assert upstream_tests.run(trees, tmp_path / "report") == 1

    report = json.loads((tmp_path / "report/upstream-tests.json").read_text())
    assert report["worse"] == [f"{IT}::worse"]
    assert report["better"] == [f"{IT}::better"]
    assert report["flaky"] == [f"{IT}::odd"]
    assert report["fork"][f"{IT}::same"] == "passed"
    # Stock's modules, not test_only_here; then what is worse, again on both.
    again = [f"{IT}::odd", f"{IT}::worse"]
    assert asked == [[IT], [IT], *[again] * 2 * upstream_tests._RERUNS]
    printed = capsys.readouterr().out.splitlines()
    assert "fork: 4 tests: 2 failed, 2 passed" in printed
    place = printed.index("1 worse on the fork")
    assert printed[place + 1] == f"    {IT}::worse: stock passed, fork failed"


def test_nothing_compared_is_an_error(
    trees: Trees, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_pytest, "run", lambda *_: {IT: "failed"})

    with pytest.raises(ForkError, match="nothing was compared"):
        upstream_tests.run(trees, tmp_path / "report")


@pytest.mark.parametrize(
    ("text", "patience", "said", "endings"),
    [
        (
            "def test_a(): pass\ndef test_b(): os.abort()",
            *(None, "was ended by signal 6", ["passed", "error"]),
        ),
        ("os.abort()", None, "was ended by signal 6", ["error"]),
        # At the test, or before it on a busy machine.
        ("def test_a(): time.sleep(99)", 1, "did not end within 1 s", ["error"]),
    ],
)
def test_a_test_that_crashes_or_hangs_is_an_error(
    text: str,
    patience: float | None,
    said: str,
    endings: list[str],
    trees: Trees,
    tmp_path: Path,
) -> None:
    (trees.fork / IT).write_text(f"import os, time\n{text}")

    found = run_pytest.run([IT], trees.fork, {}, tmp_path / "log", patience)

    assert [*found.values()] == endings
    assert f"This pytest {said}." in (tmp_path / "log").read_text()
