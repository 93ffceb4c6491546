# SPDX-License-Identifier: Apache-2.0
"""What is measured of the sampler is of the very fork, and only once."""

import json
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from fake_release import side
from tools.fork.release import Release
from tools.fork.sampler import measure


def test_measures_each_fork_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def answer(python: list[str], _: str, words: Any, *__: object) -> list[Any]:
        assert "--with=torch==2" in python
        asked.append((*words["trees"], words.get("test")))
        error = "E: Guard failed. This is a bug"
        return [{it: side(0, 1, error=error)} for it in words["trees"]]

    def measured(tree: str) -> tuple[Any, list[Any]]:
        asked.clear()
        release, stock, fork = Release("9.9.9", "2", {}), Path("stock"), Path("fork")
        return measure.measure(release, stock, fork, tree, tmp_path), [*asked]

    monkeypatch.setattr(measure, "packages", Mock(return_value={}))
    monkeypatch.setattr(measure.child, "call", answer)
    both = [("stock", None), ("fork", "fork")]
    first, calls = measured("first")
    assert calls == both
    assert measured("first") == (first, [])

    assert first["fork"]["calls"][-1]["error"] == "E: Guard failed"

    second = {**first, "tree": "second"}
    assert measured("second") == (second, both)
    assert json.loads((tmp_path / "sampler.json").read_text()) == second

    monkeypatch.setattr(measure, "CALLS", ((1, 9),))
    assert measured("second")[1] == both
