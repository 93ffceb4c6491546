# SPDX-License-Identifier: Apache-2.0
"""The fork's sampler, by real Inductor, in vLLM itself: PYTHONPATH names the fork."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
import torch

from rows import LAYOUTS, MODES, VOCABULARY, logits, metadata
from tools.fork.sampler.observe import compilations
from vllm.config import set_current_vllm_config
from vllm.v1.sample.sampler import Sampler


def sampler_of(mode: str, dtype: torch.dtype = torch.float32) -> Any:
    """Construct a sampler as a worker does, which is not in inference mode."""
    model = SimpleNamespace(
        runner_type="generate", get_vocab_size=lambda: VOCABULARY, dtype=dtype
    )
    kernel = SimpleNamespace(enable_jit_warmup=True)
    # A Mock for what vLLM itself asks a config when it is no longer the current one.
    config: Any = Mock(model_config=model, kernel_config=kernel)
    with torch.inference_mode(False), set_current_vllm_config(config):
        return Sampler(mode)


def check(output: Any, rows: Any) -> None:
    """Hold the ranks to eager ones; only raw logits let that be done from outside."""
    tokens = output.sampled_token_ids.long()
    expected = (rows >= rows.gather(-1, tokens)).sum(-1)
    ranks = output.logprobs_tensors.selected_token_ranks
    assert ranks.dtype == torch.int64
    assert torch.equal(ranks, expected)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_nothing_compiles_after_construction(
    dtype: torch.dtype, layout: str, mode: str
) -> None:
    sampler = sampler_of(mode, dtype)
    ahead = compilations()

    for batch in (1, 2, 8, 3, 1):
        for top_p in (None, 0.9):
            rows = logits(batch, layout, dtype)
            output = sampler(rows, metadata(batch, top_p))
            if mode == "raw_logits":
                check(output, logits(batch, layout, dtype))

    assert "batched_count_greater_than" in {it["function"] for it in ahead}
    assert compilations() == []


@pytest.mark.parametrize(("threads", "ready"), [(1, True), (4, True), (4, False)])
def test_threads_that_sample(threads: int, ready: bool) -> None:
    """In several at once Dynamo's guards may fail for no reason, as on stock."""
    sampler = sampler_of("raw_logits") if ready else Sampler("raw_logits")
    compilations()
    together = threading.Barrier(threads)

    def work(batch: int) -> None:
        together.wait()
        with torch.inference_mode():  # a thread's own
            for _ in range(5):
                check(sampler(logits(batch), metadata(batch)), logits(batch))

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, (1, 2, 1, 8)))  # and raise what any of them raised
    assert threads > 1 or compilations() == []


WITHOUT_MARKS = """
import torch
from vllm.v1.sample.ops.logprobs import batched_count_greater_than

with torch.inference_mode():
    for vocabulary, batches in ((1000, (3, 5, 1, 8)), (2000, (3, 5, 1))):
        for batch in batches:
            x = torch.zeros(batch, vocabulary)
            batched_count_greater_than(x, x[:, :1].clone())
print(torch._dynamo.utils.counters["stats"]["unique_graphs"])
"""


def test_calls_without_marks_get_more_graphs() -> None:
    """As README's limits have it."""
    # In a process of its own: Dynamo remembers, on disk too, which sizes have changed.
    env = {**os.environ, "TORCH_DYNAMO_AUTOMATIC_DYNAMIC_LOCAL_PGO": "0"}

    printed = subprocess.check_output([sys.executable, "-c", WITHOUT_MARKS], env=env)

    assert printed.split()[-1] == b"5"
