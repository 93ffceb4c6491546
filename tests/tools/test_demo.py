"""The demo: what it says must follow from what was measured."""

from typing import Any

import pytest

from tools.fork import demo, picture


def compiled(seconds: float, reason: str | None, file: str = "ops/a.py") -> Any:
    file = demo.SAMPLING + file
    return {"function": "op", "file": file, "seconds": seconds, "reason": reason}


def runs() -> Any:
    first = {"batch": 1, "seconds": 3.0, "compilations": [compiled(2.5, None)]}
    stall = {"batch": 2, "seconds": 1.0, "compilations": [compiled(0.75, "size")]}
    quick = {"batch": 2, "seconds": 0.1, "compilations": []}
    greedy = {"outputs": [[{"7": [1, "0x1.8p+0"]}]], "compilations": []}
    return {
        "stock": {"steps": [first, stall], "greedy": {**greedy}},
        "fork": {"steps": [first, quick], "greedy": {**greedy}},
    }


def test_a_run_as_it_should_be() -> None:
    variants = runs()

    assert list(demo.find_problems(variants)) == []
    assert demo.summary({"variants": variants}) == (
        "After the first batch, stock recompiled 1 times and lost 0.75 s, fork "
        "recompiled 0 times and lost 0.00 s. Greedy tokens, ranks and logprobs are "
        "the same, bit for bit."
    )
    lines = list(demo.table({"variants": variants}))
    assert lines[0].split() == ["batch", "stock", "fork"]
    assert lines[-3].split() == ["2", "1.00", "s", "0.10", "s"]
    assert lines[-2].split() == ["0.75", "s", "op"]
    assert lines[-1].split() == ["size"]


def test_stock_that_does_not_recompile_shows_nothing() -> None:
    variants = runs()
    variants["stock"]["steps"][1]["compilations"] = []

    (problem,) = demo.find_problems(variants)
    assert "shows nothing" in problem


@pytest.mark.parametrize("place", ["steps", "greedy"])
def test_a_fork_that_recompiles_is_found(place: str) -> None:
    variants = runs()
    fork = variants["fork"]
    step = fork["greedy"] if place == "greedy" else fork["steps"][1]
    step["compilations"] = [compiled(1.0, "size"), compiled(1.0, "no", "../../x.py")]

    problems = list(demo.find_problems(variants))
    assert problems[0] == "The fork compiled op again: size."


def test_other_greedy_output_is_found() -> None:
    variants = runs()
    variants["fork"]["greedy"]["outputs"] = [[{"7": [2, "0x1.8p+0"]}]]

    (problem,) = demo.find_problems(variants)
    assert "differ" in problem


def test_the_picture_is_drawn(tmp_path: Any) -> None:
    head = {"release": "1", "torch": "2", "device": "cpu", "vocabulary": 9}

    picture.draw({**head, "variants": runs()}, tmp_path / "demo.png")

    assert (tmp_path / "demo.png").read_bytes().startswith(b"\x89PNG")
