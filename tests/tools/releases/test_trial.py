# SPDX-License-Identifier: Apache-2.0
"""The trial of releases says what was found, and why where something fails."""

import json
from pathlib import Path
from typing import Any

from tools.fork import documents
from tools.fork.bootstrap import ROOT
from tools.fork.release import Release
from tools.fork.releases import trial

RELEASE = Release("9.9.9", "2", {"vllm": ("ab",)})
FITS = trial.Woven(Path("stock"), Path("fork"), "19 + 8", "1", {})


def side(ahead: int, *compiled: int, error: str | None = None) -> Any:
    """What happened on one side: the last call raises ``error``."""
    calls: list[Any] = [{"compiled": it, "error": None} for it in compiled]
    calls[-1]["error"] = error
    return {
        "torch": "2+cpu",
        "ahead": {"compiled": ahead, "error": None},
        "calls": calls,
    }


def test_a_release_that_the_change_fits(tmp_path: Path) -> None:
    found = {
        "stock": side(0, 1, 1, 0, 0, error="E"),
        "fork": side(1, 0, 0, 0, 0),
        "test": {"passed": 4, "skipped": 1},
    }

    result = trial.result(RELEASE, FITS, found, tmp_path)
    assert result["stock"] == ["recompiles", "ok", "crashes"]
    assert result["fork"] == {"waiting": 0, "ahead": 1, "error": None}
    assert (result["lines"], result["misfit"]) == ("19 + 8", None)
    assert not (result["tested"] or result["shown"])

    demo = {"tree": "1", "variants": {it: {"steps": []} for it in ("stock", "fork")}}
    test = {"tree": "1", "commits": [{"outcomes": "9"}, {"outcomes": "49 passed"}]}
    (tmp_path / "test.json").write_text(json.dumps(test))
    (tmp_path / "demo.json").write_text(json.dumps(demo))
    result = trial.result(RELEASE, FITS, found, tmp_path)
    assert (result["tested"], result["shown"]) == (
        "49 passed",
        {"stock": 0, "fork": 0},
    )
    text = render(result)
    assert "| **recompiles** | ok | **crashes** | 19 + 8 |" in text
    assert "| 0 compilations, 1 ahead | 4 passed, 1 skipped | 49 passed |" in text


def test_a_release_that_it_does_not_fit_or_that_fails(tmp_path: Path) -> None:
    misfit = trial.Woven(
        Path("stock"), None, "None fits:\n    vllm: it is gone", "1", {}
    )
    found = {"stock": side(0, 1, 1, 0, 0)}
    assert "- 9.9.9: vllm: it is gone." in render(
        trial.result(RELEASE, misfit, found, tmp_path)
    )

    found |= {"fork": side(1, 0, error="TypeError: no hint. Dynamo"), "test": {}}
    text = render(trial.result(RELEASE, FITS, found, tmp_path))
    assert "| **fails** |" in text
    assert "- 9.9.9: TypeError: no hint." in text


def render(result: Any) -> str:
    releases = {"command": "c", "machine": {"cpu": "A CPU", "date": "today"}}
    data = {"figures": {"releases": {**releases, "results": [result]}}}
    text = documents.render(ROOT / "templates/releases.md.jinja", data)
    head, _, *rows = text.splitlines()[:3]
    assert [it.count("|") for it in rows] == [head.count("|")]
    return text
