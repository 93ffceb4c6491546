"""Count what one variant compiles while the batch and the vocabulary change."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.variants import Variant

BATCHES = (1, 2, 3, 8, 64, 257, 0, 1)
VOCABULARIES = (32000, 128256, 151936)
# Called again once the number of threads is another.
THREADS_BATCHES = (1, 2)

Json = dict[str, Any]


def measure(
    variants: list[str], cells: list[Json], cache: str, device: str
) -> list[Json]:
    """Call the samplers of variants through the whole sequence, once a cell.

    Each cell starts with nothing in memory and a folder of its own in Inductor's cache.

    Args:
        variants: Those that compile, or one of them.
        cells: Per cell the ``level`` (``gather_logprobs`` or ``forward``), the
            ``dtype`` of the logits (``float32``, or ``bfloat16`` for logprobs that are
            raw logits) and whether in ``inference`` mode.
        cache: ``cold`` or ``warm``: what TORCHINDUCTOR_CACHE_DIR is; for the result.
        device: ``cpu`` or ``cuda``.

    Returns:
        Per variant its name, the cache and, per cell, its calls: batch, vocabulary and
        seconds, whether the number of threads had changed, the error that the call
        ended with or None, and what was compiled during it.
    """
    import torch
    from torch._inductor import compile_fx, cpu_vec_isa, utils  # noqa: F401

    if device == "cpu":
        # Asked once a process, by building and loading trial programs.
        cpu_vec_isa.pick_vec_isa()
    folder = os.environ["TORCHINDUCTOR_CACHE_DIR"]
    threads = torch.get_num_threads()
    result: list[Json] = []
    for variant in variants:
        done = []
        for cell in cells:
            name = "-".join(str(it) for it in (variant, *cell.values()))
            os.environ["TORCHINDUCTOR_CACHE_DIR"] = os.path.join(folder, name)
            torch._dynamo.reset()
            utils.clear_caches()
            torch.set_num_threads(threads)
            with torch.inference_mode(cell["inference"]):
                calls = list(_sequence(variant, cell["level"], cell["dtype"], device))
            done.append({**cell, "calls": calls})
        result.append({"variant": variant, "cache": cache, "cells": done})
    return result


def _sequence(variant: str, level: str, dtype: str, device: str) -> Iterator[Json]:
    import torch

    mode = "raw_logits" if dtype == "bfloat16" else "raw_logprobs"
    loaded = Variant.load(variant, device, mode)
    for vocabulary in VOCABULARIES:
        noise = torch.randn(max(BATCHES), vocabulary, device=device)
        logits = noise.to(getattr(torch, dtype))
        for batch in BATCHES:
            yield _call(loaded, level, logits[:batch].clone(), False)
    torch.set_num_threads(torch.get_num_threads() - 1 or 2)
    for batch in THREADS_BATCHES:
        yield _call(loaded, level, logits[:batch].clone(), True)


def _call(variant: Variant, level: str, logits: Any, threads_changed: bool) -> Json:
    from torch._dynamo import utils

    call = variant.calls(level, logits)
    utils.clear_compilation_metrics()
    error = None
    start = time.perf_counter()
    try:
        call()
    except Exception as raised:
        error = f"{type(raised).__name__}: {str(raised).splitlines()[0]}"
    return {
        "batch": logits.shape[0],
        "vocabulary": logits.shape[1],
        "threads_changed": threads_changed,
        "seconds": time.perf_counter() - start,
        "error": error,
        "compilations": [_compilation(it) for it in utils.get_compilation_metrics()],
    }


def _compilation(metrics: Any) -> Json:
    return {
        "function": metrics.co_name,
        "file": Path(metrics.co_filename or "").name,
        "seconds": (metrics.duration_us or 0) / 1e6,
        "reason": metrics.recompile_reason,
        "failed": metrics.fail_type is not None,
    }
