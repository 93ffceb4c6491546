# SPDX-License-Identifier: Apache-2.0
"""Serve groups of requests from a source tree, with vLLM's own engine."""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.fork import ForkError
from tools.fork.bootstrap import ROOT, VENV
from tools.fork.program import environment

SAMPLING = "vllm/v1/sample/"

Json = dict[str, Any]

# glibc gives freed memory back by thresholds that depend on what was freed before, so
# on whether something was compiled, and steps then differ by page faults. Keep all of
# it, as the allocator does that vLLM recommends.
_ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": "4000000000",
    "MALLOC_TRIM_THRESHOLD_": "4000000000",
}
# What to serve: the vocabulary of the model, and what to tell vLLM's LLM.
QWEN: Json = {"vocabulary": 151936, "dtype": "float32", "enforce_eager": True}


def run(
    variant: str,
    tree: Path,
    setup: Json,
    groups: list[list[Json]],
    logs: Path,
    cache: Path | None = None,
    quiet: bool = False,
    venv: Path | None = None,
) -> Json:
    """Serve groups of requests from a tree, in a fresh process.

    Args:
        variant: The tree's name, for a person.
        tree: The source tree.
        setup: What to serve, as QWEN.
        groups: Per request, what to tell SamplingParams.
        logs: The folder for what vLLM prints.
        cache: Where compilers find what they compiled before; nothing if None.
        quiet: Whether not to print each group.
        venv: The virtual environment that has what the tree needs; this one if None.

    Returns:
        ``{"loaded": ..., "groups": [...]}`` as `tools.fork.engine.process` has them.

    Raises:
        ForkError: The engine failed.
    """
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"engine-{variant}.log"
    results: Json = {"groups": []}
    with tempfile.TemporaryDirectory() as empty, log.open("w") as errors:
        env = {
            **settings(tree, cache or Path(empty)),
            "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
            **_ALLOCATOR,
        }
        process = subprocess.Popen(
            [(venv or VENV) / "bin/python", "-m", "tools.fork.engine.process"],
            cwd=ROOT,
            env=environment(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        assert process.stdin
        assert process.stdout
        json.dump({"setup": setup, "groups": groups}, process.stdin)
        process.stdin.close()
        for line in process.stdout:
            ((kind, content),) = json.loads(line).items()
            if not quiet:
                _print_progress(variant, kind, content)
            if kind == "group":
                results["groups"].append(content)
            else:
                results[kind] = content
    if process.wait() or len(results["groups"]) != len(groups):
        last = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise ForkError(f"The engine failed on {variant}; {log} ends:\n{last}")
    return results


def settings(tree: Path, cache: Path) -> dict[str, str]:
    """Return the environment for a vLLM that needs no network.

    Args:
        tree: The source tree to run from.
        cache: Where compilers find what they compiled before; empty is a cold cache.
    """
    return {
        "PYTHONPATH": str(tree),
        "TORCHINDUCTOR_CACHE_DIR": str(cache),
        "VLLM_CACHE_ROOT": str(cache),
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "HF_HUB_OFFLINE": "1",
    }


def of_sampling(groups: list[Json]) -> Iterator[Json]:
    """Yield what groups had to compile of the sampling step."""
    for group in groups:
        for it in group["compilations"]:
            if it["file"].startswith(SAMPLING):
                yield it


def _print_progress(variant: str, kind: str, content: Json) -> None:
    took = f"{content['seconds']:.2f} s"
    names = [it["function"] for it in of_sampling([content])]
    compiled = f", compiled {' and '.join(dict.fromkeys(names))}" if names else ""
    what = f"batch {content['batch']}" if kind == "group" else "engine loaded"
    print(f"  {variant}: {what}, {took}{compiled}", flush=True)
