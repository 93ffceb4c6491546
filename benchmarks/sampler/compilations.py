# SPDX-License-Identifier: Apache-2.0
"""Count what a variant compiles, and when, while one model after another is served."""

import math
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.variants import OP, VARIANTS, calls, draw, folder
from tools.fork.child import Json
from tools.fork.sampler import stand_ins
from tools.fork.sampler.observe import construct, forget, observe

# The engine samples no empty batch, but may gather the logprobs of one.
BATCHES = {
    "gather_logprobs": (1, 2, 3, 8, 64, 257, 0, 1),
    "forward": (1, 2, 3, 8, 64, 257, 1),
}
VOCABULARIES = {"own": (32000, 128256, 151936), "padded": (32001, 50257, 50272)}
# What to count in: the type is that of the logits, the mode that of logprobs.
CELLS = [
    {"level": level, "rows": rows, "dtype": dtype, "mode": mode}
    for level, rows, dtype, mode in (
        ("gather_logprobs", "own", "float32", "raw_logprobs"),
        ("forward", "own", "float32", "raw_logprobs"),
        ("forward", "padded", "float32", "raw_logits"),
        ("forward", "padded", "bfloat16", "raw_logits"),
    )
]


def plan(quick: bool) -> Iterator[tuple[str, Json]]:
    """Yield, by title, what to ask `main` for in processes of their own."""
    # Apart for their times; counts may share a process, which takes long to start.
    for variants in [[*VARIANTS]] if quick else [[it] for it in VARIANTS]:
        yield ", ".join(variants), {"variants": variants}


def main(variants: list[str], device: str) -> Iterator[Json]:
    """Take the samplers of variants through the whole sequence, once a cell.

    Each cell starts with nothing in memory and an empty folder for Inductor's cache. It
    has its `counts`, and ``calls``, those that compiled or failed; the batch of one is
    None where the sampler is constructed.
    """
    from torch._inductor import compile_fx  # noqa: F401

    cache = Path(os.environ["TORCHINDUCTOR_CACHE_DIR"])
    for variant in variants:
        for cell in CELLS:
            forget(cache / "-".join((variant, *cell.values())), device)
            made = _sequence(variant, cell, device)
            kept = [it for it in made if it["compilations"] or it["error"]]
            yield {"variant": variant, **cell, **counts(kept), "calls": kept}


def counts(calls: list[Json]) -> Json:
    """Count in calls, as `main` has them, what compiled.

    ``lost`` are the seconds that calls spent compiling, failures included.
    """
    found = [(call["batch"], it) for call in calls for it in call["compilations"]]
    whole = [(batch, it) for batch, it in found if not it["failed"]]
    return {
        "ahead": sum(batch is None for batch, _ in whole),
        "waiting": sum(batch is not None for batch, _ in whole),
        "op": sum(it["function"] == OP for _, it in whole),
        "crashes": sum(bool(call["error"]) for call in calls),
        "lost": math.fsum(it["seconds"] for batch, it in found if batch is not None),
    }


def _sequence(variant: str, cell: Json, device: str) -> Iterator[Json]:
    import torch

    loaded = stand_ins.load(folder(variant), device)
    batches, rows = BATCHES[cell["level"]], cell["rows"]
    sampler: Any = None

    def make(vocabulary: int) -> None:
        nonlocal sampler
        sampler = construct(loaded, vocabulary, cell["mode"])

    for vocabulary in VOCABULARIES[rows]:
        made = _observe(partial(make, vocabulary))
        yield {"vocabulary": vocabulary, "batch": None, **made}
        # As a model computes its logits: tensors of inference mode are others.
        with torch.inference_mode():
            logits = draw(max(batches), vocabulary, rows, device, cell["dtype"])
            for batch in batches:
                call = calls(loaded, sampler, cell["level"], logits[:batch])
                yield {"vocabulary": vocabulary, "batch": batch, **_observe(call)}


def _observe(call: Any) -> Json:
    found = observe(call)
    error = found["error"] and found["error"].split(" - ")[0]
    compilations = [
        {**kept(it), "failed": it["failed"]} for it in found["compilations"]
    ]
    return {"error": error, "compilations": compilations}


def kept(compilation: Json) -> Json:
    """Return the function, the rounded seconds, and Dynamo's reason to compile again.

    The reason, None for a first compilation, is without numbers and places.
    """
    reason = compilation["reason"]
    return {
        "function": compilation["function"],
        "seconds": round(compilation["seconds"], 3),
        # What comes behind "#" is where in the source that was decided.
        "reason": reason and reason.split("  #")[0].split(": ", 1)[-1],
    }
