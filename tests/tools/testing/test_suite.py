# SPDX-License-Identifier: Apache-2.0
"""All tests: those that need no build come first, and one that fails is the end."""

from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from tools.fork import ForkError
from tools.fork.release import described, read_report
from tools.fork.testing import suite


@pytest.mark.parametrize(
    ("failing", "built"),
    [("--ignore=", False), ("tests/sampler", True), ("tests/engine", True)],
)
def test_where_a_test_fails_there_is_no_report(
    failing: str, built: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suite, "report_folder", lambda release: tmp_path)

    def stream(failure: str, *words: str, env: Any) -> None:
        if failing in words[-1]:
            raise ForkError(failure)

    monkeypatch.setattr(suite, "stream", stream)
    monkeypatch.setattr(suite.build, "make", build := Mock())
    monkeypatch.setattr(suite, "commits", Mock(return_value=["1st", "2nd"]))
    monkeypatch.setattr(suite.mutants, "check", Mock())
    (tmp_path / "test.json").touch()

    with pytest.raises(ForkError, match="pytest says above why"):
        suite.run(described(None))
    assert build.called == built
    assert not (tmp_path / "test.json").exists()

    monkeypatch.setattr(suite, "stream", Mock())
    monkeypatch.setattr(suite.metadata, "version", Mock(return_value="2"))
    monkeypatch.setattr(suite.mutants, "check", lambda _, commit: {"tree": commit})
    monkeypatch.setattr(suite, "tree_name", lambda tree: "both")
    suite.run(described(None))
    found = read_report(tmp_path, "test", "both")
    assert found["commits"] == [{"tree": "1st"}, {"tree": "2nd"}]
    assert {"torch", "device"} < found.keys()
