# SPDX-License-Identifier: Apache-2.0
"""The private hub: where files go, so that a reader of the cache finds them."""

from pathlib import Path
from typing import Any

import pytest

from tools.fork.testing import hub


def test_a_name_has_the_newest_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(folder: Path, words: Any) -> None:
        (folder / "config.json").write_text(*words)

    monkeypatch.setattr(hub, "make_model", make)
    for words in ("old", "new"):
        hub.make_hub(tmp_path / "home", [words])

    model = tmp_path / "home/hub/models--facebook--opt-125m"
    snapshot = model / "snapshots" / (model / "refs/main").read_text()
    assert (snapshot / "config.json").read_text() == "new"
