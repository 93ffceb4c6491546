# SPDX-License-Identifier: Apache-2.0
"""The benchmarks, as a command: measure, check what was counted, write the report.

``python -m benchmarks cuda`` needs torch, numpy, packaging, jinja2, matplotlib and
pillow, this repository and, of the trees in ``build/``, only
``vllm/v1/sample/``. ``python -m benchmarks report`` measures nothing.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks import parts, pictures
from tools.fork import ForkError, documents, machine
from tools.fork.bootstrap import ROOT, lock


def main(arguments: list[str]) -> None:
    """Run the benchmarks, and make the report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("part", nargs="?", choices=[*parts.PARTS, "report"])
    parser.add_argument("--quick", action="store_true", help="only what CI needs")
    options = parser.parse_args(arguments)
    # Another command may make trees, and would be in the times.
    lock(ROOT / "build")
    quick = options.quick
    figures = ROOT / ("build/report/quick" if quick else documents.FIGURES)
    wanted = _wanted(options.part, quick)
    described = machine.describe() if wanted else {}
    with tempfile.TemporaryDirectory() as scratch:
        for part in wanted:
            parts.run(part, quick, described, Path(scratch), figures)
    if quick:
        for name, it in documents.load(figures).items():
            counts = [(run["level"], run["waiting"]) for run in it["results"]]
            print(f"Compiled in calls, {name}: {counts}")
    else:
        pictures.draw(figures, ROOT / "docs")
        print("\n".join([*documents.update(ROOT), "The report: docs/results.md"]))


def _wanted(part: str | None, quick: bool) -> list[str]:
    if part == "report":
        return []
    import torch

    there = torch.cuda.is_available()
    if part == "cuda" and not there:
        raise ForkError("torch finds no GPU here; does `nvidia-smi`?")
    every = parts.QUICK if quick else parts.PARTS
    if part and part not in every:
        raise ForkError(f"Nothing of {part} is quick; leave out --quick.")
    return [part] if part else [it for it in every if there or it != "cuda"]


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except ForkError as error:
        sys.exit(f"\n{error}")
    except KeyboardInterrupt:
        sys.exit(130)
