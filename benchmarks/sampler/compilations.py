# SPDX-License-Identifier: Apache-2.0
"""Count what a variant compiles, and when, while one model after another is served."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.variants import Variant, width
from tools.fork.sampler.observe import forget, observe

# The engine samples no empty batch, but may gather the logprobs of one.
BATCHES = {
    "gather_logprobs": (1, 2, 3, 8, 64, 257, 0, 1),
    "forward": (1, 2, 3, 8, 64, 257, 1),
}
VOCABULARIES = {"own": (32000, 128256, 151936), "padded": (32001, 50257, 50272)}

Json = dict[str, Any]


def measure(
    variants: list[str], cells: list[Json], cache: str, device: str
) -> list[Json]:
    """Take the samplers of variants through the whole sequence, once a cell.

    Each cell starts with nothing in memory and a folder of its own in Inductor's cache.

    Args:
        variants: Those that compile, or one of them.
        cells: Per cell the ``level`` (``gather_logprobs`` or ``forward``), the
            ``rows``, the ``dtype`` of the logits and the ``mode`` of the logprobs.
        cache: ``cold`` or ``warm``: what TORCHINDUCTOR_CACHE_DIR is; for the result.
        device: ``cpu`` or ``cuda``.

    Returns:
        Per variant its name, the cache and, per cell, its calls: the vocabulary, the
        batch, or None where the sampler is constructed, seconds, the error that the
        call ended with or None, and what was compiled during it.
    """
    from torch._inductor import compile_fx  # noqa: F401

    folder = Path(os.environ["TORCHINDUCTOR_CACHE_DIR"])
    result: list[Json] = []
    for variant in variants:
        done = []
        for cell in cells:
            forget(folder / "-".join((variant, *cell.values())), device)
            done.append({**cell, "calls": list(_sequence(variant, cell, device))})
        result.append({"variant": variant, "cache": cache, "cells": done})
    return result


def _sequence(variant: str, cell: Json, device: str) -> Iterator[Json]:
    import torch

    loaded = Variant.load(variant, device)
    batches, rows = BATCHES[cell["level"]], cell["rows"]
    for vocabulary in VOCABULARIES[rows]:
        samplers: list[Any] = []

        def construct(size: int = vocabulary, made: list[Any] = samplers) -> None:
            made.append(loaded.sampler(size, cell["mode"]))

        yield {"vocabulary": vocabulary, "batch": None, **observe(construct)}
        # As a model computes its logits: tensors of inference mode are others.
        with torch.inference_mode():
            noise = torch.randn(max(batches), width(vocabulary, rows), device=device)
            logits = noise.to(getattr(torch, cell["dtype"]))[:, :vocabulary]
            for batch in batches:
                call = loaded.calls(samplers[0], cell["level"], logits[:batch])
                yield {"vocabulary": vocabulary, "batch": batch, **observe(call)}
