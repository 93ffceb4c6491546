# SPDX-License-Identifier: Apache-2.0
"""The demo: what it says must follow from what was measured."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tools.fork import ForkError
from tools.fork.engine import demo, generate
from tools.fork.release import described
from tools.fork.source.tree import Trees


def compiled(seconds: float, reason: str | None) -> Any:
    file = f"{generate.SAMPLING}ops/a.py"
    return {"function": "op", "file": file, "seconds": seconds, "reason": reason}


def step(batch: int, seconds: float, *compilations: Any) -> Any:
    timed = {"batch": batch, "seconds": seconds, "compilations": [*compilations]}
    return {**timed, "outputs": [{"tokens": [7]}]}


@pytest.fixture
def runs() -> Any:
    first, stall = compiled(2.5, None), compiled(0.75, "size")
    stock = [step(1, 3.0, first), step(2, 1.0, stall), step(2, 0.1)]
    fork = [step(1, 0.1), step(2, 0.1, {**stall, "file": "vllm/b.py"}), step(2, 0.1)]
    loaded = {**step(0, 11.5, compiled(6.0, None)), "device": "cpu"}
    return {
        "stock": {"loaded": step(0, 8.0, first), "steps": stock},
        "fork": {"loaded": loaded, "steps": fork},
    }


@pytest.fixture
def show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runs: Any) -> Any:
    """Runs the demo where an earlier one has left its report."""
    machine = {"torch": "2", "cores": 2, "cpu": "A CPU", "gpu": None, "date": "today"}
    monkeypatch.setattr(generate, "run", lambda variant, *_: [runs[variant]])
    monkeypatch.setattr(demo, "tree_name", lambda tree: "1234")
    monkeypatch.setattr(demo, "ROOT", tmp_path)
    monkeypatch.setattr(demo.machine, "describe", lambda: machine)
    for name in ("demo.json", "demo.png"):
        (tmp_path / name).write_text("{}")
    return lambda: demo.run(described(None), Trees.inside(tmp_path), tmp_path)


def test_a_run_as_it_should_be(
    show: Callable[[], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    show()

    printed = capsys.readouterr().out
    assert (
        "Stock compiled 2 times, 3.25 s, while requests waited; loading took 8 s, 2.5 "
        "s of it compiling. Fork compiled 0 times, 0.00 s, while"
    ) in printed
    assert [line for line in printed.splitlines() if line.startswith("|")] == [
        "| batch | stock | fork |",
        "| --- | --- | --- |",
        "| loading | 8.00 s, compiled op | 11.50 s, compiled op |",
        "| 1 | 3.00 s, compiled op | 0.10 s |",
        "| 2 | 1.00 s, compiled op | 0.10 s |",
        "| 2 | 0.10 s | 0.10 s |",
    ]
    report = json.loads((tmp_path / "demo.json").read_text())
    written = report["variants"]["fork"]["steps"]
    assert [{*it} for it in written] == [{"batch", "seconds", "compilations"}] * 3
    assert (tmp_path / "demo.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("variant", "places", "found", "said"),
    [
        ("stock", (0, 1), {"compilations": []}, "so this shows nothing."),
        ("fork", (0,), {"compilations": [compiled(1.0, None)]}, "op: the first time."),
        ("fork", (2,), {"compilations": [compiled(1.0, "size")]}, "compiled op: size."),
        ("fork", (1,), {"outputs": [{"tokens": [8]}]}, "differ from stock's."),
    ],
)
def test_a_run_that_is_not_as_it_should_be_leaves_no_report(
    variant: str,
    places: tuple[int, ...],
    found: Any,
    said: str,
    runs: Any,
    show: Callable[[], None],
    tmp_path: Path,
) -> None:
    for place in places:
        runs[variant]["steps"][place] |= found
    with pytest.raises(ForkError, match=f"^[^\n]*{said}$"):
        show()
    assert list(tmp_path.iterdir()) == []
