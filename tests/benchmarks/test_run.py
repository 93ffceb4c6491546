# SPDX-License-Identifier: Apache-2.0
"""A run: its steps, its files, and the report that is made of them."""

import shutil
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from benchmarks import __main__ as command
from benchmarks import parts
from benchmarks.sampler import steady
from tools.fork import ForkError, documents

BLOCK = "<!-- figures: results -->\n<!-- end -->\n"
RESULTS = documents.ROOT / documents.TEMPLATES / "results.md.jinja"


@pytest.fixture
def figures() -> Any:
    """What was measured last."""
    there = documents.load(documents.ROOT / documents.FIGURES)
    names = ("trainer", "server", "compilations_cpu", "steady_cpu")
    return {name: there[name] for name in names}


def test_a_full_run_measures_everything_and_a_quick_one_counts() -> None:
    found, quick = (
        {it.name: [*it.steps] for part in parts.PARTS for it in parts.plan(part, *how)}
        for how in ((False, Path()), (True, Path()))
    )

    kinds = ("compilations", "steady")
    files = [f"{kind}_{device}" for device in ("cpu", "cuda") for kind in kinds]
    assert [*found] == ["trainer", "server", *files]  # what needs a network is first
    assert [*quick] == files
    assert found["server"] == [
        f"{variant}, {cache} cache"
        for variant in ("stock", "fork")
        for cache in ("cold", "warm")
    ]
    assert found["compilations_cpu"] == ["stock", "merged", "fork"]
    assert quick["compilations_cpu"] == ["stock, merged, fork"]


def test_an_interruption_leaves_no_file_in_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts.machine, "describe", dict)
    interrupt = Mock(side_effect=KeyboardInterrupt)
    files = [
        parts.File("whole", "cpu", {"one": lambda: [1], "two": lambda: [2]}),
        parts.File("part", "cpu", {"one": lambda: [3], "two": interrupt}),
    ]

    with pytest.raises(KeyboardInterrupt):
        parts.run(files, True, tmp_path)

    command = ".venv/bin/python -m benchmarks cpu --quick"
    whole = {"command": command, "machine": {}, "results": [1, 2], "problems": []}
    assert documents.load(tmp_path) == {"whole": whole}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command, in a repository of its own, as if it measured what it is given."""
    for folder in ("docs", documents.TEMPLATES):
        (tmp_path / folder).mkdir()
    shutil.copy(RESULTS, tmp_path / documents.TEMPLATES)
    (tmp_path / "docs/results.md").write_text(BLOCK)

    def run(figures: Any, *arguments: str) -> int:
        files = [
            parts.File(name, "cpu", {"all": lambda it=it: it["results"]})
            for name, it in figures.items()
        ]
        machine = figures["server"]["machine"]
        monkeypatch.setattr(parts.machine, "describe", lambda: machine)
        monkeypatch.setattr(parts, "plan", lambda *_: files)
        return command.main([*arguments])

    monkeypatch.setattr(command, "ROOT", tmp_path)
    monkeypatch.setattr(command, "lock", lambda folder: None)
    monkeypatch.setattr(command, "_wanted", lambda part: ["cpu"])  # it asks torch
    return run


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
    assert run(figures) == 0

    docs = tmp_path / "docs"
    kept = documents.load(tmp_path / documents.FIGURES)
    for name, it in kept.items():
        assert it["results"] == figures[name]["results"]
    assert kept.keys() == figures.keys()
    assert "# What the change saves" in (docs / "results.md").read_text("utf-8")
    assert {it.stem for it in docs.glob("*.png")} == {"trainer", "server"}
    # What the hook looks at, pictures included.
    assert [*documents.update(tmp_path)] == []


def test_a_quick_run_fails_on_the_counts_and_keeps_the_figures(
    run: Any, figures: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(figures, "--quick") == 0
    assert "expected were" not in capsys.readouterr().out

    figures["compilations_cpu"]["results"][-1]["waiting"] = 1
    assert run(figures, "--quick") == 1
    assert "expected were 0 waiting" in capsys.readouterr().out
    written = tmp_path / "build/report/quick/results.md"
    assert "# What the change saves" in written.read_text("utf-8")
    assert not (tmp_path / documents.FIGURES).exists()


def report(figures: Any) -> str:
    return documents.render(RESULTS, {"figures": figures})


def test_the_report_says_what_was_measured(figures: Any) -> None:
    (one, *_), (two, *_) = (figures[it]["results"] for it in ("trainer", "server"))
    one["steps"] = [{"seconds": 0.25 + at} for at in range(12)]
    two["compilations"] = [{"seconds": 1.5}, {"seconds": 2.5}]
    two |= {"waves": [{"size": 2, "wait": 3.0}, {"size": 1, "wait": 0.5}]}
    two |= {"started": 40.4, "first": None, "requests": 3}
    samples = {"fork": [0.98e-5] * 2, "stock": [1e-5] * 2, "merged": [2e-5] * 2}
    samples |= {"limit": [0.49e-5] * 2}
    points = [{"batch": 8, **steady.summarise(samples)}]
    timed = {"level": "op", "vocabulary": 99, "rows": "padded", "points": points}
    machine = {**figures["server"]["machine"], "cpu": "A CPU", "gpu": "A GPU"}
    content = {"command": "time it", "machine": machine, "problems": []}
    figures["steady_cpu"] = {**content, "results": [timed]}
    figures["steady_cuda"] = figures["steady_cpu"]
    figures["compilations_cuda"] = figures["compilations_cpu"]

    text = report(figures)

    for line in (
        "| trainer: longest step | 11.25 s |",
        "| trainer: steps from the third on, median | 6.75 s |",
        "| server: first request | fails |",
        "| server: longest wait for a token | 3.00 s |",
        "| server: start-up | 40 s |",
        "| server: compilations after it | 2, 4.00 s |",
        "for 3 completions and chats with logprobs, 1 to 2 at once",
        "| fork, `forward`, own, float32 | 0 | 0.00 s | ",
        "| batch | `op`, 99, padded |",
        "| 8 | 10 µs, 0.98 (0.98 to 0.98) |",
        "Less than 0.99 times: `op`, 99, padded: 8.",
        "time as a ratio to it, by batch: 8: 2.00.",
        "The ratio of the fork to merged is 0.49 to 0.49.",
        "losses and gradient norms are equal in all runs, number by number.",
        "`time it` | A CPU, ",
        "`time it` | A GPU, ",
    ):
        assert line in text


def test_a_quick_report_does_without_the_op(figures: Any) -> None:
    levels = figures["steady_cpu"]["results"]
    assert "`x.sum(-1)`" in report(figures)

    levels[:] = [it for it in levels if it["level"] == "forward"]

    assert "`x.sum(-1)`" not in report(figures)


def test_what_is_missing_or_differs_and_a_busy_machine_are_said(figures: Any) -> None:
    assert report({}).count("Not measured: it takes") == 2
    figures["trainer"]["machine"] |= {"load": 3.5, "cores": 2}
    figures["trainer"]["problems"] = ["The loss differs."]

    text = report(figures)

    assert "**trainer: the machine was busy, with a load of 3.5," in text
    assert "**trainer: The loss differs.**" in text
    assert "are equal in all" not in text
