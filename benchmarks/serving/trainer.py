# SPDX-License-Identifier: Apache-2.0
"""Train against a tree's vLLM with TRL, in a process that has TRL beside it."""

import json
import os
import sys
from pathlib import Path
from typing import Any

from benchmarks import child
from benchmarks.serving import model
from benchmarks.variants import built, folder
from tools.fork.bootstrap import ROOT, VENV
from tools.fork.engine.serve import settings
from tools.fork.program import Word, uv

TRL = "1.6.0"
STEPS = 12

Json = dict[str, Any]


def measure(variant: str, cache: str, scratch: Path, report: Path) -> list[Json]:
    """Train a small model.

    Args:
        variant: One of `benchmarks.serving.engine.SERVED`.
        cache: ``cold``, or ``warm``, after cold with the same scratch folder.
        scratch: Where the model and what is compiled are kept.
        report: The folder for what the trainer prints.

    Returns:
        One result: the variant, the cache, and what `benchmarks.serving.training` has
        measured.

    Raises:
        ForkError: vLLM is not installed, TRL cannot be, or training failed.
    """
    built(VENV / "bin/vllm", variant)
    tree = folder(variant)
    env = {
        **settings(tree, scratch / f"trainer-{variant}"),
        "PYTHONPATH": os.pathsep.join(map(str, (tree, _packages()))),
        # As colocated engines run, so that all is compiled in the trainer's process.
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    }
    asked = {"folder": str(model.make(scratch / "model")), "steps": STEPS}
    log = report / f"trainer-{variant}-{cache}.log"
    trained = child.call("serving.training", asked, env, log)
    return [{"variant": variant, "cache": cache, **trained}]


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
