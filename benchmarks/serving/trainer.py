# SPDX-License-Identifier: Apache-2.0
"""Train against a tree's vLLM with TRL, in a process that has TRL beside it."""

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.serving import model, trace
from benchmarks.variants import LOGS, existing, folder
from tools.fork import child
from tools.fork.bootstrap import ROOT, VENV
from tools.fork.engine.generate import settings
from tools.fork.program import Word, uv

TRL = "1.6.0"
STEPS = 12

Json = dict[str, Any]


def measure(variant: str, cache: str, scratch: Path) -> list[Json]:
    """Train a small model; the arguments are as in `benchmarks.serving.server`.

    Returns:
        One result: the variant, the cache, what `benchmarks.serving.training` has
        measured, and its ``compilations`` as `benchmarks.serving.trace` has them.

    Raises:
        ForkError: vLLM is not installed, TRL cannot be, or training failed.
    """
    existing(VENV / "bin/vllm")
    tree = folder(variant)
    asked = {"folder": str(model.make(scratch / "model")), "steps": STEPS}
    with tempfile.TemporaryDirectory(dir=scratch) as traced:
        env = {
            **settings(tree, scratch / f"trainer-{variant}"),
            "PYTHONPATH": os.pathsep.join(map(str, (tree, _packages()))),
            # As colocated engines run: all is compiled in the trainer's process.
            "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
            "TORCH_TRACE": traced,
        }
        trainer = [sys.executable], "benchmarks.serving.training"
        (trained,) = child.call(*trainer, asked, env, LOGS / "trainer.log")
        up = trained.pop("up")
        starts = [it.pop("start") for it in trained["steps"]]
        compilations = trace.compiled(Path(traced), tree, up, starts)
    shape = {"variant": variant, "cache": cache}
    return [{**shape, **trained, "compilations": compilations}]


def _packages() -> Path:
    """Return a folder with TRL, and what it needs beyond the virtual environment.

    All that the environment has is left out: TRL would bring a torch of its own, which
    is large, and the extensions of vLLM do not fit another.
    """
    target = ROOT / "build" / f"trl-{TRL}-{sys.implementation.cache_tag}"
    python: list[Word] = ["-p", VENV / "bin/python"]
    failure = f"TRL {TRL} could not be installed; uv said:"
    listed = uv(failure, "pip", "list", "--format=json", *python)
    excludes = VENV / "excludes-trl.txt"
    excludes.write_text("\n".join(it["name"] for it in json.loads(listed)))
    options: list[Word] = ["--target", target, "--excludes", excludes]
    uv(failure, "pip", "install", *python, *options, f"trl=={TRL}")
    return target
