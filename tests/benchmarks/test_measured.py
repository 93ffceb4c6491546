# SPDX-License-Identifier: Apache-2.0
"""What is counted and compared: it must follow from what was observed."""

import json
from pathlib import Path
from typing import Any

import pytest

import measured
from benchmarks import expected
from benchmarks.sampler import compilations, steady
from benchmarks.serving import client, server, trace, trainer
from measured import compiled


def test_compilations_are_counted_ahead_and_in_calls() -> None:
    other = compiled(0.25, function="other", failed=True)
    found = {None: [compiled(8.0)], 1: [compiled(1.0), compiled(2.0)], 0: [other]}

    counts = compilations.counts(
        [
            {"batch": batch, "error": "bug" if batch == 0 else None, "compilations": it}
            for batch, it in found.items()
        ]
    )

    assert counts == {"ahead": 1, "waiting": 2, "op": 3, "crashes": 1, "lost": 3.25}


def test_ratios_are_of_the_same_round() -> None:
    samples = {"fork": [1.0, 20.0], "stock": [2.0, 10.0], "merged": [1.0, 20.0]}

    found = steady.summarise({**samples, "limit": [1.0, 1.0]})

    assert found["rounds"] == 2
    assert found["ratios"]["fork/stock"] == {
        "low": 0.875,
        "median": 1.25,
        "high": 1.625,
    }
    assert found["ratios"]["fork/merged"]["median"] == 1.0


def request(wave: int, size: int, *times: float) -> Any:
    return {"wave": wave, "size": size, "error": None, "times": [*times]}


def test_requests_are_summarised_by_wave() -> None:
    pair = [request(1, 2, 0.25, 1.0), request(1, 2, 0.5)]
    alone = [request(wave, 1, 0.5, 1.0) for wave in (2, 3)]

    found = server.summarise([request(0, 1, 0.5, 3.5), *pair, *alone])

    assert [it["size"] for it in found["waves"]] == [1, 2, 1, 1]
    assert [it["wait"] for it in found["waves"]] == [3.0, 0.75, 0.5, 0.5]
    assert (found["first"], found["alike"]) == (3.5, 1.0)
    assert (found["requests"], found["failed"], found["error"]) == (5, 0, None)
    failed = server.summarise([{**request(it, 1), "error": "No."} for it in range(2)])
    assert (failed["failed"], failed["error"], failed["first"]) == (2, "No.", None)


def test_only_the_sampling_step_after_start_up_is_in_the_trace(tmp_path: Path) -> None:
    line = (
        'V1125 02:34:56.279000 7 torch/_dynamo/utils.py:1] {"compilation_metrics": %s}'
    )

    def metrics(at: int, name: str, reason: str | None = None) -> str:
        found = {"co_name": "count", "co_filename": name, "duration_us": 2_000_000}
        found |= {"recompile_reason": reason, "start_time_us": at * 1_000_000}
        return line % json.dumps(found)

    ours = "/tree/vllm/v1/sample/ops/logprobs.py"
    lines = [
        metrics(125, ours, "0/0: size  # a.py"),
        metrics(99, ours),
        metrics(110, "/tree/vllm/model.py"),
        'V1125 02:34:56.279000 7 torch/a.py:1] {"artifact": {"name": "other"}}',
        f"\t{metrics(110, ours)}",
    ]
    (tmp_path / "worker").write_text("\n".join(lines))
    (tmp_path / "front").write_text(metrics(105, ours))

    found = trace.compiled(tmp_path, Path("/tree"), 100.0, [110.0, 120.0, 130.0])

    assert found == [
        {"function": "count", "seconds": 2.0, "reason": None, "place": 0},
        {"function": "count", "seconds": 2.0, "reason": "size", "place": 2},
    ]


def test_what_should_be_shown_is_no_problem() -> None:
    assert sum(client.WAVES) * client.ROUNDS >= expected.REQUESTS
    assert trainer.STEPS >= expected.STEPS
    for name, found in measured.results().items():
        assert [*expected.problems(name, found)] == []


@pytest.mark.parametrize(
    ("cell", "change", "sentence"),
    [
        (0, {"op": 4}, "stock compiled batched_count_greater_than 4 times in gather"),
        (2, {"crashes": 0}, "merged compiled batched_count_greater_than 2 times in ga"),
        (4, {"op": 1}, "1 times in gather_logprobs and did not crash; expected were 2"),
        (5, {"waiting": 1}, "fork compiled 1 times in calls of forward, rows own, flo"),
        (5, {"crashes": 1}, "with 1 crashes; expected was none of either."),
    ],
)
def test_other_compilations_are_a_problem(
    cell: int, change: Any, sentence: str
) -> None:
    found = measured.cells()
    found[cell] |= change

    (problem,) = expected.problems("compilations_cuda", found)

    assert sentence in problem


LATE = [compiled(1.0, place=0, function="count")]


@pytest.mark.parametrize(
    ("name", "run", "change", "problem"),
    [
        ("trainer", 0, {"steps": []}, "The trainer made 0 steps on stock, cold."),
        ("trainer", 3, {"compilations": LATE}, "compiled count after start-up on fork"),
        ("trainer", 1, {"compilations": LATE}, "compiled 1 times after start-up on st"),
        ("server", 0, {"failed": 1, "error": "No."}, "failed 1 requests on stock, col"),
        ("server", 1, {"requests": 499}, "The server got 499 requests on stock, warm."),
        ("server", 3, {"compilations": LATE}, "compiled count after start-up on fork"),
    ],
)
def test_what_is_not_shown_is_a_problem(
    name: str, run: int, change: Any, problem: str
) -> None:
    found = measured.results()[name]
    found[run] |= change

    assert problem in next(expected.problems(name, found))
