# SPDX-License-Identifier: Apache-2.0
"""Train a small model with TRL's GRPOTrainer, and note what each step cost."""

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.expected import SAME
from benchmarks.variants import LOGS
from tools.fork import child
from tools.fork.bootstrap import ROOT, VENV
from tools.fork.child import Json
from tools.fork.program import Word, uv

TRL = "1.6.0"
_STEPS = 12
_GROUP = 8  # completions of a step
_LONGEST = 32  # tokens of a completion
_PROMPTS = ("Once upon a time", "The engine is", "How to install", "A list of models")
_STOPS = 10  # one token in so many stops, so that completions end one by one


def run(model: Path, env: dict[str, str]) -> Json:
    """Train a model, in a process that has TRL beside it; return what `main` yields."""
    env = {
        **env,
        "PYTHONPATH": os.pathsep.join([env["PYTHONPATH"], str(_packages())]),
        # As colocated engines run: all is compiled in the trainer's process.
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    }
    asked, log = {"folder": str(model)}, LOGS / "trainer.log"
    (found,) = child.call([sys.executable], __name__, asked, env, log)
    return dict(found)


def main(folder: str) -> Iterator[Json]:
    """Train for some steps, the weights synchronised with vLLM's in each: one result.

    ``up`` and ``starts``, of each step, are in seconds since the epoch; ``started`` is
    how many seconds the trainer took to be there, its engine included.

    Args:
        folder: The model, a Llama with float16 weights: on a CPU vLLM repacks other
            types as it loads them, and then takes no new ones.
    """
    start = time.time()
    import transformers
    import trl

    vocabulary = transformers.AutoConfig.from_pretrained(folder).vocab_size
    starts: list[float] = []
    seconds: list[float] = []

    class Clock(transformers.TrainerCallback):  # type: ignore[misc]
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            starts.append(time.time())

        def on_step_end(self, *_: Any, **__: Any) -> None:
            seconds.append(round(time.time() - starts[-1], 4))

    with tempfile.TemporaryDirectory() as output:
        trainer = trl.GRPOTrainer(
            folder,
            _reward,
            args=trl.GRPOConfig(output, **_options(vocabulary)),
            # TRL takes any sequence, and a list needs no package of its own.
            train_dataset=[{"prompt": it} for it in _PROMPTS * _STEPS],
            callbacks=[Clock()],
        )
        up = time.time()
        trainer.train()
    logged = [it for it in trainer.state.log_history if "loss" in it]
    steps = [
        {"seconds": took, **{name: it[name] for name in SAME}}
        for took, it in zip(seconds, logged, strict=True)
    ]
    started = {"trl": trl.__version__, "started": round(up - start, 1)}
    yield {**started, "steps": steps, "up": up, "starts": starts}


def _reward(completion_ids: list[list[int]], **_: Any) -> list[float]:
    """Return rewards that differ within a group."""
    return [len(set(it)) / _LONGEST + len(it) % 3 for it in completion_ids]


def _options(vocabulary: int) -> Json:
    """Return what to tell GRPOConfig: vLLM's default mode, the same seed each time."""
    import torch

    return {
        "use_vllm": True,
        "vllm_mode": "colocate",
        "vllm_max_model_length": 128,
        "model_init_kwargs": {"dtype": "float32"},
        "use_cpu": not torch.cuda.is_available(),
        "bf16": False,
        "per_device_train_batch_size": _GROUP,
        "num_generations": _GROUP,
        "max_completion_length": _LONGEST,
        "generation_kwargs": {"stop_token_ids": [*range(0, vocabulary, _STOPS)]},
        "learning_rate": 1e-4,
        "max_steps": _STEPS,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "seed": 0,
    }


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
