# SPDX-License-Identifier: Apache-2.0
"""The fork's sampler, by real Inductor, in vLLM itself: PYTHONPATH names the fork."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from rows import LAYOUTS, MODES, VOCABULARY, logits, metadata
from tools.fork.bootstrap import ROOT
from tools.fork.sampler.observe import compilations
from vllm.config import set_current_vllm_config
from vllm.v1.sample.sampler import Sampler


def sampler_of(mode: str = "raw_logprobs", dtype: torch.dtype = torch.float32) -> Any:
    """Construct a sampler as a worker does, which is not in inference mode."""
    model = SimpleNamespace(
        runner_type="generate", get_vocab_size=lambda: VOCABULARY, dtype=dtype
    )
    # What vLLM itself asks a config for when it is no longer the current one.
    compilation = SimpleNamespace(custom_ops=["none"], mode=0, level=0)
    config: Any = SimpleNamespace(
        model_config=model,
        compilation_config=compilation,
        additional_config={},
        kernel_config=SimpleNamespace(enable_jit_warmup=True),
    )
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


def sample(batch: int, sampler: Any) -> None:
    """Sample a few times, as each thread has to: inference mode is a thread's own."""
    with torch.inference_mode():
        for _ in range(5):
            check(sampler(logits(batch), metadata(batch)), logits(batch))


@pytest.mark.parametrize("ready", [True, False], ids=["ready", "not yet compiled"])
def test_threads_that_sample_at_once(ready: bool) -> None:
    sampler = sampler_of("raw_logits") if ready else Sampler("raw_logits")
    together = threading.Barrier(4)

    def work(batch: int) -> None:
        together.wait()
        sample(batch, sampler)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, (1, 2, 1, 8)))  # and raise what any of them raised


def test_nothing_compiles_in_another_thread() -> None:
    """Alone: in several at once Dynamo's guards may fail for no reason, as on stock."""
    sampler = sampler_of("raw_logits")
    compilations()

    for batch in (1, 2, 1, 8):
        with ThreadPoolExecutor(1) as thread:
            thread.submit(sample, batch, sampler).result()

    assert compilations() == []


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
    # In a process of its own: Dynamo remembers which sizes have changed before.
    cache = str(ROOT / "build/cache/sampler")
    env = {**os.environ, "TORCHINDUCTOR_CACHE_DIR": cache}
    env["TORCH_DYNAMO_AUTOMATIC_DYNAMIC_LOCAL_PGO"] = "0"  # also on disk

    printed = subprocess.check_output([sys.executable, "-c", WITHOUT_MARKS], env=env)

    assert printed.split()[-1] == b"5"
