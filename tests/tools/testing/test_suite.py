# SPDX-License-Identifier: Apache-2.0
"""All tests: those that need no build come first, and one that fails is the end."""

from pathlib import Path
from unittest.mock import Mock

import pytest

from tools.fork import ForkError
from tools.fork.release import described
from tools.fork.testing import suite


@pytest.mark.parametrize(
    ("failing", "built"),
    [("--ignore=", False), ("tests/sampler", True), ("tests/engine", True)],
)
def test_where_a_test_fails_there_is_no_report(
    failing: str, built: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suite, "report_folder", lambda release: tmp_path)
    monkeypatch.setattr(suite, "stream", lambda program, *_: failing in program[-1])
    monkeypatch.setattr(suite.build, "make", build := Mock())
    monkeypatch.setattr(suite, "commits", Mock(return_value=["1st", "2nd"]))
    monkeypatch.setattr(suite.mutants, "check", Mock())
    (tmp_path / "test.json").touch()

    with pytest.raises(ForkError, match="pytest says above why"):
        suite.run(described(None))
    assert build.called == built
    assert not (tmp_path / "test.json").exists()
