# SPDX-License-Identifier: Apache-2.0
"""Read from torch's trace what of the sampling step was compiled, and when."""

import json
import re
from pathlib import Path
from typing import Any

from benchmarks.sampler.compilations import why
from tools.fork.engine.generate import SAMPLING

# What the trace says of each compilation, first ones included.
_METRICS = re.compile(r'^V.*?\] (\{"compilation_metrics".*)$', re.M)

Json = dict[str, Any]


def compiled(folder: Path, tree: Path, up: float, starts: list[float]) -> list[Json]:
    """Return what of the sampling step was compiled after start-up, in order.

    Args:
        folder: What TORCH_TRACE named; each process writes a file into it.
        tree: The source tree that vLLM ran from.
        up: When start-up had ended, in seconds since the epoch.
        starts: When each step or wave of requests began, likewise.

    Returns:
        Of each the ``function``, the ``seconds``, the ``reason``, None for a first
        compilation, and the ``place``: the step or wave during or after which it came,
        counted from 1; 0 is before the first.
    """
    found = []
    for file in folder.iterdir():
        for line in _METRICS.findall(file.read_text(errors="replace")):
            it = json.loads(line)["compilation_metrics"]
            start = (it["start_time_us"] or 0) / 1e6
            name = (it["co_filename"] or "").removeprefix(f"{tree}/")
            if start > up and name.startswith(SAMPLING):
                compilation = {
                    "function": it["co_name"],
                    "seconds": round((it["duration_us"] or 0) / 1e6, 3),
                    "reason": why(it["recompile_reason"]),
                    "place": sum(began <= start for began in starts),
                }
                found.append((start, compilation))
    return [it for _, it in sorted(found, key=lambda pair: pair[0])]
