# SPDX-License-Identifier: Apache-2.0
"""Serve the rollout of the end-to-end test, and note when each token comes."""

from pathlib import Path
from typing import Any

from benchmarks.variants import OF_MERGED, built, folder
from tools.fork import bootstrap
from tools.fork.engine import serve
from tools.fork.engine.rollout import GROUPS
from tools.fork.release import MERGED

SERVED = ("stock", "fork")
VARIANTS = (*SERVED, *OF_MERGED)


def measure(variant: str, logs: Path) -> list[dict[str, Any]]:
    """Serve the rollout with nothing compiled yet.

    Args:
        variant: One of VARIANTS.
        logs: The folder for what vLLM prints.

    Returns:
        One result: the variant, the seconds that loading took, and its groups, each
        with its name, its compilations and ``times``: per request, when each token
        came, in seconds after the group did.

    Raises:
        ForkError: vLLM is not installed, or the engine failed.
    """
    groups = list(GROUPS.values())
    tree = folder(variant)
    # Its release has a torch of its own.
    release = MERGED if variant in OF_MERGED else None
    venv = bootstrap.environment_for("build", release)
    built(venv / "bin/vllm", variant)
    run = serve.run(variant, tree, serve.QWEN, groups, logs, quiet=True, venv=venv)
    kept = ("compilations", "times")
    served = [
        {"name": name, **{it: group[it] for it in kept}}
        for name, group in zip(GROUPS, run["groups"], strict=True)
    ]
    loaded = run["loaded"]["seconds"]
    return [{"variant": variant, "loaded": loaded, "groups": served}]
