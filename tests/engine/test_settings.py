# SPDX-License-Identifier: Apache-2.0
"""The engine as some people start it: on several ranks, and without any compiler."""

import os
from pathlib import Path
from typing import Any

import pytest

from tools.fork.engine import demo, generate

# Of a prompt of 6 tokens, 4 at a time, the second part has the logprobs of one row.
# No seeds: a CPU's stock release fails on a seeded request whose prompt comes in parts.
CHUNKS = {
    "vocabulary": 50257,
    "dtype": "bfloat16",
    "max_logprobs": -1,
    "max_num_batched_tokens": 4,
    "max_num_seqs": 4,
}
REQUEST = {"logprobs": 0, "ignore_eos": True, "temperature": 1.0}
ALL = {**REQUEST, "logprobs": -1, "prompt_logprobs": 3, "max_tokens": 2}
GROUPS = [[{**REQUEST, "max_tokens": 2}] * batch for batch in (1, 2, 1)]


def test_two_ranks_compile_nothing_while_requests_wait(
    engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # vLLM itself would keep a core for the engine, and here there may be but two.
    cores = sorted(os.sched_getaffinity(0))
    monkeypatch.setenv("VLLM_CPU_OMP_THREADS_BIND", f"{cores[0]}|{cores[-1]}")

    (run,) = engine("fork", [({**generate.QWEN, "tensor_parallel_size": 2}, GROUPS)])

    ahead = [it["function"] for it in generate.of_sampling([run["loaded"]])]
    assert ahead.count("batched_count_greater_than") == 2
    assert not generate.of_sampling(run["steps"])


def test_all_logprobs_and_prompts_in_chunks_are_as_stock_has_them(engine: Any) -> None:
    models = [(CHUNKS, [[ALL], [ALL, ALL]])]

    runs = {variant: engine(variant, models)[0] for variant in ("stock", "fork")}

    assert list(demo.find_problems(runs)) == []
    output, *_ = runs["fork"]["steps"][0]["outputs"]
    ((_, positions),) = output["samples"]
    assert {len(it) for it in positions} == {CHUNKS["vocabulary"]}
    assert len(output["prompt_logprobs"]) == 6


def test_without_a_compiler_nothing_is_said_of_compiling(
    engine: Any, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_COMPILE_DISABLE", "1")

    (run,) = engine("fork", [(generate.QWEN, GROUPS)])

    assert not generate.of_sampling([run["loaded"], *run["steps"]])
    assert [it["batch"] for it in run["steps"]] == [1, 2, 1]
    printed = (logs / "engine-fork.log").read_text().splitlines()
    assert [it for it in printed if "[sampler.py:" in it] == []
