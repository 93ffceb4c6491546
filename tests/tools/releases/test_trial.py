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

STOCK = {"tree": "1", "stock": side(0, 1, 1, 0, 0, error="E")}
FOUND = {**STOCK, "fork": side(1, 0, 2, 0, 0), "test": {"passed": 4, "skipped": 1}}


def render(found: Any, reports: Path) -> str:
    result = trial.result(Release("9.9.9", "2", {}), found, reports)
    results = [{**result, "lines": "19 + 8"}]
    releases = {"command": "c", "machine": {"cpu": "A CPU", "date": "today"}}
    data = {"figures": {"releases": {**releases, "results": results}}}
    text = documents.render(ROOT / "templates/releases.md.jinja", data)
    head, _, *rows = text.splitlines()[:3]
    assert [it.count("|") for it in rows] == [head.count("|")]
    return text


def test_what_was_found_of_a_release_is_told(tmp_path: Path) -> None:
    text = render(FOUND, tmp_path)
    assert "| **recompiles** | ok | **crashes** | 19 + 8 |" in text
    assert "| 2 compilations, 1 ahead | 4 passed, 1 skipped | not run | not" in text

    demo = {"tree": "1", "variants": {it: {"steps": []} for it in ("stock", "fork")}}
    test = {"tree": "1", "commits": [{"outcomes": "9"}, {"outcomes": "49 passed"}]}
    (tmp_path / "test.json").write_text(json.dumps(test))
    (tmp_path / "demo.json").write_text(json.dumps(demo))
    text = render(FOUND, tmp_path)
    assert "| 4 passed, 1 skipped | 49 passed | stock 0, fork 0 |" in text

    failing = side(1, 0, 0, 0, 0, error="TypeError: no hint")
    text = render({**FOUND, "fork": failing}, tmp_path)
    assert "| **fails** |" in text
    assert "- 9.9.9: TypeError: no hint." in text
