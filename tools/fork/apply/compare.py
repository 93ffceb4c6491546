# SPDX-License-Identifier: Apache-2.0
"""Show, under somebody's own Python and torch, what the change does there."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from tools.fork import ForkError, child
from tools.fork.bootstrap import ROOT
from tools.fork.child import Json

BATCHES = (1, 2, 8)
VOCABULARY = 151936


def lines(
    site: Path, before: Mapping[str, bytes], python: Path | None
) -> Iterator[str]:
    """Gather logprobs without the change and with it, and yield a line for each.

    The line says what was compiled and how long that took, or why that is not known.
    ``site`` has vllm/ with the change; ``before`` has, by path, modules without it.
    """
    if python is None:
        yield "Not tried: for that, name the environment's bin/python."
        return
    yield f"Sampler.gather_logprobs for batches of {', '.join(map(str, BATCHES))}:"
    with tempfile.TemporaryDirectory() as stock:
        sampling = "vllm/v1/sample"
        shutil.copytree(site / sampling, Path(stock, sampling))
        for name, content in before.items():
            Path(stock, name).write_bytes(content)
        calls = [[batch, VOCABULARY] for batch in BATCHES]
        sides = {"before": [stock, calls], "after": [str(site), calls]}
        asked = "tools.fork.sampler.probe", {"trees": sides}
        try:
            log = Path(stock, "log")
            for found in child.call([python], *asked, {"PYTHONPATH": str(ROOT)}, log):
                for when, it in found.items():
                    yield f"    {when:7} {_line(it)}"
        except (ForkError, OSError) as error:
            last = str(error).splitlines()[-1]
            yield f"    could not be run here, so this is not shown: {last}"


def _line(found: Json) -> str:
    ahead, calls = found["ahead"], found["calls"]
    for it in (ahead, *calls):
        if it["error"]:
            return str(it["error"])
    waiting = sum(call["compiled"] for call in calls)
    lost = sum(call["seconds"] for call in calls if call["compiled"])
    compiled = f"{waiting} compilation{'' if waiting == 1 else 's'}"
    said = f"{compiled} while requests wait, {lost:.1f} s lost"
    if count := ahead["compiled"]:
        said += f"; {count} while the engine loads, {ahead['seconds']:.1f} s"
    return f"{said} ({found['device']}, torch {found['torch']})"
