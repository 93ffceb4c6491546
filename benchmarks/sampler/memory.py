# SPDX-License-Identifier: Apache-2.0
"""Measure how much memory a call takes beyond its input."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.variants import VARIANTS, calls, load
from tools.fork.sampler.observe import construct

Json = dict[str, Any]


def main(level: str, batch: int, vocabulary: int, device: str) -> Iterator[Json]:
    """Call one level of each variant, compiled before, and read the peak.

    On the CPU that is the peak of the process's resident memory, which Linux resets on
    demand; on a GPU that of torch's allocator.

    Yields:
        One result: the level, the shape, the bytes of the float32 input, and by variant
        the bytes beyond it.
    """
    import torch

    extra = {}
    with torch.inference_mode():
        logits = torch.randn(batch, vocabulary, device=device)
        for name in VARIANTS:
            loaded = load(name, device)
            call = calls(loaded, construct(loaded, vocabulary), level, logits)
            call()  # compiles
            extra[name] = (_peak_on_gpu if device == "cuda" else _peak_on_cpu)(call)
    shape = {"level": level, "batch": batch, "vocabulary": vocabulary}
    yield {**shape, "input": logits.nbytes, "extra": extra}


def _peak_on_gpu(call: Any) -> int:
    import torch

    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    call()
    return int(torch.cuda.max_memory_allocated() - before)


def _peak_on_cpu(call: Any) -> int:
    Path("/proc/self/clear_refs").write_text("5")  # the peak is now what is resident
    before = _resident("VmRSS")
    call()
    return max(0, _resident("VmHWM") - before)


def _resident(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (it for it in lines if it.startswith(f"{field}:"))
    return int(line.split()[1]) * 1024
