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


def step(batch: int, seconds: float, *compilations: Any) -> Any:
    timed = {"batch": batch, "seconds": seconds, "compilations": [*compilations]}
    return {**timed, "outputs": [{"tokens": [7]}]}


def loaded(seconds: float, ahead: float) -> Any:
    compilations = [{**compiled(ahead, None), "file": ""}]
    return {"device": "cpu", "seconds": seconds, "compilations": compilations}


@pytest.fixture
def runs() -> Any:
    first, stall = compiled(2.5, None), compiled(0.75, "size")
    stock = [step(1, 3.0, first), step(2, 1.0, stall), step(2, 0.1)]
    fork = [step(1, 0.1), step(2, 0.1), step(2, 0.1)]
    return {
        "stock": {"loaded": loaded(8.0, 2.5), "steps": stock},
        "fork": {"loaded": loaded(11.5, 6.0), "steps": fork},
    }


def test_a_run_as_it_should_be(runs: Any) -> None:
    assert list(demo.find_problems(runs)) == []
    assert demo.summary({"variants": runs}) == (
        "Stock compiled 2 times, 3.25 s, while requests waited; loading took 8 s, 2.5 "
        "s of it compiling. Fork compiled 0 times, 0.00 s, while requests waited; "
        "loading took 12 s, 6.0 s of it compiling. Tokens, ranks and logprobs are the "
        "same, bit for bit."
    )
    assert list(demo.rows({"variants": runs})) == [
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
    step = runs["fork"]["steps"][place]
    step |= found
    step["compilations"].append(compiled(1.0, "no") | {"file": "vllm/other.py"})

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
    for step in runs["stock"]["steps"] if not compiles else ():
        step["compilations"].clear()
    # What an earlier demo found must not pass for this one's.
    file, drawn = tmp_path / "demo.json", tmp_path / "demo.png"
    for path in (file, drawn):
        path.write_text("{}")
    machine = {"torch": "2", "cores": 2, "cpu": "A CPU", "gpu": None, "date": "today"}
    monkeypatch.setattr(generate, "run", lambda variant, *_: [runs[variant]])
    monkeypatch.setattr(demo, "tree_name", lambda tree: "1234")
    monkeypatch.setattr(demo, "ROOT", tmp_path)
    monkeypatch.setattr(demo.machine, "describe", lambda: machine)

    assert demo.run(described(None), Trees.inside(tmp_path), tmp_path) == status

    if compiles:
        written = json.loads(file.read_text())["variants"]["fork"]["steps"]
        assert [{*it} for it in written] == [{"batch", "seconds", "compilations"}] * 3
        assert drawn.read_bytes().startswith(b"\x89PNG")
    else:
        assert "shows nothing" in capsys.readouterr().out
        assert not (file.exists() or drawn.exists())
