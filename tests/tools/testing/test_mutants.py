# SPDX-License-Identifier: Apache-2.0
"""Mutants: each of our statements is taken out once, and nothing else."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fake_release import Miniature
from tools.fork import ForkError
from tools.fork.source import tree
from tools.fork.testing import mutants as module
from tools.fork.testing.mutants import mutants

UPSTREAM = b'''
@decorated(dynamic=True)
def op(x):
    """Upstream's words."""
    return x + 1


def gather(x):
    with context(x):
        return op(x)
'''
WOVEN = b'''import new
@decorated
def op(x):
    """Our words."""
    check(x)
    return x + 1


def gather(x):
    with context(x):
        mark(
            x
        )
        return op(x)
'''


def test_takes_out_each_statement_and_decorator_of_ours() -> None:
    found = dict(mutants(WOVEN, UPSTREAM))

    assert found == {
        "decorated (line 2)": WOVEN.replace(b"@decorated\n", b""),
        "check(x) (line 5)": WOVEN.replace(b"check(x)", b"pass"),
        "mark(x) (line 11)": WOVEN.replace(b"mark(\n            x\n        )", b"pass"),
    }


def test_a_commit_passes_its_test_and_nothing_of_it_can_be_spared(
    mini: Miniature, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(commit: str, passes: Callable[[str], bool]) -> Any:
        """Let the test pass where ``passes`` says so of what was taken out."""

        def results(_: Path, __: Any, without: str) -> dict[str, str]:
            return {"a.py::test": "passed" if passes(without) else "failed"}

        monkeypatch.setattr(module, "_results", results)
        return module.check(mini.trees, commit)

    first, second = tree.commits(mini.fork, mini.release)
    mark = "mark(logprobs, 0) (line 13)"
    assert check(first, lambda without: without == "nothing") == {
        "subject": tree.SUBJECTS[0],
        "tree": tree.tree_name(mini.fork, first),
        "outcomes": "1 passed",
        "failed_without": {"all of it": ["test"], mark: ["test"]},
    }
    found = check(second, lambda without: without == "nothing")
    assert [*found["failed_without"]] == ["all of it", "pass (line 20)"]

    with pytest.raises(ForkError, match="where it must not"):
        check(first, lambda without: without in ("nothing", mark))
    with pytest.raises(ForkError, match="where it must not"):
        check(first, lambda without: False)


@pytest.mark.parametrize(
    ("outcome", "failed"), [("failed", ["test[1]"]), ("passed", [])]
)
def test_a_mutant_is_written_and_judged(
    outcome: str,
    failed: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = {"nodeid": "a.py::test[1]", "outcome": outcome, "when": "call"}
    report |= {"longrepr": "E   why", "sections": []}
    folder = tmp_path / "mutant-0"
    folder.mkdir()

    def finish(*_: Any) -> tuple[int, str]:
        (tmp_path / "mutant-0.log").write_text(json.dumps(report))
        return int(outcome == "failed"), "what pytest said"

    monkeypatch.setattr(module, "finish", finish)

    found = module._results(folder, {"a.py": b"mutant"}, "a statement")

    assert module._failed(found) == failed
    assert (folder / "a.py").read_bytes() == b"mutant"
    said = capsys.readouterr().out
    assert ("This must fail; pytest said:\nwhat pytest said" in said) == (not failed)
    assert f"1 {outcome}" in said


def test_a_mutant_that_could_not_be_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "finish", lambda *_: (4, "usage"))

    with pytest.raises(ForkError, match="did not run:\nusage"):
        module._results(tmp_path / "it", {}, "it")
