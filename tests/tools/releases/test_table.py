# SPDX-License-Identifier: Apache-2.0
"""The table of releases says what was found, and why where something fails."""

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from fake_release import MODULE, SAMPLER, Miniature, write
from tools.fork import ForkError
from tools.fork.environment import build
from tools.fork.model_runner import on_v1
from tools.fork.release import Release
from tools.fork.releases import table
from tools.fork.source.tree import Trees, make_fork, tree_name

RELEASE = Release("9.9.9", "2", {"vllm": ("ab",)})
FITS = table.Woven(Path("stock"), Path("fork"), "19 + 8", "1")


def side(ahead: int, *compiled: int, error: str | None = None) -> Any:
    """What a sampler did ahead and in each call; the last one raises ``error``."""
    loading, *calls = [{"compiled": it, "error": None} for it in (ahead, *compiled)]
    calls[-1:] = [{**it, "error": error} for it in calls[-1:]]
    return {"torch": "2+cpu", "ahead": loading, "calls": calls}


STOCK = side(0, 1, 1, 0, 1)


def test_a_release_that_the_change_fits() -> None:
    tests = {"passed": 4, "skipped": 1}
    found = {"stock": STOCK, "fork": side(1, 0, 0, 0, 0), "test": tests}

    row = table.row(RELEASE, FITS, found, "not run")

    assert row[:3] == ["9.9.9", "2+cpu", on_v1("9.9.9")]
    assert row[3:6] == ["**recompiles**", "ok", "**recompiles**"]
    compiled = "0 compilations, 1 ahead"
    assert row[6:] == ["19 + 8", compiled, "4 passed, 1 skipped", "not run"]
    assert list(table.notes_on(FITS, found)) == []
    assert len(row) == len(table._COLUMNS)


def test_a_release_that_it_does_not_fit_or_that_fails() -> None:
    misfit = table.Woven(Path("stock"), None, "None fits:\n    vllm: it is gone", "1")
    crashing = {"stock": side(0, 1, 0, 1, 0, error="E. Why")}
    found = {"stock": STOCK}

    row = table.row(RELEASE, misfit, crashing, "")
    assert row[3:6] == ["ok", "**recompiles**", "**crashes**"]
    assert row[6:9] == ["does not fit", "", ""]
    notes = ["vllm: it is gone", "the release, batch 0: E"]
    assert list(table.notes_on(misfit, crashing)) == notes

    failing = side(1, 0, error="TypeError: no hint")
    assert table.total(failing) == "**fails**"
    (note,) = table.notes_on(FITS, {**found, "fork": failing})
    assert note == "with the change, batch 2: TypeError: no hint"
    ahead = {**side(0, 0), "ahead": {"error": "KeyError: a config"}}
    (note,) = table.notes_on(FITS, {**found, "fork": ahead})
    assert note == "with the change, ahead: KeyError: a config"


def test_what_the_engine_did_is_read_from_the_reports(tmp_path: Path) -> None:
    assert table.engine_outcome(tmp_path, "1") == "not run"

    demo = {"tree": "1", "variants": {"fork": {"steps": []}}}
    commits = [{"outcomes": "9 passed"}, {"outcomes": "49 passed"}]
    test = {"tree": "1", "commits": commits}
    (tmp_path / "test.json").write_text(json.dumps(test))
    (tmp_path / "demo.json").write_text(json.dumps(demo))
    said = "test: 49 passed; demo compiled: fork 0"
    assert table.engine_outcome(tmp_path, "1") == said
    assert table.engine_outcome(tmp_path, "another") == "not run"


def test_a_release_is_kept_where_the_change_does_not_fit(
    mini: Miniature, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, overlay = Trees.inside(tmp_path / "new"), mini.overlay
    for module in (build, table):
        monkeypatch.setattr(module, "trees", lambda release: made)
    monkeypatch.setattr(build, "DOWNLOADS", mini.sdist.parent)
    monkeypatch.setattr(build, "make_fork", partial(make_fork, overlay=overlay))
    fitting = (overlay / MODULE).read_bytes()
    write(overlay, {MODULE: fitting.replace(b"ranks = ", b"gone = ")})

    misfit = table._weave(mini.release)
    assert misfit.fork is None
    assert "has no anchor left" in misfit.said
    assert (misfit.stock / MODULE).exists()

    write(overlay, {MODULE: fitting})
    found = table._weave(mini.release)
    assert found == table.Woven(made.stock, made.fork, "6 + 0", tree_name(made.fork))

    monkeypatch.setattr(table, "trees", lambda release: Trees.inside(tmp_path / "none"))
    with pytest.raises(ForkError, match="no digests of vllm 9"):
        table._weave(Release("9.9.9", "2", {"vllm": ()}))


def test_a_release_of_which_there_is_only_a_wheel(
    overlay: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = {MODULE: SAMPLER, "vllm/config.py": b"known = 1", "vllm/_C.abi3.so": b""}
    write(tmp_path / "wheel", members)
    wheel = Path(shutil.make_archive(str(tmp_path / "it"), "zip", tmp_path / "wheel"))
    needed = b"from vllm.config import known\n" + (overlay / MODULE).read_bytes()
    write(overlay, {MODULE: needed})
    monkeypatch.setattr(table, "ROOT", overlay)
    made = Trees.inside(tmp_path / "build")

    first, again = (table._weave_wheel(wheel, made) for _ in range(2))
    assert first == again
    assert first == table.Woven(made.stock, made.fork, "8 + 0", first.name)
    assert (made.fork / "tests/v1/sample/test_new.py").exists()
    assert not (made.stock / "vllm/_C.abi3.so").exists()

    write(overlay, {MODULE: b"def gone():\n    ...\n"})
    misfit = table._weave_wheel(wheel, made)
    assert misfit.fork is None
    assert "is gone" in misfit.said
