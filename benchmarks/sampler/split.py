# SPDX-License-Identifier: Apache-2.0
"""Read into how many pieces a GPU cuts each row to count in it, and in how many graphs.

``python -m benchmarks.sampler.split [torch version ...]`` does it for stock, for what
upstream merged in vLLM 0.20.0, and for the fork. Each torch runs in an environment that
uv makes for it and keeps in its cache; without a version, all from 2.10 on that
releases.toml names. It needs no GPU, and says nothing about time.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tools.fork import ForkError
from tools.fork.bootstrap import ROOT
from tools.fork.environment import build
from tools.fork.environment.install import run_under_torch
from tools.fork.program import step
from tools.fork.release import MERGED, RELEASES, all_described, described

REPORT = ROOT / "build/report"
_TITLE = (
    "What Inductor generates for an H200 from Sampler.gather_logprobs: read, not timed"
)
# torch version, variant, and for each of its graphs: at which batch it was traced, how
# many kernels it has, how many ways a row is split.
Table = Mapping[str, Mapping[str, Sequence[Mapping[str, int]]]]


def main(versions: Sequence[str] = ()) -> int:
    """Read what each torch version generates, print the table and write split.json.

    Args:
        versions: Of torch; those that releases.toml names if there are none.

    Returns:
        The exit status: 0 if one version at least could be read.
    """
    pinned = build.make_trees(described(None))
    merged = build.make_trees(described(MERGED)).stock
    newest = build.make_trees(all_described()[-1]).fork
    trees = {"stock": pinned.stock, "merged": merged, "fork": pinned.fork}
    trees["newest"] = newest
    problems = []
    table: Table = {}
    for version in versions or torch_versions(RELEASES):
        try:
            with step(f"torch {version}"):
                variants = _read(version, trees)
        except ForkError as error:
            print("failed, see below", flush=True)
            problems.append(f"\n{error}")
        else:
            table = merge(REPORT / "split.json", version, variants)
    print("\n".join([*lines(table), *problems]))
    return 0 if table else 1


def torch_versions(releases: Path) -> list[str]:
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


def merge(file: Path, version: str, variants: Mapping[str, Any]) -> dict[str, Any]:
    """Put what one torch version gave into the table in ``file``; return all of it."""
    table = json.loads(file.read_text()) if file.exists() else {}
    table[version] = variants
    table = {it: table[it] for it in sorted(table, key=_numbers)}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(table, indent=1) + "\n")
    return table


def lines(table: Table) -> Iterator[str]:
    """Yield the table for a person."""
    yield f"\n{_TITLE}\n"
    row = "{:8} {:8} {:>6} {:>9} {:>8} {:>11}".format
    yield row("torch", "variant", "graphs", "traced at", "kernels", "row split")
    for version, variants in table.items():
        for name, graphs in variants.items():
            for it in graphs:
                batch, ways = f"batch {it['batch']}", f"{it['split']} ways"
                ways = ways if it["split"] > 1 else "no"
                yield row(version, name, len(graphs), batch, it["kernels"], ways)


def _read(version: str, trees: Mapping[str, Path]) -> dict[str, list[dict[str, int]]]:
    """Generate the sources with one torch version, keep them, and read them."""
    failure = (
        f"torch {version} was not read: it cannot be had, or its Inductor is another "
        "than benchmarks/sampler/lowering.py knows. The last that was said:"
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
