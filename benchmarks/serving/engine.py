# SPDX-License-Identifier: Apache-2.0
"""Serve the rollout of the end-to-end test, and note when each token comes."""

from pathlib import Path
from typing import Any

from benchmarks.variants import built, folder
from tools.fork import bootstrap
from tools.fork.engine import serve
from tools.fork.engine.rollout import GROUPS

SERVED = ("stock", "fork")
VARIANTS = SERVED


def measure(variant: str, logs: Path) -> list[dict[str, Any]]:
    """Serve the rollout with nothing compiled yet.

    Args:
        variant: One of VARIANTS.
        logs: The folder for what vLLM prints.

    Returns:
        One result: the variant, the seconds that loading took, and its groups, each
        with its name and its compilations.

    Raises:
        ForkError: vLLM is not installed, or the engine failed.
    """
    groups = list(GROUPS.values())
    tree = folder(variant)
    built(bootstrap.VENV / "bin/vllm", variant)
    (run,) = serve.run(variant, tree, [(serve.QWEN, groups)], logs, quiet=True)
    served = [
        {"name": name, "compilations": group["compilations"]}
        for name, group in zip(GROUPS, run["groups"], strict=True)
    ]
    loaded = run["loaded"]["seconds"]
    return [{"variant": variant, "loaded": loaded, "groups": served}]
