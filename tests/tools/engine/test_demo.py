# SPDX-License-Identifier: Apache-2.0
"""The demo: what it says must follow from what was measured."""

import json
from pathlib import Path
from typing import Any

import pytest

from tools.fork.engine import demo, picture
from tools.fork.engine.serve import SAMPLING


def compiled(seconds: float, reason: str | None) -> Any:
    file = f"{SAMPLING}ops/a.py"
    return {"function": "op", "file": file, "seconds": seconds, "reason": reason}


def loaded(seconds: float, ahead: float) -> Any:
    model = {**compiled(ahead, None), "file": ""}
    return {"seconds": seconds, "compilations": [model]}


def runs() -> Any:
    first = {"batch": 1, "seconds": 3.0, "compilations": [compiled(2.5, None)]}
    stall = {"batch": 2, "seconds": 1.0, "compilations": [compiled(0.75, "size")]}
    quick = {"batch": 2, "seconds": 0.1, "compilations": []}
    stock, fork = (
        [{**it, "outputs": [{"tokens": [7]}]} for it in groups]
        for groups in ([first, stall, quick], [quick, quick, quick])
    )
    return {
        "stock": {"loaded": loaded(8.0, 2.5), "groups": stock},
        "fork": {"loaded": loaded(11.5, 6.0), "groups": fork},
    }


def result() -> Any:
    head = {"release": "1", "torch": "2", "cores": 2, "cpu": "A CPU", "gpu": None}
    head |= {"vocabulary": 9, "date": "today"}
    variants = {name: demo._kept(run) for name, run in runs().items()}
    return {**head, "variants": variants}


def test_a_run_as_it_should_be() -> None:
    assert list(demo.find_problems(runs())) == []
    assert demo.summary(result()) == (
        "While requests waited, stock compiled 2 times, 3.25 s, fork compiled 0 times, "
        "0.00 s. Loading the engine took 8 s on stock (2.5 s of it compiling), 12 s on "
        "fork (6.0 s of it compiling). Tokens, ranks and logprobs are the same, bit "
        "for bit."
    )
    assert list(demo.rows(result())) == [
        "| batch | stock | fork |",
        "| --- | --- | --- |",
        "| loading | 8.00 s | 11.50 s |",
        "| 1 | 3.00 s, compiled op | 0.10 s |",
        "| 2 | 1.00 s, compiled op | 0.10 s |",
        "| 2 | 0.10 s | 0.10 s |",
    ]


def test_stock_that_does_not_compile_shows_nothing() -> None:
    variants = runs()
    for group in variants["stock"]["groups"]:
        group["compilations"] = []

    (problem,) = demo.find_problems(variants)
    assert "shows nothing" in problem


@pytest.mark.parametrize(
    ("reason", "said"), [("size", "size"), (None, "the first time")]
)
@pytest.mark.parametrize("place", [0, 2])
def test_a_fork_that_compiles_is_found(
    place: int, reason: str | None, said: str
) -> None:
    variants = runs()
    group = variants["fork"]["groups"][place]
    elsewhere = {**compiled(1.0, "no"), "file": "vllm/other.py"}
    group["compilations"] = [compiled(1.0, reason), elsewhere]

    (problem,) = demo.find_problems(variants)
    assert problem == f"The fork compiled op: {said}."


def test_other_output_is_found() -> None:
    variants = runs()
    variants["fork"]["groups"][1]["outputs"] = [{"tokens": [8]}]

    (problem,) = demo.find_problems(variants)
    assert "differ" in problem


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    (tmp_path / "demo.json").write_text(json.dumps(result()))

    picture.draw(tmp_path / "demo.json", tmp_path / "demo.png")

    assert (tmp_path / "demo.png").read_bytes().startswith(b"\x89PNG")
