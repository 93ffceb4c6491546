# SPDX-License-Identifier: Apache-2.0
"""Show, under somebody's own Python and torch, what the change does there."""

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tools.fork import ForkError
from tools.fork.bootstrap import ROOT
from tools.fork.program import Word, run

BATCHES = (1, 2, 8)
VOCABULARY = 151936

Json = dict[str, Any]


def lines(
    site: Path, before: Mapping[str, bytes], python: Path | None
) -> Iterator[str]:
    """Gather logprobs without the change and with it, and yield a line for each.

    Args:
        site: The folder that has vllm/ with the change.
        before: By path, what modules were without it.
        python: The Python to run it with.

    Yields:
        What was compiled and how long that took; or why that is not known.
    """
    if python is None:
        yield "Not tried: for that, name the environment's bin/python."
        return
    yield f"Sampler.gather_logprobs for batches of {', '.join(map(str, BATCHES))}:"
    with tempfile.TemporaryDirectory() as folder:
        stock = Path(folder, "stock")
        sampling = Path("vllm/v1/sample")
        shutil.copytree(site / sampling, stock / sampling)
        for name, content in before.items():
            (stock / name).write_bytes(content)
        calls = [[batch, VOCABULARY] for batch in BATCHES]
        sides = {"before": [str(stock), calls], "after": [str(site), calls]}
        words: list[Word] = [python, "-m", "tools.fork.child"]
        words += ["tools.fork.sampler.probe", json.dumps({"trees": sides})]
        try:
            printed = run(words, "", ROOT, {"PYTHONPATH": str(ROOT)})
        except ForkError as error:
            last = str(error).strip().splitlines()[-1].strip()
            yield f"    could not be run here, so this is not shown: {last}"
            return
    for line in printed.splitlines():
        for when, it in json.loads(line).items():
            yield f"    {when:7} {_line(it)}"


def _line(found: Json) -> str:
    for it in (found["ahead"], *found["calls"]):
        if it["error"]:
            return str(it["error"])
    waiting = sum(call["compiled"] for call in found["calls"])
    lost = sum(call["seconds"] for call in found["calls"] if call["compiled"])
    ahead = found["ahead"]
    compiled = f"{waiting} compilation{'' if waiting == 1 else 's'}"
    said = f"{compiled} while requests wait, {lost:.1f} s lost"
    if ahead["compiled"]:
        said += (
            f"; {ahead['compiled']} while the engine loads, {ahead['seconds']:.1f} s"
        )
    return f"{said} ({found['device']}, torch {found['torch']})"
