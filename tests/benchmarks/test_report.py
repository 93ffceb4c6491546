# SPDX-License-Identifier: Apache-2.0
"""The benchmarks: what they report must follow from what was measured."""

import copy
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import __main__ as command
from benchmarks import child, plan, summary
from benchmarks.report import document
from tools.fork import ForkError, cli, commands

OP = summary.OP


def compiled(seconds: float, reason: str | None = None, failed: bool = False) -> Any:
    text = {"function": OP, "file": "a.py", "reason": reason}
    return {**text, "seconds": seconds, "failed": failed}


def call(batch: int | None, *compilations: Any, error: str | None = None) -> Any:
    shape = {"batch": batch, "vocabulary": 9, "seconds": 1.0}
    return {**shape, "error": error, "compilations": [*compilations]}


def cell(level: str, *calls: Any) -> Any:
    inputs = {"level": level, "rows": "own", "dtype": "float32"}
    return {**inputs, "mode": "raw_logprobs", "calls": [*calls]}


CALLS: dict[str, list[Any]] = {
    "stock": [
        call(None),
        call(1, compiled(8.0)),
        call(2, compiled(2.0, "0/0: size mismatch  # a.py")),
        call(0, compiled(1.0, "0/1: 2 <= size")),
    ],
    "merged": [
        call(None),
        call(1, compiled(8.0)),
        call(2),
        call(0, compiled(0.25, "0/0: 1 <= size", True), error="Error: bug - x"),
        call(1, compiled(1.0, "0/0: size mismatch")),
    ],
    "fork": [call(None, compiled(8.0)), call(1), call(2), call(0)],
}


def compilations() -> list[Any]:
    return [
        {
            "variant": variant,
            "cache": cache,
            "cells": [cell(it, *calls) for it in ("gather_logprobs", "forward")],
        }
        for variant, calls in CALLS.items()
        for cache in ("cold", "warm")
    ]


def steady(level: str) -> Any:
    times = {"stock": 1e-5, "merged": 2e-5, "fork": 1e-5, "eager": 1e-4, "limit": 1e-5}
    samples = {name: [it, it] for name, it in times.items()}
    point = {
        "seconds": {it: summary.quartiles(samples[it]) for it in samples},
        "ratios": summary.ratios(samples),
    }
    points = [{**copy.deepcopy(point), "batch": it} for it in (1, 8)]
    shape = {"level": level, "vocabulary": 1000, "rows": "own"}
    return {**shape, "copy_bandwidth": 5e9, "points": points}


def groups(stall: float) -> Any:
    first = {"name": "first", "compilations": [], "times": [[9.0, 9.5]]}
    second = {
        "name": "second",
        "compilations": [compiled(stall)],
        "times": [[0.25], [0.25, 0.5 + stall], [0.25, 0.5 + stall, 0.75 + stall]],
    }
    return [first, second]


def results() -> Any:
    machine = {"cpu": "A CPU", "cores": 2, "gpu": "A GPU", "threads": 2, "load": 0}
    machine |= {"torch": "2", "python": "3", "release": "1", "date": "today"}
    extra = {"stock": 0, "merged": 0, "fork": 0, "eager": 3_000_000, "limit": 0}
    memory = {
        "level": "op",
        "batch": 8,
        "vocabulary": 1000,
        "input": 32000,
        "extra": extra,
    }
    served = [
        {"variant": "stock", "loaded": 8.0, "groups": groups(3.0)},
        {"variant": "fork", "loaded": 9.0, "groups": groups(0.0)},
    ]
    found = {
        "compilations-cpu": compilations(),
        "steady-cpu": [steady(it) for it in ("op", "gather_logprobs", "forward")],
        "memory-cpu": [memory],
        "engine": served,
    }
    head = {"machine": machine, "quick": False}
    return {name: {**head, "results": it} for name, it in found.items()}


def test_as_many_compilations_as_expected() -> None:
    assert list(summary.find_problems(compilations())) == []


@pytest.mark.parametrize(
    ("variant", "calls", "sentence"),
    [
        ("fork", [call(2, compiled(1.0))], "compiled 1 times in calls .* was none"),
        ("fork", [call(0, error="bug")], "with 1 crashes; expected was none"),
        ("fork", [call(None, compiled(1.0))], "compiled .* 2 times .* expected were 1"),
        ("stock", [call(2, compiled(1.0))], "stock compiled .* 4 times"),
        ("merged", [call(2, compiled(1.0))], "merged compiled .* 3 times"),
    ],
)
def test_other_compilations_are_a_problem(
    variant: str, calls: list[Any], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CALLS, variant, [*CALLS[variant], *calls])

    problems = list(summary.find_problems(compilations()))

    assert problems
    assert all(it.startswith(variant) for it in problems)
    assert re.search(sentence, problems[0])


def test_seconds_lost_are_those_of_calls() -> None:
    assert summary.lost(cell("forward", *CALLS["stock"])) == 11.0
    assert summary.lost(cell("forward", *CALLS["fork"])) == 0.0


def test_ratios_are_of_the_same_round() -> None:
    samples = {"fork": [1.0, 20.0], "stock": [2.0, 10.0], "merged": [1.0, 20.0]}

    found = summary.ratios({**samples, "limit": [1.0, 1.0]})

    assert found["fork/stock"] == {"low": 0.875, "median": 1.25, "high": 1.625}
    assert found["fork/merged"]["median"] == 1.0


@pytest.mark.parametrize(("percent", "expected"), [(50, 2.0), (75, 3.0), (100, 4.0)])
def test_percentiles_are_samples(percent: float, expected: float) -> None:
    assert summary.percentile([4.0, 1.0, 3.0, 2.0], percent) == expected


def test_when_a_slower_step_has_cost_what_was_saved() -> None:
    assert summary.break_even(1.0, 0.3) == 4
    assert summary.break_even(1.0, 0.0) is None


def test_latencies_are_to_the_first_token_and_between_tokens() -> None:
    assert summary.latencies(groups(0.0)) == (
        [9.0, 0.25, 0.25, 0.25],
        [0.5, 0.25, 0.25, 0.25],
    )


def test_the_report_says_what_was_measured(tmp_path: Path) -> None:
    document.write(results(), tmp_path)

    text = (tmp_path / "results.md").read_text()
    in_full = (tmp_path / "all-results.md").read_text()
    assert f"three models, fork compiles `{OP}` never in the middle of" in text
    assert "| `forward`, merged | 2 | 2 | 0 | 1 | 9.25 s | 9.25 s |" in text
    assert "| `forward`, fork | 1 | 1 | 1 | 0 | 0.00 s | 0.00 s |" in text
    assert "- stock: its first call, at 1 x 9\n" in text
    assert "- stock: `size mismatch`, at 2 x 9\n" in text
    assert "- merged: **Error: bug** `1 <= size`, at 0 x 9\n" in text
    times = "| 1 | 10.0 | 20.0 | 10.0 | 100.0 | 10.0 | 1.00 (1.00 to 1.00) | 0.50"
    assert times in in_full
    assert "| 8 | 1,000,000 | never |" in in_full
    assert "| batch | 1000, fork/merged | 1000, fork/stock |" in text
    assert "| 8 | 0.50 | 1.00 |" in text
    assert "| `op` | 0.0 MB | 0.0 MB | 0.0 MB | 3.0 MB | 0.0 MB |" in text
    assert "which took 8 s on stock, 9 s on fork." in text
    assert "| stock | 250 | 9000 | 9000 | 500 | 3250 | 3250 |" in text
    assert "### Steady state\n\nNot measured." in text
    for name in ("stalls", "steady-cpu"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_what_runs_on_a_gpu_names_it() -> None:
    found = results()

    text = document.text(found)
    found["engine"]["machine"]["gpu"] = None
    without = document.text(found)

    assert "## The engine\n\nA GPU, 2 threads" in text
    assert "## Memory\n\nA CPU, 2 cores, 2 threads" in text
    assert "## The engine\n\nA CPU, 2 cores, 2 threads" in without


def test_a_median_above_its_limit_is_bold() -> None:
    found = results()
    run = found["steady-cpu"]["results"][2]
    point = run["points"][0]
    point["ratios"]["fork/stock"]["median"] = 1.04

    text = document.text(found)
    assert "**1.04** (1.00 to 1.00)" in document.in_full(found)
    assert "| 1 | 0.50 | **1.04** |" in text
    assert "median ratio is 1.00 to 1.04, above the limit at 1 of 2 points" in text
    assert "above 1.02 for fork/merged or fork/stock." in document.in_full(found)
    run["rows"] = "padded"
    assert "1000, padded, fork/stock |" in document.text(found)
    assert "above the limit at 1 of 2 points" in document.text(found)


def test_nothing_measured_is_said(tmp_path: Path) -> None:
    document.write({}, tmp_path)

    text = (tmp_path / "results.md").read_text()
    assert "## What changes for a user\n\nNot measured.\n" in text
    assert "## The engine\n\nNot measured.\n" in text
    assert "steady-cpu: not measured." in document.summary({})
    pages = {"results.md", "all-results.md"}
    assert {it.name for it in tmp_path.iterdir()} == pages


def steps(parts: list[str], quick: bool, folder: Path) -> list[plan.Step]:
    return list(plan.Planner(quick, folder, folder).steps(parts))


def test_a_full_run_measures_everything(tmp_path: Path) -> None:
    found = steps([*plan.PARTS], False, tmp_path)

    assert {it.file for it in found} == {
        *(f"{what}-cpu" for what in ("compilations", "steady", "memory")),
        *(f"{what}-cuda" for what in ("compilations", "steady", "memory")),
        *("split", "engine", "trainer", "server"),
    }
    assert len([it for it in found if it.file == "compilations-cpu"]) == 6
    assert found[0].file == "trainer"  # what needs a network
    assert [it.title for it in found if it.file == "server"] == [
        f"the server, {variant}, {cache} cache"
        for variant in ("stock", "fork")
        for cache in ("cold", "warm")
    ]


def test_a_quick_run_compiles_each_variant() -> None:
    found = steps([*plan.PARTS], True, Path())

    assert [it.title for it in found if it.file == "compilations-cpu"] == [
        "compilations, stock, merged, fork, cold cache, cpu"
    ]
    assert not {"engine", "trainer", "server"} & {it.file for it in found}


def test_time_left_goes_by_the_steps_that_are_done() -> None:
    planned = [plan.Step("", "", seconds, list) for seconds in (60, 30, 90)]

    assert plan.time_left(planned, 0, 0.0) == "3 min left"
    assert plan.time_left(planned, 1, 120.0) == "4 min left"


def test_nothing_is_measured_beside_another_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "ROOT", tmp_path)
    monkeypatch.setattr(command, "lock", lambda folder: f"{folder.name} is held.")

    with pytest.raises(ForkError, match=r"^build is held\.$"):
        command.main(["cpu"])

    assert not [*tmp_path.iterdir()]


def test_an_interruption_leaves_no_file_in_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan.machine, "describe", dict)

    def interrupt() -> Any:
        raise KeyboardInterrupt

    whole = [plan.Step("whole", "", 1, lambda it=it: [it]) for it in (1, 2)]
    part = [plan.Step("part", "", 1, it) for it in (lambda: [3], interrupt)]

    with pytest.raises(KeyboardInterrupt):
        plan.run([*whole, *part], False, tmp_path)

    (file,) = tmp_path.iterdir()
    assert file.name == "whole.json"
    assert json.loads(file.read_text())["results"] == [1, 2]


@pytest.mark.parametrize("status", [0, 1])
def test_the_command_fails_on_the_counts_alone(
    status: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if status:
        monkeypatch.setitem(CALLS, "fork", CALLS["stock"])
    monkeypatch.setattr(command, "ROOT", tmp_path)
    monkeypatch.setattr(command, "lock", lambda folder: None)
    monkeypatch.setattr(
        plan.machine, "describe", lambda: results()["engine"]["machine"]
    )

    def step(result: Any) -> plan.Step:
        return plan.Step("compilations-cpu", "one", 1, lambda: result)

    measured = [step([it]) for it in compilations()]
    monkeypatch.setattr(plan.Planner, "steps", lambda *_: iter(measured))

    assert command.main(["cpu", "--quick"]) == status

    folder = tmp_path / "build/report/quick"
    kept = json.loads((folder / "compilations-cpu.json").read_text())
    assert kept["results"] == compilations()
    assert "Compilations and stalls" in (folder / "results.md").read_text()
    printed = capsys.readouterr().out
    assert ("expected were" in printed) == bool(status)
    assert "The report: build/report/quick/results.md" in printed


def test_a_measurement_runs_in_a_process_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "benchmarks"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "child.py").write_text(Path(child.__file__).read_text())
    (package / "one.py").write_text(
        "import os\n"
        "def measure(number):\n"
        "    os.system('echo $SAID')\n"
        "    return {'half': 6 / number}\n"
    )
    monkeypatch.setattr(child, "ROOT", tmp_path)
    monkeypatch.setenv("PYTHONPATH", ":".join(it for it in sys.path if it))
    log = tmp_path / "log"

    env = {"SAID": "noise"}
    assert child.call("one", {"number": 2}, env, log) == {"half": 3.0}
    assert log.read_text() == "noise\n"
    with pytest.raises(ForkError, match="ZeroDivisionError"):
        child.call("one", {"number": 0}, env, log)


def test_the_trees_to_compare_are_made_first(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    patch = monkeypatch.setattr
    patch(commands.build, "make", lambda it: calls.append(it.version))
    patch(commands.build, "make_trees", lambda it: calls.append(it.version))
    patch(commands, "show", lambda program, cwd: calls.append(program[1:]) or 7)

    assert commands.run(cli.parse(["bench", "--quick"])) == 7

    pinned = commands.described(None).version
    assert calls == [pinned, commands.MERGED, ["-m", "benchmarks", "--quick"]]

    # The engine of upstream's version needs an environment of its own.
    calls.clear()
    patch(commands, "show", lambda program, cwd: calls.append(program[1:]) or 0)
    assert commands.run(cli.parse(["bench"])) == 0
    built = ["-m", "tools.fork", "build", "--release", commands.MERGED]
    assert calls == [pinned, built, ["-m", "benchmarks"]]


def test_what_a_gpu_would_run_is_reported_by_torch_version() -> None:
    graphs = [{"batch": 1, "kernels": 2, "split": 19}]
    merged = [{"batch": 1, "kernels": 1, "split": 1}]
    variants = {"fork": graphs, "merged": merged}
    read = {"torch": "2.13.0", "variants": variants}

    text = document.text({"split": {"results": [read]}})

    assert "| 2.13.0 | fork | 1 | batch 1 | 2 | 19 ways |" in text
    assert "| 2.13.0 | merged | 1 | batch 1 | 1 | no |" in text
