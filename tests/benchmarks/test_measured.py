# SPDX-License-Identifier: Apache-2.0
"""What is counted and compared: it must follow from what was observed."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import expected, sampler
from benchmarks.serving import measure, server
from tools.fork import documents


def test_ratios_are_of_the_same_round() -> None:
    samples = {"fork": [1.0, 20.0], "stock": [2.0, 10.0], "merged": [1.0, 20.0]}

    found = sampler.summarise(samples)

    quartiles = {"low": 0.875, "median": 1.25, "high": 1.625}
    assert found["rounds"] == 2
    assert found["ratios"]["fork/stock"] == quartiles
    assert found["ratios"]["fork/merged"]["median"] == 1.0


def test_requests_are_summarised_by_wave() -> None:
    def request(*times: float) -> Any:
        return {"times": [*times]}

    alone = [request(0.75, 1.0)]

    found = server.summarise(
        [[request(0.5, 3.5)], [request(0.25, 1.0), request(0.5)], alone, alone]
    )

    assert [it["size"] for it in found["waves"]] == [1, 2, 1, 1]
    assert [it["wait"] for it in found["waves"]] == [3.0, 0.75, 0.75, 0.75]
    assert (found["first"], found["alike"]) == (3.5, 1.0)
    assert found["requests"] == 5


def test_only_the_sampling_step_after_start_up_is_in_the_trace(tmp_path: Path) -> None:
    head = "V1125 02:34:56.279000 7 torch/_dynamo/utils.py:1]"

    def metrics(at: int, name: str) -> str:
        found = {"co_name": "count", "co_filename": name, "duration_us": 2_000_000}
        found |= {"start_time_us": at * 1_000_000, "fail_type": None}
        found |= {"recompile_reason": None}
        return f"{head} {json.dumps({'compilation_metrics': found})}"

    ours = "/tree/vllm/v1/sample/ops/logprobs.py"
    lines = [
        *(metrics(at, ours) for at in (125, 99, 105, 135)),
        metrics(110, "/tree/vllm/model.py"),
        f'{head} {{"artifact": {{"name": "other"}}}}',
        f"\t{metrics(110, ours)}",
    ]
    (tmp_path / "worker").write_text("\n".join(lines))
    (tmp_path / "front").write_text(metrics(130, ours))

    found = measure.compiled(tmp_path, 100.0, [110.0, 120.0, 130.0])

    assert [it["place"] for it in found] == [0, 2, 3, 3]
    assert (found[0]["function"], found[0]["seconds"]) == ("count", 2.0)


def results(part: str) -> Any:
    return documents.load(documents.ROOT / documents.FIGURES)[part]["results"]


LATE = {"compilations": [{"function": "count"}]}


@pytest.mark.parametrize(
    ("part", "number", "change", "problem"),
    [
        ("cpu", 0, {"waiting": {"fork": 1}}, "Fork compiled 1 times in calls of forw"),
        ("cpu", 0, {"waiting": {"stock": 1}}, "vocabulary 32000, so this shows"),
        (
            "trainer",
            3,
            LATE,
            "start-up of the trainer with a warm cache; expected",
        ),
        (
            "trainer",
            1,
            LATE,
            "Stock compiled 1 times after the start-up of the trainer",
        ),
    ],
)
def test_what_is_not_shown_is_a_problem(
    part: str, number: int, change: Any, problem: str
) -> None:
    found = results(part)
    assert list(expected.problems(part, found)) == []
    found[number] |= change

    (said,) = expected.problems(part, found)
    assert problem in said


@pytest.mark.parametrize("what", expected.SAME)
def test_training_that_differs_is_a_problem(what: str) -> None:
    found = results("trainer")
    found[2]["steps"][4][what] = "other"

    (problem,) = expected.problems("trainer", found)

    assert problem.startswith(f"The trainer's {what} on fork, cold are others than ")
