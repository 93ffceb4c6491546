# SPDX-License-Identifier: Apache-2.0
"""A run: its steps, its files, and the report that is made of them."""

import shutil
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from benchmarks import __main__ as command
from benchmarks import parts, sampler
from tools.fork import ForkError, documents

BLOCK = "<!-- figures: results -->\n<!-- end -->\n"
RESULTS = documents.ROOT / documents.TEMPLATES / "results.md.jinja"


@pytest.fixture
def figures() -> Any:
    """What was measured last."""
    there = documents.load(documents.ROOT / documents.FIGURES)
    return {name: there[name] for name in ("trainer", "server", "cpu")}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command, in a repository of its own, as if it measured what it is given."""
    for folder in ("docs", documents.TEMPLATES):
        (tmp_path / folder).mkdir()
    for name in (RESULTS.name, "use.jinja"):
        shutil.copy(RESULTS.with_name(name), tmp_path / documents.TEMPLATES)
    (tmp_path / "docs/results.md").write_text(BLOCK)

    def run(figures: Any, *arguments: str) -> None:
        machine = figures["cpu"]["machine"]
        monkeypatch.setattr(command.machine, "describe", lambda: machine)
        monkeypatch.setattr(
            parts, "plan", lambda part, *_: {"all": lambda: figures[part]["results"]}
        )
        monkeypatch.setattr(command, "_wanted", lambda *_: [*figures])  # it asks torch
        command.main([*arguments])

    monkeypatch.setattr(command, "ROOT", tmp_path)
    monkeypatch.setattr(command, "lock", lambda folder: None)
    return run


def test_an_interruption_leaves_no_file_in_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = {"one": lambda: [1], "two": Mock(side_effect=KeyboardInterrupt)}
    monkeypatch.setattr(parts, "plan", lambda *_: steps)

    with pytest.raises(KeyboardInterrupt):
        parts.run("cpu", True, {}, tmp_path, tmp_path)
    assert documents.load(tmp_path) == {}


def test_a_quick_run_serves_nothing(tmp_path: Path) -> None:
    kinds = [f"{side}, {it} cache" for side in parts.SERVED for it in ("cold", "warm")]
    for part in set(parts.PARTS) - {*parts.QUICK}:
        assert [*parts.plan(part, False, tmp_path)] == kinds
    for part in parts.QUICK:
        whole, quick = ([*parts.plan(part, it, tmp_path)] for it in (False, True))
        assert {*quick} < {*whole}


def test_nothing_is_measured_beside_another_command(
    run: Any, figures: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = Mock(side_effect=ForkError("It is held."))
    monkeypatch.setattr(command, "lock", lock)

    with pytest.raises(ForkError, match="held"):
        run(figures)
    lock.assert_called_once_with(command.ROOT / "build")


def test_a_run_writes_figures_pictures_and_documents(
    run: Any, figures: Any, tmp_path: Path
) -> None:
    run(figures)

    docs = tmp_path / "docs"
    kept = documents.load(tmp_path / documents.FIGURES)
    assert [*kept] == sorted(figures)
    for name, it in kept.items():
        assert it["command"] == f".venv/bin/python -m benchmarks {name}"
        assert it["results"] == figures[name]["results"]
    assert "# What the change saves" in (docs / "results.md").read_text("utf-8")
    assert {it.stem for it in docs.glob("*.png")} == {"trainer", "server"}
    # What the hook looks at, pictures included.
    assert [*documents.update(tmp_path)] == []


def test_a_quick_run_fails_on_the_counts_and_keeps_the_figures(
    run: Any, figures: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quick = {"cpu": figures["cpu"]}
    run(quick, "--quick")
    assert "cpu: [('forward', {'stock': 4," in capsys.readouterr().out

    figures["cpu"]["results"][-1]["waiting"]["fork"] = 1
    with pytest.raises(ForkError, match="expected was nothing"):
        run(quick, "--quick")
    kept = documents.load(tmp_path / "build/report/quick")
    assert kept["cpu"]["command"].endswith("cpu --quick")
    assert not (tmp_path / documents.FIGURES).exists()


def report(figures: Any) -> str:
    return documents.render(RESULTS, {"figures": figures})


def test_the_report_says_what_was_measured(figures: Any) -> None:
    (one, *_), (two, *_) = (figures[it]["results"] for it in ("trainer", "server"))
    one["steps"] = [{"seconds": 0.25 + at} for at in range(12)]
    two["compilations"] = [{"seconds": 1.5}, {"seconds": 2.5}]
    two |= {"waves": [{"size": 2, "wait": 3.0}, {"size": 1, "wait": 0.5}]}
    two |= {"started": 40.4, "first": 0.125, "requests": 3}
    samples = {"fork": [0.98e-5] * 2, "stock": [1e-5] * 2, "merged": [2e-5] * 2}
    samples |= {"limit": [0.49e-5] * 2}
    points = [{"batch": 8, **sampler.summarise(samples)}]
    counts = {"ahead": {"stock": 0, "fork": 4}, "waiting": {"stock": 3, "fork": 0}}
    timed = {"level": "op", "vocabulary": 99, "rows": "padded", "points": points}
    timed |= counts
    machine = {**figures["server"]["machine"], "cpu": "A CPU", "gpu": "A GPU"}
    content = {"command": "time it", "machine": machine}
    figures["cpu"] = {**content, "results": [timed, {**timed, "level": "forward"}]}
    figures["cuda"] = figures["cpu"]

    text = report(figures)

    for line in (
        "| trainer: longest step | 11.25 s |",
        "| trainer: steps from the third on, median | 6.75 s |",
        "| server: first request | 0.12 s |",
        "wait for\n  a token was 3.00 s on stock, cold,",
        "| server: start-up | 40 s |",
        "| server: compilations of sampling after start-up | 2, 4.00 s |",
        "for 3 chats with logprobs, 1 to 2 at once",
        "| `forward`, 99, padded | 3 (0) | 0 (4) |",
        "| batch | `op`, 99, padded | `forward`, 99, padded |",
        "| 8 | 10 µs, 0.98 (0.98 to 0.98) |",
        "Less than 0.99 times: `op`, 99, padded: 8; `forward`, 99, padded: 8.",
        "time as a ratio to it, by batch: 8: 2.00.",
        "The ratio of the fork to merged is 0.49 to 0.49.",
        "gradient norms, rewards and lengths are equal in all runs, step by step.",
        "`time it` | A CPU, ",
        "`time it` | A GPU, ",
    ):
        assert line in text


def test_what_is_missing_and_a_busy_machine_are_said(figures: Any) -> None:
    assert report(figures).count("Not measured: it takes") == 1
    figures["trainer"]["machine"] |= {"load": 3.5, "cores": 2}
    text = report(figures)

    assert "**trainer: the machine was busy, with a load of 3.5," in text
