# SPDX-License-Identifier: Apache-2.0
"""The engine as some people start it: on several ranks, and without any compiler."""

import os
from pathlib import Path
from typing import Any

import pytest

from tools.fork.engine import generate

REQUEST = {"logprobs": 0, "ignore_eos": True, "temperature": 1.0}
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


def test_without_a_compiler_nothing_is_said_of_compiling(
    engine: Any, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_COMPILE_DISABLE", "1")

    (run,) = engine("fork", [(generate.QWEN, GROUPS)])

    assert not generate.of_sampling([run["loaded"], *run["steps"]])
    assert [it["batch"] for it in run["steps"]] == [1, 2, 1]
    printed = (logs / "engine-fork.log").read_text().splitlines()
    assert [it for it in printed if "[sampler.py:" in it] == []
