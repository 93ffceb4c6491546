"""Serve the rollout of the end-to-end test, and note when each token comes."""

from pathlib import Path
from typing import Any

from benchmarks.variants import folder
from tools.fork import engine
from tools.fork.rollout import GROUPS

# Upstream's version is of a release for another torch, so not of this environment.
SERVED = ("stock", "fork")


def measure(variant: str, logs: Path) -> list[dict[str, Any]]:
    """Serve the rollout with nothing compiled yet.

    Args:
        variant: One of SERVED.
        logs: The folder for what vLLM prints.

    Returns:
        One result: the variant, the seconds that loading took, and its groups, each
        with its name, its compilations and ``times``: per request, when each token
        came, in seconds after the group did.
    """
    groups = list(GROUPS.values())
    tree = folder(variant)
    run = engine.run(variant, tree, engine.QWEN, groups, logs, quiet=True)
    kept = ("compilations", "times")
    served = [
        {"name": name, **{it: group[it] for it in kept}}
        for name, group in zip(GROUPS, run["groups"], strict=True)
    ]
    loaded = run["loaded"]["seconds"]
    return [{"variant": variant, "loaded": loaded, "groups": served}]
