# SPDX-License-Identifier: Apache-2.0
"""What is measured of the sampler is of the very fork, and only once."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tools.fork.release import Release
from tools.fork.sampler import measure

RELEASE = Release("9.9.9", "2", {})
CRASH = "AssertionError: Guard failed on the frame. This is a bug"


def step(compiled: int = 0, error: str | None = None) -> dict[str, Any]:
    return {"compiled": compiled, "seconds": 1.25, "error": error}


def side(ahead: dict[str, Any], *calls: dict[str, Any]) -> dict[str, Any]:
    return {"torch": "2+cpu", "device": "CPU", "ahead": ahead, "calls": [*calls]}


FOUND = {
    "stock": side(step(), step(1), step(), step(1), step(error=CRASH)),
    "fork": side(step(1), *[step()] * 4),
    "test": {"passed": 4},
}


def test_measures_each_fork_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stock, fork = tmp_path / "stock", tmp_path / "fork"
    asked = []

    def answer(python: list[str], _: str, words: Any, *__: object) -> Iterator[Any]:
        ((side, (tree, _)),) = words["trees"].items()
        assert "--with=torch==2" in python
        asked.append((side, tree, words.get("test")))
        for result in [side, "test"] if "test" in words else [side]:
            yield {result: FOUND[result]}

    def measured(tree: str, fork: Path | None = fork) -> Any:
        asked.clear()
        return measure.measure(RELEASE, stock, fork, tree, tmp_path / "report")

    monkeypatch.setattr(measure, "packages", lambda python: {})
    monkeypatch.setattr(measure.child, "call", answer)
    first = measured("first")
    assert asked == [("stock", str(stock), None), ("fork", str(fork), str(fork))]
    assert measured("first") == first
    assert asked == []

    second = measured("second")
    assert len(asked) == 2
    assert second == json.loads((tmp_path / "report/sampler.json").read_text())
    assert second["tree"] == "second"
    assert second["fork"]["ahead"] == step(1)
    assert second["test"] == {"passed": 4}

    assert "fork" not in measured("third", None)
    assert len(asked) == 1
    monkeypatch.setattr(measure, "CALLS", ((1, 9),))
    measured("third", None)
    assert len(asked) == 1


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
