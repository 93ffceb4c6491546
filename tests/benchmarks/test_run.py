# SPDX-License-Identifier: Apache-2.0
"""A run: its steps, its files, and the report that is made of them."""

import shutil
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

import measured
from benchmarks import __main__ as command
from benchmarks import parts
from tools.fork import ForkError, documents

BLOCK = "<!-- figures: results -->\n<!-- end -->\n"
RESULTS = documents.ROOT / documents.TEMPLATES / "results.md.jinja"


def test_a_full_run_measures_everything_and_a_quick_one_counts() -> None:
    found = list(parts.Planner(False, Path()).steps([*parts.PARTS]))
    quick = list(parts.Planner(True, Path()).steps([*parts.PARTS]))

    kinds = ("compilations", "steady", "memory")
    devices = {f"{kind}_{device}" for kind in kinds for device in ("cpu", "cuda")}
    assert {it.file for it in found} == {*devices, "trainer", "server"}
    assert len([it for it in found if it.file == "compilations_cpu"]) == 3
    assert found[0].file == "trainer"  # what needs a network
    assert [it.title for it in found if it.file == "server"] == [
        f"the server, {variant}, {cache} cache"
        for variant in ("stock", "fork")
        for cache in ("cold", "warm")
    ]
    assert quick[0].title == "compilations, stock, merged, fork, cpu"
    assert not {"trainer", "server"} & {it.file for it in quick}


def one_step(name: str, run: Any) -> parts.Step:
    return parts.Step("cpu", name, "one", run)


def test_an_interruption_leaves_no_file_in_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts.machine, "describe", dict)
    interrupt = Mock(side_effect=KeyboardInterrupt)
    steps = [one_step("whole", lambda it=it: [it]) for it in (1, 2)]
    steps += [one_step("part", it) for it in (lambda: [3], interrupt)]

    with pytest.raises(KeyboardInterrupt):
        parts.run(steps, True, tmp_path)

    command = ".venv/bin/python -m benchmarks cpu --quick"
    whole = {"command": command, "machine": {}, "results": [1, 2], "problems": []}
    assert documents.load(tmp_path) == {"whole": whole}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command, in a repository of its own, as if it measured what it is given."""
    (tmp_path / documents.TEMPLATES).mkdir()
    shutil.copy(RESULTS, tmp_path / documents.TEMPLATES)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/results.md").write_text(BLOCK)

    def run(found: dict[str, list[Any]], arguments: list[str]) -> int:
        planned = [one_step(name, lambda its=its: its) for name, its in found.items()]
        monkeypatch.setattr(parts.Planner, "steps", lambda *_: iter(planned))
        return command.main(arguments)

    monkeypatch.setattr(command, "ROOT", tmp_path)
    monkeypatch.setattr(command, "lock", lambda folder: None)
    monkeypatch.setattr(command, "_wanted", lambda part: [])  # it asks torch
    monkeypatch.setattr(parts.machine, "describe", lambda: measured.MACHINE)
    return run


def test_nothing_is_measured_beside_another_command(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lock(folder: Path) -> None:
        raise ForkError(f"{folder.name} is held.")

    monkeypatch.setattr(command, "lock", lock)
    monkeypatch.setattr(parts, "run", None)

    with pytest.raises(ForkError, match=r"^build is held\.$"):
        run(measured.results(), ["cpu"])


def test_a_run_writes_figures_pictures_and_documents(run: Any, tmp_path: Path) -> None:
    assert run(measured.results(), []) == 0

    docs = tmp_path / "docs"
    kept = documents.load(tmp_path / documents.FIGURES)
    assert {name: it["results"] for name, it in kept.items()} == measured.results()
    assert "# What the change saves" in (docs / "results.md").read_text("utf-8")
    assert {it.stem for it in docs.glob("*.png")} == {"trainer", "server"}
    # What the hook looks at, pictures included.
    assert [*documents.update(tmp_path)] == []


def test_the_command_fails_on_the_counts_alone(
    run: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = measured.cells()
    assert run({"compilations_cpu": found}, ["cpu", "--quick"]) == 0
    assert "expected was" not in capsys.readouterr().out

    found[-1]["waiting"] = 1
    assert run({"compilations_cpu": found}, ["cpu", "--quick"]) == 1
    assert "expected was none" in capsys.readouterr().out
    written = tmp_path / "build/report/quick/results.md"
    assert "# What the change saves" in written.read_text("utf-8")
    assert not (tmp_path / documents.FIGURES).exists()


def test_problems_are_said_before_the_report_is_written(
    run: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = measured.results()["server"]
    found[0] |= {"failed": 1, "error": "Refused: no."}
    monkeypatch.setattr(command.pictures, "draw", lambda *_: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        run({"server": found}, ["server"])

    assert "The server failed 1 requests" in capsys.readouterr().out


def report(found: dict[str, list[Any]]) -> str:
    return documents.render(RESULTS, {"figures": measured.figures(found)})


def test_the_report_says_what_was_measured() -> None:
    text = report(measured.results())

    for line in (
        "| trainer: longest step | 11.25 s | 11.25 s | 11.25 s | 11.25 s |",
        "| trainer: compilations after it | 2, 4.00 s | 2, 4.00 s | 0, 0.00 s |",
        "losses and gradient norms are equal in all runs, number by number.",
        "| server: longest wait for a token | 3.00 s | 3.00 s | 3.00 s | 3.00 s |",
        "| server: start-up | 40 s | 40 s | 40 s | 40 s |",
        "| trainer: steps from the third on, median | 6.75 s |",
        "| merged, `forward`, own, float32 | 2 | 9.25 s | 0 | 2 | 3 |",
        "| fork, `forward`, own, float32 | 0 | 0.00 s | 6 | 2 | 0 |",
        "| 8 | 10.0 µs | 1.00 (1.00 to 1.00) | 1.00 (1.00 to 1.00) |",
        "8 x 1000, 32 MB: stock 0 MB, fork 0 MB, eager 3 MB\n",
        "Not measured: it takes `.venv/bin/python -m benchmarks cuda`.",
        "| `measure server` | A GPU, 2 cores, 2 threads | vLLM 1, torch 2, Python 3 |",
        "| `measure steady_cpu` | A CPU, 2 cores",
    ):
        assert line in text


def test_points_beside_stock_are_named() -> None:
    runs = [measured.timed("forward", 1.0123e-5), measured.timed("gather_logprobs")]
    runs += [{**measured.timed("forward", 0.98e-5), "rows": "padded"}]

    text = report({**measured.results(), "steady_cpu": runs})

    assert "| 1 | 1.01 | 1.00 | 0.98 |" in text
    assert "Above 1.01 are 1 of 6 points, below 0.99 are 1;" in text
    assert "- above: `forward`, 1 x 1000: 1.01 (1.01 to 1.01);" in text
    assert "- below: `forward`, 1 x 1000, padded: 0.98 (0.98 to 0.98)." in text
    assert "The ratio of the fork to merged is 0.49 to 0.51." in text


def test_the_report_says_what_differs_failed_or_is_missing() -> None:
    found = {name: measured.results()[name] for name in ("trainer", "server")}
    steps = found["trainer"][0]["steps"]
    other = {**steps[4], "loss": 0.5 + 1e-9}
    found["trainer"][3]["steps"] = [*steps[:4], other, *steps[5:]]
    found["server"][0] |= {"failed": 1, "error": "Refused: no.", "first": None}

    text = report(found)

    assert "are equal in all" not in text
    said = "loss on fork, warm is another than on stock, cold after step 4."
    assert f"**trainer: The trainer's {said}**" in text
    assert "the first: Refused: no.**" in text
    assert "| server: first request | fails | 3.50 s |" in text
    assert text.count("Not measured: it takes") == 2


def test_nothing_measured_and_a_busy_machine_are_said() -> None:
    figures = measured.figures({"trainer": measured.results()["trainer"]})
    figures["trainer"]["machine"] = {**measured.MACHINE, "load": 3.5}

    text = documents.render(RESULTS, {"figures": figures})

    assert "**trainer: the machine was busy, with a load of 3.5," in text
    assert report({}).count("Not measured: it takes") == 2
