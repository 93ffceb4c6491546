# SPDX-License-Identifier: Apache-2.0
"""The trial of releases says what was found, and why where something fails."""

import json
from pathlib import Path
from typing import Any

from fake_release import side
from tools.fork import documents
from tools.fork.bootstrap import ROOT
from tools.fork.release import Release
from tools.fork.releases import trial

FITS = trial.Woven(Path("stock"), Path("fork"), "19 + 8", "1")
MISFIT = trial.Woven(Path("stock"), None, "None fits:\n    vllm: it is gone", "1")
STOCK = {"stock": side(0, 1, 1, 0, 0, error="E")}
FOUND = {**STOCK, "fork": side(1, 0, 2, 0, 0), "test": {"passed": 4, "skipped": 1}}


def render(woven: trial.Woven, found: Any, reports: Path) -> str:
    result = trial.result(Release("9.9.9", "2", {}), woven, found, reports)
    releases = {"command": "c", "machine": {"cpu": "A CPU", "date": "today"}}
    data = {"figures": {"releases": {**releases, "results": [result]}}}
    text = documents.render(ROOT / "templates/releases.md.jinja", data)
    head, _, *rows = text.splitlines()[:3]
    assert [it.count("|") for it in rows] == [head.count("|")]
    return text


def test_a_release_that_the_change_fits(tmp_path: Path) -> None:
    text = render(FITS, FOUND, tmp_path)
    assert "| **recompiles** | ok | **crashes** | 19 + 8 |" in text
    assert "| 2 compilations, 1 ahead | 4 passed, 1 skipped | not run | not" in text

    demo = {"tree": "1", "variants": {it: {"steps": []} for it in ("stock", "fork")}}
    test = {"tree": "1", "commits": [{"outcomes": "9"}, {"outcomes": "49 passed"}]}
    (tmp_path / "test.json").write_text(json.dumps(test))
    (tmp_path / "demo.json").write_text(json.dumps(demo))
    text = render(FITS, FOUND, tmp_path)
    assert "| 4 passed, 1 skipped | 49 passed | stock 0, fork 0 |" in text


def test_a_release_that_it_does_not_fit_or_that_fails(tmp_path: Path) -> None:
    assert "- 9.9.9: vllm: it is gone." in render(MISFIT, STOCK, tmp_path)

    failing = {"fork": side(1, 0, 0, 0, 0, error="TypeError: no hint")}
    text = render(FITS, {**FOUND, **failing}, tmp_path)
    assert "| **fails** |" in text
    assert "- 9.9.9: TypeError: no hint." in text
