# SPDX-License-Identifier: Apache-2.0
"""What is counted and compared: it must follow from what was observed."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import expected
from benchmarks.sampler import compilations, steady
from benchmarks.serving import measure, server
from benchmarks.variants import OP
from tools.fork import documents


def test_compilations_are_counted_ahead_and_in_calls() -> None:
    def call(batch: int | None, error: str | None, *seconds: float) -> Any:
        made = [{"function": OP, "seconds": it, "failed": False} for it in seconds]
        return {"batch": batch, "error": error, "compilations": made}

    both, failed = call(1, None, 1, 2), call(0, "bug", 0.25)
    both["compilations"][0]["function"] = "other"
    failed["compilations"][0]["failed"] = True

    counts = compilations.counts([call(None, None, 8.0), both, failed])

    assert counts == {"ahead": 1, "waiting": 2, "op": 2, "crashes": 1, "lost": 3.25}


def test_ratios_are_of_the_same_round() -> None:
    samples = {"fork": [1.0, 20.0], "stock": [2.0, 10.0], "merged": [1.0, 20.0]}

    found = steady.summarise(samples)

    quartiles = {"low": 0.875, "median": 1.25, "high": 1.625}
    assert found["rounds"] == 2
    assert found["ratios"]["fork/stock"] == quartiles
    assert found["ratios"]["fork/merged"]["median"] == 1.0


def test_requests_are_summarised_by_wave() -> None:
    def request(*times: float) -> Any:
        return {"error": None, "times": [*times]}

    alone = [request(0.75, 1.0)]

    found = server.summarise(
        [[request(0.5, 3.5)], [request(0.25, 1.0), request(0.5)], alone, alone]
    )

    assert [it["size"] for it in found["waves"]] == [1, 2, 1, 1]
    assert [it["wait"] for it in found["waves"]] == [3.0, 0.75, 0.75, 0.75]
    assert (found["first"], found["alike"]) == (3.5, 1.0)
    assert (found["requests"], found["failed"], found["error"]) == (5, 0, None)
    failed = server.summarise([alone, [{**request(), "error": "No."}]])
    assert (failed["failed"], failed["error"], failed["first"]) == (1, "No.", None)
    assert failed["waves"][1]["wait"] == 0.0


def test_only_the_sampling_step_after_start_up_is_in_the_trace(tmp_path: Path) -> None:
    head = "V1125 02:34:56.279000 7 torch/_dynamo/utils.py:1]"

    def metrics(at: int, name: str, reason: str | None = None) -> str:
        found = {"co_name": "count", "co_filename": name, "duration_us": 2_000_000}
        found |= {"start_time_us": at * 1_000_000, "fail_type": None}
        found |= {"recompile_reason": reason}
        return f"{head} {json.dumps({'compilation_metrics': found})}"

    ours = "/tree/vllm/v1/sample/ops/logprobs.py"
    lines = [
        metrics(125, ours, "0/0: size  # a.py"),
        metrics(99, ours),
        metrics(105, ours),
        metrics(135, ours),
        metrics(110, "/tree/vllm/model.py"),
        f'{head} {{"artifact": {{"name": "other"}}}}',
        f"\t{metrics(110, ours)}",
    ]
    (tmp_path / "worker").write_text("\n".join(lines))
    (tmp_path / "front").write_text(metrics(130, ours))

    found = measure.compiled(tmp_path, 100.0, [110.0, 120.0, 130.0])

    seen = [(it["place"], it["reason"]) for it in found]
    assert seen == [(0, None), (2, "size"), (3, None), (3, None)]
    assert (found[0]["function"], found[0]["seconds"]) == ("count", 2.0)


def results(name: str) -> Any:
    return documents.load(documents.ROOT / documents.FIGURES)[name]["results"]


LATE = {"compilations": [{"function": "count"}]}


@pytest.mark.parametrize(
    ("name", "number", "change", "problem"),
    [
        ("compilations_cpu", 0, {"op": 4}, "stock had 4 op, 0 crashes in gather_logp"),
        ("compilations_cpu", 4, {"crashes": 0}, "expected were 2 op, 3 crashes."),
        ("compilations_cpu", 8, {"op": 1}, "fork had 1 op, 0 waiting, 0 crashes in g"),
        ("compilations_cpu", 9, {"waiting": 1}, "in forward, rows own, float32; expe"),
        ("compilations_cpu", 9, {"crashes": 1}, "1 crashes in forward, rows own, flo"),
        ("trainer", 3, LATE, "The trainer compiled count after start-up on fork, warm"),
        ("trainer", 1, LATE, "The trainer compiled 1 times after start-up on stock"),
        ("server", 3, LATE, "The server compiled count after start-up on fork, warm"),
        ("server", 0, {"failed": 1, "error": "No."}, "on stock, cold; the first: No."),
    ],
)
def test_what_is_not_shown_is_a_problem(
    name: str, number: int, change: Any, problem: str
) -> None:
    found = results(name)
    found[number] |= change

    assert problem in next(expected.problems(name, found))


@pytest.mark.parametrize("what", ["rewards", "lengths", "loss", "grad_norm"])
def test_training_that_differs_is_a_problem(what: str) -> None:
    found = results("trainer")
    found[2]["steps"][4][what] = "other"

    (problem,) = expected.problems("trainer", found)

    assert problem.startswith(f"The trainer's {what} on fork, cold are others than ")
