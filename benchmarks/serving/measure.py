# SPDX-License-Identifier: Apache-2.0
"""Run the trainer or the server on a tree, and read what it compiled from a trace."""

import json
import re
import tempfile
from pathlib import Path

from benchmarks.serving import server, training
from benchmarks.variants import existing, folder
from tools.fork.bootstrap import VENV
from tools.fork.child import Json
from tools.fork.engine.generate import SAMPLING, settings
from tools.fork.sampler.observe import record
from tools.fork.testing import hub

# Words enough for the tokenizer's whole vocabulary.
_TEXTS = "docs/**/*.md"
# What torch's trace says of each compilation, first ones included.
_METRICS = re.compile(r'^V.*?\] (\{"compilation_metrics".*)$', re.M)


def measure(what: str, variant: str, cache: str, scratch: Path) -> list[Json]:
    """Measure the ``trainer`` or the ``server`` with one cache; return one result.

    A cache is ``cold``, or ``warm``, after cold with the same ``scratch``, which also
    keeps the model.
    """
    existing(VENV / "bin/vllm")
    tree, model = folder(variant), scratch / "model"
    if not model.exists():
        texts = sorted(folder("stock").glob(_TEXTS))
        model.mkdir()
        hub.make_model(model, [it.read_text() for it in texts])
    run = {"trainer": training.run, "server": server.run}[what]
    with tempfile.TemporaryDirectory(dir=scratch) as trace:
        env = settings(tree, scratch / f"{what}-{variant}") | {"TORCH_TRACE": trace}
        found = run(model, env)
        compilations = compiled(Path(trace), found.pop("up"), found.pop("starts"))
    return [{"variant": variant, "cache": cache, **found, "compilations": compilations}]


def compiled(trace: Path, up: float, starts: list[float]) -> list[Json]:
    """Return what of the sampling step was compiled after start-up, in order.

    Each process writes a file into the folder ``trace``. Start-up had ended ``up``
    seconds after the epoch, and ``starts`` says when each step or wave of requests
    began. The ``place`` of a compilation is the step or wave during or after which it
    came, counted from 1; 0 is before the first.
    """
    found = []
    for file in trace.iterdir():
        for line in _METRICS.findall(file.read_text(errors="replace")):
            metrics = json.loads(line)["compilation_metrics"]
            compilation = record(metrics)
            start = (metrics["start_time_us"] or 0) / 1e6
            if start > up and compilation["file"].startswith(SAMPLING):
                place = sum(began <= start for began in starts)
                seconds = round(compilation["seconds"], 3)
                kept = {"function": compilation["function"], "seconds": seconds}
                found.append((start, {**kept, "place": place}))
    return [it for _, it in sorted(found, key=lambda pair: pair[0])]
