# SPDX-License-Identifier: Apache-2.0
"""Weaving into a checkout: all or nothing, once, and over nobody's work."""

import os
from pathlib import Path

import pytest

from fake_release import FILES, MODULE, TEST, git, write
from tools.fork import ForkError
from tools.fork.apply import checkout as checkouts
from tools.fork.apply import target

LAST = "vllm/zzz.py"


@pytest.fixture
def checkout(tmp_path: Path, overlay: Path) -> Path:
    folder = tmp_path / "checkout"
    # Beside the last file, a folder is in the way of its like.
    write(folder, {**FILES, LAST: b"import b\n", "vllm/.zzz.py.partial/a": b""})
    for it in ("init --quiet", "add --all", "commit --quiet --message upstream"):
        git(folder, *it.split())
    return folder


def contents(folder: Path) -> dict[Path, bytes]:
    files = (it for it in folder.rglob("*") if it.is_file() and ".git" not in it.parts)
    return {it: it.read_bytes() for it in files}


def test_says_what_was_done_and_what_comes_next(
    checkout: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    target.apply(checkout, force=False, undo=False)
    said = capfd.readouterr().out
    assert "2 files changed" in said
    assert "not committed. Next: read `git diff`" in said
    once = contents(checkout)
    assert b"        mark(logprobs, 0)\n" in once[checkout / MODULE]
    assert git(checkout, "log", "--format=%s") == "upstream"

    target.apply(checkout, force=False, undo=False)
    assert "already" in capfd.readouterr().out
    assert contents(checkout) == once
    with pytest.raises(ForkError, match="so git takes the change back"):
        target.apply(checkout, force=False, undo=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_files_stay_whose_they_are(checkout: Path) -> None:
    os.chown(checkout / MODULE, 4242, 4243)

    checkouts.apply(checkout)

    found = (checkout / MODULE).stat()
    assert (found.st_uid, found.st_gid) == (4242, 4243)


@pytest.mark.parametrize("name", [MODULE, TEST])
def test_uncommitted_work_is_left_alone_unless_told_otherwise(
    name: str, checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(checkout, {name: FILES.get(name, b"") + b"# mine\n"})
    before = contents(checkout)

    with pytest.raises(ForkError, match=r"uncommitted work.*\n(.*\n)+Commit"):
        checkouts.apply(checkout)
    assert contents(checkout) == before

    (checkout / ".git/index.lock").touch()  # of another git at work there
    checkouts.apply(checkout, force=True)
    assert "What changed cannot be shown; git said:" in capsys.readouterr().out
    assert (checkout / MODULE).read_bytes().endswith(b"# mine\n") == (name == MODULE)
    assert b"mark(" in (checkout / MODULE).read_bytes()


def test_what_cannot_be_written_leaves_everything_as_it_was(
    checkout: Path, overlay: Path
) -> None:
    write(overlay, {LAST: b"import a\n"})
    before, written = contents(checkout), (checkout / MODULE).stat().st_mtime_ns

    with pytest.raises(ForkError, match=r"cannot be written \(.+\), so nothing was"):
        checkouts.apply(checkout)
    assert contents(checkout) == before
    assert (checkout / MODULE).stat().st_mtime_ns == written
