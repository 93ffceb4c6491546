# SPDX-License-Identifier: Apache-2.0
"""Serve groups of requests from a source tree, with vLLM's own engine."""

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tools.fork import child
from tools.fork.bootstrap import VENV

SAMPLING = "vllm/v1/sample/"

Json = dict[str, Any]

# A model's vocabulary, and what to tell vLLM's LLM: all else is vLLM's default.
QWEN: Json = {"vocabulary": 151936, "dtype": "float32"}


def run(
    variant: str,
    tree: Path,
    models: list[tuple[Json, list[list[Json]]]],
    logs: Path,
    cache: Path | None = None,
    quiet: bool = False,
) -> list[Json]:
    """Serve models from a tree in one fresh process, and print what happens.

    Args:
        variant: The tree's name, for a person.
        tree: The source tree.
        models: Per model, what it is, as QWEN, and groups of requests, one after the
            other: per request what to tell SamplingParams, and in ``arrives``, if it
            does not come with its group, after how many of the engine's steps it does.
        logs: The folder for what vLLM prints.
        cache: Where compilers find what they compiled before; nothing if None.
        quiet: Whether to print nothing.

    Returns:
        Per model ``{"loaded": ..., "groups": [...]}``, as `tools.fork.engine.process`
        has them.

    Raises:
        ForkError: The engine failed.
    """
    runs: list[Json] = []
    with tempfile.TemporaryDirectory() as empty:
        env = settings(tree, cache or Path(empty))
        env["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
        results = child.call(
            [VENV / "bin/python"],
            "tools.fork.engine.process",
            {"models": models},
            env,
            logs / f"engine-{variant}.log",
        )
        for it in results:
            if "loaded" in it:
                runs.append({"loaded": it, "groups": []})
            else:
                runs[it["model"]]["groups"].append(it)
            if not quiet:
                what = "engine loaded" if "loaded" in it else f"batch {it['batch']}"
                print(f"  {variant}: {what}, {told(it)}", flush=True)
    return runs


def settings(tree: Path, cache: Path) -> dict[str, str]:
    """Return the environment for the vLLM of a tree that needs no network.

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


def of_sampling(steps: Iterable[Json]) -> Iterator[Json]:
    """Yield what steps, each with its compilations, compiled of the sampling step."""
    for step in steps:
        for it in step["compilations"]:
            if it["file"].startswith(SAMPLING):
                yield it


def told(step: Json) -> str:
    """Return, for a person, how long a step took and what of sampling it compiled."""
    names = dict.fromkeys(it["function"] for it in of_sampling([step]))
    compiled = f", compiled {' and '.join(names)}" if names else ""
    return f"{step['seconds']:.2f} s{compiled}"
