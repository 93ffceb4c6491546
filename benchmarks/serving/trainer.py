# SPDX-License-Identifier: Apache-2.0
"""Train against a tree's vLLM with TRL, in a process that has TRL beside it."""

import json
import os
import sys
from pathlib import Path

from benchmarks.variants import LOGS
from tools.fork import child
from tools.fork.bootstrap import ROOT, VENV
from tools.fork.child import Json
from tools.fork.program import Word, uv

TRL = "1.6.0"


def run(model: Path, env: dict[str, str]) -> Json:
    """Train a model; return what `benchmarks.serving.training` has measured."""
    env = {
        **env,
        "PYTHONPATH": os.pathsep.join([env["PYTHONPATH"], str(_packages())]),
        # As colocated engines run: all is compiled in the trainer's process.
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    }
    module, log = "benchmarks.serving.training", LOGS / "trainer.log"
    asked = {"folder": str(model)}
    (found,) = child.call([sys.executable], module, asked, env, log)
    return dict(found)


def _packages() -> Path:
    """Return a folder with TRL, and what it needs beyond the virtual environment.

    All that the environment has is left out: TRL would bring a torch of its own, which
    is large, and the extensions of vLLM do not fit another.
    """
    target = ROOT / "build" / f"trl-{TRL}-{sys.implementation.cache_tag}"
    python: list[Word] = ["-p", VENV / "bin/python"]
    failure = f"TRL {TRL} could not be installed; uv said:"
    listed = uv(failure, "pip", "list", "--format=json", *python)
    excludes = ROOT / "build/trl-excludes.txt"
    excludes.write_text("\n".join(it["name"] for it in json.loads(listed)))
    options: list[Word] = ["--target", target, "--excludes", excludes]
    uv(failure, "pip", "install", *python, *options, f"trl=={TRL}")
    return target
