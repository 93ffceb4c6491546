# SPDX-License-Identifier: Apache-2.0
"""The commands, with stand-ins for what they start."""

import json
from importlib import metadata
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from tools.fork import commands
from tools.fork.engine import generate
from tools.fork.environment import build
from tools.fork.source.tree import Trees
from tools.fork.testing import mutants, suite


def run(*typed: str) -> int | None:
    options = commands.parse([*typed])
    return options.run(options)


def test_tests_that_need_no_build_come_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    trees = Trees(*[Path("tree")] * 4)
    found = {"failed_without": {"a line": ["test_it"]}}

    def stream(*program: Any, env: Any) -> int:
        calls.append(str(program[-1]))
        assert (suite.WEAVE_TEST in program) == (program[-1] == sampler)
        return 5 if program[-1] == failing else 0

    stub = monkeypatch.setattr
    stub(suite, "stream", stream)
    stub(build, "make", lambda it: calls.append("build") or trees)
    stub(mutants, "check", lambda *_: calls.append("mutants") or found)
    stub(suite, "commits", lambda *_: ["1st", "2nd"])
    stub(suite, "tree_name", lambda tree: "1234")
    stub(suite, "report_folder", lambda release: tmp_path)
    stub(metadata, "version", lambda package: "2")
    tooling = f"--ignore={suite.WEAVE_TEST}"
    sampler, engine = "tests/sampler", "tests/engine"
    steps = [tooling, "build", sampler, "mutants", "mutants", engine]
    failing = ""
    assert run("test") == 0
    assert calls == steps
    report = json.loads((tmp_path / "test.json").read_text())
    assert report["commits"] == [found, found]
    for failing in (tooling, sampler, engine):
        calls.clear()
        assert run("test") == 5
        assert calls[-1] == failing
        assert not (tmp_path / "test.json").exists()


def test_collects_what_the_engine_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = [{"model": it, "seconds": 1.0, "compilations": []} for it in (0, 1)]
    of_sampling = {"function": "op", "file": f"{generate.SAMPLING}a.py"}
    group = {"model": 1, "batch": 2, "seconds": 0.5, "compilations": [of_sampling]}
    call = Mock(return_value=[*loaded, group])
    monkeypatch.setattr(generate.child, "call", call)
    models: Any = [({"vocabulary": 9}, []), ({"vocabulary": 8}, [[{"n": 1}]])]

    found = generate.run("fork", tmp_path / "tree", models, tmp_path / "logs", tmp_path)

    assert found == [
        {"loaded": loaded[0], "steps": []},
        {"loaded": loaded[1], "steps": [group]},
    ]
    ((_, _, told, variables, log),) = (it.args for it in call.call_args_list)
    assert told == {"models": models}
    assert variables["PYTHONPATH"] == f"{tmp_path}/tree"
    assert log == tmp_path / "logs/engine-fork.log"


@pytest.mark.parametrize("quick", [[], ["--quick"]])
def test_the_trees_to_compare_are_made_first(
    quick: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Any] = []
    patch = monkeypatch.setattr
    patch(commands.build, "make", lambda it: calls.append(it.version))
    patch(commands.build, "make_trees", lambda it: calls.append(it.version))
    patch(commands, "stream", lambda *program: calls.append([*program]) or 7)

    assert run("bench", *quick) == 7

    pinned = commands.described(None).version
    assert calls == [pinned, commands.MERGED, ["benchmarks", *quick]]
