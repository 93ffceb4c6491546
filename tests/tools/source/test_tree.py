# SPDX-License-Identifier: Apache-2.0
"""The trees: the release as one commit, ours on top, stock beside it."""

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from fake_release import MODULE, OVERLAY, SAMPLER, TEST, VERSION, Miniature, git, write
from tools.fork import ForkError
from tools.fork.source import tree
from tools.fork.source.overlay import woven

WOVEN = SAMPLER.replace(
    b"        # Upstream's comment",
    b"        # Ours.\n        mark(logprobs, 0)\n\n        # Upstream's comment",
)
AHEAD = WOVEN + b"\n    def _compile_ahead(self):\n        return\n"
OURS = b"def test_new(): pass\n"


def test_the_release_is_one_commit_and_ours_are_two_whoever_makes_them(
    mini: Miniature, monkeypatch: pytest.MonkeyPatch
) -> None:
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Ada")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ada@example.org")
    monkeypatch.setenv("TAR_OPTIONS", "--exclude=*.py")
    fork, release = mini.fork, mini.release
    shutil.rmtree(fork)

    for _ in "again":
        assert not mini.make_fork()

    assert git(fork, "log", "--format=%s %D, %an").splitlines() == [
        f"{tree.SUBJECTS[1]} HEAD -> fork, vLLM fork",
        f"{tree.SUBJECTS[0]} , vLLM fork",
        f"vLLM {VERSION} tag: v{VERSION}, vLLM fork",
    ]
    first, second = tree.commits(fork, release)
    ours = {TEST: OURS, MODULE: WOVEN}
    assert tree.touched_files(fork, release.tag, first) == ours
    assert tree.touched_files(fork, first, second) == {MODULE: AHEAD}
    assert (fork / MODULE).read_bytes() == AHEAD
    assert not git(fork, "status", "--porcelain")
    # The sdist, ours and whole but for its metadata.
    assert (fork / "setup.py").stat().st_uid == os.getuid()
    files = git(fork, "ls-tree", "-r", "--name-only", release.tag).splitlines()
    assert "ignored.txt" in files
    assert not {"PKG-INFO", "vllm.egg-info/PKG-INFO", "vllm/_version.py"} & {*files}


@pytest.mark.parametrize("links", [True, False])
def test_stock_is_the_release_and_shares_what_was_built(
    links: bool, mini: Miniature, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:
        monkeypatch.setattr("os.link", Mock(side_effect=OSError))
    before = git(mini.fork, "rev-parse", "HEAD")
    files = {"vllm/_C.so": b"compiled", "vllm/__init__.py": b"# the wheel's\n"}
    write(mini.fork, {**files, "vllm/__pycache__/a.so": b""})
    tree.keep_out_of_git(mini.fork, ["vllm/__init__.py"])

    for _ in "again":
        assert not mini.make_fork()
        mini.make_stock()
        tree.share_built_files(mini.fork, mini.trees.stock)

    assert git(mini.fork, "rev-parse", "HEAD") == before
    assert (mini.trees.stock / MODULE).read_bytes() == SAMPLER
    for name, content in files.items():
        assert (mini.trees.stock / name).read_bytes() == content
        assert (mini.trees.stock / name).samefile(mini.fork / name) == links
    assert not (mini.trees.stock / "vllm/__pycache__").exists()
    for folder in (mini.fork, mini.trees.stock):
        assert not git(folder, "status", "--porcelain")


def test_a_worktree_is_mended(mini: Miniature) -> None:
    for damage in (
        lambda it: (it / MODULE).write_text("mine\n"),
        lambda it: (it / ".git").unlink(),
        lambda it: git(it, "checkout", "fork~"),
    ):
        damage(mini.make_stock())
        assert (mini.make_stock() / MODULE).read_bytes() == SAMPLER


def test_a_changed_overlay_replaces_our_commits_but_not_a_persons_edits(
    mini: Miniature, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "SUBJECTS", ("First", "Second"))
    assert not mini.make_fork()
    assert git(mini.fork, "log", "-2", "--format=%s") == "Second\nFirst"

    (mini.overlay / TEST).unlink()
    (mini.fork / ".git/index.lock").touch()  # of a git that was killed
    assert not mini.make_fork()
    assert not (mini.fork / TEST).exists()

    (mini.fork / MODULE).write_text("mine\n")
    write(mini.overlay, {MODULE: OVERLAY.replace(b"logprobs, 0", b"logprobs, 1")})
    assert mini.make_fork()
    assert b"mark(logprobs, 1)" in (mini.fork / MODULE).read_bytes()
    assert git(mini.fork, "rev-list", "--count", "HEAD") == "3"
    assert "+mine" in git(mini.fork, "stash", "show", "--patch")


def test_where_our_commits_cannot_be_made_the_tree_stays_as_it_is(
    mini: Miniature,
) -> None:
    git(mini.fork, "commit", "--allow-empty", "-m", "mine")
    before = git(mini.fork, "rev-parse", "HEAD")
    write(mini.overlay, {MODULE: OVERLAY.replace(b"logprobs, 0", b"logprobs, 1")})

    with pytest.raises(ForkError, match=r"commits of its own \(mine"):
        mini.make_fork()
    write(mini.overlay, {"vllm/zzz.py": b"import a\n"})
    with pytest.raises(ForkError, match=r"zzz\.py is gone"):
        mini.make_fork()

    assert git(mini.fork, "rev-parse", "HEAD") == before
    assert not git(mini.fork, "status", "--porcelain")


def test_a_build_that_was_stopped_recovers(
    mini: Miniature, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(mini.fork.parent)
    write(mini.fork.with_name("fork.partial"), {"vllm/half.py": b""})
    writing = ("init", "add", "commit", "tag", "reset", "worktree")
    plain = tree._git

    def stopping(folder: Path, *arguments: Any) -> str:
        if arguments[0] in writing and next(left, None) is None:
            raise KeyboardInterrupt
        return plain(folder, *arguments)

    monkeypatch.setattr(tree, "_git", stopping)
    # The first commit takes four; then the tree is there.
    for stops, calls in enumerate([*range(5), *range(99)]):
        left = iter(range(calls))
        # With another change each time, so that there is always something to do.
        change = b", %d)" % stops
        write(mini.overlay, {MODULE: OVERLAY.replace(b", 0)", change)})
        with suppress(KeyboardInterrupt):
            mini.make_fork()
            mini.make_stock()
            break

    assert stops > 10
    assert (mini.trees.stock / MODULE).read_bytes() == SAMPLER
    assert change in (mini.fork / MODULE).read_bytes()
    assert git(mini.fork, "rev-list", "--count", "HEAD") == "3"
    assert not (mini.fork / "vllm/half.py").exists()


def test_an_sdist_that_cannot_be_unpacked(mini: Miniature) -> None:
    mini.sdist.write_bytes(mini.sdist.read_bytes()[:-20])
    shutil.rmtree(mini.fork)

    with pytest.raises(ForkError, match=r"gz could not be .* again:\n.*end"):
        mini.make_fork()
    assert not mini.fork.exists()


NEWER = SAMPLER.replace(b"# Upstream's comment.", b"values = ask()")
# It asks for a statement that only the newer release has.
PORT = OVERLAY.replace(b"mark(", b"port(").replace(
    b"        ...\n        # Ours.",
    b"        ...\n        values = ask()\n        ...\n        # Ours.",
)
OTHER = "vllm/other.py"


def test_the_newest_port_that_fits_is_woven_over_those_before_it(
    overlay: Path,
) -> None:
    old, new = b"\n\ndef old(): pass\n", b"\n\ndef new(): return 1\n"
    write(overlay, {OTHER: b"import a\n", f"ports/9.0.0/{MODULE}": PORT})
    write(overlay / "ports/9.0.0", {OTHER: old + b"\n\ndef new(): pass\n"})
    write(overlay / "ports/10.0.0", {OTHER: new})
    files = {MODULE: SAMPLER, OTHER: b"import b\n"}

    found = woven(files.get)
    assert b"mark(logprobs" in found[MODULE]
    assert found[OTHER] == b"import a\nimport b\n"
    found = woven({**files, MODULE: NEWER}.get)
    assert b"port(logprobs" in found[MODULE]
    assert found[OTHER] == b"import a\nimport b\n" + old + new

    with pytest.raises(ForkError, match="None of our sources fits:") as raised:
        woven({}.get)
    told = [line.split(":")[0].strip() for line in str(raised.value).splitlines()[1:]]
    assert told == ["ports/10.0.0/vllm", "ports/9.0.0/vllm", "./vllm"]


def test_a_ports_test_is_added_to_upstreams_or_ours_goes_as_it_is(
    overlay: Path,
) -> None:
    theirs = b"import b\n\n\ndef test_theirs():\n    b()\n"
    added = b"\n\ndef test_ours():\n    pass\n"
    sparse = b"def test_theirs(*_: ...): ...\n" + added
    write(overlay / "ports/10.0.0", {MODULE: PORT, TEST: sparse})
    for files, expected in (
        ({MODULE: SAMPLER}, OURS),
        ({MODULE: SAMPLER, TEST: b"def test_of_ours_then(): pass\n"}, OURS),
        ({MODULE: NEWER}, OURS),
        ({MODULE: NEWER, TEST: theirs}, theirs + added),
    ):
        found = woven(files.get)
        assert found[TEST] == expected
        assert woven({**files, **found}.get) == {}
    with pytest.raises(ForkError, match=r"test_new\.py: .*`test_theirs`, .* is gone"):
        woven({MODULE: NEWER, TEST: b"import b\n"}.get)


def test_what_a_source_imports_must_be_there(overlay: Path) -> None:
    write(overlay, {MODULE: b"from vllm.config import get, put\n" + OVERLAY})
    package = "vllm/config/__init__.py"
    files = {MODULE: SAMPLER, package: b"def get(): ...\nput = get\n"}

    assert b"from vllm.config import get, put" in woven(files.get)[MODULE]
    files[package] = b"def get(): ...\noutput = get\n"
    with pytest.raises(ForkError, match="upstream's vllm/config has no put"):
        woven(files.get)

    asks = b"# Asks vllm/config/__init__.py for %s.\ndef put():\n    return %d\n"
    write(overlay, {f"ports/0.2.0/{MODULE}": asks % (b"set", 2)})
    write(overlay, {f"ports/0.1.0/{MODULE}": asks % (b"get", 1)})
    found = woven(files.get)[MODULE]
    assert b"from vllm.config import get\n" in found
    assert found.endswith(b"def put():\n    return 1\n")
    assert b"mark(logprobs" in found
