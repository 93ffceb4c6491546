"""The demo: what it says must follow from what was measured."""

from pathlib import Path
from typing import Any

import pytest

from tools.fork import demo, picture


def compiled(seconds: float, reason: str | None) -> Any:
    file = f"{demo.SAMPLING}ops/a.py"
    return {"function": "op", "file": file, "seconds": seconds, "reason": reason}


def runs() -> Any:
    first = {"batch": 1, "seconds": 3.0, "compilations": [compiled(2.5, None)]}
    stall = {"batch": 2, "seconds": 1.0, "compilations": [compiled(0.75, "size")]}
    quick = {"batch": 2, "seconds": 0.1, "compilations": []}
    greedy = {**quick, "outputs": [{"tokens": [7]}]}
    return {
        "stock": {"groups": [first, stall, {**greedy}]},
        "fork": {"groups": [first, {**quick}, {**greedy}]},
    }


def result() -> Any:
    steps = {name: {"steps": run["groups"][:2]} for name, run in runs().items()}
    head = {"release": "1", "torch": "2", "device": "cpu", "vocabulary": 9}
    return {**head, "variants": steps}


def test_a_run_as_it_should_be() -> None:
    assert list(demo.find_problems(runs(), False)) == []
    assert demo.summary(result()) == (
        "After the first batch, stock recompiled 1 times and lost 0.75 s, fork "
        "recompiled 0 times and lost 0.00 s. Greedy tokens, ranks and logprobs are "
        "the same, bit for bit."
    )
    lines = list(demo.table(result()))
    assert lines[0].split() == ["batch", "stock", "fork"]
    assert lines[-3].split() == ["2", "1.00", "s", "0.10", "s"]
    assert lines[-2].split() == ["0.75", "s", "op"]
    assert lines[-1].split() == ["size"]


def test_stock_that_does_not_recompile_shows_nothing() -> None:
    variants = runs()
    variants["stock"]["groups"][1]["compilations"] = []

    (problem,) = demo.find_problems(variants, False)
    assert "shows nothing" in problem
    assert list(demo.find_problems(variants, marked=True)) == []


@pytest.mark.parametrize("place", [1, 2])
def test_a_fork_that_recompiles_is_found(place: int) -> None:
    variants = runs()
    group = variants["fork"]["groups"][place]
    elsewhere = {**compiled(1.0, "no"), "file": "vllm/other.py"}
    group["compilations"] = [compiled(1.0, "size"), elsewhere]

    (problem,) = demo.find_problems(variants, False)
    assert problem == "The fork compiled op again: size."


def test_other_greedy_output_is_found() -> None:
    variants = runs()
    variants["fork"]["groups"][2]["outputs"] = [{"tokens": [8]}]

    (problem,) = demo.find_problems(variants, False)
    assert "differ" in problem


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    picture.draw(result(), tmp_path / "demo.png")

    assert (tmp_path / "demo.png").read_bytes().startswith(b"\x89PNG")
