# SPDX-License-Identifier: Apache-2.0
"""The private hub: where files go, so that a reader of the cache finds them."""

from pathlib import Path
from typing import Any

import pytest

from tools.fork.testing import hub


def test_a_model_is_where_the_cache_has_it_and_made_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def make(folder: Path, architecture: str, words: Any) -> None:
        (folder / "config.json").write_text(architecture)
        made.append(architecture)

    monkeypatch.setattr(hub, "make_model", make)
    monkeypatch.setattr(hub, "MODELS", {"opt": ({}, "org/one org/two")})
    # Another revision, of other words, takes the place of the old.
    for words in ("words", "words", "other words"):
        (tmp_path / "text").write_text(words)
        hub.make_hub(tmp_path, [tmp_path / "text"])

    assert made == ["opt"] * 4
    model = tmp_path / "hub/models--org--two"
    (snapshot,) = (model / "snapshots").iterdir()
    assert (model / "refs/main").read_text() == snapshot.name
    assert (snapshot / "config.json").read_text() == "opt"
