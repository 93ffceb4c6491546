# SPDX-License-Identifier: Apache-2.0
"""Weaving into a checkout: all or nothing, once, and over nobody's work."""

import os
from pathlib import Path

import pytest

from fake_release import FILES, git
from tools.fork import ForkError
from tools.fork.apply import checkout as checkouts
from tools.fork.apply import target

MODULE = "vllm/v1/sample/sampler.py"
TEST = "tests/v1/sample/test_new.py"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "upstream")
    return folder


def contents(folder: Path) -> dict[Path, bytes]:
    files = (it for it in folder.rglob("*") if it.is_file() and ".git" not in it.parts)
    return {it: it.read_bytes() for it in files}


def test_twice_is_the_same_as_once(checkout: Path, overlay: Path) -> None:
    assert checkouts.apply(checkout, overlay) == [TEST, MODULE]
    once = contents(checkout)

    assert checkouts.apply(checkout, overlay) == []
    assert contents(checkout) == once
    assert b"        mark(logprobs, 0)\n" in once[checkout / MODULE]
    assert git(checkout, "log", "--format=%s") == "upstream"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_files_stay_whose_they_are(checkout: Path, overlay: Path) -> None:
    os.chown(checkout / MODULE, 4242, 4243)

    checkouts.apply(checkout, overlay)

    found = (checkout / MODULE).stat()
    assert (found.st_uid, found.st_gid) == (4242, 4243)


def test_uncommitted_work_is_left_alone_unless_told_otherwise(
    checkout: Path, overlay: Path
) -> None:
    module = checkout / MODULE
    module.write_bytes(module.read_bytes() + b"# mine\n")
    before = contents(checkout)

    with pytest.raises(ForkError, match=r"uncommitted work.*\n.*sampler\.py\nCommit"):
        checkouts.apply(checkout, overlay)
    assert contents(checkout) == before

    checkouts.apply(checkout, overlay, force=True)
    assert module.read_bytes().endswith(b"# mine\n")
    assert b"mark(" in module.read_bytes()


def test_a_test_of_the_same_name_that_is_not_committed_is_kept(
    checkout: Path, overlay: Path
) -> None:
    (checkout / TEST).parent.mkdir(parents=True)
    (checkout / TEST).write_bytes(b"# mine\n")

    with pytest.raises(ForkError, match="uncommitted work"):
        checkouts.apply(checkout, overlay)


def test_an_anchor_that_is_gone_leaves_everything_as_it_was(
    checkout: Path, overlay: Path
) -> None:
    module = checkout / MODULE
    module.write_bytes(module.read_bytes().replace(b"ranks = count", b"a = count"))
    git(checkout, "commit", "--quiet", "--all", "--message", "moved on")
    before = contents(checkout)

    with pytest.raises(ForkError, match="has no anchor left beside it"):
        checkouts.apply(checkout, overlay)
    assert contents(checkout) == before


def test_what_cannot_be_written_leaves_everything_as_it_was(
    checkout: Path, overlay: Path
) -> None:
    (checkout / "tests").write_text("a file where a folder has to be")
    git(checkout, "add", "--all")
    git(checkout, "commit", "--quiet", "--message", "no tests")
    last = overlay / "vllm/zzz.py"
    last.write_bytes(b"import a\n")
    (checkout / "vllm/zzz.py").write_bytes(b"import b\n")
    git(checkout, "add", "--all")
    git(checkout, "commit", "--quiet", "--message", "another module")
    before = contents(checkout)

    with pytest.raises(ForkError, match=r"cannot be written \(.+\), so nothing was"):
        checkouts.apply(checkout, overlay)
    assert contents(checkout) == before


# An empty name is this repository, which has a vllm/ folder of its own.
@pytest.mark.parametrize("place", ["", "/"])
def test_what_is_no_checkout(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert target.main(Path(place).absolute(), force=False, undo=False) == 1
    assert "is neither checkout nor environment" in capsys.readouterr().err


def test_says_what_was_done_and_what_comes_next(
    checkout: Path,
    overlay: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    plain = checkouts.apply
    monkeypatch.setattr(
        checkouts, "apply", lambda it, force: plain(it, overlay, force=force)
    )

    assert target.main(checkout, force=False, undo=False) == 0
    said = capfd.readouterr().out
    assert "2 files changed" in said
    assert "not committed. Next: read `git diff`" in said

    assert target.main(checkout, force=False, undo=False) == 0
    assert "already" in capfd.readouterr().out
