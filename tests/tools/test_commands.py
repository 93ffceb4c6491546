# SPDX-License-Identifier: Apache-2.0
"""The commands, with stand-ins for what they start."""

import json
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from tools.fork import ForkError, bootstrap, cli, commands
from tools.fork.engine import demo
from tools.fork.engine import serve as serving
from tools.fork.environment import build
from tools.fork.source.tree import Trees
from tools.fork.testing import mutants, suite


def test_tests_that_need_no_build_come_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    trees = Trees(*[Path("tree")] * 4)

    def show(program: list[Any], cwd: Path, env: Any = None) -> int:
        calls.append(str(program[-1]))
        return 5 if program[-1] == failing else 0

    monkeypatch.setattr(suite, "show", show)
    monkeypatch.setattr(build, "make", lambda it: calls.append("build") or trees)
    found = {"failed_without": {"a line": ["test_it"]}}
    monkeypatch.setattr(mutants, "check", lambda *_: calls.append("mutants") or found)
    monkeypatch.setattr(suite, "commits", lambda *_: ["1st", "2nd"])
    monkeypatch.setattr(suite, "subject", lambda _, commit: commit)
    monkeypatch.setattr(commands, "reports", lambda release: tmp_path)
    monkeypatch.setattr(suite, "tree_name", lambda tree: "1234")
    monkeypatch.setattr(metadata, "version", lambda package: "2")
    steps = [
        f"--ignore={suite.WEAVE_TEST}",
        "build",
        suite.WEAVE_TEST,
        "mutants",
        "mutants",
        "tests/engine",
    ]
    failing = ""
    assert commands.run(cli.parse(["test"])) == 0
    assert calls == steps
    report = json.loads((tmp_path / "test.json").read_text())
    assert report["commits"] == [found, found]
    for failing in (steps[0], steps[2], steps[5]):
        calls.clear()
        assert commands.run(cli.parse(["test"])) == 5
        assert calls[-1] == failing
        assert not (tmp_path / "test.json").exists()


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for the Python that runs the engine: the file of its script."""
    python = tmp_path / "bin/python"
    python.parent.mkdir()
    python.touch(0o755)
    monkeypatch.setattr(serving, "VENV", tmp_path)
    return python


def report(kind: str, **content: Any) -> str:
    return f"echo '{json.dumps({kind: content})}'\n"


def test_collects_what_the_engine_reports(engine: Path, tmp_path: Path) -> None:
    loaded = {"seconds": 1.0, "torch": "2", "compilations": []}
    of_sampling = {"function": "op", "file": f"{serving.SAMPLING}a.py"}
    group = {"batch": 2, "seconds": 0.5, "compilations": [of_sampling]}
    script = report("loaded", **loaded) + report("group", **group)
    engine.write_text(
        f"#!/bin/sh\ncat > {tmp_path}/told\necho $PYTHONPATH >&2\n{script}"
    )

    setup, logs = {"vocabulary": 9}, tmp_path / "logs"
    found = serving.run("fork", tmp_path / "tree", setup, [[{"n": 1}]], logs)

    assert found == {"loaded": loaded, "groups": [group]}
    told = json.loads((tmp_path / "told").read_text())
    assert told == {"setup": setup, "groups": [[{"n": 1}]]}
    assert (logs / "engine-fork.log").read_text() == f"{tmp_path}/tree\n"


@pytest.mark.parametrize("end", ["exit 3", "exit 0"])
def test_an_engine_that_fails_or_stops_early(
    engine: Path, tmp_path: Path, end: str
) -> None:
    engine.write_text(f"#!/bin/sh\ncat > /dev/null\necho why >&2\n{end}\n")

    with pytest.raises(
        ForkError, match=r"failed on stock; .*engine-stock\.log ends:\nwhy"
    ):
        serving.run("stock", tmp_path, {}, [[{}]], tmp_path)


@pytest.mark.parametrize(("compiles", "status"), [(True, 0), (False, 1)])
def test_the_demo_succeeds_only_if_it_shows_something(
    compiles: bool, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = {
        "function": "op",
        "file": f"{serving.SAMPLING}a.py",
        "seconds": 0.5,
        "reason": "size",
    }

    def run(variant: str, tree: Path, setup: Any, groups: Any, logs: Path) -> Any:
        stall = [compiled] if compiles and variant == "stock" else []
        done = [
            {"batch": len(it), "seconds": 1.0, "compilations": [], "outputs": []}
            for it in groups
        ]
        done[2]["compilations"] = stall
        loaded = {"torch": "2", "device": "cpu", "seconds": 9.0}
        return {"loaded": loaded, "groups": done}

    (tmp_path / "report").mkdir()
    (tmp_path / "report/demo.json").write_text("{}")
    monkeypatch.setattr(serving, "run", run)
    monkeypatch.setattr(demo, "tree_name", lambda tree: "1234")
    monkeypatch.setattr(demo, "ROOT", tmp_path)
    release = commands.described(None)

    assert demo.show(release, Trees(*[tmp_path] * 4), tmp_path / "report") == status
    report = tmp_path / "report/demo.json"
    if not compiles:
        # Nor is what an earlier demo found passed for this one's.
        assert not report.exists()
        return
    written = json.loads(report.read_text())
    steps = written["variants"]["fork"]["steps"]
    assert [step["batch"] for step in steps] == [*demo.BATCHES, max(demo.BATCHES)]


def test_inside_the_virtual_environment_the_command_just_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bootstrap, "lock", lambda folder: None)
    venv = bootstrap.environment_for("build", None)
    monkeypatch.setattr("sys.prefix", str(venv))

    assert bootstrap.enter(["build"], venv) is None


@pytest.mark.parametrize("quick", [[], ["--quick"]])
def test_the_trees_to_compare_are_made_first(
    quick: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Any] = []
    patch = monkeypatch.setattr
    patch(commands.build, "make", lambda it: calls.append(it.version))
    patch(commands.build, "make_trees", lambda it: calls.append(it.version))
    patch(commands, "show", lambda program, cwd: calls.append(program[1:]) or 7)

    assert commands.run(cli.parse(["bench", *quick])) == 7

    pinned = commands.described(None).version
    assert calls == [pinned, commands.MERGED, ["-m", "benchmarks", *quick]]
