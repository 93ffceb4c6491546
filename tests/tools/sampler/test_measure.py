# SPDX-License-Identifier: Apache-2.0
"""What is measured of the sampler is of the very fork, and only once."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fake_release import side
from tools.fork.release import Release
from tools.fork.sampler import measure

CRASH = "AssertionError: Guard failed on the frame. This is a bug"


FOUND = {
    "stock": side(0, 1, 0, 1, 0, error=CRASH),
    "fork": side(1, 0, 0, 0, 0),
    "test": {"passed": 4},
}


def test_measures_each_fork_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = Release("9.9.9", "2", {})
    stock, fork = tmp_path / "stock", tmp_path / "fork"
    asked = []

    def answer(python: list[str], _: str, words: Any, *__: object) -> Iterator[Any]:
        ((side, (tree, _)),) = words["trees"].items()
        assert "--with=torch==2" in python
        asked.append((side, tree, words["test"]))
        for result in [side, "test"] if words["test"] else [side]:
            yield {result: FOUND[result]}

    def measured(tree: str, fork: Path | None = fork) -> Any:
        asked.clear()
        return measure.measure(release, stock, fork, tree, tmp_path)

    monkeypatch.setattr(measure, "packages", lambda python: {})
    monkeypatch.setattr(measure.child, "call", answer)
    both = [("stock", str(stock), None), ("fork", str(fork), str(fork))]
    first = measured("first")
    assert asked == both
    assert (measured("first"), asked) == (first, [])

    second = measured("second")
    assert asked == both
    assert second == json.loads((tmp_path / "sampler.json").read_text())
    assert second == {**FOUND, "tree": "second", "by": first["by"]}

    assert "fork" not in measured("third", None)
    assert asked == both[:1]
    monkeypatch.setattr(measure, "CALLS", ((1, 9),))
    measured("third", None)
    assert asked == both[:1]


def test_says_what_compiles_and_what_crashes() -> None:
    said = [
        (name, measure.cell(stock), measure.cell(fork))
        for name, stock, fork in measure.steps(FOUND)
    ]

    assert said == [
        ("ahead", "1.25", "1.25, 1 compiled"),
        ("batch 2", "1.25, 1 compiled", "1.25"),
        ("batch 1", "1.25", "1.25"),
        ("batch 8", "1.25, 1 compiled", "1.25"),
        ("batch 0", "**AssertionError: Guard failed on the frame**", "1.25"),
    ]
