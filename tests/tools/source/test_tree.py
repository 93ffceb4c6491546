# SPDX-License-Identifier: Apache-2.0
"""The trees: the release as one commit, ours on top, stock beside it."""

import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from fake_release import OVERLAY, SAMPLER, VERSION, git
from tools.fork import ForkError
from tools.fork.release import Release
from tools.fork.source import tree
from tools.fork.source.overlay import woven
from tools.fork.source.tree import Trees

MODULE = "vllm/v1/sample/sampler.py"
WOVEN = SAMPLER.replace(
    b"        # Upstream's comment",
    b"        # Ours.\n        mark(logprobs, 0)\n\n        # Upstream's comment",
)
AHEAD = b"\n    def _compile_ahead(self):\n        pass\n"


@pytest.fixture
def made(tmp_path: Path) -> Trees:
    return Trees.inside(tmp_path / "build")


def test_the_release_is_one_commit_and_ours_are_two(
    release: Release, sdist: Path, made: Trees, overlay: Path
) -> None:
    tree.make_fork(release, sdist, made.fork, overlay)

    assert git(made.fork, "log", "--format=%s %D").splitlines() == [
        f"{tree.SUBJECTS[1]} HEAD -> fork",
        f"{tree.SUBJECTS[0]} ",
        f"vLLM {VERSION} tag: v{VERSION}",
    ]
    assert git(made.fork, "diff", "--name-only", f"v{VERSION}", "HEAD") == (
        f"tests/v1/sample/test_new.py\n{MODULE}"
    )
    first, second = tree.commits(made.fork, release)
    assert tree.touched(made.fork, first, second) == [MODULE]
    assert tree.committed(made.fork, first, MODULE) == WOVEN
    assert (made.fork / MODULE).read_bytes() == WOVEN + AHEAD
    assert not git(made.fork, "status", "--porcelain")


def test_the_sdist_is_committed_whole_but_for_its_metadata(
    release: Release, sdist: Path, made: Trees, overlay: Path
) -> None:
    tree.make_fork(release, sdist, made.fork, overlay)

    files = git(made.fork, "ls-tree", "-r", "--name-only", f"v{VERSION}").splitlines()
    assert "ignored.txt" in files
    assert not {"PKG-INFO", "vllm.egg-info/PKG-INFO", "vllm/_version.py"} & {*files}


def test_stock_is_the_release_and_shares_what_was_built(
    release: Release, sdist: Path, made: Trees, overlay: Path
) -> None:
    tree.make_fork(release, sdist, made.fork, overlay)
    (made.fork / "vllm/_C.so").write_bytes(b"compiled")

    tree.make_worktree(made.fork, made.stock, release.tag)
    tree.share_built_files(made.fork, made.stock)

    assert (made.stock / MODULE).read_bytes() == SAMPLER
    assert (made.stock / "vllm/_C.so").samefile(made.fork / "vllm/_C.so")
    assert not git(made.stock, "status", "--porcelain")


def test_where_there_are_no_hard_links_built_files_are_copied(
    release: Release,
    sdist: Path,
    made: Trees,
    overlay: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def link(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    tree.make_fork(release, sdist, made.fork, overlay)
    (made.fork / "vllm/_C.so").write_bytes(b"compiled")
    tree.make_worktree(made.fork, made.stock, release.tag)
    monkeypatch.setattr("os.link", link)

    tree.share_built_files(made.fork, made.stock)

    assert (made.stock / "vllm/_C.so").read_bytes() == b"compiled"


def test_twice_is_the_same_as_once(
    release: Release, sdist: Path, made: Trees, overlay: Path
) -> None:
    def make() -> str:
        assert not tree.make_fork(release, sdist, made.fork, overlay)
        tree.make_worktree(made.fork, made.stock, release.tag)
        tree.share_built_files(made.fork, made.stock)
        return git(made.fork, "rev-parse", "HEAD")

    assert make() == make()


def test_who_the_environment_commits_as_does_not_matter(
    release: Release,
    sdist: Path,
    made: Trees,
    overlay: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Ada")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ada@example.org")

    for _ in "again":
        tree.make_fork(release, sdist, made.fork, overlay)
    assert git(made.fork, "log", "-1", "--format=%an %ae") == "vLLM fork fork@localhost"


def test_a_changed_overlay_replaces_our_commit(
    release: Release, sdist: Path, made: Trees, overlay: Path
) -> None:
    tree.make_fork(release, sdist, made.fork, overlay)
    source = overlay / MODULE
    source.write_bytes(source.read_bytes().replace(b"logprobs, 0", b"logprobs, 1"))
    (overlay / "tests/v1/sample/test_new.py").unlink()

    tree.make_fork(release, sdist, made.fork, overlay)

    assert b"mark(logprobs, 1)" in (made.fork / MODULE).read_bytes()
    assert git(made.fork, "rev-list", "--count", "HEAD") == "3"
    assert git(made.fork, "diff", "--name-only", f"v{VERSION}", "HEAD") == MODULE


def test_edits_in_the_tree_are_kept(
    release: Release, sdist: Path, made: Trees, overlay: Path
) -> None:
    tree.make_fork(release, sdist, made.fork, overlay)
    (made.fork / MODULE).write_text("mine\n")

    assert tree.make_fork(release, sdist, made.fork, overlay)

    assert (made.fork / MODULE).read_bytes() == WOVEN + AHEAD
    assert "+mine" in git(made.fork, "stash", "show", "--patch")


def test_commits_in_the_tree_are_not_thrown_away(
    release: Release, sdist: Path, made: Trees, overlay: Path
) -> None:
    tree.make_fork(release, sdist, made.fork, overlay)
    identity = ["-c", "user.name=A", "-c", "user.email=a@b"]
    git(made.fork, *identity, "commit", "--allow-empty", "-m", "mine")

    with pytest.raises(ForkError, match=r"commits of its own \(mine"):
        tree.make_fork(release, sdist, made.fork, overlay)


def test_a_change_that_no_longer_fits_leaves_the_tree_alone(
    release: Release, sdist: Path, made: Trees, overlay: Path
) -> None:
    tree.make_fork(release, sdist, made.fork, overlay)
    source = overlay / MODULE
    source.write_bytes(source.read_bytes().replace(b"ranks = count", b"other = count"))

    with pytest.raises(ForkError, match="has no anchor left"):
        tree.make_fork(release, sdist, made.fork, overlay)
    assert (made.fork / MODULE).read_bytes() == WOVEN + AHEAD


def test_a_module_that_is_gone(
    release: Release, sdist: Path, made: Trees, overlay: Path
) -> None:
    (overlay / MODULE).rename(overlay / "vllm/v1/sample/renamed.py")

    with pytest.raises(ForkError, match=r"sample/renamed\.py is gone"):
        tree.make_fork(release, sdist, made.fork, overlay)


def killed_at(call: int, work: Callable[[], object]) -> bool:
    """Do ``work`` in a child that is killed at its git call of this number."""
    child = os.fork()
    if not child:
        calls, plain = 0, tree._git

        def counting(folder: Path, *arguments: str | Path) -> str:
            nonlocal calls
            calls += 1
            if calls == call:
                os.kill(os.getpid(), signal.SIGKILL)
            return plain(folder, *arguments)

        tree._git = counting
        work()
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def test_a_killed_build_recovers(
    release: Release, sdist: Path, made: Trees, overlay: Path
) -> None:
    def work() -> None:
        tree.make_fork(release, sdist, made.fork, overlay)
        tree.make_worktree(made.fork, made.stock, release.tag)

    source = overlay / MODULE
    call = 1
    # Further on each time, and with another change each time, so that there is
    # something to do wherever the last kill left off.
    while killed_at(call, work):
        ours = source.read_bytes()
        source.write_bytes(ours.replace(b", 0)", b", 0, 0)"))
        call += 1
    work()

    assert call > 10
    assert (made.stock / MODULE).read_bytes() == SAMPLER
    assert (made.fork / MODULE).read_bytes().count(b", 0") == call
    assert git(made.fork, "rev-list", "--count", "HEAD") == "3"


NEWER = SAMPLER.replace(b"# Upstream's comment.", b"values = ask()")
# It asks for a statement that only the newer release has.
PORT = OVERLAY.replace(b"mark(", b"port(").replace(
    b"        ...\n        # Ours.",
    b"        ...\n        values = ask()\n        ...\n        # Ours.",
)


def test_a_port_is_woven_where_it_fits_and_holds_only_what_differs(
    overlay: Path,
) -> None:
    port = overlay / "ports/10.0.0" / MODULE
    port.parent.mkdir(parents=True)
    port.write_bytes(PORT)
    other = "vllm/other.py"
    (overlay / other).write_bytes(b"import a\n")
    files = {MODULE: SAMPLER, other: b"import b\n"}

    assert b"mark(logprobs" in woven(overlay, files.get)[MODULE]
    found = woven(overlay, {**files, MODULE: NEWER}.get)
    assert b"port(logprobs" in found[MODULE]
    assert found[other] == b"import a\nimport b\n"


def test_a_port_builds_on_the_one_before_it(overlay: Path) -> None:
    files = {MODULE: SAMPLER, "vllm/other.py": b"import b\n"}
    ports = {
        "10.0.0": b"def old(): pass\n\n\ndef new(): pass\n",
        "11.0.0": b"def new(): return 1\n",
    }
    for version, content in ports.items():
        port = overlay / "ports" / version / "vllm/other.py"
        port.parent.mkdir(parents=True)
        port.write_bytes(content)

    found = woven(overlay, files.get)["vllm/other.py"]

    assert found == b"import b\n\n\ndef old(): pass\n\n\ndef new(): return 1\n"


TEST = "tests/v1/sample/test_new.py"
# A port's addition to a test that upstream has from the port's release on.
ADDED = b"def test_theirs(*_: ...): ...\n\n\ndef test_ours():\n    pass\n"


@pytest.fixture
def ported(overlay: Path) -> Path:
    """The overlay with a port for a release that has a test of its own."""
    for name, content in ((MODULE, PORT), (TEST, ADDED)):
        port = overlay / "ports/10.0.0" / name
        port.parent.mkdir(parents=True)
        port.write_bytes(content)
    return overlay


def test_a_ports_test_is_added_to_upstreams(ported: Path) -> None:
    theirs = b"import b\n\n\ndef test_theirs():\n    b()\n"
    files = {MODULE: NEWER, TEST: theirs}

    found = woven(ported, files.get)

    assert found[TEST] == theirs + b"\n\ndef test_ours():\n    pass\n"
    assert woven(ported, {**files, **found}.get) == {}
    with pytest.raises(ForkError, match=r"test_new\.py: in `test_theirs`, .* is gone"):
        woven(ported, {**files, TEST: b"import b\n"}.get)


@pytest.mark.parametrize("module", [SAMPLER, NEWER], ids=["pinned", "newer"])
def test_where_upstream_has_no_test_ours_goes_as_it_is(
    ported: Path, module: bytes
) -> None:
    files = {MODULE: module}

    found = woven(ported, files.get)

    assert found[TEST] == (ported / TEST).read_bytes()
    assert woven(ported, {**files, **found}.get) == {}


def test_for_the_pinned_release_ours_replaces_what_was_woven_before(
    ported: Path,
) -> None:
    files = {MODULE: SAMPLER, TEST: b"def test_of_ours_then(): pass\n"}

    assert woven(ported, files.get)[TEST] == (ported / TEST).read_bytes()


def test_where_no_port_fits_each_reason_is_told(overlay: Path) -> None:
    (overlay / "ports/10.0.0").mkdir(parents=True)
    (overlay / "ports/9.0.0").mkdir(parents=True)
    files = {MODULE: SAMPLER.replace(b"ranks = count", b"a = count")}

    with pytest.raises(ForkError, match="None of our sources fits:") as raised:
        woven(overlay, files.get)
    told = [line.split(":")[0].strip() for line in str(raised.value).splitlines()[1:]]
    assert told == ["ports/10.0.0/vllm", "ports/9.0.0/vllm", "./vllm"]


def test_what_a_source_imports_must_be_there(overlay: Path) -> None:
    source = overlay / MODULE
    source.write_bytes(b"from vllm.config import get, put\n" + source.read_bytes())
    package = "vllm/config/__init__.py"
    files = {MODULE: SAMPLER, package: b"def get(): ...\nput = get\n"}

    assert b"from vllm.config import get, put" in woven(overlay, files.get)[MODULE]
    files[package] = b"def get(): ...\noutput = get\n"
    with pytest.raises(ForkError, match="upstream's vllm/config has no put"):
        woven(overlay, files.get)

    port = overlay / "ports/0.1.0" / MODULE
    port.parent.mkdir(parents=True)
    port.write_bytes(b"def put():\n    return 1\n")
    found = woven(overlay, files.get)[MODULE]
    assert b"from vllm.config import get\n" in found
    assert found.endswith(b"def put():\n    return 1\n")
    assert b"mark(logprobs" in found


def test_a_module_of_the_wheels_passes_for_the_commits(
    release: Release, sdist: Path, made: Trees, overlay: Path
) -> None:
    tree.make_fork(release, sdist, made.fork, overlay)
    tree.make_worktree(made.fork, made.stock, release.tag)
    module = "vllm/__init__.py"
    (made.fork / module).write_bytes(b"# the wheel's\n")

    tree.keep_out_of_git(made.fork, [module])
    tree.share_built_files(made.fork, made.stock)

    assert not tree.make_fork(release, sdist, made.fork, overlay)
    tree.make_worktree(made.fork, made.stock, release.tag)
    for folder in (made.fork, made.stock):
        assert (folder / module).read_bytes() == b"# the wheel's\n"
        assert git(folder, "status", "--porcelain") == ""
