# SPDX-License-Identifier: Apache-2.0
"""Mutants: each of our statements is taken out once, and nothing else."""

from pathlib import Path
from typing import Any

import pytest

from fake_release import MODULE, Miniature
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


@pytest.mark.parametrize(
    ("whole", "in_part", "said"),
    [
        ("passed", "failed", None),
        ("passed", "passed", "must fail without all of it; pytest said:\nwhy"),
        ("passed", "error", "must fail without all of it"),
        ("passed failed", "failed", "must pass"),
        ("skipped", "failed", "must pass"),
    ],
)
def test_a_commit_passes_its_test_and_nothing_of_it_can_be_spared(
    whole: str,
    in_part: str,
    said: str | None,
    mini: Miniature,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run(_: Any, folder: Path, settings: Any, log: Path) -> dict[str, str]:
        assert settings["PYTHONPATH"] == str(folder)
        log.write_text("why")
        wholly = tree.committed(mini.fork, commit, MODULE)
        ended = whole if (folder / MODULE).read_bytes() == wholly else in_part
        return {f"a.py::test_{it}": it for it in ended.split()}

    monkeypatch.setattr(module.run_pytest, "run", run)
    parts = "mark(logprobs, 0) (line 13)", "return (line 20)"
    for commit, part in zip(tree.commits(mini.fork, mini.release), parts, strict=True):
        if said:
            with pytest.raises(ForkError, match=said):
                module.check(mini.trees, commit)
        else:
            assert module.check(mini.trees, commit) == {
                "tree": tree.tree_name(mini.fork, commit),
                "outcomes": "1 passed",
                "failed_without": {"all of it": ["test_failed"], part: ["test_failed"]},
            }
