# SPDX-License-Identifier: Apache-2.0
"""Mutants: each of our statements is taken out once, and nothing else."""

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
    ("without", "ending", "said"),
    [
        ("a statement", "failed", None),
        ("a statement", "passed", "This must fail; pytest said:\nwhy"),
        ("a statement", "error", "This must fail"),
        ("nothing", "passed", None),
        ("nothing", "failed", "This must pass"),
        ("nothing", "error", "This must pass"),
        ("nothing", "skipped", "This must pass"),
    ],
)
def test_a_mutant_is_written_and_judged(
    without: str,
    ending: str,
    said: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "mutant-0"
    folder.mkdir()

    def run(_: Any, tree: Path, settings: Any, log: Path) -> dict[str, str]:
        assert settings["PYTHONPATH"] == str(tree)
        log.write_text("why")
        return {"a.py::test[1]": ending}

    monkeypatch.setattr(module.run_pytest, "run", run)

    found = module._results(folder, {"a.py": b"mutant"}, without)

    wrong = ["test[1]"] if ending in ("failed", "error") else []
    assert module._failed(found) == wrong
    assert (folder / "a.py").read_bytes() == b"mutant"
    printed = capsys.readouterr().out
    assert f"  without {without}: 1 {ending}" in printed
    assert (said or "This must") in printed if said else "This must" not in printed
