# SPDX-License-Identifier: Apache-2.0
"""The engine as some people start it: on several ranks, and without any compiler."""

import os
from typing import Any

import pytest

from tools.fork.engine import generate
from tools.fork.engine.rollout import REQUEST

# Of a prompt of 6 tokens, 4 at a time, the second part has the logprobs of one row.
# No seeds: a CPU's stock release fails on a seeded request whose prompt comes in parts.
CHUNKS = {
    "vocabulary": 50257,
    "dtype": "bfloat16",
    "max_logprobs": -1,
    "max_num_batched_tokens": 4,
    "max_num_seqs": 4,
}
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
    assert list(generate.of_sampling(run["groups"])) == []


def test_all_logprobs_and_prompts_in_chunks_are_as_stock_has_them(engine: Any) -> None:
    models = [(CHUNKS, [[ALL], [ALL, ALL]])]

    ((stock,), (fork,)) = (engine(variant, models) for variant in ("stock", "fork"))

    assert list(generate.of_sampling(fork["groups"])) == []
    outputs = [group["outputs"] for group in fork["groups"]]
    assert outputs == [group["outputs"] for group in stock["groups"]]
    ((_, positions),) = outputs[0][0]["samples"]
    assert {len(it) for it in positions} == {CHUNKS["vocabulary"]}
    assert len(outputs[0][0]["prompt_logprobs"]) == 6


def test_without_a_compiler_nothing_is_said_of_compiling(
    engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_COMPILE_DISABLE", "1")

    (run,) = engine("fork", [(generate.QWEN, GROUPS)])

    assert list(generate.of_sampling([run["loaded"], *run["groups"]])) == []
    assert [it["batch"] for it in run["groups"]] == [1, 2, 1]
    printed = (engine.logs / "engine-fork.log").read_text().splitlines()
    assert [it for it in printed if "[sampler.py:" in it] == []
