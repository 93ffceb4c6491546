# SPDX-License-Identifier: Apache-2.0
"""Serve groups of requests from a source tree, with vLLM's own engine."""

from collections.abc import Iterable
from pathlib import Path

from tools.fork import child
from tools.fork.bootstrap import VENV
from tools.fork.child import Json

SAMPLING = "vllm/v1/sample/"

# A model's vocabulary, and what to tell vLLM's LLM: all else is vLLM's default.
QWEN: Json = {"vocabulary": 151936, "dtype": "float32"}


def run(
    variant: str,
    tree: Path,
    models: list[tuple[Json, list[list[Json]]]],
    logs: Path,
    cache: Path,
) -> list[Json]:
    """Serve models from a tree in one fresh process, and print what happens.

    Each of ``models`` is what the model is, as QWEN, and groups of requests, one after
    the other: per request what to tell SamplingParams, and in ``arrives``, if it does
    not come with its group, after how many of the engine's steps it does. Of each is
    returned, as `tools.fork.engine.process` has it, how it was ``loaded``, and as
    ``steps`` its groups.
    """
    runs: list[Json] = []
    results = child.call(
        [VENV / "bin/python"],
        "tools.fork.engine.process",
        {"models": models},
        {**settings(tree, cache), "VLLM_ENABLE_V1_MULTIPROCESSING": "0"},
        logs / f"engine-{variant}.log",
    )
    for it in results:
        model = it.pop("model")
        if "batch" in it:
            runs[model]["steps"].append(it)
        else:
            runs.append({"loaded": it, "steps": []})
        what = f"batch {it['batch']}" if "batch" in it else "engine loaded"
        print(f"  {variant}: {what}, {told(it)}", flush=True)
    return runs


def settings(tree: Path, cache: Path) -> dict[str, str]:
    """Return the settings for the vLLM of a tree that needs no network.

    Compilers look in ``cache`` for what they compiled before; empty is a cold cache.
    """
    return {
        "PYTHONPATH": str(tree),
        "TORCHINDUCTOR_CACHE_DIR": str(cache),
        "VLLM_CACHE_ROOT": str(cache),
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "HF_HUB_OFFLINE": "1",
    }


def of_sampling(steps: Iterable[Json]) -> list[Json]:
    """Return what steps, each with its compilations, compiled of the sampling step."""
    compiled = [it for step in steps for it in step["compilations"]]
    return [it for it in compiled if it["file"].startswith(SAMPLING)]


def told(step: Json) -> str:
    """Return, for a person, how long a step took and what of sampling it compiled."""
    names = dict.fromkeys(it["function"] for it in of_sampling([step]))
    compiled = f", compiled {' and '.join(names)}" if names else ""
    return f"{step['seconds']:.2f} s{compiled}"
