# SPDX-License-Identifier: Apache-2.0
"""The demo: what it says must follow from what was measured."""

import json
from pathlib import Path
from typing import Any

import pytest

from tools.fork.engine import demo, generate
from tools.fork.release import described
from tools.fork.source.tree import Trees


def compiled(seconds: float, reason: str | None) -> Any:
    file = f"{generate.SAMPLING}ops/a.py"
    return {"function": "op", "file": file, "seconds": seconds, "reason": reason}


def group(batch: int, seconds: float, *compilations: Any) -> Any:
    timed = {"batch": batch, "seconds": seconds, "compilations": [*compilations]}
    return {**timed, "outputs": [{"tokens": [7]}]}


def run(loading: float, ahead: float, *groups: Any) -> Any:
    compilations = [{**compiled(ahead, None), "file": ""}]
    loaded = {"device": "cpu", "seconds": loading, "compilations": compilations}
    return {"loaded": loaded, "steps": [*groups]}


@pytest.fixture
def runs() -> Any:
    first, stall = compiled(2.5, None), compiled(0.75, "size")
    stock = group(1, 3.0, first), group(2, 1.0, stall), group(2, 0.1)
    fork = group(1, 0.1), group(2, 0.1), group(2, 0.1)
    return {"stock": run(8.0, 2.5, *stock), "fork": run(11.5, 6.0, *fork)}


def test_a_run_as_it_should_be(runs: Any) -> None:
    assert list(demo.find_problems(runs)) == []
    result = {"variants": runs}
    assert demo.summary(result) == (
        "While requests waited, stock compiled 2 times, 3.25 s, fork compiled 0 times, "
        "0.00 s. Loading the engine took 8 s on stock (2.5 s of it compiling), 12 s on "
        "fork (6.0 s of it compiling). Tokens, ranks and logprobs are the same, bit "
        "for bit."
    )
    assert list(demo.rows(result)) == [
        "| batch | stock | fork |",
        "| --- | --- | --- |",
        "| loading | 8.00 s | 11.50 s |",
        "| 1 | 3.00 s, compiled op | 0.10 s |",
        "| 2 | 1.00 s, compiled op | 0.10 s |",
        "| 2 | 0.10 s | 0.10 s |",
    ]


@pytest.mark.parametrize(
    ("place", "found", "said"),
    [
        (0, {"compilations": [compiled(1.0, None)]}, "compiled op: the first time."),
        (2, {"compilations": [compiled(1.0, "size")]}, "compiled op: size."),
        (1, {"outputs": [{"tokens": [8]}]}, "differ from stock's."),
    ],
)
def test_what_the_fork_must_not_do_is_found(
    place: int, found: Any, said: str, runs: Any
) -> None:
    elsewhere = {**compiled(1.0, "no"), "file": "vllm/other.py"}
    group = runs["fork"]["steps"][place]
    group |= found
    group["compilations"].append(elsewhere)

    (problem,) = demo.find_problems(runs)
    assert problem.endswith(said)


@pytest.mark.parametrize(("compiles", "status"), [(True, 0), (False, 1)])
def test_the_demo_succeeds_only_if_it_shows_something(
    compiles: bool,
    status: int,
    runs: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for group in runs["stock"]["steps"] if not compiles else ():
        group["compilations"].clear()
    # What an earlier demo found must not pass for this one's.
    (tmp_path / "report").mkdir()
    for name in ("demo.json", "demo.png"):
        (tmp_path / "report" / name).write_text("{}")
    machine = {"torch": "2", "cores": 2, "cpu": "A CPU", "gpu": None, "date": "today"}
    monkeypatch.setattr(generate, "run", lambda variant, *_: [runs[variant]])
    monkeypatch.setattr(demo, "tree_name", lambda tree: "1234")
    monkeypatch.setattr(demo, "ROOT", tmp_path)
    monkeypatch.setattr(demo.machine, "describe", lambda: machine)
    trees = Trees(*[tmp_path] * 4)

    assert demo.run(described(None), trees, tmp_path / "report") == status

    file, drawn = (tmp_path / "report" / it for it in ("demo.json", "demo.png"))
    if compiles:
        written = json.loads(file.read_text())
        batches = [step["batch"] for step in written["variants"]["fork"]["steps"]]
        assert batches == [1, 2, 2]
        assert drawn.read_bytes().startswith(b"\x89PNG")
    else:
        assert "shows nothing" in capsys.readouterr().out
        assert not file.exists()
