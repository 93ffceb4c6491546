# SPDX-License-Identifier: Apache-2.0
"""Read into how many pieces a GPU cuts each row to count in it, and in how many graphs.

It does it for stock, for what upstream merged in vLLM 0.20.0, for the fork, and for the
change on the newest release. Each torch runs in an environment that uv makes for it and
keeps in its cache. It needs no GPU, and says nothing about time.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.variants import COMPILED, folder
from tools.fork import ForkError
from tools.fork.bootstrap import ROOT
from tools.fork.environment import build
from tools.fork.environment.install import run_under_torch
from tools.fork.release import RELEASES, all_described

REPORT = ROOT / "build/report"

Json = dict[str, Any]


def measure(version: str) -> list[Json]:
    """Read what one torch version generates.

    Args:
        version: Of torch.

    Returns:
        One result: the version as ``torch``, and ``variants``: per variant and graph
        the ``batch`` that it was traced at, the number of its ``kernels``, and the ways
        that they ``split`` a row.

    Raises:
        ForkError: The release or the torch cannot be had, or its code not be read.
    """
    trees = {name: folder(name) for name in COMPILED}
    trees["newest"] = build.make_trees(all_described()[-1]).fork
    return [{"torch": version, "variants": _read(version, trees)}]


def torch_versions(releases: Path = RELEASES) -> list[str]:
    """Return the torch versions of the releases, from 2.10 on, in order.

    An older torch has no ``hint_override``, which the change uses.
    """
    found = {release.torch for release in all_described(releases)}
    return sorted((it for it in found if _numbers(it) >= (2, 10)), key=_numbers)


def cut(source: str) -> dict[str, int]:
    """Count the kernels in a generated source, and the ways that they split a row.

    Raises:
        ForkError: The source is not of the kind that is known here.
    """
    kernels = re.findall(r"async_compile\.triton\(.*?'''(.*?)'''", source, re.S)
    # The first reads the rows; each later one adds up what the one before has left.
    extents = [re.findall(r"^ +r0_numel = (\d+)$", it, re.M) for it in kernels[1:]]
    if not kernels or len(extents) > 1 or any(len(it) != 1 for it in extents):
        raise ForkError(
            "Inductor's source has changed; fit benchmarks/sampler/split.py to it."
        )
    return {"kernels": len(kernels), "split": int(extents[0][0]) if extents else 1}


def _read(version: str, trees: Mapping[str, Path]) -> dict[str, list[dict[str, int]]]:
    """Generate the sources with one torch version, keep them, and read them."""
    failure = (
        f"torch {version} cannot be had, or its Inductor is another than "
        "benchmarks/sampler/lowering.py knows."
    )
    printed = run_under_torch(
        version,
        ["triton"],  # a torch for the CPU does not ask for it
        [
            "benchmarks.sampler.lowering",
            *(f"{name}={tree}" for name, tree in trees.items()),
        ],
        failure,
        {"CUDA_VISIBLE_DEVICES": ""},  # a GPU that is there must make no difference
    )
    variants: dict[str, list[dict[str, int]]] = {}
    for name, graphs in json.loads(printed).items():
        variants[name] = []
        for batch, source in graphs:
            file = REPORT / f"split/torch-{version}-{name}-batch-{batch}.py"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(source)
            variants[name].append({"batch": batch, **cut(source)})
    return variants


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
