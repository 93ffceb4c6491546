# SPDX-License-Identifier: Apache-2.0
"""Call a sampler with nothing compiled before, and observe what it compiles."""

import os
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tools.fork.sampler.stand_ins import Modules

Json = dict[str, Any]


def forget(cache: "str | Path", device: str) -> None:
    """Forget what was compiled; what will be is looked for and kept in ``cache``."""
    import torch
    from torch._inductor import cpu_vec_isa, utils

    if device == "cpu":
        # Asked once a process, by building and loading trial programs.
        cpu_vec_isa.pick_vec_isa()
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(cache)
    torch._dynamo.reset()
    utils.clear_caches()


def construct(modules: Modules, vocabulary: int, *arguments: Any) -> Any:
    """Construct a ``Sampler`` as the worker of a float32 model does."""
    import torch

    model = SimpleNamespace(
        runner_type="generate", get_vocab_size=lambda: vocabulary, dtype=torch.float32
    )
    warm = SimpleNamespace(enable_jit_warmup=True)
    config = SimpleNamespace(model_config=model, kernel_config=warm)
    with modules.config.set_current_vllm_config(config):
        return modules.sampler.Sampler(*arguments)


def observe(call: Callable[[], Any]) -> Json:
    """Call, and return the seconds, the ``error`` or None, and the ``compilations``."""
    compilations()
    error = None
    start = time.perf_counter()
    try:
        call()
    except Exception as raised:
        # Without words there is no colon either.
        error = f"{type(raised).__name__}: {raised}".splitlines()[0].rstrip(": ")
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "error": error, "compilations": compilations()}


def compilations(_: Any = None) -> list[Json]:
    """Return what this process has compiled since this was last asked.

    A worker of vLLM's can be told to call this; it passes itself.
    """
    from torch._dynamo import utils

    metrics = utils.get_compilation_metrics()
    utils.clear_compilation_metrics()
    return [record(vars(it)) for it in metrics]


def record(metrics: Mapping[str, Any]) -> Json:
    """Return what we keep of one of Dynamo's CompilationMetrics."""
    return {
        "function": metrics["co_name"],
        # From vllm/ on, whatever tree that is in.
        "file": re.sub(r".*/(?=vllm/)", "", metrics["co_filename"] or ""),
        "seconds": (metrics["duration_us"] or 0) / 1e6,
        "reason": metrics["recompile_reason"],
        "failed": metrics["fail_type"] is not None,
    }
